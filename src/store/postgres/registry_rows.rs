//! What is written to the registry at once.

use sqlx::query;

use super::column::Key;
use super::connect::Held;
use super::error::{Fault, fault};
use crate::model::{Environment, Instant, ScopeId};
use crate::store::forms::{chained, kept_form};
use crate::store::read::decode::{get, kept_row};
use crate::store::read::registry::environment_number;
use crate::store::registry::{RegistryAudit, RegistryChange, RegistryCommitted, TenantRow};
use crate::store::seal::{MasterKey, Randomness};

pub(super) const KEPT: &str =
    "SELECT key, request, status, form, answer, at FROM registry_idempotency WHERE scope = $1 AND key = $2";

type Bound<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

/// Runs a statement; a broken constraint is a conflict about `what`.
async fn put(held: &mut Held, row: Bound<'_>, what: &'static str) -> Result<u64, Fault> {
    let done = row.persistent(false).execute(held.conn()?).await;
    done.map(|done| done.rows_affected()).map_err(|error| fault(&error, what))
}

/// The same for one that has to touch a row.
async fn one(held: &mut Held, row: Bound<'_>, what: &'static str) -> Result<(), Fault> {
    if put(held, row, what).await? == 1 { Ok(()) } else { Err(Fault::Conflict(what)) }
}

pub(super) async fn write_tenant(
    held: &mut Held,
    tenant: &TenantRow,
    master: &MasterKey,
    random: &dyn Randomness,
) -> Result<(), Fault> {
    let sql = "INSERT INTO tenant(id, name, timezone, currency, created_at) VALUES ($1, $2, $3, $4, $5)";
    let row = query(sql)
        .bind(Key(tenant.id.to_bytes()))
        .bind(&tenant.name)
        .bind(&tenant.timezone)
        .bind(tenant.currency.as_str())
        .bind(tenant.created_at.ms());
    put(held, row, "a tenant").await?;
    for environment in [Environment::Test, Environment::Live] {
        let next = held.all("SELECT nextval('spine.scope_id')".into()).await?;
        let id: i64 = next.first().map_or(Err(Fault::Conflict("a scope")), |row| Ok(get(row, 0)?))?;
        let sealed = master.make_scope_key(ScopeId(id), random)?;
        let sql = "INSERT INTO scope(id, tenant, environment, sealed_key) VALUES ($1, $2, $3, $4)";
        let row = query(sql)
            .bind(id)
            .bind(Key(tenant.id.to_bytes()))
            .bind(environment_number(environment))
            .bind(sealed);
        put(held, row, "a scope").await?;
        put(held, query("INSERT INTO generation(scope) VALUES ($1)").bind(id), "a scope").await?;
    }
    Ok(())
}

pub(super) async fn write_change(
    held: &mut Held,
    change: &RegistryChange,
) -> Result<RegistryCommitted, Fault> {
    if let Some((scope, kept)) = &change.keep {
        let row = query(KEPT).persistent(false).bind(scope.0).bind(Key(kept.key.0));
        let row = row.fetch_optional(held.conn()?).await.map_err(|error| fault(&error, "a key"))?;
        if let Some(row) = row {
            return Ok(RegistryCommitted::Replayed(Box::new(kept_row(&row)?)));
        }
        let (form, answer) = kept_form(&kept.answer);
        let sql = "INSERT INTO registry_idempotency(scope, key, request, status, form, answer, at) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let row = query(sql)
            .bind(scope.0)
            .bind(Key(kept.key.0))
            .bind(kept.request.to_vec())
            .bind(i64::from(kept.status))
            .bind(form)
            .bind(answer)
            .bind(kept.at.ms());
        put(held, row, "an idempotency key").await?;
    }
    for key in &change.keys {
        let sql = "INSERT INTO key(id, scope, name, hash, hint, permissions, created_at, last_used_at, \
                   expires_at, revoked_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let row = query(sql)
            .bind(Key(key.id.to_bytes()))
            .bind(key.scope.0)
            .bind(&key.name)
            .bind(key.hash.to_vec())
            .bind(&key.hint)
            .bind(i64::from(key.permissions))
            .bind(key.created_at.ms())
            .bind(key.last_used_at.map(Instant::ms))
            .bind(key.expires_at.map(Instant::ms))
            .bind(key.revoked_at.map(Instant::ms));
        put(held, row, "a key").await?;
    }
    for (id, scope, at) in &change.keys_revoked {
        let sql = "UPDATE key SET revoked_at = $3 WHERE id = $1 AND scope = $2 AND revoked_at IS NULL";
        one(held, query(sql).bind(Key(id.to_bytes())).bind(scope.0).bind(at.ms()), "a key").await?;
    }
    for (id, scope, at) in &change.keys_expire {
        let sql = "UPDATE key SET expires_at = least(coalesce(expires_at, $3), $3) \
                   WHERE id = $1 AND scope = $2 AND revoked_at IS NULL";
        one(held, query(sql).bind(Key(id.to_bytes())).bind(scope.0).bind(at.ms()), "a key").await?;
    }
    for (provider, scope) in &change.providers {
        let sql =
            "INSERT INTO provider_scope(provider, scope) VALUES ($1, $2) ON CONFLICT (provider) DO NOTHING";
        put(held, query(sql).bind(Key(provider.to_bytes())).bind(scope.0), "a provider").await?;
    }
    for provider in &change.providers_gone {
        let sql = "DELETE FROM provider_scope WHERE provider = $1";
        put(held, query(sql).bind(Key(provider.to_bytes())), "a provider").await?;
    }
    for (scope, subject, at) in &change.erased {
        let sql = "INSERT INTO erased(scope, subject, at) VALUES ($1, $2, $3) \
                   ON CONFLICT (scope, subject) DO UPDATE SET at = excluded.at";
        put(held, query(sql).bind(scope.0).bind(Key(subject.0)).bind(at.ms()), "a subject").await?;
    }
    for audit in &change.audit {
        write_audit(held, audit).await?;
    }
    Ok(RegistryCommitted::Applied)
}

async fn write_audit(held: &mut Held, audit: &RegistryAudit) -> Result<(), Fault> {
    let scope = audit.scope.map_or(0, |scope| scope.0);
    let before = query("SELECT hash FROM registry_audit WHERE scope = $1 ORDER BY n DESC LIMIT 1")
        .persistent(false)
        .bind(scope)
        .fetch_optional(held.conn()?)
        .await
        .map_err(|error| fault(&error, "the audit"))?;
    let prev_hash = match before {
        None => [0; 32],
        Some(row) => get(&row, 0)?,
    };
    let entry = &audit.entry;
    let sql = "INSERT INTO registry_audit(scope, id, at, who, what, object, request, canonical, hash) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let row = query(sql)
        .bind(scope)
        .bind(Key(entry.id.to_bytes()))
        .bind(entry.at.ms())
        .bind(&entry.who)
        .bind(&entry.what)
        .bind(&entry.object_id)
        .bind(&entry.request_id)
        .bind(&entry.canonical)
        .bind(chained(prev_hash, &entry.canonical).to_vec());
    put(held, row, "the audit").await?;
    Ok(())
}
