//! A scope's file: opened, read, written, closed.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqlitePoolOptions};
use tokio::sync::watch;

use super::checkpoint::Checkpoints;
use super::connect;
use super::desk::{Chain, Desk};
use super::encode::Heads;
use super::error::{open_error, read_error};
use super::migrate;
use super::read::{Reader, bytes};
use super::retention::Drops;
use super::shared::Shared;
use super::writer::Writer;
use crate::model::{Channel, Id, Instant, ScopeId, kinds};
use crate::store::lookup::{Entry, Kind, of_address, of_id, of_key, of_provider_id};
use crate::store::rows::{
    AddressHash, AuditRow, ClockRow, ConsentRow, ContactRow, DeliveryFilter, DeliveryRow, EarlyReceiptRow,
    EndpointRow, EventFilter, IdempotencyKey, Kept, MessageFilter, ProviderRow, ProviderStateRow, QuotaRow,
    StoredAttempt, StoredEvent, StoredJournal, StoredMessage, SubjectId, UsageRow, VersionKind, VersionName,
    VersionRow,
};
use crate::store::{
    Answer, Change, Committed, Dropped, Listed, Old, Page, Position, Positioned, PrunedAudit, ScopeRows,
    StoreError,
};

/// The most connections that read at once.
const READERS_MAX: u32 = 4;
/// After how long a reading connection that nobody uses is closed.
const READER_IDLE: Duration = Duration::from_secs(30);
/// How many rows are read at once when the look-ups are read again.
const TAIL_CHUNK: i64 = 5_000;

/// The rows of one scope in one file.
pub(super) struct SqliteScope {
    reader: Reader,
    /// None where the file is only read.
    writer: Option<Writer>,
    /// Whether it was asked for anything since the last tidying.
    used: AtomicBool,
}

impl SqliteScope {
    /// Opens the file, or makes it.
    pub(super) async fn open(path: &Path, scope: ScopeId) -> Result<SqliteScope, StoreError> {
        let mut conn = connect::open_writer(path, &migrate::SCOPE).await?;
        let failed = |error: sqlx::Error| open_error(&error, path);
        sqlx::query("INSERT OR IGNORE INTO meta(one, scope) VALUES (1, $1)")
            .bind(scope.0)
            .execute(&mut conn)
            .await
            .map_err(failed)?;
        let of: i64 =
            sqlx::query("SELECT scope FROM meta").fetch_one(&mut conn).await.map_err(failed)?.get(0);
        if of != scope.0 {
            return Err(StoreError::Foreign {
                path: path.to_owned(),
                detail: format!("it holds the rows of scope {of}"),
            });
        }
        let heads = heads(&mut conn).await.map_err(failed)?;
        let chain = chain(&mut conn).await?;
        let shared = Arc::new(Shared::new(heads.event - 1));
        let keys_merged = read_tail(&mut conn, &shared).await?;
        let pool = SqlitePoolOptions::new()
            .min_connections(0)
            .max_connections(READERS_MAX)
            .idle_timeout(READER_IDLE)
            .test_before_acquire(false)
            .connect_lazy_with(connect::reading(path));
        let desk = Desk {
            conn,
            path: path.to_owned(),
            shared: Arc::clone(&shared),
            chain,
            heads,
            keys_merged,
            merge: None,
            batch_entries: 0,
            stalled: false,
            drops: Drops::default(),
        };
        let checkpoints = Checkpoints::new(path, Arc::clone(&shared));
        let writer = Writer::start(desk, checkpoints);
        Ok(SqliteScope::of(Reader { pool, shared, has_pruned: true }, Some(writer)))
    }

    /// Opens the file for reading alone, while another process may write it.
    pub(super) async fn open_beside(path: &Path) -> Result<SqliteScope, StoreError> {
        let mut conn = connect::open_reader(path, &migrate::SCOPE).await?;
        let heads = heads(&mut conn).await.map_err(|error| open_error(&error, path))?;
        let shared = Arc::new(Shared::new(heads.event - 1));
        read_tail(&mut conn, &shared).await?;
        let has_pruned =
            migrate::has_table(&mut conn, "pruned").await.map_err(|error| open_error(&error, path))?;
        let pool = SqlitePoolOptions::new().max_connections(1).connect_lazy_with(connect::reading(path));
        Ok(SqliteScope::of(Reader { pool, shared, has_pruned }, None))
    }

    fn of(reader: Reader, writer: Option<Writer>) -> SqliteScope {
        SqliteScope { reader, writer, used: AtomicBool::new(true) }
    }

    /// Whether it was used since this was last asked.
    pub(super) fn take_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }

    /// Drops what is old.
    pub(super) async fn tidy(&self, now: Instant) -> Result<(), StoreError> {
        match &self.writer {
            Some(writer) => writer.tidy(now).await,
            None => Ok(()),
        }
    }

    /// The earliest instant at which something is to be done, in real time.
    pub(super) async fn wake_at(&self) -> Result<Option<Instant>, StoreError> {
        // A call without an outcome is cleared up at once.
        if !self.reader.unfinished(None, 1).await?.is_empty() {
            return Ok(Some(Instant::from_ms(0)));
        }
        let due = self.reader.next_due().await?;
        let next_try = self.reader.next_try(None).await?;
        let ahead_ms = self.reader.clock().await?.advanced_by_ms;
        let earliest = [due, next_try].into_iter().flatten().min();
        Ok(earliest.map(|at| Instant::from_ms(at.ms().saturating_sub(ahead_ms))))
    }

    /// Writes what waits and closes the file.
    pub(super) async fn close(&self) {
        // The readers first: the last connection to go writes the log back.
        self.reader.pool.close().await;
        if let Some(writer) = &self.writer {
            writer.close().await;
        }
    }

    #[cfg(test)]
    pub(super) const fn writer(&self) -> Option<&Writer> {
        self.writer.as_ref()
    }

    fn reading(&self) -> &Reader {
        self.used.store(true, Ordering::Relaxed);
        &self.reader
    }
}

/// The next position of each table. A file that is read beside a server may be of a schema without
/// dropped rows.
async fn heads(conn: &mut SqliteConnection) -> Result<Heads, sqlx::Error> {
    let mut given: HashMap<String, Position> = HashMap::new();
    if migrate::has_table(conn, "head").await? {
        let rows = sqlx::query("SELECT name, n FROM head").fetch_all(&mut *conn).await?;
        given.extend(rows.iter().map(|row| (row.get(0), row.get(1))));
    }
    let row = sqlx::query(
        "SELECT (SELECT max(n) FROM message), (SELECT max(n) FROM journal), (SELECT max(n) FROM event), \
                (SELECT max(n) FROM attempt), (SELECT max(n) FROM outcome), (SELECT max(n) FROM idempotency), \
                (SELECT max(n) FROM subject), \
                (SELECT seq FROM sqlite_sequence WHERE name = 'delivery'), \
                (SELECT max(seq) FROM sqlite_sequence WHERE name <> 'delivery'), \
                (SELECT max(n) FROM version), (SELECT max(n) FROM early_receipt)",
    )
    .fetch_one(conn)
    .await?;
    let next = |column: usize| row.get::<Option<i64>, _>(column).unwrap_or_default() + 1;
    let after = |name: &str, column: usize| next(column).max(given.get(name).map_or(1, |n| n + 1));
    Ok(Heads {
        message: after("message", 0),
        journal: after("journal", 1),
        event: after("event", 2),
        attempt: after("attempt", 3),
        outcome: after("outcome", 4),
        idempotency: after("idempotency", 5),
        subject: next(6),
        delivery: next(7),
        rare: next(8).max(next(9)).max(next(10)),
    })
}

async fn chain(conn: &mut SqliteConnection) -> Result<Chain, StoreError> {
    let row = sqlx::query("SELECT n, hash FROM audit ORDER BY n DESC LIMIT 1")
        .fetch_optional(&mut *conn)
        .await
        .map_err(|error| read_error(&error))?;
    // Where all of it was removed, the next entry hangs on the last that was.
    let row = match row {
        Some(row) => Some(row),
        None => sqlx::query("SELECT n, hash FROM pruned WHERE chain = 0")
            .fetch_optional(conn)
            .await
            .map_err(|error| read_error(&error))?,
    };
    match row {
        None => Ok(Chain { n: 0, hash: [0; 32] }),
        Some(row) => Ok(Chain { n: row.get(0), hash: bytes(&row, 1)? }),
    }
}

/// What each kind's entries are read from again: `n` and the value.
const TAILS: [(Kind, &str); 5] = [
    (Kind::Idempotency, "SELECT n, key, NULL FROM idempotency WHERE n > $1 ORDER BY n LIMIT $2"),
    (Kind::Contact, "SELECT n, contact, NULL FROM message WHERE n > $1 ORDER BY n LIMIT $2"),
    (Kind::Attempt, "SELECT n, id, NULL FROM attempt WHERE n > $1 ORDER BY n LIMIT $2"),
    (Kind::Address, "SELECT n, address, NULL FROM attempt WHERE n > $1 ORDER BY n LIMIT $2"),
    (
        Kind::ProviderId,
        "SELECT n, provider, provider_message_id FROM outcome WHERE n > $1 ORDER BY n LIMIT $2",
    ),
];

/// Reads the look-ups that are not in the table yet. `true` if keys were ever merged.
async fn read_tail(conn: &mut SqliteConnection, shared: &Shared) -> Result<bool, StoreError> {
    let mut keys_merged = false;
    for (kind, sql) in TAILS {
        let mark: i64 = sqlx::query("SELECT coalesce(max(n), 0) FROM lookup_mark WHERE kind = $1")
            .bind(kind as u8)
            .fetch_one(&mut *conn)
            .await
            .map_err(|error| read_error(&error))?
            .get(0);
        keys_merged |= kind == Kind::Idempotency && mark > 0;
        let mut after = mark;
        loop {
            let rows = sqlx::query(sql)
                .bind(after)
                .bind(TAIL_CHUNK)
                .fetch_all(&mut *conn)
                .await
                .map_err(|error| read_error(&error))?;
            let mut entries = Vec::with_capacity(rows.len());
            for row in &rows {
                let n: Position = row.get(0);
                after = n;
                let hash = if kind == Kind::ProviderId {
                    let id: Option<&str> = row.get(2);
                    id.map(|id| of_provider_id(row.get(1), id))
                } else if row.get::<Option<&[u8]>, _>(1).is_none() {
                    None
                } else {
                    let value = bytes(row, 1)?;
                    Some(match kind {
                        Kind::Idempotency => of_key(IdempotencyKey(value)),
                        Kind::Address => of_address(AddressHash(value)),
                        _ => of_id(Id::<kinds::Contact>::from_bytes(value)),
                    })
                };
                entries.extend(hash.map(|hash| Entry { kind, hash, n }));
            }
            let last = (rows.len() as i64) < TAIL_CHUNK;
            shared.tail.add(entries);
            if last {
                break;
            }
        }
    }
    // A merge that was cut off has written entries and no mark; they are merged again, and the
    // table may hold keys all the same.
    Ok(keys_merged)
}

impl ScopeRows for SqliteScope {
    fn commit(&self, change: Change) -> Answer<'_, Committed> {
        self.used.store(true, Ordering::Relaxed);
        match &self.writer {
            Some(writer) => Box::pin(writer.commit(change)),
            None => Box::pin(std::future::ready(Err(StoreError::Closing))),
        }
    }

    fn newest_event(&self) -> watch::Receiver<Position> {
        self.reader.shared.newest_event.subscribe()
    }

    fn has_failed(&self) -> bool {
        self.reader.shared.failure().is_some()
    }

    fn merge_lookups(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            if let Some(writer) = &self.writer {
                writer.merge().await;
            }
            Ok(())
        })
    }

    fn idempotency(&self, key: IdempotencyKey) -> Answer<'_, Option<Kept>> {
        Box::pin(self.reading().idempotency(key))
    }

    fn largest_id(&self) -> Answer<'_, u128> {
        Box::pin(self.reading().largest_id())
    }

    fn message(&self, id: Id<kinds::Message>) -> Answer<'_, Option<StoredMessage>> {
        Box::pin(self.reading().message(id))
    }

    fn message_at(&self, n: Position) -> Answer<'_, Option<StoredMessage>> {
        Box::pin(self.reading().message_at(n))
    }

    fn first_body(&self, id: Id<kinds::Message>) -> Answer<'_, Option<Vec<u8>>> {
        Box::pin(self.reading().first_body(id))
    }

    fn messages(&self, filter: MessageFilter, page: Page) -> Answer<'_, Listed<StoredMessage>> {
        Box::pin(self.reading().messages(filter, page))
    }

    fn due(
        &self,
        until: Instant,
        after: Option<(Instant, Position)>,
        limit: u32,
    ) -> Answer<'_, Vec<StoredMessage>> {
        Box::pin(self.reading().due(until, after, limit))
    }

    fn live(&self, after: Position, limit: u32) -> Answer<'_, Vec<StoredMessage>> {
        Box::pin(self.reading().live(after, limit))
    }

    fn live_of_contact(&self, contact: Id<kinds::Contact>) -> Answer<'_, Vec<StoredMessage>> {
        Box::pin(self.reading().live_of_contact(contact))
    }

    fn next_due(&self) -> Answer<'_, Option<Instant>> {
        Box::pin(self.reading().next_due())
    }

    fn attempts(&self, message: Position) -> Answer<'_, Vec<StoredAttempt>> {
        Box::pin(self.reading().attempts(message))
    }

    fn unfinished(&self, after: Option<(Position, Position)>, limit: u32) -> Answer<'_, Vec<StoredAttempt>> {
        Box::pin(self.reading().unfinished(after, limit))
    }

    fn attempt(&self, id: Id<kinds::Attempt>) -> Answer<'_, Option<StoredAttempt>> {
        Box::pin(self.reading().attempt(id))
    }

    fn attempts_by_provider_id(&self, provider: &str, id: &str) -> Answer<'_, Vec<StoredAttempt>> {
        let (provider, id) = (provider.to_owned(), id.to_owned());
        Box::pin(async move { self.reading().attempts_by_provider_id(&provider, &id).await })
    }

    fn attempts_to(
        &self,
        channel: Channel,
        address: AddressHash,
        since: Instant,
        limit: u32,
    ) -> Answer<'_, Vec<StoredAttempt>> {
        Box::pin(self.reading().attempts_to(channel, address, since, limit))
    }

    fn journal(&self, message: Position, from_seq: u64, limit: u32) -> Answer<'_, Vec<StoredJournal>> {
        Box::pin(self.reading().journal(message, from_seq, limit))
    }

    fn journal_after(&self, after: Position, limit: u32) -> Answer<'_, Vec<StoredJournal>> {
        Box::pin(self.reading().journal_after(after, limit))
    }

    fn event(&self, id: Id<kinds::Event>) -> Answer<'_, Option<StoredEvent>> {
        Box::pin(self.reading().event(id))
    }

    fn events(&self, filter: EventFilter, page: Page) -> Answer<'_, Listed<StoredEvent>> {
        Box::pin(self.reading().events(filter, page))
    }

    fn events_after(&self, after: Position, limit: u32) -> Answer<'_, Vec<StoredEvent>> {
        Box::pin(self.reading().events_after(after, limit))
    }

    fn endpoint(&self, id: Id<kinds::Endpoint>) -> Answer<'_, Option<EndpointRow>> {
        Box::pin(self.reading().endpoint(id))
    }

    fn endpoints(&self, page: Page) -> Answer<'_, Listed<EndpointRow>> {
        Box::pin(self.reading().endpoints(page))
    }

    fn delivery(&self, id: Id<kinds::Delivery>) -> Answer<'_, Option<DeliveryRow>> {
        Box::pin(self.reading().delivery(id))
    }

    fn deliveries(&self, filter: DeliveryFilter, page: Page) -> Answer<'_, Listed<DeliveryRow>> {
        Box::pin(self.reading().deliveries(filter, page))
    }

    fn deliveries_due(
        &self,
        endpoint: Option<Id<kinds::Endpoint>>,
        until: Instant,
        limit: u32,
    ) -> Answer<'_, Vec<DeliveryRow>> {
        Box::pin(self.reading().deliveries_due(endpoint, until, limit))
    }

    fn next_try(&self, endpoint: Option<Id<kinds::Endpoint>>) -> Answer<'_, Option<Instant>> {
        Box::pin(self.reading().next_try(endpoint))
    }

    fn contact(&self, id: Id<kinds::Contact>) -> Answer<'_, Option<ContactRow>> {
        Box::pin(self.reading().contact(id))
    }

    fn contacts(&self, external_id: Option<&str>, page: Page) -> Answer<'_, Listed<ContactRow>> {
        let external_id = external_id.map(str::to_owned);
        Box::pin(async move { self.reading().contacts(external_id.as_deref(), page).await })
    }

    fn consents(&self, addresses: &[(Channel, AddressHash)]) -> Answer<'_, Vec<ConsentRow>> {
        let addresses = addresses.to_vec();
        Box::pin(async move { self.reading().consents(&addresses).await })
    }

    fn version(&self, kind: VersionKind, name: &str, version: Option<u32>) -> Answer<'_, Option<VersionRow>> {
        let name = name.to_owned();
        Box::pin(async move { self.reading().version(kind, &name, version).await })
    }

    fn version_name(&self, kind: VersionKind, name: &str) -> Answer<'_, Option<VersionName>> {
        let name = name.to_owned();
        Box::pin(async move { self.reading().version_name(kind, &name).await })
    }

    fn versions(&self, kind: VersionKind, name: &str, page: Page) -> Answer<'_, Listed<VersionRow>> {
        let name = name.to_owned();
        Box::pin(async move { self.reading().versions(kind, &name, page).await })
    }

    fn newest_versions(&self, kind: VersionKind, page: Page) -> Answer<'_, Listed<VersionRow>> {
        Box::pin(self.reading().newest_versions(kind, page))
    }

    fn provider(&self, name: &str) -> Answer<'_, Option<ProviderRow>> {
        let name = name.to_owned();
        Box::pin(async move { self.reading().provider(&name).await })
    }

    fn provider_by_id(&self, id: Id<kinds::Provider>) -> Answer<'_, Option<ProviderRow>> {
        Box::pin(self.reading().provider_by_id(id))
    }

    fn providers(&self, page: Page) -> Answer<'_, Listed<ProviderRow>> {
        Box::pin(self.reading().providers(page))
    }

    fn provider_states(&self) -> Answer<'_, Vec<ProviderStateRow>> {
        Box::pin(self.reading().provider_states())
    }

    fn quotas(&self) -> Answer<'_, Vec<QuotaRow>> {
        Box::pin(self.reading().quotas())
    }

    fn usage(&self, since: Instant) -> Answer<'_, Vec<UsageRow>> {
        Box::pin(self.reading().usage(since))
    }

    fn clock(&self) -> Answer<'_, ClockRow> {
        Box::pin(self.reading().clock())
    }

    fn early_receipts(&self, provider: &str, id: &str) -> Answer<'_, Vec<EarlyReceiptRow>> {
        let (provider, id) = (provider.to_owned(), id.to_owned());
        Box::pin(async move { self.reading().early_receipts(&provider, &id).await })
    }

    fn audit(&self, page: Page) -> Answer<'_, Listed<AuditRow>> {
        Box::pin(self.reading().audit(page))
    }

    fn audit_after(&self, after: Position, limit: u32) -> Answer<'_, Vec<Positioned<AuditRow>>> {
        Box::pin(self.reading().audit_after(after, limit))
    }

    fn drop_old(&self, what: Old, limit: u32) -> Answer<'_, Dropped> {
        match &self.writer {
            Some(writer) => Box::pin(writer.drop_old(what, limit)),
            None => Box::pin(std::future::ready(Err(StoreError::Closing))),
        }
    }

    fn dropped_with_journal(&self, after: Position, limit: u32) -> Answer<'_, Vec<Position>> {
        Box::pin(self.reading().dropped_with_journal(after, limit))
    }

    fn pruned(&self) -> Answer<'_, PrunedAudit> {
        Box::pin(self.reading().pruned())
    }

    fn subjects(&self, ids: &[SubjectId]) -> Answer<'_, Vec<(SubjectId, Vec<u8>)>> {
        let ids = ids.to_vec();
        Box::pin(async move { self.reading().subjects(&ids).await })
    }
}
