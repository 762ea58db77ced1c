//! The writer's housekeeping: merging look-ups, dropping what is old, emptying the log.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{Connection as _, Row as _};

use super::desk::Desk;
use super::error::{Fault, write_error};
use super::statement::{Bulk, Rows};
use crate::model::Instant;
use crate::store::forms::EARLY_RECEIPT_MS;
use crate::store::lookup::{Entry, Kind};
use crate::store::{StoreError, USAGE_KEPT};

/// How many entries are written in one transaction of a merge: some milliseconds, for which a
/// change that comes meanwhile waits.
const MERGE_CHUNK: usize = 1_024;
/// From how many entries on an idle scope merges.
const MERGE_IDLE_ENTRIES: usize = 4_096;
/// In how many steps the whole of the look-ups is gone through for entries of dropped answers.
const SWEEP_STEPS: i64 = 256;
/// How often an erasure tries to empty the log while somebody reads in it.
const TRUNCATE_TRIES: u32 = 50;
/// How long it waits between two tries.
const TRUNCATE_WAIT: Duration = Duration::from_millis(20);

static LOOKUP: Bulk = Bulk::new(
    "INSERT OR IGNORE INTO lookup(kind, hash, n) SELECT * FROM",
    3,
    "WHERE column1 IS NOT NULL",
    None,
);

/// A merge of look-ups under way.
pub(super) struct Merge {
    entries: Arc<Vec<Entry>>,
    done: usize,
    /// Up to where each table is merged when this is done.
    marks: [(Kind, i64); 5],
}

impl Desk {
    /// Goes on with the merge, or begins one if there is enough to merge.
    pub(super) async fn merge_some(&mut self, from_entries: usize) {
        if self.merge.is_none() && self.shared.tail.gathered() >= from_entries.max(1) {
            let heads = self.heads;
            let marks = [
                (Kind::Idempotency, heads.idempotency - 1),
                (Kind::Contact, heads.message - 1),
                (Kind::Attempt, heads.attempt - 1),
                (Kind::Address, heads.attempt - 1),
                (Kind::ProviderId, heads.outcome - 1),
            ];
            self.merge = Some(Merge { entries: self.shared.tail.begin_merge(), done: 0, marks });
        }
        let Some(mut merge) = self.merge.take() else { return };
        // Twice as many as the last batch brought, so that a merge ends before the next is due.
        let chunk = MERGE_CHUNK.max(2 * self.batch_entries);
        match self.merge_chunk(&mut merge, chunk).await {
            Ok(true) => {
                self.keys_merged = true;
                self.shared.tail.merged();
            }
            Ok(false) => self.merge = Some(merge),
            Err(error) => {
                // The entries stay in memory and are tried again later.
                let _ = sqlx::query("ROLLBACK").execute(&mut self.conn).await;
                if matches!(error, StoreError::Failed { .. }) {
                    self.shared.fail(error);
                }
                self.merge = Some(merge);
                self.stalled = true;
            }
        }
    }

    /// Whether a merge is to be gone on with now.
    pub(super) fn is_merging(&self) -> bool {
        self.merge.is_some() && !self.stalled && self.shared.failure().is_none()
    }

    /// Merges everything that is in memory.
    pub(super) async fn merge_all(&mut self) {
        loop {
            let before = self.merge.as_ref().map(|merge| merge.done);
            self.merge_some(1).await;
            let stuck = self.merge.as_ref().map(|merge| merge.done) == before;
            if stuck || self.shared.failure().is_some() {
                return;
            }
        }
    }

    async fn merge_chunk(&mut self, merge: &mut Merge, chunk: usize) -> Result<bool, StoreError> {
        let end = (merge.done + chunk).min(merge.entries.len());
        let mut rows = Rows::default();
        for entry in &merge.entries[merge.done..end] {
            rows.begin(&LOOKUP).int(entry.kind as u8).int(entry.hash).int(entry.n);
        }
        let last = end == merge.entries.len();
        self.run("BEGIN IMMEDIATE").await?;
        rows.run(&LOOKUP, &mut self.conn).await.map_err(store_error)?;
        if last {
            for (kind, n) in merge.marks {
                sqlx::query(
                    "INSERT INTO lookup_mark(kind, n) VALUES ($1, $2) \
                     ON CONFLICT (kind) DO UPDATE SET n = max(n, excluded.n)",
                )
                .bind(kind as u8)
                .bind(n)
                .execute(&mut self.conn)
                .await
                .map_err(|error| write_error(&error))?;
            }
        }
        self.run("COMMIT").await?;
        merge.done = end;
        Ok(last)
    }

    /// Drops what is old, and gives memory back when nothing was written since the last time.
    pub(super) async fn tidy(&mut self, now: Instant, idle: bool, step: i64) -> Result<(), StoreError> {
        if self.shared.failure().is_some() {
            return Ok(());
        }
        self.stalled = false;
        let tidied = self.tidy_rows(now, idle, step).await;
        if let Err(error @ StoreError::Failed { .. }) = &tidied {
            self.shared.fail(error.clone());
        }
        tidied
    }

    async fn tidy_rows(&mut self, now: Instant, idle: bool, step: i64) -> Result<(), StoreError> {
        self.drop_old_books(now).await?;
        self.sweep(step.rem_euclid(SWEEP_STEPS)).await?;
        self.sweep_dropped().await?;
        if idle {
            // Begins one; the writer goes on with it while nothing else waits.
            self.merge_some(MERGE_IDLE_ENTRIES).await;
            let _ = self.conn.clear_cached_statements().await;
            self.run("PRAGMA shrink_memory").await?;
        }
        Ok(())
    }

    async fn drop_old_books(&mut self, now: Instant) -> Result<(), StoreError> {
        for (old, before) in [
            ("DELETE FROM early_receipt WHERE at < $1", now.ms() - EARLY_RECEIPT_MS),
            ("DELETE FROM usage WHERE start < $1", now.ms() - USAGE_KEPT.ms()),
        ] {
            let dropped = sqlx::query(old).bind(before).execute(&mut self.conn).await;
            dropped.map_err(|error| write_error(&error))?;
        }
        Ok(())
    }

    /// Drops the look-ups of dropped answers in one part of the table.
    async fn sweep(&mut self, step: i64) -> Result<(), StoreError> {
        if !self.keys_merged {
            return Ok(());
        }
        let width = (i64::MAX / SWEEP_STEPS) * 2 + 2;
        let from = i64::MIN.saturating_add(width.saturating_mul(step));
        let to = if step == SWEEP_STEPS - 1 { i64::MAX } else { from.saturating_add(width) };
        sqlx::query(
            "DELETE FROM lookup WHERE kind = 0 AND hash BETWEEN $1 AND $2 \
             AND n < coalesce((SELECT min(n) FROM idempotency), $3)",
        )
        .bind(from)
        .bind(to)
        .bind(self.heads.idempotency)
        .execute(&mut self.conn)
        .await
        .map(drop)
        .map_err(|error| write_error(&error))
    }

    /// Writes the whole log into the file and cuts it to nothing, so that no erased byte stays.
    pub(super) async fn truncate_log(&mut self) {
        for _ in 0..TRUNCATE_TRIES {
            let done = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut self.conn).await;
            match done.map_err(|error| write_error(&error)) {
                Ok(row) if row.get::<i64, _>(0) == 0 => return,
                Err(error @ StoreError::Failed { .. }) => return self.shared.fail(error),
                Ok(_) | Err(_) => {}
            }
            tokio::time::sleep(TRUNCATE_WAIT).await;
        }
        tracing::warn!(file = %self.path.display(), "the log could not be emptied after an erasure; it is when the file is closed");
    }
}

fn store_error(fault: Fault) -> StoreError {
    match fault {
        Fault::Store(error) => error,
        Fault::Conflict(what) => StoreError::Conflict { what },
    }
}
