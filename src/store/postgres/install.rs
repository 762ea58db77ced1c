//! Roles and schema: made at the first start, renewed at a later one, and looked at before anything is
//! served.
//!
//! Everything fails closed. A schema that is newer, half there, or somebody else's is refused, and so
//! is a role past which row-level security has no effect.

use std::borrow::Cow;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, SqlSafeStr as _};

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

/// The tables of the schema.
pub(super) const TABLES: [&str; 37] = [
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
    "usage",
    "version",
    "version_name",
];

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
];
/// The oldest schema on which this program can read.
const READS_FROM: usize = 1;

/// Who this session is, and what it finds.
#[derive(Debug)]
struct Installation {
    version: i64,
    is_standby: bool,
    role: String,
    is_superuser: bool,
    bypasses: bool,
    may_make_roles: bool,
    may_make_schemas: bool,
    database: String,
    /// Roles past security that this one may become.
    strong: Option<String>,
    /// Tables of the schema that it owns itself.
    owns: Option<String>,
    roles: Vec<String>,
    member_of: Vec<String>,
    schema_owner: Option<String>,
    /// Names of what lies in the schema.
    objects: Vec<String>,
    /// Steps that were taken.
    taken: Vec<Taken>,
    /// The migrations that this program knows.
    known: &'static [Step],
}

/// A step that was taken.
#[derive(Debug)]
struct Taken {
    version: i64,
    checksum: Vec<u8>,
    finished: bool,
    /// What a program must know since.
    needs: i64,
}

fn refused(what: impl Into<String>) -> StoreError {
    StoreError::Database(what.into())
}

fn migrator(known: &'static [Step]) -> Migrator {
    let migrations = known.iter().zip(1_i64..).map(|(Step { name, sql, .. }, version)| {
        Migration::new(version, Cow::Borrowed(*name), MigrationType::Simple, sql.into_sql_str(), false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    migrator.set_locking(false);
    migrator.dangerous_set_table_name("spine.migration");
    migrator
}

/// A role's name as SQL takes it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn listed(names: Option<String>) -> Vec<String> {
    names.map(|names| names.split(',').map(str::to_owned).collect()).unwrap_or_default()
}

impl Installation {
    /// Looks, and changes nothing.
    async fn look(conn: &mut PgConnection, known: &'static [Step]) -> Result<Installation, StoreError> {
        let sql = "SELECT current_setting('server_version_num')::int8, pg_is_in_recovery(), current_user::text, \
               r.rolsuper, r.rolbypassrls, r.rolcreaterole, has_database_privilege(current_database(), 'CREATE'), \
               current_database()::text, \
               (SELECT string_agg(s.rolname, ', ') FROM pg_roles s WHERE (s.rolsuper OR s.rolbypassrls) \
                  AND s.oid <> r.oid AND pg_has_role(r.oid, s.oid, 'MEMBER')), \
               (SELECT string_agg(c.relname, ', ') FROM pg_class c WHERE c.relowner = r.oid \
                  AND c.relnamespace = n.oid AND c.relkind IN ('r', 'p')), \
               (SELECT string_agg(o.rolname, ',') FROM pg_roles o WHERE o.rolname = ANY($1)), \
               (SELECT string_agg(o.rolname, ',') FROM pg_roles o WHERE o.rolname = ANY($1) \
                  AND pg_has_role(r.oid, o.oid, 'MEMBER')), \
               pg_get_userbyid(n.nspowner)::text, \
               (SELECT string_agg(c.relname, ',' ORDER BY c.relname) FROM pg_class c \
                  WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')) \
             FROM pg_roles r LEFT JOIN pg_namespace n ON n.nspname = 'spine' WHERE r.rolname = current_user";
        let row = sqlx::query(sql)
            .persistent(false)
            .bind(ROLES.map(str::to_owned).to_vec())
            .fetch_one(&mut *conn)
            .await
            .map_err(|error| told(&error))?;
        let mut found = Installation {
            version: row.get(0),
            is_standby: row.get(1),
            role: row.get(2),
            is_superuser: row.get(3),
            bypasses: row.get(4),
            may_make_roles: row.get(5),
            may_make_schemas: row.get(6),
            database: row.get(7),
            strong: row.get(8),
            owns: row.get(9),
            roles: listed(row.get(10)),
            member_of: listed(row.get(11)),
            schema_owner: row.get(12),
            objects: listed(row.get(13)),
            taken: Vec::new(),
            known,
        };
        if found.has("migration") && found.lacks_no_role() {
            found.taken = taken(conn).await?;
        }
        Ok(found)
    }

    fn has(&self, object: &str) -> bool {
        self.objects.iter().any(|name| name == object)
    }

    /// Whether all roles are there, and this one may work as each.
    fn lacks_no_role(&self) -> bool {
        ROLES.iter().all(|role| self.member_of.iter().any(|name| name == role))
    }

    /// Whether it has every step that this program knows; a newer program may have taken more.
    fn is_newest(&self) -> bool {
        self.taken.len() >= self.known.len()
    }

    /// Refuses a server, or a session, on which nothing of ours is safe.
    fn check_session(&self) -> Result<(), StoreError> {
        let Installation { role, database, .. } = self;
        if self.version < VERSION_MIN {
            return Err(refused(format!(
                "this PostgreSQL has version {}; spine needs 14 or later",
                self.version / 10_000
            )));
        }
        if self.is_standby {
            return Err(refused("the database is a read-only standby; let the URL name the primary"));
        }
        let instead = format!(
            "let the URL name a role of its own, made by an administrator:\n  \
             CREATE ROLE spine_app LOGIN PASSWORD '…' CREATEROLE;\n  \
             GRANT CREATE ON DATABASE {} TO spine_app;",
            quoted(database)
        );
        if self.is_superuser || self.bypasses {
            let what = if self.is_superuser { "is a superuser" } else { "has BYPASSRLS" };
            return Err(refused(format!(
                "the role `{role}` {what}, so row-level security would not keep tenants apart; {instead}"
            )));
        }
        if let Some(strong) = &self.strong {
            return Err(refused(format!(
                "the role `{role}` may become `{strong}`, for whom row-level security has no effect; take that \
                 away (REVOKE {strong} FROM {}), or {instead}",
                quoted(role)
            )));
        }
        if let Some(owns) = &self.owns {
            return Err(refused(format!(
                "the role `{role}` owns tables of the schema `spine` ({owns}), so it could switch row-level \
                 security off; give them to spine_owner:\n  REASSIGN OWNED BY {} TO spine_owner;",
                quoted(role)
            )));
        }
        Ok(())
    }

    /// Refuses a schema that this program did not make, or not to its end, or not yet.
    fn check_schema(&self) -> Result<(), StoreError> {
        if self.objects.is_empty() {
            return Ok(());
        }
        let foreign = |what: &str| {
            refused(format!(
                "the schema `spine` of the database `{}` is not one of this program ({what}); choose another \
                 database, or give that schema another name (ALTER SCHEMA spine RENAME TO …)",
                self.database
            ))
        };
        if !self.has("migration") {
            return Err(foreign("it has tables and no book of migrations"));
        }
        if !self.lacks_no_role() {
            return Ok(());
        }
        let newest = self.known.len() as i64;
        let needs = self.taken.iter().map(|step| step.needs).max().unwrap_or_default();
        if needs > newest {
            let version = self.taken.iter().map(|step| step.version).max().unwrap_or_default();
            return Err(refused(format!(
                "the database was brought to step {version} by a newer spine, which asks of every program to \
                 know step {needs}, and this one knows steps up to {newest}; run that version or a later one"
            )));
        }
        if self.taken.is_empty() {
            return Err(foreign("its book of migrations is empty"));
        }
        for (expected, Taken { version, checksum, finished, .. }) in (1..).zip(&self.taken) {
            let known = migrator(self.known);
            let text = known.iter().find(|migration| migration.version == *version);
            if *version != expected || !finished {
                return Err(refused(format!(
                    "the schema is half-migrated (step {expected} was not finished, later ones were begun); \
                     restore the database from a backup"
                )));
            }
            if text.is_some_and(|text| *text.checksum != **checksum) {
                return Err(foreign(&format!("step {version} was taken with another text")));
            }
        }
        Ok(())
    }

    /// What an administrator can do where this role may not make something.
    fn may_not(&self, what: &str) -> StoreError {
        let role = &self.role;
        refused(format!(
            "the role `{role}` may not {what}; let an administrator run what `spine database grant --print \
             --to {role}` prints, connected to the database `{}`, or give the role what it takes:\n  \
             ALTER ROLE {} CREATEROLE;\n  GRANT CREATE ON DATABASE {} TO {};",
            self.database,
            quoted(role),
            quoted(&self.database),
            quoted(role)
        ))
    }

    /// The statements that make what is missing of roles and schema.
    fn missing(&self) -> Result<String, StoreError> {
        let mut sql = String::new();
        let missing: Vec<&str> =
            ROLES.into_iter().filter(|role| !self.roles.iter().any(|name| name == role)).collect();
        if !missing.is_empty() && !self.may_make_roles {
            return Err(self.may_not("make roles"));
        }
        for role in missing {
            sql.push_str(&make_role(role));
        }
        let strangers: Vec<&str> =
            ROLES.into_iter().filter(|role| !self.member_of.iter().any(|name| name == role)).collect();
        if !strangers.is_empty() {
            if !self.may_make_roles {
                return Err(self.may_not(&format!("work as {}", strangers.join(", "))));
            }
            let how = if self.version >= VERSION_GRANTS_SAY { " WITH INHERIT FALSE, SET TRUE" } else { "" };
            sql.push_str(&format!("GRANT {} TO {}{how};\n", strangers.join(", "), quoted(&self.role)));
        }
        match &self.schema_owner {
            None if !self.may_make_schemas => return Err(self.may_not("make a schema")),
            None => sql.push_str("CREATE SCHEMA IF NOT EXISTS spine AUTHORIZATION spine_owner;\n"),
            Some(owner) if owner == "spine_owner" => {}
            Some(owner) => {
                return Err(refused(format!(
                    "the schema `spine` belongs to `{owner}`; let an administrator give it to its role:\n  \
                     ALTER SCHEMA spine OWNER TO spine_owner;"
                )));
            }
        }
        Ok(sql)
    }
}

fn make_role(role: &str) -> String {
    // The roles are the whole server's: somebody may make them for another database at this moment.
    format!(
        "DO $do$ BEGIN CREATE ROLE {role} NOLOGIN; \
         EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $do$;\n"
    )
}

async fn taken(conn: &mut PgConnection) -> Result<Vec<Taken>, StoreError> {
    let mut tx = conn.begin().await.map_err(|error| told(&error))?;
    sqlx::raw_sql("SET LOCAL ROLE spine_engine").execute(&mut *tx).await.map_err(|error| told(&error))?;
    let rows = sqlx::query(
        // The first step says nothing of what it needs.
        "SELECT version, checksum, success, coalesce((to_jsonb(m) ->> 'needs')::int8, 1) \
         FROM spine.migration m ORDER BY version",
    )
    .persistent(false)
    .fetch_all(&mut *tx)
    .await
    // A book that is not ours, or not readable yet, has no entries.
    .unwrap_or_default();
    tx.rollback().await.map_err(|error| told(&error))?;
    let taken = rows.iter().map(|row| Taken {
        version: row.get(0),
        checksum: row.get(1),
        finished: row.get(2),
        needs: row.get(3),
    });
    Ok(taken.collect())
}

/// Brings roles and schema to what this program needs, or says why that cannot be.
pub(super) async fn prepare(connector: &Connector) -> Result<(), StoreError> {
    let mut conn = connector.connect().await?;
    let mut tries = 0;
    loop {
        tries += 1;
        let found = Installation::look(&mut conn, connector.known).await?;
        found.check_session()?;
        found.check_schema()?;
        if found.lacks_no_role() && found.is_newest() {
            break;
        }
        match install(&mut conn, connector.known).await {
            Ok(()) => {}
            Err(error @ StoreError::Database(_)) => return Err(error),
            // Another node did the same at once, or roles were granted in another database.
            Err(error) if tries == INSTALL_TRIES => return Err(error),
            Err(_) => conn = connector.connect().await?,
        }
    }
    verify(&mut conn).await?;
    let _ = conn.close().await;
    Ok(())
}

/// Refuses, as [`prepare`] does, and makes nothing.
pub(super) async fn require(connector: &Connector) -> Result<(), StoreError> {
    let mut conn = connector.connect().await?;
    let found = Installation::look(&mut conn, connector.known).await?;
    found.check_session()?;
    found.check_schema()?;
    if !found.lacks_no_role() || found.taken.len() < READS_FROM {
        return Err(refused("there is no schema yet; run `spine migrate`, or start the server once"));
    }
    verify(&mut conn).await?;
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
    run(&mut tx, "SET LOCAL ROLE spine_owner;SET LOCAL search_path=spine,pg_temp".into()).await?;
    match migrator(known).run_direct(None, &mut *tx, false).await {
        Ok(()) => {
            write_needs(&mut tx, known).await?;
            tx.commit().await.map_err(|error| told(&error))
        }
        Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => Err(told(&error)),
        Err(error) => Err(refused(format!("the schema cannot be brought up to date: {error}"))),
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
async fn verify(conn: &mut PgConnection) -> Result<(), StoreError> {
    let sql = "SELECT \
           (SELECT string_agg(t, ', ') FROM unnest($1::text[]) AS t \
              WHERE to_regclass('spine.' || quote_ident(t)) IS NULL), \
           (SELECT string_agg(c.relname, ', ') FROM pg_class c WHERE c.relnamespace = n.oid \
              AND c.relkind IN ('r', 'p') AND NOT (c.relrowsecurity AND c.relforcerowsecurity)), \
           (SELECT string_agg(c.relname, ', ') FROM pg_class c WHERE c.relnamespace = n.oid \
              AND c.relkind IN ('r', 'p') AND c.relowner <> (SELECT oid FROM pg_roles WHERE rolname = 'spine_owner')), \
           (SELECT string_agg(r.rolname, ', ') FROM pg_roles r WHERE r.rolname = ANY($2) \
              AND (r.rolsuper OR r.rolbypassrls)), \
           (SELECT string_agg(r.rolname || ' on ' || c.relname, ', ') FROM pg_class c, pg_roles r \
              WHERE c.relnamespace = n.oid AND c.relname IN ('journal', 'audit', 'registry_audit') \
              AND r.rolname IN ('spine_engine', 'spine_api') \
              AND has_table_privilege(r.oid, c.oid, 'UPDATE, DELETE, TRUNCATE')) \
         FROM pg_namespace n WHERE n.nspname = 'spine'";
    let row = sqlx::query(sql)
        .persistent(false)
        .bind(TABLES.map(str::to_owned).to_vec())
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
    let found = Installation::look(&mut conn, connector.known).await?;
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

/// What an administrator runs for a login role that may not make roles and schemas itself.
#[must_use]
pub fn grant_sql(login: &str) -> String {
    let mut sql = "-- Run by an administrator, connected to the database of spine.\n".to_owned();
    for role in ROLES {
        sql.push_str(&make_role(role));
    }
    sql.push_str(&format!("GRANT {} TO {};\n", ROLES.join(", "), quoted(login)));
    sql.push_str("CREATE SCHEMA IF NOT EXISTS spine AUTHORIZATION spine_owner;\n");
    sql
}

/// Runs [`grant_sql`] as the administrator that the URL names.
///
/// # Errors
/// Where the administrator may not, or there is no such login role.
pub async fn grant(admin_url: &str, login: &str) -> Result<(), StoreError> {
    let mut conn = Connector::of(admin_url, false)?.connect().await?;
    let sql = grant_sql(login);
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.map_err(|error| told(&error))?;
    let _ = conn.close().await;
    Ok(())
}
