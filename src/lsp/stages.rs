//! Which stage of the compiled policy a place in a document is, and when it can start.

use std::ops::Range;
use std::rc::Rc;

use super::world::{Checked, Document, World};
use crate::language::Policy;
use crate::language::policy::{Action, Stage, Strategy};
use crate::machine::catalog::Catalog;
use crate::machine::{self, Machine, StageId, Start};

/// A policy of a document that compiles, with its machine.
pub(super) struct Compiled {
    pub(super) checked: Rc<Checked>,
    place: usize,
    pub(super) machine: Machine,
}

/// The compiled policies of a document.
pub(super) fn compiled(world: &World<'_>, document: &Document) -> Vec<Compiled> {
    let checked = world.checked(document);
    let machine = |place: usize| Some(machine::compile(checked.compiled.policies.get(place)?));
    let places = 0..checked.compiled.policies.len();
    places
        .filter_map(|place| Some(Compiled { checked: Rc::clone(&checked), place, machine: machine(place)? }))
        .collect()
}

/// A stage of the document's own text.
pub(super) struct Placed<'a> {
    pub(super) id: StageId,
    pub(super) at: Range<usize>,
    pub(super) stage: &'a Stage,
}

impl Compiled {
    /// The checked policy.
    pub(super) fn policy(&self) -> Option<&Policy> {
        self.checked.compiled.policies.get(self.place)
    }

    /// Its stages in the order of the text, without those of the policies that it uses.
    pub(super) fn stages(&self) -> Vec<Placed<'_>> {
        let mut out = Vec::new();
        if let Some(policy) = self.policy() {
            walk(&policy.strategy, &mut 0, true, &mut out);
        }
        out
    }

    /// When each stage can start, in the order of the text.
    pub(super) fn starts(&self, catalog: &Catalog) -> Vec<Start> {
        machine::starts(&self.machine, catalog)
    }
}

/// Numbers stages as the machine does; those inside a `use` are not the document's `own`.
fn walk<'a>(strategy: &'a Strategy, next: &mut u16, own: bool, out: &mut Vec<Placed<'a>>) {
    for stage in &strategy.stages {
        let id = StageId(*next);
        *next = next.saturating_add(1);
        if own {
            out.push(Placed { id, at: stage.at.clone(), stage });
        }
        match &stage.action {
            Action::Channel(_) | Action::Wait(_) => {}
            Action::Group { members, .. } => {
                for member in members {
                    walk(member, next, own, out);
                }
            }
            Action::Use { strategy, .. } => walk(strategy, next, false, out),
        }
    }
}
