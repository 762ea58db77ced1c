//! How the statements of a batch are planned, and for how long a plan is kept.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::connect::Held;
use super::error::Fault;

/// How the one statement is planned: once, and not for its values each time, which are whole columns; rows
/// that it changes are found by their keys, however many dead ones stand beside them and however
/// small the table was when it was planned. What is found is joined by hash: a loop was planned for a table
/// without rows, and then compared each row of a batch with all that the scope had.
pub(super) const SETTINGS: &str = "SET LOCAL plan_cache_mode=force_generic_plan;SET LOCAL enable_seqscan=off;\
     SET LOCAL enable_bitmapscan=off;SET LOCAL enable_nestloop=off;SET LOCAL enable_mergejoin=off;";

/// How long a connection keeps its plans. One that was made while a table stood empty looks through all rows
/// that the scope has by now; planning anew takes milliseconds, so that it is not felt once in two seconds.
const KEPT: Duration = Duration::from_secs(2);

/// Has a connection plan anew what it has prepared.
pub(super) const ANEW: &str = "DISCARD PLANS";

/// When each connection of the writers planned last, by its process at the server.
#[derive(Debug, Default)]
pub(super) struct Plans(Mutex<HashMap<i64, Instant>>);

impl Plans {
    /// Has a connection plan anew whose plans are old.
    pub(super) async fn renew(&self, held: &mut Held, process: i64) -> Result<(), Fault> {
        if self.are_old(process, Instant::now()) {
            held.all(ANEW.into()).await?;
        }
        Ok(())
    }

    /// Whether the plans of a connection are to be made anew, which is then noted as done.
    fn are_old(&self, process: i64, now: Instant) -> bool {
        let mut planned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Also forgets connections that are closed.
        planned.retain(|_, at| now.duration_since(*at) < KEPT);
        let is_old = !planned.contains_key(&process);
        if is_old {
            planned.insert(process, now);
        }
        is_old
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_connection_plans_anew_once_in_a_while() {
        let (plans, start) = (Plans::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        assert!(plans.are_old(7, at(0)), "nothing is known of it");
        assert!(plans.are_old(8, at(1_000)), "another one");
        assert!(!plans.are_old(7, at(1_999)));
        assert!(plans.are_old(7, at(2_000)));
        assert!(!plans.are_old(8, at(2_999)));
        assert!(plans.are_old(8, at(3_000)) && !plans.are_old(7, at(3_999)));
    }
}
