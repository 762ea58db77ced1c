//! Events and their way to the tenants' endpoints.

use crate::model::{Id, Instant, kinds};
use crate::store::Position;

/// Something that happened. Written once.
#[derive(Clone, PartialEq, Eq)]
pub struct EventRow {
    /// Its id.
    pub id: Id<kinds::Event>,
    /// Its type, `message.sent`.
    pub kind: String,
    /// When, on the scope's clock.
    pub at: Instant,
    /// From 1 within a message; none for an event without one.
    pub sequence: Option<u64>,
    /// Its data in the caller's form, personal data sealed.
    pub data: Vec<u8>,
}

/// An event as it is read back.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its position.
    pub n: Position,
    /// The position of its message.
    pub message: Option<Position>,
    /// The id of its message.
    pub message_id: Option<Id<kinds::Message>>,
    /// The row.
    pub row: EventRow,
}

/// Which events a list shows. Every field that is set narrows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// A type, or its first part and a star, `message.*`.
    pub kind: Option<String>,
    /// Of this message.
    pub message: Option<Id<kinds::Message>>,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    /// To be tried again.
    Pending,
    /// The endpoint took it.
    Delivered,
    /// All tries are used up, or the endpoint was disabled.
    Dead,
}

/// An event on its way to an endpoint. Written once its first try has ended; changed in place only
/// while it is tried again.
#[derive(Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// Its id.
    pub id: Id<kinds::Delivery>,
    /// The position of its event.
    pub event: Position,
    /// The id of its event.
    pub event_id: Id<kinds::Event>,
    /// The time of its event, on the scope's clock; a replay by range goes by it.
    pub event_at: Instant,
    /// The endpoint.
    pub endpoint: Id<kinds::Endpoint>,
    /// How often it was written; given by the store, from 1.
    pub version: u32,
    /// Where it stands.
    pub state: DeliveryState,
    /// When it is tried next, on the scope's clock.
    pub next_try_at: Option<Instant>,
    /// Its tries, in the caller's form.
    pub tries: Vec<u8>,
}

/// Which deliveries a list shows. Every field that is set narrows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Of this endpoint.
    pub endpoint: Option<Id<kinds::Endpoint>>,
    /// In this state.
    pub state: Option<DeliveryState>,
    /// Whose event is of this time or later.
    pub event_from: Option<Instant>,
    /// Whose event is of a time before this.
    pub event_to: Option<Instant>,
}
