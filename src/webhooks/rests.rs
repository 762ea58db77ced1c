//! Whether the workers of a scope have something to do.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::model::{Id, Instant, kinds};

/// Whether each worker of a scope rests, and until when.
#[derive(Debug, Default)]
pub(super) struct Rests(Mutex<HashMap<Id<kinds::Endpoint>, Rest>>);

/// What a worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// It has something to do now.
    Busy,
    /// It waits for an event, or for this instant on the scope's clock.
    Until(Option<Instant>),
}

impl Rests {
    /// Notes what a worker does; none where it has ended.
    pub(super) fn set(&self, id: Id<kinds::Endpoint>, rest: Option<Rest>) {
        let mut rests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match rest {
            Some(rest) => rests.insert(id, rest),
            None => rests.remove(&id),
        };
    }

    /// Of all workers together.
    pub(super) fn all(&self) -> Rest {
        let rests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut earliest = None;
        for rest in rests.values() {
            match (rest, earliest) {
                (Rest::Busy, _) => return Rest::Busy,
                (Rest::Until(Some(at)), Some(known)) if *at > known => {}
                (Rest::Until(Some(at)), _) => earliest = Some(*at),
                (Rest::Until(None), _) => {}
            }
        }
        Rest::Until(earliest)
    }
}
