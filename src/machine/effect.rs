//! What is to be done, told and written down after a step.

use crate::model::{Channel, Instant, Reason, StageState, Status};

use super::plan::StageId;

/// One thing that follows from an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Call a provider.
    Call {
        /// For which stage.
        stage: StageId,
        /// The number of the attempt, from 1 within the message.
        attempt: u32,
        /// The provider's name.
        provider: String,
        /// When the message is no longer worth delivering.
        valid_until: Option<Instant>,
    },
    /// Call the provider again for an attempt in doubt, under the same idempotency key.
    CallAgain {
        /// The number of the attempt.
        attempt: u32,
        /// The provider's name.
        provider: String,
    },
    /// Ask the provider what became of an attempt in doubt.
    LookUp {
        /// The number of the attempt.
        attempt: u32,
        /// The provider's name.
        provider: String,
    },
    /// The stage waits for a place with this provider; tell it by [`super::What::Ready`].
    Queue {
        /// Which stage.
        stage: StageId,
        /// The provider's name.
        provider: String,
    },
    /// Write down a transition.
    Transition(Transition),
    /// Tell those who listen.
    Tell(Told),
}

/// The effects of one step, in their order. They must be looked at: what is not done is lost.
#[must_use = "an effect that is not looked at is a send, a timer or an audit record that is lost"]
#[derive(Debug, Default, PartialEq)]
pub struct Effects(Vec<Effect>);

impl Effects {
    pub(super) fn push(&mut self, effect: Effect) {
        self.0.push(effect);
    }

    /// Whether nothing is to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The effects, to look at.
    pub fn iter(&self) -> std::slice::Iter<'_, Effect> {
        self.0.iter()
    }
}

impl IntoIterator for Effects {
    type Item = Effect;
    type IntoIter = std::vec::IntoIter<Effect>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// One change of state, or one thing on record that changed none (`from` equals `to`).
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    /// From 1 within the message, without gaps.
    pub seq: u32,
    /// When.
    pub at: Instant,
    /// What happened.
    pub event: Was,
    /// The states before and after.
    pub moved: Moved,
    /// The provider, where one was called or answered.
    pub provider: Option<String>,
    /// The number of the attempt, where it is about one.
    pub attempt: Option<u32>,
    /// Why, where there is a reason.
    pub reason: Option<Reason>,
    /// Our own words: a guard's text, which name was missing. Never a value.
    pub detail: Option<String>,
}

/// Whose state a transition is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// A channel stage's.
    Stage {
        /// Which.
        stage: StageId,
        /// Its number among the channel stages.
        number: u16,
        /// Its channel.
        channel: Channel,
        /// Before.
        from: StageState,
        /// After.
        to: StageState,
    },
    /// The message's.
    Message {
        /// Before; `None` when it is made.
        from: Option<Status>,
        /// After.
        to: Status,
    },
}

macro_rules! was {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)+) => {
        /// What a transition is about: the closed list of the audit.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Was { $($(#[$doc])* $variant,)+ }

        impl Was {
            /// All of them.
            pub const ALL: &'static [Was] = &[$(Was::$variant,)+];
            /// Their spellings, in the same order.
            pub const WORDS: &'static [&'static str] = &[$($word,)+];

            /// How it is spelt in the audit.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Was::$variant => $word,)+ }
            }
        }
    };
}

was! {
    /// The message was accepted.
    Accepted = "message_accepted",
    /// The clocks of the message start, at its `send_at`.
    Begun = "message_begun",
    /// `contact.timezone` was missing or unknown, and another zone counted.
    ZoneAssumed = "zone_assumed",
    /// A stage's guard was decided in its favour.
    GuardPassed = "guard_passed",
    /// A stage was skipped by its guard.
    Skipped = "stage_skipped",
    /// A stage that is due waits for a window, or for the start of the message.
    Held = "stage_held",
    /// A stage waits for a provider that asked to be left alone.
    Paused = "provider_paused",
    /// A stage waits for a place with a provider.
    Queued = "provider_busy",
    /// A provider is called.
    Called = "attempt_started",
    /// A provider is called again for the same attempt, or asked about it.
    CalledAgain = "attempt_repeated",
    /// A provider accepted.
    AttemptAccepted = "attempt_accepted",
    /// Nobody knows whether a provider accepted.
    AttemptInDoubt = "attempt_in_doubt",
    /// A provider refused.
    AttemptRefused = "attempt_refused",
    /// The route is to be tried again.
    RetryScheduled = "retry_scheduled",
    /// The route is tried again.
    Retried = "retry_started",
    /// The stage is sent again on silence.
    Repeated = "repetition_started",
    /// A repetition fell due while the send before was still being tried.
    RepetitionLost = "repetition_lost",
    /// A send has failed, and the stage with it has not: another send of it waits, or is to come.
    SendFailed = "send_failed",
    /// A receipt confirmed delivery.
    Delivered = "receipt_delivered",
    /// A receipt confirmed reading.
    Read = "receipt_read",
    /// A reply came.
    Replied = "receipt_replied",
    /// A receipt reported a failure.
    ReceiptFailed = "receipt_failed",
    /// The caller confirmed.
    ConfirmedByCaller = "confirmed_by_caller",
    /// A stage came to its goal.
    Reached = "stage_reached",
    /// A stage failed, or could not run.
    Failed = "stage_failed",
    /// The stage after it started first.
    Overtaken = "stage_overtaken",
    /// What was left of a stage was dropped.
    Dropped = "stage_dropped",
    /// No confirmation is waited for any longer.
    HorizonPassed = "horizon_passed",
    /// The message now counts as sent.
    MessageSent = "message_sent",
    /// The message now counts as delivered.
    MessageDelivered = "message_delivered",
    /// The message ended.
    MessageEnded = "message_ended",
}

/// What is told to the tenant's webhook endpoints.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// `message.created`
    Created,
    /// `message.sent`: an attempt was accepted.
    Sent {
        /// For which stage.
        stage: StageId,
        /// Which attempt.
        attempt: u32,
    },
    /// `message.delivered`
    Delivered {
        /// By which stage; `None` where the caller confirmed the message as a whole.
        stage: Option<StageId>,
        /// By which attempt of it.
        attempt: Option<u32>,
    },
    /// `message.read`
    Read {
        /// On which stage.
        stage: StageId,
        /// Which attempt.
        attempt: u32,
    },
    /// `message.replied`
    Replied {
        /// On which stage.
        stage: StageId,
        /// Which attempt.
        attempt: u32,
    },
    /// `message.duplicate_delivery`
    DuplicateDelivery {
        /// The later one.
        stage: StageId,
        /// Its attempt.
        attempt: u32,
        /// The one before.
        other_stage: StageId,
        /// Its attempt.
        other_attempt: u32,
    },
    /// `message.unconfirmed`
    Unconfirmed,
    /// `message.failed`
    Failed,
    /// `message.canceled`
    Canceled,
    /// `message.expired`
    Expired,
}
