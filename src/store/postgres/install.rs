//! Roles and schema: made at the first start, renewed at a later one, and looked at before anything is
//! served.
//!
//! Everything fails closed. A schema that is newer, half there, or somebody else's is refused, and so
//! is a role past which row-level security has no effect.

mod found;

use std::borrow::Cow;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, SqlSafeStr as _};

use found::{Installation, grant as grant_to, make_role, quoted, refused, taken};

use super::connect::Connector;
use super::error::told;
use crate::store::{SchemaStep, StoreError};

/// The oldest PostgreSQL that is known to work.
const VERSION_MIN: i64 = 140_000;
/// From this version on a grant says whether what it gives is inherited.
const VERSION_GRANTS_SAY: i64 = 160_000;
/// The lock under which roles and schema are made: `SPNI`.
const INSTALL_LOCK: i64 = 0x5350_4e49;
/// How often it is tried where somebody else does the same at once in another database.
const INSTALL_TRIES: u32 = 5;

/// The roles: who owns the schema, who writes, who reads for requests.
pub(super) const ROLES: [&str; 3] = ["spine_owner", "spine_engine", "spine_api"];

/// Those of them as which a server works.
const SERVING: [&str; 2] = ["spine_engine", "spine_api"];

/// What a login role is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginFor {
    /// It serves, and makes and renews the schema: it may become each of the program's roles.
    Everything,
    /// It serves a schema that another role keeps up to date: it may not become the schema's owner.
    Serving,
}

/// The tables of the schema.
pub(super) const TABLES: [&str; 38] = [
    "attempt",
    "audit",
    "claim",
    "clock",
    "consent",
    "contact",
    "content",
    "delivery",
    "early_receipt",
    "ended",
    "endpoint",
    "erased",
    "event",
    "generation",
    "idempotency",
    "journal",
    "key",
    "live",
    "message",
    "migration",
    "node",
    "outcome",
    "provider",
    "provider_scope",
    "provider_state",
    "pruned",
    "quota",
    "registry_audit",
    "registry_idempotency",
    "registry_state",
    "scope",
    "signal",
    "subject",
    "tenant",
    "unsettled",
    "usage",
    "version",
    "version_name",
];

/// The number of the migration from which on messages that have ended can be unsettled.
pub(super) const UNSETTLED_SINCE: usize = 3;

/// The tables of the schema after so many migrations.
fn tables(taken: usize) -> Vec<String> {
    let is_there = |table: &&&str| **table != "unsettled" || taken >= UNSETTLED_SINCE;
    TABLES.iter().filter(is_there).map(|table| (*table).to_owned()).collect()
}

/// One migration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) sql: &'static str,
    /// The number of the migration that a program must know to work on the schema from now on.
    pub(super) needs: i64,
}

/// The migrations; the first has number 1.
pub(super) const MIGRATIONS: &[Step] = &[
    Step { name: "begin", sql: include_str!("../../../migrations/postgres/0001_begin.sql"), needs: 1 },
    Step { name: "operator", sql: include_str!("../../../migrations/postgres/0002_operator.sql"), needs: 1 },
    Step {
        name: "unsettled",
        sql: include_str!("../../../migrations/postgres/0003_unsettled.sql"),
        needs: 1,
    },
    Step {
        name: "registry_reads",
        sql: include_str!("../../../migrations/postgres/0004_registry_reads.sql"),
        needs: 1,
    },
];
/// The oldest schema on which this program can read.
const READS_FROM: usize = 1;

fn migrator(known: &'static [Step]) -> Migrator {
    let migrations = known.iter().zip(1_i64..).map(|(Step { name, sql, .. }, version)| {
        Migration::new(version, Cow::Borrowed(*name), MigrationType::Simple, sql.into_sql_str(), false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    migrator.set_locking(false);
    migrator.dangerous_set_table_name("spine.migration");
    migrator
}

/// Brings roles and schema to what this program needs, or says why that cannot be.
pub(super) async fn prepare(connector: &Connector) -> Result<(), StoreError> {
    let mut conn = connector.connect().await?;
    let mut tries = 0;
    loop {
        tries += 1;
        let found = Installation::looked(&mut conn, connector.known).await?;
        found.check_session()?;
        found.check_schema()?;
        if found.is_ready() {
            break;
        }
        if tries > INSTALL_TRIES {
            found.check_inherited()?;
            return Err(refused(
                "roles and schema were made, and are not there; is something taking them away?",
            ));
        }
        match install(&mut conn, connector.known).await {
            Ok(()) => {}
            Err(error @ StoreError::Database(_)) => return Err(error),
            // Another node did the same at once, or roles were granted in another database.
            Err(error) if tries >= INSTALL_TRIES => return Err(error),
            Err(_) => conn = connector.connect().await?,
        }
    }
    verify(&mut conn, connector.known.len()).await?;
    let _ = conn.close().await;
    Ok(())
}

/// Refuses, as [`prepare`] does, and makes nothing.
pub(super) async fn require(connector: &Connector) -> Result<(), StoreError> {
    let mut conn = connector.connect().await?;
    let found = Installation::looked(&mut conn, connector.known).await?;
    found.check_session()?;
    found.check_inherited()?;
    found.check_schema()?;
    if !found.may_serve() || found.taken.len() < READS_FROM {
        return Err(refused("there is no schema yet; run `spine migrate`, or start the server once"));
    }
    verify(&mut conn, found.taken.len()).await?;
    let _ = conn.close().await;
    Ok(())
}

/// All of it in one transaction: what fails leaves nothing behind.
async fn install(conn: &mut PgConnection, known: &'static [Step]) -> Result<(), StoreError> {
    let mut tx = conn.begin().await.map_err(|error| told(&error))?;
    run(&mut tx, format!("SET LOCAL lock_timeout='60s';SELECT pg_advisory_xact_lock({INSTALL_LOCK})"))
        .await?;
    // Somebody may have been first.
    let found = Installation::look(&mut tx, known).await?;
    found.check_schema()?;
    let missing = found.missing()?;
    if !missing.is_empty() {
        run(&mut tx, missing).await?;
    }
    if found.is_newest() {
        return tx.commit().await.map_err(|error| told(&error));
    }
    run(&mut tx, "SET LOCAL ROLE spine_owner;SET LOCAL search_path=spine,pg_temp".into()).await?;
    match migrator(known).run_direct(None, &mut *tx, false).await {
        Ok(()) => {
            write_needs(&mut tx, known).await?;
            tx.commit().await.map_err(|error| told(&error))
        }
        Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => Err(halfway(&error)),
        Err(error) => Err(refused(format!("the schema cannot be brought up to date: {error}"))),
    }
}

/// Why a step failed; one that finds made what it makes was taken, and the book does not say so.
fn halfway(error: &sqlx::Error) -> StoreError {
    let server = error.as_database_error();
    // A table, a column, a function, another object.
    let is_made = |code: &str| matches!(code, "42P07" | "42701" | "42723" | "42710");
    match server.filter(|server| server.code().as_deref().is_some_and(is_made)) {
        Some(server) => refused(format!(
            "the schema is half-migrated ({}, and its book of migrations has no step that made it); restore \
             the database from a backup",
            server.message()
        )),
        None => told(error),
    }
}

async fn run(conn: &mut PgConnection, sql: String) -> Result<(), StoreError> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await.map(drop).map_err(|error| told(&error))
}

/// Writes down what each step asks of a program, where the book has room for it.
async fn write_needs(conn: &mut PgConnection, known: &[Step]) -> Result<(), StoreError> {
    let sql = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'spine.migration'::regclass AND attname = 'needs'";
    let row = sqlx::query(sql).persistent(false).fetch_one(&mut *conn).await.map_err(|error| told(&error))?;
    if row.get::<i64, _>(0) == 0 {
        return Ok(());
    }
    for (step, version) in known.iter().zip(1_i64..) {
        sqlx::query("UPDATE migration SET needs = $1 WHERE version = $2 AND needs <> $1")
            .persistent(false)
            .bind(step.needs)
            .bind(version)
            .execute(&mut *conn)
            .await
            .map_err(|error| told(&error))?;
    }
    Ok(())
}

/// The number of the newest step that was taken, and of the newest that this program knows.
pub(super) async fn steps(
    conn: &mut PgConnection,
    known: &'static [Step],
) -> Result<(usize, usize), StoreError> {
    Ok((taken(conn).await?.len(), known.len()))
}

/// Looks at what keeps tenants apart and the audit whole, whoever may have changed it.
async fn verify(conn: &mut PgConnection, taken: usize) -> Result<(), StoreError> {
    // A question takes two messages, and a pooler in transaction mode gives them one server only within a
    // transaction. So it is with every question on a connection that is no pool's.
    let mut tx = conn.begin().await.map_err(|error| told(&error))?;
    verified(&mut tx, taken).await?;
    tx.rollback().await.map_err(|error| told(&error))
}

async fn verified(conn: &mut PgConnection, taken: usize) -> Result<(), StoreError> {
    let sql = "SELECT \
           (SELECT string_agg(t, ', ') FROM unnest($1::text[]) AS t \
              WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = t)), \
           (SELECT string_agg(c.relname, ', ') FROM pg_class c WHERE c.relnamespace = n.oid \
              AND c.relkind IN ('r', 'p') AND NOT (c.relrowsecurity AND c.relforcerowsecurity)), \
           (SELECT string_agg(c.relname, ', ') FROM pg_class c WHERE c.relnamespace = n.oid \
              AND c.relkind IN ('r', 'p') AND c.relowner <> (SELECT oid FROM pg_roles WHERE rolname = 'spine_owner')), \
           (SELECT string_agg(r.rolname, ', ') FROM pg_roles r WHERE r.rolname = ANY($2) \
              AND (r.rolsuper OR r.rolbypassrls)), \
           (SELECT string_agg(r.rolname || ' on ' || c.relname, ', ') FROM pg_class c, pg_roles r \
              WHERE c.relnamespace = n.oid AND c.relname IN ('journal', 'audit', 'registry_audit') \
              AND r.rolname IN ('spine_engine', 'spine_api') \
              AND has_table_privilege(r.oid, c.oid, 'UPDATE, DELETE, TRUNCATE')), \
           (SELECT string_agg(p.policyname || ' on ' || p.tablename, ', ') FROM pg_policies p \
              WHERE p.schemaname = n.nspname AND p.permissive = 'PERMISSIVE' \
              AND p.roles && ARRAY['spine_engine', 'spine_api', 'public', current_user]::name[] \
              AND p.tablename NOT IN ('migration', 'node', 'registry_state') \
              AND (p.qual NOT LIKE '%current_setting(''spine.%' OR p.with_check NOT LIKE '%current_setting(''spine.%')), \
           (SELECT string_agg(a.t, ', ') FROM unnest(ARRAY['journal', 'audit', 'registry_audit']) AS a (t) \
              WHERE (SELECT coalesce(bit_or(g.tgtype), 0) & 56 FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid \
                       WHERE c.relnamespace = n.oid AND c.relname = a.t AND g.tgenabled IN ('O', 'A') \
                       AND g.tgtype & 2 = 2) <> 56) \
         FROM pg_namespace n WHERE n.nspname = 'spine'";
    let row = sqlx::query(sql)
        .persistent(false)
        .bind(tables(taken))
        .bind(ROLES.map(str::to_owned).to_vec())
        .fetch_one(conn)
        .await
        .map_err(|error| told(&error))?;
    let faults = [
        "the schema is half there; restore the database from a backup. Missing: ",
        "row-level security is not forced, so tenants are not kept apart; as spine_owner: ALTER TABLE … ENABLE \
         ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY. Tables: ",
        "tables of the schema `spine` do not belong to spine_owner; ALTER TABLE … OWNER TO spine_owner. Tables: ",
        "row-level security has no effect on a role of the program; ALTER ROLE … NOSUPERUSER NOBYPASSRLS. \
         Roles: ",
        "the audit could be changed; as spine_owner: REVOKE UPDATE, DELETE, TRUNCATE ON … FROM …. Rights: ",
        "a policy shows rows of every tenant to a role of the program; as spine_owner: DROP POLICY … ON …. \
         Policies: ",
        "the triggers that keep the audit whole are gone or switched off; as spine_owner: ALTER TABLE … ENABLE \
         TRIGGER ALL, or restore the database from a backup. Tables: ",
    ];
    let all: Vec<String> = faults
        .iter()
        .enumerate()
        .filter_map(|(column, fault)| {
            row.get::<Option<String>, _>(column).map(|names| format!("{fault}{names}"))
        })
        .collect();
    if all.is_empty() { Ok(()) } else { Err(refused(all.join("\n"))) }
}

/// What the schema of a database is made of, and what of it is there.
///
/// # Errors
/// Where the database cannot be reached, or its schema is not one to go on from.
pub async fn plan(url: &str) -> Result<Vec<SchemaStep>, StoreError> {
    let connector = Connector::of(url, false)?;
    let mut conn = connector.connect().await?;
    let found = Installation::looked(&mut conn, connector.known).await?;
    found.check_session()?;
    found.check_schema()?;
    let steps = (1..=MIGRATIONS.len() as i64).map(|version| SchemaStep {
        part: found.database.clone(),
        version,
        applied: found.taken.iter().any(|taken| taken.version == version),
    });
    Ok(steps.collect())
}

/// Makes or renews roles and schema.
///
/// # Errors
/// Where that cannot be; the words say what to do.
pub async fn migrate(url: &str) -> Result<(), StoreError> {
    prepare(&Connector::of(url, false)?).await
}

/// What an administrator runs for a login role that may not make roles and schemas itself. The statements are
/// for each version of PostgreSQL.
#[must_use]
pub fn grant_sql(login: &str, login_for: LoginFor) -> String {
    let mut sql = "-- Run by an administrator, connected to the database of spine.\n".to_owned();
    for role in ROLES {
        sql.push_str(&make_role(role));
    }
    let roles = match login_for {
        LoginFor::Everything => &ROLES[..],
        LoginFor::Serving => &SERVING[..],
    };
    if login_for == LoginFor::Serving {
        sql.push_str(&format!("REVOKE spine_owner FROM {};\n", quoted(login)));
    }
    let (says, no_inherit) = (grant_to(roles, login, true), grant_to(roles, login, false));
    sql.push_str(&format!(
        "-- It has nothing of these roles before a transaction says that it works as one of them.\n\
         DO $grant$ BEGIN\n\
         IF current_setting('server_version_num')::int >= {VERSION_GRANTS_SAY} THEN\n\
         EXECUTE $say${}$say$;\nELSE\n{no_inherit}END IF;\nEND $grant$;\n",
        says.trim_end_matches([';', '\n'])
    ));
    sql.push_str("CREATE SCHEMA IF NOT EXISTS spine AUTHORIZATION spine_owner;\n");
    sql
}

/// Runs [`grant_sql`] as the administrator that the URL names.
///
/// # Errors
/// Where the administrator may not, or there is no such login role.
pub async fn grant(admin_url: &str, login: &str, login_for: LoginFor) -> Result<(), StoreError> {
    let mut conn = Connector::of(admin_url, false)?.connect().await?;
    let sql = grant_sql(login, login_for);
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.map_err(|error| told(&error))?;
    let _ = conn.close().await;
    Ok(())
}
