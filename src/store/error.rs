//! What can go wrong between the program and its rows.

use std::path::PathBuf;

/// A failure of the store. [`StoreError::is_retryable`] tells whether the same call may succeed
/// later without anything being repaired.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// A row was not as the change expected it: another change came first, or a name is taken.
    /// Nothing of the change was written. Read again and decide again.
    #[error("another change came first to {what}")]
    Conflict {
        /// The table, or the object, in our own words.
        what: &'static str,
    },
    /// The disk is full. Nothing of the change was written; it may be tried again.
    #[error("the disk is full; make room, and the server goes on by itself")]
    Full,
    /// What this change was decided on has changed meanwhile: settings, people, a place in a quota,
    /// by another node. Nothing of the change was written. Read again and decide again.
    #[error("another node changed {what} meanwhile")]
    Stale {
        /// What was changed, in our own words.
        what: &'static str,
    },
    /// This node's lease has ended, and others took over what it had in hand. Nothing of the change
    /// was written, and nothing more is written by this run of the program.
    #[error("this node's lease has ended and others go on with its work; start it anew")]
    Fenced,
    /// The database cannot be reached, or refuses. Nothing of the change was written; it may be
    /// tried again.
    #[error("the database cannot be reached: {detail}")]
    Unavailable {
        /// The words of the database or the network; they hold no row.
        detail: String,
    },
    /// The database is not set up as it must be, or the program may not do there what it must. The
    /// words say what to do.
    #[error("{0}")]
    Database(String),
    /// The queue of the scope is full: more comes in than the disk takes.
    #[error("the store is overloaded; try again later")]
    Overloaded,
    /// The store is shutting down, or the scope was closed under the caller.
    #[error("the store is closing")]
    Closing,
    /// A commit could not be made durable. What was written is unknown, so the store takes no
    /// further change until the program is started again.
    #[error("a commit failed and the store takes no more changes; check the disk, then restart: {detail}")]
    Failed {
        /// The database's own words; they hold no row.
        detail: String,
    },
    /// The folder or a file in it cannot be written.
    #[error("{} cannot be written; give this user the permission to, or choose another folder with --data", path.display())]
    ReadOnly {
        /// The file or folder.
        path: PathBuf,
    },
    /// The file is damaged.
    #[error("{} is damaged ({detail}); restore it from a backup", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The database's own words; they hold no row.
        detail: String,
    },
    /// The folder is held by another process.
    #[error("{} is in use by {holder}; stop that process first, or choose another folder with --data", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
        /// Who holds it, as that process wrote it into the lock file.
        holder: String,
    },
    /// The folder or file holds something that is not ours.
    #[error("{} is not a data folder of spine ({detail}); choose an empty folder with --data", path.display())]
    Foreign {
        /// The folder or file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// A newer program wrote the file.
    #[error("{} was written by a newer spine (schema {found}, this one knows {known}); run that version or a later one", path.display())]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// The number of its newest migration.
        found: i64,
        /// The number of the newest migration known here.
        known: i64,
    },
    /// The operator's key is malformed, missing, or not the one that sealed what is there.
    #[error("{0}")]
    MasterKey(String),
    /// Sealed bytes do not open: they were changed, or moved to another row, or their key is not
    /// the one that sealed them.
    #[error("sealed bytes do not open: they were changed, or belong to another row")]
    Sealed,
    /// There is no such scope.
    #[error("there is no scope {0}")]
    NoScope(i64),
    /// Anything else that the operating system or the database says.
    #[error("{what} failed: {detail}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// The words of the system; they hold no row.
        detail: String,
    },
}

impl StoreError {
    /// Whether the same call may succeed later without a repair.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(
            self,
            StoreError::Full
                | StoreError::Overloaded
                | StoreError::Conflict { .. }
                | StoreError::Stale { .. }
                | StoreError::Unavailable { .. }
        )
    }
}
