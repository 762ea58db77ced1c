//! What PostgreSQL says, in the store's words.

use crate::store::StoreError;

/// Why a statement did not do what it was for.
#[derive(Debug)]
pub(super) enum Fault {
    /// A row was not as expected; of what, in our own words.
    Conflict(&'static str),
    /// Another transaction was in the way: the same once more.
    Again(StoreError),
    /// The connection is gone, or no good: the same once more on another one.
    Lost(StoreError),
    /// It cannot be done.
    Store(StoreError),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Fault {
        Fault::Store(error)
    }
}

impl Fault {
    /// As the caller is told it.
    pub(super) fn told(self) -> StoreError {
        match self {
            Fault::Conflict(what) => StoreError::Conflict { what },
            Fault::Again(error) | Fault::Lost(error) | Fault::Store(error) => error,
        }
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(std::borrow::Cow::into_owned)
}

fn unavailable(detail: impl Into<String>) -> StoreError {
    StoreError::Unavailable { detail: detail.into() }
}

/// A failed statement; a broken constraint is a conflict about `what`.
///
/// The server's words about a row hold the row ("Key (name)=(…) exists"), and are left out.
pub(super) fn fault(error: &sqlx::Error, what: &'static str) -> Fault {
    let words = || error.as_database_error().map_or_else(|| error.to_string(), |e| e.message().to_owned());
    let Some(code) = code(error) else {
        return match error {
            sqlx::Error::PoolClosed => Fault::Store(StoreError::Closing),
            sqlx::Error::PoolTimedOut => {
                Fault::Store(unavailable("no connection within the time that a request can wait"))
            }
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::Encode(_) => {
                Fault::Store(StoreError::Io { what: "asking the database", detail: error.to_string() })
            }
            _ => Fault::Lost(unavailable(error.to_string())),
        };
    };
    match code.as_str() {
        // A unique index, a check.
        "23505" | "23514" | "23502" => Fault::Conflict(what),
        "40001" | "40P01" => Fault::Again(StoreError::Overloaded),
        // Waited for a lock, or worked, for longer than it may.
        "55P03" | "57014" => Fault::Again(StoreError::Overloaded),
        "53100" => Fault::Store(StoreError::Full),
        "53200" | "53300" | "53400" => Fault::Lost(unavailable(words())),
        "25006" => Fault::Lost(unavailable(
            "it is a read-only standby; let the URL name the primary, or both with \
             `target_session_attrs` at the pooler",
        )),
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25P04" => Fault::Lost(unavailable(words())),
        "28000" | "28P01" => {
            Fault::Lost(unavailable(format!("{}; check user and password in the URL", words())))
        }
        "3D000" => Fault::Lost(unavailable(format!("{}; make it, or name another in the URL", words()))),
        "42501" => Fault::Store(StoreError::Io {
            what: "asking the database",
            detail: format!("{}; `spine database grant --print` shows what the role needs", words()),
        }),
        "42P01" | "3F000" | "42703" | "42883" => Fault::Store(StoreError::Io {
            what: "asking the database",
            detail: format!(
                "{}; the schema is not the one of this program, `spine migrate --plan` tells",
                words()
            ),
        }),
        code if code.starts_with("08") => Fault::Lost(unavailable(words())),
        _ => Fault::Store(StoreError::Io {
            what: "asking the database",
            detail: format!("{} ({code})", words()),
        }),
    }
}

/// A failed read.
pub(super) fn told(error: &sqlx::Error) -> StoreError {
    fault(error, "a row").told()
}
