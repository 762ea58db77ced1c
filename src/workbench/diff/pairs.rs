//! Which old policy became which new one: by name, else by how alike the machines are.

use std::collections::BTreeMap;

use crate::machine::{Machine, draw};

/// What two machines must share, in hundredths, to be taken for one policy under two names.
const ALIKE_MIN: usize = 60;
/// Pairs of unknown names that are looked at.
const LIKELY_MAX: usize = 250_000;

/// Pairs of places, of the old ones and of the new ones.
pub(super) fn matched(old: &[Machine], new: &[Machine]) -> Vec<(usize, usize)> {
    // One against one is what was asked for, however little they have in common.
    if old.len() == 1 && new.len() == 1 {
        return vec![(0, 0)];
    }
    let mut pairs = Vec::new();
    for (to, machine) in new.iter().enumerate() {
        if let Some(from) = old.iter().position(|before| before.name() == machine.name()) {
            pairs.push((from, to));
        }
    }
    let free = |machines: &[Machine], taken: &dyn Fn(usize) -> bool| -> Vec<(usize, Parts)> {
        let places = machines.iter().enumerate().filter(|(place, _)| !taken(*place));
        places.map(|(place, machine)| (place, parts(machine))).collect()
    };
    let gone = free(old, &|place| pairs.iter().any(|(from, _)| *from == place));
    let fresh = free(new, &|place| pairs.iter().any(|(_, to)| *to == place));
    let mut likely: Vec<(usize, usize, usize)> = Vec::new();
    // Who renames that many at once is told of each that one goes and another comes.
    if gone.len() * fresh.len() <= LIKELY_MAX {
        for (from, before) in &gone {
            likely.extend(fresh.iter().map(|(to, after)| (alike(before, after), *from, *to)));
        }
    }
    likely.retain(|(alike, ..)| *alike >= ALIKE_MIN);
    likely.sort_by_key(|(alike, from, to)| (std::cmp::Reverse(*alike), *from, *to));
    for (_, from, to) in likely {
        if pairs.iter().all(|(a, b)| *a != from && *b != to) {
            pairs.push((from, to));
        }
    }
    pairs
}

/// What a machine is made of, each part as often as it occurs.
type Parts = BTreeMap<String, usize>;

fn parts(machine: &Machine) -> Parts {
    let drawing = draw(machine);
    let labels: BTreeMap<&str, &str> =
        drawing.nodes.iter().map(|node| (node.id.as_str(), node.label.as_str())).collect();
    let label = |id: &str| labels.get(id).copied().unwrap_or_default();
    let nodes = drawing.nodes.iter().map(|node| node.label.clone());
    let edges = drawing.edges.iter();
    let edges = edges.map(|e| format!("{} {} {}", label(&e.from), e.label, label(&e.to)));
    let mut parts = Parts::new();
    for part in nodes.chain(edges) {
        *parts.entry(part).or_default() += 1;
    }
    // Every policy has these.
    for common in ["start", "reached", "not reached"] {
        parts.remove(common);
    }
    parts
}

/// How much of two machines is the same, in hundredths.
fn alike(old: &Parts, new: &Parts) -> usize {
    let shared: usize =
        old.iter().map(|(part, n)| (*n).min(new.get(part).copied().unwrap_or_default())).sum();
    let all = old.values().sum::<usize>().max(new.values().sum::<usize>());
    shared * 100 / all.max(1)
}
