//! The nodes that share the database: leases, and who has ended.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use sqlx::postgres::PgRow;
use tokio::sync::watch;

use super::connect::{As, Held};
use super::error::Fault;
use super::scope::PgScope;
use super::shared::{Base, Me, lock};
use crate::model::{ScopeId, Span};
use crate::store::open::OpenScopes;
use crate::store::read::decode::get;
use crate::store::{Answer, Company, Generation, NodeId, Nodes, Seen, StoreError};

/// After how long the row of a node that ended and left nothing behind goes, in seconds.
const FORGET_AFTER_S: u32 = 600;

/// The nodes, as this one sees them.
pub(super) struct PgNodes {
    base: Arc<Base>,
    open: Weak<OpenScopes<PgScope>>,
    /// The last block of positions whose changes of generations were told.
    told: Mutex<i64>,
}

/// Makes a fresh row for this run.
pub(super) async fn join(pool: &sqlx::postgres::PgPool, name: &str, lease: Span) -> Result<Me, StoreError> {
    let work = async {
        let (mut held, _) = Held::begin(pool, As::Registry, "").await?;
        let sql = "INSERT INTO node(name, lease_until) \
                   VALUES ($1, clock_timestamp() + $2 * interval '1 millisecond') RETURNING n, epoch";
        let row = sqlx::query(sql)
            .persistent(false)
            .bind(name)
            .bind(lease.ms())
            .fetch_one(held.conn()?)
            .await
            .map_err(|error| super::error::fault(&error, "a node"))?;
        held.commit().await?;
        Ok(Me { node: NodeId(get(&row, 0)?), epoch: get(&row, 1)? })
    };
    work.await.map_err(Fault::told)
}

impl PgNodes {
    pub(super) fn new(base: Arc<Base>, open: Weak<OpenScopes<PgScope>>, told: i64) -> PgNodes {
        PgNodes { base, open, told: Mutex::new(told) }
    }

    /// One round trip in the installation's own tables.
    async fn ask(&self, sql: String) -> Result<Vec<PgRow>, StoreError> {
        let begun = Held::begin(&self.base.writers, As::Registry, &format!("{sql};COMMIT")).await;
        let (held, rows) = begun.map_err(Fault::told)?;
        held.ended();
        Ok(rows)
    }

    async fn renewed(&self, lease: Span) -> Result<(), StoreError> {
        if self.base.is_fenced() {
            return Err(StoreError::Fenced);
        }
        let me = self.base.me;
        let renewed = self
            .ask(format!(
                "UPDATE node SET lease_until = clock_timestamp() + {} * interval '1 millisecond' \
                 WHERE n = {} AND epoch = {} AND ended_at IS NULL AND lease_until > clock_timestamp() RETURNING n",
                lease.ms(),
                me.node,
                me.epoch
            ))
            .await?;
        if renewed.is_empty() {
            self.base.fence();
            return Err(StoreError::Fenced);
        }
        Ok(())
    }

    async fn asked_who_is_there(&self) -> Result<Company, StoreError> {
        let me = self.base.me;
        let (mut alive, mut late) = (Vec::new(), Vec::new());
        let sql = "SELECT n, lease_until > clock_timestamp() FROM node WHERE ended_at IS NULL ORDER BY n";
        for row in self.ask(sql.into()).await? {
            let node = NodeId(get(&row, 0)?);
            if get(&row, 1)? { alive.push(node) } else { late.push(node) }
        }
        for node in late {
            self.end(node).await?;
        }
        self.base.has_company(alive.iter().any(|node| *node != me.node));
        let orphaned = self.ask("SELECT orphaned()".into()).await?;
        let orphaned: Vec<ScopeId> =
            orphaned.iter().map(|row| get(row, 0).map(ScopeId)).collect::<Result<_, _>>()?;
        if orphaned.is_empty() {
            let sql = format!(
                "DELETE FROM node WHERE ended_at < clock_timestamp() - {FORGET_AFTER_S} * interval '1 second' \
                 AND NOT EXISTS (SELECT orphaned())"
            );
            self.ask(sql).await?;
        }
        Ok(Company { alive, orphaned })
    }

    /// Declares a node ended whose lease is over. What it commits at this moment is waited for by the
    /// lock; what it would commit later sees that it has ended.
    async fn end(&self, node: NodeId) -> Result<(), StoreError> {
        let key = lock::key(lock::NODE, node.0);
        let work = async {
            let (mut held, rows) = Held::begin(
                &self.base.writers,
                As::Registry,
                &format!("SELECT pg_try_advisory_xact_lock({key})"),
            )
            .await?;
            let is_free = rows.first().map_or(Ok(false), |row| get(row, 0))?;
            if !is_free {
                // A commit of its is under way, or another node is at it: next time.
                held.rollback().await;
                return Ok(());
            }
            let sql = format!(
                "UPDATE node SET ended_at = clock_timestamp(), epoch = epoch + 1 \
                 WHERE n = {node} AND ended_at IS NULL AND lease_until <= clock_timestamp() RETURNING name"
            );
            let ended = held.all(sql).await?;
            held.commit().await?;
            if let Some(row) = ended.first() {
                let name: String = get(row, 0)?;
                tracing::warn!(%node, name, "the lease of a node has ended, others take over what it had");
                self.base.teller.ring();
            }
            Ok::<(), Fault>(())
        };
        work.await.map_err(Fault::told)
    }

    async fn left(&self) -> Result<(), StoreError> {
        let Me { node, epoch } = self.base.me;
        self.base.fence_quietly();
        self.ask(format!(
            "SELECT pg_advisory_xact_lock({});\
             UPDATE node SET ended_at = clock_timestamp(), epoch = epoch + 1, lease_until = clock_timestamp() \
             WHERE n = {node} AND epoch = {epoch} AND ended_at IS NULL",
            lock::key(lock::NODE, node.0)
        ))
        .await?;
        self.base.teller.ring();
        Ok(())
    }

    async fn looked(&self) -> Result<Vec<Seen>, StoreError> {
        // Changes of a generation carry the block of their transaction: those up to the bound are told
        // once, and none appears below it later.
        let bound = self.base.bound.block().await?;
        let told = *self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let sql = format!(
            "SELECT scope, settings, people, health FROM generation WHERE changed > {told} AND changed <= {bound}"
        );
        let changed = self.ask(sql).await?;
        let signalled = self.ask(format!("SELECT signalled({})", self.base.me.node)).await?;
        let mut seen: Vec<Seen> = Vec::with_capacity(changed.len());
        let open = self.open.upgrade();
        let opened = |scope: ScopeId| open.as_ref().and_then(|open| open.rows_of(scope));
        for row in &changed {
            let scope = ScopeId(get(row, 0)?);
            let generation = Generation { settings: get(row, 1)?, people: get(row, 2)? };
            let mut health = true;
            if let Some(rows) = opened(scope) {
                rows.shared().saw(generation);
                health = rows.shared().health_moved(get(row, 3)?);
            }
            seen.push(Seen { scope, generation, health, signals: false });
        }
        for row in &signalled {
            let scope = ScopeId(get(row, 0)?);
            match seen.iter_mut().find(|seen| seen.scope == scope) {
                Some(seen) => seen.signals = true,
                None => {
                    let generation = opened(scope).map(|rows| rows.shared().generation()).unwrap_or_default();
                    seen.push(Seen { scope, generation, health: false, signals: true });
                }
            }
        }
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = bound;
        Ok(seen)
    }
}

impl Nodes for PgNodes {
    fn me(&self) -> NodeId {
        self.base.me.node
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn renew(&self, lease: Span) -> Answer<'_, ()> {
        Box::pin(self.renewed(lease))
    }

    fn company(&self) -> Answer<'_, Company> {
        Box::pin(self.asked_who_is_there())
    }

    fn leave(&self) -> Answer<'_, ()> {
        Box::pin(self.left())
    }

    fn rung(&self) -> watch::Receiver<u64> {
        self.base.rung.subscribe()
    }

    fn look(&self) -> Answer<'_, Vec<Seen>> {
        Box::pin(self.looked())
    }
}
