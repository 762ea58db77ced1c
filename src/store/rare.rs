//! What a tenant sets up: written seldom, a statement a row, the same in every database.

use futures_util::future::BoxFuture;

use super::forms::{chained, delivery_state_number, version_kind_number};
use super::group::Heads;
use super::read::Value;
use super::rows::{ContactRow, DeliveryState, EndpointRow, NewAudit, ProviderRow, VersionRow};
use super::{
    Change, ConsentChange, ContactChange, EndpointChange, Position, ProviderChange, Put, StoreError,
    VersionChange,
};

/// An open transaction in which rows are written one by one.
pub(super) trait Puts: Send {
    /// What can go wrong.
    type Fault: Send + From<Conflict> + From<StoreError>;

    /// Runs a statement; how many rows it touched. A broken constraint is a conflict about `what`.
    fn put<'a>(
        &'a mut self,
        sql: &'static str,
        values: Vec<Value>,
        what: &'static str,
    ) -> BoxFuture<'a, Result<u64, Self::Fault>>;

    /// Takes the key of a subject (`$1`) away for good.
    fn erase(&self) -> &'static str;

    /// Sets the clock: `$1` how far it is ahead, `$2` how far it shall be.
    fn set_clock(&self) -> &'static str;
}

/// A row that was not as expected.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conflict(pub(super) &'static str);

/// A statement with its values.
struct Bound {
    sql: &'static str,
    values: Vec<Value>,
}

const fn query(sql: &'static str) -> Bound {
    Bound { sql, values: Vec::new() }
}

impl Bound {
    fn bind(mut self, value: impl Into<Value>) -> Bound {
        self.values.push(value.into());
        self
    }
}

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
pub(super) async fn write<P: Puts>(conn: &mut P, change: &Change, heads: Heads) -> Result<(), P::Fault> {
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
        let sql = conn.erase();
        any(conn, query(sql).bind(subject.0)).await?;
    }
    if let Some(clock) = change.clock {
        let sql = conn.set_clock();
        one(conn, query(sql).bind(clock.advanced_by_ms).bind(clock.target_ms), "the clock").await?;
    }
    Ok(())
}

/// Adds an entry to the audit, and gives the hash of the entry.
pub(super) async fn audit<P: Puts>(
    conn: &mut P,
    entry: &NewAudit,
    n: Position,
    prev_hash: [u8; 32],
) -> Result<[u8; 32], P::Fault> {
    let hash = chained(prev_hash, &entry.canonical);
    let sql = "INSERT INTO audit(n, id, at, who, what, object, request, canonical, hash) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let row = query(sql)
        .bind(n)
        .bind(entry.id.to_bytes())
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

async fn contact_row<P: Puts>(conn: &mut P, change: &ContactChange, n: Position) -> Result<(), P::Fault> {
    match change {
        ContactChange::Put(Put { row, expected: None }) => {
            let ContactRow { id, external_id, created_at, updated_at, doc, sealed, .. } = row;
            let sql = "INSERT INTO contact(n, id, external_id, version, created_at, updated_at, doc, sealed) \
                       VALUES ($1, $2, $3, 1, $4, $5, $6, $7)";
            let row = query(sql)
                .bind(n)
                .bind(id.to_bytes())
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
                .bind(row.id.to_bytes())
                .bind(i64::from(*version))
                .bind(&row.external_id)
                .bind(row.updated_at.ms())
                .bind(&row.doc)
                .bind(&row.sealed);
            one(conn, row, "a contact").await
        }
        ContactChange::Delete(id, version) => {
            let sql = "DELETE FROM contact WHERE id = $1 AND version = $2";
            let row = query(sql).bind(id.to_bytes()).bind(i64::from(*version));
            one(conn, row, "a contact").await
        }
    }
}

async fn consent_row<P: Puts>(conn: &mut P, change: &ConsentChange) -> Result<(), P::Fault> {
    match change {
        ConsentChange::Put(row) => {
            let sql = "INSERT INTO consent(channel, address, opted_out, at) VALUES ($1, $2, $3, $4) \
                       ON CONFLICT (channel, address) DO UPDATE \
                       SET opted_out = excluded.opted_out, at = excluded.at";
            let row = query(sql)
                .bind(row.channel.index() as i64)
                .bind(row.address.0)
                .bind(row.opted_out)
                .bind(row.at.ms());
            one(conn, row, "a consent").await
        }
        ConsentChange::Delete(channel, address) => {
            let sql = "DELETE FROM consent WHERE channel = $1 AND address = $2";
            any(conn, query(sql).bind(channel.index() as i64).bind(address.0)).await
        }
    }
}

async fn version_row<P: Puts>(conn: &mut P, change: &VersionChange, n: Position) -> Result<(), P::Fault> {
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
                .bind(id.to_be_bytes())
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

async fn provider_row<P: Puts>(conn: &mut P, change: &ProviderChange, n: Position) -> Result<(), P::Fault> {
    match change {
        ProviderChange::Put(Put { row, expected: None }) => {
            let ProviderRow { id, name, created_at, doc, credentials, .. } = row;
            let sql = "INSERT INTO provider(n, id, name, version, created_at, doc, credentials) \
                       VALUES ($1, $2, $3, 1, $4, $5, $6)";
            let row = query(sql)
                .bind(n)
                .bind(id.to_bytes())
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
                .bind(row.id.to_bytes())
                .bind(i64::from(*version))
                .bind(&row.name)
                .bind(&row.doc)
                .bind(&row.credentials);
            one(conn, row, "a provider").await
        }
        ProviderChange::Delete(id, version) => {
            let sql = "DELETE FROM provider WHERE id = $1 AND version = $2";
            let row = query(sql).bind(id.to_bytes()).bind(i64::from(*version));
            one(conn, row, "a provider").await
        }
    }
}

async fn endpoint_row<P: Puts>(
    conn: &mut P,
    change: &EndpointChange,
    n: Position,
    newest_event: Position,
) -> Result<(), P::Fault> {
    match change {
        EndpointChange::Put(Put { row, expected: None }) => {
            one(conn, new_endpoint(row, n, newest_event, None), "an endpoint").await
        }
        EndpointChange::Make(row, limit) => {
            let row = new_endpoint(row, n, newest_event, Some(*limit));
            one(conn, row, "the number of endpoints").await
        }
        EndpointChange::Put(Put { row, expected: Some(version) }) => {
            let sql = "UPDATE endpoint SET version = version + 1, enabled = $3, doc = $4, secrets = $5 \
                       WHERE id = $1 AND version = $2";
            let row = query(sql)
                .bind(row.id.to_bytes())
                .bind(i64::from(*version))
                .bind(row.enabled)
                .bind(&row.doc)
                .bind(&row.secrets);
            one(conn, row, "an endpoint").await
        }
        EndpointChange::Advance(id, position) => {
            let sql = "UPDATE endpoint SET position = CASE WHEN position < $2 THEN $2 ELSE position END WHERE id = $1";
            one(conn, query(sql).bind(id.to_bytes()).bind(*position), "an endpoint").await
        }
        EndpointChange::SettlePending(id, state) => {
            let sql = "UPDATE delivery SET state = $2, version = version + 1, \
                       next_try_at = CASE $2 WHEN 0 THEN next_try_at END WHERE endpoint = $1 AND state = 0";
            any(conn, query(sql).bind(id.to_bytes()).bind(delivery_state_number(*state))).await
        }
        EndpointChange::Delete(id, version) => {
            let sql = "DELETE FROM endpoint WHERE id = $1 AND version = $2";
            let row = query(sql).bind(id.to_bytes()).bind(i64::from(*version));
            one(conn, row, "an endpoint").await?;
            let sql = "DELETE FROM delivery WHERE endpoint = $1 AND state = $2";
            let pending = delivery_state_number(DeliveryState::Pending);
            any(conn, query(sql).bind(id.to_bytes()).bind(pending)).await
        }
    }
}

/// A new endpoint, where the scope has fewer than `limit`.
fn new_endpoint(row: &EndpointRow, n: Position, newest_event: Position, limit: Option<u32>) -> Bound {
    let sql = "INSERT INTO endpoint(n, id, version, created_at, enabled, position, doc, secrets) \
               SELECT $1, $2, 1, $3, $4, $5, $6, $7 WHERE (SELECT count(*) FROM endpoint) < $8";
    query(sql)
        .bind(n)
        .bind(row.id.to_bytes())
        .bind(row.created_at.ms())
        .bind(row.enabled)
        .bind(row.position.min(newest_event))
        .bind(&row.doc)
        .bind(&row.secrets)
        .bind(limit.map_or(i64::MAX, i64::from))
}

/// Runs a statement that has to touch one row.
async fn one<P: Puts>(conn: &mut P, row: Bound, what: &'static str) -> Result<(), P::Fault> {
    if conn.put(row.sql, row.values, what).await? == 1 { Ok(()) } else { Err(Conflict(what).into()) }
}

/// Runs a statement that touches what there is.
async fn any<P: Puts>(conn: &mut P, row: Bound) -> Result<(), P::Fault> {
    conn.put(row.sql, row.values, "a row").await.map(drop)
}
