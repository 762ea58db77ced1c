//! What the writer of a scope and its readers both see.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use crate::store::lookup::Tail;
use crate::store::{Position, StoreError};

/// Shared by writer and readers of one scope.
pub(super) struct Shared {
    /// Look-ups that are in memory.
    pub(super) tail: Tail,
    /// The newest durable event.
    pub(super) newest_event: watch::Sender<Position>,
    failure: Mutex<Option<StoreError>>,
}

impl Shared {
    pub(super) fn new(newest_event: Position) -> Shared {
        Shared {
            tail: Tail::default(),
            newest_event: watch::Sender::new(newest_event),
            failure: Mutex::default(),
        }
    }

    /// What made the store refuse all further changes.
    pub(super) fn failure(&self) -> Option<StoreError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on every change is refused.
    pub(super) fn fail(&self, error: StoreError) {
        tracing::error!(%error, "a commit failed, no more changes are taken");
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}
