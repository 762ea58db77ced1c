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
use super::error::{open_error, read_error};
use super::migrate;
use super::retention::Drops;
use super::shared::Shared;
use super::source::Reader;
use super::writer::Writer;
use crate::model::{Id, Instant, ScopeId, kinds};
use crate::store::group::Heads;
use crate::store::lookup::{Entry, Kind, of_address, of_id, of_key, of_provider_id};
use crate::store::open::Opened;
use crate::store::read::decode::get;
use crate::store::read::{Source, reads};
use crate::store::rows::{AddressHash, IdempotencyKey};
use crate::store::{Answer, Change, Committed, Dropped, Old, Position, ScopeRows, StoreError};

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
        Ok(SqliteScope::of(Reader { pool, shared, has_pruned: true, has_unsettled: true }, Some(writer)))
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
        Ok(SqliteScope::of(Reader { pool, shared, has_pruned, has_unsettled: false }, None))
    }

    fn of(reader: Reader, writer: Option<Writer>) -> SqliteScope {
        SqliteScope { reader, writer, used: AtomicBool::new(true) }
    }

    #[cfg(test)]
    pub(super) const fn writer(&self) -> Option<&Writer> {
        self.writer.as_ref()
    }

    fn source(&self) -> &dyn Source {
        self.used.store(true, Ordering::Relaxed);
        &self.reader
    }
}

impl Opened for SqliteScope {
    fn take_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }

    fn tidy(&self, now: Instant) -> Answer<'_, ()> {
        Box::pin(async move {
            match &self.writer {
                Some(writer) => writer.tidy(now).await,
                None => Ok(()),
            }
        })
    }

    fn close(&self) -> Answer<'_, Option<Instant>> {
        Box::pin(async {
            let closing = match &self.writer {
                Some(writer) => writer.finish().await,
                None => None,
            };
            let reader: &dyn Source = &self.reader;
            let wake_at = reader.wake_at().await;
            // The readers first: the last connection to go writes the log back.
            self.reader.pool.close().await;
            if let Some(closing) = closing {
                closing.close().await;
            }
            wake_at
        })
    }

    fn failed(&self) -> bool {
        self.reader.shared.failure().is_some()
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
        signal: 0,
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
        Some(row) => Ok(Chain { n: row.get(0), hash: get(&row, 1)? }),
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
                    let value: [u8; 16] = get(row, 1)?;
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

    fn drop_old(&self, what: Old, limit: u32) -> Answer<'_, Dropped> {
        match &self.writer {
            Some(writer) => Box::pin(writer.drop_old(what, limit)),
            None => Box::pin(std::future::ready(Err(StoreError::Closing))),
        }
    }

    reads!();
}
