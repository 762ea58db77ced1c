//! The one place where a scope's file is written: a connection, and the batch on it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::encode::Statements;
use super::error::{Fault, fault, write_error};
use super::retention::Drops;
use super::shared::Shared;
use super::source::arguments;
use super::statement::{Bulk, Rows};
use crate::store::group::Heads;
use crate::store::lookup::{self, Entry, Kind};
use crate::store::rare::{self, Conflict, Puts};
use crate::store::read::Value;
use crate::store::read::decode::kept_row;
use crate::store::rows::Kept;
use crate::store::{Committed, Position, StoreError};

static LOOKUP_KEYS: Bulk =
    Bulk::new("SELECT l.n FROM", 1, "AS v CROSS JOIN lookup AS l ON l.kind = 0 AND l.hash = v.column1", None);
static KEPT: Bulk = Bulk::new(
    "SELECT i.key, i.request, i.status, i.form, i.answer, i.at FROM",
    1,
    "AS v CROSS JOIN idempotency AS i ON i.n = v.column1",
    None,
);

/// What waits, in the form of this database.
pub(super) type Batch = crate::store::group::Batch<Statements>;

/// What became of a job.
enum Verdict {
    Applied,
    Replayed(Box<Kept>),
    Conflict(&'static str),
}

/// The end of the audit's chain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chain {
    pub(super) n: Position,
    pub(super) hash: [u8; 32],
}

/// The writing connection and what goes with it.
pub(super) struct Desk {
    pub(super) conn: SqliteConnection,
    pub(super) path: PathBuf,
    pub(super) shared: Arc<Shared>,
    /// The end of the audit that is committed.
    pub(super) chain: Chain,
    /// The heads after the last batch that was tried.
    pub(super) heads: Heads,
    /// Whether keys were ever merged; if not, the table need not be asked.
    pub(super) keys_merged: bool,
    /// The merge under way.
    pub(super) merge: Option<super::merge::Merge>,
    /// How many look-ups the last batch brought.
    pub(super) batch_entries: usize,
    /// A merge could not go on; it is tried again after the next batch or tidying.
    pub(super) stalled: bool,
    /// How far dropping what is old has come.
    pub(super) drops: Drops,
}

/// The connection, for rows that are written one by one.
pub(super) struct Row<'c>(pub(super) &'c mut SqliteConnection);

impl From<Conflict> for Fault {
    fn from(Conflict(what): Conflict) -> Fault {
        Fault::Conflict(what)
    }
}

impl Puts for Row<'_> {
    type Fault = Fault;

    fn put<'a>(
        &'a mut self,
        sql: &'static str,
        values: Vec<Value>,
        what: &'static str,
    ) -> BoxFuture<'a, Result<u64, Fault>> {
        Box::pin(async move {
            let done = sqlx::query_with(sql, arguments(values)).execute(&mut *self.0).await;
            done.map(|done| done.rows_affected()).map_err(|error| fault(&error, what))
        })
    }

    fn erase(&self) -> &'static str {
        // In place and of the same length, so that the old bytes are overwritten where they stand.
        "UPDATE subject SET id = randomblob(16), sealed_key = zeroblob(length(sealed_key)) WHERE id = $1"
    }

    fn set_clock(&self) -> &'static str {
        "INSERT INTO clock(one, advanced_by_ms, target_ms) VALUES (1, $1, $2) ON CONFLICT (one) DO UPDATE \
         SET advanced_by_ms = excluded.advanced_by_ms, target_ms = excluded.target_ms"
    }
}

impl Desk {
    /// Writes a batch and answers its callers.
    pub(super) async fn commit(&mut self, mut batch: Batch) {
        let erases = batch.jobs.iter().any(|placed| !placed.job.change.erased.is_empty());
        let done = match self.shared.failure() {
            Some(error) => Err(error),
            None => self.write(&mut batch, erases).await,
        };
        self.heads = batch.heads;
        self.stalled = false;
        match done {
            Ok(verdicts) => {
                if erases {
                    self.truncate_log().await;
                }
                self.answer(batch, verdicts);
            }
            Err(error) => {
                // The connection may have rolled back by itself; then this says so and does nothing.
                let _ = sqlx::query("ROLLBACK").execute(&mut self.conn).await;
                if matches!(error, StoreError::Failed { .. }) {
                    self.shared.fail(error.clone());
                }
                for placed in batch.jobs {
                    let _ = placed.job.answer.send(Err(error.clone()));
                }
            }
        }
    }

    async fn write(&mut self, batch: &mut Batch, erases: bool) -> Result<Vec<Verdict>, StoreError> {
        if erases {
            self.run("PRAGMA secure_delete = ON").await?;
        }
        self.run("BEGIN IMMEDIATE").await?;
        let mut verdicts = self.replays(batch).await?;
        let wanted: Vec<usize> =
            (0..batch.jobs.len()).filter(|&index| matches!(verdicts[index], Verdict::Applied)).collect();
        let mut chain = self.chain;
        if !wanted.is_empty() {
            let gathered = std::mem::take(&mut batch.statements);
            let statements =
                if wanted.len() == batch.jobs.len() { gathered } else { batch.statements_of(&wanted) };
            match self.apply(batch, &wanted, statements, &mut chain).await {
                Ok(()) => {}
                Err(Fault::Store(error)) => return Err(error),
                Err(Fault::Conflict(what)) => {
                    self.run("ROLLBACK").await?;
                    self.run("BEGIN IMMEDIATE").await?;
                    chain = self.chain;
                    self.split(batch, &wanted, what, &mut verdicts, &mut chain).await?;
                }
            }
        }
        crash_point!("store.before-commit");
        self.run("COMMIT").await?;
        crash_point!("store.after-commit");
        self.chain = chain;
        if erases {
            self.run("PRAGMA secure_delete = FAST").await?;
        }
        Ok(verdicts)
    }

    /// Which jobs' keys are known already.
    async fn replays(&mut self, batch: &Batch) -> Result<Vec<Verdict>, StoreError> {
        let mut candidates = Rows::default();
        let mut asked = Rows::default();
        let mut keys = HashMap::new();
        for (index, placed) in batch.jobs.iter().enumerate() {
            let Some(key) = placed.job.change.key() else { continue };
            keys.insert(key, index);
            let hash = lookup::of_key(key);
            for n in self.shared.tail.find(Kind::Idempotency, hash) {
                candidates.begin(&KEPT).int(n);
            }
            asked.begin(&LOOKUP_KEYS).int(hash);
        }
        let mut verdicts: Vec<Verdict> = batch.jobs.iter().map(|_| Verdict::Applied).collect();
        if self.keys_merged {
            let found = asked.fetch(&LOOKUP_KEYS, &mut self.conn).await.map_err(|e| write_error(&e))?;
            for row in found {
                candidates.begin(&KEPT).int(row.get::<i64, _>(0));
            }
        }
        if candidates.is_empty() {
            return Ok(verdicts);
        }
        for row in candidates.fetch(&KEPT, &mut self.conn).await.map_err(|e| write_error(&e))? {
            let kept = kept_row(&row)?;
            if let Some(&index) = keys.get(&kept.key) {
                verdicts[index] = Verdict::Replayed(Box::new(kept));
            }
        }
        Ok(verdicts)
    }

    /// Writes these jobs in the transaction that is open.
    async fn apply(
        &mut self,
        batch: &Batch,
        jobs: &[usize],
        statements: Statements,
        chain: &mut Chain,
    ) -> Result<(), Fault> {
        statements.run(&mut self.conn).await?;
        for &index in jobs {
            let placed = &batch.jobs[index];
            let change = &placed.job.change;
            if rare::is_rare(change) {
                rare::write(&mut Row(&mut self.conn), change, placed.heads).await?;
            }
            for entry in &change.audit {
                chain.hash = rare::audit(&mut Row(&mut self.conn), entry, chain.n + 1, chain.hash).await?;
                chain.n += 1;
            }
        }
        Ok(())
    }

    /// Finds the jobs that cannot be written among these, by halves, and writes the others.
    fn split<'a>(
        &'a mut self,
        batch: &'a Batch,
        jobs: &'a [usize],
        what: &'static str,
        verdicts: &'a mut [Verdict],
        chain: &'a mut Chain,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            if let [only] = jobs {
                verdicts[*only] = Verdict::Conflict(what);
                return Ok(());
            }
            let (left, right) = jobs.split_at(jobs.len() / 2);
            for half in [left, right] {
                let before = *chain;
                self.run("SAVEPOINT half").await?;
                match self.apply(batch, half, batch.statements_of(half), chain).await {
                    Ok(()) => self.run("RELEASE half").await?,
                    Err(Fault::Store(error)) => return Err(error),
                    Err(Fault::Conflict(what)) => {
                        *chain = before;
                        self.run("ROLLBACK TO half").await?;
                        self.run("RELEASE half").await?;
                        self.split(batch, half, what, verdicts, chain).await?;
                    }
                }
            }
            Ok(())
        })
    }

    fn answer(&mut self, batch: Batch, verdicts: Vec<Verdict>) {
        let mut entries: Vec<Entry> = Vec::new();
        let mut newest_event = 0;
        for (placed, verdict) in batch.jobs.iter().zip(&verdicts) {
            if matches!(verdict, Verdict::Applied) {
                let heads = placed.heads;
                let firsts = lookup::Firsts {
                    idempotency: heads.idempotency,
                    message: heads.message,
                    attempt: heads.attempt,
                    outcome: heads.outcome,
                };
                lookup::entries(&placed.job.change, firsts, |entry| entries.push(entry));
            }
        }
        self.batch_entries = entries.len();
        self.shared.tail.add(entries);
        for (placed, verdict) in batch.jobs.into_iter().zip(verdicts) {
            let answer = match verdict {
                Verdict::Applied => {
                    let applied = placed.applied();
                    if applied.events > 0 {
                        newest_event = applied.first_event + i64::from(applied.events) - 1;
                    }
                    Ok(Committed::Applied(applied))
                }
                Verdict::Replayed(kept) => Ok(Committed::Replayed(kept)),
                Verdict::Conflict(what) => Err(StoreError::Conflict { what }),
            };
            // A caller that went away is not told; its change stands.
            let _ = placed.job.answer.send(answer);
        }
        if newest_event > 0 {
            self.shared.newest_event.send_replace(newest_event);
        }
    }

    pub(super) async fn run(&mut self, sql: &'static str) -> Result<(), StoreError> {
        sqlx::query(sql).execute(&mut self.conn).await.map(drop).map_err(|error| write_error(&error))
    }
}
