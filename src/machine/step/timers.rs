//! What an instance waits for, derived from what it is: no timer is kept beside it.

use crate::machine::instance::{Activity, Instance, Phase, Sent};
use crate::machine::plan::{Kind, Machine, StageId, StrategyId};
use crate::model::{Instant, Span};

use super::turns::{Turn, turn};

/// Something that happens when its time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timer {
    /// The message's clocks start.
    Begin,
    /// The message expires.
    Expiry,
    /// A stage's confirmations are not waited for any longer.
    Horizon(StageId),
    /// A strategy's next stage starts.
    Turn(StrategyId),
    /// A stage's windows open.
    Hold(StageId),
    /// A wait is over.
    Wait(StageId),
    /// A retry, a pause, a window before a round, or the clearing of a doubt is due.
    Activity(StageId),
    /// A repetition is due.
    Repetition(StageId),
}

/// The earliest timer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    pub(super) at: Instant,
    pub(super) timer: Timer,
    /// The order among what is due at one instant: expiry, horizons, then the order of the text.
    order: (u8, u16, u8),
}

impl Due {
    /// Whether it comes before a start of the stage at `place` at `at`.
    pub(super) fn comes_before(&self, at: Instant, place: u16) -> bool {
        (self.at, self.order) < (at, (2, place, 0))
    }
}

/// The instant of the earliest timer; `None` where only an answer or a receipt can move the
/// instance.
#[must_use]
pub fn next_due(machine: &Machine, instance: &Instance) -> Option<Instant> {
    first_due(machine, instance).map(|due| due.at)
}

pub(super) fn first_due(machine: &Machine, instance: &Instance) -> Option<Due> {
    if instance.ended.is_some() || instance.seq == 0 {
        return None;
    }
    let mut first: Option<Due> = None;
    let mut offer = |at: Instant, order: (u8, u16, u8), timer: Timer| {
        if first.is_none_or(|first| (at, order) < (first.at, first.order)) {
            first = Some(Due { at, timer, order });
        }
    };
    if let Some(expires) = instance.expires_at {
        offer(expires.0, (0, 0, 0), Timer::Expiry);
    }
    if !instance.begun {
        offer(instance.start_at.0, (2, 0, 0), Timer::Begin);
        return first;
    }
    for (index, strategy) in machine.strategies.iter().enumerate() {
        let id = StrategyId(u16::try_from(index).unwrap_or(u16::MAX));
        if let Turn::At(at) = turn(machine, instance, id) {
            let next = usize::from(instance.strategies[index].next);
            let place = strategy.stages.get(next).map_or(0, |stage| stage.0);
            offer(at, (2, place, 0), Timer::Turn(id));
        }
    }
    for id in machine.ids() {
        let run = &instance.stages[usize::from(id.0)];
        match run.phase {
            Phase::Held(until) => offer(until.0, (2, id.0, 0), Timer::Hold(id)),
            Phase::Waiting(until) => offer(until.0, (2, id.0, 0), Timer::Wait(id)),
            Phase::Idle | Phase::Open | Phase::Over => {}
        }
        let Some(sending) = run.sending.as_deref() else { continue };
        match sending.activity {
            Activity::Retry(at) | Activity::Paused(at) | Activity::Clearing { at, .. } => {
                offer(at.0, (2, id.0, 0), Timer::Activity(id));
            }
            Activity::Held { until, .. } => offer(until.0, (2, id.0, 0), Timer::Activity(id)),
            Activity::None | Activity::Calling { .. } | Activity::Queued(_) => {}
        }
        if let Some(at) = next_repetition(machine, instance, id) {
            offer(at, (2, id.0, 1), Timer::Repetition(id));
        }
        let waits = !run.reached && !run.failed && !run.dropped && !run.lost && !run.past_horizon;
        if waits && let Some(horizon) = instance.horizon(id) {
            offer(horizon, (1, id.0, 0), Timer::Horizon(id));
        }
    }
    first
}

/// When the stage is sent again on silence.
pub(super) fn next_repetition(machine: &Machine, instance: &Instance, id: StageId) -> Option<Instant> {
    let run = &instance.stages[usize::from(id.0)];
    let sending = run.sending.as_deref()?;
    let Kind::Channel(channel) = &machine.stage(id).kind else { return None };
    let repeat = channel.repeat?;
    let over = run.reached || run.failed || run.overtaken || run.dropped || run.lost;
    if over || sending.repeated >= repeat.times {
        return None;
    }
    let count = i64::from(sending.repeated) + 1;
    let started = run.started?;
    Some(started.0.plus(Span::from_ms(repeat.every.ms().saturating_mul(count))))
}

impl Instance {
    /// The last instant until which a confirmation of what the stage has sent is waited for.
    pub(super) fn horizon(&self, id: StageId) -> Option<Instant> {
        let sending = self.stages[usize::from(id.0)].sending.as_deref()?;
        sending.sends.iter().filter(|send| send.state == Sent::Accepted).map(|send| send.horizon.0).max()
    }
}
