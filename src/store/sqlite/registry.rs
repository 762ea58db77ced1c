//! The registry's file. Other processes write it too, under SQLite's own locking, so every write
//! here is one short transaction that asks for the lock first.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use sqlx::sqlite::{SqliteConnection, SqlitePool, SqlitePoolOptions, SqliteRow};
use sqlx::{Connection as _, Row as _, query};
use tokio::sync::Mutex;

use super::connect;
use super::encode::kept_form;
use super::error::{Fault, fault, open_error, read_error, write_error};
use super::migrate;
use super::rare::chained;
use super::read::{audit_row, bytes, get, id, instant, kept_row, maybe_instant};
use super::wal_index::{WalIndex, WalIndexHead};
use crate::model::{Environment, Id, Instant, ScopeId, kinds};
use crate::store::registry::{
    KeyRow, Registry, RegistryAudit, RegistryChange, RegistryCommitted, ScopeRow, TenantRow,
};
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
        let noted = if clean { run(&mut conn, "UPDATE state SET clean = 1").await } else { Ok(()) };
        let _ = conn.close().await;
        noted
    }
}

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

/// Runs a statement; a broken constraint is a conflict about `what`.
async fn put(
    conn: &mut SqliteConnection,
    row: sqlx::query::Query<'_, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>,
    what: &'static str,
) -> Result<u64, Fault> {
    row.execute(conn).await.map(|done| done.rows_affected()).map_err(|error| fault(&error, what))
}

impl SqliteRegistry {
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
        rows.iter().map(scope_row).collect()
    }

    async fn rows<T>(
        &self,
        sql: String,
        bind: Vec<i64>,
        decode: fn(&SqliteRow) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut question = query(sqlx::AssertSqlSafe(sql));
        for value in bind {
            question = question.bind(value);
        }
        let rows = question.fetch_all(&self.pool).await.map_err(|error| read_error(&error))?;
        rows.iter().map(decode).collect()
    }

    async fn page<T>(
        &self,
        select: String,
        column: &str,
        scope: ScopeId,
        page: Page,
        decode: fn(&SqliteRow) -> Result<Positioned<T>, StoreError>,
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
        let found = row.as_ref().map(key_row).transpose()?.map(|key| key.row);
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
        let conn = open(&mut guard)?;
        run(conn, "BEGIN IMMEDIATE").await?;
        let done = write_change(conn, &change).await;
        end(conn, done).await
    }
}

async fn write_change(
    conn: &mut SqliteConnection,
    change: &RegistryChange,
) -> Result<RegistryCommitted, Fault> {
    if let Some((scope, kept)) = &change.keep {
        let row = query(KEPT).bind(scope.0).bind(kept.key.0.to_vec()).fetch_optional(&mut *conn).await;
        if let Some(row) = row.map_err(|error| read_error(&error))? {
            return Ok(RegistryCommitted::Replayed(Box::new(kept_row(&row)?)));
        }
        let (form, answer) = kept_form(&kept.answer);
        let sql = "INSERT INTO idempotency(scope, key, request, status, form, answer, at) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let row = query(sql)
            .bind(scope.0)
            .bind(kept.key.0.to_vec())
            .bind(kept.request.to_vec())
            .bind(i64::from(kept.status))
            .bind(form)
            .bind(answer)
            .bind(kept.at.ms());
        put(conn, row, "an idempotency key").await?;
    }
    for key in &change.keys {
        let sql = "INSERT INTO key(id, scope, name, hash, hint, permissions, created_at, last_used_at, \
                   expires_at, revoked_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let row = query(sql)
            .bind(key.id.to_bytes().to_vec())
            .bind(key.scope.0)
            .bind(&key.name)
            .bind(key.hash.to_vec())
            .bind(&key.hint)
            .bind(i64::from(key.permissions))
            .bind(key.created_at.ms())
            .bind(key.last_used_at.map(Instant::ms))
            .bind(key.expires_at.map(Instant::ms))
            .bind(key.revoked_at.map(Instant::ms));
        put(conn, row, "a key").await?;
    }
    for (id, scope, at) in &change.keys_revoked {
        let sql = "UPDATE key SET revoked_at = $3 WHERE id = $1 AND scope = $2 AND revoked_at IS NULL";
        let row = query(sql).bind(id.to_bytes().to_vec()).bind(scope.0).bind(at.ms());
        if put(conn, row, "a key").await? != 1 {
            return Err(Fault::Conflict("a key"));
        }
    }
    for (id, scope, at) in &change.keys_expire {
        let sql = "UPDATE key SET expires_at = min(coalesce(expires_at, $3), $3) \
                   WHERE id = $1 AND scope = $2 AND revoked_at IS NULL";
        let row = query(sql).bind(id.to_bytes().to_vec()).bind(scope.0).bind(at.ms());
        if put(conn, row, "a key").await? != 1 {
            return Err(Fault::Conflict("a key"));
        }
    }
    for (provider, scope) in &change.providers {
        let sql = "INSERT INTO provider_scope(provider, scope) VALUES ($1, $2) \
                   ON CONFLICT (provider) DO NOTHING";
        put(conn, query(sql).bind(provider.to_bytes().to_vec()).bind(scope.0), "a provider").await?;
    }
    for provider in &change.providers_gone {
        let sql = "DELETE FROM provider_scope WHERE provider = $1";
        put(conn, query(sql).bind(provider.to_bytes().to_vec()), "a provider").await?;
    }
    for (scope, subject, at) in &change.erased {
        let sql = "INSERT INTO erased(scope, subject, at) VALUES ($1, $2, $3) \
                   ON CONFLICT (scope, subject) DO UPDATE SET at = excluded.at";
        put(conn, query(sql).bind(scope.0).bind(subject.0.to_vec()).bind(at.ms()), "a subject").await?;
    }
    for audit in &change.audit {
        write_audit(conn, audit).await?;
    }
    Ok(RegistryCommitted::Applied)
}

async fn write_audit(conn: &mut SqliteConnection, audit: &RegistryAudit) -> Result<(), Fault> {
    let scope = audit.scope.map_or(0, |scope| scope.0);
    let before = query("SELECT hash FROM audit WHERE scope = $1 ORDER BY n DESC LIMIT 1")
        .bind(scope)
        .fetch_optional(&mut *conn)
        .await
        .map_err(|error| read_error(&error))?;
    let prev_hash = match before {
        None => [0; 32],
        Some(row) => bytes(&row, 0)?,
    };
    let entry = &audit.entry;
    let sql = "INSERT INTO audit(scope, id, at, who, what, object, request, canonical, hash) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let row = query(sql)
        .bind(scope)
        .bind(entry.id.to_bytes().to_vec())
        .bind(entry.at.ms())
        .bind(&entry.who)
        .bind(&entry.what)
        .bind(&entry.object_id)
        .bind(&entry.request_id)
        .bind(&entry.canonical)
        .bind(chained(prev_hash, &entry.canonical).to_vec());
    put(conn, row, "the audit").await?;
    Ok(())
}

const KEPT: &str =
    "SELECT key, request, status, form, answer, at FROM idempotency WHERE scope = $1 AND key = $2";

const fn environment_number(environment: Environment) -> i64 {
    match environment {
        Environment::Test => 0,
        Environment::Live => 1,
    }
}

fn environment(row: &SqliteRow, column: usize) -> Result<Environment, StoreError> {
    Ok(if get::<i64>(row, column)? == 0 { Environment::Test } else { Environment::Live })
}

fn currency(row: &SqliteRow, column: usize) -> Result<crate::model::Currency, StoreError> {
    get::<&str>(row, column)?.parse().map_err(|error: crate::model::MoneyError| StoreError::Io {
        what: "reading a tenant",
        detail: error.to_string(),
    })
}

fn tenant_row(row: &SqliteRow) -> Result<TenantRow, StoreError> {
    Ok(TenantRow {
        id: id(row, 0)?,
        name: get(row, 1)?,
        timezone: get(row, 2)?,
        currency: currency(row, 3)?,
        created_at: instant(row, 4)?,
    })
}

fn scope_row(row: &SqliteRow) -> Result<ScopeRow, StoreError> {
    Ok(ScopeRow {
        id: ScopeId(get(row, 0)?),
        tenant: id(row, 1)?,
        tenant_name: get(row, 2)?,
        timezone: get(row, 3)?,
        currency: currency(row, 4)?,
        environment: environment(row, 5)?,
        sealed_key: get(row, 6)?,
        wake_at: maybe_instant(row, 7)?,
    })
}

fn key_row(row: &SqliteRow) -> Result<Positioned<KeyRow>, StoreError> {
    let key = KeyRow {
        id: id(row, 1)?,
        scope: ScopeId(get(row, 2)?),
        environment: environment(row, 3)?,
        name: get(row, 4)?,
        hash: bytes(row, 5)?,
        hint: get(row, 6)?,
        permissions: get::<i64>(row, 7)? as u8,
        created_at: instant(row, 8)?,
        last_used_at: maybe_instant(row, 9)?,
        expires_at: maybe_instant(row, 10)?,
        revoked_at: maybe_instant(row, 11)?,
    };
    Ok(Positioned { n: get(row, 0)?, row: key })
}

fn subject_row(row: &SqliteRow) -> Result<SubjectId, StoreError> {
    bytes(row, 0).map(SubjectId)
}

impl Registry for SqliteRegistry {
    fn make_tenant(&self, tenant: TenantRow) -> Answer<'_, Vec<ScopeRow>> {
        Box::pin(async move {
            {
                let mut guard = self.writer.lock().await;
                let conn = open(&mut guard)?;
                run(conn, "BEGIN IMMEDIATE").await?;
                let done = self.write_tenant(conn, &tenant).await;
                end(conn, done).await?;
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
            Ok(row.as_ref().map(key_row).transpose()?.map(|key| key.row))
        })
    }

    fn keys(&self, scope: ScopeId, page: Page) -> Answer<'_, Listed<KeyRow>> {
        Box::pin(self.page(format!("{KEY} WHERE k.scope = $1"), "k.n", scope, page, key_row))
    }

    fn keys_used(&self, used: Vec<(Id<kinds::Key>, Instant)>) -> Answer<'_, ()> {
        Box::pin(async move {
            let mut guard = self.writer.lock().await;
            let conn = open(&mut guard)?;
            run(conn, "BEGIN IMMEDIATE").await?;
            let mut done = Ok(());
            for (id, at) in used {
                let sql = "UPDATE key SET last_used_at = max(coalesce(last_used_at, $2), $2) WHERE id = $1";
                let row = query(sql).bind(id.to_bytes().to_vec()).bind(at.ms());
                done = put(conn, row, "a key").await.map(drop);
                if done.is_err() {
                    break;
                }
            }
            end(conn, done).await
        })
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
            row.as_ref().map(kept_row).transpose()
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
            query("UPDATE scope SET wake_at = $2 WHERE id = $1")
                .bind(scope.0)
                .bind(at.map(Instant::ms))
                .execute(open(&mut guard)?)
                .await
                .map(drop)
                .map_err(|error| write_error(&error))
        })
    }

    fn drop_old(&self, now: Instant) -> Answer<'_, ()> {
        Box::pin(async move {
            let mut guard = self.writer.lock().await;
            query("DELETE FROM idempotency WHERE at < $1")
                .bind(now.ms() - super::merge::KEPT_MS)
                .execute(open(&mut guard)?)
                .await
                .map(drop)
                .map_err(|error| write_error(&error))
        })
    }
}
