//! What of a machine is left to happen in a state.

use crate::language::condition::{Operand, Word};
use crate::machine::facts::{Counters, Truth};
use crate::machine::instance::{Activity, Instance, Phase, Sending};
use crate::machine::plan::{Guard, Machine, Stage, StageId, Tree};
use crate::model::{Channel, Span};

use super::open::{Assigned, OPEN, Places};

/// What a stage may still ask about.
pub(super) enum Asks {
    Nothing,
    Attempt,
    Start,
}

pub(super) fn asks(machine: &Machine, instance: &Instance, id: StageId) -> Asks {
    let run = &instance.stages[usize::from(id.0)];
    if instance.ended.is_some() || run.lost || run.reached || run.failed || run.dropped {
        return Asks::Nothing;
    }
    match run.phase {
        Phase::Over | Phase::Waiting(_) => Asks::Nothing,
        Phase::Held(_) => Asks::Start,
        Phase::Open if run.overtaken => Asks::Nothing,
        Phase::Open => match run.sending.as_deref() {
            // It waits for what it has sent, and sends nothing more.
            Some(sending) if sending.activity == Activity::None && !repeats(machine, id, sending) => {
                Asks::Nothing
            }
            _ => Asks::Attempt,
        },
        Phase::Idle => {
            let stage = machine.stage(id);
            let stopped = instance.strategies[usize::from(stage.strategy.0)].stopped;
            let around = machine.groups_of(id).all(|(group, _)| {
                let run = &instance.stages[usize::from(group.0)];
                !run.lost && !run.reached && !run.failed && !run.dropped && run.phase != Phase::Over
            });
            if stopped || !around { Asks::Nothing } else { Asks::Start }
        }
    }
}

/// Whether repetitions of a stage are left.
pub(super) fn repeats(machine: &Machine, id: StageId, sending: &Sending) -> bool {
    let repeat = machine.channel(id).and_then(|channel| channel.repeat);
    repeat.is_some_and(|repeat| sending.repeated < repeat.times)
}

/// Whether a stage of a channel may still send, as far as the facts that are decided say.
pub(super) fn may_send(
    machine: &Machine,
    instance: &Instance,
    places: &Places,
    assigned: &Assigned,
    channel: Option<Channel>,
) -> bool {
    let decided = Decided { machine, places, assigned };
    machine.channel_stages().any(|(id, stage)| {
        let is_it = channel.is_none_or(|channel| channel == stage.channel);
        is_it
            && match asks(machine, instance, id) {
                Asks::Nothing => false,
                Asks::Attempt => decided.is_otherwise(places.quota.get(&stage.channel)) != Some(true),
                Asks::Start => decided.may_start(instance, id, stage.channel),
            }
    })
}

/// What the facts that are decided by now say.
struct Decided<'a> {
    machine: &'a Machine,
    places: &'a Places,
    assigned: &'a Assigned,
}

impl Decided<'_> {
    fn may_start(&self, instance: &Instance, id: StageId, channel: Channel) -> bool {
        let places = self.places;
        let stops = [places.has.get(&channel), places.opted_out.get(&channel), places.quota.get(&channel)];
        if stops.into_iter().any(|place| self.is_otherwise(place) == Some(true)) {
            return false;
        }
        let around = self.machine.groups_of(id).map(|(group, _)| group);
        let to_start = around.filter(|group| {
            matches!(instance.stages[usize::from(group.0)].phase, Phase::Idle | Phase::Held(_))
        });
        std::iter::once(id).chain(to_start).all(|id| self.may_pass(self.machine.stage(id), id))
    }

    /// Whether the guard of a stage may let it start.
    fn may_pass(&self, stage: &Stage, id: StageId) -> bool {
        let channel = self.machine.channel(id).map(|channel| channel.channel);
        let holds = |guard: &Option<Guard>| guard.as_ref().and_then(|guard| self.holds(&guard.tree, channel));
        holds(&stage.only_if) != Some(false) && holds(&stage.unless) != Some(true)
    }

    /// Whether a condition holds; `None` where that is not decided, or changes during a run.
    fn holds(&self, tree: &Tree, channel: Option<Channel>) -> Option<bool> {
        match tree {
            Tree::And(parts) => {
                let mut all = Some(true);
                for part in parts {
                    match self.holds(part, channel) {
                        Some(true) => {}
                        Some(false) => return Some(false),
                        None => all = None,
                    }
                }
                all
            }
            Tree::Or(parts) => {
                let mut any = Some(false);
                for part in parts {
                    match self.holds(part, channel) {
                        Some(false) => {}
                        Some(true) => return Some(true),
                        None => any = None,
                    }
                }
                any
            }
            Tree::Not(part) => self.holds(part, channel).map(|holds| !holds),
            Tree::HasAddress(channel) => self.is_otherwise(self.places.has.get(channel)).map(|not| !not),
            Tree::Word(Word::OptedOut) => self.is_otherwise(self.places.opted_out.get(&channel?)),
            Tree::Word(Word::Quota) => self.is_otherwise(self.places.quota.get(&channel?)),
            Tree::Word(_) => None,
            Tree::Compare(index) => self.compares(*index),
        }
    }

    fn compares(&self, index: u16) -> Option<bool> {
        let comparison = self.machine.comparison(index)?;
        let changes =
            |operand: &Operand| matches!(operand, Operand::Elapsed | Operand::Sends | Operand::Cost);
        let behind = self.places.comparisons.get(usize::from(index))?;
        let open = behind.iter().any(|place| self.assigned.choice.get(*place) == Some(&OPEN));
        if open || changes(&comparison.left) || changes(&comparison.right) {
            return None;
        }
        let counters = Counters { elapsed: Span::ZERO, sends: 0, cost: 0 };
        Some(self.assigned.truth(comparison, counters) == Truth::True)
    }

    /// Whether the fact at a place is other than ordinary; `None` where it is not decided, or no fact of
    /// the space.
    fn is_otherwise(&self, place: Option<&usize>) -> Option<bool> {
        let choice = self.assigned.choice.get(*place?)?;
        (*choice != OPEN).then_some(*choice != 0)
    }
}
