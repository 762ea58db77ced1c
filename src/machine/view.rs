//! An instance as a caller sees it.

use crate::model::{Channel, Confirmation, Instant, Reason, StageState};

use super::instance::{Activity, Instance, Phase, Sent, StageRun};
use super::plan::{Machine, StageId};

/// A channel stage as a caller sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageView {
    /// Its place in the text.
    pub id: StageId,
    /// Its number among the channel stages, from 1.
    pub number: u16,
    /// Its channel.
    pub channel: Channel,
    /// Where it is.
    pub state: StageState,
    /// Why, where there is a reason.
    pub reason: Option<Reason>,
    /// The provider called last.
    pub provider: Option<String>,
    /// When it started.
    pub started_at: Option<Instant>,
    /// Until when a window holds it.
    pub held_until: Option<Instant>,
}

/// Why a stage ended otherwise than reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageReason {
    /// Its number among the channel stages, from 1; `None` for the policy's own `why`.
    pub number: Option<u16>,
    /// Its channel; `None` for the policy's own `why`.
    pub channel: Option<Channel>,
    /// The word.
    pub reason: Reason,
    /// Our own words beside it: a guard's text, or the `why` of `otherwise fail`.
    pub detail: Option<String>,
}

impl Instance {
    /// The state of a stage.
    pub(super) fn state_of(&self, machine: &Machine, id: StageId) -> StageState {
        let run = &self.stages[usize::from(id.0)];
        if !self.begun && self.seq > 0 && machine.number(id) == Some(1) {
            return StageState::Held;
        }
        state(run)
    }

    /// The channel stages, in the order of the text.
    pub fn views<'a>(&'a self, machine: &'a Machine) -> impl Iterator<Item = StageView> + 'a {
        machine.channel_stages().map(move |(id, channel)| {
            let run = &self.stages[usize::from(id.0)];
            let sending = run.sending.as_deref();
            let place = sending.and_then(|sending| match sending.activity {
                Activity::Calling { place, .. } | Activity::Clearing { place, .. } => Some(place),
                _ => sending.sends.last().map(|send| send.place).or(sending.tried.last().copied()),
            });
            let provider = place.and_then(|place| sending?.route.get(usize::from(place)));
            let held_until = match (run.phase, sending.map(|sending| sending.activity)) {
                (Phase::Held(until), _) | (_, Some(Activity::Held { until, .. })) => Some(until.0),
                _ => None,
            };
            StageView {
                id,
                number: machine.stage(id).number,
                channel: channel.channel,
                state: self.state_of(machine, id),
                reason: run.reason,
                provider: provider.map(|provider| provider.name.clone()),
                started_at: run.started.map(|at| at.0),
                held_until,
            }
        })
    }

    /// The reasons of every stage that has one, in the order of the text, whatever the status; last,
    /// where it ended as failed, the `why` of `otherwise fail`.
    #[must_use]
    pub fn reasons(&self, machine: &Machine) -> Vec<StageReason> {
        let mut reasons: Vec<_> = machine
            .channel_stages()
            .filter_map(|(id, channel)| {
                let run = &self.stages[usize::from(id.0)];
                let reason = run.reason?;
                let stage = machine.stage(id);
                let skipped = !run.failed;
                let texts = [("if", &stage.only_if), ("unless", &stage.unless)];
                let texts =
                    texts.iter().filter_map(|(word, guard)| Some(format!("{word} {}", guard.as_ref()?.text)));
                Some(StageReason {
                    number: Some(stage.number),
                    channel: Some(channel.channel),
                    reason,
                    detail: skipped.then(|| texts.collect::<Vec<_>>().join(" ")),
                })
            })
            .collect();
        if let Some(why) = machine.otherwise()
            && self.ended.is_some()
            && self.status == crate::model::Status::Failed
        {
            let detail = Some(why.to_owned());
            reasons.push(StageReason { number: None, channel: None, reason: Reason::Otherwise, detail });
        }
        reasons
    }

    /// How many attempts have been made; they are numbered from 1.
    #[must_use]
    pub fn attempts_made(&self) -> u32 {
        self.attempts
    }

    /// Whether the attempt of that number is under way, or in doubt and being cleared up.
    #[must_use]
    pub fn is_open(&self, number: u32) -> bool {
        self.stages.iter().filter_map(|stage| stage.sending.as_deref()).any(|sending| {
            matches!(sending.activity,
                Activity::Calling { attempt, .. } | Activity::Clearing { attempt, .. } if attempt == number)
        })
    }

    /// Whether the attempt of that number is in doubt, and to be cleared up later: no call of it is under way.
    #[must_use]
    pub fn is_in_doubt(&self, number: u32) -> bool {
        self.stages.iter().filter_map(|stage| stage.sending.as_deref()).any(
            |sending| matches!(sending.activity, Activity::Clearing { attempt, .. } if attempt == number),
        )
    }

    /// How far an attempt that was not refused is known to have come.
    #[must_use]
    pub fn level_of(&self, number: u32) -> Option<Confirmation> {
        let sends = self.stages.iter().filter_map(|stage| stage.sending.as_deref()).flat_map(|s| &s.sends);
        let send = sends.into_iter().find(|send| send.attempt == number)?;
        Some(send.level.unwrap_or(Confirmation::Accepted))
    }

    /// Whether a receipt has reported already that an attempt failed after it was accepted.
    #[must_use]
    pub fn was_reported_failed(&self, number: u32) -> bool {
        let sends = self.stages.iter().filter_map(|stage| stage.sending.as_deref()).flat_map(|s| &s.sends);
        sends.into_iter().any(|send| send.attempt == number && send.reported)
    }

    /// The stages that wait for a place with a provider, and its name.
    pub fn queued(&self) -> impl Iterator<Item = (StageId, &str)> {
        self.stages.iter().enumerate().filter_map(|(place, stage)| {
            let sending = stage.sending.as_deref()?;
            let Activity::Queued(provider) = sending.activity else { return None };
            let provider = sending.route.get(usize::from(provider))?;
            Some((StageId(u16::try_from(place).ok()?), provider.name.as_str()))
        })
    }

    /// Whether any provider of a stage that has started has a price.
    #[must_use]
    pub fn has_prices(&self) -> bool {
        let routes = self.stages.iter().filter_map(|stage| stage.sending.as_deref());
        routes.flat_map(|sending| &sending.route).any(|provider| provider.price > 0)
    }

    /// Whether a provider's answer to the attempt of that number is still to come.
    #[must_use]
    pub fn awaits_answer(&self, number: u32) -> bool {
        self.under_way().any(|(attempt, _)| attempt == number)
    }
}

/// The state that a stage's run shows, once the message has begun.
pub(super) fn state(run: &StageRun) -> StageState {
    let waits =
        run.sending.as_deref().is_some_and(|s| s.sends.iter().any(|send| send.state == Sent::Accepted));
    let activity = run.sending.as_deref().map_or(Activity::None, |sending| sending.activity);
    if run.reached {
        return StageState::Reached;
    }
    if run.failed {
        return StageState::Failed;
    }
    if run.overtaken {
        return StageState::Overtaken;
    }
    match (run.phase, activity) {
        (Phase::Over, _) if run.reason.is_some() => StageState::Skipped,
        (Phase::Idle, _) => StageState::Pending,
        (_, Activity::Calling { .. } | Activity::Clearing { .. }) => StageState::Sending,
        _ if run.dropped && waits => StageState::Waiting,
        _ if run.dropped && run.started.is_some() => StageState::Overtaken,
        _ if run.dropped => StageState::Pending,
        (Phase::Held(_), _) | (_, Activity::Held { .. }) => StageState::Held,
        (_, Activity::Retry(_) | Activity::Paused(_) | Activity::Queued(_)) => StageState::Sending,
        // Between an answer and what follows from it, or until the next repetition.
        (Phase::Open, Activity::None) if !waits => StageState::Sending,
        (Phase::Open | Phase::Over | Phase::Waiting(_), Activity::None) => StageState::Waiting,
    }
}
