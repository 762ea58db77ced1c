//! The one place where a scope's rows are written: a batch, and its transaction.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::postgres::PgRow;

use super::bound::LOCK_LAST_BLOCK;
use super::column::Key;
use super::connect::{As, Held, TRANSACTION_WITHIN};
use super::encode::{BLOCK, Raises, Statements};
use super::error::{Fault, fault};
use super::lost::{self, Found};
use super::parts::part;
use super::plans;
use super::shared::{Base, SharedScope, lock};
use super::source::arguments;
use super::verdict::{self, Facts};
use crate::store::rare::{self, Conflict, Puts};
use crate::store::read::Value;
use crate::store::read::decode::{get, kept_row};
use crate::store::{Committed, Position, StoreError};

/// What waits, in the form of this database.
pub(super) type Batch = crate::store::group::Batch<Statements>;

/// How often a batch is tried where something was in the way: more often than a pool has connections,
/// each of which may have been cut while it was idle.
const TRIES: u32 = 12;
/// How long it waits before the second try; as much longer before each further one.
const AGAIN_AFTER: Duration = Duration::from_millis(15);
/// How often contiguous blocks are asked for.
const BLOCKS_TRIES: u32 = 32;
/// From how many rows of counters on they are folded.
const FOLD_ROWS: i64 = 500;

/// What became of each job of a batch.
pub(super) type Answers = Vec<Option<Result<Committed, StoreError>>>;

/// Writes the batches of a scope.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) base: Arc<Base>,
    pub(super) shared: SharedScope,
}

/// What was found to be otherwise, so that what is left is tried again.
enum Done {
    All,
    Less,
}

impl Desk {
    /// Writes a batch and answers its callers.
    pub(super) async fn commit(&self, mut batch: Batch) {
        let mut answers: Answers = batch.jobs.iter().map(|_| None).collect();
        let gathered = std::mem::take(&mut batch.statements);
        let jobs = (0..batch.jobs.len()).collect();
        self.write(&batch, jobs, Some(gathered), &mut answers).await;
        for (placed, answer) in batch.jobs.into_iter().zip(answers) {
            // A caller that went away is not told; its change stands.
            let _ = placed.job.answer.send(answer.unwrap_or(Err(StoreError::Closing)));
        }
    }

    /// Writes these jobs, by halves where one of them cannot be written and it is not known which.
    fn write<'a>(
        &'a self,
        batch: &'a Batch,
        mut jobs: Vec<usize>,
        mut gathered: Option<Statements>,
        answers: &'a mut Answers,
    ) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let mut tries = 0;
            while !jobs.is_empty() {
                if self.base.is_fenced() {
                    return refuse(&jobs, answers, &StoreError::Fenced);
                }
                let statements = gathered.take().unwrap_or_else(|| batch.statements_of(&jobs));
                let before = jobs.len();
                let error = match self.transact(batch, &mut jobs, statements, answers).await {
                    Ok(Done::All) => return,
                    Ok(Done::Less) if jobs.len() < before => continue,
                    Ok(Done::Less) => StoreError::Overloaded,
                    Err(Fault::Conflict(what)) => {
                        if let [only] = jobs.as_slice() {
                            answers[*only] = Some(Err(StoreError::Conflict { what }));
                            return;
                        }
                        let right = jobs.split_off(jobs.len() / 2);
                        self.write(batch, jobs, None, answers).await;
                        return self.write(batch, right, None, answers).await;
                    }
                    Err(Fault::Again(error) | Fault::Lost(error)) => error,
                    Err(Fault::Store(error)) => return refuse(&jobs, answers, &error),
                };
                tries += 1;
                if tries == TRIES {
                    return refuse(&jobs, answers, &error);
                }
                tokio::time::sleep(AGAIN_AFTER * tries).await;
            }
        })
    }

    /// One transaction. Jobs that are answered meanwhile are taken out of `jobs`; where there are
    /// some, nothing is written.
    async fn transact(
        &self,
        batch: &Batch,
        jobs: &mut Vec<usize>,
        mut statements: Statements,
        answers: &mut Answers,
    ) -> Result<Done, Fault> {
        let work = async {
            let (mut held, facts) = self.begin(batch, jobs).await?;
            if !facts.is_alive {
                self.base.fence();
                return Err(Fault::Store(StoreError::Fenced));
            }
            self.shared.saw(facts.generation);
            let before = jobs.len();
            verdict::stale(batch, jobs, &facts, answers);
            let counted = verdict::over_limits(&mut held, batch, jobs, answers).await?;
            if jobs.len() < before {
                held.rollback().await;
                return Ok(None);
            }
            let base = self.positions(&mut held, batch, jobs, facts.block).await?;
            statements.finish();
            if !self.base.connector.has_unsettled() {
                statements.forget_unsettled();
            }
            let (scope, node) = (self.shared.scope, self.base.me.node);
            let prepares = self.base.connector.prepares;
            let short = statements.tables.write(held.conn()?, prepares, scope, base, node).await?;
            if !short.is_empty() {
                held.rollback().await;
                self.look(&short, &statements, jobs, answers).await?;
                return Ok(None);
            }
            if !self.write_rare(&mut held, batch, jobs, base, &facts, answers).await? {
                held.rollback().await;
                return Ok(None);
            }
            if counted.is_some_and(|rows| rows > FOLD_ROWS) {
                fold(&mut held, base).await?;
            }
            Ok(Some((held, facts, base)))
        };
        let worked = tokio::time::timeout(TRANSACTION_WITHIN, work).await;
        let given_up = || Fault::Lost(StoreError::Unavailable { detail: "a transaction did not end".into() });
        let Some((held, facts, base)) = worked.unwrap_or_else(|_| Err(given_up()))? else {
            return Ok(Done::Less);
        };
        crash_point!("store.before-commit");
        let committed = tokio::time::timeout(TRANSACTION_WITHIN, held.commit()).await;
        match committed.unwrap_or_else(|_| Err(given_up())) {
            Ok(()) => {}
            // Whether it stands is found out before anybody is answered.
            Err(Fault::Lost(error)) => match lost::find_out(&self.base, &facts).await {
                Found::Committed => {}
                Found::Aborted => return Err(Fault::Lost(error)),
                Found::Unknown(detail) => return Err(Fault::Store(StoreError::Failed { detail })),
            },
            // Said by the server: nothing stands.
            Err(fault) => return Err(fault),
        }
        crash_point!("store.after-commit");
        self.applied(batch, jobs, base, &facts, answers);
        Ok(Done::All)
    }

    /// Begins, and reads what the transaction depends on.
    async fn begin(&self, batch: &Batch, jobs: &[usize]) -> Result<(Held, Facts), Fault> {
        let changes = || jobs.iter().map(|&job| &batch.jobs[job].job.change);
        let scope = self.shared.scope.0;
        let me = self.base.me;
        let mut sql = format!("SELECT pg_advisory_xact_lock_shared({});", lock::key(lock::NODE, me.node.0));
        if changes().any(|change| Raises::of(change).facts()) {
            sql.push_str(&format!("SELECT pg_advisory_xact_lock({});", lock::key(lock::FACTS, scope)));
        } else if changes().any(|change| change.seen.is_some()) {
            sql.push_str(&format!("SELECT pg_advisory_xact_lock_shared({});", lock::key(lock::FACTS, scope)));
        }
        if changes().any(|change| verdict::looks_at_counters(change) || change.makes_endpoints()) {
            sql.push_str(&format!("SELECT pg_advisory_xact_lock({});", lock::key(lock::USAGE, scope)));
        }
        let audits = changes().any(|change| !change.audit.is_empty());
        if audits {
            sql.push_str(&format!("SELECT pg_advisory_xact_lock({});", lock::key(lock::AUDIT, scope)));
        }
        let chain = if audits {
            // Where all of it was removed, the next entry hangs on the last that was.
            "coalesce((SELECT n FROM audit ORDER BY n DESC LIMIT 1), (SELECT n FROM pruned WHERE chain = 0)), \
             coalesce((SELECT hash FROM audit ORDER BY n DESC LIMIT 1), (SELECT hash FROM pruned WHERE chain = 0))"
        } else {
            "NULL::int8, NULL::bytea"
        };
        sql.push_str(LOCK_LAST_BLOCK);
        sql.push_str(&format!(
            "SELECT nextval('spine.position'), pg_current_xact_id()::text, pg_backend_pid(), \
             EXISTS (SELECT FROM node WHERE n = {} AND epoch = {} AND ended_at IS NULL \
                     AND lease_until > clock_timestamp()), \
             (SELECT settings FROM generation), (SELECT people FROM generation), (SELECT health FROM generation), \
             {chain};{}",
            me.node,
            me.epoch,
            plans::SETTINGS
        ));
        let (mut held, rows) = Held::begin(&self.base.writers, As::Engine(self.shared.scope), &sql).await?;
        let facts = rows.last().ok_or_else(nothing).and_then(read_facts)?;
        if self.base.connector.prepares {
            self.base.plans.renew(&mut held, facts.process).await?;
        }
        Ok((held, facts))
    }

    /// The first position of the batch. One with many rows takes several blocks, which must follow
    /// each other.
    async fn positions(
        &self,
        held: &mut Held,
        batch: &Batch,
        jobs: &[usize],
        first: i64,
    ) -> Result<Position, Fault> {
        let rows = jobs.iter().map(|&job| verdict::positions_end(&batch.jobs[job])).max().unwrap_or_default();
        let blocks = (rows + BLOCK - 1) / BLOCK;
        if blocks <= 1 {
            return Ok(first * BLOCK);
        }
        for _ in 0..BLOCKS_TRIES {
            let sql = format!("SELECT nextval('spine.position') FROM generate_series(1, {blocks})");
            let given = held.all(sql).await?;
            let given: Vec<i64> = given.iter().map(|row| get(row, 0)).collect::<Result<_, _>>()?;
            if given.windows(2).all(|pair| pair[1] == pair[0] + 1) {
                return Ok(given[0] * BLOCK);
            }
        }
        Err(Fault::Again(StoreError::Overloaded))
    }

    /// Finds out which jobs met a row that was otherwise, and answers those.
    async fn look(
        &self,
        short: &[usize],
        statements: &Statements,
        jobs: &mut Vec<usize>,
        answers: &mut Answers,
    ) -> Result<(), Fault> {
        let (scope, node) = (self.shared.scope, self.base.me.node);
        let (mut held, _) = Held::begin(&self.base.writers, As::Engine(scope), "").await?;
        // The keys first: a known key's answer comes before any conflict.
        for &number in short {
            for row in statements.tables.otherwise(held.conn()?, number, scope, node).await? {
                let Some(&job) = jobs.get(row as usize) else { continue };
                if answers[job].is_none() {
                    answers[job] = Some(Err(StoreError::Conflict { what: statements.tables.what(number) }));
                }
            }
        }
        if short.contains(&part::IDEMPOTENCY) {
            self.replayed(&mut held, jobs, answers, statements).await?;
        }
        held.commit().await?;
        jobs.retain(|&job| answers[job].is_none());
        Ok(())
    }

    /// Gives those whose key is known the answer on record.
    async fn replayed(
        &self,
        held: &mut Held,
        jobs: &[usize],
        answers: &mut Answers,
        statements: &Statements,
    ) -> Result<(), Fault> {
        let (scope, node) = (self.shared.scope, self.base.me.node);
        let known = statements.tables.otherwise(held.conn()?, part::IDEMPOTENCY, scope, node).await?;
        for row in known {
            let (Some(&job), Some(key)) = (jobs.get(row as usize), statements.key_of(row)) else { continue };
            let sql = "SELECT key, request, status, form, answer, at FROM idempotency WHERE key = $1";
            let found = sqlx::query(sql)
                .persistent(false)
                .bind(Key(key.0))
                .fetch_optional(held.conn()?)
                .await
                .map_err(|error| fault(&error, "an idempotency key"))?;
            if let Some(found) = found {
                answers[job] = Some(Ok(Committed::Replayed(Box::new(kept_row(&found)?))));
            }
        }
        Ok(())
    }

    /// Writes what is written row by row. False where a job met a row that was otherwise: it is
    /// answered then.
    async fn write_rare(
        &self,
        held: &mut Held,
        batch: &Batch,
        jobs: &mut Vec<usize>,
        base: Position,
        facts: &Facts,
        answers: &mut Answers,
    ) -> Result<bool, Fault> {
        let mut chain = facts.chain;
        let mut conflict = None;
        for &job in jobs.iter() {
            let placed = &batch.jobs[job];
            let change = &placed.job.change;
            let mut row = Row(held);
            if rare::is_rare(change) {
                let mut heads = placed.heads;
                heads.rare += base;
                // The newest event is not known to the row: whatever has a position below this batch.
                heads.event = base;
                match rare::write(&mut row, change, heads).await {
                    Ok(()) => {}
                    Err(Fault::Conflict(what)) => {
                        conflict = Some((job, what));
                        break;
                    }
                    Err(fault) => return Err(fault),
                }
            }
            for entry in &change.audit {
                chain.1 = rare::audit(&mut row, entry, chain.0 + 1, chain.1).await?;
                chain.0 += 1;
            }
        }
        let Some((job, what)) = conflict else { return Ok(true) };
        answers[job] = Some(Err(StoreError::Conflict { what }));
        jobs.retain(|other| *other != job);
        Ok(false)
    }

    /// Answers, and tells those who follow.
    fn applied(&self, batch: &Batch, jobs: &[usize], base: Position, facts: &Facts, answers: &mut Answers) {
        let mut newest_event = 0;
        let mut raises = Raises::default();
        let mut signals = false;
        for &job in jobs {
            let placed = &batch.jobs[job];
            let applied = placed.applied_at(base);
            if applied.events > 0 {
                newest_event = newest_event.max(applied.first_event + i64::from(applied.events) - 1);
            }
            let raised = Raises::of(&placed.job.change);
            raises.settings |= raised.settings;
            raises.people |= raised.people;
            raises.health |= raised.health;
            signals |= !applied.signals.is_empty();
            answers[job] = Some(Ok(Committed::Applied(applied)));
        }
        let mut now = facts.generation;
        now.settings += i64::from(raises.settings);
        now.people += i64::from(raises.people);
        self.shared.saw(now);
        if raises.health {
            self.shared.wrote_health(facts.health + 1);
        }
        if newest_event > 0 {
            self.base.follower.reached(&self.shared, newest_event);
            self.base.teller.event(self.shared.scope, newest_event);
        }
        if signals || raises.facts() || raises.health {
            self.base.teller.ring();
        }
    }
}

fn refuse(jobs: &[usize], answers: &mut Answers, error: &StoreError) {
    for &job in jobs {
        answers[job] = Some(Err(error.clone()));
    }
}

fn nothing() -> Fault {
    Fault::Store(StoreError::Io { what: "writing", detail: "the database gave no answer".into() })
}

fn read_facts(row: &PgRow) -> Result<Facts, Fault> {
    let number = |column| Ok::<_, StoreError>(get::<Option<i64>>(row, column)?.unwrap_or_default());
    let hash = get::<Option<Vec<u8>>>(row, 8)?;
    Ok(Facts {
        block: get(row, 0)?,
        transaction: get(row, 1)?,
        process: get(row, 2)?,
        is_alive: get(row, 3)?,
        generation: crate::store::Generation { settings: number(4)?, people: number(5)? },
        health: number(6)?,
        chain: (number(7)?, hash.and_then(|hash| hash.try_into().ok()).unwrap_or([0; 32])),
    })
}

/// Brings the rows of each counter into one.
pub(super) async fn fold(held: &mut Held, base: Position) -> Result<(), Fault> {
    // The rows of this transaction stay as they are: their positions begin at `base`.
    let sql = format!(
        "WITH gone AS (DELETE FROM usage WHERE n < {base} RETURNING name, win, start, add, told) \
         INSERT INTO usage (n, name, win, start, add, told) \
         SELECT {base} - 1, name, win, start, sum(add), max(told) FROM gone GROUP BY name, win, start"
    );
    held.all(sql).await.map(drop)
}

/// An open transaction, for rows that are written one by one.
struct Row<'h>(&'h mut Held);

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
            // Every key begins with the scope, which each row has from its transaction.
            let sql = match sql.contains("ON CONFLICT (scope") {
                true => sql.to_owned(),
                false => sql.replace("ON CONFLICT (", "ON CONFLICT (scope, "),
            };
            let done = sqlx::query_with(sqlx::AssertSqlSafe(sql), arguments(values)?)
                .persistent(false)
                .execute(self.0.conn()?)
                .await;
            done.map(|done| done.rows_affected()).map_err(|error| fault(&error, what))
        })
    }

    fn erase(&self) -> &'static str {
        // VACUUM takes the bytes out of the table; the write-ahead log's archive is the operator's.
        "DELETE FROM subject WHERE id = $1"
    }

    fn set_clock(&self) -> &'static str {
        "INSERT INTO clock(advanced_by_ms, target_ms) VALUES ($1, $2) ON CONFLICT (scope) DO UPDATE \
         SET advanced_by_ms = excluded.advanced_by_ms, target_ms = excluded.target_ms"
    }
}
