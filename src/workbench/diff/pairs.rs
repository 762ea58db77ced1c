//! Which old policy became which new one: by name, else by how alike the machines are.

use std::collections::BTreeMap;

use crate::machine::{Machine, draw};

/// What two machines must share, in hundredths, to be taken for one policy under two names.
const ALIKE_MIN: usize = 60;

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
    let mut likely: Vec<(usize, usize, usize)> = Vec::new();
    for (from, before) in old.iter().enumerate().filter(|(at, _)| pairs.iter().all(|(from, _)| from != at)) {
        for (to, after) in new.iter().enumerate().filter(|(at, _)| pairs.iter().all(|(_, to)| to != at)) {
            likely.push((alike(before, after), from, to));
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

/// How much of two machines is the same, in hundredths.
fn alike(old: &Machine, new: &Machine) -> usize {
    if old.decides_as(new) {
        return 100;
    }
    let parts = |machine: &Machine| {
        let drawing = draw(machine);
        let mut parts: BTreeMap<String, usize> = BTreeMap::new();
        let label = |id: &str| {
            drawing.nodes.iter().find(|node| node.id == id).map(|node| node.label.clone()).unwrap_or_default()
        };
        let nodes = drawing.nodes.iter().map(|node| node.label.clone());
        let edges = drawing.edges.iter();
        let edges = edges.map(|e| format!("{} {} {}", label(&e.from), e.label, label(&e.to)));
        for part in nodes.chain(edges) {
            *parts.entry(part).or_default() += 1;
        }
        // Every policy has these.
        for common in ["start", "reached", "not reached"] {
            parts.remove(common);
        }
        parts
    };
    let (a, b) = (parts(old), parts(new));
    let shared: usize = a.iter().map(|(part, n)| (*n).min(b.get(part).copied().unwrap_or_default())).sum();
    let all = a.values().sum::<usize>().max(b.values().sum::<usize>());
    shared * 100 / all.max(1)
}
