//! The shapes that callers send and read: one struct is both the validator of a request and its
//! schema.
//!
//! A constraint lives in a type of its own (see [`text`]), since a schema drops one that stands on
//! a field of another type. A field without a value is `null`, never left out.

mod contact;
mod event;
mod message;
mod object;
pub mod text;

pub use contact::{Addresses, Consent, ConsentState, Contact};
pub use event::{Event, EventType, MessageEventData, known_event_type};
pub use message::{
    Attempt, ChannelContent, Channels, Confirm, ConfirmGoal, Content, Message, MessageReason, ReachedBy,
    SendMessage, Stage, TestReply, Transition, TransitionEvent,
};
pub use object::{
    Breaker, BreakerState, Delivery, DeliveryStatus, DeliveryTry, Quota, QuotaName, QuotaUse, TestClock,
};
