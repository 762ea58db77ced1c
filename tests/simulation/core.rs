//! Time in the world, and what happens at which instant.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use spine::engine::RealTime;
use spine::model::{Instant, Span};
use spine::store::memory::{Fate, Step as StoreStep, Work};

use super::random::{Random, mixed};
use super::world::Turn;

/// The start of all times: a Monday at noon, UTC.
pub(crate) const T0: i64 = 1_767_614_400_000;

/// One run of a node: from its start to its death. Numbers are not used twice.
pub(crate) type RunNo = usize;

/// What happens at an instant.
pub(crate) enum Entry {
    /// A task of a node has slept long enough.
    Wake(RunNo, Waker),
    /// A piece of the store's work for a node, or for nobody's.
    Store { run: RunNo, step: StoreStep, fate: Fate, work: Work },
    /// A request or an answer is at its end of the wire.
    Wire(RunNo, Box<dyn FnOnce() + Send>),
    /// The world itself does something.
    Turn(Turn),
}

type Key = (i64, u64);

#[derive(Default)]
struct Queue {
    next: u64,
    entries: BTreeMap<Key, Entry>,
}

/// Shared by all that live in the world.
pub(crate) struct Core {
    now_ms: AtomicI64,
    queue: Mutex<Queue>,
    random: Mutex<Random>,
    trace: Mutex<u64>,
    story: Option<Mutex<Vec<String>>>,
}

impl Core {
    pub(crate) fn new(seed: u64, told: bool) -> Arc<Core> {
        Arc::new(Core {
            now_ms: AtomicI64::new(T0),
            queue: Mutex::default(),
            random: Mutex::new(Random::new(seed)),
            trace: Mutex::new(0),
            story: told.then(Mutex::default),
        })
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::from_ms(self.now_ms.load(Ordering::Relaxed))
    }

    /// Milliseconds since the start.
    pub(crate) fn elapsed_ms(&self) -> i64 {
        self.now().ms() - T0
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }

    pub(crate) fn random<T>(&self, choose: impl FnOnce(&mut Random) -> T) -> T {
        choose(&mut lock(&self.random))
    }

    /// Puts something down for an instant; what is put down for the same one happens in its order.
    pub(crate) fn at(&self, at: Instant, entry: Entry) -> Key {
        let mut queue = self.queue();
        queue.next += 1;
        let key = (at.ms().max(self.now().ms()), queue.next);
        queue.entries.insert(key, entry);
        key
    }

    pub(crate) fn after(&self, ms: i64, entry: Entry) {
        self.at(self.now().plus(Span::from_ms(ms)), entry);
    }

    /// The next that happens; time has come to it then.
    pub(crate) fn pop(&self) -> Option<Entry> {
        let ((at, n), entry) = self.queue().entries.pop_first()?;
        self.now_ms.fetch_max(at, Ordering::Relaxed);
        let kind = match &entry {
            Entry::Wake(run, _) => 1 + ((*run as u64) << 8),
            Entry::Store { run, .. } => 2 + ((*run as u64) << 8),
            Entry::Wire(run, _) => 3 + ((*run as u64) << 8),
            Entry::Turn(_) => 4,
        };
        self.mark(at.unsigned_abs() ^ mixed(n) ^ mixed(kind));
        Some(entry)
    }

    /// Takes out what belongs to the store.
    pub(crate) fn take_store_work(&self, of: impl Fn(RunNo) -> bool) -> Vec<(RunNo, StoreStep, Work)> {
        let mut queue = self.queue();
        let taken: Vec<Key> = queue
            .entries
            .iter()
            .filter(|(_, entry)| matches!(entry, Entry::Store { run, .. } if of(*run)))
            .map(|(key, _)| *key)
            .collect();
        let taken = taken.into_iter().filter_map(|key| queue.entries.remove(&key));
        taken
            .filter_map(|entry| match entry {
                Entry::Store { run, step, work, .. } => Some((run, step, work)),
                _ => None,
            })
            .collect()
    }

    /// Adds to what tells one history from another.
    pub(crate) fn mark(&self, what: u64) {
        let mut trace = lock(&self.trace);
        *trace = mixed(trace.wrapping_mul(31).wrapping_add(what));
    }

    pub(crate) fn trace(&self) -> u64 {
        *lock(&self.trace)
    }

    /// Adds a line to the story, where one is told.
    pub(crate) fn tell(&self, line: impl FnOnce() -> String) {
        if let Some(story) = &self.story {
            lock(story).push(format!("{} {}", clock_text(self.elapsed_ms()), line()));
        }
    }

    pub(crate) fn story(&self) -> Vec<String> {
        self.story.as_ref().map(|story| lock(story).clone()).unwrap_or_default()
    }
}

/// `1:02.345` since the start.
pub(crate) fn clock_text(ms: i64) -> String {
    format!("{:>3}:{:02}.{:03}", ms / 60_000, ms / 1_000 % 60, ms % 1_000)
}

/// Nothing in a world panics while it holds a lock, and if it did, the rows would still count.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Real time as one run of a node reads it from its own clock.
pub(crate) struct NodeTime {
    pub(crate) core: Arc<Core>,
    pub(crate) run: RunNo,
    /// How far the node's clock is ahead of the world's.
    pub(crate) ahead_ms: i64,
}

impl RealTime for NodeTime {
    fn now(&self) -> Instant {
        self.core.now().plus(Span::from_ms(self.ahead_ms))
    }

    fn sleep_until(&self, at: Instant) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let until = Instant::from_ms(at.ms().saturating_sub(self.ahead_ms));
        Box::pin(Sleep { core: &self.core, run: self.run, until, key: None })
    }
}

struct Sleep<'a> {
    core: &'a Core,
    run: RunNo,
    until: Instant,
    key: Option<Key>,
}

impl Sleep<'_> {
    fn forget(&mut self) {
        if let Some(key) = self.key.take() {
            self.core.queue().entries.remove(&key);
        }
    }
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.core.now() >= self.until {
            self.forget();
            return Poll::Ready(());
        }
        if let Some(key) = self.key
            && let Some(Entry::Wake(_, waker)) = self.core.queue().entries.get_mut(&key)
        {
            waker.clone_from(cx.waker());
            return Poll::Pending;
        }
        let entry = Entry::Wake(self.run, cx.waker().clone());
        self.key = Some(self.core.at(self.until, entry));
        Poll::Pending
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        self.forget();
    }
}
