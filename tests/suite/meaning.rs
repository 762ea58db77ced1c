//! What a policy means: each case is a policy, what is known of the world, and a script, with the
//! timeline that follows.

use std::fmt::Write as _;

use spine::language::facts_text::GivenFacts;
use spine::language::script::Scripts;
use spine::language::{NoLibrary, compile};
use spine::machine::catalog::{Catalog, CatalogProvider};
use spine::machine::{Bounds, Machine, Scenario, Timeline, all_endings, bounds, simulate};
use spine::model::{Instant, Span};

use crate::cases::check_folder;

/// A case's input: lines of `key: value`, then `---`, then the policy.
struct Case {
    machine: Machine,
    facts: GivenFacts,
    scripts: Scripts,
    catalog: Catalog,
    at: Instant,
}

impl Case {
    fn read(input: &str) -> Case {
        let (head, policy) = input.split_once("---\n").unwrap_or(("", input));
        let mut case = Case {
            machine: machine(policy),
            facts: GivenFacts::default(),
            scripts: Scripts::default(),
            catalog: Catalog::default(),
            at: "2026-01-05T12:00:00Z".parse().unwrap(),
        };
        for line in head.lines() {
            let (key, value) = line.split_once(": ").unwrap();
            match key {
                "facts" => case.facts = GivenFacts::parse(value).unwrap(),
                "script" => case.scripts = Scripts::parse(value).unwrap(),
                "at" => case.at = value.parse().unwrap(),
                // `NAME CHANNEL PRICE [CONFIRMATION…]`, one a line.
                "provider" => {
                    let mut words = value.split(' ');
                    let name = words.next().unwrap().to_owned();
                    let channel = words.next().unwrap().parse().unwrap();
                    let price = format!("{} EUR", words.next().unwrap()).parse().unwrap();
                    let confirms: Vec<_> = words.map(|word| word.parse().unwrap()).collect();
                    let mut provider = CatalogProvider { name, ..CatalogProvider::default() };
                    provider.channels.insert(channel);
                    provider.prices.insert(channel, price);
                    provider.confirms.insert(channel, confirms);
                    case.catalog.providers.get_or_insert_default().push(provider);
                }
                // `NAME CHANNEL SPAN`, of a provider above.
                "horizon" => {
                    let words: Vec<_> = value.split(' ').collect();
                    let channel = words[1].parse().unwrap();
                    let mut known = case.catalog.providers.iter_mut().flatten();
                    let provider = known.find(|provider| provider.name == words[0]).unwrap();
                    provider.horizon.insert(channel, words[2].parse().unwrap());
                }
                "zone" => case.catalog.zone = Some(value.to_owned()),
                other => panic!("a case has no `{other}`"),
            }
        }
        case
    }

    fn scenario(&self) -> Scenario<'_> {
        Scenario::given(&self.machine, &self.facts, self.catalog.clone(), self.at)
    }
}

/// Compiles the last policy of a text; what has a fault fails the test.
pub(crate) fn machine(policy: &str) -> Machine {
    let compiled = compile(policy, Some("test"), &NoLibrary);
    assert!(compiled.is_clean(), "{policy}: {:?}", compiled.diagnostics);
    spine::machine::compile(compiled.policies.last().unwrap())
}

fn shown(timeline: &Timeline) -> String {
    let mut out = String::new();
    for entry in &timeline.timeline {
        write!(out, "{}: {} {}", Span::from_ms(entry.at_ms), entry.what, entry.channel).unwrap();
        if let Some(provider) = entry.provider.as_ref().filter(|p| *p != entry.channel.word()) {
            write!(out, " via {provider}").unwrap();
        }
        if let Some(reason) = &entry.reason {
            write!(out, " ({reason})").unwrap();
        }
        out.push('\n');
    }
    let end = &timeline.end;
    write!(out, "{}: end {}", Span::from_ms(end.at_ms), end.status).unwrap();
    if let Some(by) = end.reached_by {
        write!(out, " by {by}").unwrap();
    }
    for reason in &end.reasons {
        write!(out, "; {}", reason.channel.map_or("why".to_owned(), |c| c.to_string())).unwrap();
        write!(out, " {}", reason.reason).unwrap();
    }
    writeln!(out, "; sends {}", timeline.sends).unwrap();
    if let Some(cost) = timeline.cost {
        writeln!(out, "cost {cost}").unwrap();
    }
    out
}

fn measured(bounds: Bounds) -> String {
    let duration = bounds.duration_max_ms.map_or("none".to_owned(), |ms| Span::from_ms(ms).to_string());
    let cost = bounds.cost_max.map_or("none".to_owned(), |cost| cost.to_string());
    format!("sends {}, duration {duration}, cost {cost}\n", bounds.sends_max)
}

#[test]
fn policies_mean_what_the_cases_say() {
    check_folder("meaning", |kind, input| {
        let case = Case::read(input);
        match kind {
            "run" => shown(&simulate(&case.scenario(), &case.scripts)),
            "bounds" => measured(bounds(&case.machine, &case.catalog)),
            "endings" => {
                let all = all_endings(&case.scenario());
                let mut out = String::new();
                for ending in &all.endings {
                    // The script given with an ending gives that ending.
                    let scripts = ending.script.iter().map(|(key, script)| format!("{key}: {script}"));
                    let scripts = Scripts::parse(&scripts.collect::<Vec<_>>().join("; ")).unwrap();
                    let again = simulate(&case.scenario(), &scripts);
                    assert_eq!((&again.end, again.sends), (&ending.end, ending.sends), "{:?}", ending.script);
                    let end = &ending.end;
                    let by = end.reached_by.map_or(String::new(), |by| format!(" by {by}"));
                    let reasons: String = end.reasons.iter().map(|r| format!("; {}", r.reason)).collect();
                    writeln!(out, "{}{by}{reasons}", end.status).unwrap();
                }
                writeln!(out, "complete: {}", all.complete).unwrap();
                out
            }
            other => panic!("a case has no `{other}`"),
        }
    });
}
