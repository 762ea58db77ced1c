//! When the store works, and whether its answers come.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::model::{Instant, ScopeId};
use crate::store::{Applied, Change, NodeId, StoreError};

/// What becomes of a piece of work.
#[derive(Debug, Clone)]
pub enum Fate {
    /// It is done, and answered.
    Done,
    /// It is not done, and this is the answer.
    Refused(StoreError),
    /// It is done, and this is the answer all the same.
    Lost(StoreError),
}

/// One piece of work. Dropped without being called, it is not done, and its caller's connection
/// breaks.
pub type Work = Box<dyn FnOnce(Fate) + Send>;

/// Which piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// What a node asks comes to the store.
    Asked(Ask),
    /// The answer comes to the node that asked.
    Answered(Ask),
    /// A node hears that something is to be looked at.
    News,
}

/// What a node asks of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// A question.
    Read,
    /// A change, durable once this is done.
    Commit,
    /// A lease, a duty.
    Duty,
    /// What others did since the last look.
    Look,
    /// The messages of nodes that are gone.
    Adoption,
}

impl Ask {
    /// What a caller is told whose connection breaks. Whether a change was written is unknown to it.
    pub(super) fn broken(self) -> StoreError {
        let detail = "the connection broke".to_owned();
        match self {
            Ask::Commit => StoreError::Failed { detail },
            Ask::Read | Ask::Duty | Ask::Look | Ask::Adoption => StoreError::Unavailable { detail },
        }
    }
}

/// Decides when the store works. A simulation puts the work into its own order.
pub trait Schedule: Send + Sync + 'static {
    /// Now, by the store's own clock.
    fn now(&self) -> Instant;
    /// Takes a piece of work for a node, to be called once, at once or later, or dropped.
    fn run(&self, node: NodeId, step: Step, work: Work);
    /// A change was written, and this is where. Called while the rows are held: nothing of the store
    /// may be called from here.
    fn written(&self, node: NodeId, scope: ScopeId, change: &Change, applied: &Applied) {
        let _ = (node, scope, change, applied);
    }
}

/// Everything is done at once, by a clock that stands still until it is moved.
#[derive(Debug)]
pub struct AtOnce(AtomicI64);

impl AtOnce {
    /// A clock that shows `now`.
    #[must_use]
    pub fn at(now: Instant) -> AtOnce {
        AtOnce(AtomicI64::new(now.ms()))
    }

    /// Moves the clock.
    pub fn later(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Schedule for AtOnce {
    fn now(&self) -> Instant {
        Instant::from_ms(self.0.load(Ordering::Relaxed))
    }

    fn run(&self, _node: NodeId, _step: Step, work: Work) {
        work(Fate::Done);
    }
}
