//! Events on their way to the tenants' endpoints: the outbox's reader.
//!
//! **Knows** signing, the schedule of tries, endpoints and their health, deliveries and dead
//! letters. **Does not know** why an event came to be, what stands in it, or who asked for a replay.
//!
//! Each enabled endpoint has a worker of its own ([`worker`]), so that one that is slow or dead
//! delays no other. A worker reads the events after the endpoint's position, tries each, and writes
//! a delivery once its first try has ended, together with the position, while others are under way:
//! what was tried and not yet written when the process died is tried again. Of several nodes one has
//! the duty of an endpoint ([`duty`]). What follows from a try is decided by one pure
//! function, [`schedule::after`].

mod duty;
mod endpoint;
mod hub;
pub mod letters;
mod rests;
pub mod schedule;
mod send;
mod settle;
mod start;
mod tries;
mod window;
mod worker;
mod write;

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::model::shapes::Event;
use crate::model::{Clock, Ids};
use crate::providers::outbound::Outbound;
use crate::store::rows::StoredEvent;
use crate::store::seal::Scope;
use crate::store::{Peers, StoreError};

pub use crate::providers::signature::Secret;
pub use endpoint::{DisabledBy, Endpoint, EndpointError, Secrets, Wanted};
pub use hub::{Ping, Resting, Webhooks};
pub use tries::{delivery, pending};

/// How stored events are read and written; their form belongs to who writes most of them.
pub trait EventForm: Send + Sync + 'static {
    /// The event as `GET /events/{id}` gives it; without the data of a person who was erased.
    fn read<'a>(
        &'a self,
        scope: &'a Scope,
        event: &'a StoredEvent,
    ) -> BoxFuture<'a, Result<Event, StoreError>>;

    /// The bytes that a row keeps for an event's data in which nothing is personal.
    fn plain(&self, data: &serde_json::Value) -> Vec<u8>;
}

/// Everything that comes in from outside.
#[derive(Clone)]
pub struct Outside {
    /// Real time, and each scope's own.
    pub clock: Arc<dyn Clock>,
    /// Ids of deliveries, events and entries of the audit.
    pub ids: Arc<dyn Ids>,
    /// The form of events.
    pub events: Arc<dyn EventForm>,
    /// How calls leave.
    pub outbound: Outbound,
    /// This node and the others.
    pub peers: Arc<Peers>,
}

/// How much goes on at once for one endpoint, and how many there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// First tries under way at once.
    pub first_tries_max: usize,
    /// Later tries at once; they take no place from the first ones.
    pub later_tries_max: usize,
    /// Endpoints of one scope.
    pub endpoints_max: u32,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { first_tries_max: 32, later_tries_max: 8, endpoints_max: 50 }
    }
}
