//! The engine: intake, driving of instances, timers, dispatch, receipts, recovery.
//!
//! **Knows** what a message's machine asks for, when it is due, and which provider is to be called.
//! **Does not know** HTTP of our own surface, SQL, and how a provider is spoken to.

pub mod content;
pub mod front;
pub mod ids;
pub mod records;
