//! What is wrong with a database, looked at beside running nodes.

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row as _};

use super::connect::{As, Held};
use super::error::{Fault, told};
use crate::model::{Id, Instant, ScopeId};
use crate::store::installation::EXAMPLES_MAX;
use crate::store::read::decode::get;
use crate::store::{Finding, Found, Late, ScopeHealth, Severity, StoreError};

/// From where on something about a server is a finding.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// From how many dead rows on, and which share of the living, a table was not vacuumed for long.
    pub(super) dead_rows_max: i64,
    pub(super) dead_share_max: f64,
    /// From how many seconds on a transaction is open for long.
    pub(super) open_s_max: f64,
    /// From how many transactions on somebody's view of the rows is old.
    pub(super) view_age_max: i64,
    /// From which share on the queue of notifications is full of what somebody does not read.
    pub(super) news_share_max: f64,
    /// From how many bytes on a replication slot keeps too much of the log.
    pub(super) slot_bytes_max: i64,
}

impl Limits {
    pub(super) const DEFAULT: Limits = Limits {
        dead_rows_max: 100_000,
        dead_share_max: 0.3,
        open_s_max: 300.0,
        view_age_max: 200_000,
        news_share_max: 0.1,
        slot_bytes_max: 10 << 30,
    };
}

const BOTH: &str = "FROM live l JOIN ended e ON e.n = l.n JOIN message m ON m.n = l.n";
const NEITHER: &str = "FROM message m WHERE NOT EXISTS (SELECT FROM live l WHERE l.n = m.n) \
     AND NOT EXISTS (SELECT FROM ended e WHERE e.n = m.n)";
const STUCK: &str = "FROM live l JOIN message m ON m.n = l.n WHERE l.due_at IS NULL AND NOT EXISTS \
     (SELECT FROM attempt a LEFT JOIN LATERAL (SELECT o.outcome FROM outcome o WHERE o.message = a.message \
        AND o.attempt = a.id ORDER BY o.n DESC LIMIT 1) o ON true \
      WHERE a.message = l.n AND (o.outcome IS NULL OR o.outcome = 0)) \
     AND NOT EXISTS (SELECT FROM signal g WHERE g.message = l.n)";
const UNFINISHED: &str = "FROM ended e JOIN message m ON m.n = e.n WHERE EXISTS (SELECT FROM attempt a \
     WHERE a.message = e.n AND NOT EXISTS (SELECT FROM outcome o WHERE o.message = a.message AND o.attempt = a.id)) \
     AND NOT EXISTS (SELECT FROM {unsettled} WHERE unsettled.n = e.n)";
/// The messages that have ended and are unsettled, and what stands for them where the schema is of an older
/// version.
const UNSETTLED: &str = "unsettled";
const NONE_UNSETTLED: &str =
    "(SELECT NULL::int8 AS n, NULL::int8 AS owner, NULL::int8 AS due_at WHERE false) AS unsettled";

/// What a scope's rows say, in one statement and so as of one moment. `{late}` is what was due before.
const LOOK: &str = "WITH under_way AS (SELECT owner, due_at FROM live UNION ALL SELECT owner, due_at FROM {unsettled}) \
     SELECT \
     (SELECT count(*) FROM live), \
     (SELECT count(*) FROM live r WHERE NOT EXISTS (SELECT FROM message m WHERE m.n = r.n)) \
       + (SELECT count(*) FROM ended r WHERE NOT EXISTS (SELECT FROM message m WHERE m.n = r.n)) \
       + (SELECT count(*) FROM content r WHERE NOT EXISTS (SELECT FROM message m WHERE m.n = r.n)) \
       + (SELECT count(*) FROM attempt r WHERE NOT EXISTS (SELECT FROM message m WHERE m.n = r.message)), \
     (SELECT count(*) FROM under_way WHERE due_at < {late}), \
     (SELECT min(due_at) FROM under_way WHERE due_at < {late}), \
     (SELECT count(*) FROM delivery WHERE state = 0 AND next_try_at < {late}), \
     (SELECT min(next_try_at) FROM delivery WHERE state = 0 AND next_try_at < {late}), \
     (SELECT count(*) FROM delivery WHERE state = 0), \
     (SELECT count(*) FROM delivery d WHERE d.state = 2 AND EXISTS (SELECT FROM endpoint p WHERE p.id = d.endpoint)), \
     (SELECT count(*) FROM live l WHERE EXISTS (SELECT FROM node o WHERE o.n = l.owner AND o.ended_at IS NOT NULL) \
        OR NOT EXISTS (SELECT FROM node o WHERE o.n = l.owner)), \
     (SELECT count(*) FROM signal WHERE at < {real}), (SELECT min(at) FROM signal WHERE at < {real}), \
     (SELECT coalesce(max(n), 0) FROM event)";

/// A look at one scope.
pub(super) async fn scope(
    pool: &sqlx::postgres::PgPool,
    id: ScopeId,
    now: Instant,
    grace_ms: i64,
) -> Result<Option<ScopeHealth>, StoreError> {
    let work = async {
        // Looking at everything takes its time.
        let begun = "SET LOCAL statement_timeout='15min';SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;\
                     SELECT coalesce((SELECT advanced_by_ms FROM clock), 0), to_regclass('unsettled') IS NOT NULL";
        let (mut held, rows) = Held::begin(pool, As::Engine(id), begun).await?;
        let (ahead, knows): (i64, bool) = match rows.first() {
            Some(row) => (get(row, 0)?, get(row, 1)?),
            None => (0, false),
        };
        let unsettled = if knows { UNSETTLED } else { NONE_UNSETTLED };
        let scope_now = now.ms().saturating_add(ahead);
        let (late, real) = (scope_now.saturating_sub(grace_ms), now.ms().saturating_sub(grace_ms));
        let sql = LOOK
            .replace("{unsettled}", unsettled)
            .replace("{late}", &late.to_string())
            .replace("{real}", &real.to_string());
        let rows = held.all(sql).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let count = |column: usize| get::<i64>(row, column).map(i64::unsigned_abs);
        let late = |column: usize, now: i64| {
            let since = get::<Option<i64>>(row, column + 1)?;
            Ok::<_, StoreError>(Late { count: count(column)?, by_ms: since.map_or(0, |at| now - at) })
        };
        let behind = "SELECT p.id, (SELECT count(*) FROM event v WHERE v.n > p.position) FROM endpoint p \
                      WHERE p.enabled ORDER BY p.position LIMIT 1";
        let behind = held.all(behind.into()).await?;
        let behind = match behind.first() {
            Some(row) => Some((Id::from_bytes(get(row, 0)?), get::<i64>(row, 1)?.unsigned_abs())),
            None => None,
        };
        let health = ScopeHealth {
            live: count(0)?,
            without_message: count(1)?,
            overdue: late(2, scope_now)?,
            late_deliveries: late(4, scope_now)?,
            pending_deliveries: count(6)?,
            dead_letters: count(7)?,
            orphaned: count(8)?,
            signals: late(9, now.ms())?,
            newest_event: get(row, 11)?,
            both: found(&mut held, BOTH).await?,
            neither: found(&mut held, NEITHER).await?,
            stuck: found(&mut held, STUCK).await?,
            unfinished: found(&mut held, &UNFINISHED.replace("{unsettled}", unsettled)).await?,
            behind,
        };
        held.rollback().await;
        Ok::<_, Fault>(Some(health))
    };
    work.await.map_err(Fault::told)
}

async fn found(held: &mut Held, of: &str) -> Result<Found, Fault> {
    let rows = held.all(format!("SELECT count(*) {of}")).await?;
    let count = rows.first().map_or(Ok(0), |row| get::<i64>(row, 0))?.unsigned_abs();
    let mut examples = Vec::new();
    if count > 0 {
        for row in &held.all(format!("SELECT m.id {of} ORDER BY m.n LIMIT {EXAMPLES_MAX}")).await? {
            examples.push(Id::from_bytes(get(row, 0)?));
        }
    }
    Ok(Found { count, examples })
}

/// What is wrong with the server and the schema.
pub(super) async fn database(
    conn: &mut PgConnection,
    (taken, known): (usize, usize),
    limits: Limits,
) -> Result<Vec<Finding>, StoreError> {
    let mut findings = Findings(Vec::new());
    if taken != known {
        let (name, help) = match taken < known {
            true => {
                ("older-schema", "run `spine migrate`: nodes of an older version go on with what it adds")
            }
            false => (
                "newer-schema",
                "upgrade this program as well: a newer one has been at work, and left this one its way",
            ),
        };
        let message = format!("the schema is at step {taken}, this program knows {known}");
        findings.put(Severity::Note, name, "the schema", message, help);
    }
    settings(conn, &mut findings).await?;
    tables(conn, limits, &mut findings).await?;
    transactions(conn, limits, &mut findings).await?;
    nodes(conn, &mut findings).await?;
    Ok(findings.0)
}

struct Findings(Vec<Finding>);

impl Findings {
    fn put(&mut self, severity: Severity, name: &'static str, place: &str, message: String, help: &str) {
        let (place, help) = (place.to_owned(), help.to_owned());
        self.0.push(Finding { severity, name, place, message, help });
    }
}

async fn all(conn: &mut PgConnection, sql: String) -> Result<Vec<PgRow>, StoreError> {
    sqlx::query(AssertSqlSafe(sql)).persistent(false).fetch_all(conn).await.map_err(|error| told(&error))
}

/// Settings by which what was answered can be lost, or by which nothing is cleared up.
async fn settings(conn: &mut PgConnection, findings: &mut Findings) -> Result<(), StoreError> {
    const RIGHT: &[(&str, &[&str], Severity, &str)] = &[
        ("fsync", &["on"], Severity::Error, "a crash of the machine damages the database"),
        ("full_page_writes", &["on"], Severity::Error, "a crash of the machine can damage the database"),
        ("autovacuum", &["on"], Severity::Error, "tables grow without end"),
        ("track_counts", &["on"], Severity::Error, "autovacuum does not know what to do"),
        (
            "synchronous_commit",
            &["on", "remote_apply"],
            Severity::Note,
            "spine sets `on` for each of its transactions; other programs on this server go by the setting",
        ),
    ];
    let sql = "SELECT name, setting FROM pg_settings".to_owned();
    let rows = all(conn, sql).await?;
    let all: std::collections::HashMap<String, String> =
        rows.iter().map(|row| (row.get::<String, _>(0), row.get::<String, _>(1))).collect();
    for (name, right, severity, means) in RIGHT {
        if let Some(value) = all.get(*name).filter(|value| !right.contains(&value.as_str())) {
            findings.put(
                *severity,
                "setting",
                name,
                format!("`{name}` is `{value}`: {means}"),
                &format!("ALTER SYSTEM SET {name} = '{}'; and reload the server", right[0]),
            );
        }
    }
    Ok(())
}

/// Tables that hold more dead rows than they should.
async fn tables(conn: &mut PgConnection, limits: Limits, findings: &mut Findings) -> Result<(), StoreError> {
    let sql = "SELECT relname::text, n_live_tup, n_dead_tup, coalesce(greatest(last_autovacuum, last_vacuum)::text, 'never') \
               FROM pg_stat_user_tables WHERE schemaname = 'spine' ORDER BY n_dead_tup DESC";
    for row in all(conn, sql.to_owned()).await? {
        let (table, living, dead, last): (String, i64, i64, String) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        if dead > limits.dead_rows_max && dead as f64 > living as f64 * limits.dead_share_max {
            findings.put(
                Severity::Warning,
                "dead-rows",
                &table,
                format!("{dead} dead rows beside {living} living ones; last vacuumed: {last}"),
                "end transactions that are open for long, and let autovacuum work more (autovacuum_max_workers, \
                 autovacuum_vacuum_cost_limit); `VACUUM` the table",
            );
        }
    }
    Ok(())
}

/// What keeps old rows from going, and the log from being let go.
async fn transactions(
    conn: &mut PgConnection,
    limits: Limits,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let sql = "SELECT pid, coalesce(application_name, ''), coalesce(extract(epoch FROM clock_timestamp() - xact_start), 0)::float8, \
               coalesce(age(backend_xmin), age(backend_xid), 0)::int8 FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
    for row in all(conn, sql.to_owned()).await? {
        let (pid, program, open_s, age): (i32, String, f64, i64) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        if open_s > limits.open_s_max || age > limits.view_age_max {
            findings.put(
                Severity::Warning,
                "long-transaction",
                &format!("session {pid} of `{program}`"),
                format!("a transaction is open for {open_s:.0} s, {age} transactions behind: no row that died since is cleared up"),
                &format!("end it: SELECT pg_terminate_backend({pid}); and set idle_in_transaction_session_timeout"),
            );
        }
    }
    let sql = "SELECT gid::text, extract(epoch FROM clock_timestamp() - prepared)::float8 FROM pg_prepared_xacts \
               WHERE database = current_database()";
    for row in all(conn, sql.to_owned()).await? {
        let (gid, open_s): (String, f64) = (row.get(0), row.get(1));
        if open_s > limits.open_s_max {
            findings.put(
                Severity::Warning,
                "long-transaction",
                &format!("prepared transaction {gid}"),
                format!("prepared {open_s:.0} s ago and never ended"),
                &format!("ROLLBACK PREPARED '{gid}'; spine prepares none"),
            );
        }
    }
    let sql = "SELECT slot_name::text, active, coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::int8 FROM pg_replication_slots";
    for row in all(conn, sql.to_owned()).await? {
        let (slot, active, bytes): (String, bool, i64) = (row.get(0), row.get(1), row.get(2));
        if bytes > limits.slot_bytes_max {
            let is = if active { "is behind" } else { "is used by nobody" };
            findings.put(
                Severity::Warning,
                "replication-slot",
                &slot,
                format!("it {is}, and keeps {} MiB of the log", bytes >> 20),
                "bring the standby back, or drop the slot, before the disk is full",
            );
        }
    }
    let share: f64 = all(conn, "SELECT pg_notification_queue_usage()".to_owned())
        .await?
        .first()
        .map_or(0.0, |row| row.get(0));
    if share > limits.news_share_max {
        findings.put(
            Severity::Warning,
            "listener-lag",
            "the queue of notifications",
            format!(
                "{:.0} % of it are full: a listener does not read, and at 100 % NOTIFY fails",
                share * 100.0
            ),
            "find the session that listens inside a long transaction and end it; nodes hear of each other by \
             their poll meanwhile",
        );
    }
    Ok(())
}

/// Nodes whose lease is over and that nobody has declared ended.
async fn nodes(conn: &mut PgConnection, findings: &mut Findings) -> Result<(), StoreError> {
    use sqlx::Connection as _;
    let mut tx = conn.begin().await.map_err(|error| told(&error))?;
    sqlx::raw_sql("SET LOCAL ROLE spine_engine").execute(&mut *tx).await.map_err(|error| told(&error))?;
    let sql = "SELECT n, name, extract(epoch FROM clock_timestamp() - lease_until)::float8, ended_at IS NOT NULL FROM spine.node ORDER BY n";
    let rows = all(&mut tx, sql.to_owned()).await?;
    tx.rollback().await.map_err(|error| told(&error))?;
    let mut alive = 0;
    for row in &rows {
        let (n, name, late_s, ended): (i64, String, f64, bool) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        alive += i64::from(!ended && late_s <= 0.0);
        if !ended && late_s > 0.0 {
            findings.put(
                Severity::Warning,
                "expired-lease",
                &format!("node {n}, `{name}`"),
                format!("its lease ended {late_s:.0} s ago, and no other node has noticed"),
                "is another node running? It adopts what this one had in hand; start one",
            );
        }
    }
    if alive == 0 && !rows.is_empty() {
        findings.put(
            Severity::Warning,
            "no-node",
            "the installation",
            "no node is running".to_owned(),
            "start one: what was accepted goes on then",
        );
    }
    Ok(())
}
