//! The rows of a scope, as they are handed in and given back.
//!
//! A field called `doc`, `state`, `body` or `data` holds bytes that the store does not read. What
//! is personal in them was sealed by the caller (see [`crate::store::seal`]).

mod message;
mod objects;
mod outbox;
mod records;

pub use message::{
    AttemptRow, DueMessage, EndedState, JournalRow, LiveState, MessageFilter, MessageRow, MessageState,
    Names, OutcomeRow, StoredAttempt, StoredJournal, StoredMessage, StoredOutcome,
};
pub use objects::{
    ConsentRow, ContactRow, EndpointRow, ProviderRow, ProviderStateRow, QuotaRow, UsageRow, UsageWindow,
    VersionKind, VersionName, VersionRow,
};
pub use outbox::{DeliveryFilter, DeliveryRow, DeliveryState, EventFilter, EventRow, StoredEvent};
pub use records::{
    AddressHash, AuditRow, ClockRow, EarlyReceiptRow, IdempotencyKey, Kept, KeptAnswer, NewAudit, SignalRow,
    StoredSignal, SubjectId,
};
