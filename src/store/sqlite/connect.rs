//! Connections, and what is set on them.

use std::path::Path;

use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};

use super::error::open_error;
use super::migrate::{self, Schema};
use crate::store::StoreError;

/// The cache of a writer in KiB. It fills with what is written, and is given back when idle.
const WRITER_CACHE_KIB: u32 = 64 * 1024;
/// The cache of a reader in KiB.
const READER_CACHE_KIB: u32 = 512;
/// How many prepared statements a writer keeps.
const WRITER_STATEMENTS_MAX: usize = 160;

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).disable_statement_logging()
}

/// Explicit: with anything less than `FULL` a power cut loses commits that were answered. The test
/// that shows this asks for less.
fn synchronous() -> SqliteSynchronous {
    #[cfg(feature = "crash-points")]
    if crate::crash::setting("SPINE_TEST_SYNCHRONOUS").as_deref() == Some("normal") {
        return SqliteSynchronous::Normal;
    }
    SqliteSynchronous::Full
}

/// Options of a connection that writes.
fn writing(path: &Path) -> SqliteConnectOptions {
    options(path)
        .create_if_missing(true)
        .page_size(4096)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous())
        // The rows name each other by position and are written in one order; a check of each would
        // read what was just written.
        .foreign_keys(false)
        .statement_cache_capacity(WRITER_STATEMENTS_MAX)
        .pragma("cache_size", format!("-{WRITER_CACHE_KIB}"))
        // A checkpoint is asked for, never made in passing: SQLite tells nobody that one failed.
        .pragma("wal_autocheckpoint", "0")
        // What is deleted is overwritten where that costs no further page.
        .pragma("secure_delete", "FAST")
}

/// Options of a connection that only reads.
pub(super) fn reading(path: &Path) -> SqliteConnectOptions {
    options(path).read_only(true).pragma("cache_size", format!("-{READER_CACHE_KIB}"))
}

/// Opens a file for writing, makes it if it is not there, and brings it to the newest schema.
pub(super) async fn open_writer(path: &Path, schema: &Schema) -> Result<SqliteConnection, StoreError> {
    refuse_foreign(path)?;
    let mut conn = writing(path).connect().await.map_err(|error| open_error(&error, path))?;
    migrate::run(&mut conn, path, schema).await?;
    Ok(conn)
}

/// Opens a file of the newest schema for writing beside a server; one of an older schema is the server's
/// to bring on.
pub(super) async fn open_newest(path: &Path, schema: &Schema) -> Result<SqliteConnection, StoreError> {
    refuse_foreign(path)?;
    let mut conn =
        writing(path).create_if_missing(false).connect().await.map_err(|error| open_error(&error, path))?;
    migrate::require(&mut conn, path, schema, schema.newest()).await?;
    Ok(conn)
}

/// Opens a file for reading alone, also one that has yet to be migrated.
pub(super) async fn open_reader(path: &Path, schema: &Schema) -> Result<SqliteConnection, StoreError> {
    refuse_foreign(path)?;
    let mut conn = reading(path).connect().await.map_err(|error| open_error(&error, path))?;
    migrate::require(&mut conn, path, schema, schema.reads_from).await?;
    Ok(conn)
}

/// The number of the newest migration in a file; changes nothing.
pub(super) async fn version(path: &Path, schema: &Schema) -> Result<i64, StoreError> {
    refuse_foreign(path)?;
    let mut conn = reading(path).connect().await.map_err(|error| open_error(&error, path))?;
    migrate::current(&mut conn, path, schema).await
}

/// Opens a file for the checkpoints beside the writer.
pub(super) async fn open_checkpointer(path: &Path) -> Result<SqliteConnection, StoreError> {
    options(path)
        .synchronous(synchronous())
        .pragma("wal_autocheckpoint", "0")
        .pragma("cache_size", format!("-{READER_CACHE_KIB}"))
        .connect()
        .await
        .map_err(|error| open_error(&error, path))
}

/// Refuses a file that is no SQLite database before SQLite is asked to change anything in it.
fn refuse_foreign(path: &Path) -> Result<(), StoreError> {
    use std::io::Read as _;
    let mut head = [0; 16];
    match std::fs::File::open(path).and_then(|mut file| file.read(&mut head)) {
        Ok(0) => Ok(()),
        Ok(_) if head == *b"SQLite format 3\0" => Ok(()),
        Ok(_) => Err(StoreError::Foreign {
            path: path.to_owned(),
            detail: "the file is not a SQLite database".into(),
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(super::error::file_error("opening a database", &error, path)),
    }
}
