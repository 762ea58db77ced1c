//! The tries of a delivery, as rows keep them and as callers see them.

use serde::{Deserialize, Serialize};

use crate::model::shapes::{Delivery, DeliveryStatus, DeliveryTry};
use crate::model::{Id, Instant, kinds};
use crate::store::rows::{DeliveryRow, DeliveryState};

/// The number of the form in which tries are written.
const FORM: u8 = 1;
/// The most tries that are kept; the oldest go. A schedule has ten, and each replay begins one.
const TRIES_KEPT_MAX: usize = 100;

/// One try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Try {
    /// When it began, on the scope's clock.
    pub(super) at: Instant,
    /// The status of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) status_code: Option<u16>,
    /// Why there is no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    /// How long it took, in real time.
    pub(super) duration_ms: u64,
}

/// All tries of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tries {
    form: u8,
    /// How many there were since the schedule began: since the first try, or the last replay.
    scheduled: usize,
    tries: Vec<Try>,
}

impl Tries {
    /// None yet.
    pub(super) const fn none() -> Tries {
        Tries { form: FORM, scheduled: 0, tries: Vec::new() }
    }

    /// From a row. What another program wrote counts as nothing.
    pub(super) fn read(bytes: &[u8]) -> Tries {
        let read = serde_json::from_slice::<Tries>(bytes).ok();
        read.filter(|tries| tries.form == FORM).unwrap_or(Tries::none())
    }

    /// For a row.
    pub(super) fn write(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Adds one; gives its number since the schedule began, from 1.
    pub(super) fn add(&mut self, new: Try) -> usize {
        self.tries.push(new);
        let over = self.tries.len().saturating_sub(TRIES_KEPT_MAX);
        self.tries.drain(..over);
        self.scheduled += 1;
        self.scheduled
    }

    /// The next try is the first of a new schedule.
    pub(super) fn restart(&mut self) {
        self.scheduled = 0;
    }
}

/// A delivery as a caller sees it.
#[must_use]
pub fn delivery(row: &DeliveryRow) -> Delivery {
    Delivery {
        id: row.id,
        event_id: row.event_id,
        endpoint_id: row.endpoint,
        state: match row.state {
            DeliveryState::Pending => DeliveryStatus::Pending,
            DeliveryState::Delivered => DeliveryStatus::Delivered,
            DeliveryState::Dead => DeliveryStatus::Dead,
        },
        tries: Tries::read(&row.tries)
            .tries
            .into_iter()
            .map(|each| DeliveryTry {
                at: each.at,
                status_code: each.status_code,
                error: each.error,
                duration_ms: each.duration_ms,
            })
            .collect(),
        next_try_at: row.next_try_at.filter(|_| row.state == DeliveryState::Pending),
    }
}

/// A delivery of which nothing was tried yet, as a caller sees it: a ping's.
#[must_use]
pub fn pending(
    id: Id<kinds::Delivery>,
    event_id: Id<kinds::Event>,
    endpoint_id: Id<kinds::Endpoint>,
    now: Instant,
) -> Delivery {
    Delivery {
        id,
        event_id,
        endpoint_id,
        state: DeliveryStatus::Pending,
        tries: Vec::new(),
        next_try_at: Some(now),
    }
}
