//! What SQLite says, in the store's words.

use std::path::Path;

use crate::store::StoreError;

/// Why a batch, or a part of it, was not written.
#[derive(Debug)]
pub(super) enum Fault {
    /// One of its changes met a row that was not as expected. The others may be fine.
    Conflict(&'static str),
    /// The database or the disk.
    Store(StoreError),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Fault {
        Fault::Store(error)
    }
}

/// SQLite's primary result codes that mean something of their own here.
mod code {
    pub(super) const PERM: i32 = 3;
    pub(super) const BUSY: i32 = 5;
    pub(super) const LOCKED: i32 = 6;
    pub(super) const READONLY: i32 = 8;
    pub(super) const IOERR: i32 = 10;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CANTOPEN: i32 = 14;
    pub(super) const CONSTRAINT: i32 = 19;
    pub(super) const NOTADB: i32 = 26;
    /// The file of shared memory cannot grow, for want of room. An extended code.
    pub(super) const IOERR_SHMSIZE: i32 = 10 | (19 << 8);
}

fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let extended: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(if extended == code::IOERR_SHMSIZE { code::FULL } else { extended & 0xff })
}

/// A failed statement of a batch; a broken constraint is a conflict about `what`.
pub(super) fn fault(error: &sqlx::Error, what: &'static str) -> Fault {
    if primary_code(error) == Some(code::CONSTRAINT) {
        Fault::Conflict(what)
    } else {
        Fault::Store(write_error(error))
    }
}

/// A failed write. What the disk refuses is final: whether the bytes are there is unknown.
pub(super) fn write_error(error: &sqlx::Error) -> StoreError {
    match primary_code(error) {
        Some(code::FULL) => StoreError::Full,
        // Another program holds the file's lock, for longer than the connection waits.
        Some(code::BUSY | code::LOCKED) => StoreError::Overloaded,
        Some(code::IOERR | code::CORRUPT | code::NOTADB | code::READONLY | code::PERM | code::CANTOPEN) => {
            StoreError::Failed { detail: error.to_string() }
        }
        Some(_) => StoreError::Io { what: "writing", detail: error.to_string() },
        // The connection's thread is gone, or worse.
        None => StoreError::Failed { detail: error.to_string() },
    }
}

/// A failed read.
pub(super) fn read_error(error: &sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::PoolClosed => StoreError::Closing,
        _ => StoreError::Io { what: "reading", detail: error.to_string() },
    }
}

/// A file that does not open.
pub(super) fn open_error(error: &sqlx::Error, path: &Path) -> StoreError {
    let path = path.to_owned();
    match primary_code(error) {
        Some(code::READONLY | code::PERM | code::CANTOPEN) => StoreError::ReadOnly { path },
        Some(code::NOTADB) => {
            StoreError::Foreign { path, detail: "the file is not a SQLite database".into() }
        }
        Some(code::CORRUPT) => StoreError::Corrupt { path, detail: error.to_string() },
        Some(code::FULL) => StoreError::Full,
        _ => StoreError::Io { what: "opening a database", detail: format!("{}: {error}", path.display()) },
    }
}

/// A failed operation on a file or folder.
pub(super) fn file_error(what: &'static str, error: &std::io::Error, path: &Path) -> StoreError {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            StoreError::ReadOnly { path: path.to_owned() }
        }
        ErrorKind::StorageFull => StoreError::Full,
        _ => StoreError::Io { what, detail: format!("{}: {error}", path.display()) },
    }
}
