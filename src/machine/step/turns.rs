//! When a stage starts.

use crate::language::policy::Wait;
use crate::machine::effect::Was;
use crate::machine::facts::{Moment, sendable};
use crate::machine::instance::{Activity, Instance, Phase, StageRun};
use crate::machine::plan::{Kind, Machine, StageId, StrategyId};
use crate::machine::view::state;
use crate::model::{Instant, Reason};

use super::guards::{Gate, Verdict};
use super::timers::first_due;
use super::{Note, Run};

/// Whether and when a strategy's next stage starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// At once.
    Now,
    /// At that instant, unless something happens before.
    At(Instant),
    /// Not before something has happened; whether that still can.
    Blocked(bool),
    /// There is no next stage, or nothing more starts here.
    None,
}

pub(super) fn turn(machine: &Machine, instance: &Instance, id: StrategyId) -> Turn {
    let (run, stages) = (&instance.strategies[usize::from(id.0)], &machine.strategy(id).stages);
    let next = usize::from(run.next);
    let (Some(begun), Some(&stage)) = (run.begun, stages.get(next)) else { return Turn::None };
    if run.stopped {
        return Turn::None;
    }
    let after = machine.stage(stage).after;
    let from = |start: Moment| after.map_or(Turn::Now, |after| Turn::At(start.0.plus(after)));
    let Some(before) = next.checked_sub(1) else { return from(begun) };
    let runs = |place: usize| &instance.stages[usize::from(stages[place].0)];
    match runs(before).phase {
        Phase::Held(_) | Phase::Waiting(_) => return Turn::Blocked(true),
        // A group in which nothing has started yet.
        Phase::Open if runs(before).started.is_none() => return Turn::Blocked(true),
        Phase::Idle | Phase::Open | Phase::Over => {}
    }
    if matches!(machine.stage(stage).kind, Kind::Wait(_)) {
        return Turn::Now;
    }
    // The last stage that was tried, or the wait that is over.
    let Some(anchor) = (0..next).rev().find(|place| runs(*place).started.is_some()) else { return Turn::Now };
    let tried = runs(anchor);
    let Some(started) = tried.started else { return Turn::Now };
    if matches!(machine.stage(stages[anchor]).kind, Kind::Wait(_)) {
        return from(started);
    }
    if tried.failed && !tried.late {
        return Turn::Now;
    }
    match after {
        Some(after) => Turn::At(started.0.plus(after)),
        None if anchor == before => Turn::Blocked(instance.can_fail(machine, stages[anchor])),
        None => Turn::Now,
    }
}

impl Run<'_> {
    pub(super) fn begin_strategy(&mut self, id: StrategyId) {
        let at = Moment(self.at);
        let strategy = self.strategy_mut(id);
        strategy.begun.get_or_insert(at);
    }

    /// Starts the first stage whose turn has come, in the order of the text; whether there was one.
    pub(super) fn start_next(&mut self) -> bool {
        let count = u16::try_from(self.machine.strategies.len()).unwrap_or(u16::MAX);
        let due = (0..count)
            .map(StrategyId)
            .find(|strategy| turn(self.machine, &self.instance, *strategy) == Turn::Now);
        let Some(strategy) = due else { return false };
        // What is due by now and comes before it in the order of an instant is handed over first, and
        // this start follows from that step.
        let stages = &self.machine.strategy(strategy).stages;
        let place = stages.get(usize::from(self.strategy(strategy).next)).map_or(0, |stage| stage.0);
        let before = self.expiring()
            || first_due(self.machine, &self.instance).is_some_and(|due| due.comes_before(self.at, place));
        if !before {
            self.take_turn(strategy);
        }
        !before
    }

    /// The turn of a strategy's next stage has come.
    pub(super) fn take_turn(&mut self, id: StrategyId) {
        let next = self.strategy(id).next;
        if let Some(&stage) = self.machine.strategy(id).stages.get(usize::from(next)) {
            self.strategy_mut(id).next += 1;
            self.start(stage);
        }
    }

    /// Starts a stage whose turn has come, or whose hold is over.
    pub(super) fn start(&mut self, id: StageId) {
        match &self.machine.stage(id).kind {
            Kind::Wait(wait) => self.start_wait(id, wait),
            Kind::Group { members, .. } => self.start_group(id, members),
            Kind::Channel(_) => self.start_channel(id),
        }
    }

    fn start_wait(&mut self, id: StageId, wait: &Wait) {
        let until = match wait {
            Wait::For(span) => self.at.plus(*span),
            Wait::Until { .. } => {
                let end = self.facts.wait_end(id);
                if end.zone_missing {
                    self.zone_assumed();
                }
                end.at.map_or(self.at, |at| at.0)
            }
        };
        self.stage_mut(id).phase = Phase::Waiting(Moment(until));
        if until <= self.at {
            self.wait_over(id);
        }
    }

    pub(super) fn wait_over(&mut self, id: StageId) {
        let at = Moment(self.at);
        let run = self.stage_mut(id);
        // What counts from a wait counts from its end.
        run.started = Some(at);
        run.phase = Phase::Over;
    }

    fn start_group(&mut self, id: StageId, members: &[StrategyId]) {
        if self.skipped(id) {
            return;
        }
        match self.gate(id) {
            Gate::Open => {
                self.stage_mut(id).phase = Phase::Open;
                for member in members {
                    self.begin_strategy(*member);
                }
            }
            Gate::Until(until, _) => self.stage_mut(id).phase = Phase::Held(Moment(until)),
            Gate::Never => self.fail(id, Reason::NeverOpen),
        }
    }

    fn start_channel(&mut self, id: StageId) {
        let Some(channel) = self.machine.channel(id) else { return };
        if self.skipped(id) {
            return;
        }
        let route = self.facts.route(id);
        if let Err(reason) = sendable(self.facts, channel.channel, &route) {
            self.fail(id, reason);
            return;
        }
        match self.gate(id) {
            Gate::Open => self.first_send(id, route),
            Gate::Until(until, by) => {
                let note = Note { detail: Some(by.to_owned()), ..Note::default() };
                self.change(id, Was::Held, note, |run| run.phase = Phase::Held(Moment(until)));
            }
            Gate::Never => self.fail(id, Reason::NeverOpen),
        }
    }

    /// Decides a stage's guard; whether it was skipped.
    fn skipped(&mut self, id: StageId) -> bool {
        match self.guard(id) {
            Verdict::NoGuard => false,
            Verdict::Go { detail } => {
                self.record(id, Was::GuardPassed, Note { detail: Some(detail), ..Note::default() });
                false
            }
            Verdict::Skip { reason, detail, by_unless } => {
                let note = Note { reason: Some(reason), detail: Some(detail), ..Note::default() };
                self.change(id, Was::Skipped, note, |run| {
                    run.phase = Phase::Over;
                    run.reason = Some(reason);
                    run.by_unless = by_unless;
                });
                true
            }
        }
    }

    /// A channel stage makes its first attempt, or would but for a provider's rate: it has started,
    /// with every group that it is the first to start in.
    pub(super) fn started(&mut self, id: StageId) {
        if self.stage(id).started.is_some() {
            return;
        }
        let at = Moment(self.at);
        self.stage_mut(id).started = Some(at);
        let place = self.machine.stage(id).place;
        let strategy = self.machine.strategy(self.machine.stage(id).strategy);
        for earlier in strategy.stages[..place].iter().rev() {
            self.overtake(*earlier);
        }
        if let Some(owner) = strategy.owner {
            self.started(owner);
        }
    }

    /// The stage after this one has started.
    fn overtake(&mut self, id: StageId) {
        let run = self.stage(id);
        let is_group = matches!(self.machine.stage(id).kind, Kind::Group { .. });
        // A group that failed by a `wait` at its end may have stages in it that are not at theirs.
        let over = if is_group {
            !run.failed && run.phase == Phase::Over
        } else {
            run.failed || run.phase == Phase::Over
        };
        if run.overtaken || run.reached || run.dropped || over {
            return;
        }
        match (&self.machine.stage(id).kind, run.phase) {
            (_, Phase::Idle) => {}
            (_, Phase::Held(_)) | (Kind::Wait(_), _) => self.drop_stage(id),
            (Kind::Group { members, .. }, _) => {
                self.stage_mut(id).overtaken = true;
                for &member in members {
                    self.strategy_mut(member).stopped = true;
                    for &stage in &self.machine.strategy(member).stages {
                        self.overtake(stage);
                    }
                }
            }
            (Kind::Channel(_), _) => {
                self.change(id, Was::Overtaken, Note::default(), |run| run.overtaken = true);
                let Some(sending) = self.stage(id).sending.as_deref() else { return };
                let (last, waits) = (sending.last, sending.waits());
                match sending.activity {
                    // Waited for until it is answered.
                    Activity::Calling { .. } | Activity::Clearing { .. } => {}
                    Activity::None if waits => {}
                    _ => {
                        self.set_activity(id, Activity::None);
                        if !waits {
                            self.fail(id, last.unwrap_or(Reason::RateLimited));
                        }
                    }
                }
            }
        }
    }

    /// Drops what is left of a stage: its retries, holds and later stages. What was sent still counts.
    pub(super) fn drop_stage(&mut self, id: StageId) {
        let run = self.stage(id);
        if run.dropped || run.reached || run.failed {
            return;
        }
        let skipped = run.phase == Phase::Over && run.sending.is_none();
        match &self.machine.stage(id).kind {
            Kind::Group { members, .. } => {
                self.stage_mut(id).dropped = true;
                for &member in members {
                    self.stop(member);
                }
            }
            _ if matches!(run.phase, Phase::Idle) || skipped => {}
            Kind::Wait(_) => {
                let run = self.stage_mut(id);
                run.dropped = true;
                run.phase = Phase::Over;
            }
            Kind::Channel(_) => {
                let drop = |run: &mut StageRun| {
                    run.dropped = true;
                    if matches!(run.phase, Phase::Held(_)) {
                        run.phase = Phase::Over;
                    }
                    if let Some(sending) = run.sending.as_deref_mut()
                        && !matches!(sending.activity, Activity::Calling { .. } | Activity::Clearing { .. })
                    {
                        sending.activity = Activity::None;
                    }
                };
                let mut dropped = self.stage(id).clone();
                drop(&mut dropped);
                if state(&dropped) == state(self.stage(id)) {
                    drop(self.stage_mut(id));
                } else {
                    self.change(id, Was::Dropped, Note::default(), drop);
                }
            }
        }
    }

    /// A strategy starts nothing more.
    pub(super) fn stop(&mut self, id: StrategyId) {
        self.strategy_mut(id).stopped = true;
        for &stage in &self.machine.strategy(id).stages {
            self.drop_stage(stage);
        }
    }
}
