//! One node's handle to the store: its lease, its open scopes, and what it hears.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::registry::MemoryRegistry;
use super::schedule::Ask;
use super::scope::MemoryScope;
use super::{Bell, Rows, Shared};
use crate::model::{Instant, ScopeId, Span};
use crate::store::seal::{Scope, ScopeKeys};
use crate::store::{
    Answer, Company, Generation, NodeId, Nodes, Registry, ScopeRows, Seen, Store, StoreError, USAGE_KEPT,
};

/// After how long an unused scope is closed.
const IDLE_MS: i64 = 5 * 60 * 1_000;
/// How long a receipt waits for its send.
const EARLY_RECEIPT_MS: i64 = 10 * 60 * 1_000;

/// A node.
#[derive(Debug, Clone)]
pub(super) struct NodeRow {
    pub(super) name: String,
    pub(super) lease_until: Instant,
    /// It let its lease end.
    pub(super) left: bool,
    /// It wrote what waited and stopped cleanly.
    closed: bool,
    /// What it saw of each scope when it looked last: its generation, and how often health was written.
    looked: BTreeMap<ScopeId, (Generation, u64)>,
}

impl NodeRow {
    /// Whether its lease holds.
    pub(super) fn holds(&self, now: Instant) -> bool {
        !self.left && now < self.lease_until
    }
}

impl Rows {
    /// Who has no lease writes nothing.
    pub(super) fn check_lease(&self, node: NodeId, now: Instant) -> Result<(), StoreError> {
        match self.nodes.get(&node) {
            Some(row) if row.holds(now) => Ok(()),
            _ => Err(StoreError::Fenced),
        }
    }

    /// Whether what this node owns may be taken over.
    pub(super) fn is_gone(&self, node: NodeId, now: Instant) -> bool {
        self.nodes.get(&node).is_none_or(|row| !row.holds(now))
    }
}

/// One node's handle.
pub struct MemoryNode {
    shared: Arc<Shared>,
    id: NodeId,
    was_clean: bool,
    registry: Arc<MemoryRegistry>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    scopes: BTreeMap<ScopeId, OpenScope>,
    closing: bool,
}

#[derive(Clone)]
struct OpenScope {
    scope: Arc<Scope>,
    rows: Arc<MemoryScope>,
    /// In real time, as of the last tidying; none before the first.
    last_used: Option<Instant>,
}

impl MemoryNode {
    pub(super) fn start(shared: Arc<Shared>, name: &str, lease: Span) -> Arc<MemoryNode> {
        let now = shared.schedule.now();
        let (id, was_clean, others) = {
            let mut rows = shared.rows();
            let was_clean = rows.nodes.values().all(|row| row.closed);
            let id = match rows.nodes.last_key_value() {
                _ if !shared.is_shared => NodeId::ONLY,
                Some((last, _)) => NodeId(last.0 + 1),
                None => NodeId(1),
            };
            let others: Vec<NodeId> = rows.nodes.keys().copied().filter(|other| *other != id).collect();
            let row = NodeRow {
                name: name.to_owned(),
                lease_until: now.plus(lease),
                left: false,
                closed: false,
                looked: BTreeMap::new(),
            };
            rows.nodes.insert(id, row);
            (id, was_clean, others)
        };
        shared.bells().nodes.insert(id, Bell::default());
        for other in others {
            shared.ring(other, None);
        }
        let registry = Arc::new(MemoryRegistry { shared: Arc::clone(&shared), node: id });
        Arc::new(MemoryNode { shared, id, was_clean, registry, open: Mutex::default() })
    }

    /// Its number.
    #[must_use]
    pub const fn id(&self) -> NodeId {
        self.id
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn found(&self, id: ScopeId) -> Result<Option<Arc<Scope>>, StoreError> {
        let open = self.open();
        if open.closing {
            return Err(StoreError::Closing);
        }
        Ok(open.scopes.get(&id).map(|open| Arc::clone(&open.scope)))
    }

    async fn opened(&self, id: ScopeId) -> Result<Arc<Scope>, StoreError> {
        if let Some(scope) = self.found(id)? {
            return Ok(scope);
        }
        let row = self.registry.scope(id).await?.ok_or(StoreError::NoScope(id.0))?;
        let keys = ScopeKeys::open(&self.shared.master, &row, Arc::clone(&self.shared.random))?;
        if let Some(scope) = self.found(id)? {
            return Ok(scope);
        }
        let rows = Arc::new(MemoryScope::open(Arc::clone(&self.shared), self.id, id));
        let scope = Arc::new(Scope::new(row, Arc::clone(&rows) as Arc<dyn ScopeRows>, keys));
        self.open().scopes.insert(id, OpenScope { scope: Arc::clone(&scope), rows, last_used: None });
        Ok(scope)
    }

    /// Takes out the scopes that nobody holds and that were not used for a while.
    fn take_idle(&self, now: Instant) -> Vec<(ScopeId, OpenScope)> {
        let mut open = self.open();
        for scope in open.scopes.values_mut() {
            let used = scope.rows.take_used() || scope.last_used.is_none_or(|at| at > now);
            if used || Arc::strong_count(&scope.scope) > 1 {
                scope.last_used = Some(now);
            }
        }
        let idle = |scope: &OpenScope| scope.last_used.is_some_and(|at| now.ms() - at.ms() >= IDLE_MS);
        let idle: Vec<ScopeId> = open.scopes.iter().filter(|(_, it)| idle(it)).map(|(id, _)| *id).collect();
        idle.into_iter().filter_map(|id| open.scopes.remove(&id).map(|scope| (id, scope))).collect()
    }

    async fn let_go(&self, scopes: Vec<(ScopeId, OpenScope)>) -> Result<(), StoreError> {
        for (id, scope) in scopes {
            scope.rows.close();
            self.shared.bells().events.remove(&(self.id, id));
            let wake_at = self.shared.rows().scopes.get(&id).and_then(|tables| {
                let is_open = |n| tables.live.contains_key(&n);
                if tables.attempts_where(|n, _| is_open(n)).any(|attempt| attempt.outcome.is_none()) {
                    return Some(Instant::from_ms(0));
                }
                if tables.endpoints_behind() > 0 {
                    return Some(Instant::from_ms(0));
                }
                let ahead_ms = tables.clock.get(&()).map_or(0, |clock| clock.advanced_by_ms);
                let next_try = tables.pending(None).map(|(at, _)| at).min();
                let earliest = tables.first_due(None).into_iter().chain(next_try).min();
                earliest.map(|at| Instant::from_ms(at.ms() - ahead_ms))
            });
            self.registry.set_wake_at(id, wake_at).await?;
        }
        Ok(())
    }
}

impl Store for MemoryNode {
    fn registry(&self) -> Arc<dyn Registry> {
        Arc::clone(&self.registry) as Arc<dyn Registry>
    }

    fn scope(&self, id: ScopeId) -> Answer<'_, Arc<Scope>> {
        Box::pin(self.opened(id))
    }

    fn nodes(&self) -> Arc<dyn Nodes> {
        Arc::new(MemoryNodes { shared: Arc::clone(&self.shared), id: self.id })
    }

    fn was_clean(&self) -> bool {
        self.was_clean
    }

    fn tidy(&self, now: Instant) -> Answer<'_, ()> {
        Box::pin(async move {
            self.let_go(self.take_idle(now)).await?;
            for tables in self.shared.rows().scopes.values_mut() {
                tables.early.retain(|_, row| now.ms() - row.at.ms() <= EARLY_RECEIPT_MS);
                tables.usage.retain(|(_, _, start), _| now.ms() - start.ms() <= USAGE_KEPT.ms());
            }
            Ok(())
        })
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            let scopes = {
                let mut open = self.open();
                open.closing = true;
                std::mem::take(&mut open.scopes)
            };
            let clean = !scopes.values().any(|open| open.rows.has_failed());
            self.let_go(scopes.into_iter().collect()).await?;
            if let Some(row) = self.shared.rows().nodes.get_mut(&self.id) {
                row.left = true;
                row.closed = clean;
            }
            self.shared.bells().nodes.remove(&self.id);
            Ok(())
        })
    }
}

/// The nodes, as one of them sees them.
struct MemoryNodes {
    shared: Arc<Shared>,
    id: NodeId,
}

impl Nodes for MemoryNodes {
    fn me(&self) -> NodeId {
        self.id
    }

    fn is_shared(&self) -> bool {
        self.shared.is_shared
    }

    fn renew(&self, lease: Span) -> Answer<'_, ()> {
        let (id, is_shared) = (self.id, self.shared.is_shared);
        self.shared.ask(id, Ask::Duty, move |shared| {
            let now = shared.schedule.now();
            let mut rows = shared.rows();
            if is_shared {
                rows.check_lease(id, now)?;
            }
            if let Some(row) = rows.nodes.get_mut(&id) {
                row.lease_until = now.plus(lease);
            }
            Ok(())
        })
    }

    fn company(&self) -> Answer<'_, Company> {
        let is_shared = self.shared.is_shared;
        self.shared.ask(self.id, Ask::Look, move |shared| {
            let now = shared.schedule.now();
            let rows = shared.rows();
            let alive = rows.nodes.iter().filter(|(_, row)| row.holds(now)).map(|(id, _)| *id).collect();
            let orphans = rows.scopes.iter().filter(|(_, tables)| {
                let mut under_way = tables.live.keys().chain(tables.unsettled.keys());
                is_shared && under_way.any(|n| tables.runs(*n).is_some_and(|owner| rows.is_gone(owner, now)))
            });
            let orphaned = orphans.map(|(scope, _)| *scope).collect();
            Ok(Company { alive, orphaned })
        })
    }

    fn leave(&self) -> Answer<'_, ()> {
        let id = self.id;
        self.shared.ask(id, Ask::Duty, move |shared| {
            if let Some(row) = shared.rows().nodes.get_mut(&id) {
                row.left = true;
            }
            let others: Vec<NodeId> = shared.bells().nodes.keys().copied().filter(|it| *it != id).collect();
            for other in others {
                shared.ring(other, None);
            }
            Ok(())
        })
    }

    fn rung(&self) -> watch::Receiver<u64> {
        self.shared.bells().nodes.entry(self.id).or_default().listen()
    }

    fn look(&self) -> Answer<'_, Vec<Seen>> {
        let id = self.id;
        self.shared.ask(id, Ask::Look, move |shared| {
            let mut newest = Vec::new();
            let seen = shared.rows().look(id, &mut newest);
            let mut bells = shared.bells();
            for (scope, newest) in newest {
                if let Some(bell) = bells.events.get_mut(&(id, scope)) {
                    bell.raise(newest);
                }
            }
            Ok(seen)
        })
    }
}

impl Rows {
    fn look(&mut self, id: NodeId, newest: &mut Vec<(ScopeId, i64)>) -> Vec<Seen> {
        let Some(node) = self.nodes.get_mut(&id) else { return Vec::new() };
        let mut all = Vec::new();
        for (scope, tables) in &self.scopes {
            newest.push((*scope, tables.heads.event));
            let generation = tables.generation.get(&()).copied().unwrap_or_default();
            let health = tables.health.get(&()).copied().unwrap_or_default();
            let before = node.looked.insert(*scope, (generation, health)).unwrap_or_default();
            let signals = tables.signals_of(id).next().is_some();
            if before != (generation, health) || signals {
                all.push(Seen { scope: *scope, generation, health: before.1 != health, signals });
            }
        }
        all
    }
}
