//! Removing the beginning of the audit: the operator's, as the role that owns the schema.

use sqlx::postgres::PgPool;

use super::connect::{As, Held};
use super::error::Fault;
use crate::model::{Instant, ScopeId};
use crate::store::forms::chained;
use crate::store::read::decode::get;
use crate::store::{Position, Removed, StoreError};

/// How many entries, or journals of messages, go in one transaction.
const PART: i64 = 200;

/// Removes what is older in one scope.
pub(super) async fn prune(pool: &PgPool, id: ScopeId, before: Instant) -> Result<Removed, StoreError> {
    let work = async {
        let mut removed = Removed::default();
        loop {
            let entries = entries(pool, id, before.ms()).await?;
            removed.entries += entries;
            if entries < PART.unsigned_abs() {
                break;
            }
        }
        let mut after = -1;
        while let Some((messages, last)) = journals(pool, id, before.ms(), after).await? {
            removed.messages += messages;
            after = last;
        }
        Ok::<_, Fault>(removed)
    };
    work.await.map_err(Fault::told)
}

/// Removes some of the first entries, as long as they are older.
async fn entries(pool: &PgPool, id: ScopeId, before: i64) -> Result<u64, Fault> {
    let sql = format!("SELECT n, at < {before}, hash FROM audit ORDER BY n LIMIT {PART}");
    let (mut held, rows) = Held::begin(pool, As::Owner(id), &sql).await?;
    let mut old = 0;
    let mut last: Option<(Position, [u8; 32])> = None;
    for row in &rows {
        if !get::<bool>(row, 1)? {
            break;
        }
        old += 1;
        last = Some((get(row, 0)?, get(row, 2)?));
    }
    if let Some((n, hash)) = last {
        begins(&mut held, id, 0, before, n, old, hash).await?;
        held.all(format!("DELETE FROM audit WHERE n <= {n}")).await?;
    }
    held.commit().await?;
    Ok(old)
}

/// Removes the journals of some dropped messages, those that are older as a whole: how many, and the last
/// message that was looked at; `None` behind the last.
async fn journals(
    pool: &PgPool,
    id: ScopeId,
    before: i64,
    after: Position,
) -> Result<Option<(u64, Position)>, Fault> {
    let sql = format!(
        "SELECT j.message, max(j.at) < {before}, (SELECT l.hash FROM journal l WHERE l.message = j.message \
           ORDER BY l.seq DESC LIMIT 1) FROM journal j WHERE j.message > {after} \
         AND NOT EXISTS (SELECT FROM message m WHERE m.n = j.message) \
         GROUP BY j.message ORDER BY j.message LIMIT {PART}"
    );
    let (mut held, rows) = Held::begin(pool, As::Owner(id), &sql).await?;
    let Some(last) = rows.last() else {
        held.rollback().await;
        return Ok(None);
    };
    let last: Position = get(last, 0)?;
    let known = held.all("SELECT hash FROM pruned WHERE chain = 1 FOR UPDATE".into()).await?;
    let mut hash: [u8; 32] = known.first().map_or(Ok([0; 32]), |row| get(row, 0))?;
    let mut old = Vec::new();
    for row in &rows {
        if get(row, 1)? {
            hash = chained(hash, &get::<[u8; 32]>(row, 2)?);
            old.push(get::<Position>(row, 0)?.to_string());
        }
    }
    if !old.is_empty() {
        begins(&mut held, id, 1, before, 0, old.len() as u64, hash).await?;
        held.all(format!("DELETE FROM journal WHERE message IN ({})", old.join(","))).await?;
    }
    held.commit().await?;
    Ok(Some((old.len() as u64, last)))
}

/// Writes down where a chain begins, before what is in front of it goes.
async fn begins(
    held: &mut Held,
    id: ScopeId,
    chain: i64,
    before: i64,
    n: Position,
    entries: u64,
    hash: [u8; 32],
) -> Result<(), Fault> {
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    held.all(format!(
        "INSERT INTO pruned(scope, chain, before, n, entries, hash) VALUES ({}, {chain}, {before}, {n}, {entries}, '\\x{hash}') \
         ON CONFLICT (scope, chain) DO UPDATE SET before = greatest(pruned.before, excluded.before), n = excluded.n, \
         entries = pruned.entries + excluded.entries, hash = excluded.hash",
        id.0
    ))
    .await
    .map(drop)
}
