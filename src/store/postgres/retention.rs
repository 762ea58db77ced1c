//! Dropping what is old, a part at a time, each in a transaction of its own.

use std::sync::PoisonError;

use sqlx::Row as _;

use super::column::Key;
use super::error::{Fault, fault};
use super::scope::PgScope;
use crate::store::{Dropped, Old, Position, StoreError};

/// How far each kind of dropping has come.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Drops {
    messages_after: Position,
    events_after: Position,
}

/// Something still to be done with the event `v`: an endpoint has yet to pass it, it is to be tried
/// again, or somebody may want to replay it.
const UNDONE: &str = "(v.n > $1 OR EXISTS (SELECT 1 FROM delivery d WHERE d.event = v.n AND (d.state = 0 OR \
     (d.state = 2 AND EXISTS (SELECT 1 FROM endpoint p WHERE p.id = d.endpoint)))))";
/// Up to which event every endpoint that gets events has passed them.
const PASSED: &str = "coalesce((SELECT min(position) FROM endpoint WHERE enabled), 9223372036854775807)";

/// What is deleted of messages, in an order in which each finds its rows; `$1` holds their positions.
const OF_MESSAGES: [&str; 7] = [
    "DELETE FROM delivery WHERE event IN (SELECT v.n FROM event v WHERE v.message = ANY($1))",
    "DELETE FROM event WHERE message = ANY($1)",
    "DELETE FROM outcome WHERE message = ANY($1)",
    "DELETE FROM attempt WHERE message = ANY($1)",
    "DELETE FROM content WHERE n = ANY($1)",
    "DELETE FROM ended WHERE n = ANY($1)",
    "DELETE FROM message WHERE n = ANY($1)",
];
/// The same of events.
const OF_EVENTS: [&str; 2] =
    ["DELETE FROM delivery WHERE event = ANY($1)", "DELETE FROM event WHERE n = ANY($1)"];

/// The smallest id that is minted at an instant.
fn first_id(ms: i64) -> Key {
    Key((u128::from(ms.unsigned_abs()) << 80).to_be_bytes())
}

impl PgScope {
    /// Drops some of what is old.
    pub(super) async fn dropped(&self, what: Old, limit: u32) -> Result<Dropped, StoreError> {
        match self.drop_part(what, limit).await {
            // Another node is at the same, or a commit was in the way: later.
            Err(Fault::Again(_)) => Ok(Dropped { dropped: 0, more: true }),
            done => done.map_err(Fault::told),
        }
    }

    async fn drop_part(&self, what: Old, limit: u32) -> Result<Dropped, Fault> {
        let failed = |error: sqlx::Error| fault(&error, "a row");
        let drops = *self.drops.lock().unwrap_or_else(PoisonError::into_inner);
        let mut held = self.begin("").await?;
        let passed: i64 =
            held.all(format!("SELECT {PASSED}")).await?.first().map_or(Position::MAX, |row| {
                crate::store::read::decode::get(row, 0).unwrap_or(Position::MIN)
            });
        let (rows, deletes): (_, &[&'static str]) = match what {
            Old::Answers { before } => {
                let sql = "DELETE FROM idempotency WHERE key IN \
                           (SELECT key FROM idempotency WHERE at < $1 LIMIT $2)";
                let done = sqlx::query(sql)
                    .persistent(false)
                    .bind(before.ms())
                    .bind(i64::from(limit))
                    .execute(held.conn()?)
                    .await
                    .map_err(failed)?;
                let dropped = done.rows_affected();
                held.commit().await?;
                return Ok(Dropped { dropped, more: dropped >= u64::from(limit) });
            }
            Old::Messages { ended_before, minted_before } => {
                // A scope's clock is never behind real time, so what ended before an instant of that
                // clock was minted before it: nothing younger is looked at.
                let sql = format!(
                    "SELECT e.n, e.at < $2 AND m.id < $3, \
                       NOT EXISTS (SELECT 1 FROM event v WHERE v.message = e.n AND {UNDONE}) \
                     FROM ended e JOIN message m ON m.n = e.n WHERE e.n > $4 AND e.n <= \
                       (SELECT n FROM message WHERE id < least($3, $5) ORDER BY id DESC LIMIT 1) \
                     ORDER BY e.n LIMIT $6"
                );
                let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
                    .persistent(false)
                    .bind(passed)
                    .bind(ended_before.ms())
                    .bind(first_id(minted_before.ms()))
                    .bind(drops.messages_after)
                    .bind(first_id(ended_before.ms()))
                    .bind(i64::from(limit))
                    .fetch_all(held.conn()?)
                    .await
                    .map_err(failed)?;
                (rows, &OF_MESSAGES)
            }
            Old::Events { before } => {
                let sql = format!(
                    "SELECT v.n, v.at < $2, NOT {UNDONE} FROM event v \
                     WHERE v.n > $3 AND v.n <= $1 ORDER BY v.n LIMIT $4"
                );
                let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
                    .persistent(false)
                    .bind(passed)
                    .bind(before.ms())
                    .bind(drops.events_after)
                    .bind(i64::from(limit))
                    .fetch_all(held.conn()?)
                    .await
                    .map_err(failed)?;
                (rows, &OF_EVENTS)
            }
        };
        let looked: Vec<(Position, bool, bool)> =
            rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
        let going: Vec<Position> =
            looked.iter().filter(|(_, old, done)| *old && *done).map(|row| row.0).collect();
        if !going.is_empty() {
            for sql in deletes {
                let done = sqlx::query(*sql).persistent(false).bind(&going).execute(held.conn()?).await;
                done.map_err(failed)?;
            }
        }
        held.commit().await?;
        let last = looked.last().filter(|_| looked.len() >= limit as usize);
        // Events come in the order of their times: behind one that is not old there is none that is.
        let last = last.filter(|(_, old, _)| *old || matches!(what, Old::Messages { .. }));
        let after = last.map_or(0, |(n, ..)| *n);
        let mut drops = self.drops.lock().unwrap_or_else(PoisonError::into_inner);
        match what {
            Old::Messages { .. } => drops.messages_after = after,
            _ => drops.events_after = after,
        }
        Ok(Dropped { dropped: going.len() as u64, more: last.is_some() })
    }
}
