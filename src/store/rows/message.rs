//! A message, its state, its audit and its attempts.

use crate::model::{Channel, Id, Instant, Outcome, Priority, Status, kinds};
use crate::store::{NodeId, Position};

use super::AddressHash;

/// A message as it was taken in. Written once, never changed.
#[derive(Clone, PartialEq, Eq)]
pub struct MessageRow {
    /// Its id.
    pub id: Id<kinds::Message>,
    /// When it was accepted, on the scope's clock.
    pub created_at: Instant,
    /// When its time is over, on the scope's clock.
    pub expires_at: Option<Instant>,
    /// The contact that it goes to, if it goes to one.
    pub contact: Option<Id<kinds::Contact>>,
    /// The template and its version.
    pub template: Option<Names>,
    /// The policy and its version; none for a strategy of the message's own.
    pub policy: Option<Names>,
    /// How urgent it is.
    pub priority: Priority,
    /// The channels of its stages.
    pub channels: Vec<Channel>,
    /// Everything else about it, in the caller's form, personal data sealed.
    pub doc: Vec<u8>,
    /// The body of the first answer, sealed, so that a replay gives the same bytes.
    pub first_body: Vec<u8>,
}

/// A name and its version, `reminder@7`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Names {
    /// The name.
    pub name: String,
    /// The version, from 1.
    pub version: u32,
}

/// The changing part of a message that has not ended.
#[derive(Clone, PartialEq, Eq)]
pub struct LiveState {
    /// Its status.
    pub status: Status,
    /// When it wants to be looked at next, on the scope's clock; none while only an outcome, a
    /// receipt or a caller can move it.
    pub due_at: Option<Instant>,
    /// The instance.
    pub state: Vec<u8>,
}

/// The final part of a message that has ended.
#[derive(Clone, PartialEq, Eq)]
pub struct EndedState {
    /// Its last status.
    pub status: Status,
    /// When it ended, on the scope's clock.
    pub at: Instant,
    /// The final instance, which takes what comes late.
    pub state: Vec<u8>,
}

/// The state of a stored message.
#[derive(Clone, PartialEq, Eq)]
pub enum MessageState {
    /// On its way.
    Live(LiveState),
    /// Ended.
    Ended(EndedState),
}

impl MessageState {
    /// The status that a caller sees.
    #[must_use]
    pub const fn status(&self) -> Status {
        match self {
            MessageState::Live(live) => live.status,
            MessageState::Ended(ended) => ended.status,
        }
    }
}

/// A message as it is read back.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// Its position, by which its other rows name it.
    pub n: Position,
    /// What was taken in. Empty `first_body` (read it by [`crate::store::ScopeRows::first_body`]).
    pub row: MessageRow,
    /// How many changes its state has seen; the next change expects this number.
    pub version: u32,
    /// Its state.
    pub state: MessageState,
    /// The node that runs its timers and calls, or made its last change.
    pub owner: NodeId,
}

/// A message that wants to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueMessage {
    /// When, on the scope's clock.
    pub at: Instant,
    /// Its position.
    pub n: Position,
    /// Its id.
    pub id: Id<kinds::Message>,
    /// The node that runs it.
    pub owner: NodeId,
}

/// Which messages a list shows. Every field that is set narrows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageFilter {
    /// This status.
    pub status: Option<Status>,
    /// Ended, or not.
    pub ended: Option<bool>,
    /// A stage on this channel.
    pub channel: Option<Channel>,
    /// To this contact.
    pub contact: Option<Id<kinds::Contact>>,
    /// This template, and this version of it where one is given.
    pub template: Option<(String, Option<u32>)>,
    /// This policy, and this version of it where one is given.
    pub policy: Option<(String, Option<u32>)>,
    /// Made later than this.
    pub created_after: Option<Instant>,
    /// Made before this.
    pub created_before: Option<Instant>,
}

/// The transitions of one change.
#[derive(Clone, PartialEq, Eq)]
pub struct JournalRow {
    /// The number of its first transition, from 1 within the message.
    pub seq: u64,
    /// How many transitions it holds.
    pub count: u32,
    /// When, on the scope's clock.
    pub at: Instant,
    /// The input of the step and its transitions with their hashes.
    pub body: Vec<u8>,
    /// The hash of its last transition.
    pub hash: [u8; 32],
}

/// A journal row as it is read back.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredJournal {
    /// Its position.
    pub n: Position,
    /// The position of its message; none for the scope's own.
    pub message: Option<Position>,
    /// The id of its message.
    pub message_id: Option<Id<kinds::Message>>,
    /// The row.
    pub row: JournalRow,
}

/// The intent of one call of a provider. Written once, before the call.
#[derive(Clone, PartialEq, Eq)]
pub struct AttemptRow {
    /// Its id, which the provider gets as idempotency key.
    pub id: Id<kinds::Attempt>,
    /// The name of the provider.
    pub provider: String,
    /// The channel.
    pub channel: Channel,
    /// When it was made, on the scope's clock.
    pub at: Instant,
    /// The keyed hash of the address, by which a reply finds it.
    pub address: Option<AddressHash>,
    /// What the caller wants to know of it later (stage, number, send).
    pub doc: Vec<u8>,
}

/// What came of an attempt. Written once; an attempt in doubt may get a second, later one.
#[derive(Clone, PartialEq, Eq)]
pub struct OutcomeRow {
    /// Which attempt.
    pub attempt: Id<kinds::Attempt>,
    /// The answer.
    pub outcome: Outcome,
    /// The name of the provider that gave it.
    pub provider: String,
    /// The provider's own id of the message, by which a receipt finds it.
    pub provider_message_id: Option<String>,
    /// When, on the scope's clock.
    pub at: Instant,
    /// The provider's words, sealed.
    pub detail: Option<Vec<u8>>,
}

/// An outcome as it is read back.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredOutcome {
    /// Its position.
    pub n: Position,
    /// The row.
    pub row: OutcomeRow,
}

/// An attempt as it is read back, with what came of it so far.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredAttempt {
    /// Its position.
    pub n: Position,
    /// The position of its message.
    pub message: Position,
    /// The id of its message.
    pub message_id: Id<kinds::Message>,
    /// The attempt.
    pub row: AttemptRow,
    /// Its newest outcome, if there is one.
    pub outcome: Option<OutcomeRow>,
}
