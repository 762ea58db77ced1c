//! Dropping what is old, a part at a time, each in one statement and one transaction.
//!
//! One statement sees the rows as of one moment, so that what is decided and what is dropped are the
//! same. A message that somebody changes meanwhile has another version afterwards, and stays.

use std::sync::PoisonError;

use super::error::Fault;
use super::scope::PgScope;
use crate::store::read::decode::get;
use crate::store::{Dropped, Old, Position, StoreError};

/// How far each kind of dropping has come.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Drops {
    messages: Position,
    events: Position,
}

/// Something still to be done with the event `v`.
const UNDONE: &str = "(v.n > (SELECT n FROM passed) OR EXISTS (SELECT FROM delivery d WHERE d.event = v.n \
     AND (d.state = 0 OR (d.state = 2 AND EXISTS (SELECT FROM endpoint p WHERE p.id = d.endpoint)))))";
/// Up to which event every endpoint that gets events has passed them.
const PASSED: &str = "passed AS MATERIALIZED (SELECT coalesce(min(position), 9223372036854775807) AS n \
     FROM endpoint WHERE enabled)";
/// What was dropped, what was looked at, and the last of that with whether it is old.
const ANSWER: &str = "SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM looked), \
     (SELECT n FROM looked ORDER BY n DESC LIMIT 1), coalesce((SELECT old FROM looked ORDER BY n DESC LIMIT 1), false)";

impl PgScope {
    pub(super) async fn dropped(&self, what: Old, limit: u32) -> Result<Dropped, StoreError> {
        match self.drop_part(what, limit).await {
            // Somebody else is at these rows: the next pass comes to them.
            Err(Fault::Again(_)) => Ok(Dropped::default()),
            done => done.map_err(Fault::told),
        }
    }

    async fn drop_part(&self, what: Old, limit: u32) -> Result<Dropped, Fault> {
        let after = *self.drops.lock().unwrap_or_else(PoisonError::into_inner);
        let settled = match self.has_unsettled() {
            true => "AND NOT EXISTS (SELECT FROM unsettled u WHERE u.n = e.n)",
            false => "",
        };
        let sql = match what {
            Old::Messages { ended_before, minted_before } => {
                let (ended, minted) = (ended_before.ms(), minted_before.ms());
                // A scope's clock is never behind real time: what ended before an instant of that clock
                // was minted before it.
                let (bound, last) = (first_id(minted), first_id(minted.min(ended)));
                format!(
                    "WITH {PASSED}, last AS MATERIALIZED (SELECT n FROM message WHERE id < '{last}' ORDER BY id DESC LIMIT 1), \
                     looked AS MATERIALIZED (SELECT e.n, e.version, e.at < {ended} AND m.id < '{bound}' AS old, \
                       NOT EXISTS (SELECT FROM event v WHERE v.message = e.n AND {UNDONE}) \
                         {settled} AS done \
                       FROM ended e JOIN message m ON m.n = e.n \
                       WHERE e.n > {} AND e.n <= (SELECT n FROM last) ORDER BY e.n LIMIT {limit}), \
                     gone AS (DELETE FROM ended USING looked l WHERE ended.n = l.n AND ended.version = l.version \
                       AND l.old AND l.done RETURNING ended.n), \
                     events AS (DELETE FROM event USING gone WHERE event.message = gone.n RETURNING event.n), \
                     deliveries AS (DELETE FROM delivery USING events WHERE delivery.event = events.n), \
                     outcomes AS (DELETE FROM outcome USING gone WHERE outcome.message = gone.n), \
                     attempts AS (DELETE FROM attempt USING gone WHERE attempt.message = gone.n), \
                     contents AS (DELETE FROM content USING gone WHERE content.n = gone.n), \
                     messages AS (DELETE FROM message USING gone WHERE message.n = gone.n) {ANSWER}",
                    after.messages
                )
            }
            Old::Events { before } => format!(
                "WITH {PASSED}, looked AS MATERIALIZED (SELECT v.n, v.at < {} AS old, NOT {UNDONE} AS done \
                   FROM event v WHERE v.n > {} AND v.n <= (SELECT n FROM passed) ORDER BY v.n LIMIT {limit}), \
                 gone AS (DELETE FROM event USING looked l WHERE event.n = l.n AND l.old AND l.done RETURNING event.n), \
                 deliveries AS (DELETE FROM delivery USING gone WHERE delivery.event = gone.n) {ANSWER}",
                before.ms(),
                after.events
            ),
            Old::Answers { before } => format!(
                "WITH looked AS MATERIALIZED (SELECT key, 0::int8 AS n, true AS old FROM idempotency WHERE at < {} \
                   LIMIT {limit}), \
                 gone AS (DELETE FROM idempotency USING looked l WHERE idempotency.key = l.key RETURNING 1) {ANSWER}",
                before.ms()
            ),
        };
        let mut held = self.begin("").await?;
        let rows = held.all(sql).await?;
        held.commit().await?;
        let Some(row) = rows.first() else { return Ok(Dropped::default()) };
        let (dropped, looked): (i64, i64) = (get(row, 0)?, get(row, 1)?);
        let (last, old): (Option<Position>, bool) = (get(row, 2)?, get(row, 3)?);
        // Events come in the order of their times: behind one that is not old there is none that is.
        let goes_on = looked >= i64::from(limit) && (old || matches!(what, Old::Messages { .. }));
        let reached = if goes_on { last.unwrap_or_default() } else { 0 };
        let mut drops = self.drops.lock().unwrap_or_else(PoisonError::into_inner);
        match what {
            Old::Messages { .. } => drops.messages = reached,
            Old::Events { .. } => drops.events = reached,
            Old::Answers { .. } => {}
        }
        Ok(Dropped { dropped: dropped.unsigned_abs(), more: goes_on })
    }
}

/// The smallest id that is minted at an instant, as a uuid.
fn first_id(ms: i64) -> String {
    format!("{:012x}00000000000000000000", ms.unsigned_abs())
}
