//! The installation's rows. Other processes (`spine key …`, other nodes) write them too; a version in
//! `registry_state`, raised by each write, tells what is in memory from what is not so any more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgPool, PgRow};
use sqlx::{Arguments as _, AssertSqlSafe};

use super::column::Key;
use super::connect::{As, Held};
use super::error::{Fault, fault};
use super::fresh::Fresh;
use super::registry_rows::{KEPT, write_change, write_tenant};
use super::source::arguments;
use crate::model::{Id, Instant, ScopeId, kinds};
use crate::store::read::decode::{Row, audit_row, get, kept_row};
use crate::store::read::registry::{key_row, scope_row, subject_row, tenant_row};
use crate::store::read::{Question, Value, listed, paged};
use crate::store::registry::{KeyRow, Registry, RegistryChange, RegistryCommitted, ScopeRow, TenantRow};
use crate::store::rows::{AuditRow, IdempotencyKey, Kept, SubjectId};
use crate::store::seal::{MasterKey, Randomness};
use crate::store::{Answer, Listed, Page, Positioned, StoreError};

/// The most keys in memory.
const CACHED_KEYS_MAX: usize = 10_000;
/// How long it is at least from one look at the registry's version to the next one: what comes within
/// it waits for the next, so that busy nodes do not ask thousands of times a second.
const LOOKS_APART: Duration = Duration::from_millis(4);
/// How often it is tried where something was in the way, or a connection was cut while it was idle.
const TRIES: u32 = 12;

const SCOPE: &str = "SELECT s.id, s.tenant, t.name, t.timezone, t.currency, s.environment, s.sealed_key, \
     NULL::int8 FROM scope s JOIN tenant t ON t.id = s.tenant";
const KEY: &str = "SELECT k.n, k.id, k.scope, s.environment, k.name, k.hash, k.hint, k.permissions, \
     k.created_at, k.last_used_at, k.expires_at, k.revoked_at FROM key k JOIN scope s ON s.id = k.scope";

/// The registry.
pub(super) struct PgRegistry {
    pool: PgPool,
    prepares: bool,
    master: Arc<MasterKey>,
    random: Arc<dyn Randomness>,
    versions: Fresh<i64>,
    keys: Mutex<Keys>,
    /// When each scope that this node closed wants to be opened next: of this node's own messages, so
    /// of no use to anybody else.
    wake_at: Mutex<HashMap<ScopeId, Instant>>,
}

/// Keys that were asked for, as of one version.
#[derive(Default)]
struct Keys {
    as_of: i64,
    by_hash: HashMap<[u8; 32], KeyRow>,
}

impl PgRegistry {
    /// Opens it, and checks that the operator's key opens what is there.
    pub(super) async fn open(
        pool: PgPool,
        prepares: bool,
        master: MasterKey,
        random: Arc<dyn Randomness>,
    ) -> Result<PgRegistry, StoreError> {
        let registry = PgRegistry {
            pool,
            prepares,
            master: Arc::new(master),
            random,
            versions: Fresh::new(LOOKS_APART),
            keys: Mutex::default(),
            wake_at: Mutex::default(),
        };
        for row in registry.rows(Question::new(format!("{SCOPE} ORDER BY s.id")), scope_row).await? {
            registry.master.open_scope_key(row.id, &row.sealed_key)?;
        }
        Ok(registry)
    }

    /// The operator's key.
    pub(super) fn master(&self) -> &MasterKey {
        &self.master
    }

    /// Lets its connections go.
    pub(super) async fn close(&self) {
        self.pool.close().await;
    }

    async fn rows<T>(
        &self,
        question: Question,
        decode: fn(Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let (sql, values) = question.written();
        self.asked(sql, arguments(values).map_err(Fault::told)?)
            .await?
            .iter()
            .map(|row| decode(row))
            .collect()
    }

    /// Reads in a transaction of its own. What a caller gives up is undone before the connection is
    /// used again.
    async fn asked(&self, sql: String, arguments: PgArguments) -> Result<Vec<PgRow>, StoreError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.once(&sql, arguments.clone()).await {
                Ok(rows) => return Ok(rows),
                Err(Fault::Lost(_) | Fault::Again(_)) if tries < TRIES => {}
                Err(fault) => return Err(fault.told()),
            }
        }
    }

    async fn once(&self, sql: &str, arguments: PgArguments) -> Result<Vec<PgRow>, Fault> {
        let failed = |error: sqlx::Error| fault(&error, "a row");
        let begin = AssertSqlSafe(As::Registry.begin());
        let mut tx = self.pool.begin_with(begin).await.map_err(failed)?;
        let rows = sqlx::query_with(AssertSqlSafe(sql.to_owned()), arguments)
            .persistent(self.prepares)
            .fetch_all(&mut *tx)
            .await
            .map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        Ok(rows)
    }

    async fn page<T>(
        &self,
        question: Question,
        column: &'static str,
        page: Page,
        decode: fn(Row<'_>) -> Result<Positioned<T>, StoreError>,
    ) -> Result<Listed<T>, StoreError> {
        // Whoever writes the registry holds its one row, so positions appear in their order.
        Ok(listed(self.rows(paged(question, column, page), decode).await?, page))
    }

    /// How often the registry was written, asked of the database after this was called.
    async fn version(&self) -> Result<i64, StoreError> {
        self.versions
            .get(|| {
                Box::pin(async {
                    let sql = "SELECT version FROM registry_state;COMMIT";
                    let (held, rows) =
                        Held::begin(&self.pool, As::Registry, sql).await.map_err(Fault::told)?;
                    held.ended();
                    rows.first().map_or(Ok(0), |row| get(row, 0))
                })
            })
            .await
    }

    async fn find_key(&self, hash: [u8; 32]) -> Result<Option<KeyRow>, StoreError> {
        let as_of = self.version().await?;
        {
            let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
            if keys.as_of == as_of {
                if let Some(key) = keys.by_hash.get(&hash) {
                    return Ok(Some(key.clone()));
                }
            } else if keys.as_of < as_of {
                keys.by_hash.clear();
                keys.as_of = as_of;
            }
        }
        // Few come here, and the others shall not carry what it needs.
        Box::pin(self.read_key(hash, as_of)).await
    }

    async fn read_key(&self, hash: [u8; 32], as_of: i64) -> Result<Option<KeyRow>, StoreError> {
        let question = Question::new(KEY).and("k.hash = ?", hash.to_vec());
        let found = self.rows(question, key_row).await?.pop().map(|key| key.row);
        if let Some(key) = &found {
            let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
            // If it was written since, what was read may be older than what is there now.
            if keys.as_of == as_of && keys.by_hash.len() < CACHED_KEYS_MAX {
                keys.by_hash.insert(hash, key.clone());
            }
        }
        Ok(found)
    }

    /// Begins to write: whoever else wants to, waits.
    async fn begin(&self) -> Result<Held, Fault> {
        let sql = "UPDATE registry_state SET version = version + 1";
        let mut tries = 0;
        loop {
            tries += 1;
            match Held::begin(&self.pool, As::Registry, sql).await {
                Ok((held, _)) => return Ok(held),
                // Nothing is written yet.
                Err(Fault::Lost(_)) if tries < TRIES => {}
                Err(fault) => return Err(fault),
            }
        }
    }

    async fn write(&self, change: RegistryChange) -> Result<RegistryCommitted, StoreError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let work = async {
                let mut held = self.begin().await?;
                let done = write_change(&mut held, &change).await?;
                match done {
                    RegistryCommitted::Applied => held.commit().await?,
                    RegistryCommitted::Replayed(_) => held.rollback().await,
                }
                Ok(done)
            };
            match work.await {
                Ok(done) => return Ok(done),
                Err(Fault::Again(_)) if tries < TRIES => {}
                Err(fault) => return Err(fault.told()),
            }
        }
    }

    async fn made_tenant(&self, tenant: &TenantRow) -> Result<Vec<ScopeRow>, StoreError> {
        let work = async {
            let mut held = self.begin().await?;
            write_tenant(&mut held, tenant, &self.master, self.random.as_ref()).await?;
            held.commit().await
        };
        work.await.map_err(Fault::told)?;
        let question = Question::new(SCOPE).and("s.tenant = ?", tenant.id.to_bytes());
        self.rows(question.end("ORDER BY s.id LIMIT ?", i64::MAX), scope_row).await
    }

    /// Runs a statement over what is in no other process's memory.
    async fn put(&self, sql: &'static str, values: PgArguments) -> Result<(), StoreError> {
        self.asked(sql.to_owned(), values).await.map(drop)
    }

    fn awaking(&self, mut row: ScopeRow) -> ScopeRow {
        let wake_at = self.wake_at.lock().unwrap_or_else(PoisonError::into_inner);
        row.wake_at = wake_at.get(&row.id).copied();
        row
    }
}

impl Registry for PgRegistry {
    fn make_tenant(&self, tenant: TenantRow) -> Answer<'_, Vec<ScopeRow>> {
        Box::pin(async move { self.made_tenant(&tenant).await })
    }

    fn tenants(&self) -> Answer<'_, Vec<TenantRow>> {
        let sql = "SELECT id, name, timezone, currency, created_at FROM tenant ORDER BY n";
        Box::pin(self.rows(Question::new(sql), tenant_row))
    }

    fn scopes(&self) -> Answer<'_, Vec<ScopeRow>> {
        Box::pin(async {
            let rows = self.rows(Question::new(format!("{SCOPE} ORDER BY s.id")), scope_row).await?;
            Ok(rows.into_iter().map(|row| self.awaking(row)).collect())
        })
    }

    fn scope(&self, id: ScopeId) -> Answer<'_, Option<ScopeRow>> {
        Box::pin(async move {
            let found = self.rows(Question::new(SCOPE).and("s.id = ?", id.0), scope_row).await?.pop();
            Ok(found.map(|row| self.awaking(row)))
        })
    }

    fn commit(&self, change: RegistryChange) -> Answer<'_, RegistryCommitted> {
        Box::pin(self.write(change))
    }

    fn key_by_hash(&self, hash: [u8; 32]) -> Answer<'_, Option<KeyRow>> {
        Box::pin(self.find_key(hash))
    }

    fn key(&self, scope: ScopeId, id: Id<kinds::Key>) -> Answer<'_, Option<KeyRow>> {
        Box::pin(async move {
            let question = Question::new(KEY).and("k.scope = ?", scope.0).and("k.id = ?", id.to_bytes());
            Ok(self.rows(question, key_row).await?.pop().map(|key| key.row))
        })
    }

    fn keys(&self, scope: ScopeId, page: Page) -> Answer<'_, Listed<KeyRow>> {
        Box::pin(self.page(Question::new(KEY).and("k.scope = ?", scope.0), "k.n", page, key_row))
    }

    fn keys_used(&self, used: Vec<(Id<kinds::Key>, Instant)>) -> Answer<'_, ()> {
        Box::pin(async move {
            // The newest use of each key alone: a row is written once in a statement.
            let mut newest: HashMap<[u8; 16], i64> = HashMap::new();
            for (id, at) in used {
                let known = newest.entry(id.to_bytes()).or_insert(i64::MIN);
                *known = at.ms().max(*known);
            }
            let sql = "UPDATE key SET last_used_at = greatest(coalesce(last_used_at, $2), $2) WHERE id = $1";
            let mut ids: Vec<_> = newest.into_iter().collect();
            // In one order on every node, so that two never wait for each other.
            ids.sort_unstable();
            for (id, at) in ids {
                let values = arguments(vec![Value::from(id), Value::from(at)]).map_err(Fault::told)?;
                self.put(sql, values).await?;
            }
            Ok(())
        })
    }

    fn provider_scope(&self, id: Id<kinds::Provider>) -> Answer<'_, Option<ScopeId>> {
        Box::pin(async move {
            let question =
                Question::new("SELECT scope FROM provider_scope").and("provider = ?", id.to_bytes());
            Ok(self.rows(question, |row| get(row, 0).map(ScopeId)).await?.pop())
        })
    }

    fn idempotency(&self, scope: ScopeId, key: IdempotencyKey) -> Answer<'_, Option<Kept>> {
        Box::pin(async move {
            let mut values = PgArguments::default();
            let added = values.add(scope.0).and_then(|()| values.add(Key(key.0)));
            added.map_err(|error| StoreError::Io { what: "reading", detail: error.to_string() })?;
            let rows = self.asked(KEPT.to_owned(), values).await?;
            rows.first().map(|row| kept_row(row)).transpose()
        })
    }

    fn audit(&self, scope: ScopeId, page: Page) -> Answer<'_, Listed<AuditRow>> {
        let select = "SELECT a.n, a.id, a.at, a.who, a.what, a.object, a.request, a.canonical, a.hash, \
             (SELECT p.hash FROM registry_audit p WHERE p.scope = a.scope AND p.n < a.n ORDER BY p.n DESC LIMIT 1) \
             FROM registry_audit a";
        Box::pin(self.page(Question::new(select).and("a.scope = ?", scope.0), "a.n", page, audit_row))
    }

    fn erased(&self, scope: ScopeId) -> Answer<'_, Vec<SubjectId>> {
        Box::pin(
            self.rows(Question::new("SELECT subject FROM erased").and("scope = ?", scope.0), subject_row),
        )
    }

    fn set_wake_at(&self, scope: ScopeId, at: Option<Instant>) -> Answer<'_, ()> {
        let mut wake_at = self.wake_at.lock().unwrap_or_else(PoisonError::into_inner);
        match at {
            Some(at) => wake_at.insert(scope, at),
            None => wake_at.remove(&scope),
        };
        drop(wake_at);
        Box::pin(std::future::ready(Ok(())))
    }

    fn drop_kept(&self, before: Instant) -> Answer<'_, ()> {
        Box::pin(async move {
            let values = arguments(vec![Value::from(before.ms())]).map_err(Fault::told)?;
            self.put("DELETE FROM registry_idempotency WHERE at < $1", values).await
        })
    }
}
