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
use super::wal_index::WalIndex;

/// From how many pages on the log is written back.
const LOG_PAGES: u32 = 10_000;

/// The checkpoints of one file.
#[derive(Clone)]
pub(super) struct Checkpoints(Arc<Inner>);

struct Inner {
    path: PathBuf,
    index: WalIndex,
    /// The connection, opened when it is first needed. Locked while it works.
    conn: Mutex<Option<sqlx::SqliteConnection>>,
    /// One runs.
    running: AtomicBool,
    /// One has run, and the writer has to write back the rest.
    rest: AtomicBool,
}

impl Checkpoints {
    pub(super) fn new(path: &Path) -> Checkpoints {
        Checkpoints(Arc::new(Inner {
            path: path.to_owned(),
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
        if inner.rest.swap(false, Ordering::AcqRel) {
            // Passive as well: it waits for nobody.
            let _ = desk.run("PRAGMA wal_checkpoint(PASSIVE)").await;
            return;
        }
        let long = inner.index.read().is_some_and(|index| index.frames >= LOG_PAGES);
        if !long || inner.running.swap(true, Ordering::AcqRel) {
            return;
        }
        let inner = Arc::clone(inner);
        tokio::spawn(async move {
            let mut slot = inner.conn.lock().await;
            if slot.is_none() {
                *slot = open_checkpointer(&inner.path).await.ok();
            }
            if let Some(conn) = slot.as_mut() {
                // What fails here is tried again: a checkpoint writes every page anew until one
                // has gone through, and until then all of it stands in the log.
                let done = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(conn).await;
                inner.rest.store(done.is_ok(), Ordering::Release);
            }
            drop(slot);
            inner.running.store(false, Ordering::Release);
        });
    }

    /// Closes the connection once it is free.
    pub(super) async fn close(&self) {
        if let Some(conn) = self.0.conn.lock().await.take() {
            let _ = conn.close().await;
        }
    }
}

impl Desk {
    /// Closes the file; SQLite writes the log back and removes it.
    pub(super) async fn close(self) {
        let _ = self.conn.close().await;
    }
}
