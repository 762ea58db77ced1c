//! The desks of all scopes, and the engine as the REST surface sees it.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::header::HeaderMap;
use serde_json::Value;
use tokio::sync::{OnceCell, RwLock};

use super::clock::Clocks;
use super::desk::{Context, Desk, UnderWay};
use super::front::{BatchItem, Changed, Claim, Front, Going, ProviderKind, Refusal, SeqPage, Taken};
use super::ids::RisingIds;
use super::settings::Settings;
use super::tell::read_event;
use crate::model::shapes::{Breaker, Confirm, Event, Message, SendMessage, TestClock, TestReply, Transition};
use crate::model::{Clock, Fault, Id, Instant, ScopeId, Span, kinds};
use crate::providers::kind;
use crate::providers::outbound::Outbound;
use crate::store::rows::{EventFilter, KeptAnswer, MessageFilter};
use crate::store::seal::Scope;
use crate::store::{Change, Committed, Listed, Page, Positioned, Store, StoreError};

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
}

/// The engine of a process.
pub struct Engine {
    context: Arc<Context>,
    beside: Arc<dyn Beside>,
    desks: Mutex<HashMap<ScopeId, Arc<Open>>>,
    /// Shared while a scope is being opened, held alone while one is being let go.
    opening: RwLock<()>,
}

/// A scope's desk, opened once by whoever comes first.
#[derive(Default)]
struct Open {
    desk: OnceCell<Arc<Desk>>,
    used_at: Mutex<Option<Instant>>,
}

/// How long a scope stays open that nobody uses.
const IDLE: Span = Span::from_s(300);
/// How often that is looked at.
const ROUND: Span = Span::from_s(30);
/// How long a stop waits for what is under way.
const STOP_WITHIN: Duration = Duration::from_secs(8);

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
        let context = Context {
            store: setup.store,
            clocks: setup.clocks,
            ids: setup.ids,
            outbound: setup.outbound,
            settings: setup.settings,
            stopping: AtomicBool::new(false),
            under_way: UnderWay::default(),
        };
        let engine = Arc::new(Engine {
            context: Arc::new(context),
            beside: setup.beside,
            desks: Mutex::default(),
            opening: RwLock::default(),
        });
        let all = !engine.context.store.was_clean();
        engine.wake_scopes(all).await?;
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
    async fn wake_scopes(&self, all: bool) -> Result<(), StoreError> {
        let soon = self.context.clocks.real_now().plus(ROUND);
        for row in self.context.store.registry().scopes().await? {
            let is_open = self.desks().get(&row.id).is_some_and(|open| open.desk.initialized());
            if is_open || !all && row.wake_at.is_none_or(|at| at > soon) {
                continue;
            }
            let opened = match self.context.store.scope(row.id).await {
                Ok(scope) => self.desk(&scope).await.map(|_| ()),
                Err(error) => Err(error.into()),
            };
            if let Err(error) = opened {
                tracing::error!(scope = %row.id, %error, "a scope cannot be opened");
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
                if let Err(error) = self.context.store.registry().set_wake_at(id, wake_at).await {
                    tracing::warn!(scope = %id, %error, "when the scope has work is not noted");
                }
            }
        }
        if let Err(error) = self.context.store.tidy(now).await {
            tracing::warn!(%error, "the store could not tidy up");
        }
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
    async fn desk(&self, scope: &Arc<Scope>) -> Result<Arc<Desk>, Refusal> {
        let desk = self.opened(scope).await?;
        desk.take_settings().await?;
        Ok(desk)
    }

    async fn opened(&self, scope: &Arc<Scope>) -> Result<Arc<Desk>, Refusal> {
        let open = Arc::clone(self.desks().entry(scope.id()).or_default());
        *open.used_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.context.clocks.real_now());
        if let Some(desk) = open.desk.get() {
            return Ok(Arc::clone(desk));
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

    fn desks(&self) -> MutexGuard<'_, HashMap<ScopeId, Arc<Open>>> {
        self.desks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no change and no call is under way. What is due only later is not waited for.
    pub async fn idle(&self) {
        self.context.under_way.none().await;
    }

    /// Takes nothing more in, and waits for what is under way, not for ever: a call without an answer
    /// by then is in doubt at the next start.
    pub async fn stop(&self) {
        self.context.stopping.store(true, Ordering::Release);
        let open: Vec<_> = self.desks().iter().map(|(id, open)| (*id, Arc::clone(open))).collect();
        for desk in open.iter().filter_map(|(_, open)| open.desk.get()) {
            desk.wake.notify_one();
        }
        if tokio::time::timeout(STOP_WITHIN, self.context.under_way.none()).await.is_err() {
            tracing::warn!("stopping with calls under way: they are in doubt at the next start");
        }
        for (id, open) in open {
            if let Some(desk) = open.desk.get() {
                // When each is to be opened again, the store notes as it closes.
                self.desks().remove(&id);
                self.close_desk(id, desk).await;
            }
        }
    }
}

impl Front for Engine {
    fn is_ready(&self) -> bool {
        let failed = |open: &Arc<Open>| open.desk.get().is_some_and(|desk| desk.scope.has_failed());
        !self.context.stopping.load(Ordering::Acquire) && !self.desks().values().any(failed)
    }

    fn open(&self, scope: ScopeId) -> Going<'_, Arc<Scope>> {
        let open = self.desks().get(&scope).cloned();
        Box::pin(async move {
            if let Some(desk) = open.as_ref().and_then(|open| open.desk.get()) {
                return Ok(Arc::clone(&desk.scope));
            }
            let scope = self.context.store.scope(scope).await?;
            self.desk(&scope).await?;
            Ok(scope)
        })
    }

    fn send(&self, scope: Arc<Scope>, request: Box<SendMessage>, claim: Claim) -> Going<'_, Taken<Vec<u8>>> {
        Box::pin(async move { self.desk(&scope).await?.send(*request, claim).await })
    }

    fn send_batch<'a>(
        &'a self,
        scope: Arc<Scope>,
        items: Vec<BatchItem>,
        claim: Claim,
        refuse: &'a (dyn Fn(Refusal) -> (u16, Value) + Send + Sync),
    ) -> Going<'a, Taken<Vec<u8>>> {
        Box::pin(async move { self.desk(&scope).await?.send_batch(items, claim, refuse).await })
    }

    fn kept_body(&self, scope: Arc<Scope>, kept: KeptAnswer) -> Going<'_, Option<Vec<u8>>> {
        Box::pin(async move { Ok(self.desk(&scope).await?.kept_body(kept).await?) })
    }

    fn message(&self, scope: Arc<Scope>, id: Id<kinds::Message>) -> Going<'_, Message> {
        Box::pin(async move { self.desk(&scope).await?.show(id).await })
    }

    fn messages(&self, scope: Arc<Scope>, filter: MessageFilter, page: Page) -> Going<'_, Listed<Message>> {
        Box::pin(async move { self.desk(&scope).await?.list(filter, page).await })
    }

    fn cancel(&self, scope: Arc<Scope>, id: Id<kinds::Message>, claim: Claim) -> Going<'_, Taken<Vec<u8>>> {
        Box::pin(async move { self.desk(&scope).await?.cancel(id, claim).await })
    }

    fn confirm(
        &self,
        scope: Arc<Scope>,
        id: Id<kinds::Message>,
        what: Confirm,
        claim: Claim,
    ) -> Going<'_, Taken<Vec<u8>>> {
        Box::pin(async move { self.desk(&scope).await?.confirm(id, what, claim).await })
    }

    fn transitions(
        &self,
        scope: Arc<Scope>,
        id: Id<kinds::Message>,
        page: SeqPage,
    ) -> Going<'_, (Vec<Transition>, bool)> {
        Box::pin(async move { self.desk(&scope).await?.transitions(id, page).await })
    }

    fn event(&self, scope: Arc<Scope>, id: Id<kinds::Event>) -> Going<'_, Event> {
        Box::pin(async move {
            let stored = scope.event(id).await?.ok_or(Refusal::NotFound)?;
            Ok(read_event(&scope, &stored).await?)
        })
    }

    fn events(&self, scope: Arc<Scope>, filter: EventFilter, page: Page) -> Going<'_, Listed<Event>> {
        Box::pin(async move {
            let listed = scope.events(filter, page).await?;
            let mut rows = Vec::with_capacity(listed.rows.len());
            for Positioned { n, row } in &listed.rows {
                rows.push(Positioned { n: *n, row: read_event(&scope, row).await? });
            }
            Ok(Listed { rows, has_more: listed.has_more })
        })
    }

    fn erase(&self, scope: Arc<Scope>, contact: Id<kinds::Contact>, change: Change) -> Going<'_, Taken<()>> {
        Box::pin(async move { self.desk(&scope).await?.erase(contact, change).await })
    }

    fn changed(&self, scope: ScopeId, what: Changed) {
        let open = self.desks().get(&scope).cloned();
        let Some(desk) = open.as_ref().and_then(|open| open.desk.get()).cloned() else { return };
        match what {
            Changed::Contact(_) => desk.people_changed(),
            Changed::Policy(name) => desk.policies.changed(&name),
            Changed::Template(name) => desk.templates.changed(&name),
            Changed::Provider(_) | Changed::Quota => desk.settings_changed(),
        }
    }

    fn breakers(&self, scope: Arc<Scope>) -> Going<'_, BTreeMap<String, Breaker>> {
        Box::pin(async move {
            let desk = self.desk(&scope).await?;
            let (now, state) = (desk.now(), desk.state());
            let shown =
                state.providers.names().map(|(name, p)| (name.to_owned(), p.breaker.shown(name, now)));
            Ok(shown.collect())
        })
    }

    fn reset_breaker(&self, scope: Arc<Scope>, provider: String, mut change: Change) -> Going<'_, Taken<()>> {
        Box::pin(async move {
            let desk = self.desk(&scope).await?;
            {
                let mut state = desk.state();
                if state.providers.reset(&provider) {
                    let now = desk.now();
                    let event = desk.circuit(&state, &provider, super::breaker::Switched::Reset, now)?;
                    change.events.push(event);
                }
                change.provider_states.push(state.providers.state_row(&provider)?);
            }
            match desk.commit(change, &mut []).await? {
                Committed::Applied(_) => Ok(Taken::Done(())),
                Committed::Replayed(kept) => Ok(Taken::Replayed(kept)),
            }
        })
    }

    fn usage(&self, scope: Arc<Scope>) -> Going<'_, BTreeMap<String, (u64, u64)>> {
        Box::pin(async move {
            let desk = self.desk(&scope).await?;
            let now = desk.now();
            let usage = desk.state().quotas.usage(now);
            Ok(usage)
        })
    }

    fn test_clock(&self, scope: Arc<Scope>) -> Going<'_, TestClock> {
        Box::pin(async move { Ok(self.desk(&scope).await?.test_clock().await?) })
    }

    fn advance(&self, scope: Arc<Scope>, by: Span, claim: Claim) -> Going<'_, Taken<TestClock>> {
        Box::pin(async move { self.desk(&scope).await?.advance(by, claim).await })
    }

    fn reply(&self, scope: Arc<Scope>, reply: TestReply, claim: Claim) -> Going<'_, Taken<()>> {
        Box::pin(async move { self.desk(&scope).await?.test_reply(reply, claim).await })
    }

    fn callback(&self, provider: Id<kinds::Provider>, headers: HeaderMap, body: Vec<u8>) -> Going<'_, ()> {
        Box::pin(async move {
            let id = self.context.store.registry().provider_scope(provider).await?;
            let id = id.ok_or(Refusal::Unverified)?;
            let scope = self.context.store.scope(id).await?;
            let desk = self.desk(&scope).await?;
            // What follows from a receipt is done also where its sender hangs up.
            let taken = tokio::spawn(async move { desk.callback(provider, &headers, &body).await });
            taken.await.map_err(|_| StoreError::Closing)?
        })
    }

    fn check_url<'a>(&'a self, url: &'a str) -> Going<'a, Option<String>> {
        Box::pin(
            async move { Ok(self.context.outbound.check(url).await.err().map(|error| error.to_string())) },
        )
    }

    fn check_provider<'a>(
        &'a self,
        name: &'a str,
        settings: &'a Value,
        credentials: &'a Value,
    ) -> Going<'a, ProviderKind> {
        Box::pin(async move {
            let Some(found) = kind(name) else {
                let known: Vec<_> = crate::providers::KINDS.iter().map(|kind| kind.name()).collect();
                let message = format!("is not a kind of provider; write one of `{}`", known.join("`, `"));
                return Err(Refusal::Invalid(vec![Fault::new("/kind", message)]));
            };
            let mut faults = found.check(settings, credentials);
            for (pointer, url) in found.urls(settings) {
                if let Some(wrong) = self.check_url(&url).await? {
                    faults.push(Fault::new(pointer, wrong));
                }
            }
            if !faults.is_empty() {
                return Err(Refusal::Invalid(faults));
            }
            let channels = found.channels().to_vec();
            let confirms =
                channels.iter().map(|channel| (*channel, found.confirms(*channel).to_vec())).collect();
            Ok(ProviderKind { channels, confirms })
        })
    }
}
