//! Migrations: numbered texts, run at the opening of a file in one transaction.
//!
//! The number of the newest one that was run stands in `user_version`, and `application_id` says
//! that the file is ours, so that a stranger's database is not changed. Each migration says which
//! programs can still work on the file after it: a migration that only adds leaves older programs
//! their way, and one that takes something away says from which number on they must know it.

use std::path::Path;

use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Row as _};

use super::error::open_error;
use crate::store::StoreError;

/// One migration.
pub(super) struct Migration {
    /// What is run.
    pub(super) text: &'static str,
    /// The number of the migration that a program must know to work on the file from now on.
    pub(super) needs: i64,
}

/// The migrations of a kind of file.
pub(super) struct Schema {
    /// What the file says of itself.
    pub(super) application_id: i64,
    /// The first has number 1.
    pub(super) migrations: &'static [Migration],
    /// The oldest schema that can be read beside a program which has yet to migrate the file.
    pub(super) reads_from: i64,
}

/// The registry: `SPNR`.
pub(super) static REGISTRY: Schema = Schema {
    application_id: 0x5350_4e52,
    migrations: &[
        Migration { text: include_str!("../../../migrations/sqlite/registry/0001_begin.sql"), needs: 1 },
        Migration { text: include_str!("../../../migrations/sqlite/registry/0002_schema.sql"), needs: 1 },
    ],
    reads_from: 1,
};

/// The rows of a scope: `SPNS`.
pub(super) static SCOPE: Schema = Schema {
    application_id: 0x5350_4e53,
    migrations: &[
        Migration { text: include_str!("../../../migrations/sqlite/scope/0001_begin.sql"), needs: 1 },
        // A program that knows nothing of dropped rows would give their positions again.
        Migration { text: include_str!("../../../migrations/sqlite/scope/0002_retention.sql"), needs: 2 },
        Migration { text: include_str!("../../../migrations/sqlite/scope/0003_unsettled.sql"), needs: 2 },
    ],
    reads_from: 1,
};

/// Brings the file to the newest schema, or leaves it where a newer program has been and left this one
/// its way.
pub(super) async fn run(conn: &mut SqliteConnection, path: &Path, schema: &Schema) -> Result<(), StoreError> {
    let failed = |error: sqlx::Error| open_error(&error, path);
    // Looked at first without a lock: as a rule there is nothing to do.
    if current(conn, path, schema).await? >= schema.newest() {
        return Ok(());
    }
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *conn).await.map_err(failed)?;
    let done = migrate(conn, path, schema).await;
    let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
    sqlx::query(end).execute(&mut *conn).await.map_err(failed)?;
    done
}

/// Refuses a file of an older schema than this one: who works beside a server brings it to none.
pub(super) async fn require(
    conn: &mut SqliteConnection,
    path: &Path,
    schema: &Schema,
    oldest: i64,
) -> Result<(), StoreError> {
    if current(conn, path, schema).await? >= oldest {
        return Ok(());
    }
    Err(StoreError::Io {
        what: "opening a file of the store",
        detail: format!("{} has an older schema; start the server once, which renews it", path.display()),
    })
}

/// Whether the schema of a file has a table, or whether it is older.
pub(super) async fn has_table(conn: &mut SqliteConnection, name: &str) -> Result<bool, sqlx::Error> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = $1";
    Ok(sqlx::query(sql).bind(name).fetch_one(conn).await?.get::<i64, _>(0) > 0)
}

async fn migrate(conn: &mut SqliteConnection, path: &Path, schema: &Schema) -> Result<(), StoreError> {
    let failed = |error: sqlx::Error| open_error(&error, path);
    let from = current(conn, path, schema).await?;
    for migration in schema.migrations.iter().skip(from as usize) {
        sqlx::raw_sql(migration.text).execute(&mut *conn).await.map_err(failed)?;
    }
    let marks = format!(
        "PRAGMA application_id = {}; PRAGMA user_version = {}",
        schema.application_id,
        schema.newest()
    );
    sqlx::raw_sql(AssertSqlSafe(marks)).execute(&mut *conn).await.map_err(failed)?;
    if has_table(conn, "schema").await.map_err(failed)? {
        sqlx::query(
            "INSERT INTO schema(one, needs) VALUES (1, $1) ON CONFLICT (one) DO UPDATE SET needs = excluded.needs",
        )
        .bind(schema.needs())
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
    }
    Ok(())
}

/// The number of the newest migration in the file, 0 for an empty one.
pub(super) async fn current(
    conn: &mut SqliteConnection,
    path: &Path,
    schema: &Schema,
) -> Result<i64, StoreError> {
    let failed = |error: sqlx::Error| open_error(&error, path);
    let row = sqlx::query(
        "SELECT (SELECT application_id FROM pragma_application_id), \
                (SELECT user_version FROM pragma_user_version), \
                (SELECT count(*) FROM sqlite_schema)",
    )
    .fetch_one(&mut *conn)
    .await
    .map_err(failed)?;
    let (application, version, objects): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
    if application != schema.application_id && objects > 0 {
        return Err(StoreError::Foreign {
            path: path.to_owned(),
            detail: "it is the database of another program".into(),
        });
    }
    if application == schema.application_id && version > schema.newest() {
        let refused =
            || StoreError::NewerSchema { path: path.to_owned(), found: version, known: schema.newest() };
        if !has_table(conn, "schema").await.map_err(failed)? {
            return Err(refused());
        }
        let needs = sqlx::query("SELECT needs FROM schema").fetch_optional(conn).await.map_err(failed)?;
        if needs.is_none_or(|row| row.get::<i64, _>(0) > schema.newest()) {
            return Err(refused());
        }
    }
    Ok(if objects == 0 { 0 } else { version })
}

impl Schema {
    /// The number of the newest migration.
    pub(super) const fn newest(&self) -> i64 {
        self.migrations.len() as i64
    }

    /// What a program must know to work on the newest schema.
    fn needs(&self) -> i64 {
        self.migrations.iter().map(|migration| migration.needs).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use sqlx::{Connection as _, Row as _};
    use tempfile::TempDir;

    use super::super::connect::open_writer;
    use super::super::scope::SqliteScope;
    use super::*;
    use crate::model::ScopeId;
    use crate::store::conformance::{at, begins, kept};
    use crate::store::open::Opened as _;
    use crate::store::{Change, Old, PrunedAudit, ScopeRows as _};

    /// The schema as a program knew it that had the first migrations alone.
    fn as_of(schema: &Schema, known: i64) -> Schema {
        Schema { migrations: &schema.migrations[..known as usize], ..*schema }
    }

    fn file(folder: &TempDir) -> PathBuf {
        folder.path().join("1.db")
    }

    /// A file as such a program left it, with some rows of each kind that a later one relies on.
    async fn left_by(known: i64, path: &Path) {
        let mut conn = open_writer(path, &as_of(&SCOPE, known)).await.unwrap();
        for sql in [
            "INSERT INTO meta(one, scope) VALUES (1, 1)",
            "INSERT INTO message(n, id, created_at, priority, channels) VALUES (1, randomblob(16), 1, 0, 1)",
            "INSERT INTO content(n, doc, first_body) VALUES (1, x'00', x'00')",
            "INSERT INTO ended(n, status, at, version, state) VALUES (1, 2, 5, 1, x'00')",
            "INSERT INTO journal(n, message, seq, count, at, body, hash) VALUES (1, 1, 1, 1, 5, x'00', randomblob(32))",
            "INSERT INTO event(n, id, kind, at, message, sequence, data) VALUES (1, randomblob(16), 'x', 5, 1, 1, x'00')",
            "INSERT INTO audit(n, id, at, who, what, canonical, hash) VALUES (1, randomblob(16), 5, 'cli', 'x', x'00', randomblob(32))",
            "INSERT INTO idempotency(n, key, request, status, form, at) VALUES (1, x'01010101010101010101010101010101', zeroblob(32), 204, 0, 5)",
        ] {
            sqlx::query(sql).execute(&mut conn).await.unwrap();
        }
        conn.close().await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_file_of_each_schema_is_read_as_it_is_and_brought_on_with_its_rows() {
        for known in SCOPE.reads_from..=SCOPE.newest() {
            let folder = TempDir::new().unwrap();
            left_by(known, &file(&folder)).await;
            // Beside the older program, which has yet to be replaced.
            let beside = SqliteScope::open_beside(&file(&folder)).await.unwrap();
            assert_eq!(beside.audit_after(0, 10).await.unwrap().len(), 1, "schema {known}");
            assert_eq!(beside.pruned().await.unwrap(), PrunedAudit::default());
            assert!(beside.dropped_with_journal(0, 10).await.unwrap().is_empty());
            assert!(beside.idempotency(kept(1, 1).key).await.unwrap().is_some());
            beside.close().await.unwrap();
            let mut conn = open_writer(&file(&folder), &as_of(&SCOPE, known)).await.unwrap();
            let version: i64 = sqlx::query("SELECT user_version FROM pragma_user_version")
                .fetch_one(&mut conn)
                .await
                .unwrap()
                .get(0);
            assert_eq!(version, known, "one who only reads has changed the schema");
            conn.close().await.unwrap();

            let scope = SqliteScope::open(&file(&folder), ScopeId(1)).await.unwrap();
            let again = scope.commit(Change::keeping(kept(1, 2))).await.unwrap();
            assert!(again.applied().is_none(), "schema {known}: a key was forgotten");
            let applied = scope.commit(begins(1)).await.unwrap().applied().unwrap().clone();
            assert_eq!((applied.messages.as_slice(), applied.first_event), ([2].as_slice(), 2));
            let old = Old::Messages {
                ended_before: at(0),
                minted_before: crate::model::Instant::from_ms(i64::MAX),
            };
            scope.drop_old(old, 10).await.unwrap();
            scope.close().await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_program_works_on_a_newer_schema_where_that_needs_no_more_than_it_knows() {
        for schema in [&SCOPE, &REGISTRY] {
            for known in 1..=schema.newest() {
                let folder = TempDir::new().unwrap();
                open_writer(&file(&folder), schema).await.unwrap().close().await.unwrap();
                let needs = schema.migrations.iter().map(|migration| migration.needs).max().unwrap();
                let opened = open_writer(&file(&folder), &as_of(schema, known)).await;
                assert_eq!(opened.is_ok(), known >= needs, "one that knows {known}");
            }
        }
    }

    #[test]
    fn the_page_about_upgrades_has_each_migration_with_what_it_needs() {
        let page = include_str!("../../../docs/upgrades.md");
        for (name, schema) in [("scope", &SCOPE), ("registry", &REGISTRY)] {
            let rows = page.lines().filter_map(|line| line.strip_prefix(&format!("| embedded, {name} | ")));
            let told: Vec<String> = rows.map(str::to_owned).collect();
            assert_eq!(told.len(), schema.migrations.len(), "{told:?}");
            for ((row, migration), n) in told.iter().zip(schema.migrations).zip(1..) {
                let is_told = row.starts_with(&format!("{n} | "))
                    && row.ends_with(&format!(" | {} |", migration.needs));
                assert!(is_told, "{row}");
            }
        }
    }

    static EXPANDED: &[Migration] = &[
        Migration { text: include_str!("../../../migrations/sqlite/registry/0001_begin.sql"), needs: 1 },
        Migration { text: include_str!("../../../migrations/sqlite/registry/0002_schema.sql"), needs: 1 },
        Migration { text: "ALTER TABLE tenant ADD COLUMN colour TEXT", needs: 1 },
    ];
    static CONTRACTED: &[Migration] = &[
        Migration { text: include_str!("../../../migrations/sqlite/registry/0001_begin.sql"), needs: 1 },
        Migration { text: include_str!("../../../migrations/sqlite/registry/0002_schema.sql"), needs: 1 },
        Migration { text: "ALTER TABLE tenant ADD COLUMN colour TEXT", needs: 1 },
        Migration { text: "ALTER TABLE scope DROP COLUMN wake_at", needs: 3 },
    ];

    #[tokio::test]
    async fn an_expanded_schema_is_gone_on_with_and_a_contracted_one_is_refused() {
        let folder = TempDir::new().unwrap();
        let with = |migrations| Schema { migrations, ..REGISTRY };
        open_writer(&file(&folder), &REGISTRY).await.unwrap().close().await.unwrap();
        open_writer(&file(&folder), &with(EXPANDED)).await.unwrap().close().await.unwrap();
        // The older program goes on, also after a restart, and takes nothing back.
        for _ in 0..2 {
            let mut conn = open_writer(&file(&folder), &REGISTRY).await.unwrap();
            sqlx::query("UPDATE state SET clean = 1").execute(&mut conn).await.unwrap();
            conn.close().await.unwrap();
        }
        open_writer(&file(&folder), &with(CONTRACTED)).await.unwrap().close().await.unwrap();
        let Err(error) = open_writer(&file(&folder), &REGISTRY).await else { panic!("was opened") };
        assert!(matches!(error, StoreError::NewerSchema { found: 4, known: 2, .. }), "{error}");
        // One that knows the third migration and not the fourth goes on.
        open_writer(&file(&folder), &with(EXPANDED)).await.unwrap().close().await.unwrap();
    }
}
