//! What is written to the registry at once.

use sqlx::query;
use sqlx::sqlite::SqliteConnection;

use super::error::{Fault, fault, read_error};
use crate::model::Instant;
use crate::store::forms::{chained, kept_form};
use crate::store::read::decode::{get, kept_row};
use crate::store::registry::{RegistryAudit, RegistryChange, RegistryCommitted};

pub(super) const KEPT: &str =
    "SELECT key, request, status, form, answer, at FROM idempotency WHERE scope = $1 AND key = $2";

/// Runs a statement; a broken constraint is a conflict about `what`.
pub(super) async fn put(
    conn: &mut SqliteConnection,
    row: sqlx::query::Query<'_, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>,
    what: &'static str,
) -> Result<u64, Fault> {
    row.execute(conn).await.map(|done| done.rows_affected()).map_err(|error| fault(&error, what))
}

pub(super) async fn write_change(
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
        Some(row) => get(&row, 0)?,
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
