//! Ends: of stages, carried up through groups, and of the message.

use crate::language::policy::GroupKind;
use crate::machine::effect::{Told, Was};
use crate::machine::facts::Moment;
use crate::machine::instance::{Activity, Ended, Instance, Phase, ReachedBy, Sent, StageRun};
use crate::machine::plan::{Kind, Machine, StageId, StrategyId};
use crate::model::{Confirmation, Reason, Status};

use super::timers::next_repetition;
use super::turns::{Turn, turn};
use super::{Note, Run};

/// What a strategy has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    /// Nothing yet, or to silence.
    Open,
    Reached,
    Failed,
    Skipped,
}

impl StageRun {
    pub(super) fn set_activity(&mut self, activity: Activity) {
        if let Some(sending) = self.sending.as_deref_mut() {
            sending.activity = activity;
        }
    }

    fn skipped(&self) -> bool {
        self.phase == Phase::Over && !self.failed && self.reason.is_some()
    }
}

impl Instance {
    fn run(&self, id: StageId) -> &StageRun {
        &self.stages[usize::from(id.0)]
    }

    /// Whether a stage that was tried can still fail in a way that starts the next.
    pub(super) fn can_fail(&self, machine: &Machine, id: StageId) -> bool {
        let run = self.run(id);
        match &machine.stage(id).kind {
            Kind::Channel(_) => !run.past_horizon && !run.failed,
            Kind::Group { .. } | Kind::Wait(_) => self.unsettled(machine, id),
        }
    }

    /// Whether something in a strategy is left to start.
    fn left_to_start(&self, machine: &Machine, id: StrategyId) -> bool {
        let run = &self.strategies[usize::from(id.0)];
        if run.stopped {
            return false;
        }
        let stages = &machine.strategy(id).stages;
        let begun = usize::from(run.next).checked_sub(1).and_then(|last| stages.get(last));
        let not_started = |stage: &StageId| {
            let run = self.run(*stage);
            matches!(run.phase, Phase::Held(_)) || (run.phase == Phase::Open && run.started.is_none())
        };
        begun.is_some_and(not_started)
            || matches!(turn(machine, self, id), Turn::Now | Turn::At(_) | Turn::Blocked(true))
    }

    /// Whether the message still waits for a stage: it is being tried, held, waited for within its
    /// horizon, or has something in it that is.
    fn unsettled(&self, machine: &Machine, id: StageId) -> bool {
        let run = self.run(id);
        if run.lost || run.dropped || run.reached {
            return false;
        }
        match (&machine.stage(id).kind, run.phase) {
            (Kind::Group { members, .. }, Phase::Open | Phase::Over) => {
                members.iter().any(|member| self.strategy_unsettled(machine, *member))
            }
            (_, Phase::Held(_) | Phase::Waiting(_)) => true,
            (Kind::Channel(_), Phase::Open) => run.sending.as_deref().is_some_and(|sending| {
                sending.activity != Activity::None
                    || next_repetition(machine, self, id).is_some()
                    || (sending.waits() && !run.past_horizon)
            }),
            _ => false,
        }
    }

    fn strategy_unsettled(&self, machine: &Machine, id: StrategyId) -> bool {
        let stages = &machine.strategy(id).stages;
        !stages.iter().any(|stage| self.run(*stage).reached)
            && (self.left_to_start(machine, id) || stages.iter().any(|stage| self.unsettled(machine, *stage)))
    }

    fn came(&self, machine: &Machine, id: StrategyId) -> Came {
        let stages = &machine.strategy(id).stages;
        if stages.iter().any(|stage| self.run(*stage).reached) {
            return Came::Reached;
        }
        let waiting = |stage: &StageId| matches!(self.run(*stage).phase, Phase::Waiting(_));
        if self.left_to_start(machine, id) || stages.iter().any(waiting) {
            return Came::Open;
        }
        if stages.iter().all(|stage| self.run(*stage).skipped()) {
            return Came::Skipped;
        }
        let tried = stages.iter().rev().find(|stage| self.run(**stage).started.is_some());
        let failed = match tried {
            Some(tried) => match machine.stage(*tried).kind {
                Kind::Wait(_) => self.run(*tried).phase == Phase::Over,
                Kind::Channel(_) | Kind::Group { .. } => self.run(*tried).failed && !self.run(*tried).late,
            },
            None => stages.iter().any(|stage| self.run(*stage).failed),
        };
        if failed { Came::Failed } else { Came::Open }
    }

    /// Whether some stage counts as delivered: itself confirmed so, and every `all of` around it
    /// reached.
    fn delivered_by(&self, machine: &Machine, id: StageId) -> bool {
        let run = self.run(id);
        !run.lost
            && run.sending.as_deref().is_some_and(|s| s.level() >= Some(Confirmation::Delivered))
            && machine.groups_of(id).all(|(group, kind)| kind == GroupKind::Any || self.run(group).reached)
    }

    /// Whether a stage counts as accepted and has not failed since.
    fn accepted_by(&self, id: StageId) -> bool {
        let run = self.run(id);
        !run.lost && !run.failed && run.sending.as_deref().is_some_and(|sending| sending.waits())
    }

    /// The latest send on a channel, or its attempt under way.
    pub(super) fn last_send(
        &self,
        machine: &Machine,
        channel: crate::model::Channel,
    ) -> Option<(StageId, u32)> {
        let stages = machine.channel_stages().filter(|(_, stage)| stage.channel == channel);
        let attempts = stages.filter_map(|(id, _)| {
            let sending = self.run(id).sending.as_deref()?;
            let under_way = match sending.activity {
                Activity::Calling { attempt, .. } | Activity::Clearing { attempt, .. } => Some(attempt),
                _ => None,
            };
            let sent =
                sending.sends.iter().filter(|send| send.state != Sent::Failed).map(|send| send.attempt);
            sent.chain(under_way).max().map(|attempt| (id, attempt))
        });
        attempts.max_by_key(|(_, attempt)| *attempt)
    }

    /// Whether anything was sent on a channel that a caller could confirm.
    #[must_use]
    pub fn has_sent_on(&self, machine: &Machine, channel: crate::model::Channel) -> bool {
        self.last_send(machine, channel).is_some()
    }
}

impl Run<'_> {
    pub(super) fn top_reached(&self) -> bool {
        self.instance.came(self.machine, StrategyId(0)) == Came::Reached
    }

    /// Carries ends up: from members to their groups, the innermost first; what a reached strategy
    /// or `any of` has left is dropped.
    pub(super) fn carry_up(&mut self) {
        for id in self.machine.ids().rev() {
            if let Kind::Group { kind, members, .. } = &self.machine.stage(id).kind {
                self.carry_group(id, *kind, members);
            }
        }
        if self.top_reached() {
            self.drop_rest(StrategyId(0));
        }
    }

    fn carry_group(&mut self, id: StageId, kind: GroupKind, members: &[StrategyId]) {
        let run = self.stage(id);
        if run.lost || run.reached || matches!(run.phase, Phase::Idle | Phase::Held(_)) {
            return;
        }
        if run.phase == Phase::Over && !run.failed {
            return;
        }
        let failed_before = run.failed;
        let came: Vec<_> = members.iter().map(|member| (*member, self.came(*member))).collect();
        for (member, came) in &came {
            if *came == Came::Reached {
                self.drop_rest(*member);
            }
        }
        let mut counting = came.iter().filter(|(_, came)| *came != Came::Skipped).peekable();
        if counting.peek().is_none() {
            let run = self.stage_mut(id);
            run.phase = Phase::Over;
            run.reason = Some(Reason::Skipped);
            return;
        }
        let reached = |(_, came): &&(StrategyId, Came)| *came == Came::Reached;
        let failed = |(_, came): &&(StrategyId, Came)| *came == Came::Failed;
        let is_reached = match kind {
            GroupKind::Any => counting.clone().any(|m| reached(&m)),
            GroupKind::All => counting.clone().all(|m| reached(&m)),
        };
        if is_reached {
            let run = self.stage_mut(id);
            run.reached = true;
            run.phase = Phase::Over;
            for member in members {
                self.stop(*member);
            }
            return;
        }
        let is_failed = match kind {
            GroupKind::Any => counting.clone().all(|m| failed(&m)),
            GroupKind::All => {
                counting.clone().any(|m| failed(&m))
                    && counting.all(|(member, came)| {
                        *came == Came::Reached
                            || *came == Came::Failed
                            || !self.instance.strategy_unsettled(self.machine, *member)
                    })
            }
        };
        if is_failed && !failed_before {
            let run = self.stage_mut(id);
            run.failed = true;
            run.phase = Phase::Over;
            if kind == GroupKind::All {
                for member in members {
                    self.stop(*member);
                }
                self.lose(members);
            }
        }
    }

    fn came(&self, id: StrategyId) -> Came {
        self.instance.came(self.machine, id)
    }

    /// A strategy is reached: it starts nothing more, and what its stages have left is dropped.
    fn drop_rest(&mut self, id: StrategyId) {
        if !self.strategy(id).stopped {
            self.stop(id);
        }
    }

    /// What stands in an `all of` that has failed counts for nothing.
    fn lose(&mut self, members: &[StrategyId]) {
        for member in members {
            for &stage in &self.machine.strategy(*member).stages {
                self.stage_mut(stage).lost = true;
                if let Kind::Group { members, .. } = &self.machine.stage(stage).kind {
                    self.lose(members);
                }
            }
        }
    }

    /// A stage comes to its goal.
    pub(super) fn reach(&mut self, id: StageId) {
        if self.stage(id).lost || self.stage(id).reached {
            return;
        }
        self.instance.reached_last = Some(id.0);
        self.change(id, Was::Reached, Note::default(), |run| {
            run.reached = true;
            run.phase = Phase::Over;
            if let Some(sending) = run.sending.as_deref_mut()
                && !matches!(sending.activity, Activity::Calling { .. } | Activity::Clearing { .. })
            {
                sending.activity = Activity::None;
            }
        });
    }

    /// A stage fails, or cannot run.
    pub(super) fn fail(&mut self, id: StageId, reason: Reason) {
        self.change(id, Was::Failed, Note::reason(reason), |run| {
            run.late = run.past_horizon;
            run.failed = true;
            run.phase = Phase::Over;
            run.reason = Some(reason);
            run.set_activity(Activity::None);
        });
    }

    /// No confirmation of what a stage has sent is waited for any longer.
    pub(super) fn horizon(&mut self, id: StageId) {
        self.change(id, Was::HorizonPassed, Note::default(), |run| run.past_horizon = true);
    }

    /// Tells, once, that the message counts as delivered.
    pub(super) fn tell_delivered(&mut self) {
        let ended = self.instance.ended.is_some();
        if self.instance.told_delivered || (ended && self.instance.status != Status::Sent) {
            return;
        }
        let by = |id: &StageId| self.instance.delivered_by(self.machine, *id);
        let confirmed = self.confirmed.map(|(id, _)| id).filter(by);
        let stage = confirmed.or_else(|| self.machine.ids().find(by));
        if stage.is_none() && !self.instance.caller {
            return;
        }
        let attempt = stage.and_then(|id| {
            let sends = &self.stage(id).sending.as_deref()?.sends;
            let delivered = sends.iter().filter(|send| send.level >= Some(Confirmation::Delivered));
            delivered.map(|send| send.attempt).max()
        });
        self.instance.told_delivered = true;
        self.change_status(Was::MessageDelivered, Status::Delivered, Note::default());
        self.tell(Told::Delivered { stage, attempt });
    }

    pub(super) fn end_if_over(&mut self) {
        if self.instance.ended.is_some() || !self.instance.begun && !self.instance.caller {
            return;
        }
        if self.instance.caller {
            self.end(self.final_status(true), Some(ReachedBy::Caller));
        } else if self.top_reached() {
            let last = self.instance.reached_last.map(StageId);
            let channel = last.and_then(|id| self.machine.channel(id));
            let by = channel.map(|channel| ReachedBy::Channel(channel.channel));
            self.end(self.final_status(true), by);
        } else if !self.instance.strategy_unsettled(self.machine, StrategyId(0)) {
            self.end(self.final_status(false), None);
        }
    }

    /// The first of the statuses that fits.
    fn final_status(&self, reached: bool) -> Status {
        if !reached && self.machine.otherwise.is_some() {
            return Status::Failed;
        }
        if self.delivered() {
            return Status::Delivered;
        }
        if self.machine.ids().any(|id| self.instance.accepted_by(id)) { Status::Sent } else { Status::Failed }
    }

    fn delivered(&self) -> bool {
        self.instance.caller || self.machine.ids().any(|id| self.instance.delivered_by(self.machine, id))
    }

    pub(super) fn expire(&mut self) {
        let nothing = !self.delivered() && !self.machine.ids().any(|id| self.instance.accepted_by(id));
        let status = if nothing { Status::Expired } else { self.final_status(false) };
        self.end(status, None);
    }

    pub(super) fn end(&mut self, status: Status, reached_by: Option<ReachedBy>) {
        let at = Moment(self.at);
        for id in self.machine.ids() {
            let held = matches!(self.stage(id).phase, Phase::Held(_));
            let sending = self.stage(id).sending.as_deref();
            let left = sending.is_some_and(|sending| sending.activity != Activity::None);
            if self.machine.channel(id).is_some() && (held || left) {
                self.drop_stage(id);
            }
        }
        self.instance.ended = Some(Ended { at, reached_by });
        let reason =
            self.machine.otherwise.as_ref().filter(|_| status == Status::Failed && reached_by.is_none());
        let note = Note {
            reason: reason.map(|_| Reason::Otherwise),
            detail: reached_by.map(|by| format!("reached by {}", by.word())),
            ..Note::default()
        };
        self.change_status(Was::MessageEnded, status, note);
        match status {
            Status::Sent => self.tell(Told::Unconfirmed),
            Status::Failed => self.tell(Told::Failed),
            Status::Expired => self.tell(Told::Expired),
            Status::Canceled => self.tell(Told::Canceled),
            Status::Queued | Status::Delivered => {}
        }
    }
}
