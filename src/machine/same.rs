//! Whether two machines decide the same, whatever their texts look like.

use crate::language::condition::Word;
use crate::language::policy::{Quiet, Wait};
use crate::model::{Window, Zone};

use super::plan::{Guard, Kind, Machine, Stage, StageId, Tree};

impl Machine {
    /// Whether both decide the same in every case, seen from their tables alone: names of policies,
    /// texts of guards, category, declared vars and the `why` of `otherwise fail` apart. Two machines
    /// that are not the same by their tables may still never differ.
    #[must_use]
    pub fn decides_as(&self, other: &Machine) -> bool {
        let (ours, theirs) = (&self.headers, &other.headers);
        let guards = |a: &Option<Guard>, b: &Option<Guard>| same_guard(self, a.as_ref(), other, b.as_ref());
        let stage = |(a, b): (&Stage, &Stage)| {
            a.strategy == b.strategy
                && a.place == b.place
                && same_kind(&a.kind, &b.kind)
                && a.after == b.after
                && a.between == b.between
                && guards(&a.only_if, &b.only_if)
                && guards(&a.unless, &b.unless)
        };
        let window = |quiet: &Option<Quiet>| quiet.as_ref().map(|quiet| quiet.window.clone());
        ours.expires == theirs.expires
            && ours.limit_sends == theirs.limit_sends
            && ours.limit_cost == theirs.limit_cost
            && window(&ours.quiet) == window(&theirs.quiet)
            && guards(&self.quiet_unless, &other.quiet_unless)
            && self.otherwise.is_some() == other.otherwise.is_some()
            && self.stages.len() == other.stages.len()
            && self.strategies.len() == other.strategies.len()
            && self.strategies.iter().zip(&other.strategies).all(|(a, b)| a.stages == b.stages)
            && self.stages.iter().zip(&other.stages).all(stage)
    }

    /// The window that a stage is held for, its own `between`.
    #[must_use]
    pub fn between(&self, id: StageId) -> Option<&Window> {
        self.stage(id).between.as_ref()
    }

    /// By whose clock a `wait until` waits.
    #[must_use]
    pub fn waits_in(&self, id: StageId) -> Option<&Zone> {
        match &self.stage(id).kind {
            Kind::Wait(Wait::Until { zone, .. }) => Some(zone),
            Kind::Wait(Wait::For(_)) | Kind::Channel(_) | Kind::Group { .. } => None,
        }
    }

    /// The words that stand in the guards, each as often as it does.
    pub fn guard_words(&self) -> impl Iterator<Item = Word> {
        let stages = self.stages.iter().flat_map(|stage| [&stage.only_if, &stage.unless]);
        let guards = std::iter::once(&self.quiet_unless).chain(stages).flatten();
        let mut words = Vec::new();
        guards.for_each(|guard| collect_words(&guard.tree, &mut words));
        words.into_iter()
    }

    /// The texts of the guards, in the order of the policy's text.
    pub fn guard_texts(&self) -> impl Iterator<Item = &str> {
        let stages = self.stages.iter().flat_map(|stage| [&stage.only_if, &stage.unless]);
        std::iter::once(&self.quiet_unless).chain(stages).flatten().map(|guard| guard.text.as_str())
    }
}

/// A `use` does what stands in it, whatever its name.
fn same_kind(a: &Kind, b: &Kind) -> bool {
    match (a, b) {
        (Kind::Channel(a), Kind::Channel(b)) => a == b,
        (Kind::Wait(a), Kind::Wait(b)) => a == b,
        (Kind::Group { kind, members, .. }, Kind::Group { kind: other, members: others, .. }) => {
            kind == other && members == others
        }
        _ => false,
    }
}

fn same_guard(ours: &Machine, a: Option<&Guard>, theirs: &Machine, b: Option<&Guard>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => same_tree(ours, &a.tree, theirs, &b.tree) && a.reason() == b.reason(),
        _ => false,
    }
}

fn same_tree(ours: &Machine, a: &Tree, theirs: &Machine, b: &Tree) -> bool {
    let all = |a: &[Tree], b: &[Tree]| {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_tree(ours, a, theirs, b))
    };
    match (a, b) {
        (Tree::And(a), Tree::And(b)) | (Tree::Or(a), Tree::Or(b)) => all(a, b),
        (Tree::Not(a), Tree::Not(b)) => same_tree(ours, a, theirs, b),
        (Tree::Word(a), Tree::Word(b)) => a == b,
        (Tree::HasAddress(a), Tree::HasAddress(b)) => a == b,
        (Tree::Compare(a), Tree::Compare(b)) => match (ours.comparison(*a), theirs.comparison(*b)) {
            (Some(a), Some(b)) => a.left == b.left && a.op == b.op && a.right == b.right,
            _ => false,
        },
        _ => false,
    }
}

fn collect_words(tree: &Tree, words: &mut Vec<Word>) {
    match tree {
        Tree::And(parts) | Tree::Or(parts) => parts.iter().for_each(|part| collect_words(part, words)),
        Tree::Not(part) => collect_words(part, words),
        Tree::Word(word) => words.push(*word),
        Tree::HasAddress(_) | Tree::Compare(_) => {}
    }
}
