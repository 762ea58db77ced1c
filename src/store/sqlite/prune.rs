//! Removing the beginning of the audit: the operator's, on a connection of its own.
//!
//! Part by part, each in one transaction with the place where the rest begins, so that a server goes on
//! beside it and the chains hold at any moment.

use std::path::Path;

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Row as _};

use super::connect;
use super::error::write_error;
use super::migrate;
use crate::model::Instant;
use crate::store::forms::chained;
use crate::store::read::decode::get;
use crate::store::{Position, Removed, StoreError};

/// How many entries, or journals of messages, go in one transaction.
const PART: u32 = 200;

/// Removes what is older from one scope's file; nothing where the file is not there.
pub(super) async fn prune(path: &Path, before: Instant) -> Result<Removed, StoreError> {
    if !path.exists() {
        return Ok(Removed::default());
    }
    let mut conn = connect::open_newest(path, &migrate::SCOPE).await?;
    let removed = remove(&mut conn, before.ms()).await;
    if removed.is_err() {
        let _ = sqlx::query("ROLLBACK").execute(&mut conn).await;
    }
    let _ = conn.close().await;
    removed
}

async fn remove(conn: &mut SqliteConnection, before: i64) -> Result<Removed, StoreError> {
    let mut removed = Removed::default();
    loop {
        let entries = entries(conn, before).await?;
        removed.entries += u64::from(entries);
        if entries < PART {
            break;
        }
    }
    let mut after = 0;
    while let Some(part) = journals(conn, before, after).await? {
        removed.messages += part.removed;
        after = part.last;
    }
    Ok(removed)
}

/// Removes some of the first entries, as long as they are older.
async fn entries(conn: &mut SqliteConnection, before: i64) -> Result<u32, StoreError> {
    run(conn, "BEGIN IMMEDIATE").await?;
    let rows = sqlx::query("SELECT n, at, hash FROM audit ORDER BY n LIMIT $1")
        .bind(i64::from(PART))
        .fetch_all(&mut *conn)
        .await
        .map_err(|error| write_error(&error))?;
    let old: Vec<_> = rows.iter().take_while(|row| row.get::<i64, _>(1) < before).collect();
    if let Some(last) = old.last() {
        let (n, hash): (Position, [u8; 32]) = (last.get(0), get(*last, 2)?);
        begins(conn, Begins { chain: 0, before, n, entries: old.len(), hash }).await?;
        let sql = "DELETE FROM audit WHERE n <= $1";
        let done = sqlx::query(sql).bind(n).execute(&mut *conn).await;
        done.map_err(|error| write_error(&error))?;
    }
    run(conn, "COMMIT").await?;
    Ok(u32::try_from(old.len()).unwrap_or(PART))
}

/// What one part over the journals did.
struct Part {
    removed: u64,
    /// The last message that was looked at.
    last: Position,
}

/// Removes the journals of some dropped messages, those that are older as a whole; `None` behind the
/// last.
async fn journals(
    conn: &mut SqliteConnection,
    before: i64,
    after: Position,
) -> Result<Option<Part>, StoreError> {
    run(conn, "BEGIN IMMEDIATE").await?;
    let rows = sqlx::query(
        "SELECT j.message, max(j.at) < $1, (SELECT l.hash FROM journal l WHERE l.message = j.message \
         ORDER BY l.seq DESC LIMIT 1) FROM journal j WHERE j.message > $2 \
         AND NOT EXISTS (SELECT 1 FROM message m WHERE m.n = j.message) \
         GROUP BY j.message ORDER BY j.message LIMIT $3",
    )
    .bind(before)
    .bind(after)
    .bind(i64::from(PART))
    .fetch_all(&mut *conn)
    .await
    .map_err(|error| write_error(&error))?;
    let Some(last) = rows.last().map(|row| row.get::<Position, _>(0)) else {
        run(conn, "COMMIT").await?;
        return Ok(None);
    };
    let old: Vec<_> = rows.iter().filter(|row| row.get::<bool, _>(1)).collect();
    if !old.is_empty() {
        let known = sqlx::query("SELECT hash FROM pruned WHERE chain = 1").fetch_optional(&mut *conn).await;
        let mut hash = match known.map_err(|error| write_error(&error))? {
            Some(row) => get(&row, 0)?,
            None => [0; 32],
        };
        for row in &old {
            hash = chained(hash, &get::<[u8; 32]>(*row, 2)?);
        }
        begins(conn, Begins { chain: 1, before, n: 0, entries: old.len(), hash }).await?;
        run(
            conn,
            "INSERT INTO head(name, n) SELECT 'journal', max(n) FROM journal WHERE true \
             ON CONFLICT (name) DO UPDATE SET n = max(n, excluded.n)",
        )
        .await?;
        for row in &old {
            let sql = "DELETE FROM journal WHERE message = $1";
            let done = sqlx::query(sql).bind(row.get::<Position, _>(0)).execute(&mut *conn).await;
            done.map_err(|error| write_error(&error))?;
        }
    }
    run(conn, "COMMIT").await?;
    Ok(Some(Part { removed: old.len() as u64, last }))
}

/// Where a chain begins from now on.
struct Begins {
    chain: i64,
    before: i64,
    n: Position,
    entries: usize,
    hash: [u8; 32],
}

/// Writes down where a chain begins, before what is in front of it goes.
async fn begins(conn: &mut SqliteConnection, place: Begins) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO pruned(chain, before, n, entries, hash) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (chain) DO UPDATE SET before = max(before, excluded.before), n = excluded.n, \
         entries = entries + excluded.entries, hash = excluded.hash",
    )
    .bind(place.chain)
    .bind(place.before)
    .bind(place.n)
    .bind(i64::try_from(place.entries).unwrap_or(i64::MAX))
    .bind(place.hash.to_vec())
    .execute(conn)
    .await
    .map(drop)
    .map_err(|error| write_error(&error))
}

async fn run(conn: &mut SqliteConnection, sql: &'static str) -> Result<(), StoreError> {
    sqlx::query(sql).execute(conn).await.map(drop).map_err(|error| write_error(&error))
}
