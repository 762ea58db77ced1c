//! Cases for what no case comes by: the shortest scripts that do.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::language::Policy;
use crate::language::facts_text::GivenFacts;
use crate::machine::catalog::Catalog;
use crate::machine::explore::{Part, Parts};
use crate::machine::{Machine, Scenario, Witness, simulate_watched};
use crate::model::{Channel, Span};

use super::coverage::{Reach, Told};
use super::places::stage_places;
use super::suite::NewCase;

/// The fewest cases, taken one after the other, that come by everything that `covered` lacks. `names`
/// are those that are taken.
#[must_use]
pub fn cases(
    policy: &Policy,
    machine: &Machine,
    catalog: &Catalog,
    covered: &BTreeSet<Part>,
    reach: &Reach,
    names: &[&str],
) -> Vec<NewCase> {
    let parts = Parts::of(machine);
    let places = stage_places(policy);
    let told = Told { policy, parts: &parts, places: &places };
    let missing: Vec<Part> = parts
        .all()
        .iter()
        .copied()
        .filter(|part| !covered.contains(part) && reach.ways.contains_key(part))
        .collect();
    let mut left: BTreeSet<Part> = missing.iter().copied().collect();
    let run = |witness: &Witness| {
        let scenario = Scenario::given(machine, &witness.facts, catalog.clone(), witness.at);
        let mut came_by = BTreeSet::new();
        let timeline = simulate_watched(&scenario, &witness.read(), &mut |before, after, is_quiet| {
            parts.came_by(before, after, is_quiet, &mut came_by);
        });
        (timeline, came_by)
    };
    // Each candidate with all that it comes by.
    let mut candidates = Vec::new();
    for part in missing {
        let Some(witness) = reach.ways.get(&part) else { continue };
        let (mut witness, (mut timeline, mut came_by)) = (witness.clone(), run(witness));
        while let Some((plainer, as_well)) = plainer(&witness).into_iter().find_map(|plainer| {
            let as_well = run(&plainer);
            came_by.intersection(&left).all(|part| as_well.1.contains(part)).then_some((plainer, as_well))
        }) {
            (witness, (timeline, came_by)) = (plainer, as_well);
        }
        candidates.push((part, witness, timeline, came_by));
    }
    let mut cases: Vec<NewCase> = Vec::new();
    while !left.is_empty() {
        // The one that comes by most; of equals the shortest, then the plainest.
        let best = candidates.iter().max_by_key(|(_, witness, _, came_by)| {
            let taken = taken_away(witness).len();
            (came_by.intersection(&left).count(), Reverse(witness.length()), Reverse(taken))
        });
        let Some((part, witness, timeline, came_by)) = best else { break };
        let new: Vec<Part> = came_by.intersection(&left).copied().collect();
        if new.is_empty() {
            break;
        }
        let named = if new.contains(part) { *part } else { new[0] };
        let name = free(&told.named(named), names, &cases);
        cases.push(NewCase { name, witness: witness.clone(), timeline: timeline.clone() });
        for part in new {
            left.remove(&part);
        }
    }
    cases
}

/// The channels whose address, consent or quota the facts take away.
fn taken_away(witness: &Witness) -> BTreeSet<Channel> {
    let GivenFacts { has_address, opted_out, quota_used, .. } = &witness.facts;
    has_address.keys().chain(opted_out).chain(quota_used).copied().collect()
}

/// The same with one thing said more plainly: a refusal instead of what the facts take away, or a time
/// of whole seconds. Each is no longer than it was.
fn plainer(witness: &Witness) -> Vec<Witness> {
    let mut all = Vec::new();
    for channel in taken_away(witness).iter().filter(|c| !witness.scripts.contains_key(c.word())) {
        let mut plainer = witness.clone();
        plainer.facts.has_address.remove(channel);
        plainer.facts.opted_out.remove(channel);
        plainer.facts.quota_used.remove(channel);
        plainer.scripts.insert(channel.word().to_owned(), "recipient fault".to_owned());
        all.push(plainer);
    }
    for (key, script) in &witness.scripts {
        for word in script.split([' ', ',']) {
            let Some(ms) = word.parse::<Span>().ok().map(Span::ms).filter(|ms| ms % 1_000 != 0) else {
                continue;
            };
            let seconds = [1, ms / 1_000, ms / 1_000 + 1].into_iter().filter(|seconds| *seconds > 0);
            all.extend(seconds.map(|seconds| {
                let mut plainer = witness.clone();
                let round = script.replacen(word, &Span::from_s(seconds).to_string(), 1);
                plainer.scripts.insert(key.clone(), round);
                plainer
            }));
        }
    }
    all
}

/// The name, with a number where it is taken.
fn free(name: &str, names: &[&str], cases: &[NewCase]) -> String {
    let is_taken = |name: &str| names.contains(&name) || cases.iter().any(|case| case.name == name);
    if !is_taken(name) {
        return name.to_owned();
    }
    let numbered = (2_usize..).map(|number| format!("{name} ({number})"));
    numbered.into_iter().find(|name| !is_taken(name)).unwrap_or_else(|| name.to_owned())
}
