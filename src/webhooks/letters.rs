//! Dead letters, and deliveries sent again on request. The caller commits what is given here, with
//! whatever else belongs to its request.

use super::tries::Tries;
use crate::model::{Id, Instant, kinds};
use crate::store::rows::{DeliveryFilter, DeliveryRow, DeliveryState};
use crate::store::seal::Scope;
use crate::store::{Page, PageStart, Put, StoreError};

/// How many rows are read at once.
const PAGE_ROWS: u32 = 500;

/// The most dead letters that one request replays.
pub const REPLAYED_MAX: usize = 10_000;

/// A dead delivery as it is once replayed: pending, one try at once, then the schedule from its
/// start. `None` for one that is not dead. After the commit call [`super::Webhooks::poke`].
#[must_use]
pub fn replayed(row: &DeliveryRow, now: Instant) -> Option<Put<DeliveryRow>> {
    if row.state != DeliveryState::Dead {
        return None;
    }
    let mut tries = Tries::read(&row.tries);
    tries.restart();
    let mut again = row.clone();
    again.state = DeliveryState::Pending;
    again.next_try_at = Some(now);
    again.tries = tries.write();
    Some(Put { row: again, expected: Some(row.version) })
}

/// The dead letters of an endpoint whose events are of `from` or later and before `to`, replayed:
/// at most [`REPLAYED_MAX`], the newest first.
///
/// # Errors
/// Those of reading.
pub async fn replayed_in(
    scope: &Scope,
    endpoint: Id<kinds::Endpoint>,
    from: Instant,
    to: Instant,
    now: Instant,
) -> Result<Vec<Put<DeliveryRow>>, StoreError> {
    let filter = DeliveryFilter {
        endpoint: Some(endpoint),
        state: Some(DeliveryState::Dead),
        event_from: Some(from),
        event_to: Some(to),
    };
    let (mut found, mut start) = (Vec::new(), PageStart::Newest);
    loop {
        let page = scope.deliveries(filter.clone(), Page { start, limit: PAGE_ROWS }).await?;
        found.extend(page.rows.iter().filter_map(|each| replayed(&each.row, now)));
        match page.rows.last() {
            Some(last) if page.has_more && found.len() < REPLAYED_MAX => start = PageStart::After(last.n),
            _ => break,
        }
    }
    found.truncate(REPLAYED_MAX);
    Ok(found)
}
