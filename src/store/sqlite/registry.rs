//! The registry's file. Other processes write it too, under SQLite's own locking, so every write
//! here is one short transaction that asks for the lock first.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, OnceLock, PoisonError};

use sqlx::sqlite::{SqliteConnection, SqlitePool, SqlitePoolOptions};
use sqlx::{Connection as _, Row as _, query};
use tokio::sync::Mutex;

use super::connect;
use super::error::{Fault, open_error, read_error, write_error};
use super::migrate;
use super::registry_rows::{KEPT, put, write_change};
use super::wal_index::{WalIndex, WalIndexHead};
use crate::model::{Environment, Id, Instant, ScopeId, kinds};
use crate::store::read::decode::{Row, audit_row, get, kept_row};
use crate::store::read::registry::{environment_number, key_row, scope_row, subject_row, tenant_row};
use crate::store::registry::{KeyRow, Registry, RegistryChange, RegistryCommitted, ScopeRow, TenantRow};
use crate::store::rows::{AuditRow, IdempotencyKey, Kept, SubjectId};
use crate::store::seal::{MasterKey, Randomness};
use crate::store::{Answer, Listed, Page, PageStart, Positioned, StoreError};

/// The most keys in memory.
const CACHED_KEYS_MAX: usize = 10_000;

const SCOPE: &str = "SELECT s.id, s.tenant, t.name, t.timezone, t.currency, s.environment, s.sealed_key, \
     s.wake_at FROM scope s JOIN tenant t ON t.id = s.tenant";
const KEY: &str = "SELECT k.n, k.id, k.scope, s.environment, k.name, k.hash, k.hint, k.permissions, \
     k.created_at, k.last_used_at, k.expires_at, k.revoked_at FROM key k JOIN scope s ON s.id = k.scope";

/// The registry in its file.
pub(super) struct SqliteRegistry {
    writer: Mutex<Option<SqliteConnection>>,
    pool: SqlitePool,
    master: Arc<MasterKey>,
    random: Arc<dyn Randomness>,
    index: WalIndex,
    /// What made it refuse all further changes.
    failure: OnceLock<StoreError>,
    keys: std::sync::Mutex<Keys>,
}

/// Keys that were asked for, as of one state of the file.
#[derive(Default)]
struct Keys {
    as_of: Option<WalIndexHead>,
    by_hash: HashMap<[u8; 32], KeyRow>,
}

/// The master key, found once it is known whether there is anything to open.
pub(super) type FindMaster<'a> = dyn Fn(bool) -> Result<MasterKey, StoreError> + Send + Sync + 'a;

impl SqliteRegistry {
    /// Opens the file, or makes it, and checks that the operator's key opens what is there.
    pub(super) async fn open(
        path: &Path,
        find_master: &FindMaster<'_>,
        random: Arc<dyn Randomness>,
    ) -> Result<SqliteRegistry, StoreError> {
        let mut conn = connect::open_writer(path, &migrate::REGISTRY).await?;
        let sealed = query("SELECT id, sealed_key FROM scope")
            .fetch_all(&mut conn)
            .await
            .map_err(|error| open_error(&error, path))?;
        let master = find_master(sealed.is_empty())?;
        for row in sealed {
            master.open_scope_key(ScopeId(row.get(0)), row.get(1))?;
        }
        let pool = SqlitePoolOptions::new()
            .min_connections(0)
            .max_connections(2)
            .test_before_acquire(false)
            .connect_lazy_with(connect::reading(path));
        Ok(SqliteRegistry {
            writer: Mutex::new(Some(conn)),
            pool,
            master: Arc::new(master),
            random,
            index: WalIndex::of(path),
            failure: OnceLock::new(),
            keys: std::sync::Mutex::default(),
        })
    }

    /// The operator's key.
    pub(super) fn master(&self) -> &MasterKey {
        &self.master
    }

    /// Whether the last stop was clean; from now on it was not.
    pub(super) async fn begin(&self) -> Result<bool, StoreError> {
        let mut guard = self.writer.lock().await;
        let conn = open(&mut guard)?;
        let row = query("SELECT clean FROM state").fetch_one(&mut *conn).await;
        let clean: i64 = row.map_err(|error| read_error(&error))?.get(0);
        run(conn, "UPDATE state SET clean = 0").await?;
        Ok(clean != 0)
    }

    /// Notes a clean stop, if it was one, and closes the file.
    pub(super) async fn close(&self, clean: bool) -> Result<(), StoreError> {
        self.pool.close().await;
        let Some(mut conn) = self.writer.lock().await.take() else { return Ok(()) };
        if let Some(error) = self.failure.get() {
            // The last connection to go would write the log back and remove it.
            std::mem::forget(conn);
            return Err(error.clone());
        }
        let noted = if clean { run(&mut conn, "UPDATE state SET clean = 1").await } else { Ok(()) };
        let _ = conn.close().await;
        noted
    }
}

/// From how many pages on the log is written back.
const LOG_PAGES: u32 = 1_000;

fn open(conn: &mut Option<SqliteConnection>) -> Result<&mut SqliteConnection, StoreError> {
    conn.as_mut().ok_or(StoreError::Closing)
}

async fn run(conn: &mut SqliteConnection, sql: &'static str) -> Result<(), StoreError> {
    query(sql).execute(conn).await.map(drop).map_err(|error| write_error(&error))
}

/// Ends the transaction as the work in it ended.
async fn end<T>(conn: &mut SqliteConnection, done: Result<T, Fault>) -> Result<T, StoreError> {
    match done {
        Ok(value) => {
            run(conn, "COMMIT").await?;
            Ok(value)
        }
        Err(fault) => {
            let _ = query("ROLLBACK").execute(conn).await;
            Err(match fault {
                Fault::Conflict(what) => StoreError::Conflict { what },
                Fault::Store(error) => error,
            })
        }
    }
}

impl SqliteRegistry {
    /// The connection, where nothing has failed.
    fn writer<'a>(
        &self,
        conn: &'a mut Option<SqliteConnection>,
    ) -> Result<&'a mut SqliteConnection, StoreError> {
        self.failure.get().map_or_else(|| open(conn), |error| Err(error.clone()))
    }

    /// Remembers a failure: after it nothing more is written.
    fn noted<T>(&self, done: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error @ StoreError::Failed { .. }) = &done
            && self.failure.set(error.clone()).is_ok()
        {
            tracing::error!(%error, "a commit of the registry failed, no more changes are taken");
        }
        done
    }

    /// Drops answers that were kept before this, and writes the log back where it is long.
    async fn tidied(&self, before: Instant) -> Result<(), StoreError> {
        let mut guard = self.writer.lock().await;
        let conn = self.writer(&mut guard)?;
        query("DELETE FROM idempotency WHERE at < $1")
            .bind(before.ms())
            .execute(&mut *conn)
            .await
            .map_err(|error| write_error(&error))?;
        if self.index.read().is_some_and(|index| index.frames >= LOG_PAGES) {
            run(conn, super::checkpoint::CHECKPOINT).await?;
        }
        Ok(())
    }

    async fn write_tenant(&self, conn: &mut SqliteConnection, tenant: &TenantRow) -> Result<(), Fault> {
        let sql = "INSERT INTO tenant(id, name, timezone, currency, created_at) VALUES ($1, $2, $3, $4, $5)";
        let row = query(sql)
            .bind(tenant.id.to_bytes().to_vec())
            .bind(&tenant.name)
            .bind(&tenant.timezone)
            .bind(tenant.currency.as_str())
            .bind(tenant.created_at.ms());
        put(conn, row, "a tenant").await?;
        for environment in [Environment::Test, Environment::Live] {
            let next = query("SELECT coalesce(max(id), 0) + 1 FROM scope").fetch_one(&mut *conn).await;
            let id: i64 = next.map_err(|error| read_error(&error))?.get(0);
            let sealed = self.master.make_scope_key(ScopeId(id), self.random.as_ref())?;
            let sql = "INSERT INTO scope(id, tenant, environment, sealed_key) VALUES ($1, $2, $3, $4)";
            let row = query(sql)
                .bind(id)
                .bind(tenant.id.to_bytes().to_vec())
                .bind(environment_number(environment))
                .bind(sealed);
            put(conn, row, "a scope").await?;
        }
        Ok(())
    }

    async fn scopes_of(&self, tenant: Id<kinds::Tenant>) -> Result<Vec<ScopeRow>, StoreError> {
        let mut guard = self.writer.lock().await;
        let rows = query(sqlx::AssertSqlSafe(format!("{SCOPE} WHERE s.tenant = $1 ORDER BY s.id")))
            .bind(tenant.to_bytes().to_vec())
            .fetch_all(open(&mut guard)?)
            .await
            .map_err(|error| read_error(&error))?;
        rows.iter().map(|row| scope_row(row)).collect()
    }

    async fn rows<T>(
        &self,
        sql: String,
        bind: Vec<i64>,
        decode: fn(Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut question = query(sqlx::AssertSqlSafe(sql));
        for value in bind {
            question = question.bind(value);
        }
        let rows = question.fetch_all(&self.pool).await.map_err(|error| read_error(&error))?;
        rows.iter().map(|row| decode(row)).collect()
    }

    async fn page<T>(
        &self,
        select: String,
        column: &str,
        scope: ScopeId,
        page: Page,
        decode: fn(Row<'_>) -> Result<Positioned<T>, StoreError>,
    ) -> Result<Listed<T>, StoreError> {
        let (condition, order, from) = match page.start {
            PageStart::Newest => ("<", "DESC", i64::MAX),
            PageStart::After(n) => ("<", "DESC", n),
            PageStart::Before(n) => (">", "ASC", n),
        };
        let sql = format!("{select} AND {column} {condition} $2 ORDER BY {column} {order} LIMIT $3");
        let limit = page.limit as usize;
        let mut rows = self.rows(sql, vec![scope.0, from, i64::from(page.limit) + 1], decode).await?;
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        if matches!(page.start, PageStart::Before(_)) {
            rows.reverse();
        }
        Ok(Listed { rows, has_more })
    }

    async fn find_key(&self, hash: [u8; 32]) -> Result<Option<KeyRow>, StoreError> {
        let as_of = self.index.read();
        {
            let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
            if as_of.is_some() && keys.as_of == as_of {
                if let Some(key) = keys.by_hash.get(&hash) {
                    return Ok(Some(key.clone()));
                }
            } else {
                keys.by_hash.clear();
                keys.as_of = as_of;
            }
        }
        let row = query(sqlx::AssertSqlSafe(format!("{KEY} WHERE k.hash = $1")))
            .bind(hash.to_vec())
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| read_error(&error))?;
        let found = row.as_ref().map(|row| key_row(row)).transpose()?.map(|key| key.row);
        if let Some(key) = &found {
            let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
            // If the file was written since, what was read may be older than what is there now.
            if keys.as_of == as_of && keys.by_hash.len() < CACHED_KEYS_MAX {
                keys.by_hash.insert(hash, key.clone());
            }
        }
        Ok(found)
    }

    async fn write(&self, change: RegistryChange) -> Result<RegistryCommitted, StoreError> {
        let mut guard = self.writer.lock().await;
        let conn = self.writer(&mut guard)?;
        self.noted(run(conn, "BEGIN IMMEDIATE").await)?;
        let done = write_change(conn, &change).await;
        self.noted(end(conn, done).await)
    }
}

impl Registry for SqliteRegistry {
    fn make_tenant(&self, tenant: TenantRow) -> Answer<'_, Vec<ScopeRow>> {
        Box::pin(async move {
            {
                let mut guard = self.writer.lock().await;
                let conn = self.writer(&mut guard)?;
                self.noted(run(conn, "BEGIN IMMEDIATE").await)?;
                let done = self.write_tenant(conn, &tenant).await;
                self.noted(end(conn, done).await)?;
            }
            self.scopes_of(tenant.id).await
        })
    }

    fn tenants(&self) -> Answer<'_, Vec<TenantRow>> {
        let sql = "SELECT id, name, timezone, currency, created_at FROM tenant ORDER BY n";
        Box::pin(self.rows(sql.into(), Vec::new(), tenant_row))
    }

    fn scopes(&self) -> Answer<'_, Vec<ScopeRow>> {
        Box::pin(self.rows(format!("{SCOPE} ORDER BY s.id"), Vec::new(), scope_row))
    }

    fn scope(&self, id: ScopeId) -> Answer<'_, Option<ScopeRow>> {
        Box::pin(async move {
            Ok(self.rows(format!("{SCOPE} WHERE s.id = $1"), vec![id.0], scope_row).await?.pop())
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
            let row = query(sqlx::AssertSqlSafe(format!("{KEY} WHERE k.scope = $1 AND k.id = $2")))
                .bind(scope.0)
                .bind(id.to_bytes().to_vec())
                .fetch_optional(&self.pool)
                .await
                .map_err(|error| read_error(&error))?;
            Ok(row.as_ref().map(|row| key_row(row)).transpose()?.map(|key| key.row))
        })
    }

    fn keys(&self, scope: ScopeId, page: Page) -> Answer<'_, Listed<KeyRow>> {
        Box::pin(self.page(format!("{KEY} WHERE k.scope = $1"), "k.n", scope, page, key_row))
    }

    fn keys_used(&self, used: Vec<(Id<kinds::Key>, Instant)>) -> Answer<'_, ()> {
        Box::pin(async move {
            let mut guard = self.writer.lock().await;
            let conn = self.writer(&mut guard)?;
            self.noted(run(conn, "BEGIN IMMEDIATE").await)?;
            let mut done = Ok(());
            for (id, at) in used {
                let sql = "UPDATE key SET last_used_at = max(coalesce(last_used_at, $2), $2) WHERE id = $1";
                let row = query(sql).bind(id.to_bytes().to_vec()).bind(at.ms());
                done = put(conn, row, "a key").await.map(drop);
                if done.is_err() {
                    break;
                }
            }
            self.noted(end(conn, done).await)
        })
    }

    fn has_failed(&self) -> bool {
        self.failure.get().is_some()
    }

    fn provider_scope(&self, id: Id<kinds::Provider>) -> Answer<'_, Option<ScopeId>> {
        Box::pin(async move {
            let row = query("SELECT scope FROM provider_scope WHERE provider = $1")
                .bind(id.to_bytes().to_vec())
                .fetch_optional(&self.pool)
                .await
                .map_err(|error| read_error(&error))?;
            row.as_ref().map(|row| get(row, 0).map(ScopeId)).transpose()
        })
    }

    fn idempotency(&self, scope: ScopeId, key: IdempotencyKey) -> Answer<'_, Option<Kept>> {
        Box::pin(async move {
            let row = query(KEPT)
                .bind(scope.0)
                .bind(key.0.to_vec())
                .fetch_optional(&self.pool)
                .await
                .map_err(|error| read_error(&error))?;
            row.as_ref().map(|row| kept_row(row)).transpose()
        })
    }

    fn audit(&self, scope: ScopeId, page: Page) -> Answer<'_, Listed<AuditRow>> {
        let select = "SELECT a.n, a.id, a.at, a.who, a.what, a.object, a.request, a.canonical, a.hash, \
             (SELECT p.hash FROM audit p WHERE p.scope = a.scope AND p.n < a.n ORDER BY p.n DESC LIMIT 1) \
             FROM audit a WHERE a.scope = $1";
        Box::pin(self.page(select.into(), "a.n", scope, page, audit_row))
    }

    fn erased(&self, scope: ScopeId) -> Answer<'_, Vec<SubjectId>> {
        let sql = "SELECT subject FROM erased WHERE scope = $1";
        Box::pin(self.rows(sql.into(), vec![scope.0], subject_row))
    }

    fn set_wake_at(&self, scope: ScopeId, at: Option<Instant>) -> Answer<'_, ()> {
        Box::pin(async move {
            let mut guard = self.writer.lock().await;
            let done = query("UPDATE scope SET wake_at = $2 WHERE id = $1")
                .bind(scope.0)
                .bind(at.map(Instant::ms))
                .execute(self.writer(&mut guard)?)
                .await;
            self.noted(done.map(drop).map_err(|error| write_error(&error)))
        })
    }

    fn drop_kept(&self, before: Instant) -> Answer<'_, ()> {
        Box::pin(async move { self.noted(self.tidied(before).await) })
    }
}
