//! The writers of a scope: two lanes, each one queue, one task and one transaction at a time.
//!
//! While a batch is being committed, what comes in is already turned into the rows of the next one.
//! There is no waiting for a batch to fill: it fills while the database works. The second lane is used
//! where the first is busy; a message then always takes the same one.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::desk::{Batch, Desk};
use crate::store::group::{Heads, Job};
use crate::store::{Change, Committed, MessageStep, StoreError};

/// How many changes wait at most, in each lane.
const QUEUE_CHANGES_MAX: usize = 8_192;
/// How many changes wait in the first lane before the second one is used.
const BUSY_CHANGES: usize = 128;

/// What a writer is asked to do.
enum Work {
    Commit(Box<Job>),
    Close(oneshot::Sender<()>),
}

/// The way to the writers.
pub(super) struct Writer {
    lanes: [mpsc::Sender<Work>; 2],
    next: AtomicU64,
}

impl Writer {
    /// Starts the tasks.
    pub(super) fn start(desk: &Desk) -> Writer {
        let lane = || {
            let (queue, work) = mpsc::channel(QUEUE_CHANGES_MAX);
            let task = Task {
                desk: desk.clone(),
                committing: None,
                batch: Batch::new(Heads::default()),
                held: None,
            };
            tokio::spawn(task.run(work));
            queue
        };
        Writer { lanes: [lane(), lane()], next: AtomicU64::new(0) }
    }

    /// Writes a change. Where the queue is full, a change that takes in messages is refused, and
    /// one that moves those under way waits.
    pub(super) async fn commit(&self, change: Change) -> Result<Committed, StoreError> {
        let intake = change
            .messages
            .iter()
            .any(|part| matches!(part.step, MessageStep::Begin(..) | MessageStep::BeginEnded(..)));
        let lane = &self.lanes[self.lane(&change)];
        let (answer, answered) = oneshot::channel();
        let work = Work::Commit(Box::new(Job { change, answer }));
        if intake {
            lane.try_send(work).map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
                mpsc::error::TrySendError::Closed(_) => StoreError::Closing,
            })?;
        } else {
            lane.send(work).await.map_err(|_| StoreError::Closing)?;
        }
        answered.await.unwrap_or(Err(StoreError::Closing))
    }

    fn lane(&self, change: &Change) -> usize {
        let waiting = QUEUE_CHANGES_MAX - self.lanes[0].capacity();
        if waiting < BUSY_CHANGES {
            return 0;
        }
        let of_message = change.messages.iter().find_map(|part| match part.step {
            MessageStep::Go { n, .. }
            | MessageStep::End { n, .. }
            | MessageStep::Amend { n, .. }
            | MessageStep::Stay { n } => Some(n as u64),
            _ => None,
        });
        let of_key = || change.key().map(|key| u64::from(key.0[0]));
        let number = of_message.or_else(of_key).unwrap_or_else(|| self.next.fetch_add(1, Ordering::Relaxed));
        (number & 1) as usize
    }

    /// Writes what waits. Later changes are refused.
    pub(super) async fn close(&self) {
        for lane in &self.lanes {
            let (answer, answered) = oneshot::channel();
            if lane.send(Work::Close(answer)).await.is_ok() {
                let _ = answered.await;
            }
        }
    }
}

struct Task {
    desk: Desk,
    committing: Option<JoinHandle<()>>,
    /// The next batch.
    batch: Batch,
    /// What comes after the next batch.
    held: Option<Work>,
}

impl Task {
    async fn run(mut self, mut work: mpsc::Receiver<Work>) {
        loop {
            while self.held.is_none() && self.batch.has_room() {
                match work.try_recv() {
                    Ok(next) => self.take(next),
                    Err(_) => break,
                }
            }
            if self.committing.is_none() && self.hand_over() {
                return;
            }
            tokio::select! {
                () = finished(&mut self.committing), if self.committing.is_some() => self.committing = None,
                next = work.recv(), if self.held.is_none() && self.batch.has_room() => match next {
                    Some(next) => self.take(next),
                    None => {
                        // The last handle is gone: what was taken is written.
                        finished(&mut self.committing).await;
                        if !self.batch.is_empty() {
                            self.desk.commit(self.batch).await;
                        }
                        return;
                    }
                }
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
            close @ Work::Close(_) => self.held = Some(close),
        }
    }

    /// Begins to commit the batch, or does what is held. `true` when all is over.
    fn hand_over(&mut self) -> bool {
        if !self.batch.is_empty() {
            let batch = std::mem::replace(&mut self.batch, Batch::new(Heads::default()));
            let desk = self.desk.clone();
            self.committing = Some(tokio::spawn(async move { desk.commit(batch).await }));
        }
        match self.held.take() {
            Some(Work::Commit(job)) => self.take(Work::Commit(job)),
            Some(Work::Close(answer)) if self.committing.is_none() => {
                let _ = answer.send(());
                return true;
            }
            held => self.held = held,
        }
        false
    }
}

async fn finished(task: &mut Option<JoinHandle<()>>) {
    if let Some(task) = task {
        // The task of a batch died: its callers are told by their dropped channels.
        if let Err(error) = task.await {
            tracing::error!(%error, "a batch was given up");
        }
    }
}
