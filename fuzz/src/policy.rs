//! The text of a policy: read, checked, compiled, drawn, measured, and run under scripts.
//!
//! An input is lines of `facts: …`, `script: …` and `at: …`, then `---`, then the policy, as the
//! cases of `tests/cases/meaning` are; or the policy alone.

use spine::language::facts_text::GivenFacts;
use spine::language::script::{LaterWhat, Scripts};
use spine::language::{Compiled, NoLibrary, Policy, Severity, Used, compile, compile_version, limits, parse};
use spine::lint::report::{Report, Style, human};
use spine::lint::{FileFindings, SourceFile, check_one};
use spine::machine::catalog::{Catalog, CatalogProvider, HORIZON};
use spine::machine::{Bounds, Machine, Scenario, Timeline, bounds, draw, simulate};
use spine::model::{Channel, Confirmation, Instant, Outcome, Span};

use super::told;

/// Attempts of what is run: with the largest counts that can be written, a policy makes ten thousand
/// a stage.
const ATTEMPTS_RUN_MAX: u64 = 20_000;

/// Does with a text what the tools and the server do, and looks at what comes of it.
pub fn look_at(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (head, source) = text.split_once("---\n").unwrap_or(("", text));
    let file = SourceFile { path: "p.policy".to_owned(), text: source.to_owned(), bare_name: None };
    let (compiled, found) = check_one(&file, &NoLibrary);
    told_well(source, &compiled, found);
    let world = World::read(head);
    for policy in &compiled.policies {
        let machine = spine::machine::compile(policy);
        let _ = draw(&machine);
        for catalog in [Catalog::default(), two_providers()] {
            let most = bounds(&machine, &catalog);
            assert!(most.duration_max_ms.is_none_or(|ms| ms >= 0), "{most:?}");
            if attempts(policy) <= ATTEMPTS_RUN_MAX {
                world.run(&machine, catalog, most);
            }
        }
        published(source, policy);
    }
}

fn told_well(source: &str, compiled: &Compiled, found: FileFindings) {
    for finding in &found.findings {
        told::well(source, finding);
    }
    assert!(compiled.diagnostics.len() <= limits::FINDINGS_MAX);
    assert!(compiled.policies.len() <= compiled.found);
    let clean = !found.has_errors();
    assert_eq!(compiled.is_clean(), clean, "a rule of the linter is an error");
    assert!(!clean || compiled.policies.len() == compiled.found, "what is clean compiles");
    let names = parse(source);
    assert!(!clean || names.bare || names.names.len() == compiled.found, "{names:?}");
    let found = [found];
    let _ = serde_json::to_string(&Report::of(&found));
    let shown = human(&found, Style::Plain);
    let [found] = found;
    let tells = found.findings.iter().any(|finding| finding.severity == Severity::Error);
    assert!(!tells || !shown.is_empty());
}

/// What was published compiles for ever, and to the same.
fn published(source: &str, policy: &Policy) {
    let version = Used {
        name_at_version: format!("{}@1", policy.name),
        source: source.to_owned(),
        policy_name: policy.name.clone(),
        uses: policy.uses.clone(),
    };
    let again = compile_version(&version, &NoLibrary);
    // What is pinned to a version is looked for there, which here has none.
    if policy.uses.is_empty() {
        let same = again.policies.iter().find(|other| other.name == policy.name);
        assert_eq!(same, Some(policy), "{:?}", again.diagnostics);
    }
    let twice = compile(source, Some(&policy.name), &NoLibrary);
    assert!(twice.is_clean() || !again.is_clean());
}

/// How many attempts a policy can make, over all its stages.
fn attempts(policy: &Policy) -> u64 {
    use spine::language::policy::Action;
    fn of(strategy: &spine::language::policy::Strategy) -> u64 {
        strategy
            .stages
            .iter()
            .map(|stage| match &stage.action {
                Action::Channel(channel) => {
                    let repeats = 1 + channel.repeat.map_or(0, |repeat| u64::from(repeat.times));
                    repeats * (1 + u64::from(channel.retry.times))
                }
                Action::Group { members, .. } => members.iter().map(of).sum(),
                Action::Wait(_) => 1,
                Action::Use { strategy, .. } => of(strategy),
            })
            .sum()
    }
    of(&policy.strategy)
}

/// Two providers for every channel, of different prices.
fn two_providers() -> Catalog {
    let provider = |name: &str, price: &str| CatalogProvider {
        name: name.to_owned(),
        channels: Channel::ALL.iter().copied().collect(),
        prices: Channel::ALL.iter().filter_map(|c| Some((*c, price.parse().ok()?))).collect(),
        ..CatalogProvider::default()
    };
    let providers = vec![provider("a", "0.05 EUR"), provider("b", "0.07 EUR")];
    Catalog { providers: Some(providers), ..Catalog::default() }
}

/// What the lines before the policy say. What cannot be read is taken as not said.
struct World {
    facts: GivenFacts,
    scripts: Scripts,
    at: Instant,
}

impl World {
    fn read(head: &str) -> World {
        let mut world = World {
            facts: GivenFacts::default(),
            scripts: Scripts::default(),
            at: Instant::from_ms(1_767_614_400_000),
        };
        for (key, value) in head.lines().filter_map(|line| line.split_once(": ")) {
            match key {
                "facts" => world.facts = GivenFacts::parse(value).unwrap_or_default(),
                "script" => world.scripts = Scripts::parse(value).unwrap_or_default(),
                "at" => world.at = value.parse().unwrap_or(world.at),
                _ => {}
            }
        }
        world
    }

    /// It comes to an end, within its bounds where the scripts are of those that the bounds cover.
    fn run(&self, machine: &Machine, catalog: Catalog, most: Bounds) {
        let priced = catalog.currency().is_some();
        let scenario = Scenario::given(machine, &self.facts, catalog, self.at);
        let run = simulate(&scenario, &self.scripts);
        assert!(run.timeline.iter().all(|entry| entry.at_ms >= 0), "{run:?}");
        assert!(run.timeline.is_sorted_by_key(|entry| entry.at_ms), "{run:?}");
        if let Some(sends) = machine.headers().limit_sends {
            assert!(run.sends <= sends, "{run:?}");
        }
        if let Some(expires) = machine.headers().expires {
            assert!(run.end.at_ms <= expires.ms(), "{run:?}");
        }
        assert_eq!(run.cost.is_some(), priced);
        if covered(&self.scripts) {
            within(&run, most);
        }
    }
}

/// Bounds cover answers that take no time, providers that ask for no pause, and receipts within the
/// horizon.
fn covered(scripts: &Scripts) -> bool {
    scripts.iter().all(|(_, script)| {
        (0..64).map(|n| script.attempt(n)).all(|step| {
            step.answer_after == Span::ZERO
                && step.outcome != Outcome::RateLimited
                && step.then.iter().all(|later| {
                    later.after < HORIZON
                        && !matches!(later.what, LaterWhat::Confirmed(Confirmation::Accepted, _))
                })
        })
    })
}

fn within(run: &Timeline, most: Bounds) {
    assert!(run.sends <= most.sends_max, "{most:?} {run:?}");
    if let (Some(cost), Some(cost_max)) = (run.cost, most.cost_max) {
        assert!(cost.micros <= cost_max.micros, "{most:?} {run:?}");
    }
    let last = run.timeline.iter().filter(|entry| entry.what == "send").map(|entry| entry.at_ms).max();
    if let (Some(last), Some(latest)) = (last, most.duration_max_ms) {
        assert!(last <= latest, "{most:?} {run:?}");
    }
}
