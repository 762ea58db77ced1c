//! What can happen to an instance.

use crate::model::{Channel, Confirmation, Instant, Outcome, Span};

use super::facts::Facts;
use super::plan::StageId;

/// Something that happened, when, and what is known at that instant.
#[derive(Clone, Copy)]
pub struct Event<'a> {
    /// When; where it lies before the event before it, that one's instant counts.
    pub at: Instant,
    /// What.
    pub what: What,
    /// What is known of the world at `at`.
    pub facts: &'a dyn Facts,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The message was accepted.
    Accepted,
    /// The earliest of the instance's timers is due: see [`super::next_due`].
    Due,
    /// The attempt of that number, from 1 within the message, was answered.
    Answered {
        /// Which attempt.
        attempt: u32,
        /// How.
        outcome: Outcome,
        /// How long the provider asks to be left alone: of a rate limit, its pause; of a transient
        /// answer, the least delay.
        retry_after: Option<Span>,
    },
    /// A receipt for an attempt says how far it has come.
    Confirmed {
        /// Which attempt.
        attempt: u32,
        /// How far.
        level: Confirmation,
    },
    /// A receipt for an attempt reports a failure after acceptance.
    FailedLater {
        /// Which attempt.
        attempt: u32,
        /// Whose fault it was, where the receipt says so: it is the stage's reason then.
        fault: Option<Outcome>,
    },
    /// The provider that a stage waits for has a free place.
    Ready {
        /// Which stage.
        stage: StageId,
    },
    /// The caller says that the person was reached.
    ConfirmedByCaller {
        /// How far.
        level: Confirmation,
        /// On which channel; `None`: the message as a whole.
        channel: Option<Channel>,
    },
    /// The caller takes the message back.
    Canceled,
}

impl What {
    /// Whether a provider says by it that its attempt failed, so that the next stage may start. What else
    /// is said at the same instant comes before: a start never goes ahead of a receipt of its instant.
    #[must_use]
    pub fn fails(self) -> bool {
        match self {
            What::Answered { outcome, .. } => outcome.fails(),
            What::FailedLater { .. } => true,
            _ => false,
        }
    }
}
