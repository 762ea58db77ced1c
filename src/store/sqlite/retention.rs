//! Dropping what is old, a part at a time, on the writer's connection.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::desk::Desk;
use super::error::write_error;
use crate::store::{Dropped, Old, Position, StoreError};

/// How many look-ups are gone through at once for those whose rows were dropped.
const SWEEP_ENTRIES: i64 = 2_000;

/// How far each kind of dropping has come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drops {
    messages_after: Position,
    events_after: Position,
    /// While the look-ups are gone through: the last one that was, by kind, hash, position.
    swept: Option<(i64, i64, i64)>,
    /// Rows were dropped since that began, so that look-ups may lead nowhere.
    stale: bool,
}

impl Default for Drops {
    fn default() -> Drops {
        Drops { messages_after: 0, events_after: 0, swept: None, stale: true }
    }
}

/// Before the first look-up that is swept so: the answers' are swept by themselves.
const FIRST: (i64, i64, i64) = (0, i64::MAX, i64::MAX);

/// Something still to be done with the event `v`: an endpoint has yet to pass it, it is to be tried
/// again, or somebody may want to replay it.
const UNDONE: &str = "(v.n > $3 OR EXISTS (SELECT 1 FROM delivery d WHERE d.event = v.n AND (d.state = 0 OR \
     (d.state = 2 AND EXISTS (SELECT 1 FROM endpoint p WHERE p.id = d.endpoint)))))";

/// What is deleted of messages, in an order in which each finds its rows; `$1` holds their positions.
const OF_MESSAGES: [&str; 7] = [
    "DELETE FROM delivery WHERE event IN (SELECT v.n FROM event v WHERE v.message IN (SELECT value FROM json_each($1)))",
    "DELETE FROM event WHERE message IN (SELECT value FROM json_each($1))",
    "DELETE FROM outcome WHERE message IN (SELECT value FROM json_each($1))",
    "DELETE FROM attempt WHERE message IN (SELECT value FROM json_each($1))",
    "DELETE FROM content WHERE n IN (SELECT value FROM json_each($1))",
    "DELETE FROM ended WHERE n IN (SELECT value FROM json_each($1))",
    "DELETE FROM message WHERE n IN (SELECT value FROM json_each($1))",
];

/// The same of events.
const OF_EVENTS: [&str; 2] = [
    "DELETE FROM delivery WHERE event IN (SELECT value FROM json_each($1))",
    "DELETE FROM event WHERE n IN (SELECT value FROM json_each($1))",
];

/// One row that was looked at.
struct Looked {
    n: Position,
    /// Old enough.
    old: bool,
    /// Nothing is still to be done with it.
    done: bool,
}

fn looked(row: &SqliteRow) -> Looked {
    Looked { n: row.get(0), old: row.get(1), done: row.get(2) }
}

/// The smallest id that is minted at an instant.
fn first_id(ms: i64) -> [u8; 16] {
    (u128::from(ms.unsigned_abs()) << 80).to_be_bytes()
}

impl Desk {
    /// Drops some of what is old.
    pub(super) async fn drop_old(&mut self, what: Old, limit: u32) -> Result<Dropped, StoreError> {
        if let Some(error) = self.shared.failure() {
            return Err(error);
        }
        let dropped = self.drop_part(what, limit).await;
        if let Err(error) = &dropped {
            // The connection may have rolled back by itself; then this says so and does nothing.
            let _ = sqlx::query("ROLLBACK").execute(&mut self.conn).await;
            if matches!(error, StoreError::Failed { .. }) {
                self.shared.fail(error.clone());
            }
        }
        dropped
    }

    async fn drop_part(&mut self, what: Old, limit: u32) -> Result<Dropped, StoreError> {
        self.run("BEGIN IMMEDIATE").await?;
        let (rows, deletes): (Vec<Looked>, &[&'static str]) = match what {
            Old::Messages { ended_before, minted_before } => {
                let minted = first_id(minted_before.ms());
                (self.old_messages(ended_before.ms(), minted, limit).await?, &OF_MESSAGES)
            }
            Old::Events { before } => (self.old_events(before.ms(), limit).await?, &OF_EVENTS),
            Old::Answers { before } => return self.drop_answers(before.ms(), limit).await,
        };
        let going: Vec<Position> = rows.iter().filter(|row| row.old && row.done).map(|row| row.n).collect();
        if !going.is_empty() {
            let going = format!("{going:?}");
            for sql in deletes {
                let done = sqlx::query(*sql).bind(&going).execute(&mut self.conn).await;
                done.map_err(|error| write_error(&error))?;
            }
            self.keep_heads().await?;
        }
        crash_point!("store.before-drop");
        self.run("COMMIT").await?;
        self.drops.stale |= !going.is_empty();
        let last = rows.last().filter(|_| rows.len() >= limit as usize);
        // Events come in the order of their times: behind one that is not old there is none that is.
        let last = last.filter(|row| row.old || matches!(what, Old::Messages { .. }));
        let (after, more) = (last.map_or(0, |row| row.n), last.is_some());
        match what {
            Old::Messages { .. } => self.drops.messages_after = after,
            _ => self.drops.events_after = after,
        }
        Ok(Dropped { dropped: going.len() as u64, more })
    }

    /// Messages that have ended, in their order, from where the last part ended up to the newest whose
    /// id is old enough. A scope's clock is never behind real time, so what ended before an instant of
    /// that clock was minted before it: nothing younger is looked at.
    async fn old_messages(
        &mut self,
        ended: i64,
        minted: [u8; 16],
        limit: u32,
    ) -> Result<Vec<Looked>, StoreError> {
        let passed = self.passed().await?;
        let last = sqlx::query("SELECT n FROM message WHERE id < min($1, $2) ORDER BY id DESC LIMIT 1")
            .bind(minted.as_slice())
            .bind(first_id(ended).as_slice())
            .fetch_optional(&mut self.conn)
            .await
            .map_err(|error| write_error(&error))?;
        let Some(last) = last.map(|row| row.get::<Position, _>(0)) else { return Ok(Vec::new()) };
        let sql = format!(
            "SELECT e.n, e.at < $1 AND m.id < $2, \
             NOT EXISTS (SELECT 1 FROM event v WHERE v.message = e.n AND {UNDONE}) \
               AND NOT EXISTS (SELECT 1 FROM unsettled u WHERE u.n = e.n) \
             FROM ended e CROSS JOIN message m ON m.n = e.n \
             WHERE e.n > $4 AND e.n <= $5 ORDER BY e.n LIMIT $6"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(ended)
            .bind(minted.as_slice())
            .bind(passed)
            .bind(self.drops.messages_after)
            .bind(last)
            .bind(i64::from(limit))
            .fetch_all(&mut self.conn)
            .await
            .map_err(|error| write_error(&error))?;
        Ok(rows.iter().map(looked).collect())
    }

    /// Events in their order, from where the last part ended.
    async fn old_events(&mut self, before: i64, limit: u32) -> Result<Vec<Looked>, StoreError> {
        let passed = self.passed().await?;
        let sql = format!(
            "SELECT v.n, v.at < $1, NOT {UNDONE} \
             FROM event v WHERE v.n > $2 AND v.n <= $3 ORDER BY v.n LIMIT $4"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(before)
            .bind(self.drops.events_after)
            .bind(passed)
            .bind(i64::from(limit))
            .fetch_all(&mut self.conn)
            .await
            .map_err(|error| write_error(&error))?;
        Ok(rows.iter().map(looked).collect())
    }

    async fn drop_answers(&mut self, before: i64, limit: u32) -> Result<Dropped, StoreError> {
        let sql = "DELETE FROM idempotency WHERE n IN (SELECT n FROM idempotency ORDER BY n LIMIT $1) \
                   AND at < $2";
        let done = sqlx::query(sql).bind(i64::from(limit)).bind(before).execute(&mut self.conn).await;
        let dropped = done.map_err(|error| write_error(&error))?.rows_affected();
        if dropped > 0 {
            self.keep_heads().await?;
        }
        self.run("COMMIT").await?;
        Ok(Dropped { dropped, more: dropped >= u64::from(limit) })
    }

    /// Up to which event every endpoint that gets events has passed them.
    async fn passed(&mut self) -> Result<Position, StoreError> {
        let row = sqlx::query("SELECT min(position) FROM endpoint WHERE enabled = 1")
            .fetch_one(&mut self.conn)
            .await
            .map_err(|error| write_error(&error))?;
        Ok(row.get::<Option<Position>, _>(0).unwrap_or(Position::MAX))
    }

    /// Writes down which positions were given, so that none is given twice once its row is gone.
    async fn keep_heads(&mut self) -> Result<(), StoreError> {
        let heads = self.heads;
        let named = [
            ("message", heads.message),
            ("event", heads.event),
            ("attempt", heads.attempt),
            ("outcome", heads.outcome),
            ("idempotency", heads.idempotency),
        ];
        for (name, next) in named {
            sqlx::query(
                "INSERT INTO head(name, n) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET n = max(n, excluded.n)",
            )
            .bind(name)
            .bind(next - 1)
            .execute(&mut self.conn)
            .await
            .map_err(|error| write_error(&error))?;
        }
        Ok(())
    }

    /// Goes through some look-ups for those whose rows were dropped.
    pub(super) async fn sweep_dropped(&mut self) -> Result<(), StoreError> {
        if !self.keys_merged || (self.drops.swept.is_none() && !self.drops.stale) {
            return Ok(());
        }
        let (kind, hash, n) = self.drops.swept.unwrap_or_else(|| {
            self.drops.stale = false;
            FIRST
        });
        let last = sqlx::query(
            "SELECT kind, hash, n FROM lookup WHERE (kind, hash, n) > ($1, $2, $3) \
             ORDER BY kind, hash, n LIMIT 1 OFFSET $4",
        )
        .bind(kind)
        .bind(hash)
        .bind(n)
        .bind(SWEEP_ENTRIES - 1)
        .fetch_optional(&mut self.conn)
        .await
        .map_err(|error| write_error(&error))?;
        let last = last.map(|row| (row.get(0), row.get(1), row.get(2)));
        let (to_kind, to_hash, to_n) = last.unwrap_or((i64::MAX, i64::MAX, i64::MAX));
        sqlx::query(
            "DELETE FROM lookup WHERE (kind, hash, n) > ($1, $2, $3) AND (kind, hash, n) <= ($4, $5, $6) \
             AND CASE kind WHEN 1 THEN NOT EXISTS (SELECT 1 FROM message r WHERE r.n = lookup.n) \
             WHEN 4 THEN NOT EXISTS (SELECT 1 FROM outcome r WHERE r.n = lookup.n) \
             ELSE NOT EXISTS (SELECT 1 FROM attempt r WHERE r.n = lookup.n) END",
        )
        .bind(kind)
        .bind(hash)
        .bind(n)
        .bind(to_kind)
        .bind(to_hash)
        .bind(to_n)
        .execute(&mut self.conn)
        .await
        .map_err(|error| write_error(&error))?;
        self.drops.swept = last;
        Ok(())
    }
}
