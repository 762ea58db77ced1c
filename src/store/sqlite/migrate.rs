//! Migrations: numbered texts, run at the opening of a file in one transaction.
//!
//! The number of the newest one that was run stands in `user_version`, and `application_id` says
//! that the file is ours, so that a stranger's database is not changed.

use std::path::Path;

use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Row as _};

use super::error::open_error;
use crate::store::StoreError;

/// The migrations of a kind of file.
pub(super) struct Schema {
    /// What the file says of itself.
    application_id: i64,
    /// The texts; the first has number 1.
    migrations: &'static [&'static str],
}

/// The registry: `SPNR`.
pub(super) static REGISTRY: Schema = Schema {
    application_id: 0x5350_4e52,
    migrations: &[include_str!("../../../migrations/sqlite/registry/0001_begin.sql")],
};

/// The rows of a scope: `SPNS`.
pub(super) static SCOPE: Schema = Schema {
    application_id: 0x5350_4e53,
    migrations: &[include_str!("../../../migrations/sqlite/scope/0001_begin.sql")],
};

/// Brings the file to the newest schema.
pub(super) async fn run(conn: &mut SqliteConnection, path: &Path, schema: &Schema) -> Result<(), StoreError> {
    let failed = |error: sqlx::Error| open_error(&error, path);
    // Looked at first without a lock: as a rule there is nothing to do.
    if current(conn, path, schema).await? == schema.newest() {
        return Ok(());
    }
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *conn).await.map_err(failed)?;
    let done = migrate(conn, path, schema).await;
    let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
    sqlx::query(end).execute(&mut *conn).await.map_err(failed)?;
    done
}

/// Refuses a file of any other schema: one who only reads brings it to none.
pub(super) async fn require_newest(
    conn: &mut SqliteConnection,
    path: &Path,
    schema: &Schema,
) -> Result<(), StoreError> {
    if current(conn, path, schema).await? == schema.newest() {
        return Ok(());
    }
    Err(StoreError::Io {
        what: "reading a file of the store",
        detail: format!("{} has an older schema; start the server once, which renews it", path.display()),
    })
}

async fn migrate(conn: &mut SqliteConnection, path: &Path, schema: &Schema) -> Result<(), StoreError> {
    let failed = |error: sqlx::Error| open_error(&error, path);
    let from = current(conn, path, schema).await?;
    for text in schema.migrations.iter().skip(from as usize) {
        sqlx::raw_sql(*text).execute(&mut *conn).await.map_err(failed)?;
    }
    let marks = format!(
        "PRAGMA application_id = {}; PRAGMA user_version = {}",
        schema.application_id,
        schema.newest()
    );
    sqlx::raw_sql(AssertSqlSafe(marks)).execute(&mut *conn).await.map_err(failed)?;
    Ok(())
}

/// The number of the newest migration in the file, 0 for an empty one.
async fn current(conn: &mut SqliteConnection, path: &Path, schema: &Schema) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "SELECT (SELECT application_id FROM pragma_application_id), \
                (SELECT user_version FROM pragma_user_version), \
                (SELECT count(*) FROM sqlite_schema)",
    )
    .fetch_one(conn)
    .await
    .map_err(|error| open_error(&error, path))?;
    let (application, version, objects): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
    if application != schema.application_id && objects > 0 {
        return Err(StoreError::Foreign {
            path: path.to_owned(),
            detail: "it is the database of another program".into(),
        });
    }
    if application == schema.application_id && version > schema.newest() {
        return Err(StoreError::NewerSchema {
            path: path.to_owned(),
            found: version,
            known: schema.newest(),
        });
    }
    Ok(if objects == 0 { 0 } else { version })
}

impl Schema {
    const fn newest(&self) -> i64 {
        self.migrations.len() as i64
    }
}
