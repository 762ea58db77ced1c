//! Checkpoints beside the writer.
//!
//! Writing the log back into the file takes as long as some batches. So a connection of its own
//! does it, on a thread of its own, while the writer goes on; what the writer adds meanwhile is
//! little, and the writer writes that back itself, so that the log begins again at its start.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::Connection as _;
use tokio::sync::Mutex;

use super::connect::open_checkpointer;
use super::desk::Desk;
use super::error::write_error;
use super::shared::Shared;
use super::wal_index::WalIndex;
use crate::store::StoreError;

/// From how many pages on the log is written back.
const LOG_PAGES: u32 = 10_000;

/// The same, where no test wants checkpoints more often.
fn log_pages() -> u32 {
    #[cfg(feature = "crash-points")]
    if let Some(pages) = crate::crash::setting("SPINE_TEST_LOG_PAGES").and_then(|text| text.parse().ok()) {
        return pages;
    }
    LOG_PAGES
}

/// From how many on the writer does so itself, and lets its callers wait: where the checkpointer
/// cannot, since somebody reads for long.
const LOG_PAGES_MAX: u32 = 20_000;

/// Writes the log back as far as nobody stands in the way.
pub(super) const CHECKPOINT: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// The checkpoints of one file.
#[derive(Clone)]
pub(super) struct Checkpoints(Arc<Inner>);

struct Inner {
    path: PathBuf,
    shared: Arc<Shared>,
    index: WalIndex,
    /// The connection, opened when it is first needed. Locked while it works.
    conn: Mutex<Option<sqlx::SqliteConnection>>,
    /// One runs.
    running: AtomicBool,
    /// One has run, and the writer has to write back the rest.
    rest: AtomicBool,
}

impl Checkpoints {
    pub(super) fn new(path: &Path, shared: Arc<Shared>) -> Checkpoints {
        Checkpoints(Arc::new(Inner {
            path: path.to_owned(),
            shared,
            index: WalIndex::of(path),
            conn: Mutex::default(),
            running: AtomicBool::new(false),
            rest: AtomicBool::new(false),
        }))
    }

    /// Looked in at between two batches: begins a checkpoint when the log is long, and ends one
    /// that has run.
    pub(super) async fn look(&self, desk: &mut Desk) {
        let inner = &self.0;
        if inner.shared.failure().is_some() {
            return;
        }
        let frames = inner.index.read().map_or(0, |index| index.frames);
        if inner.rest.swap(false, Ordering::AcqRel) || frames >= LOG_PAGES_MAX {
            // Passive as well: it waits for nobody.
            if let Err(error) = desk.run(CHECKPOINT).await {
                inner.failed(error);
            }
            return;
        }
        if frames < log_pages() || inner.running.swap(true, Ordering::AcqRel) {
            return;
        }
        let inner = Arc::clone(inner);
        tokio::spawn(async move {
            let mut slot = inner.conn.lock().await;
            if slot.is_none() {
                *slot = open_checkpointer(&inner.path).await.ok();
            }
            if let Some(conn) = slot.as_mut() {
                match sqlx::query(CHECKPOINT).execute(conn).await {
                    Ok(_) => inner.rest.store(true, Ordering::Release),
                    Err(error) => inner.failed(write_error(&error)),
                }
            }
            drop(slot);
            inner.running.store(false, Ordering::Release);
        });
    }

    /// Closes the connection once it is free.
    pub(super) async fn close(&self) {
        if let Some(conn) = self.0.conn.lock().await.take() {
            close(conn, &self.0.shared).await;
        }
    }
}

impl Inner {
    /// A full disk is tried again. After anything else nothing more is written: of a sync that failed
    /// nobody knows what it has written, and a checkpoint that is tried again writes only what the one
    /// before it had not gone through. What the log holds is written back whole after a restart.
    fn failed(&self, error: StoreError) {
        if matches!(error, StoreError::Failed { .. }) {
            self.shared.fail(error);
        }
    }
}

impl Desk {
    /// Closes the file; SQLite writes the log back and removes it.
    pub(super) async fn close(self) {
        close(self.conn, &self.shared).await;
    }
}

/// Closes a connection. The last one of a file writes the log back and removes it, which must not be
/// where a sync has failed: so after a failure it stays open until the process ends.
async fn close(conn: sqlx::SqliteConnection, shared: &Shared) {
    if shared.failure().is_some() {
        std::mem::forget(conn);
    } else {
        let _ = conn.close().await;
    }
}
