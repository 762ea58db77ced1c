//! What is written at once.

use crate::model::{Id, Instant, kinds};

use super::rows::{
    AddressHash, AttemptRow, ClockRow, ConsentRow, ContactRow, DeliveryRow, DeliveryState, EarlyReceiptRow,
    EndedState, EndpointRow, EventRow, IdempotencyKey, JournalRow, Kept, LiveState, MessageRow, NewAudit,
    OutcomeRow, ProviderRow, ProviderStateRow, QuotaRow, SignalRow, SubjectId, UsageWindow, VersionKind,
    VersionRow,
};
use super::{Generation, Position};
use crate::model::Channel;

/// One atomic unit: all of it is written, or nothing. Start from `Change::default()` and fill in
/// what there is.
#[derive(Default)]
pub struct Change {
    /// The record of the idempotency key under which this is asked for. If the key is known
    /// already, nothing of the change is written and the answer is [`Committed::Replayed`].
    pub keep: Option<KeepAnswer>,
    /// Messages that begin, go on or end, with all that belongs to each.
    pub messages: Vec<MessageChange>,
    /// Events that belong to no message.
    pub events: Vec<EventRow>,
    /// Transitions of the scope itself.
    pub journal: Vec<JournalRow>,
    /// Added to the counters of the quotas.
    pub usage: Vec<UsageDelta>,
    /// Health of providers. On a shared store each says which version it follows, and another one in
    /// the row is a conflict; elsewhere the last one of a name wins.
    pub provider_states: Vec<ProviderStateRow>,
    /// Limits of quotas; the last one of a name wins.
    pub quotas: Vec<QuotaRow>,
    /// Contacts.
    pub contacts: Vec<ContactChange>,
    /// Consent by address.
    pub consents: Vec<ConsentChange>,
    /// Templates and policies.
    pub versions: Vec<VersionChange>,
    /// Providers.
    pub providers: Vec<ProviderChange>,
    /// Webhook endpoints.
    pub endpoints: Vec<EndpointChange>,
    /// Deliveries.
    pub deliveries: Vec<Put<DeliveryRow>>,
    /// Freshly made keys of subjects: id and sealed key. A subject whose key is there already in
    /// the same bytes is left as it is; other bytes are a conflict.
    pub subjects: Vec<(SubjectId, Vec<u8>)>,
    /// Subjects whose keys are destroyed. The answer comes after the bytes have left the files.
    pub erased: Vec<SubjectId>,
    /// Receipts that came too early.
    pub early_receipts: Vec<EarlyReceiptRow>,
    /// Early receipts that were matched: provider and provider's message id.
    pub early_receipts_taken: Vec<(String, String)>,
    /// The scope's clock.
    pub clock: Option<ClockRow>,
    /// Entries for the scope's audit, chained by the store.
    pub audit: Vec<NewAudit>,
    /// The generation under which this was decided. A shared store writes nothing where it has
    /// moved ([`super::StoreError::Stale`]). Not looked at where there is one node alone, as is
    /// nothing of what follows.
    pub seen: Option<Generation>,
    /// Duties of this node without which this must not be written: a conflict where one is gone.
    pub claims: Vec<String>,
    /// What the owners of messages shall carry out.
    pub signals: Vec<SignalRow>,
    /// Signals that are carried out with this: a conflict where one is gone already.
    pub signals_done: Vec<Position>,
}

/// The answer that is kept under an idempotency key.
pub type KeepAnswer = Kept;

/// One message's part of a change.
pub struct MessageChange {
    /// What becomes of it.
    pub step: MessageStep,
    /// Its transitions.
    pub journal: Vec<JournalRow>,
    /// Its events.
    pub events: Vec<EventRow>,
    /// Intents of calls.
    pub attempts: Vec<AttemptRow>,
    /// What came of calls.
    pub outcomes: Vec<OutcomeRow>,
}

impl MessageChange {
    /// With nothing yet but the step.
    #[must_use]
    pub const fn new(step: MessageStep) -> MessageChange {
        MessageChange {
            step,
            journal: Vec::new(),
            events: Vec::new(),
            attempts: Vec::new(),
            outcomes: Vec::new(),
        }
    }
}

/// What becomes of a message. A message has a live state or an ended one, never both and never
/// none. `expected` is the version that the caller has seen; the store writes `expected + 1`, and
/// another version in the row is a [`super::StoreError::Conflict`].
pub enum MessageStep {
    /// It is taken in, with version 1, and is on its way.
    Begin(Box<MessageRow>, LiveState),
    /// It is taken in, with version 1, and ends at once.
    BeginEnded(Box<MessageRow>, EndedState, Unsettled),
    /// It goes on.
    Go {
        /// The message.
        n: Position,
        /// The version seen.
        expected: u32,
        /// The new state.
        live: LiveState,
    },
    /// It ends.
    End {
        /// The message.
        n: Position,
        /// The version seen.
        expected: u32,
        /// The final state.
        ended: EndedState,
        /// What is still to come of it.
        unsettled: Unsettled,
    },
    /// It has ended, and takes what came late.
    Amend {
        /// The message.
        n: Position,
        /// The version seen.
        expected: u32,
        /// The new final state.
        ended: EndedState,
        /// What is still to come of it.
        unsettled: Unsettled,
    },
    /// Its state stays as it is; only rows are added.
    Stay {
        /// The message.
        n: Position,
    },
}

/// When a message that has ended is to be looked at once more: a call of it is open, or a script has yet
/// to say something. `None` once it is settled.
pub type Unsettled = Option<Instant>;

impl MessageStep {
    /// The message, where it stands already.
    #[must_use]
    pub const fn of(&self) -> Option<Position> {
        match self {
            MessageStep::Begin(..) | MessageStep::BeginEnded(..) => None,
            MessageStep::Go { n, .. }
            | MessageStep::End { n, .. }
            | MessageStep::Amend { n, .. }
            | MessageStep::Stay { n } => Some(*n),
        }
    }
}

/// A row that is made, or changed under a version. The store gives the row's version itself.
#[derive(Clone)]
pub struct Put<T> {
    /// The row as it shall be.
    pub row: T,
    /// `None`: it must be new. `Some(version)`: it must stand with this version.
    pub expected: Option<u32>,
}

/// What is added to a counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageDelta {
    /// `messages`, or a channel's name.
    pub name: String,
    /// Which window.
    pub window: UsageWindow,
    /// When the window began.
    pub start: Instant,
    /// How much; negative gives back.
    pub add: i64,
    /// A threshold in percent that this change tells, 0 for none; the highest is kept. On a shared
    /// store it is [`super::StoreError::Stale`] where one as high was told already: each is told once.
    pub told_percent: u8,
    /// Places that calls under way take; negative gives back. They are counted by `name` alone,
    /// whatever the window: a change names them in one of its deltas. Counted on a shared store alone:
    /// a single node has them in memory.
    pub held: i64,
    /// What must not be exceeded by what is used in this window and all that is held of `name`, after
    /// the whole change ([`super::StoreError::Stale`]). Given where the change takes something, be it
    /// in this delta or in another of the name. Looked at on a shared store alone.
    pub limit: Option<u64>,
}

/// A contact is written or goes.
pub enum ContactChange {
    /// Made or changed.
    Put(Put<ContactRow>),
    /// Gone, if it stands with this version.
    Delete(Id<kinds::Contact>, u32),
}

/// A consent is written or goes.
pub enum ConsentChange {
    /// It stands from now on.
    Put(ConsentRow),
    /// Nothing is known any more.
    Delete(Channel, AddressHash),
}

/// A version is published, or a name goes.
pub enum VersionChange {
    /// The next version of a name. Its number must be one more than the newest that there was,
    /// else it is a conflict.
    Publish(VersionKind, VersionRow),
    /// The name goes, if this is its newest version. Its versions stay for those who use them.
    Delete(VersionKind, String, u32),
}

/// A provider is written or goes.
pub enum ProviderChange {
    /// Made or changed.
    Put(Put<ProviderRow>),
    /// Gone, if it stands with this version.
    Delete(Id<kinds::Provider>, u32),
}

/// A webhook endpoint is written, reads on, or goes.
pub enum EndpointChange {
    /// Made or changed. `position` is looked at only when it is made: [`Position::MAX`] stands for
    /// the newest event, that of this change not counted.
    Put(Put<EndpointRow>),
    /// Made, where the scope has fewer than so many; a conflict where it has as many already.
    Make(EndpointRow, u32),
    /// Events up to this position were taken up. A position never goes back. A conflict where the
    /// endpoint is gone, so that no delivery of it is written any more.
    Advance(Id<kinds::Endpoint>, Position),
    /// All its pending deliveries get this state.
    SettlePending(Id<kinds::Endpoint>, DeliveryState),
    /// Gone with its pending deliveries, if it stands with this version.
    Delete(Id<kinds::Endpoint>, u32),
}

/// The answer to a change.
#[derive(Clone)]
pub enum Committed {
    /// It is written and durable.
    Applied(Applied),
    /// Its idempotency key was known: nothing was written, and this is the record that stands.
    Replayed(Box<Kept>),
}

/// Where a change was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// The positions of the messages that begin, in the order of the change.
    pub messages: Vec<Position>,
    /// The position of the first event of the change, 0 without one. They stand in a row: first
    /// those of the messages, in order, then those without a message.
    pub first_event: Position,
    /// How many events the change has.
    pub events: u32,
    /// The positions of its signals.
    pub signals: Vec<Position>,
}

impl Committed {
    /// The positions, or `None` for a replay.
    #[must_use]
    pub const fn applied(&self) -> Option<&Applied> {
        match self {
            Committed::Applied(applied) => Some(applied),
            Committed::Replayed(_) => None,
        }
    }
}

impl Change {
    /// A change that keeps this answer.
    #[must_use]
    pub fn keeping(kept: Kept) -> Change {
        Change { keep: Some(kept), ..Change::default() }
    }

    /// Whether it makes an endpoint, which the others of the scope are counted for.
    pub(super) fn makes_endpoints(&self) -> bool {
        self.endpoints.iter().any(|change| matches!(change, EndpointChange::Make(..)))
    }

    /// The idempotency key, if there is one.
    #[must_use]
    pub fn key(&self) -> Option<IdempotencyKey> {
        self.keep.as_ref().map(|kept| kept.key)
    }
}
