//! What a tenant sets up: written seldom, a statement a row.

use sha2::{Digest as _, Sha256};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Sqlite, query};

use super::encode::{Heads, delivery_state_number};
use super::error::{Fault, fault};
use crate::store::rows::{
    ContactRow, DeliveryState, EndpointRow, NewAudit, ProviderRow, VersionKind, VersionRow,
};
use crate::store::{
    Change, ConsentChange, ContactChange, EndpointChange, Position, ProviderChange, Put, VersionChange,
};

/// Whether [`write`] has anything to do for a change.
pub(super) fn is_rare(change: &Change) -> bool {
    !(change.contacts.is_empty()
        && change.consents.is_empty()
        && change.versions.is_empty()
        && change.providers.is_empty()
        && change.endpoints.is_empty()
        && change.quotas.is_empty()
        && change.erased.is_empty()
        && change.early_receipts.is_empty()
        && change.early_receipts_taken.is_empty()
        && change.clock.is_none())
}

/// Writes the rarely written rows of one change.
pub(super) async fn write(conn: &mut SqliteConnection, change: &Change, heads: Heads) -> Result<(), Fault> {
    let mut n = heads.rare;
    let mut next = || {
        n += 1;
        n - 1
    };
    for contact in &change.contacts {
        contact_row(conn, contact, next()).await?;
    }
    for consent in &change.consents {
        consent_row(conn, consent).await?;
    }
    for version in &change.versions {
        version_row(conn, version, next()).await?;
    }
    for provider in &change.providers {
        provider_row(conn, provider, next()).await?;
    }
    for endpoint in &change.endpoints {
        endpoint_row(conn, endpoint, next(), heads.event - 1).await?;
    }
    for quota in &change.quotas {
        let sql = "INSERT INTO quota(name, day, month) VALUES ($1, $2, $3) \
                   ON CONFLICT (name) DO UPDATE SET day = excluded.day, month = excluded.month";
        let (day, month) = (quota.day.map(|day| day as i64), quota.month.map(|month| month as i64));
        one(conn, query(sql).bind(&quota.name).bind(day).bind(month), "a quota").await?;
    }
    for receipt in &change.early_receipts {
        let sql = "INSERT INTO early_receipt(n, provider, provider_message_id, at, doc) \
                   VALUES ($1, $2, $3, $4, $5)";
        let row = query(sql)
            .bind(next())
            .bind(&receipt.provider)
            .bind(&receipt.provider_message_id)
            .bind(receipt.at.ms())
            .bind(&receipt.doc);
        one(conn, row, "a receipt").await?;
    }
    for (provider, id) in &change.early_receipts_taken {
        let sql = "DELETE FROM early_receipt WHERE provider = $1 AND provider_message_id = $2";
        any(conn, query(sql).bind(provider).bind(id)).await?;
    }
    for subject in &change.erased {
        // In place and of the same length, so that the old bytes are overwritten where they stand.
        let sql = "UPDATE subject SET id = randomblob(16), sealed_key = zeroblob(length(sealed_key)) \
                   WHERE id = $1";
        any(conn, query(sql).bind(subject.0.as_slice())).await?;
    }
    if let Some(clock) = change.clock {
        let sql = "INSERT INTO clock(one, advanced_by_ms, target_ms) VALUES (1, $1, $2) \
                   ON CONFLICT (one) DO UPDATE \
                   SET advanced_by_ms = excluded.advanced_by_ms, target_ms = excluded.target_ms";
        one(conn, query(sql).bind(clock.advanced_by_ms).bind(clock.target_ms), "the clock").await?;
    }
    Ok(())
}

/// Adds an entry to the audit, and gives the hash of the entry.
pub(super) async fn audit(
    conn: &mut SqliteConnection,
    entry: &NewAudit,
    n: Position,
    prev_hash: [u8; 32],
) -> Result<[u8; 32], Fault> {
    let hash = chained(prev_hash, &entry.canonical);
    let sql = "INSERT INTO audit(n, id, at, who, what, object, request, canonical, hash) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let row = query(sql)
        .bind(n)
        .bind(entry.id.to_bytes().to_vec())
        .bind(entry.at.ms())
        .bind(&entry.who)
        .bind(&entry.what)
        .bind(&entry.object_id)
        .bind(&entry.request_id)
        .bind(&entry.canonical)
        .bind(hash.to_vec());
    one(conn, row, "the audit").await?;
    Ok(hash)
}

/// SHA-256 of the lower-case hex of the hash before, a newline, and the entry.
pub(super) fn chained(prev_hash: [u8; 32], canonical: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for byte in prev_hash {
        hasher.update([HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
    hasher.update(b"\n");
    hasher.update(canonical);
    hasher.finalize().into()
}

const HEX: &[u8; 16] = b"0123456789abcdef";

async fn contact_row(conn: &mut SqliteConnection, change: &ContactChange, n: Position) -> Result<(), Fault> {
    match change {
        ContactChange::Put(Put { row, expected: None }) => {
            let ContactRow { id, external_id, created_at, updated_at, doc, sealed, .. } = row;
            let sql = "INSERT INTO contact(n, id, external_id, version, created_at, updated_at, doc, sealed) \
                       VALUES ($1, $2, $3, 1, $4, $5, $6, $7)";
            let row = query(sql)
                .bind(n)
                .bind(id.to_bytes().to_vec())
                .bind(external_id)
                .bind(created_at.ms())
                .bind(updated_at.ms())
                .bind(doc)
                .bind(sealed);
            one(conn, row, "a contact").await
        }
        ContactChange::Put(Put { row, expected: Some(version) }) => {
            let sql = "UPDATE contact SET external_id = $3, version = version + 1, updated_at = $4, doc = $5, \
                       sealed = $6 WHERE id = $1 AND version = $2";
            let row = query(sql)
                .bind(row.id.to_bytes().to_vec())
                .bind(i64::from(*version))
                .bind(&row.external_id)
                .bind(row.updated_at.ms())
                .bind(&row.doc)
                .bind(&row.sealed);
            one(conn, row, "a contact").await
        }
        ContactChange::Delete(id, version) => {
            let sql = "DELETE FROM contact WHERE id = $1 AND version = $2";
            let row = query(sql).bind(id.to_bytes().to_vec()).bind(i64::from(*version));
            one(conn, row, "a contact").await
        }
    }
}

async fn consent_row(conn: &mut SqliteConnection, change: &ConsentChange) -> Result<(), Fault> {
    match change {
        ConsentChange::Put(row) => {
            let sql = "INSERT INTO consent(channel, address, opted_out, at) VALUES ($1, $2, $3, $4) \
                       ON CONFLICT (channel, address) DO UPDATE \
                       SET opted_out = excluded.opted_out, at = excluded.at";
            let row = query(sql)
                .bind(row.channel.index() as i64)
                .bind(row.address.0.as_slice())
                .bind(i64::from(row.opted_out))
                .bind(row.at.ms());
            one(conn, row, "a consent").await
        }
        ConsentChange::Delete(channel, address) => {
            let sql = "DELETE FROM consent WHERE channel = $1 AND address = $2";
            any(conn, query(sql).bind(channel.index() as i64).bind(address.0.as_slice())).await
        }
    }
}

async fn version_row(conn: &mut SqliteConnection, change: &VersionChange, n: Position) -> Result<(), Fault> {
    match change {
        VersionChange::Publish(kind, VersionRow { name, version, id, created_at, doc }) => {
            let kind = version_kind_number(*kind);
            let head = if *version == 1 {
                query("INSERT INTO version_name(n, kind, name, newest) VALUES ($4, $1, $2, $3)")
                    .bind(kind)
                    .bind(name)
                    .bind(1_i64)
                    .bind(n)
            } else {
                query("UPDATE version_name SET newest = $3 WHERE kind = $1 AND name = $2 AND newest = $3 - 1")
                    .bind(kind)
                    .bind(name)
                    .bind(i64::from(*version))
            };
            one(conn, head, "a version").await?;
            let sql = "INSERT INTO version(n, kind, name, version, id, created_at, doc) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7)";
            let row = query(sql)
                .bind(n)
                .bind(kind)
                .bind(name)
                .bind(i64::from(*version))
                .bind(id.to_be_bytes().to_vec())
                .bind(created_at.ms())
                .bind(doc);
            one(conn, row, "a version").await
        }
        VersionChange::Delete(kind, name, newest) => {
            let sql = "UPDATE version_name SET deleted = newest \
                       WHERE kind = $1 AND name = $2 AND newest = $3 AND deleted < newest";
            let row = query(sql).bind(version_kind_number(*kind)).bind(name).bind(i64::from(*newest));
            one(conn, row, "a version").await
        }
    }
}

async fn provider_row(
    conn: &mut SqliteConnection,
    change: &ProviderChange,
    n: Position,
) -> Result<(), Fault> {
    match change {
        ProviderChange::Put(Put { row, expected: None }) => {
            let ProviderRow { id, name, created_at, doc, credentials, .. } = row;
            let sql = "INSERT INTO provider(n, id, name, version, created_at, doc, credentials) \
                       VALUES ($1, $2, $3, 1, $4, $5, $6)";
            let row = query(sql)
                .bind(n)
                .bind(id.to_bytes().to_vec())
                .bind(name)
                .bind(created_at.ms())
                .bind(doc)
                .bind(credentials);
            one(conn, row, "a provider").await
        }
        ProviderChange::Put(Put { row, expected: Some(version) }) => {
            let sql = "UPDATE provider SET name = $3, version = version + 1, doc = $4, credentials = $5 \
                       WHERE id = $1 AND version = $2";
            let row = query(sql)
                .bind(row.id.to_bytes().to_vec())
                .bind(i64::from(*version))
                .bind(&row.name)
                .bind(&row.doc)
                .bind(&row.credentials);
            one(conn, row, "a provider").await
        }
        ProviderChange::Delete(id, version) => {
            let sql = "DELETE FROM provider WHERE id = $1 AND version = $2";
            let row = query(sql).bind(id.to_bytes().to_vec()).bind(i64::from(*version));
            one(conn, row, "a provider").await
        }
    }
}

async fn endpoint_row(
    conn: &mut SqliteConnection,
    change: &EndpointChange,
    n: Position,
    newest_event: Position,
) -> Result<(), Fault> {
    match change {
        EndpointChange::Put(Put { row, expected: None }) => {
            let EndpointRow { id, created_at, enabled, position, doc, secrets, .. } = row;
            let sql = "INSERT INTO endpoint(n, id, version, created_at, enabled, position, doc, secrets) \
                       VALUES ($1, $2, 1, $3, $4, $5, $6, $7)";
            let row = query(sql)
                .bind(n)
                .bind(id.to_bytes().to_vec())
                .bind(created_at.ms())
                .bind(i64::from(*enabled))
                .bind((*position).min(newest_event))
                .bind(doc)
                .bind(secrets);
            one(conn, row, "an endpoint").await
        }
        EndpointChange::Put(Put { row, expected: Some(version) }) => {
            let sql = "UPDATE endpoint SET version = version + 1, enabled = $3, doc = $4, secrets = $5 \
                       WHERE id = $1 AND version = $2";
            let row = query(sql)
                .bind(row.id.to_bytes().to_vec())
                .bind(i64::from(*version))
                .bind(i64::from(row.enabled))
                .bind(&row.doc)
                .bind(&row.secrets);
            one(conn, row, "an endpoint").await
        }
        EndpointChange::Advance(id, position) => {
            let sql = "UPDATE endpoint SET position = max(position, $2) WHERE id = $1";
            one(conn, query(sql).bind(id.to_bytes().to_vec()).bind(*position), "an endpoint").await
        }
        EndpointChange::SettlePending(id, state) => {
            let sql = "UPDATE delivery SET state = $2, version = version + 1, \
                       next_try_at = CASE $2 WHEN 0 THEN next_try_at END WHERE endpoint = $1 AND state = 0";
            any(conn, query(sql).bind(id.to_bytes().to_vec()).bind(delivery_state_number(*state))).await
        }
        EndpointChange::Delete(id, version) => {
            let sql = "DELETE FROM endpoint WHERE id = $1 AND version = $2";
            let row = query(sql).bind(id.to_bytes().to_vec()).bind(i64::from(*version));
            one(conn, row, "an endpoint").await?;
            let sql = "DELETE FROM delivery WHERE endpoint = $1 AND state = $2";
            let pending = delivery_state_number(DeliveryState::Pending);
            any(conn, query(sql).bind(id.to_bytes().to_vec()).bind(pending)).await
        }
    }
}

/// How a kind stands in its row.
pub(super) const fn version_kind_number(kind: VersionKind) -> i64 {
    match kind {
        VersionKind::Template => 0,
        VersionKind::Policy => 1,
    }
}

type Bound<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Runs a statement that has to touch one row.
async fn one(conn: &mut SqliteConnection, row: Bound<'_>, what: &'static str) -> Result<(), Fault> {
    let done = row.execute(conn).await.map_err(|error| fault(&error, what))?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Fault::Conflict(what)) }
}

/// Runs a statement that touches what there is.
async fn any(conn: &mut SqliteConnection, row: Bound<'_>) -> Result<(), Fault> {
    row.execute(conn).await.map_err(|error| fault(&error, "a row"))?;
    Ok(())
}
