//! The walk over all outcomes: what it finds happens, and nothing that happens is missed.

use std::collections::BTreeSet;

use proptest::prelude::*;
use spine::language::facts_text::GivenFacts;
use spine::language::script::Scripts;
use spine::machine::catalog::Catalog;
use spine::machine::explore::{Care, FactSpace, Go, Seen, Visitor, Walk};
use spine::machine::{Machine, Scenario, Timeline, Witness, all_endings, simulate};
use spine::model::{Channel, Instant};

use super::driver::noon;
use super::generator::{Taste, catalog, facts, policy, script};
use super::properties::config;
use crate::meaning::machine;

/// How a run ended, and what it sent, as far as a walk tells runs apart.
fn ended(timeline: &Timeline) -> String {
    let reasons: Vec<_> =
        timeline.end.reasons.iter().map(|r| format!("{:?} {}", r.channel, r.reason)).collect();
    format!("{} {:?} {}", timeline.end.status, timeline.end.reached_by, reasons.join("; "))
}

/// The first end that was seen of each kind, with its witness.
struct Ends<'a> {
    machine: &'a Machine,
    witnesses: Vec<(String, Witness)>,
}

impl Visitor for Ends<'_> {
    fn see(&mut self, seen: &Seen<'_>, _: u64) -> Go {
        if seen.is_last {
            let reasons: Vec<_> = seen
                .instance
                .reasons(self.machine)
                .into_iter()
                .map(|r| {
                    let why = r.detail.filter(|_| r.channel.is_none());
                    format!("{:?} {}", r.channel, why.unwrap_or_else(|| r.reason.word().to_owned()))
                })
                .collect();
            let by = seen.instance.ended().and_then(|ended| match ended.reached_by {
                Some(spine::machine::ReachedBy::Channel(channel)) => Some(channel),
                _ => None,
            });
            let ended = format!("{} {by:?} {}", seen.instance.status(), reasons.join("; "));
            if !self.witnesses.iter().any(|(known, _)| *known == ended) {
                self.witnesses.push((ended, seen.witness()));
            }
        }
        Go::On(0)
    }
}

const SMALL: Taste = Taste { all_of: true, windows: false, replies: false, guards: true };
const WINDOWS: Taste = Taste { all_of: true, windows: true, replies: false, guards: true };

proptest! {
    #![proptest_config(config(24))]

    #[test]
    fn what_a_walk_finds_happens_under_its_witness(policy in policy(WINDOWS)) {
        let machine = machine(&policy);
        let catalog = catalog();
        let space = FactSpace::of(&machine, &catalog);
        let mut ends = Ends { machine: &machine, witnesses: Vec::new() };
        let care = Care { reasons: true, status: true, ..Care::default() };
        Walk::over(&machine, &catalog, &space).caring(care).states_max(1_500).run(&mut ends);
        for (end, witness) in &ends.witnesses {
            let timeline = witness.timeline(&machine, &catalog);
            prop_assert_eq!(&ended(&timeline), end, "{:?}", witness);
            // And under the command's own words.
            let facts = GivenFacts::parse(&witness.facts.to_string()).unwrap();
            prop_assert_eq!(&facts, &witness.facts);
            prop_assert!(Scripts::parse(&witness.script()).is_ok(), "{}", witness.script());
        }
    }

    #[test]
    fn no_script_of_plain_answers_ends_as_no_walk_does(
        policy in policy(SMALL),
        script in script(),
        given in facts(),
    ) {
        let machine = machine(&policy);
        let facts = GivenFacts::parse(&given).unwrap();
        let scenario = Scenario::given(&machine, &facts, catalog(), noon());
        // A receipt that comes at an instant of its own is not before or after any clock alone.
        let timeline = simulate(&scenario, &Scripts::parse(&script).unwrap());
        let space = FactSpace::fixed(noon());
        let care = Care { reasons: true, status: true, ..Care::default() };
        let mut ends = Ends { machine: &machine, witnesses: Vec::new() };
        let walked = Walk::of_scenario(&scenario, &space).caring(care).states_max(6_000).run(&mut ends);
        if walked.complete {
            prop_assert!(
                ends.witnesses.iter().any(|(end, _)| *end == ended(&timeline)),
                "{} is missed among {:#?}", ended(&timeline), ends.witnesses
            );
        }
    }
}

/// The ends of a policy over every choice of facts, each as `simulate` shows it.
fn all_over_choices(machine: &Machine) -> BTreeSet<String> {
    let catalog = catalog();
    let space = FactSpace::of(machine, &catalog);
    let (choices, whole) = space.choices(5_000);
    assert!(whole, "{:?}", space.gaps());
    let mut all = BTreeSet::new();
    for (facts, at) in choices {
        let scenario = Scenario::given(machine, &facts, catalog.clone(), at);
        for ending in all_endings(&scenario).endings {
            let reasons: Vec<_> =
                ending.end.reasons.iter().map(|r| format!("{:?} {}", r.channel, r.reason)).collect();
            all.insert(format!("{} {:?} {}", ending.end.status, ending.end.reached_by, reasons.join("; ")));
        }
    }
    all
}

#[test]
fn an_ending_is_found_also_where_a_later_attempt_is_heard_of_first() {
    for (text, end) in [
        ("whatsapp then sms after 30s", "delivered by whatsapp: sms failed"),
        ("push until read then email after 5m", "delivered by push: email failed"),
        ("any of (push, sms)", "delivered by push: sms failed"),
        ("sms on doubt move on then email after 1m", "delivered by sms: email failed"),
    ] {
        let machine = machine(text);
        let scenario = Scenario::given(&machine, &GivenFacts::default(), Catalog::default(), noon());
        let all = all_endings(&scenario);
        assert!(all.complete, "{text}");
        let told = |end: &spine::machine::End| {
            let reasons: Vec<_> = end
                .reasons
                .iter()
                .map(|r| format!("{} {}", r.channel.map_or("-", Channel::word), r.reason))
                .collect();
            let by = end.reached_by.map_or("nobody", Channel::word);
            format!("{} by {by}: {}", end.status, reasons.join(", "))
        };
        let found = all.endings.iter().find(|ending| told(&ending.end) == end);
        let found = found.unwrap_or_else(|| panic!("{text}: {end} is missed"));
        // Its script does what it says.
        let script = found.script.iter().map(|(key, text)| format!("{key}: {text}")).collect::<Vec<_>>();
        let timeline = simulate(&scenario, &Scripts::parse(&script.join("; ")).unwrap());
        assert_eq!(timeline.end, found.end, "{text}");
    }
}

#[test]
fn deciding_facts_when_they_are_asked_finds_what_deciding_them_before_does() {
    for text in [
        "sms via a unless quota",
        "sms via a if vars.x > 1 then push via b unless contact has sms",
        "push via a if priority >= high then sms via a unless opted_out",
        "policy p { vars { kind: string, n: number optional }\n sms via a if vars.kind in [\"a\", \"b\"] and vars.n < 3 }",
        "sms via a or b unless tripped",
    ] {
        let machine = machine(text);
        let catalog = catalog();
        let space = FactSpace::of(&machine, &catalog);
        let care = Care { reasons: true, status: true, ..Care::default() };
        let mut ends = Ends { machine: &machine, witnesses: Vec::new() };
        let walked = Walk::over(&machine, &catalog, &space).caring(care).run(&mut ends);
        assert!(walked.complete, "{text}");
        let lazily: BTreeSet<String> = ends.witnesses.into_iter().map(|(end, _)| end).collect();
        assert_eq!(lazily, all_over_choices(&machine), "{text}");
    }
}

#[test]
fn facts_have_a_value_on_each_side_of_everything_that_they_are_compared_with() {
    let text = "policy p { category billing\n vars { n: number, s: string optional, l: list, d: duration }\n\
                sms if vars.n >= 100 or vars.n < 5 unless vars.s is \"x\" or vars.l has \"k\" or vars.d > 4h \
                then email if priority is urgent and contact.country in [\"AT\", \"DE\"] }";
    let machine = machine(text);
    let space = FactSpace::of(&machine, &spine::machine::catalog::Catalog::default());
    let told: Vec<String> = space
        .questions()
        .iter()
        .map(|question| {
            let choices = (0..question.choices.len()).map(|choice| {
                let mut all = vec![0; space.questions().len()];
                for (other, chosen) in space.questions().iter().zip(&mut all) {
                    // What must be given is left out of the text by a place that is none.
                    *chosen = if other.name == question.name { choice } else { usize::MAX };
                }
                space.facts(&all).to_string()
            });
            choices.collect::<Vec<_>>().join(" | ")
        })
        .collect();
    assert_eq!(
        told,
        [
            "vars.n=100 | vars.n=99 | vars.n=4",
            " | vars.s=x | vars.s=other",
            "vars.l=[] | vars.l=[k]",
            "vars.d=4h | vars.d=4h1ms",
            " | priority=urgent",
            " | contact.country=AT | contact.country=other",
            " | contact.has.sms=false",
            " | contact.has.email=false",
            " | opted_out.sms=true",
            " | opted_out.email=true",
            " | quota.sms=used",
            " | quota.email=used",
            " | breaker.sms=open",
            " | breaker.email=open",
        ]
    );
    assert!(space.gaps().is_empty());
    assert_eq!(space.instants(), [Witness::ORDINARY_AT]);
}

#[test]
fn windows_bring_instants_on_both_sides_of_their_edges() {
    let machine = machine("sms then email after 1h between 09:00 and 18:00 in UTC");
    let space = FactSpace::of(&machine, &spine::machine::catalog::Catalog::default());
    let at = |text: &str| text.parse::<Instant>().unwrap();
    for text in
        ["2026-01-05T12:00:00Z", "2026-01-05T18:00:00Z", "2026-01-05T17:59:00Z", "2026-01-05T17:00:00Z"]
    {
        assert!(space.instants().contains(&at(text)), "{text} is not in {:?}", space.instants());
    }
}
