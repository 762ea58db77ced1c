//! What is wrong with a data folder, looked at beside a running server.

use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use super::connect;
use super::error::read_error;
use super::folder::Folder;
use super::migrate::{self, Schema};
use crate::model::Instant;
use crate::store::installation::{EXAMPLES_MAX, Found, Late, ScopeHealth};
use crate::store::read::decode::id;
use crate::store::{Finding, Severity, StoreError};

/// From how many bytes on a write-ahead log is longer than it should become.
const LOG_BYTES_MAX: u64 = 160 << 20;
/// From which share of its pages on, and how many bytes, a file holds room that it does not use.
const FREE_SHARE_MAX: f64 = 0.25;
const FREE_BYTES_MAX: i64 = 64 << 20;

/// Messages of which this condition holds; `m.n` is the message's position.
const BOTH: &str = "FROM live l JOIN ended e ON e.n = l.n JOIN message m ON m.n = l.n WHERE true";
const NEITHER: &str = "FROM message m WHERE NOT EXISTS (SELECT 1 FROM live l WHERE l.n = m.n) \
     AND NOT EXISTS (SELECT 1 FROM ended e WHERE e.n = m.n)";
const STUCK: &str = "FROM live l JOIN message m ON m.n = l.n WHERE l.due_at IS NULL AND NOT EXISTS \
     (SELECT 1 FROM attempt a LEFT JOIN outcome o ON o.message = a.message AND o.n = (SELECT max(n) FROM outcome x \
      WHERE x.message = a.message AND x.attempt = a.id) WHERE a.message = l.n AND (o.n IS NULL OR o.outcome = 0))";
const UNFINISHED: &str = "FROM ended e JOIN message m ON m.n = e.n WHERE EXISTS (SELECT 1 FROM attempt a \
     WHERE a.message = e.n AND NOT EXISTS (SELECT 1 FROM outcome o WHERE o.message = a.message AND o.attempt = a.id))";
/// Those of which somebody is to go on with are none, where the file has a place for them.
const LEFT_ALONE: &str = " AND NOT EXISTS (SELECT 1 FROM unsettled u WHERE u.n = e.n)";
const DUE: &str = "SELECT due_at FROM live";
const DUE_UNSETTLED: &str = " UNION ALL SELECT due_at FROM unsettled";

/// A look at one scope's file; `None` where there is none.
pub(super) async fn scope(
    path: &Path,
    now: Instant,
    grace_ms: i64,
) -> Result<Option<ScopeHealth>, StoreError> {
    if !path.exists() {
        return Ok(None);
    }
    let mut conn = connect::open_reader(path, &migrate::SCOPE).await?;
    // Everything as of one moment: a server may be at work.
    run(&mut conn, "BEGIN").await?;
    let health = look(&mut conn, now, grace_ms).await;
    run(&mut conn, "ROLLBACK").await?;
    let _ = conn.close().await;
    health.map(Some)
}

async fn look(conn: &mut SqliteConnection, now: Instant, grace_ms: i64) -> Result<ScopeHealth, StoreError> {
    let ahead = number(conn, "SELECT coalesce((SELECT advanced_by_ms FROM clock), 0)").await?;
    let scope_now = now.ms().saturating_add(ahead);
    let late = |row: SqliteRow| Late {
        count: row.get::<i64, _>(0) as u64,
        by_ms: row.get::<Option<i64>, _>(1).map_or(0, |at| scope_now - at),
    };
    let knows = migrate::has_table(conn, "unsettled").await.map_err(|error| read_error(&error))?;
    let and = |more| if knows { more } else { "" };
    let due = format!("SELECT count(*), min(due_at) FROM ({DUE}{}) WHERE due_at < $1", and(DUE_UNSETTLED));
    let unfinished = format!("{UNFINISHED}{}", and(LEFT_ALONE));
    let tries = "SELECT count(*), min(next_try_at) FROM delivery WHERE state = 0 AND next_try_at < $1";
    let before = scope_now.saturating_sub(grace_ms);
    let behind = one(
        conn,
        sqlx::query(
            "SELECT p.id, (SELECT count(*) FROM event v WHERE v.n > p.position) FROM endpoint p \
             WHERE p.enabled = 1 ORDER BY p.position LIMIT 1",
        ),
    )
    .await?;
    Ok(ScopeHealth {
        live: count(conn, "SELECT count(*) FROM live").await?,
        both: found(conn, BOTH).await?,
        neither: found(conn, NEITHER).await?,
        without_message: count(
            conn,
            "SELECT (SELECT count(*) FROM live r WHERE NOT EXISTS (SELECT 1 FROM message m WHERE m.n = r.n)) \
             + (SELECT count(*) FROM ended r WHERE NOT EXISTS (SELECT 1 FROM message m WHERE m.n = r.n)) \
             + (SELECT count(*) FROM content r WHERE NOT EXISTS (SELECT 1 FROM message m WHERE m.n = r.n)) \
             + (SELECT count(*) FROM attempt r WHERE NOT EXISTS (SELECT 1 FROM message m WHERE m.n = r.message))",
        )
        .await?,
        stuck: found(conn, STUCK).await?,
        unfinished: found(conn, &unfinished).await?,
        overdue: one(conn, sqlx::query(AssertSqlSafe(due)).bind(before)).await?.map(late).unwrap_or_default(),
        late_deliveries: one(conn, sqlx::query(tries).bind(before)).await?.map(late).unwrap_or_default(),
        pending_deliveries: count(conn, "SELECT count(*) FROM delivery WHERE state = 0").await?,
        dead_letters: count(
            conn,
            "SELECT count(*) FROM delivery d WHERE d.state = 2 AND EXISTS (SELECT 1 FROM endpoint p WHERE p.id = d.endpoint)",
        )
        .await?,
        behind: behind.map(|row| Ok::<_, StoreError>((id(&row, 0)?, row.get::<i64, _>(1) as u64))).transpose()?,
        newest_event: number(conn, "SELECT coalesce(max(n), 0) FROM event").await?,
        ..ScopeHealth::default()
    })
}

async fn found(conn: &mut SqliteConnection, of: &str) -> Result<Found, StoreError> {
    let count = sqlx::query(AssertSqlSafe(format!("SELECT count(*) {of}")));
    let count = one(conn, count).await?.map_or(0, |row| row.get::<i64, _>(0) as u64);
    let mut examples = Vec::new();
    if count > 0 {
        let some = format!("SELECT m.id {of} ORDER BY m.n LIMIT {EXAMPLES_MAX}");
        let rows =
            sqlx::query(AssertSqlSafe(some)).fetch_all(conn).await.map_err(|error| read_error(&error))?;
        for row in &rows {
            examples.push(id(row, 0)?);
        }
    }
    Ok(Found { count, examples })
}

type Asked<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

async fn one(conn: &mut SqliteConnection, query: Asked<'_>) -> Result<Option<SqliteRow>, StoreError> {
    query.fetch_optional(conn).await.map_err(|error| read_error(&error))
}

async fn number(conn: &mut SqliteConnection, sql: &'static str) -> Result<i64, StoreError> {
    Ok(one(conn, sqlx::query(sql)).await?.map_or(0, |row| row.get(0)))
}

async fn count(conn: &mut SqliteConnection, sql: &'static str) -> Result<u64, StoreError> {
    number(conn, sql).await.map(|count| count as u64)
}

async fn run(conn: &mut SqliteConnection, sql: &'static str) -> Result<(), StoreError> {
    sqlx::query(sql).execute(conn).await.map(drop).map_err(|error| read_error(&error))
}

/// What is wrong with the folder and its files.
pub(super) async fn folder(folder: &Folder, scopes: &[i64], deep: bool) -> Result<Vec<Finding>, StoreError> {
    let mut findings = Vec::new();
    unclean(folder, &mut findings).await?;
    room(folder.path(), &mut findings);
    let files = scopes.iter().map(|id| (folder.scope(*id), &migrate::SCOPE));
    for (path, schema) in std::iter::once((folder.registry(), &migrate::REGISTRY)).chain(files) {
        if path.exists() {
            file(&path, schema, deep, &mut findings).await;
        }
    }
    Ok(findings)
}

/// A stop that was none: found while no server is there to have made it good.
async fn unclean(folder: &Folder, findings: &mut Vec<Finding>) -> Result<(), StoreError> {
    let mut conn = connect::open_reader(&folder.registry(), &migrate::REGISTRY).await?;
    let clean = number(&mut conn, "SELECT clean FROM state").await?;
    let _ = conn.close().await;
    if clean == 0 && !folder.is_held() {
        findings.push(Finding {
            severity: Severity::Warning,
            name: "unclean-stop",
            place: folder.path().display().to_string(),
            message: "the server was not stopped cleanly, and none is running".to_owned(),
            help: "start it: it takes up what was left; calls without an answer are in doubt and go the way \
                   of their policies"
                .to_owned(),
        });
    }
    Ok(())
}

/// Room on the disk, as `df` tells it.
fn room(path: &Path, findings: &mut Vec<Finding>) {
    let place = path.display().to_string();
    let asked = std::process::Command::new("df").arg("-Pk").arg(path).output();
    let told = asked.ok().and_then(|out| String::from_utf8(out.stdout).ok());
    let told = told.as_deref().and_then(room_of);
    let Some((all_kib, free_kib)) = told else {
        findings.push(Finding {
            severity: Severity::Note,
            name: "disk-room",
            place,
            message: "how much room the disk has is not known: `df -Pk` does not tell".to_owned(),
            help: "look at it in another way".to_owned(),
        });
        return;
    };
    let percent = free_kib * 100 / all_kib.max(1);
    let severity = match (percent, free_kib >> 10) {
        (..=1, _) | (_, ..=199) => Severity::Error,
        (..=9, _) | (_, ..=1_023) => Severity::Warning,
        _ => return,
    };
    findings.push(Finding {
        severity,
        name: "disk-room",
        place,
        message: format!("{} MiB of the disk are free, {percent} %", free_kib >> 10),
        help: "make room: while the disk is full nothing is accepted; `retention` of the settings lets old \
               messages go"
            .to_owned(),
    });
}

/// All and free KiB, from the last line of `df -Pk`.
fn room_of(told: &str) -> Option<(u64, u64)> {
    let mut columns = told.lines().last()?.split_whitespace().skip(1);
    let all = columns.next()?.parse().ok()?;
    let free = columns.nth(1)?.parse().ok()?;
    Some((all, free))
}

/// One file: whether it can be read, of which schema it is, its log, the room in it.
async fn file(path: &Path, schema: &'static Schema, deep: bool, findings: &mut Vec<Finding>) {
    let place = path.display().to_string();
    let mut put = |severity, name, message: String, help: &str| {
        findings.push(Finding { severity, name, place: place.clone(), message, help: help.to_owned() });
    };
    let mut conn = match connect::open_reader(path, schema).await {
        Ok(conn) => conn,
        Err(error) => {
            let help = "as it says; a damaged file is restored from a backup";
            return put(Severity::Error, "unreadable", error.to_string(), help);
        }
    };
    match migrate::current(&mut conn, path, schema).await {
        Ok(version) if version < schema.newest() => put(
            Severity::Note,
            "older-schema",
            format!("the schema is {version}, this program's is {}", schema.newest()),
            "start the server of this version: it renews the file when it opens it",
        ),
        Ok(version) if version > schema.newest() => put(
            Severity::Note,
            "newer-schema",
            format!("the schema is {version}, this program's is {}", schema.newest()),
            "upgrade this program as well: a newer one has been at work, and left this one its way",
        ),
        _ => {}
    }
    let log = log_bytes(path);
    if log > LOG_BYTES_MAX {
        put(
            Severity::Warning,
            "long-log",
            format!("the write-ahead log has {} MiB", log >> 20),
            "somebody reads in one transaction for long (a backup, a shell): end that, and the log is \
             written back by itself",
        );
    }
    let pages = "SELECT (SELECT page_count FROM pragma_page_count), \
                 (SELECT freelist_count FROM pragma_freelist_count), (SELECT page_size FROM pragma_page_size)";
    if let Ok(Some(row)) = one(&mut conn, sqlx::query(pages)).await {
        let (all, free, size): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
        if free * size > FREE_BYTES_MAX && free as f64 > all as f64 * FREE_SHARE_MAX {
            put(
                Severity::Note,
                "free-pages",
                format!(
                    "{} of {} MiB hold nothing since rows were dropped",
                    (free * size) >> 20,
                    (all * size) >> 20
                ),
                "it is used again by and by; to give it back to the disk stop the server and run `VACUUM` on \
                 the file with `sqlite3`",
            );
        }
    }
    if deep {
        match one(&mut conn, sqlx::query("PRAGMA integrity_check(1)")).await {
            Ok(Some(row)) if row.get::<&str, _>(0) == "ok" => {}
            Ok(row) => put(
                Severity::Error,
                "damaged",
                row.map(|row| row.get::<String, _>(0)).unwrap_or_default(),
                "stop the server and restore the file from a backup",
            ),
            Err(error) => {
                put(
                    Severity::Error,
                    "damaged",
                    error.to_string(),
                    "stop the server and restore the file from a backup",
                );
            }
        }
    }
    let _ = conn.close().await;
}

fn log_bytes(path: &Path) -> u64 {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(PathBuf::from(log)).map_or(0, |log| log.len())
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_df_tells_is_read() {
        let told = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda 1000 600 400 60% /\n";
        assert_eq!(super::room_of(told), Some((1_000, 400)));
        assert_eq!(super::room_of("df: no such file\n"), None);
    }
}
