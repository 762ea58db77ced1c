//! What a simulated run shows, in the shapes that other tools read.

use schemars::JsonSchema;
use serde::Serialize;

use crate::machine::effect::{Transition, Was};
use crate::machine::instance::Instance;
use crate::machine::plan::Machine;
use crate::model::{Channel, Currency, Instant, Money, Reason, Status};

use super::channel_of;

/// A simulated run.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Timeline {
    /// The policy's name.
    pub policy: String,
    /// What happened, in order.
    pub timeline: Vec<Entry>,
    /// How it ended.
    pub end: End,
    /// Attempts accepted or in doubt.
    pub sends: u32,
    /// What those cost; null without prices.
    pub cost: Option<Money>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Entry {
    /// Milliseconds from acceptance.
    pub at_ms: i64,
    /// `send`, `skip`, `fail`, `accepted`, `in_doubt`, `delivered`, `read`, `replied`, `hold`,
    /// `retry` or `repeat`.
    pub what: &'static str,
    /// The stage's channel.
    pub channel: Channel,
    /// The provider, where one was called or said something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Why a stage was skipped, failed, or is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct End {
    /// Milliseconds from acceptance.
    pub at_ms: i64,
    /// The message's final status.
    pub status: Status,
    /// The channel whose confirmation ended it.
    pub reached_by: Option<Channel>,
    /// Of every stage that has one, in the order of the text; last the policy's own `why`.
    pub reasons: Vec<EndReason>,
}

/// Why a stage ended otherwise than reached.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct EndReason {
    /// Null for the policy's own `why`.
    pub channel: Option<Channel>,
    /// The word, or the policy's own `why`.
    pub reason: String,
}

impl Entry {
    /// What a transition shows; most show nothing.
    #[must_use]
    pub fn of(transition: &Transition, at_ms: i64) -> Option<Entry> {
        let word = |reason: Reason| Some(reason.word().to_owned());
        let reason = transition.reason.and_then(word);
        let (what, provider, reason) = match transition.event {
            Was::Called => ("send", true, None),
            Was::AttemptAccepted => ("accepted", true, None),
            Was::AttemptInDoubt => ("in_doubt", true, None),
            Was::Delivered => ("delivered", true, None),
            Was::Read => ("read", true, None),
            Was::Replied => ("replied", true, None),
            Was::Skipped => ("skip", false, reason),
            Was::Failed => ("fail", false, reason),
            Was::Held => ("hold", false, transition.detail.clone()),
            Was::Paused | Was::Queued => ("hold", false, word(Reason::RateLimited)),
            Was::Retried => ("retry", false, None),
            Was::Repeated => ("repeat", false, None),
            _ => return None,
        };
        let channel = channel_of(transition.moved)?;
        let provider = transition.provider.clone().filter(|_| provider);
        Some(Entry { at_ms, what, channel, provider, reason })
    }
}

impl Timeline {
    pub(super) fn of(
        machine: &Machine,
        instance: &Instance,
        start: Instant,
        timeline: Vec<Entry>,
        currency: Option<Currency>,
    ) -> Timeline {
        use crate::machine::instance::ReachedBy;
        let ended = instance.ended();
        let reached_by = ended.and_then(|ended| match ended.reached_by {
            Some(ReachedBy::Channel(channel)) => Some(channel),
            Some(ReachedBy::Caller) | None => None,
        });
        let reasons = instance.reasons(machine).into_iter().map(|reason| EndReason {
            channel: reason.channel,
            reason: match (reason.reason, reason.detail) {
                (Reason::Otherwise, Some(why)) => why,
                (word, _) => word.word().to_owned(),
            },
        });
        Timeline {
            policy: machine.name().to_owned(),
            timeline,
            end: End {
                at_ms: ended.map_or(instance.last_at(), |ended| ended.at.0).since(start).ms(),
                status: instance.status(),
                reached_by,
                reasons: reasons.collect(),
            },
            sends: instance.sends(),
            cost: currency.map(|currency| Money { micros: instance.cost_micros(), currency }),
        }
    }
}
