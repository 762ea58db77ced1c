//! Sentences: what breaks one happens, and what one says never happens does not.

use proptest::prelude::*;
use proptest::sample::select;
use spine::language::facts_text::GivenFacts;
use spine::language::script::Scripts;
use spine::language::yaml::Place;
use spine::machine::catalog::Catalog;
use spine::machine::{Entry, Scenario, Timeline, simulate};
use spine::model::Span;
use spine::workbench::prove::{Sentence, Verdict, prove};
use spine::workbench::suite::{Invariant, InvariantWord};

use crate::machine::driver::noon;
use crate::machine::generator::{Taste, catalog, facts, policy, script};
use crate::machine::properties::config;
use crate::meaning::machine;

fn invariant(word: InvariantWord, text: &str) -> Invariant {
    Invariant { word, text: text.to_owned(), at: Place { line: 1, column: 1 } }
}

/// Whether something happens in a run.
type Happens = fn(&Timeline) -> bool;

/// What each sentence of these says never happens.
const NEVER: [(&str, Happens); 8] = [
    ("send", |run| run.timeline.iter().any(|entry| entry.what == "send")),
    ("retry or repeat", |run| run.timeline.iter().any(|e| matches!(e.what, "retry" | "repeat"))),
    ("end failed", |run| run.end.status.word() == "failed"),
    ("skip (quota)", |run| {
        run.timeline.iter().any(|e| e.what == "skip" && e.reason.as_deref() == Some("quota"))
    }),
    ("end when sends > 2", |run| run.sends > 2),
    ("in_doubt", |run| {
        run.timeline.iter().any(|entry| entry.what == "in_doubt" && before_its_end(run, entry))
    }),
    ("accepted via b", |run| {
        let by_b = |entry: &Entry| entry.what == "accepted" && entry.provider.as_deref() == Some("b");
        run.timeline.iter().any(|entry| by_b(entry) && before_its_end(run, entry))
    }),
    ("send when elapsed > 1m and elapsed < 11m", |run| {
        run.timeline.iter().any(|entry| entry.what == "send" && (60_001..660_000).contains(&entry.at_ms))
    }),
];

/// What each sentence of these says always happens.
const ALWAYS: [(&str, Happens); 3] = [
    ("accepted or fail or skip", |run| {
        run.timeline.iter().any(|entry| matches!(entry.what, "accepted" | "fail" | "skip"))
    }),
    ("send or fail within 2h", |run| {
        run.timeline.iter().any(|e| matches!(e.what, "send" | "fail") && e.at_ms <= 7_200_000)
    }),
    ("end within 3d", |run| run.end.at_ms <= 3 * 86_400_000),
];

/// What happens after the end is no matter of a sentence; at the same instant nobody can tell here.
fn before_its_end(run: &Timeline, entry: &Entry) -> bool {
    entry.at_ms < run.end.at_ms
}

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn what_breaks_a_sentence_happens_and_what_holds_is_broken_by_no_script(
        policy in policy(Taste { all_of: true, windows: false, replies: false, guards: true }),
        scripts in prop::collection::vec((script(), facts()), 12),
        (text, happens) in select(NEVER.to_vec()),
        (always, has_to) in select(ALWAYS.to_vec()),
    ) {
        let (machine, catalog) = (machine(&policy), catalog());
        let runs: Vec<(String, Timeline)> = scripts
            .into_iter()
            .map(|(script, given)| {
                let facts = GivenFacts::parse(&given).unwrap();
                let scenario = Scenario::given(&machine, &facts, catalog.clone(), noon());
                let run = simulate(&scenario, &Scripts::parse(&script).unwrap());
                (format!("{given} {script}"), run)
            })
            .collect();
        let sentences = [(InvariantWord::Never, text, happens), (InvariantWord::Always, always, has_to)];
        for (word, text, happens) in sentences {
            // A provider that no stage of the policy calls is told.
            let Ok(sentence) = Sentence::read(&invariant(word, text), &machine, &catalog) else {
                prop_assert!(text.contains(" via "), "{text}");
                continue;
            };
            // Whether a run breaks it.
            let breaks = |run: &Timeline| happens(run) == (word == InvariantWord::Never);
            match prove(&sentence, &machine, &catalog, 3_000).verdict {
                Verdict::Broken { timeline, .. } => {
                    // A run that goes on after the end may show there what a sentence does not mean.
                    let strict = !text.contains("in_doubt") && !text.contains("accepted");
                    prop_assert!(breaks(&timeline) || !strict, "{text}: {timeline:#?}");
                }
                Verdict::Holds => {
                    for (under, run) in &runs {
                        prop_assert!(!breaks(run), "{text}, {under}: {run:#?}");
                    }
                }
                Verdict::Undecided(_) => {}
            }
        }
    }
}

/// Holds that a sentence is decided so: it holds, or is broken.
fn is_decided(policy: &str, catalog: &Catalog, (word, text): (InvariantWord, &str), holds: bool) {
    let machine = machine(policy);
    let sentence = Sentence::read(&invariant(word, text), &machine, catalog).unwrap();
    match prove(&sentence, &machine, catalog, 100_000).verdict {
        Verdict::Holds => assert!(holds, "{policy}: {text} holds"),
        Verdict::Broken { witness, .. } => assert!(!holds, "{policy}: {text} is broken by {witness:?}"),
        Verdict::Undecided(why) => panic!("{policy}: {text}: {why:?}"),
    }
}

/// Sentences that ask for the age of the message, and who breaks them.
const AGES: [(InvariantWord, &str, Happens); 5] = [
    (InvariantWord::Never, "send when elapsed > 1m and elapsed < 11m", |run| {
        !sent(run).any(|at| (60_001..660_000).contains(&at))
    }),
    (InvariantWord::Never, "send when elapsed > 7h", |run| !sent(run).any(|at| at > 25_200_000)),
    (InvariantWord::Never, "send when elapsed > 1h and elapsed < 2h", |run| {
        !sent(run).any(|at| (3_600_001..7_200_000).contains(&at))
    }),
    (InvariantWord::Always, "send or fail or skip within 20h", |run| {
        run.timeline.iter().any(|e| matches!(e.what, "send" | "fail" | "skip") && e.at_ms <= 72_000_000)
    }),
    (InvariantWord::Always, "end within 25h", |run| run.end.at_ms <= 90_000_000),
];

fn sent(run: &Timeline) -> impl Iterator<Item = i64> {
    run.timeline.iter().filter(|entry| entry.what == "send").map(|entry| entry.at_ms)
}

const YEAR_S: i64 = 366 * 86_400;

proptest! {
    #![proptest_config(config(16))]

    #[test]
    fn what_holds_is_broken_by_no_message_whenever_it_is_accepted(
        policy in policy(Taste { all_of: false, windows: true, replies: false, guards: true }),
        zone in select(vec!["UTC", "Europe/Berlin", "America/New_York"]),
        runs in prop::collection::vec((0..YEAR_S, select(vec![0, 1, 500]), script(), facts()), 40),
        (word, text, keeps) in select(AGES.to_vec()),
    ) {
        let (machine, catalog) = (machine(&policy.replace("UTC", zone)), catalog());
        let sentence = Sentence::read(&invariant(word, text), &machine, &catalog).unwrap();
        let proof = prove(&sentence, &machine, &catalog, 8_000);
        match proof.verdict {
            Verdict::Broken { timeline, .. } => prop_assert!(!keeps(&timeline), "{text}: {timeline:#?}"),
            Verdict::Holds => {
                for (second, ms, script, given) in runs {
                    let at = noon().plus(Span::from_ms(second * 1_000 + ms));
                    let facts = GivenFacts::parse(&given).unwrap();
                    let scenario = Scenario::given(&machine, &facts, catalog.clone(), at);
                    let run = simulate(&scenario, &Scripts::parse(&script).unwrap());
                    prop_assert!(keeps(&run), "{text}, {at} {given} {script}: {run:#?}");
                }
            }
            Verdict::Undecided(_) => {}
        }
    }
}

#[test]
fn a_sentence_is_decided_whenever_a_message_is_accepted() {
    const HOLDS: bool = true;
    for (policy, word, text, holds) in [
        // Between the edges, as an age asks for it.
        (
            "wait until 08:00 in UTC then sms if elapsed > 10m and elapsed < 20m then email",
            InvariantWord::Never,
            "send sms",
            !HOLDS,
        ),
        (
            "sms between 09:00 and 18:00 in UTC then email if elapsed > 10m and elapsed < 20m",
            InvariantWord::Never,
            "send sms when elapsed > 10m and elapsed < 20m",
            !HOLDS,
        ),
        (
            "sms then wait until 08:00 in UTC then voice if elapsed < 1h",
            InvariantWord::Never,
            "send voice when elapsed > 45m",
            !HOLDS,
        ),
        (
            "sms then wait until 08:00 in UTC then voice if elapsed < 1h",
            InvariantWord::Never,
            "send voice when elapsed > 1h1m",
            HOLDS,
        ),
        // A moment after the time that is waited for, and on the night on which the clocks change.
        ("wait until 08:00 in UTC then sms", InvariantWord::Always, "send or fail within 20h", !HOLDS),
        ("wait until 08:00 in UTC then sms", InvariantWord::Always, "send or fail within 24h", HOLDS),
        (
            "wait until 08:00 in Europe/Berlin then sms",
            InvariantWord::Always,
            "send or fail within 24h",
            !HOLDS,
        ),
        (
            "wait until 08:00 in Europe/Berlin then sms",
            InvariantWord::Always,
            "send or fail within 25h",
            HOLDS,
        ),
        (
            "policy p { quiet 22:00 to 06:00 in Europe/London sms }",
            InvariantWord::Always,
            "send or fail within 8h",
            !HOLDS,
        ),
        (
            "policy p { quiet 22:00 to 06:00 in Europe/London sms }",
            InvariantWord::Always,
            "send or fail within 9h",
            HOLDS,
        ),
        // In summer, where two zones are apart that are alike in winter.
        (
            "sms between 09:00 and 18:00 in Europe/London then email between 08:30 and 08:45 in UTC",
            InvariantWord::Never,
            "send email when elapsed > 14h and elapsed < 14h20m",
            !HOLDS,
        ),
        // A contact whose clock is changed.
        (
            "policy p { quiet 22:00 to 06:00 in contact.timezone else UTC sms }",
            InvariantWord::Always,
            "send or fail within 8h",
            !HOLDS,
        ),
    ] {
        is_decided(policy, &Catalog::default(), (word, text), holds);
    }
}

#[test]
fn a_sentence_is_decided_over_all_facts() {
    let policy = "policy p { expires after 1h\n vars { n: number }\n push then sms after 10m if vars.n > 5 unless quota }";
    for (word, text, holds) in [
        (InvariantWord::Never, "send sms when vars.n is 5", true),
        (InvariantWord::Never, "send sms when vars.n <= 6", false),
        (InvariantWord::Never, "send sms when quota.sms is used", true),
        (InvariantWord::Never, "send push when quota.push is free", false),
        (InvariantWord::Never, "send sms when elapsed >= 10m", false),
        (InvariantWord::Never, "send sms when elapsed >= 11m", true),
        (InvariantWord::Never, "fail sms when not contact has sms", false),
        (InvariantWord::Never, "fail sms (no_address) when contact has sms", true),
        (InvariantWord::Always, "end within 1h", true),
        (InvariantWord::Always, "end within 59m", false),
        (InvariantWord::Always, "send within 1h", false),
        (
            InvariantWord::Always,
            "send within 0s when contact has push and not opted_out.push and quota.push is free and breaker.push is closed",
            true,
        ),
    ] {
        is_decided(policy, &Catalog::default(), (word, text), holds);
    }
}

/// Where facts leave nothing to look at, nothing is looked at; what they do not settle is.
#[test]
fn what_facts_settle_is_no_more_than_they_settle() {
    const HOLDS: bool = true;
    for (policy, text, holds) in [
        ("sms if vars.x > 1 then push after 1m", "send sms when vars.x is 1", HOLDS),
        ("sms if vars.x > 1 then push after 1m", "send sms when vars.x is 2", !HOLDS),
        ("sms if not vars.x > 1 then push after 1m", "send sms when vars.x is 1", !HOLDS),
        ("sms unless vars.x > 1 then push after 1m", "send sms when vars.x is 2", HOLDS),
        ("sms unless vars.x > 1 then push after 1m", "send sms when vars.x is 1", !HOLDS),
        ("sms if vars.x > 1 or delivered then push", "send sms when vars.x is 1", HOLDS),
        ("push until read then sms after 1m if vars.x > 1 or delivered", "send sms when vars.x is 1", !HOLDS),
        ("push then sms after 1m if vars.x > 1 and elapsed > 30s", "send sms when vars.x is 1", HOLDS),
        ("push then sms after 1m unless vars.x > 1 and elapsed > 5m", "send sms when vars.x is 2", !HOLDS),
        // The guard of a group is that of what stands in it.
        ("push then any of (sms, voice) after 1m if vars.x > 1", "send sms when vars.x is 1", HOLDS),
        ("push then any of (sms, voice) after 1m if vars.x > 1", "send voice when vars.x is 2", !HOLDS),
        // One stage of a channel is stopped, another is not.
        ("sms if vars.x > 1 then push then sms after 1m", "send sms when vars.x is 1", !HOLDS),
        ("sms retry 3 times every 1s then push", "send sms when sends >= 1", HOLDS),
        ("sms repeat 2 times every 1m then push", "send sms when sends >= 1", !HOLDS),
        // What changes during a run is asked when it is so.
        ("push then sms after 1m", "send sms when delivered and not contact has sms", HOLDS),
        ("push until read then sms after 1m", "send sms when delivered and contact has sms", !HOLDS),
        ("push until read then sms after 1m", "send sms when quota.sms is used or read", HOLDS),
        ("push until read then sms after 1m", "send sms when quota.push is used or read", !HOLDS),
        ("push then sms unless opted_out", "send sms when opted_out.sms", HOLDS),
        ("push then sms", "send sms when opted_out.push", !HOLDS),
        ("push then sms", "fail sms when contact has sms and opted_out.sms", !HOLDS),
    ] {
        is_decided(policy, &Catalog::default(), (InvariantWord::Never, text), holds);
    }
}

/// What is told apart by a sentence alone is told apart: by which provider, in doubt or not, and at which
/// age of the message.
#[test]
fn what_a_sentence_asks_for_is_told_apart() {
    const HOLDS: bool = true;
    for (policy, word, text, holds) in [
        (
            "sms via a or b until delivered then push via a",
            InvariantWord::Never,
            "delivered sms via b",
            !HOLDS,
        ),
        (
            "sms via a or b until delivered then push via a",
            InvariantWord::Never,
            "delivered push via b",
            HOLDS,
        ),
        ("sms via a then push via a", InvariantWord::Always, "accepted or fail", !HOLDS),
        ("sms via a on doubt move on then push via a", InvariantWord::Never, "accepted push", !HOLDS),
        ("sms via a then push via a", InvariantWord::Always, "accepted or in_doubt or fail", HOLDS),
        (
            "sms via a then push via a after 2h",
            InvariantWord::Never,
            "send push when elapsed > 10m and elapsed < 1h",
            !HOLDS,
        ),
        (
            "sms via a then push via b after 2h retry 0 times every 1s",
            InvariantWord::Never,
            "send push when elapsed > 2h",
            HOLDS,
        ),
        ("sms via a then push via a after 2h", InvariantWord::Never, "send push when elapsed >= 2h", !HOLDS),
        (
            "sms via a then push via a after 2h if elapsed > 10m and elapsed < 1h",
            InvariantWord::Never,
            "send push",
            !HOLDS,
        ),
    ] {
        is_decided(policy, &catalog(), (word, text), holds);
    }
}

/// An end by the expiry is in time only where the expiry is.
#[test]
fn an_expiry_proves_no_more_than_it_brings() {
    let policy = "policy p { expires after 10m\n push then sms after 5m }";
    for (text, holds) in [
        ("end within 10m", true),
        ("end within 9m59s", false),
        ("end expired within 10m", false),
        ("send sms or end within 10m", true),
        ("send sms within 10m", false),
    ] {
        is_decided(policy, &Catalog::default(), (InvariantWord::Always, text), holds);
    }
}

/// A bound that is called met is met by the run that is shown for it.
#[test]
fn a_bound_that_is_called_met_is_met_by_its_script() {
    use spine::machine::explore::meet_bounds;
    let catalog = Catalog::default();
    for text in [
        "sms then email after 1m",
        "sms repeat 2 times every 5m then voice after 20m",
        "all of (email, sms unless quota) then voice after 1h",
        "policy p { limit 2 sends\n sms then email then voice }",
        "policy p { expires after 1h\n any of (push, sms) then voice after 2m repeat 2 times every 5m }",
        "sms retry 2 times every 1m then push after 10m if elapsed >= 10m",
    ] {
        let machine = machine(text);
        let met = meet_bounds(&machine, &catalog, &GivenFacts::default(), noon());
        let run = met.sends.witness.as_ref().map(|witness| witness.timeline(&machine, &catalog));
        let sends = run.map_or(0, |run| i64::from(run.sends));
        assert_eq!(sends, met.sends.most, "{text}");
        assert_eq!(met.sends.met, sends >= met.sends.max, "{text}");
        let Some(duration) = met.duration_ms else { continue };
        let run = duration.witness.as_ref().map(|witness| witness.timeline(&machine, &catalog));
        let sent = run.into_iter().flat_map(|run| run.timeline);
        let last = sent.filter(|entry| entry.what == "send").map(|entry| entry.at_ms).max();
        assert_eq!(last.unwrap_or(0), duration.most, "{text}");
        assert_eq!(duration.met, duration.most >= duration.max, "{text}");
    }
}
