//! The writer of a scope: one queue, one task, one transaction at a time.
//!
//! While a batch is being committed, what comes in is already turned into the arguments of the
//! next one's statements. There is no waiting for a batch to fill: it fills while the disk works.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::checkpoint::Checkpoints;
use super::desk::{Batch, Desk};
use super::shared::Shared;
use crate::model::Instant;
use crate::store::group::Job;
use crate::store::lookup::MERGE_ENTRIES;
use crate::store::{Change, Committed, Dropped, MessageStep, Old, StoreError};

/// How many changes wait at most.
const QUEUE_CHANGES_MAX: usize = 8_192;

/// What the writer is asked to do.
enum Work {
    Commit(Box<Job>),
    Tidy(Instant, oneshot::Sender<Result<(), StoreError>>),
    Merge(oneshot::Sender<()>),
    Drop(Old, u32, oneshot::Sender<Result<Dropped, StoreError>>),
    #[cfg(test)]
    Run(&'static str, oneshot::Sender<Result<(), StoreError>>),
    Finish(oneshot::Sender<Finished>),
}

/// A writer that has written what it took, and takes nothing more. Its file is open until this is closed,
/// or dropped.
pub(super) struct Finished {
    close: oneshot::Sender<oneshot::Sender<()>>,
}

impl Finished {
    /// Closes the file.
    pub(super) async fn close(self) {
        let (answer, answered) = oneshot::channel();
        if self.close.send(answer).is_ok() {
            let _ = answered.await;
        }
    }
}

/// The way to the writer.
#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Work>,
    shared: Arc<Shared>,
}

impl Writer {
    /// Starts the task.
    pub(super) fn start(desk: Desk, checkpoints: Checkpoints) -> Writer {
        let (queue, work) = mpsc::channel(QUEUE_CHANGES_MAX);
        let shared = Arc::clone(&desk.shared);
        let task = Task {
            batch: Batch::new(desk.heads),
            shared: Arc::clone(&shared),
            desk: Some(desk),
            committing: None,
            held: None,
            checkpoints,
            written: false,
            tidied: 0,
        };
        tokio::spawn(task.run(work));
        Writer { queue, shared }
    }

    /// Writes a change. Where the queue is full, a change that takes in messages is refused, and
    /// one that moves those under way waits.
    pub(super) async fn commit(&self, change: Change) -> Result<Committed, StoreError> {
        if let Some(error) = self.shared.failure() {
            return Err(error);
        }
        let intake = change
            .messages
            .iter()
            .any(|part| matches!(part.step, MessageStep::Begin(..) | MessageStep::BeginEnded(..)));
        let (answer, answered) = oneshot::channel();
        let work = Work::Commit(Box::new(Job { change, answer }));
        if intake {
            self.queue.try_send(work).map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
                mpsc::error::TrySendError::Closed(_) => StoreError::Closing,
            })?;
        } else {
            self.queue.send(work).await.map_err(|_| StoreError::Closing)?;
        }
        answered.await.unwrap_or(Err(StoreError::Closing))
    }

    /// Drops some of what is old.
    pub(super) async fn drop_old(&self, what: Old, limit: u32) -> Result<Dropped, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.queue.send(Work::Drop(what, limit, answer)).await.map_err(|_| StoreError::Closing)?;
        answered.await.unwrap_or(Err(StoreError::Closing))
    }

    /// Does the housekeeping.
    pub(super) async fn tidy(&self, now: Instant) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        self.queue.send(Work::Tidy(now, answer)).await.map_err(|_| StoreError::Closing)?;
        answered.await.unwrap_or(Err(StoreError::Closing))
    }

    /// Merges the look-ups that are in memory.
    pub(super) async fn merge(&self) {
        let (answer, answered) = oneshot::channel();
        if self.queue.send(Work::Merge(answer)).await.is_ok() {
            let _ = answered.await;
        }
    }

    /// Runs a statement on the writer's connection, to bring about what is hard to bring about.
    #[cfg(test)]
    pub(super) async fn run(&self, sql: &'static str) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        self.queue.send(Work::Run(sql, answer)).await.map_err(|_| StoreError::Closing)?;
        answered.await.unwrap_or(Err(StoreError::Closing))
    }

    /// Writes what waits. Later changes are refused. `None` where the task is gone already.
    pub(super) async fn finish(&self) -> Option<Finished> {
        let (answer, answered) = oneshot::channel();
        self.queue.send(Work::Finish(answer)).await.ok()?;
        answered.await.ok()
    }
}

struct Task {
    shared: Arc<Shared>,
    /// At hand while no batch is being committed.
    desk: Option<Desk>,
    committing: Option<JoinHandle<Desk>>,
    /// The next batch.
    batch: Batch,
    /// What comes after the next batch.
    held: Option<Work>,
    checkpoints: Checkpoints,
    /// Whether anything was written since the last tidying.
    written: bool,
    tidied: i64,
}

impl Task {
    async fn run(mut self, mut work: mpsc::Receiver<Work>) {
        loop {
            self.fill(&mut work);
            if self.hand_over().await {
                return;
            }
            tokio::select! {
                done = finished(&mut self.committing), if self.committing.is_some() => {
                    self.committing = None;
                    match done {
                        Ok(desk) => self.desk = Some(desk),
                        // The task of a batch died. Its callers are told by their dropped channel;
                        // there is no connection to go on with.
                        Err(error) => {
                            self.shared.fail(StoreError::Failed { detail: error.to_string() });
                            return;
                        }
                    }
                }
                next = work.recv(), if self.held.is_none() && self.batch.has_room() => match next {
                    Some(next) => self.take(next),
                    None => {
                        self.finish().await;
                        return;
                    }
                }
            }
        }
    }

    /// Takes what waits.
    fn fill(&mut self, work: &mut mpsc::Receiver<Work>) {
        while self.held.is_none() && self.batch.has_room() {
            match work.try_recv() {
                Ok(next) => self.take(next),
                Err(_) => return,
            }
        }
    }

    fn take(&mut self, work: Work) {
        match work {
            Work::Commit(job) => {
                if let Err(job) = self.batch.push(job) {
                    self.held = Some(Work::Commit(job));
                }
            }
            other => self.held = Some(other),
        }
    }

    /// Gives the batch to the desk if it is free, or does what is held. `true` when all is over.
    async fn hand_over(&mut self) -> bool {
        let Some(mut desk) = self.desk.take() else { return false };
        if !self.batch.is_empty() {
            self.written = true;
            let batch = std::mem::replace(&mut self.batch, Batch::new(desk.heads));
            self.batch.heads = batch.heads;
            let checkpoints = self.checkpoints.clone();
            self.committing = Some(tokio::spawn(async move {
                desk.commit(batch).await;
                desk.merge_some(MERGE_ENTRIES).await;
                checkpoints.look(&mut desk).await;
                desk
            }));
            if let Some(Work::Commit(job)) = self.held.take_if(|work| matches!(work, Work::Commit(_))) {
                self.take(Work::Commit(job));
            }
            return false;
        }
        match self.held.take() {
            None => {}
            Some(Work::Commit(job)) => self.take(Work::Commit(job)),
            Some(Work::Tidy(now, answer)) => {
                let idle = !std::mem::replace(&mut self.written, false);
                self.tidied += 1;
                let _ = answer.send(desk.tidy(now, idle, self.tidied).await);
            }
            Some(Work::Merge(answer)) => {
                desk.merge_all().await;
                let _ = answer.send(());
            }
            Some(Work::Drop(what, limit, answer)) => {
                // The next batch fills meanwhile.
                self.committing = Some(tokio::spawn(async move {
                    let _ = answer.send(desk.drop_old(what, limit).await);
                    desk
                }));
                return false;
            }
            #[cfg(test)]
            Some(Work::Run(sql, answer)) => {
                let _ = answer.send(desk.run(sql).await);
            }
            Some(Work::Finish(answer)) => {
                let (close, closed) = oneshot::channel();
                let _ = answer.send(Finished { close });
                let closed: Option<oneshot::Sender<()>> = closed.await.ok();
                self.checkpoints.close().await;
                desk.close().await;
                if let Some(closed) = closed {
                    let _ = closed.send(());
                }
                return true;
            }
        }
        if self.batch.is_empty() && desk.is_merging() {
            // A part at a time, so that what comes meanwhile waits for one part at most.
            self.committing = Some(tokio::spawn(async move {
                desk.merge_some(MERGE_ENTRIES).await;
                desk
            }));
            return false;
        }
        self.desk = Some(desk);
        if self.batch.is_empty() { false } else { Box::pin(self.hand_over()).await }
    }

    /// The last handle is gone: writes what was taken, and closes the file.
    async fn finish(&mut self) {
        if let Some(committing) = self.committing.take() {
            self.desk = committing.await.ok();
        }
        if let Some(mut desk) = self.desk.take() {
            if !self.batch.is_empty() {
                let batch = std::mem::replace(&mut self.batch, Batch::new(desk.heads));
                desk.commit(batch).await;
            }
            self.checkpoints.close().await;
            desk.close().await;
        }
    }
}

async fn finished(task: &mut Option<JoinHandle<Desk>>) -> Result<Desk, tokio::task::JoinError> {
    match task {
        Some(task) => task.await,
        None => std::future::pending().await,
    }
}
