//! A store in memory, shared by any number of nodes, for simulations: every answer is a function of
//! what came before, and when and whether it comes is decided by who hands in a [`Schedule`].
//!
//! It keeps the promises of a shared store: a change is whole or not at all, a version that was not
//! seen is a conflict, who commits has a lease, what was answered is durable. A change is volatile
//! until its turn comes: handed over, and in nobody's rows. In its turn it is checked, written and
//! durable at one instant; the answer is on its way from then on, and may be lost.

mod commit;
mod node;
mod rare;
mod read;
mod registry;
mod retention;
mod sabotage;
mod schedule;
mod scope;
mod tables;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{oneshot, watch};

use crate::model::{Id, Instant, ScopeId, Span, kinds};
use crate::store::rows::{DeliveryState, IdempotencyKey, Kept, UsageRow};
use crate::store::seal::{MasterKey, Randomness};
use crate::store::{Answer, NodeId, Position, StoreError};

pub use node::MemoryNode;
pub use sabotage::Sabotage;
pub use schedule::{Ask, AtOnce, Fate, Schedule, Step, Work};

use node::NodeRow;
use registry::RegistryTables;
use tables::{Tables, Undo};

/// How a store in memory is made.
pub struct Options {
    /// When and whether answers come.
    pub schedule: Arc<dyn Schedule>,
    /// Where keys and nonces come from.
    pub random: Arc<dyn Randomness>,
    /// The operator's key.
    pub master_key: MasterKey,
    /// Whether several nodes may use it at once. If not, it is as a store with one node alone.
    pub is_shared: bool,
    /// A promise that is not kept.
    pub sabotage: Option<Sabotage>,
}

/// All rows, and who uses them. Cheap to clone: clones share them.
#[derive(Clone)]
pub struct MemoryStore(Arc<Shared>);

/// What is still to be done in a scope.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unfinished {
    /// Messages that have not ended.
    pub live: usize,
    /// Messages that have ended and of which something is still to come.
    pub unsettled: usize,
    /// Deliveries that are to be tried again.
    pub deliveries: usize,
    /// Endpoints for which there are events that they have not taken up.
    pub endpoints_behind: usize,
    /// Signals that nobody has carried out.
    pub signals: usize,
}

struct Shared {
    schedule: Arc<dyn Schedule>,
    random: Arc<dyn Randomness>,
    master: Arc<MasterKey>,
    is_shared: bool,
    sabotage: Option<Sabotage>,
    rows: Mutex<Rows>,
    /// What wakes the nodes that are there.
    bells: Mutex<Bells>,
}

#[derive(Default)]
struct Bells {
    nodes: BTreeMap<NodeId, Bell<u64>>,
    events: BTreeMap<(NodeId, ScopeId), Bell<Position>>,
}

/// What is told to those who listen, in the order in which they began to: several receivers of one
/// channel would be woken in an order by chance.
#[derive(Default)]
struct Bell<T> {
    known: T,
    listeners: Vec<watch::Sender<T>>,
}

impl<T: Copy + PartialEq> Bell<T> {
    fn listen(&mut self) -> watch::Receiver<T> {
        let (sender, receiver) = watch::channel(self.known);
        self.listeners.push(sender);
        receiver
    }

    fn tell(&mut self, news: T) {
        self.known = news;
        self.listeners.retain(|listener| !listener.is_closed());
        for listener in &self.listeners {
            listener.send_replace(news);
        }
    }
}

impl Bell<Position> {
    /// Tells of the newest event, unless it is known.
    fn raise(&mut self, newest: Position) {
        if newest > self.known {
            self.tell(newest);
        }
    }
}

/// What is stored.
#[derive(Default)]
struct Rows {
    registry: RegistryTables,
    scopes: BTreeMap<ScopeId, Tables>,
    nodes: BTreeMap<NodeId, NodeRow>,
    /// What was answered and is not durable yet, oldest first: with [`Sabotage::AnswersTooEarly`] alone.
    volatile: Vec<(ScopeId, Undo)>,
}

impl Rows {
    fn copy(&self) -> Rows {
        Rows {
            registry: self.registry.clone(),
            scopes: self.scopes.clone(),
            nodes: self.nodes.clone(),
            volatile: Vec::new(),
        }
    }
}

impl Shared {
    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bells(&self) -> MutexGuard<'_, Bells> {
        self.bells.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a piece of work done as the schedule decides, and gives its answer, which may be lost.
    fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        node: NodeId,
        ask: Ask,
        work: impl FnOnce(&Arc<Shared>) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'static, T> {
        let shared = Arc::clone(self);
        Box::pin(async move {
            let (tell, told) = oneshot::channel();
            let schedule = Arc::clone(&shared.schedule);
            let work: Work = Box::new(move |fate| {
                let answer = match fate {
                    Fate::Done => work(&shared),
                    Fate::Refused(error) => Err(error),
                    Fate::Lost(error) => work(&shared).and(Err(error)),
                };
                let schedule = Arc::clone(&shared.schedule);
                let tell: Work = Box::new(move |fate| {
                    let answer = match fate {
                        Fate::Done => answer,
                        Fate::Refused(error) | Fate::Lost(error) => Err(error),
                    };
                    // Who asked may have gone away.
                    let _ = tell.send(answer);
                });
                schedule.run(node, Step::Answered(ask), tell);
            });
            schedule.run(node, Step::Asked(ask), work);
            told.await.unwrap_or_else(|_| Err(ask.broken()))
        })
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new(options: Options) -> MemoryStore {
        MemoryStore::of(options, Rows::default())
    }

    fn of(options: Options, rows: Rows) -> MemoryStore {
        let Options { schedule, random, master_key, is_shared, sabotage } = options;
        MemoryStore(Arc::new(Shared {
            schedule,
            random,
            master: Arc::new(master_key),
            is_shared,
            sabotage,
            rows: Mutex::new(rows),
            bells: Mutex::default(),
        }))
    }

    /// A fresh node with a lease that ends `lease` from now. A name that was there before is another
    /// node all the same.
    #[must_use]
    pub fn node(&self, name: &str, lease: Span) -> Arc<MemoryNode> {
        MemoryNode::start(Arc::clone(&self.0), name, lease)
    }

    /// Another store with the rows that are durable at this moment.
    #[must_use]
    pub fn copy(&self, options: Options) -> MemoryStore {
        MemoryStore::of(options, self.0.rows().copy())
    }

    /// The store stops hard: what was not durable is gone. The schedule has to drop what it holds of
    /// the store's work.
    pub fn crash(&self) {
        let mut rows = self.0.rows();
        for (scope, undo) in std::mem::take(&mut rows.volatile).into_iter().rev() {
            if let Some(tables) = rows.scopes.get_mut(&scope) {
                undo.run(tables);
            }
        }
    }

    /// The nodes whose lease holds at `now`, in order.
    #[must_use]
    pub fn alive(&self, now: Instant) -> Vec<NodeId> {
        self.0.rows().nodes.iter().filter(|(_, row)| row.holds(now)).map(|(id, _)| *id).collect()
    }

    /// The name under which a node was started.
    #[must_use]
    pub fn name(&self, node: NodeId) -> Option<String> {
        self.0.rows().nodes.get(&node).map(|row| row.name.clone())
    }

    /// Whether the intent of an attempt is durable.
    #[must_use]
    pub fn has_attempt(&self, attempt: Id<kinds::Attempt>) -> bool {
        let rows = self.0.rows();
        rows.scopes.values().any(|tables| tables.attempts.values().rev().any(|(_, row)| row.id == attempt))
    }

    /// The kept answers of a scope.
    #[must_use]
    pub fn kept(&self, scope: ScopeId) -> Vec<(IdempotencyKey, Kept)> {
        let rows = self.0.rows();
        let kept = rows.scopes.get(&scope).map(|tables| &tables.kept);
        kept.into_iter().flatten().map(|(key, kept)| (*key, kept.clone())).collect()
    }

    /// All counters of a scope's quotas.
    #[must_use]
    pub fn usage(&self, scope: ScopeId) -> Vec<UsageRow> {
        let rows = self.0.rows();
        rows.scopes.get(&scope).map(|tables| tables.usage_since(Instant::from_ms(0))).unwrap_or_default()
    }

    /// The signals of a scope that nobody has carried out.
    #[must_use]
    pub fn signals_waiting(&self, scope: ScopeId) -> usize {
        self.unfinished(scope).signals
    }

    /// What is still to be done in a scope.
    #[must_use]
    pub fn unfinished(&self, scope: ScopeId) -> Unfinished {
        let rows = self.0.rows();
        let Some(tables) = rows.scopes.get(&scope) else { return Unfinished::default() };
        Unfinished {
            live: tables.live.len(),
            unsettled: tables.unsettled.len(),
            deliveries: tables.deliveries.values().filter(|row| row.state == DeliveryState::Pending).count(),
            endpoints_behind: tables.endpoints_behind(),
            signals: tables.signals.len(),
        }
    }

    /// How many messages stand in other scopes than these.
    #[must_use]
    pub fn rows_of_unused(&self, used: &[ScopeId]) -> usize {
        let rows = self.0.rows();
        rows.scopes.iter().filter(|(id, _)| !used.contains(id)).map(|(_, tables)| tables.messages.len()).sum()
    }

    /// Who has which duty of a scope.
    #[must_use]
    pub fn claims(&self, scope: ScopeId) -> BTreeMap<String, NodeId> {
        self.0.rows().scopes.get(&scope).map(|tables| tables.claims.clone()).unwrap_or_default()
    }
}
