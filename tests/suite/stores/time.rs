//! Time that stands still until a test moves it: a node's clock, and the store's, which may also be
//! made to wait for the test.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use spine::engine::RealTime;
use spine::model::{Instant, ScopeId};
use spine::store::memory::{Ask, Fate, Schedule, Step, Work};
use spine::store::{Applied, Change, NodeId};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// A clock that stands still until the test moves it.
pub(crate) struct Still {
    now_ms: AtomicI64,
    moved: watch::Sender<()>,
}

impl Still {
    pub(crate) fn at(now_ms: i64) -> Still {
        Still { now_ms: AtomicI64::new(now_ms), moved: watch::Sender::new(()) }
    }

    pub(crate) fn set(&self, now_ms: i64) {
        self.now_ms.store(now_ms, Ordering::Release);
        self.moved.send_replace(());
    }
}

impl RealTime for Still {
    fn now(&self) -> Instant {
        Instant::from_ms(self.now_ms.load(Ordering::Acquire))
    }
    fn sleep_until(&self, at: Instant) -> BoxFuture<'_, ()> {
        let mut moved = self.moved.subscribe();
        Box::pin(async move { while self.now() < at && moved.changed().await.is_ok() {} })
    }
}

/// What comes before a second of real time is over: so long whoever is to act on the time of the test has
/// time to.
pub(crate) fn within_a_second<T>(runtime: &Runtime, what: impl Future<Output = T>) -> Option<T> {
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(1), what).await.ok() })
}

/// The store in memory works at once, by its own clock, and tells of each change.
pub(super) struct StoreTime {
    pub(super) now_ms: Arc<AtomicI64>,
    pub(super) written: watch::Sender<u64>,
    pub(super) held: std::sync::Mutex<BTreeMap<NodeId, Held>>,
}

/// What of a node's asking waits for the test.
pub(super) struct Held {
    pub(super) what: Holds,
    /// So many pass before.
    pub(super) passing: usize,
    pub(super) works: Vec<Work>,
}

/// Which of it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Holds {
    /// All that is asked.
    All,
    /// Changes.
    Changes,
    /// What concerns its lease and duties, and no look.
    Duties,
    /// Who else is alive and what others did.
    Looks,
    /// That messages were taken over, which they have been by then.
    WordOfAdoptions,
}

impl Schedule for StoreTime {
    fn now(&self) -> Instant {
        Instant::from_ms(self.now_ms.load(Ordering::Acquire))
    }
    fn run(&self, node: NodeId, step: Step, work: Work) {
        let mut all = self.held.lock().unwrap();
        let holds = |held: &&mut Held| match held.what {
            Holds::All => matches!(step, Step::Asked(_)),
            Holds::Changes => step == Step::Asked(Ask::Commit),
            Holds::Duties => step == Step::Asked(Ask::Duty),
            Holds::Looks => step == Step::Asked(Ask::Look),
            Holds::WordOfAdoptions => step == Step::Answered(Ask::Adoption),
        };
        match all.get_mut(&node).filter(holds) {
            Some(held) if held.passing > 0 => held.passing -= 1,
            Some(held) => {
                held.works.push(work);
                drop(all);
                self.written.send_modify(|times| *times = times.wrapping_add(1));
                return;
            }
            None => {}
        }
        drop(all);
        work(Fate::Done);
        self.written.send_modify(|times| *times = times.wrapping_add(1));
    }
    fn written(&self, _: NodeId, _: ScopeId, _: &Change, _: &Applied) {
        self.written.send_modify(|times| *times = times.wrapping_add(1));
    }
}
