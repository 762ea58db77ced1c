//! The desks of all scopes, from start to stop.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{BoxFuture, join, join_all};
use tokio::sync::{OnceCell, RwLock};

use super::clock::Clocks;
use super::desk::{Context, Desk, UnderWay};
use super::front::Refusal;
use super::ids::RisingIds;
use super::nodes::Membership;
use super::retention::Passes;
use super::settings::Settings;
use crate::model::{Clock, Instant, ScopeId, Span};
use crate::providers::outbound::Outbound;
use crate::store::seal::Scope;
use crate::store::{Peers, Store, StoreError};

/// What else works on a scope that is open: the webhooks' workers.
pub trait Beside: Send + Sync + 'static {
    /// A scope was opened.
    fn opened(&self, scope: &Arc<Scope>);
    /// Whether it has nothing to do with a scope, and until when; `None` while it has.
    fn rests(&self, scope: ScopeId) -> Option<Option<Instant>>;
    /// Lets a scope go.
    fn close(&self, scope: ScopeId) -> BoxFuture<'_, ()>;
}

/// Everything that comes in from outside.
pub struct Setup {
    /// The rows.
    pub store: Arc<dyn Store>,
    /// Real time, and each scope's own.
    pub clocks: Arc<Clocks>,
    /// Where ids come from.
    pub ids: Arc<RisingIds>,
    /// How calls leave.
    pub outbound: Outbound,
    /// What an operator can set.
    pub settings: Settings,
    /// What else works on scopes.
    pub beside: Arc<dyn Beside>,
    /// What is known of the other nodes: kept up to date by the engine, which renews this one's lease.
    pub peers: Arc<Peers>,
}

/// The engine of a process.
pub struct Engine {
    pub(super) context: Arc<Context>,
    beside: Arc<dyn Beside>,
    desks: Mutex<BTreeMap<ScopeId, Arc<Open>>>,
    /// Scopes that were to be opened and could not be: they are tried again in the next round.
    unopened: Mutex<BTreeSet<ScopeId>>,
    /// When scopes that were let go have work again, of which the registry does not know: each node of
    /// a shared store has its own.
    wake_at: Mutex<BTreeMap<ScopeId, Instant>>,
    /// Shared while a scope is being opened, held alone while one is being let go.
    opening: RwLock<()>,
    /// Which scopes were looked through for what is old.
    passes: Arc<Passes>,
}

/// A scope's desk, opened once by whoever comes first.
#[derive(Default)]
pub(super) struct Open {
    pub(super) desk: OnceCell<Arc<Desk>>,
    used_at: Mutex<Option<Instant>>,
}

/// How long a scope stays open that nobody uses.
const IDLE: Span = Span::from_s(300);
/// How often that is looked at.
const ROUND: Span = Span::from_s(30);
/// How long a stop waits for what is under way.
const STOP_WITHIN: Span = Span::from_s(8);

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Engine")
    }
}

impl Engine {
    /// Starts: scopes with work are opened, all of them after an unclean stop.
    ///
    /// # Errors
    /// Where the registry cannot be read. A scope that cannot be opened is told of in the log, and
    /// stops no other.
    pub async fn start(setup: Setup) -> Result<Arc<Engine>, StoreError> {
        let (nodes, lease) = (setup.store.nodes(), setup.settings.lease);
        let context = Context {
            store: setup.store,
            clocks: setup.clocks,
            ids: setup.ids,
            outbound: setup.outbound,
            settings: setup.settings,
            peers: Arc::clone(&setup.peers),
            stopping: AtomicBool::new(false),
            calls_nobody: AtomicBool::new(false),
            under_way: UnderWay::default(),
            nodes: Membership::new(nodes, setup.peers, lease),
            left: AtomicBool::new(false),
        };
        let engine = Arc::new(Engine {
            context: Arc::new(context),
            beside: setup.beside,
            desks: Mutex::default(),
            unopened: Mutex::default(),
            wake_at: Mutex::default(),
            opening: RwLock::default(),
            passes: Arc::default(),
        });
        engine.join().await?;
        if !engine.context.nodes.is_shared {
            let all = !engine.context.store.was_clean();
            engine.wake_scopes(all).await?;
        }
        let tending = Arc::downgrade(&engine);
        tokio::spawn(async move {
            loop {
                let Some(engine) = tending.upgrade() else { return };
                if engine.context.stopping.load(Ordering::Acquire) {
                    return;
                }
                let clocks = Arc::clone(&engine.context.clocks);
                let until = clocks.real_now().plus(ROUND);
                engine.tend().await;
                drop(engine);
                clocks.real_until(until).await;
            }
        });
        Ok(engine)
    }

    /// Opens the scopes that have work now; all, if asked.
    pub(super) async fn wake_scopes(&self, all: bool) -> Result<(), StoreError> {
        let soon = self.context.clocks.real_now().plus(ROUND);
        for row in self.context.store.registry().scopes().await? {
            let is_open = self.desks().get(&row.id).is_some_and(|open| open.desk.initialized());
            let wake_at = if self.context.nodes.is_shared { self.own_wake_at(row.id) } else { row.wake_at };
            let is_left = self.unopened.lock().unwrap_or_else(PoisonError::into_inner).remove(&row.id);
            if is_open || !all && !is_left && wake_at.is_none_or(|at| at > soon) {
                continue;
            }
            let opened = match self.context.store.scope(row.id).await {
                Ok(scope) => self.desk(&scope).await.map(|_| ()),
                Err(error) => Err(error.into()),
            };
            if let Err(error) = opened {
                tracing::error!(scope = %row.id, %error, "a scope cannot be opened");
                self.unopened.lock().unwrap_or_else(PoisonError::into_inner).insert(row.id);
            }
        }
        Ok(())
    }

    /// Opens what has work, closes what has none, and lets the store tidy up.
    async fn tend(&self) {
        let now = self.context.clocks.real_now();
        if let Err(error) = self.wake_scopes(false).await {
            tracing::warn!(%error, "the registry cannot be read");
        }
        let open: Vec<_> = self.desks().iter().map(|(id, open)| (*id, Arc::clone(open))).collect();
        for (id, open) in open {
            let Some(desk) = open.desk.get() else { continue };
            // Where one is being opened, the next round closes.
            let Ok(_alone) = self.opening.try_write() else { break };
            let used = *open.used_at.lock().unwrap_or_else(PoisonError::into_inner);
            let idle = used.is_none_or(|used| now.since(used) >= IDLE);
            let (Some(own), Some(beside)) = (desk.rest(), self.beside.rests(id)) else { continue };
            let wake_at = own.into_iter().chain(beside).min();
            let later = desk.now().plus(IDLE);
            if idle && wake_at.is_none_or(|at| at > later) {
                let ahead = desk.now().ms() - now.ms();
                let wake_at = wake_at.map(|at| Instant::from_ms(at.ms() - ahead));
                if !self.let_go(id, &open, own) {
                    continue;
                }
                self.close_desk(id, desk).await;
                if self.context.nodes.is_shared {
                    let mut own = self.wake_at.lock().unwrap_or_else(PoisonError::into_inner);
                    own.remove(&id);
                    own.extend(wake_at.map(|at| (id, at)));
                } else if let Err(error) = self.context.store.registry().set_wake_at(id, wake_at).await {
                    tracing::warn!(scope = %id, %error, "when the scope has work is not noted");
                }
            }
        }
        if let Err(error) = self.context.store.tidy(now).await {
            tracing::warn!(%error, "the store could not tidy up");
        }
        if let Err(error) = self.drop_old(now).await {
            tracing::warn!(%error, "what is old is not dropped now");
        }
    }

    /// Begins to let go of what is old: in the scopes that are open, and in one that nobody has used for
    /// long.
    async fn drop_old(&self, now: Instant) -> Result<(), StoreError> {
        let kept = self.context.settings.retention;
        let registry = self.context.store.registry();
        if let Some(kept) = kept.idempotency {
            registry.drop_kept(Instant::from_ms(now.ms().saturating_sub(kept.ms()))).await?;
        }
        let open: Vec<_> = self.desks().values().filter_map(|open| open.desk.get().cloned()).collect();
        for desk in &open {
            self.passes.begin(desk);
        }
        if kept.messages.is_some() || kept.events.is_some() {
            let scopes = registry.scopes().await?;
            let closed = scopes.iter().map(|row| row.id).filter(|id| !self.desks().contains_key(id));
            if let Some(id) = self.passes.neglected(closed, now) {
                // One that cannot be opened is not the one that is tried each time.
                self.passes.note(id, now);
                let scope = self.context.store.scope(id).await?;
                if let Ok(desk) = self.desk(&scope).await {
                    self.passes.begin(&desk);
                }
            }
        }
        Ok(())
    }

    /// When a scope that this node let go has work for it again.
    fn own_wake_at(&self, scope: ScopeId) -> Option<Instant> {
        self.wake_at.lock().unwrap_or_else(PoisonError::into_inner).get(&scope).copied()
    }

    /// Takes a desk out of those that are open, unless somebody has it in hand.
    fn let_go(&self, id: ScopeId, open: &Arc<Open>, own: Option<Instant>) -> bool {
        let mut desks = self.desks();
        // The table has the place, and so has who asks; the place has the desk, and so has its timer.
        // What it waits for is asked once more, now that nobody can come to it.
        let still = |desk: &Arc<Desk>| Arc::strong_count(desk) <= 2 && desk.rest() == Some(own);
        let free = Arc::strong_count(open) <= 2 && open.desk.get().is_none_or(still);
        if free {
            desks.remove(&id);
        }
        free
    }

    /// Ends what works on a desk's scope, so that nobody holds the scope any more.
    async fn close_desk(&self, id: ScopeId, desk: &Arc<Desk>) {
        desk.closed.store(true, Ordering::Release);
        desk.wake.notify_one();
        self.beside.close(id).await;
    }

    /// The desk of a scope, opened where it is not.
    pub(super) async fn desk(&self, scope: &Arc<Scope>) -> Result<Arc<Desk>, Refusal> {
        let desk = self.opened(scope).await?;
        desk.take_settings().await?;
        Ok(desk)
    }

    async fn opened(&self, scope: &Arc<Scope>) -> Result<Arc<Desk>, Refusal> {
        if self.context.nodes.is_fenced() {
            return Err(Refusal::ShuttingDown);
        }
        let open = Arc::clone(self.desks().entry(scope.id()).or_default());
        *open.used_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.context.clocks.real_now());
        if let Some(desk) = open.desk.get() {
            return Ok(Arc::clone(desk));
        }
        if self.context.stopping.load(Ordering::Acquire) {
            return Err(Refusal::ShuttingDown);
        }
        let _opening = self.opening.read().await;
        let (context, beside, scope) =
            (Arc::clone(&self.context), Arc::clone(&self.beside), Arc::clone(scope));
        // In a task of its own: what a start has begun is not dropped with the request that asked.
        let opening = tokio::spawn(async move {
            let desk = open.desk.get_or_try_init(|| async {
                let desk = Desk::open(context, Arc::clone(&scope)).await?;
                beside.opened(&scope);
                desk.recover().await?;
                tokio::spawn(Arc::clone(&desk).run_timers());
                Ok::<_, StoreError>(desk)
            });
            desk.await.map(Arc::clone)
        });
        Ok(opening.await.map_err(|_| StoreError::Closing)??)
    }

    /// How many messages are in memory, in all scopes: those under way, those due soon, those that
    /// wait for a place, and what was used a moment ago.
    #[must_use]
    pub fn held(&self) -> usize {
        let open: Vec<_> = self.desks().values().cloned().collect();
        open.iter().filter_map(|open| open.desk.get()).map(|desk| desk.held()).sum()
    }

    pub(super) fn desks(&self) -> MutexGuard<'_, BTreeMap<ScopeId, Arc<Open>>> {
        self.desks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The desks that are open, in the order of their scopes.
    pub(super) fn open_desks(&self) -> Vec<Arc<Desk>> {
        self.desks().values().filter_map(|open| open.desk.get().cloned()).collect()
    }

    /// The desk of a scope, where it is open.
    pub(super) fn opened_desk(&self, scope: ScopeId) -> Option<Arc<Desk>> {
        self.desks().get(&scope).and_then(|open| open.desk.get().cloned())
    }

    /// Ends once this node's lease on a shared store has ended while it still runs: others go on with
    /// its work, and the process is to be started anew. Never, where there is no lease.
    pub async fn fenced(&self) {
        self.context.nodes.fenced().await;
    }

    /// Forgets all that is in memory: others go on with it.
    pub(super) async fn drop_all(&self) {
        self.begin_stop();
        self.context.stopping.store(true, Ordering::Release);
        let open = std::mem::take(&mut *self.desks());
        for (id, open) in open {
            if let Some(desk) = open.desk.get() {
                self.close_desk(id, desk).await;
            }
        }
    }

    /// Waits until no change and no call is under way. What is due only later is not waited for.
    pub async fn idle(&self) {
        self.context.under_way.none().await;
    }

    /// From now on no new call of a provider is begun: what follows waits for whoever goes on with it.
    /// Requests are still taken in, until [`Self::stop`].
    pub fn begin_stop(&self) {
        self.context.calls_nobody.store(true, Ordering::Release);
    }

    /// Takes nothing more in, and waits for what is under way, not for ever: a call without an answer
    /// by then is in doubt at the next start, and an event that was being told is told again.
    pub async fn stop(&self) {
        self.begin_stop();
        self.context.stopping.store(true, Ordering::Release);
        let open: Vec<_> = self.desks().iter().map(|(id, open)| (*id, Arc::clone(open))).collect();
        for desk in open.iter().filter_map(|(_, open)| open.desk.get()) {
            desk.wake.notify_one();
        }
        let end = self.context.clocks.real_now().plus(STOP_WITHIN);
        // Both at once, and both before the lease ends: who goes on with an endpoint then would else try
        // what is being tried here.
        let beside = join_all(open.iter().map(|(id, _)| self.beside.close(*id)));
        tokio::select! {
            biased;
            _ = join(self.context.under_way.none(), beside) => {}
            () = self.context.clocks.real_until(end) => {
                tracing::warn!("stopping with calls under way: they are in doubt for who goes on with them");
            }
        }
        for (id, open) in open {
            if let Some(desk) = open.desk.get() {
                // When each is to be opened again, the store notes as it closes.
                self.desks().remove(&id);
                self.close_desk(id, desk).await;
            }
        }
        if self.context.nodes.is_shared && !self.context.left.swap(true, Ordering::AcqRel) {
            // The last: nothing can be written afterwards, and others take over what is left at once.
            if let Err(error) = self.context.nodes.leave().await {
                tracing::warn!(%error, "others take over only once this node's lease has ended");
            }
            self.context.clocks.end_lease();
        }
    }
}
