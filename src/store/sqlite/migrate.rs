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
