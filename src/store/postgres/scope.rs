//! A scope: read, written, adopted from others.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use super::connect::{As, Held};
use super::desk::{Desk, fold};
use super::encode::BLOCK;
use super::error::{Fault, fault};
use super::retention::Drops;
use super::shared::{Base, Shared, SharedScope, lock};
use super::source::Reader;
use super::writer::Writer;
use crate::model::{Instant, ScopeId};
use crate::store::forms::EARLY_RECEIPT_MS;
use crate::store::open::Opened;
use crate::store::read::decode::get;
use crate::store::read::{Gathers, Source, reads};
use crate::store::rows::{StoredMessage, StoredSignal};
use crate::store::{
    Answer, Change, Committed, Dropped, Generation, Old, Position, ScopeRows, StoreError, USAGE_KEPT,
};

/// The condition that this node's lease holds.
macro_rules! alive {
    ($me:expr) => {
        format!(
            "EXISTS (SELECT FROM node WHERE n = {} AND epoch = {} AND ended_at IS NULL \
             AND lease_until > clock_timestamp())",
            $me.node, $me.epoch
        )
    };
}

/// The rows of one scope.
pub(super) struct PgScope {
    base: Arc<Base>,
    shared: SharedScope,
    reader: Reader,
    writer: Writer,
    /// Whether it was asked for anything since the last tidying.
    used: AtomicBool,
    /// How far each kind of dropping has come at this node.
    pub(super) drops: Mutex<Drops>,
}

impl PgScope {
    /// Opens it.
    pub(super) async fn open(base: Arc<Base>, scope: ScopeId) -> Result<PgScope, StoreError> {
        let reader = reader(&base, scope);
        let source: &dyn Source = &reader;
        let newest_event = source.newest_event().await?;
        let (generation, health) = source.generation().await?;
        let shared = Arc::new(Shared::new(scope, newest_event, generation, health));
        let writer = Writer::start(&Desk { base: Arc::clone(&base), shared: Arc::clone(&shared) });
        Ok(PgScope { base, shared, reader, writer, used: AtomicBool::new(true), drops: Mutex::default() })
    }

    pub(super) fn has_unsettled(&self) -> bool {
        self.base.connector.has_unsettled()
    }

    pub(super) fn shared(&self) -> &SharedScope {
        &self.shared
    }

    fn source(&self) -> &dyn Source {
        self.used.store(true, Ordering::Relaxed);
        &self.reader
    }

    /// A transaction of this node's, refused where its lease has ended.
    pub(super) async fn begin(&self, sql: &str) -> Result<Held, Fault> {
        if self.base.is_fenced() {
            return Err(Fault::Store(StoreError::Fenced));
        }
        let me = self.base.me;
        let sql = format!(
            "SELECT pg_advisory_xact_lock_shared({});{sql}SELECT {}",
            lock::key(lock::NODE, me.node.0),
            alive!(me)
        );
        let (held, rows) = Held::begin(&self.base.writers, As::Engine(self.shared.scope), &sql).await?;
        if !rows.last().map_or(Ok(false), |row| get(row, 0))? {
            held.rollback().await;
            self.base.fence();
            return Err(Fault::Store(StoreError::Fenced));
        }
        Ok(held)
    }

    async fn adopted(&self, limit: u32) -> Result<Vec<StoredMessage>, StoreError> {
        let work = async {
            let mut held = self.begin("").await?;
            let sql = format!(
                "WITH left_behind AS (SELECT n FROM live WHERE owner IN (SELECT n FROM node WHERE ended_at IS NOT NULL) \
                   ORDER BY n LIMIT {limit} FOR UPDATE SKIP LOCKED) \
                 UPDATE live SET owner = {}, version = version + 1 FROM left_behind WHERE live.n = left_behind.n \
                 RETURNING live.n",
                self.base.me.node
            );
            let mut rows = held.all(sql).await?;
            let rest = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(rows.len());
            if rest > 0 && self.has_unsettled() {
                let sql = format!(
                    "WITH left_behind AS (SELECT n FROM unsettled \
                       WHERE owner IN (SELECT n FROM node WHERE ended_at IS NOT NULL) \
                       ORDER BY n LIMIT {rest} FOR UPDATE SKIP LOCKED), \
                     taken AS (UPDATE unsettled SET owner = {me} FROM left_behind \
                       WHERE unsettled.n = left_behind.n RETURNING unsettled.n) \
                     UPDATE ended SET owner = {me}, version = version + 1 FROM taken WHERE ended.n = taken.n \
                     RETURNING ended.n",
                    me = self.base.me.node
                );
                rows.extend(held.all(sql).await?);
            }
            held.commit().await?;
            let positions = rows.iter().map(|row| get(row, 0)).collect::<Result<Vec<Position>, _>>()?;
            Ok::<_, Fault>(positions)
        };
        let positions = work.await.map_err(Fault::told)?;
        self.source().messages_at(&positions).await
    }

    async fn claimed(&self, name: &str) -> Result<bool, StoreError> {
        let work = async {
            let mut held = self.begin("").await?;
            // One that ended has let go of everything.
            let sql = "INSERT INTO claim(name, node) VALUES ($1, $2) ON CONFLICT (scope, name) \
                       DO UPDATE SET node = $2 WHERE claim.node = $2 \
                         OR NOT EXISTS (SELECT FROM node WHERE node.n = claim.node AND ended_at IS NULL)";
            let done = sqlx::query(sql)
                .persistent(false)
                .bind(name)
                .bind(self.base.me.node.0)
                .execute(held.conn()?)
                .await
                .map_err(|error| fault(&error, "a claim"))?;
            held.commit().await?;
            Ok::<_, Fault>(done.rows_affected() == 1)
        };
        work.await.map_err(Fault::told)
    }

    async fn unclaimed(&self, name: &str) -> Result<(), StoreError> {
        let work = async {
            let mut held = self.begin("").await?;
            sqlx::query("DELETE FROM claim WHERE name = $1 AND node = $2")
                .persistent(false)
                .bind(name)
                .bind(self.base.me.node.0)
                .execute(held.conn()?)
                .await
                .map_err(|error| fault(&error, "a claim"))?;
            held.commit().await
        };
        work.await.map_err(Fault::told)?;
        self.base.teller.ring();
        Ok(())
    }

    async fn tidied(&self, now: Instant) -> Result<(), StoreError> {
        let work = async {
            let usage =
                format!("SELECT pg_advisory_xact_lock({});", lock::key(lock::USAGE, self.shared.scope.0));
            let mut held = self.begin(&usage).await?;
            held.all(format!("DELETE FROM early_receipt WHERE at < {}", now.ms() - EARLY_RECEIPT_MS)).await?;
            // What is held stays, whenever it was taken.
            let before = now.ms() - USAGE_KEPT.ms();
            held.all(format!("DELETE FROM usage WHERE win < 2 AND start < {before}")).await?;
            let block = held.all("SELECT nextval('spine.position'), count(*) > 8 FROM usage".into()).await?;
            if let Some(row) = block.first()
                && get(row, 1)?
            {
                fold(&mut held, get::<i64>(row, 0)? * BLOCK).await?;
            }
            held.commit().await
        };
        match work.await {
            // Tidied next time, by whichever node.
            Err(Fault::Again(_)) | Ok(()) => Ok(()),
            Err(fault) => Err(fault.told()),
        }
    }
}

/// The readers of a scope.
pub(super) fn reader(base: &Base, scope: ScopeId) -> Reader {
    Reader {
        pool: base.readers.clone(),
        prepares: base.connector.prepares,
        scope,
        node: base.me.node,
        bound: Arc::clone(&base.bound),
        has_unsettled: base.connector.has_unsettled(),
        gathers: Gathers::default(),
    }
}

impl Opened for PgScope {
    fn take_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }

    fn tidy(&self, now: Instant) -> Answer<'_, ()> {
        Box::pin(self.tidied(now))
    }

    fn close(&self) -> Answer<'_, Option<Instant>> {
        Box::pin(async {
            self.writer.close().await;
            let source: &dyn Source = &self.reader;
            source.wake_at().await
        })
    }

    fn failed(&self) -> bool {
        self.base.is_fenced()
    }
}

impl ScopeRows for PgScope {
    fn commit(&self, change: Change) -> Answer<'_, Committed> {
        self.used.store(true, Ordering::Relaxed);
        if self.base.is_fenced() {
            return Box::pin(std::future::ready(Err(StoreError::Fenced)));
        }
        Box::pin(self.writer.commit(change))
    }

    fn newest_event(&self) -> watch::Receiver<Position> {
        self.shared.newest_event.subscribe()
    }

    fn has_failed(&self) -> bool {
        self.base.is_fenced()
    }

    /// The tables have indexes.
    fn merge_lookups(&self) -> Answer<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn generation(&self) -> Generation {
        self.shared.generation()
    }

    fn read_generation(&self) -> Answer<'_, Generation> {
        Box::pin(async {
            let (generation, _) = self.source().generation().await?;
            self.shared.saw(generation);
            Ok(generation)
        })
    }

    fn adopt(&self, limit: u32) -> Answer<'_, Vec<StoredMessage>> {
        Box::pin(self.adopted(limit))
    }

    fn signals(&self, after: Position, limit: u32) -> Answer<'_, Vec<StoredSignal>> {
        Box::pin(self.source().signals(after, limit))
    }

    fn signal_waits(&self, n: Position) -> Answer<'_, bool> {
        Box::pin(self.source().signal_waits(n))
    }

    fn claim(&self, name: &str) -> Answer<'_, bool> {
        let name = name.to_owned();
        Box::pin(async move { self.claimed(&name).await })
    }

    fn unclaim(&self, name: &str) -> Answer<'_, ()> {
        let name = name.to_owned();
        Box::pin(async move { self.unclaimed(&name).await })
    }

    fn drop_old(&self, what: Old, limit: u32) -> Answer<'_, Dropped> {
        Box::pin(self.dropped(what, limit))
    }

    reads!();
}
