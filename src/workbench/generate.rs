//! Cases for what no case comes by: the shortest scripts that do.

use std::collections::BTreeSet;

use crate::language::Policy;
use crate::machine::catalog::Catalog;
use crate::machine::explore::{Part, Parts};
use crate::machine::{Machine, Scenario, simulate_watched};

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
    // Each candidate with all that it comes by.
    let mut candidates = Vec::new();
    for part in &missing {
        let Some(witness) = reach.ways.get(part) else { continue };
        let scenario = Scenario::given(machine, &witness.facts, catalog.clone(), witness.at);
        let mut came_by = BTreeSet::new();
        let timeline = simulate_watched(&scenario, &witness.read(), &mut |before, after| {
            parts.came_by(before, after, &mut came_by);
        });
        candidates.push((*part, witness, timeline, came_by));
    }
    let mut left: BTreeSet<Part> = missing.into_iter().collect();
    let mut cases: Vec<NewCase> = Vec::new();
    while !left.is_empty() {
        // The one that comes by most; of equals the shortest.
        let best = candidates.iter().max_by_key(|(_, witness, _, came_by)| {
            (came_by.intersection(&left).count(), std::cmp::Reverse(witness.length()))
        });
        let Some((part, witness, timeline, came_by)) = best else { break };
        let new: Vec<Part> = came_by.intersection(&left).copied().collect();
        if new.is_empty() {
            break;
        }
        let named = if new.contains(part) { *part } else { new[0] };
        let name = free(&told.named(named), names, &cases);
        cases.push(NewCase { name, witness: (*witness).clone(), timeline: timeline.clone() });
        for part in new {
            left.remove(&part);
        }
    }
    cases
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
