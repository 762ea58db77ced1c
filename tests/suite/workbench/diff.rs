//! What changes between two versions of a policy.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use spine::language::facts_text::GivenFacts;
use spine::language::script::Scripts;
use spine::language::{NoLibrary, Policy, compile as read};
use spine::machine::catalog::Catalog;
use spine::machine::explore::Witness;
use spine::machine::{Machine, Scenario, compile, simulate};
use spine::workbench::diff::{Effort, Kind, Level, PolicyDiff, Shown, compare, one};

use crate::cases::check_folder;
use crate::machine::generator::{self, Taste};
use crate::machine::properties::config;
use crate::meaning::machine;

fn policies(source: &str) -> Vec<Policy> {
    let compiled = read(source, Some("p"), &NoLibrary);
    assert!(compiled.is_clean(), "{source}: {:?}", compiled.diagnostics);
    compiled.policies
}

/// What a diff says, after each script was played again and found to show a difference.
fn told(diff: &PolicyDiff, old: &[Policy], new: &[Policy]) -> String {
    let mut out = String::new();
    let was = diff.was.as_deref().unwrap_or(&diff.name);
    let machine = |policies: &[Policy], name: &str| policies.iter().find(|p| p.name == name).map(compile);
    for change in &diff.changes {
        writeln!(out, "{}: {}", change.level, change.what).unwrap();
        if let Some(also) = &change.also {
            writeln!(out, "    {also}").unwrap();
        }
        let Some(shown) = &change.shown else { continue };
        let (old, new) = (machine(old, was).unwrap(), machine(new, &diff.name).unwrap());
        let under = |shown: &Shown| {
            let catalog = Catalog::default();
            let again = [shown.witness.timeline(&old, &catalog), shown.witness.timeline(&new, &catalog)];
            assert_eq!(again, [shown.old.clone(), shown.new.clone()]);
            assert_ne!((&shown.old.timeline, &shown.old.end), (&shown.new.timeline, &shown.new.end));
            let options: Vec<String> = shown.witness.options().collect();
            if options.is_empty() { "always".to_owned() } else { options.join(" ") }
        };
        writeln!(out, "    {}", under(shown)).unwrap();
        for way in &change.more {
            let also = way.also.as_ref().map(|also| format!("; {also}")).unwrap_or_default();
            writeln!(out, "    - {}{also}", way.what).unwrap();
            writeln!(out, "      {}", under(&way.shown)).unwrap();
        }
    }
    out
}

#[test]
fn each_change_has_its_level_and_a_script_that_shows_it() {
    check_folder("diff", |kind, input| {
        assert_eq!(kind, "diff");
        let (old, new) = input.split_once("---\n").unwrap();
        let (old, new) = (policies(old), policies(new));
        let diffs = compare(&old, &new, &Catalog::default(), Effort { runs_max: 1_500, facts_max: 100 });
        let mut out = String::new();
        for diff in &diffs {
            if diffs.len() > 1 {
                let was = diff.was.as_ref().map(|was| format!(", was {was}")).unwrap_or_default();
                let kind = match diff.kind {
                    Kind::Same => "same",
                    Kind::Changed => "changed",
                    Kind::Added => "added",
                    Kind::Removed => "removed",
                };
                writeln!(out, "{}: {kind}{was}", diff.name).unwrap();
            }
            writeln!(out, "{}", diff.level()).unwrap();
            out.push_str(&told(diff, &old, &new));
        }
        out
    });
}

const EVERYTHING: Taste = Taste { all_of: true, windows: true, replies: false, guards: true };
const PLAIN: Taste = Taste { all_of: false, windows: false, replies: false, guards: false };
const QUICK: Effort = Effort { runs_max: 250, facts_max: 20 };

fn every_script_shows_a_difference(old: &str, new: &str) -> TestCaseResult {
    let (old, new) = (machine(old), machine(new));
    let catalog = generator::catalog();
    let diff = one(&old, &new, &catalog, QUICK);
    for change in &diff.changes {
        let Some(shown) = &change.shown else { continue };
        let (from, to) = (shown.witness.timeline(&old, &catalog), shown.witness.timeline(&new, &catalog));
        prop_assert!(
            from.end != to.end || from.timeline != to.timeline,
            "{}: {}",
            change.what,
            shown.witness.command("x", None, None)
        );
        // A script that one of them could not play would show nothing.
        let played = Scripts::parse(&shown.witness.script());
        prop_assert!(played.is_ok(), "{}", shown.witness.script());
    }
    Ok(())
}

fn sends(machine: &Machine, scripts: &Scripts) -> u32 {
    let facts = GivenFacts::default();
    let scenario = Scenario::given(machine, &facts, generator::catalog(), Witness::ORDINARY_AT);
    simulate(&scenario, scripts).sends
}

/// Where everybody accepts and nobody confirms, no more is sent than before without its being told.
fn more_sends_are_told(old: &str, new: &str) -> TestCaseResult {
    let (old, new) = (machine(old), machine(new));
    let silent = Scripts::parse("a: accepted; b: accepted").unwrap();
    if sends(&new, &silent) > sends(&old, &silent) {
        let effort = Effort { runs_max: 600, facts_max: 1 };
        let diff = one(&old, &new, &generator::catalog(), effort);
        prop_assert_eq!(diff.level(), Level::MoreSends, "{:?}", diff.changes);
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(24))]

    #[test]
    fn a_policy_does_not_differ_from_itself(policy in generator::policy(EVERYTHING)) {
        let spaced = format!("# First.\n{}\n", policy.replace(" then ", "\n  then "));
        for other in [spaced, spine::language::format(&policy).unwrap()] {
            let diff = one(&machine(&policy), &machine(&other), &Catalog::default(), QUICK);
            prop_assert_eq!((diff.level(), diff.kind), (Level::None, Kind::Same), "{:?}", diff.changes);
            prop_assert!(diff.is_complete() && diff.runs == 0);
        }
    }

    #[test]
    fn what_is_reported_can_be_seen(
        old in generator::policy(EVERYTHING),
        new in generator::policy(EVERYTHING),
    ) {
        every_script_shows_a_difference(&old, &new)?;
    }

    #[test]
    fn who_is_sent_more_is_told(
        old in generator::policy(PLAIN),
        new in generator::policy(PLAIN),
    ) {
        more_sends_are_told(&old, &new)?;
    }
}

/// A search that leaves scripts out says which, and one that looked at all of them does not.
#[test]
fn what_was_not_looked_at_is_told() {
    for (old, new, runs_max, why) in [
        ("sms", "sms until accepted", 20_000, None),
        ("sms", "sms until accepted", 3, Some("pairs of runs were compared")),
        ("sms retry 5 times every 1s", "sms retry 5 times every 2s", 20_000, None),
        ("sms retry 8 times every 1s", "sms retry 8 times every 2s", 20_000, None),
        // Twenty-one answers of one provider, of which sixteen are written out.
        (
            "sms retry 20 times every 1s",
            "sms retry 20 times every 2s",
            20_000,
            Some("from attempt 16 with a provider on"),
        ),
        ("whatsapp until read", "whatsapp until replied", 20_000, Some("no more than 2 confirmations")),
    ] {
        let effort = Effort { runs_max, facts_max: 2_000 };
        let diff = one(&machine(old), &machine(new), &Catalog::default(), effort);
        match why {
            None => assert!(diff.is_complete(), "{new}: {:?}", diff.gave_up),
            Some(why) => {
                assert!(diff.gave_up.iter().any(|told| told.contains(why)), "{new}: {:?}", diff.gave_up);
            }
        }
    }
}
