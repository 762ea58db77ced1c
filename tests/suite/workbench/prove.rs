//! Sentences: what breaks one happens, and what one says never happens does not.

use proptest::prelude::*;
use proptest::sample::select;
use spine::language::facts_text::GivenFacts;
use spine::language::script::Scripts;
use spine::language::yaml::Place;
use spine::machine::{Scenario, Timeline, simulate};
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
const NEVER: [(&str, Happens); 5] = [
    ("send", |run| run.timeline.iter().any(|entry| entry.what == "send")),
    ("retry or repeat", |run| run.timeline.iter().any(|e| matches!(e.what, "retry" | "repeat"))),
    ("end failed", |run| run.end.status.word() == "failed"),
    ("skip (quota)", |run| {
        run.timeline.iter().any(|e| e.what == "skip" && e.reason.as_deref() == Some("quota"))
    }),
    ("end when sends > 2", |run| run.sends > 2),
];

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn what_breaks_a_sentence_happens_and_what_holds_is_broken_by_no_script(
        policy in policy(Taste { all_of: true, windows: false, replies: false, guards: true }),
        script in script(),
        given in facts(),
        (text, happens) in select(NEVER.to_vec()),
    ) {
        let machine = machine(&policy);
        let catalog = catalog();
        let sentence = Sentence::read(&invariant(InvariantWord::Never, text), &machine).unwrap();
        let proof = prove(&sentence, &machine, &catalog, 3_000);
        match proof.verdict {
            Verdict::Broken { timeline, .. } => prop_assert!(happens(&timeline), "{text}: {timeline:#?}"),
            Verdict::Holds => {
                let facts = GivenFacts::parse(&given).unwrap();
                let scenario = Scenario::given(&machine, &facts, catalog, noon());
                let run = simulate(&scenario, &Scripts::parse(&script).unwrap());
                prop_assert!(!happens(&run), "{text}: {run:#?}");
            }
            Verdict::Undecided(_) => {}
        }
    }
}

#[test]
fn a_sentence_is_decided_over_all_facts() {
    let policy = "policy p { expires after 1h\n vars { n: number }\n push then sms after 10m if vars.n > 5 unless quota }";
    let machine = machine(policy);
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
        let sentence = Sentence::read(&invariant(word, text), &machine).unwrap();
        let proof = prove(&sentence, &machine, &spine::machine::catalog::Catalog::default(), 100_000);
        match proof.verdict {
            Verdict::Holds => assert!(holds, "{text} holds"),
            Verdict::Broken { witness, .. } => assert!(!holds, "{text} is broken by {witness:?}"),
            Verdict::Undecided(why) => panic!("{text}: {why:?}"),
        }
    }
}
