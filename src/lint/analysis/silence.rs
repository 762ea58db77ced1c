//! The silent runs of a policy: every provider takes what it is given, and nothing is ever heard of it.
//!
//! Addresses, consents, quotas and breakers are as they should be, but where a guard asks for them; whatever else
//! guards ask for can be anything.

use std::collections::BTreeMap;

use crate::language::Counterexample;
use crate::machine::catalog::Catalog;
use crate::machine::explore::{FactSpace, Go, Seen, Visitor, Walk};
use crate::machine::{Machine, Moved, Was, What};
use crate::model::{Outcome, Reason};

use super::run::shown;

/// States that are looked at.
const STATES_MAX: usize = 4_000;

/// What the silent runs come to.
#[derive(Debug, Default)]
pub(in crate::lint) struct Silence {
    /// The stages that are tried in one of them, each with the most sends before it.
    tried: BTreeMap<usize, u32>,
    /// The stages that find the limit used up in one of them.
    cut: BTreeMap<usize, Cut>,
    /// Whether these are all silent runs.
    is_whole: bool,
}

/// A stage that found the limit used up.
#[derive(Debug, Clone)]
pub(in crate::lint) struct Cut {
    /// How much was sent before.
    pub(in crate::lint) sends: u32,
    /// A shortest run to it.
    pub(in crate::lint) run: Counterexample,
}

impl Silence {
    /// The silent runs of a machine.
    pub(in crate::lint) fn of(machine: &Machine, catalog: &Catalog) -> Silence {
        let space = FactSpace::of_guards(machine, catalog);
        let mut look = Look { machine, catalog, silence: Silence::default() };
        let walked = Walk::over(machine, catalog, &space).states_max(STATES_MAX).run(&mut look);
        Silence { is_whole: walked.complete, ..look.silence }
    }

    /// The most that is sent before a stage is tried; none where it never is.
    pub(in crate::lint) fn sends_before(&self, id: usize) -> Option<u32> {
        self.tried.get(&id).copied()
    }

    /// Where a stage finds the limit used up whenever it has its turn.
    pub(in crate::lint) fn always_cut(&self, id: usize) -> Option<&Cut> {
        self.cut.get(&id).filter(|_| self.is_whole && !self.tried.contains_key(&id))
    }
}

struct Look<'a> {
    machine: &'a Machine,
    catalog: &'a Catalog,
    silence: Silence,
}

impl Visitor for Look<'_> {
    // The mark counts the calls: of what is called in one instant nothing is answered yet.
    fn see(&mut self, seen: &Seen<'_>, mut calls: u64) -> Go {
        let is_silent = match seen.what {
            What::Accepted | What::Due | What::Ready { .. } => true,
            What::Answered { outcome, .. } => outcome == Outcome::Accepted,
            _ => false,
        };
        if !is_silent {
            return Go::Leave;
        }
        for transition in seen.transitions {
            let Moved::Stage { stage, .. } = transition.moved else { continue };
            let (id, sends) = (usize::from(stage.0), u32::try_from(calls).unwrap_or(u32::MAX));
            match (transition.event, transition.reason) {
                (Was::Called, _) => {
                    let most = self.silence.tried.entry(id).or_insert(sends);
                    *most = (*most).max(sends);
                    calls = calls.saturating_add(1);
                }
                (Was::Failed, Some(Reason::Limit)) if !self.silence.cut.contains_key(&id) => {
                    let witness = seen.witness();
                    let run = Counterexample {
                        facts: witness.facts.to_string(),
                        at: witness.at.to_string(),
                        script: witness.script(),
                        timeline: shown(&witness.timeline(self.machine, self.catalog)),
                        ..Counterexample::default()
                    };
                    self.silence.cut.insert(id, Cut { sends, run });
                }
                _ => {}
            }
        }
        Go::On(calls)
    }
}
