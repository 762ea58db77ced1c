//! The workers of all scopes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::duty::{Duties, Taken};
use super::endpoint::{Endpoint, EndpointError};
use super::rests::{Rest, Rests};
use super::send::send;
use super::settle;
use super::start::Start;
use super::worker::{self, STORE_PAUSE};
use super::{DisabledBy, Outside, Settings, pending};
use crate::model::shapes::{Delivery, Event, EventType};
use crate::model::{Id, Instant, ScopeId, Span, kinds};
use crate::providers::signature::Secret;
use crate::store::seal::Scope;
use crate::store::{Change, EndpointChange, Page, PageStart, Put, StoreError};

/// How many endpoints are read at once.
const PAGE_ROWS: u32 = 100;
/// How often is looked at what other nodes have changed, where there may be others.
const LOOK_AGAIN: Span = Span::from_s(1);

/// Events on their way out, of every scope that is open.
pub struct Webhooks {
    outside: Outside,
    settings: Settings,
    scopes: Mutex<HashMap<ScopeId, Running>>,
    /// The ends of those that are being closed.
    closing: Mutex<HashMap<ScopeId, CancellationToken>>,
}

/// One scope's workers.
struct Running {
    poke: watch::Sender<u64>,
    stop: CancellationToken,
    rests: Arc<Rests>,
    /// Cancelled once nothing of it runs any more.
    ended: CancellationToken,
    supervisor: JoinHandle<()>,
}

/// Whether a scope's file may be closed, as far as webhooks go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resting {
    /// Something is under way.
    No,
    /// Nothing to do before this instant on the scope's clock; never, without one.
    Until(Option<Instant>),
}

impl std::fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhooks").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Webhooks {
    /// None open yet.
    #[must_use]
    pub fn new(outside: Outside, settings: Settings) -> Webhooks {
        Webhooks { outside, settings, scopes: Mutex::default(), closing: Mutex::default() }
    }

    /// Starts the workers of a scope; nothing where they run. To be called within the runtime, when
    /// a scope is opened. Holds the scope until [`Webhooks::close`].
    pub fn open(&self, scope: &Arc<Scope>) {
        let mut scopes = self.scopes();
        if scopes.get(&scope.id()).is_some_and(|running| !running.supervisor.is_finished()) {
            return;
        }
        let (poke, poked) = watch::channel(0);
        let (stop, rests) = (CancellationToken::new(), Arc::new(Rests::default()));
        let supervised = Supervised {
            outside: self.outside.clone(),
            settings: self.settings,
            scope: Arc::clone(scope),
            poked,
            stop: stop.clone(),
            rests: Arc::clone(&rests),
        };
        let ended = CancellationToken::new();
        let ends = ended.clone().drop_guard();
        let supervisor = tokio::spawn(async move {
            let _ends = ends;
            supervise(supervised).await;
        });
        scopes.insert(scope.id(), Running { poke, stop, rests, ended, supervisor });
    }

    /// Tells the workers of a scope that endpoints or deliveries were changed, durably: an endpoint
    /// was made, set or deleted, or a dead letter replayed.
    pub fn poke(&self, scope: ScopeId) {
        if let Some(running) = self.scopes().get(&scope) {
            running.poke.send_modify(|times| *times = times.wrapping_add(1));
        }
    }

    /// Whether a scope's workers have nothing to do, and until when.
    #[must_use]
    pub fn resting(&self, scope: ScopeId) -> Resting {
        match self.scopes().get(&scope).map(|running| running.rests.all()) {
            Some(Rest::Busy) => Resting::No,
            Some(Rest::Until(at)) => Resting::Until(at),
            None => Resting::Until(None),
        }
    }

    /// Stops a scope's workers: no new try begins, those under way are waited for and written. To be
    /// given up by dropping the future, which leaves them to be tried again.
    pub async fn close(&self, scope: ScopeId) {
        let running = self.scopes().remove(&scope);
        let Some(running) = running else {
            // Whoever closes it too waits for the same end.
            let closing = self.closing().get(&scope).cloned();
            if let Some(ended) = closing {
                ended.cancelled().await;
            }
            return;
        };
        {
            let mut closing = self.closing();
            closing.retain(|_, ended| !ended.is_cancelled());
            closing.insert(scope, running.ended);
        }
        running.stop.cancel();
        let mut supervisor = tokio_util::task::AbortOnDropHandle::new(running.supervisor);
        // A supervisor that panicked has nothing to wait for.
        let _ = (&mut supervisor).await;
    }

    fn closing(&self) -> MutexGuard<'_, HashMap<ScopeId, CancellationToken>> {
        self.closing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops the workers of all scopes, as [`Webhooks::close`] does.
    pub async fn stop(&self) {
        let open: Vec<ScopeId> = self.scopes().keys().copied().collect();
        join_all(open.into_iter().map(|scope| self.close(scope))).await;
    }

    /// How many endpoints a scope may have.
    #[must_use]
    pub const fn endpoints_max(&self) -> u32 {
        self.settings.endpoints_max
    }

    /// Whether a scope has as many endpoints as it may.
    ///
    /// # Errors
    /// Those of reading.
    pub async fn is_full(&self, scope: &Scope) -> Result<bool, StoreError> {
        let (mut count, mut start) = (0_u32, PageStart::Newest);
        loop {
            let page = scope.endpoints(Page { start, limit: PAGE_ROWS }).await?;
            count = count.saturating_add(u32::try_from(page.rows.len()).unwrap_or(u32::MAX));
            match page.rows.last() {
                Some(last) if page.has_more => start = PageStart::After(last.n),
                _ => return Ok(count >= self.settings.endpoints_max),
            }
        }
    }

    /// What making an endpoint writes: nothing, and a conflict, where there are as many as may be.
    #[must_use]
    pub fn made(&self, endpoint: &Endpoint) -> Change {
        let make = EndpointChange::Make(endpoint.row(), self.settings.endpoints_max);
        Change { endpoints: vec![make], ..Change::default() }
    }

    /// A ping to an endpoint: tried once, in no list, and of no weight for the endpoint's health.
    /// Nothing is sent before [`Ping::send`].
    ///
    /// # Errors
    /// Where the endpoint's secrets do not open.
    pub fn ping(&self, scope: &Scope, endpoint: &Endpoint) -> Result<Ping, EndpointError> {
        let now = self.outside.clock.scope_now(scope.id());
        let event = Event {
            id: self.outside.ids.mint(),
            r#type: EventType::WebhookPing,
            timestamp: now,
            sequence: None,
            data: serde_json::json!({"endpoint_id": endpoint.id}),
        };
        Ok(Ping {
            delivery: pending(self.outside.ids.mint(), event.id, endpoint.id, now),
            outside: self.outside.clone(),
            scope: scope.id(),
            url: endpoint.url(),
            secrets: endpoint.secrets(scope)?.at(now),
            body: serde_json::to_vec(&event).unwrap_or_default(),
        })
    }

    /// What disabling an endpoint at its owner's request writes: its row, its pending deliveries
    /// as dead, and the event that tells the others. Empty where it is disabled already. `endpoint`
    /// may hold other changes of its owner's, which are written too.
    #[must_use]
    pub fn disabled(&self, endpoint: &Endpoint, now: Instant) -> Change {
        settle::disable(&self.outside, endpoint, DisabledBy::Request, now).change
    }

    /// What enabling an endpoint again writes: its row, with a clean health, and its position, which
    /// passes what happened meanwhile. `endpoint` may hold other changes of its owner's.
    #[must_use]
    pub fn enabled(&self, scope: &Scope, endpoint: &Endpoint) -> Change {
        let mut now = endpoint.clone();
        now.enable();
        let newest = *scope.newest_event().borrow();
        let put = EndpointChange::Put(Put { row: now.row(), expected: Some(endpoint.version) });
        Change { endpoints: vec![put, EndpointChange::Advance(now.id, newest)], ..Change::default() }
    }

    fn scopes(&self) -> MutexGuard<'_, HashMap<ScopeId, Running>> {
        self.scopes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Webhooks {
    fn drop(&mut self) {
        for running in self.scopes().values() {
            running.supervisor.abort();
        }
    }
}

/// A ping that is ready to be sent.
pub struct Ping {
    /// The delivery as it begins.
    pub delivery: Delivery,
    outside: Outside,
    scope: ScopeId,
    url: Option<Url>,
    secrets: Vec<Secret>,
    body: Vec<u8>,
}

impl Ping {
    /// Sends it, without waiting for what comes of it. To be called within the runtime.
    pub fn send(self) {
        tokio::spawn(async move {
            let event = self.delivery.event_id;
            send(&self.outside, self.scope, self.url.as_ref(), &self.secrets, event, self.body).await
        });
    }
}

/// What a scope's supervisor is given.
struct Supervised {
    outside: Outside,
    settings: Settings,
    scope: Arc<Scope>,
    poked: watch::Receiver<u64>,
    stop: CancellationToken,
    rests: Arc<Rests>,
}

/// Keeps a worker for each enabled endpoint whose duty this node has, until told to stop. One that
/// failed is started again after a pause; they end with this one.
async fn supervise(mut given: Supervised) {
    let mut workers = JoinSet::new();
    let peers = Arc::clone(&given.outside.peers);
    let mut others = peers.watch();
    let mut duties = Duties::new(Arc::clone(&given.scope), Arc::clone(&peers));
    let refresh = watch::Sender::new(0_u64);
    let (mut pause, mut poll) = (None, None);
    loop {
        if !given.stop.is_cancelled() && pause.is_none() {
            let mut taken = Vec::new();
            let looked = given.look(&mut duties, &refresh, &mut taken).await;
            for Taken { id, stop } in taken {
                let work = worker::run(given.start(id, stop), refresh.subscribe());
                workers.spawn(async move { (id, work.await) });
            }
            match looked {
                Ok(()) => {}
                Err(error) if is_final(&error) => return given.end(&error, workers).await,
                Err(error) => pause = Some(given.failed(&error.into())),
            }
            poll = peers.is_shared().then(|| given.now().plus(LOOK_AGAIN));
        }
        if given.stop.is_cancelled() && workers.is_empty() {
            // Others need not wait for the lease to end; where this fails, they do.
            let _ = duties.unwish().await;
            return;
        }
        let (clock, scope) = (&given.outside.clock, given.scope.id());
        let going = !given.stop.is_cancelled();
        tokio::select! {
            biased;
            Some(ended) = workers.join_next(), if !workers.is_empty() => match ended {
                Ok((id, done)) => {
                    let let_go = duties.let_go(id).await.map_err(EndpointError::from);
                    match done.and(let_go) {
                        Ok(()) => {}
                        Err(EndpointError::Store(error)) if is_final(&error) => {
                            return given.end(&error, workers).await;
                        }
                        Err(error) => pause = Some(given.failed(&error)),
                    }
                }
                Err(_) => {
                    // A worker that panicked does not say which it was: start all that do not run.
                    tracing::error!(scope = %scope, "a webhook worker panicked");
                    workers.abort_all();
                    duties.start_anew();
                    while workers.join_next().await.is_some() {}
                }
            },
            changed = given.poked.changed(), if going => {
                if changed.is_err() {
                    given.stop.cancel();
                }
                refresh.send_modify(|times| *times = times.wrapping_add(1));
            }
            Ok(()) = others.changed(), if going => {}
            () = given.stop.cancelled(), if going => {}
            () = worker::until(clock.as_ref(), scope, poll), if going && pause.is_none() => {}
            () = worker::until(clock.as_ref(), scope, pause) => pause = None,
        }
    }
}

impl Supervised {
    fn now(&self) -> Instant {
        self.outside.clock.scope_now(self.scope.id())
    }

    /// Takes the duties that are free, and tells the workers where another node has changed an endpoint
    /// or a delivery. `taken` gets those whose workers are to be started.
    async fn look(
        &self,
        duties: &mut Duties,
        refresh: &watch::Sender<u64>,
        taken: &mut Vec<Taken>,
    ) -> Result<(), StoreError> {
        if !self.outside.clock.may_act() {
            return Ok(());
        }
        let found = enabled(&self.scope).await?;
        if self.outside.peers.is_shared() {
            let mut moved = duties.is_changed(&found);
            if !moved && duties.has_any() {
                let next = self.scope.next_try(None).await?;
                moved = next.is_some_and(|at| at <= self.now());
            }
            if moved {
                refresh.send_modify(|times| *times = times.wrapping_add(1));
            }
        }
        duties.take(&found, &self.stop, taken).await
    }

    /// The store takes nothing more. Tries under way are waited for, so that no other node makes them
    /// meanwhile; one that has the duties already does not wait for these.
    async fn end<T: 'static>(&self, error: &StoreError, mut workers: JoinSet<T>) {
        if !matches!(error, StoreError::Fenced) {
            self.stop.cancel();
            while workers.join_next().await.is_some() {}
        }
    }

    fn start(&self, id: Id<kinds::Endpoint>, stop: CancellationToken) -> Start {
        Start {
            outside: self.outside.clone(),
            settings: self.settings,
            scope: Arc::clone(&self.scope),
            id,
            stop,
            rests: Arc::clone(&self.rests),
        }
    }

    /// Until when nothing is started again.
    fn failed(&self, error: &EndpointError) -> Instant {
        let scope = self.scope.id();
        tracing::warn!(scope = %scope, %error, "webhooks wait for the store");
        self.outside.clock.scope_now(scope).plus(STORE_PAUSE)
    }
}

/// Whether the store takes nothing more.
const fn is_final(error: &StoreError) -> bool {
    matches!(error, StoreError::Closing | StoreError::Fenced | StoreError::Failed { .. })
}

/// The enabled endpoints, and the version of each.
async fn enabled(scope: &Scope) -> Result<Vec<(Id<kinds::Endpoint>, u32)>, StoreError> {
    let (mut found, mut start) = (Vec::new(), PageStart::Newest);
    loop {
        let page = scope.endpoints(Page { start, limit: PAGE_ROWS }).await?;
        let enabled = page.rows.iter().filter(|each| each.row.enabled);
        found.extend(enabled.map(|each| (each.row.id, each.row.version)));
        match page.rows.last() {
            Some(last) if page.has_more => start = PageStart::After(last.n),
            _ => return Ok(found),
        }
    }
}
