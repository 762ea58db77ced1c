//! The one function that decides what happens next.
//!
//! `step` is total and pure: for every machine, instance and event it gives an instance and effects,
//! and the same for the same. The simulator, the engine and the audit's replay all call it.
//!
//! An event is taken in (`answers`, or one of the timers here), and then everything that follows at
//! once is settled: ends are carried upwards (`ends`), and strategies whose next stage's turn has
//! come start it (`turns`, `sending`), until nothing moves any more.

mod answers;
mod ends;
mod guards;
mod sending;
mod timers;
mod turns;

use serde::{Deserialize, Serialize};

use crate::model::{Channel, Instant, Reason, StageState, Status};

use super::effect::{Effect, Effects, Moved, Told, Transition, Was};
use super::event::{Event, What};
use super::facts::{Facts, Moment, is_default, ms, ms_option};
use super::instance::{FORMAT, Instance, SEMANTICS, StageRun, StrategyRun};
use super::plan::{Machine, StageId, StrategyId};

pub use timers::next_due;
use timers::{Timer, first_due};

/// How an instance begins. It is kept in the journal, so its form is a persisted one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beginning {
    /// The policy version, `name@version`, or a digest of an inline strategy.
    #[serde(rename = "p")]
    pub policy: String,
    /// When the message was accepted.
    #[serde(rename = "a", with = "ms")]
    pub accepted_at: Instant,
    /// When its clocks start: its `send_at`, or `accepted_at`.
    #[serde(rename = "b", with = "ms")]
    pub start_at: Instant,
    /// When it expires; the earlier of what the request and the policy say is the caller's to find.
    #[serde(rename = "x", with = "ms_option", default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Instant>,
    /// What the jitter of retries is derived from; 0 for none.
    #[serde(rename = "j", default, skip_serializing_if = "is_default")]
    pub seed: u64,
}

impl Instance {
    /// An instance to which nothing has happened yet: [`What::Accepted`] is its first event.
    #[must_use]
    pub fn new(machine: &Machine, beginning: Beginning) -> Instance {
        Instance {
            format: FORMAT,
            semantics: SEMANTICS,
            policy: beginning.policy,
            accepted_at: Moment(beginning.accepted_at),
            start_at: Moment(beginning.start_at.max(beginning.accepted_at)),
            begun: false,
            last_at: Moment(beginning.accepted_at),
            expires_at: beginning.expires_at.map(Moment),
            seed: beginning.seed,
            status: Status::Queued,
            ended: None,
            sends: 0,
            cost: 0,
            attempts: 0,
            seq: 0,
            told_delivered: false,
            caller: false,
            reached_last: None,
            strategies: vec![StrategyRun::default(); machine.strategies.len()],
            stages: vec![StageRun::default(); machine.stages.len()],
        }
    }
}

/// What `event` makes of `instance`, and what is to be done about it.
pub fn step(machine: &Machine, instance: Instance, event: Event<'_>) -> (Instance, Effects) {
    let at = event.at.max(instance.last_at.0);
    let shown = machine.ids().map(|id| instance.state_of(machine, id)).collect();
    let mut run = Run {
        machine,
        shown,
        instance,
        facts: event.facts,
        at,
        effects: Effects::default(),
        confirmed: None,
        begun: Vec::new(),
    };
    run.instance.last_at = Moment(at);
    run.take(event.what);
    run.settle();
    (run.instance, run.effects)
}

/// A step under way.
struct Run<'a> {
    machine: &'a Machine,
    instance: Instance,
    /// The state of each stage as the transitions show it, so that they chain.
    shown: Vec<StageState>,
    facts: &'a dyn Facts,
    at: Instant,
    effects: Effects,
    /// The stage and attempt that a receipt of this step confirmed.
    confirmed: Option<(StageId, u32)>,
    /// The channels and providers of the attempts that this step has begun.
    begun: Vec<(Channel, String)>,
}

/// What stands beside a transition.
#[derive(Default)]
struct Note {
    provider: Option<String>,
    attempt: Option<u32>,
    reason: Option<Reason>,
    detail: Option<String>,
}

impl Note {
    fn reason(reason: Reason) -> Note {
        Note { reason: Some(reason), ..Note::default() }
    }
}

impl Run<'_> {
    fn take(&mut self, what: What) {
        if self.instance.seq == 0 && what != What::Accepted {
            // Nothing has happened to it yet, so nothing else can.
            return;
        }
        let ended = self.instance.ended.is_some();
        match what {
            What::Accepted => self.accepted(),
            What::Answered { attempt, outcome, retry_after } => self.answered(attempt, outcome, retry_after),
            What::Confirmed { attempt, level } => self.confirmed(attempt, level),
            What::FailedLater { attempt, fault } => self.failed_later(attempt, fault),
            What::ConfirmedByCaller { level, channel } if !ended => self.confirmed_by_caller(level, channel),
            What::Due if !ended => self.due(),
            What::Ready { stage } if !ended => self.ready(stage),
            What::Canceled if !ended => self.end(Status::Canceled, None),
            What::ConfirmedByCaller { .. } | What::Due | What::Ready { .. } | What::Canceled => {}
        }
    }

    /// Everything that follows at once.
    fn settle(&mut self) {
        loop {
            self.carry_up();
            if self.instance.ended.is_some() || !self.instance.begun || self.top_reached() {
                break;
            }
            if !self.start_next() {
                break;
            }
        }
        self.tell_delivered();
        self.end_if_over();
    }

    fn accepted(&mut self) {
        if self.instance.seq > 0 {
            return;
        }
        let moved = Moved::Message { from: None, to: Status::Queued };
        self.write(Was::Accepted, moved, Note::default());
        self.tell(Told::Created);
        if self.instance.start_at.0 > self.at {
            self.first_stage(Was::Held, StageState::Pending, StageState::Held);
        } else {
            self.begin();
        }
    }

    /// The clocks of the message start now.
    fn begin(&mut self) {
        self.instance.begun = true;
        self.instance.start_at = Moment(self.at);
        self.begin_strategy(StrategyId(0));
    }

    /// Writes a transition of the first channel stage, which shows that the message is yet to begin.
    fn first_stage(&mut self, was: Was, from: StageState, to: StageState) {
        if let Some((stage, channel)) = self.machine.channel_stages().next() {
            let number = self.machine.stage(stage).number;
            let moved = Moved::Stage { stage, number, channel: channel.channel, from, to };
            self.write(was, moved, Note::default());
            self.shown[usize::from(stage.0)] = to;
        }
    }

    fn due(&mut self) {
        let Some(due) = first_due(self.machine, &self.instance) else { return };
        if due.at > self.at {
            return;
        }
        if self.expiring() {
            // Also before a start that fell due earlier and fires late: it would come after the expiry.
            self.expire();
            return;
        }
        match due.timer {
            Timer::Begin => {
                self.first_stage(Was::Begun, StageState::Held, StageState::Pending);
                self.begin();
            }
            Timer::Expiry => self.expire(),
            Timer::Horizon(stage) => self.horizon(stage),
            Timer::Turn(strategy) => self.take_turn(strategy),
            Timer::Hold(stage) => self.start(stage),
            Timer::Wait(stage) => self.wait_over(stage),
            Timer::Activity(stage) => self.activity_due(stage),
            Timer::Repetition(stage) => self.repeat(stage),
        }
    }

    /// Whether the message's expiry has come, and is yet to be handed over: nothing more starts.
    fn expiring(&self) -> bool {
        self.instance.expires_at.is_some_and(|expires| expires.0 <= self.at)
    }

    fn stage(&self, id: StageId) -> &StageRun {
        &self.instance.stages[usize::from(id.0)]
    }

    fn stage_mut(&mut self, id: StageId) -> &mut StageRun {
        &mut self.instance.stages[usize::from(id.0)]
    }

    fn strategy(&self, id: StrategyId) -> &StrategyRun {
        &self.instance.strategies[usize::from(id.0)]
    }

    fn strategy_mut(&mut self, id: StrategyId) -> &mut StrategyRun {
        &mut self.instance.strategies[usize::from(id.0)]
    }

    /// Changes a stage and writes what happened to it; of a group or a wait nothing is written.
    fn change(&mut self, id: StageId, was: Was, note: Note, change: impl FnOnce(&mut StageRun)) {
        change(self.stage_mut(id));
        let to = self.instance.state_of(self.machine, id);
        let from = std::mem::replace(&mut self.shown[usize::from(id.0)], to);
        let number = self.machine.stage(id).number;
        if let Some(channel) = self.machine.channel(id) {
            self.write(was, Moved::Stage { stage: id, number, channel: channel.channel, from, to }, note);
        }
    }

    /// Writes what happened to a stage and changed nothing of it.
    fn record(&mut self, id: StageId, was: Was, note: Note) {
        self.change(id, was, note, |_| {});
    }

    fn change_status(&mut self, was: Was, to: Status, note: Note) {
        let from = self.instance.status;
        self.instance.status = to;
        self.write(was, Moved::Message { from: Some(from), to }, note);
    }

    fn write(&mut self, event: Was, moved: Moved, note: Note) {
        self.instance.seq += 1;
        let Note { provider, attempt, reason, detail } = note;
        let (seq, at) = (self.instance.seq, self.at);
        self.effects.push(Effect::Transition(Transition {
            seq,
            at,
            event,
            moved,
            provider,
            attempt,
            reason,
            detail,
        }));
    }

    fn tell(&mut self, told: Told) {
        self.effects.push(Effect::Tell(told));
    }
}
