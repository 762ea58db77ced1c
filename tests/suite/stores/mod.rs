//! What several nodes share in the tests: a store in memory or a real PostgreSQL, on either of which the
//! same tests run. Its clock is the test's on both; what a node asks of it may be made to wait.

mod database;
mod time;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use spine::model::{Instant, ScopeId, Span};
use spine::store::memory::{Fate, MemoryStore, Options, Schedule};
use spine::store::rows::{UsageRow, UsageWindow};
use spine::store::seal::{MasterKey, SystemRandom};
use spine::store::{NodeId, Store, StoreError};
use tokio::sync::watch;

use database::RealStore;
use time::{Held, StoreTime};
pub(crate) use time::{Holds, Still, within_a_second};

const MASTER: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Memory,
    Postgres,
}

/// Makes of functions that take a [`Kind`] two tests each, `on_memory` and `on_postgres`. A function that
/// is not named here is dead code, which the build tells of.
macro_rules! on_each_store {
    ($($name:ident),* $(,)?) => {
        mod on_memory {
            $(#[test] fn $name() { super::$name($crate::stores::Kind::Memory) })*
        }
        mod on_postgres {
            $(#[test] fn $name() { super::$name($crate::stores::Kind::Postgres) })*
        }
    };
    (async $($name:ident),* $(,)?) => {
        mod on_memory {
            $(#[tokio::test] async fn $name() { super::$name($crate::stores::Kind::Memory).await })*
        }
        mod on_postgres {
            $(#[tokio::test] async fn $name() { super::$name($crate::stores::Kind::Postgres).await })*
        }
    };
}
pub(crate) use on_each_store;

/// The store that nodes share.
pub(crate) struct SharedStore {
    now_ms: Arc<AtomicI64>,
    /// Moves whenever the store has worked.
    written: watch::Sender<u64>,
    at: At,
}

enum At {
    Memory(MemoryStore, Arc<StoreTime>),
    Postgres(Box<RealStore>),
}

impl SharedStore {
    /// An empty one, whose clock shows `start`.
    pub(crate) async fn new(kind: Kind, start: Instant) -> SharedStore {
        let now_ms = Arc::new(AtomicI64::new(start.ms()));
        let written = watch::Sender::new(0);
        let at = match kind {
            Kind::Memory => {
                let time = Arc::new(StoreTime {
                    now_ms: Arc::clone(&now_ms),
                    written: written.clone(),
                    held: std::sync::Mutex::default(),
                });
                let memory = MemoryStore::new(Options {
                    schedule: Arc::clone(&time) as Arc<dyn Schedule>,
                    random: Arc::new(SystemRandom::new()),
                    master_key: MasterKey::from_base64(MASTER).unwrap(),
                    is_shared: true,
                    sabotage: None,
                });
                At::Memory(memory, time)
            }
            Kind::Postgres => At::Postgres(Box::new(RealStore::new(start, written.clone()).await)),
        };
        SharedStore { now_ms, written, at }
    }

    /// A node starts. To be called in the runtime in which it lives.
    pub(crate) async fn node(&self, name: &str, lease: Span) -> Arc<dyn Store> {
        match &self.at {
            At::Memory(memory, _) => memory.node(name, lease),
            At::Postgres(real) => real.node(name, lease).await,
        }
    }

    /// What a node needs before it starts, beside its own runtime: on a server the way to it.
    pub(crate) async fn lay_wire(&self) {
        if let At::Postgres(real) = &self.at {
            real.lay_wire().await;
        }
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.now_ms.load(Ordering::Acquire)
    }

    /// Moves when the store has worked.
    pub(crate) fn written(&self) -> watch::Receiver<u64> {
        self.written.subscribe()
    }

    /// Moves the store's clock; what it shows then.
    pub(crate) async fn later(&self, ms: i64) -> i64 {
        let now = self.now_ms.fetch_add(ms, Ordering::AcqRel) + ms;
        if let At::Postgres(real) = &self.at {
            real.set_clock(Instant::from_ms(now)).await;
        }
        now
    }

    /// The nodes whose lease holds at an instant.
    pub(crate) async fn alive(&self, at: Instant) -> Vec<NodeId> {
        match &self.at {
            At::Memory(memory, _) => memory.alive(at),
            At::Postgres(real) => real.alive(at).await,
        }
    }

    /// How many messages have ended of which something is still to come.
    pub(crate) async fn unsettled(&self, scope: ScopeId) -> usize {
        match &self.at {
            At::Memory(memory, _) => memory.unfinished(scope).unsettled,
            At::Postgres(real) => real.count("unsettled", scope).await,
        }
    }

    /// How many signals nobody has carried out.
    pub(crate) async fn signals_waiting(&self, scope: ScopeId) -> usize {
        match &self.at {
            At::Memory(memory, _) => memory.signals_waiting(scope),
            At::Postgres(real) => real.count("signal", scope).await,
        }
    }

    /// What is counted of a quota for days: uses, and places held; none where it never was.
    pub(crate) async fn used(&self, scope: ScopeId, name: &str) -> Option<(u64, u64)> {
        match &self.at {
            At::Memory(memory, _) => {
                let is = |row: &UsageRow| row.name == name && row.window == UsageWindow::Day;
                memory.usage(scope).into_iter().find(is).map(|row| (row.used, row.held))
            }
            At::Postgres(real) => real.used(scope, name).await,
        }
    }

    /// Who has which duty.
    pub(crate) async fn claims(&self, scope: ScopeId) -> BTreeMap<String, NodeId> {
        match &self.at {
            At::Memory(memory, _) => memory.claims(scope),
            At::Postgres(real) => real.claims(scope).await,
        }
    }

    /// After so many more of them what a node asks waits.
    pub(crate) fn hold(&self, node: NodeId, what: Holds, passing: usize) {
        match &self.at {
            At::Memory(_, time) => {
                time.held.lock().unwrap().insert(node, Held { what, passing, works: Vec::new() });
            }
            At::Postgres(real) => real.hold(node, what, passing),
        }
    }

    /// Whether something of a node's waits.
    pub(crate) fn is_held(&self, node: NodeId) -> bool {
        match &self.at {
            At::Memory(_, time) => {
                time.held.lock().unwrap().get(&node).is_some_and(|held| !held.works.is_empty())
            }
            At::Postgres(real) => real.is_held(node),
        }
    }

    /// Lets what waits of a node's go on.
    pub(crate) fn let_go_on(&self, node: NodeId) {
        self.end_hold(node, &Fate::Done);
    }

    /// The answers that wait for a node never come to it.
    pub(crate) fn lose_what_is_held(&self, node: NodeId) {
        self.end_hold(node, &Fate::Lost(StoreError::Unavailable { detail: "it was lost".to_owned() }));
    }

    /// What waits of a node's is refused.
    pub(crate) fn refuse_what_is_held(&self, node: NodeId) {
        self.end_hold(node, &Fate::Refused(StoreError::Unavailable { detail: "it was refused".to_owned() }));
    }

    fn end_hold(&self, node: NodeId, fate: &Fate) {
        match &self.at {
            At::Memory(_, time) => {
                let held = time.held.lock().unwrap().remove(&node);
                for work in held.into_iter().flat_map(|held| held.works) {
                    work(fate.clone());
                }
            }
            // What waits on a connection that is cut is refused where it waits on the way there, and lost
            // where it waits on the way back.
            At::Postgres(real) => real.end_hold(node, matches!(fate, Fate::Done)),
        }
        self.written.send_modify(|times| *times = times.wrapping_add(1));
    }
}
