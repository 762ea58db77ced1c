//! What a message's run has come to: small, versioned, and enough to go on from.
//!
//! The types here are the persisted form itself: short names, nothing written that is empty. A
//! change of them raises [`FORMAT`]; a change of what `step` does with them raises [`SEMANTICS`].

use serde::{Deserialize, Serialize};

use crate::model::{Channel, Confirmation, Instant, Reason, Span, Status};

use super::facts::{Moment, RouteProvider, is_default};
use super::plan::Machine;

/// The number of this layout of an instance.
pub const FORMAT: u16 = 1;

/// The number of what `step` does. A replay covers the numbers that it knows.
pub const SEMANTICS: u16 = 1;

/// Why the bytes of an instance cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// Not this layout.
    #[error("the instance has format {0}; this program reads format {FORMAT}: run the version that wrote it")]
    Format(u16),
    /// Damaged.
    #[error("the instance cannot be read: {0}")]
    Damaged(#[from] serde_json::Error),
    /// Of another policy than the one at hand.
    #[error("the instance has {found} stages and the policy {expected}: it belongs to another version")]
    OtherPolicy {
        /// Stages in the instance.
        found: usize,
        /// Stages in the machine.
        expected: usize,
    },
}

/// A message's run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    #[serde(rename = "f")]
    pub(super) format: u16,
    #[serde(rename = "s")]
    pub(super) semantics: u16,
    /// The policy version that it runs, `name@version` or a digest of an inline strategy.
    #[serde(rename = "p")]
    pub(super) policy: String,
    /// When the message was accepted.
    #[serde(rename = "a")]
    pub(super) accepted_at: Moment,
    /// When its clocks start, or started.
    #[serde(rename = "b")]
    pub(super) start_at: Moment,
    /// Whether they have.
    #[serde(rename = "g", default, skip_serializing_if = "is_default")]
    pub(super) begun: bool,
    /// The instant of the last event.
    #[serde(rename = "l")]
    pub(super) last_at: Moment,
    /// When it expires.
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<Moment>,
    /// What jitter is derived from; 0 for none.
    #[serde(rename = "j", default, skip_serializing_if = "is_default")]
    pub(super) seed: u64,
    #[serde(rename = "t")]
    pub(super) status: Status,
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub(super) ended: Option<Ended>,
    /// Attempts answered accepted or in doubt.
    #[serde(rename = "n", default, skip_serializing_if = "is_default")]
    pub(super) sends: u32,
    /// What they cost, in millionths.
    #[serde(rename = "c", default, skip_serializing_if = "is_default")]
    pub(super) cost: i64,
    /// Attempts made.
    #[serde(rename = "m", default, skip_serializing_if = "is_default")]
    pub(super) attempts: u32,
    /// Transitions written.
    #[serde(rename = "q", default, skip_serializing_if = "is_default")]
    pub(super) seq: u32,
    /// `message.delivered` was told.
    #[serde(rename = "d", default, skip_serializing_if = "is_default")]
    pub(super) told_delivered: bool,
    /// The caller confirmed the message as a whole.
    #[serde(rename = "k", default, skip_serializing_if = "is_default")]
    pub(super) caller: bool,
    /// The place of the channel stage that came to its goal last.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub(super) reached_last: Option<u16>,
    #[serde(rename = "y")]
    pub(super) strategies: Vec<StrategyRun>,
    #[serde(rename = "z")]
    pub(super) stages: Vec<StageRun>,
}

/// The end of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When.
    #[serde(rename = "a")]
    pub at: Moment,
    /// Whose confirmation ended it.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub reached_by: Option<ReachedBy>,
}

/// Whose confirmation ended a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReachedBy {
    /// A channel's.
    Channel(Channel),
    /// The caller's, for the message as a whole.
    Caller,
}

impl ReachedBy {
    /// The channel's word, or `caller`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            ReachedBy::Channel(channel) => channel.word(),
            ReachedBy::Caller => "caller",
        }
    }
}

/// Where a strategy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub(super) struct StrategyRun {
    /// When it began.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    pub(super) begun: Option<Moment>,
    /// The place of the first stage whose turn has not come.
    #[serde(rename = "n", default, skip_serializing_if = "is_default")]
    pub(super) next: u16,
    /// It starts nothing more.
    #[serde(rename = "s", default, skip_serializing_if = "is_default")]
    pub(super) stopped: bool,
}

/// Where a stage is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub(super) struct StageRun {
    #[serde(rename = "p", default, skip_serializing_if = "is_default")]
    pub(super) phase: Phase,
    /// When it started: its first attempt, the first channel in it, its wait.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub(super) started: Option<Moment>,
    /// Why it failed or was skipped.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<Reason>,
    /// It failed, or could not run; stays on record also if a confirmation comes after it.
    #[serde(rename = "f", default, skip_serializing_if = "is_default")]
    pub(super) failed: bool,
    /// The failure came after the horizon, and starts nothing.
    #[serde(rename = "l", default, skip_serializing_if = "is_default")]
    pub(super) late: bool,
    #[serde(rename = "g", default, skip_serializing_if = "is_default")]
    pub(super) reached: bool,
    /// The stage after it started first.
    #[serde(rename = "o", default, skip_serializing_if = "is_default")]
    pub(super) overtaken: bool,
    /// What was left of it was dropped.
    #[serde(rename = "d", default, skip_serializing_if = "is_default")]
    pub(super) dropped: bool,
    /// It stands in an `all of` that has failed, and counts for nothing.
    #[serde(rename = "x", default, skip_serializing_if = "is_default")]
    pub(super) lost: bool,
    /// No confirmation is waited for any longer.
    #[serde(rename = "h", default, skip_serializing_if = "is_default")]
    pub(super) past_horizon: bool,
    /// Whether quiet hours hold it, once decided.
    #[serde(rename = "q", default, skip_serializing_if = "Option::is_none")]
    pub(super) heeds_quiet: Option<bool>,
    /// Its `if` held, and its `unless` skipped it.
    #[serde(rename = "u", default, skip_serializing_if = "is_default")]
    pub(super) by_unless: bool,
    /// What a channel stage has sent.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub(super) sending: Option<Box<Sending>>,
}

/// Where a stage is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub(super) enum Phase {
    /// Its turn has not come.
    #[default]
    #[serde(rename = "i")]
    Idle,
    /// Its turn has come, and a window holds it until then.
    #[serde(rename = "h")]
    Held(Moment),
    /// A `wait`, until then.
    #[serde(rename = "w")]
    Waiting(Moment),
    /// A group whose members have begun, or a channel that has started.
    #[serde(rename = "o")]
    Open,
    /// At its end: over, skipped, failed or reached.
    #[serde(rename = "e")]
    Over,
}

/// A channel stage that has started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Sending {
    #[serde(rename = "g")]
    pub(super) goal: Confirmation,
    #[serde(rename = "r")]
    pub(super) route: Vec<RouteProvider>,
    #[serde(rename = "a", default, skip_serializing_if = "is_default")]
    pub(super) activity: Activity,
    /// Retries used by the send under way.
    #[serde(rename = "n", default, skip_serializing_if = "is_default")]
    pub(super) retries: u32,
    /// Which places of the route have been tried in this round.
    #[serde(rename = "t", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) tried: Vec<u8>,
    /// Which places answered that they want to be left alone, and until when.
    #[serde(rename = "i", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) limited: Vec<(u8, Moment)>,
    /// A provider of this round answered transient.
    #[serde(rename = "w", default, skip_serializing_if = "is_default")]
    pub(super) transient: bool,
    /// The longest `Retry-After` of this round.
    #[serde(rename = "u", default, skip_serializing_if = "is_default")]
    pub(super) retry_after_ms: i64,
    /// Why the last attempt, or the last send, failed.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<Reason>,
    /// How long the stage has waited in pauses.
    #[serde(rename = "p", default, skip_serializing_if = "is_default")]
    pub(super) paused_ms: i64,
    /// Repetitions that fell due.
    #[serde(rename = "e", default, skip_serializing_if = "is_default")]
    pub(super) repeated: u32,
    /// Resends of the send under way.
    #[serde(rename = "d", default, skip_serializing_if = "is_default")]
    pub(super) resent: u8,
    /// What was sent and not refused.
    #[serde(rename = "s", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) sends: Vec<Send>,
}

/// What a started channel stage is doing, beside waiting for confirmations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub(super) enum Activity {
    /// Nothing.
    #[default]
    #[serde(rename = "n")]
    None,
    /// An attempt is under way.
    #[serde(rename = "c")]
    Calling {
        #[serde(rename = "n")]
        attempt: u32,
        #[serde(rename = "p")]
        place: u8,
        /// How often it was asked or called again to clear up a doubt.
        #[serde(rename = "d", default, skip_serializing_if = "is_default")]
        cleared: u8,
    },
    /// An attempt is in doubt, and is asked or called again then.
    #[serde(rename = "d")]
    Clearing {
        #[serde(rename = "n")]
        attempt: u32,
        #[serde(rename = "p")]
        place: u8,
        #[serde(rename = "d")]
        cleared: u8,
        #[serde(rename = "t")]
        at: Moment,
    },
    /// The route is tried again then.
    #[serde(rename = "r")]
    Retry(Moment),
    /// Every provider left asked to be left alone; the first is free then.
    #[serde(rename = "p")]
    Paused(Moment),
    /// A place with the provider at this place of the route is waited for.
    #[serde(rename = "q")]
    Queued(u8),
    /// A window holds a new round, or the rest of one, until then.
    #[serde(rename = "h")]
    Held {
        #[serde(rename = "t")]
        until: Moment,
        /// What follows then.
        #[serde(rename = "r")]
        round: Round,
    },
}

/// A round of a route's providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Round {
    /// The rest of the one that was begun.
    #[serde(rename = "s")]
    Same,
    /// The next, after a failure of the one before.
    #[serde(rename = "r")]
    Retry,
    /// The first of a new send, on silence.
    #[serde(rename = "e")]
    Repetition,
}

/// An attempt that was not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Send {
    #[serde(rename = "n")]
    pub(super) attempt: u32,
    /// The provider's place in the route.
    #[serde(rename = "p", default, skip_serializing_if = "is_default")]
    pub(super) place: u8,
    #[serde(rename = "s", default, skip_serializing_if = "is_default")]
    pub(super) state: Sent,
    /// The highest confirmation ever seen.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub(super) level: Option<Confirmation>,
    /// How long a confirmation is waited for.
    #[serde(rename = "h")]
    pub(super) horizon: Moment,
    /// A receipt reported a failure, whether or not that changed the state.
    #[serde(rename = "f", default, skip_serializing_if = "is_default")]
    pub(super) reported: bool,
}

/// What became of a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub(super) enum Sent {
    /// Accepted, or in doubt and treated so.
    #[default]
    #[serde(rename = "a")]
    Accepted,
    /// In doubt, and moved on from or sent anew: it counts as a send and is not waited for.
    #[serde(rename = "d")]
    GivenUp,
    /// A receipt reported a failure.
    #[serde(rename = "f")]
    Failed,
}

impl Instance {
    /// The bytes that are kept.
    ///
    /// # Errors
    /// None that can happen: every part of an instance has a JSON form.
    pub fn to_bytes(&self) -> Result<Vec<u8>, InstanceError> {
        Ok(serde_json::to_vec(self)?)
    }

    /// Reads what [`Self::to_bytes`] wrote, for `machine`.
    ///
    /// # Errors
    /// Another format, damage, or another policy than `machine`'s.
    pub fn from_bytes(bytes: &[u8], machine: &Machine) -> Result<Self, InstanceError> {
        #[derive(Deserialize)]
        struct Head {
            f: u16,
        }
        let head: Head = serde_json::from_slice(bytes)?;
        if head.f != FORMAT {
            return Err(InstanceError::Format(head.f));
        }
        let instance: Instance = serde_json::from_slice(bytes)?;
        if instance.stages.len() != machine.stages.len()
            || instance.strategies.len() != machine.strategies.len()
        {
            return Err(InstanceError::OtherPolicy {
                found: instance.stages.len(),
                expected: machine.stages.len(),
            });
        }
        Ok(instance)
    }

    /// The policy version that it runs.
    #[must_use]
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// The number of what `step` did when it was made.
    #[must_use]
    pub fn semantics(&self) -> u16 {
        self.semantics
    }

    /// The message's status by now.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// The message's end; `None` while it runs.
    #[must_use]
    pub fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// Whether any stage has been confirmed so, or more, by now, as the words of guards say it.
    #[must_use]
    pub fn is_confirmed(&self, level: Confirmation) -> bool {
        let confirmed = |run: &StageRun| {
            !run.lost && run.sending.as_deref().is_some_and(|sending| sending.level() >= Some(level))
        };
        self.caller || self.stages.iter().any(confirmed)
    }

    /// When the message was accepted.
    #[must_use]
    pub fn accepted_at(&self) -> Instant {
        self.accepted_at.0
    }

    /// When it expires.
    #[must_use]
    pub fn expires_at(&self) -> Option<Instant> {
        self.expires_at.map(|at| at.0)
    }

    /// Attempts answered accepted or in doubt.
    #[must_use]
    pub fn sends(&self) -> u32 {
        self.sends
    }

    /// What those cost, in millionths.
    #[must_use]
    pub fn cost_micros(&self) -> i64 {
        self.cost
    }

    /// Transitions written by now.
    #[must_use]
    pub fn seq(&self) -> u32 {
        self.seq
    }

    /// The instant of the last event.
    #[must_use]
    pub fn last_at(&self) -> Instant {
        self.last_at.0
    }

    /// Whether nothing of it is another than in `earlier` but the instant of the last event.
    #[must_use]
    pub fn is_but_later_than(&self, earlier: &Instance) -> bool {
        let mut earlier = earlier.clone();
        earlier.last_at = self.last_at;
        *self == earlier
    }

    /// The numbers of the attempts under way, with their providers' names.
    pub fn under_way(&self) -> impl Iterator<Item = (u32, &str)> {
        self.stages.iter().filter_map(|stage| {
            let sending = stage.sending.as_deref()?;
            match sending.activity {
                Activity::Calling { attempt, place, .. } => {
                    sending.route.get(usize::from(place)).map(|provider| (attempt, provider.name.as_str()))
                }
                _ => None,
            }
        })
    }

    pub(super) fn elapsed(&self, at: Instant) -> Span {
        at.since(self.start_at.0)
    }
}
