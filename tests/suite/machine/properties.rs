//! What holds of every policy, under every script and every order of events.

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestCaseResult};
use spine::language::facts_text::GivenFacts;
use spine::language::script::Scripts;
use spine::machine::{Machine, Moved, Scenario, StageId, Timeline, Was, What, bounds, next_due, simulate};
use spine::model::{Instant, Outcome};

use super::driver::{Driver, TestWorld, noon};
use super::generator::{Receipts, Taste, catalog, event, facts, pause_ms, policy, receipts, script};
use crate::meaning::machine;

const EVERYTHING: Taste = Taste { all_of: true, windows: true, replies: false, guards: true };

pub(crate) fn config(cases: u32) -> ProptestConfig {
    // No file of failures: a case that failed becomes a test of its own.
    // The same cases each time; `PROPTEST_RNG_SEED` tries others.
    let fixed = std::env::var_os("PROPTEST_RNG_SEED").is_none();
    let mut config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    if fixed {
        config.rng_seed = RngSeed::Fixed(1);
    }
    config
}

fn run(machine: &Machine, facts: &str, script: &str, at: Instant) -> Timeline {
    let facts = GivenFacts::parse(facts).unwrap();
    let scenario = Scenario::given(machine, &facts, catalog(), at);
    simulate(&scenario, &Scripts::parse(script).unwrap())
}

fn sends(timeline: &Timeline) -> impl DoubleEndedIterator<Item = i64> + '_ {
    timeline.timeline.iter().filter(|entry| entry.what == "send").map(|entry| entry.at_ms)
}

fn within_bounds(policy: &str, facts: &str, script: &str, at: Instant) -> TestCaseResult {
    let machine = machine(policy);
    let timeline = run(&machine, facts, script, at);
    let bounds = bounds(&machine, &catalog());
    prop_assert!(timeline.sends <= bounds.sends_max, "{bounds:?} {timeline:#?}");
    prop_assert!(
        timeline.cost.unwrap().micros <= bounds.cost_max.unwrap().micros,
        "{bounds:?} {timeline:#?}"
    );
    let last = sends(&timeline).next_back().unwrap_or_default();
    prop_assert!(bounds.duration_max_ms.is_some_and(|most| last <= most), "{bounds:?} {timeline:#?}");
    // It ended, nothing was sent after that, and nothing once it had expired.
    prop_assert!(last <= timeline.end.at_ms, "{timeline:#?}");
    if let Some(expires) = machine.headers().expires {
        prop_assert!(sends(&timeline).all(|at| at < expires.ms()), "{timeline:#?}");
        prop_assert!(timeline.end.at_ms <= expires.ms(), "{timeline:#?}");
    }
    prop_assert!(timeline.timeline.iter().all(|entry| entry.at_ms <= timeline.end.at_ms), "{timeline:#?}");
    Ok(())
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn a_run_ends_within_its_bounds(
        policy in policy(EVERYTHING),
        script in script(),
        facts in facts(),
        minute in 0..7 * 1_440_i64,
    ) {
        within_bounds(&policy, &facts, &script, Instant::from_ms(noon().ms() + minute * 60_000))?;
    }

    #[test]
    fn no_order_of_events_panics_and_every_one_chains_and_replays(
        policy in policy(EVERYTHING),
        events in prop::collection::vec((event(), pause_ms()), 1..40),
        missing in facts(),
        seed in any::<u64>(),
    ) {
        let machine = machine(&policy);
        let facts = GivenFacts::parse(&missing).unwrap();
        let world = Scenario::given(&machine, &facts, catalog(), noon()).world;
        let world = TestWorld { simulated: world, ..TestWorld::default() };
        let mut run = Driver::of(machine, world, |beginning| beginning.seed = seed);
        run.accept();
        let mut now = noon();
        for (what, pause) in events {
            run.look_away();
            now = Instant::from_ms(now.ms() + pause);
            run.step(now, what);
            // What is due by now is handed over, as whoever drives it does.
            for _ in 0..200 {
                run.look_away();
                if next_due(&run.machine, &run.instance).is_none_or(|due| due > now.max(run.instance.last_at())) {
                    break;
                }
                run.step(now, What::Due);
            }
        }
        run.look_away();
        let mut over = false;
        let expires = run.instance.expires_at();
        for transition in run.transitions() {
            over |= transition.event == Was::MessageEnded;
            let starts = matches!(transition.event, Was::Called | Was::Queued | Was::Held | Was::Retried);
            prop_assert!(!(over && starts), "{transition:?}");
            prop_assert!(!starts || expires.is_none_or(|expires| transition.at < expires), "{transition:?}");
        }
        // Its end, replayed, is checked when the driver goes out of scope.
    }

    #[test]
    fn any_order_of_the_same_receipts_gives_the_same_status(
        policy in policy(Taste { all_of: false, windows: false, replies: true, guards: false }),
        (first, second) in receipts(3).prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
    ) {
        let came = [first, second].map(|order| status_after(&policy, &order));
        if let [Some(first), Some(second)] = came {
            prop_assert_eq!(first, second);
        }
    }
}

/// The final status where everything is accepted, those receipts come in that order, and whatever
/// starts after them is refused; `None` where it ended before the last of them.
fn status_after(policy: &str, order: &Receipts) -> Option<spine::model::Status> {
    let world = TestWorld {
        simulated: spine::machine::catalog::SimulatedWorld { catalog: catalog(), ..Default::default() },
        ..TestWorld::default()
    };
    let mut run = Driver::of(machine(policy), world, |_| {});
    run.accept();
    let mut answered = 0;
    answer(&mut run, &mut answered, noon(), Outcome::Accepted);
    let mut now = noon();
    for _ in 0..3 {
        now = next_due(&run.machine, &run.instance).unwrap_or(now).max(now);
        run.step(now, What::Due);
        answer(&mut run, &mut answered, now, Outcome::Accepted);
    }
    for (attempt, level) in order {
        run.look_away();
        if run.instance.ended().is_some() {
            return None;
        }
        // Of the attempts that there are.
        let attempt = (attempt - 1) % answered.max(1) + 1;
        match level {
            Some(level) => run.step(now, What::Confirmed { attempt, level: *level }),
            None => run.step(now, What::FailedLater { attempt, fault: None }),
        }
    }
    for _ in 0..500 {
        answer(&mut run, &mut answered, now, Outcome::RecipientFault);
        let Some(due) = next_due(&run.machine, &run.instance) else { break };
        now = now.max(due);
        run.step(now, What::Due);
    }
    run.look_away();
    assert!(run.instance.ended().is_some(), "it never ends");
    Some(run.instance.status())
}

/// Answers every attempt that has not been, as long as there is one.
fn answer(run: &mut Driver, answered: &mut u32, now: Instant, outcome: Outcome) {
    run.look_away();
    for _ in 0..100 {
        let Some((attempt, _)) = run.instance.under_way().next() else { return };
        *answered = (*answered).max(attempt);
        run.step(now, What::Answered { attempt, outcome, retry_after: None });
        run.look_away();
    }
    panic!("attempts without end");
}

#[test]
fn bounds_are_met_by_some_script() {
    for (policy, facts, script) in [
        ("sms", "", "a: transient; b: transient"),
        ("sms", "", "a: accepted"),
        (
            "whatsapp then sms",
            "",
            "a: transient x2 then accepted, failed after 1d then transient; b: transient x2 then transient",
        ),
        ("whatsapp then sms after 30s then email after 10m", "", "a: accepted"),
        ("any of (whatsapp, sms, email)", "", "a: accepted"),
        ("any of (webhook, sms) then email", "", "a: accepted"),
        ("all of (webhook, sms) then email", "", "a: accepted then accepted, failed after 1s then accepted"),
        ("sms repeat 2 times every 1m on doubt resend", "", "a: in doubt"),
        (
            "any of (wait 5m then push, wait 10m then email) then sms after 30s",
            "contact.has.push=false",
            "a: accepted then transient; b: transient",
        ),
        ("webhook then sms", "", "a: recipient fault then accepted"),
        ("policy test { limit 2 sends\n sms repeat 5 times every 1m }", "", "a: accepted"),
        ("sms until accepted on doubt move on then email", "", "a: in doubt then accepted"),
    ] {
        let machine = machine(policy);
        let timeline = run(&machine, facts, script, noon());
        let most = bounds(&machine, &catalog());
        let last = sends(&timeline).next_back().unwrap_or_default();
        let met = timeline.sends == most.sends_max || Some(last) == most.duration_max_ms;
        assert!(timeline.sends <= most.sends_max && Some(last) <= most.duration_max_ms, "{policy}: {most:?}");
        assert!(met, "{policy}: {most:?} {timeline:#?}");
    }
}

#[test]
fn stages_are_named_by_their_place_in_the_text() {
    let mut run = Driver::new("any of (push, wait 1m then email) then sms after 30s");
    run.accept();
    run.look_away();
    run.fire("2m");
    run.look_away();
    let called: Vec<_> = run
        .transitions()
        .iter()
        .filter(|transition| transition.event == Was::Called)
        .filter_map(|transition| match transition.moved {
            Moved::Stage { stage, number, .. } => Some((stage, number)),
            Moved::Message { .. } => None,
        })
        .collect();
    assert_eq!(called, [(StageId(1), 1), (StageId(4), 3)]);
}
