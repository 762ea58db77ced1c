//! One endpoint's worker: reads events, tries them, and writes what came of it.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use super::endpoint::{DisabledBy, Endpoint, EndpointError, Secrets};
use super::rests::Rest;
use super::schedule;
use super::send::{Sent, send};
use super::settle::{Ended, EventRef, disable};
use super::start::Start;
use super::window::Window;
use super::write::{Write, Wrote};
use crate::model::{Clock, Id, Instant, ScopeId, Span, kinds};
use crate::store::rows::{DeliveryRow, StoredEvent};
use crate::store::{Change, Position, StoreError};

/// How many events are read at once.
const EVENTS_READ_MAX: u32 = 200;
/// How many events that the endpoint did not ask for are passed before the position is written:
/// after a crash so many are looked at again, and none is lost.
const PASSED_MAX: Position = 1_000;
/// How long is waited until a store that had no room is asked again.
pub(super) const STORE_PAUSE: Span = Span::from_s(1);

/// Runs until the endpoint is disabled or gone, or the worker is told to stop; then the tries under
/// way are waited for and written.
pub(super) async fn run(start: Start, poke: watch::Receiver<u64>) -> Result<(), EndpointError> {
    let (rests, id) = (Arc::clone(&start.rests), start.id);
    rests.set(id, Some(Rest::Busy));
    let done = match Worker::load(start, poke).await {
        Ok(Some(mut worker)) => {
            let done = worker.run().await;
            if done.as_ref().is_err_and(|error| !matches!(error, EndpointError::Store(StoreError::Fenced))) {
                worker.end_tries().await;
            }
            done
        }
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    rests.set(id, None);
    done
}

/// When the next later try is due.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Due {
    /// To be looked up.
    Unknown,
    /// Known; none where nothing is pending.
    Known(Option<Instant>),
}

type Trying<T> = BoxFuture<'static, T>;

struct Worker {
    start: Arc<Start>,
    poke: watch::Receiver<u64>,
    newest: watch::Receiver<Position>,
    endpoint: Endpoint,
    url: Option<Url>,
    secrets: Secrets,
    /// Read, and not yet looked at.
    events: VecDeque<StoredEvent>,
    first: Window,
    later: FuturesUnordered<Trying<(Box<DeliveryRow>, Option<Sent>)>>,
    /// Deliveries that are being tried again, or whose later try is not written yet.
    under_way: HashSet<Id<kinds::Delivery>>,
    /// Ended, and to be written.
    ended: Vec<Ended>,
    writing: Option<Trying<Result<Wrote, EndpointError>>>,
    read_to: Position,
    settled_to: Position,
    written_to: Position,
    due: Due,
}

impl Worker {
    async fn load(start: Start, poke: watch::Receiver<u64>) -> Result<Option<Worker>, EndpointError> {
        let newest = start.scope.newest_event();
        let Some(row) = start.scope.endpoint(start.id).await? else { return Ok(None) };
        let endpoint = Endpoint::read(&row)?;
        Ok(Some(Worker {
            poke,
            newest,
            url: endpoint.url(),
            secrets: endpoint.secrets(&start.scope)?,
            events: VecDeque::new(),
            first: Window::new(start.settings.first_tries_max),
            later: FuturesUnordered::new(),
            under_way: HashSet::new(),
            ended: Vec::new(),
            writing: None,
            read_to: endpoint.position,
            settled_to: endpoint.position,
            written_to: endpoint.position,
            due: Due::Unknown,
            endpoint,
            start: Arc::new(start),
        }))
    }

    /// Reads the endpoint again; false where it is gone.
    async fn reload(&mut self) -> Result<bool, EndpointError> {
        let Some(row) = self.start.scope.endpoint(self.start.id).await? else { return Ok(false) };
        self.endpoint = Endpoint::read(&row)?;
        self.url = self.endpoint.url();
        self.secrets = self.endpoint.secrets(&self.start.scope)?;
        // One that was enabled again passes what happened meanwhile.
        if self.endpoint.position > self.read_to {
            self.events.clear();
            self.read_to = self.endpoint.position;
        }
        self.due = Due::Unknown;
        Ok(true)
    }

    fn now(&self) -> Instant {
        self.start.outside.clock.scope_now(self.start.scope.id())
    }

    async fn run(&mut self) -> Result<(), EndpointError> {
        loop {
            let takes = self.endpoint.is_enabled() && !self.start.stop.is_cancelled();
            if takes {
                self.take_first().await?;
                self.take_later().await?;
            }
            self.begin_write();
            let idle = self.first.is_idle() && self.later.is_empty() && self.writing.is_none();
            if !takes && idle {
                return Ok(());
            }
            if takes && idle && self.fails_too_long() {
                let settled = disable(&self.start.outside, &self.endpoint, DisabledBy::Failing, self.now());
                if !self.commit_alone(settled.change).await? {
                    return Ok(());
                }
                continue;
            }
            let wake = if takes { self.wake(idle) } else { None };
            self.start.rests.set(self.start.id, Some(if idle { Rest::Until(wake) } else { Rest::Busy }));
            let woken = self.wait(takes, wake).await;
            self.start.rests.set(self.start.id, Some(Rest::Busy));
            let goes_on = match woken {
                Woken::Changed => self.reload().await?,
                Woken::Wrote(wrote) => self.wrote(wrote?).await?,
                Woken::Lapsed => false,
                Woken::Look => true,
            };
            if !goes_on {
                return Ok(());
            }
        }
    }

    /// Whether five days of failure are over. Asked while nothing is under way, so that nothing is
    /// due either that could end them.
    fn fails_too_long(&self) -> bool {
        schedule::has_failed_too_long(self.endpoint.health, self.now())
    }

    /// When there is something to do without anything from outside.
    fn wake(&self, idle: bool) -> Option<Instant> {
        let has_room = self.later.len() < self.start.settings.later_tries_max;
        let due = match self.due {
            Due::Known(at) => at.filter(|_| has_room),
            Due::Unknown => None,
        };
        let given_up = self.endpoint.health.failing_since.map(|since| since.plus(schedule::FAILING_MAX));
        [due, given_up.filter(|_| idle)].into_iter().flatten().min()
    }

    async fn wait(&mut self, takes: bool, wake: Option<Instant>) -> Woken {
        let (clock, scope) = (&self.start.outside.clock, self.start.scope.id());
        // Events that wait for a free place are no reason to look.
        let listens = takes && self.first.has_room() && self.events.is_empty();
        tokio::select! {
            biased;
            // What is rare comes first, since first tries may end without a pause.
            changed = self.poke.changed(), if takes => match changed {
                Ok(()) => Woken::Changed,
                Err(_) => {
                    self.start.stop.cancel();
                    Woken::Look
                }
            },
            () = self.start.stop.cancelled(), if takes => Woken::Look,
            wrote = written(self.writing.as_mut()), if self.writing.is_some() => Woken::Wrote(wrote),
            Some(tried) = self.later.next(), if !self.later.is_empty() => {
                let mut next = Some(tried);
                while let Some((row, sent)) = next.take() {
                    let Some(sent) = sent else { return Woken::Lapsed };
                    self.ended.push(Ended::Later(row, Some(sent)));
                    next = self.later.next().now_or_never().flatten();
                }
                Woken::Look
            }
            acted = self.first.next(), if !self.first.is_idle() => {
                if acted { Woken::Look } else { Woken::Lapsed }
            }
            told = self.newest.changed(), if listens => {
                if told.is_err() {
                    self.start.stop.cancel();
                }
                Woken::Look
            }
            () = until(clock.as_ref(), scope, wake) => Woken::Look,
        }
    }

    /// Begins first tries, as many as there are places.
    async fn take_first(&mut self) -> Result<(), EndpointError> {
        while self.first.has_room() {
            if self.events.is_empty() {
                let newest = *self.newest.borrow_and_update();
                if newest <= self.read_to {
                    return Ok(());
                }
                self.events = self.start.scope.events_after(self.read_to, EVENTS_READ_MAX).await?.into();
                self.read_to = self.events.back().map_or(newest, |last| last.n);
            }
            let Some(event) = self.events.pop_front() else { return Ok(()) };
            let body = self.start.body(&self.endpoint, &event).await?;
            let at = EventRef { n: event.n, id: event.row.id, at: event.row.at };
            match body {
                None => self.first.pass(event.n),
                Some(body) => {
                    let trying = self.send(at.id, body);
                    self.first.begin(at, trying);
                }
            }
        }
        Ok(())
    }

    /// Begins later tries that are due, as many as there are places.
    async fn take_later(&mut self) -> Result<(), EndpointError> {
        let now = self.now();
        let room = self.start.settings.later_tries_max.saturating_sub(self.later.len());
        let looks = match self.due {
            Due::Unknown => true,
            Due::Known(at) => at.is_some_and(|at| at <= now) && room > 0,
        };
        if !looks {
            return Ok(());
        }
        // One more than can be taken tells when the next is due.
        let limit = u32::try_from(self.under_way.len() + room + 1).unwrap_or(u32::MAX);
        let far = Instant::from_ms(Instant::RANGE_MS.1);
        let rows = self.start.scope.deliveries_due(Some(self.start.id), far, limit).await?;
        self.due = Due::Known(None);
        for row in rows.into_iter().filter(|row| !self.under_way.contains(&row.id)).collect::<Vec<_>>() {
            let at = row.next_try_at.unwrap_or(now);
            if at > now || self.later.len() >= self.start.settings.later_tries_max {
                self.due = Due::Known(Some(at));
                break;
            }
            let event = self.start.scope.event(row.event_id).await?;
            self.under_way.insert(row.id);
            let Some(event) = event else {
                self.ended.push(Ended::Later(Box::new(row), None));
                continue;
            };
            let body = self.start.read(&event).await?;
            let trying = self.send(event.row.id, body);
            self.later.push(async move { (Box::new(row), trying.await) }.boxed());
        }
        Ok(())
    }

    /// Waits until no try is under way. So long the duty is this node's, unless its lease has ended: another
    /// that had it would try the same events meanwhile.
    async fn end_tries(&mut self) {
        self.first.end().await;
        while self.later.next().await.is_some() {}
    }

    /// Begins a try. It goes on while the worker writes, and ends with the worker.
    fn send(&self, event: Id<kinds::Event>, body: Vec<u8>) -> Trying<Option<Sent>> {
        let (outside, scope) = (self.start.outside.clone(), self.start.scope.id());
        let (url, secrets, began_at) = (self.url.clone(), self.secrets.at(self.now()), self.now());
        let clock = Arc::clone(&outside.clock);
        let trying = AbortOnDropHandle::new(tokio::spawn(async move {
            send(&outside, scope, url.as_ref(), &secrets, event, body).await
        }));
        async move {
            match trying.await {
                Ok(sent) => sent,
                Err(error) if error.is_panic() => Some(Sent::broken(began_at, clock.scope_now(scope))),
                // The runtime is ending, and this with it.
                Err(_) => std::future::pending().await,
            }
        }
        .boxed()
    }

    /// Begins to write what has ended, one write at a time: so much is in one as ended during the one
    /// before.
    fn begin_write(&mut self) {
        if self.writing.is_some() {
            return;
        }
        let (to, ended) = self.first.take();
        self.settled_to = to.unwrap_or(self.settled_to);
        self.ended.extend(ended);
        let passed = self.settled_to - self.written_to;
        if self.ended.is_empty() && passed < PASSED_MAX {
            return;
        }
        let write = Write {
            start: Arc::clone(&self.start),
            endpoint: self.endpoint.clone(),
            ended: std::mem::take(&mut self.ended),
            advance: (passed > 0).then_some(self.settled_to),
        };
        self.writing = Some(write.run().boxed());
    }

    /// A write has ended. False where the endpoint is gone, or another node has it.
    async fn wrote(&mut self, wrote: Wrote) -> Result<bool, EndpointError> {
        self.writing = None;
        let Wrote::Done { later, advance, next_try_at, changed } = wrote else { return Ok(false) };
        self.first.written();
        self.written_to = advance.unwrap_or(self.written_to);
        later.iter().for_each(|id| _ = self.under_way.remove(id));
        if let (Due::Known(known), Some(at)) = (self.due, next_try_at) {
            self.due = Due::Known(Some(known.map_or(at, |known| known.min(at))));
        }
        if changed { self.reload().await } else { Ok(true) }
    }

    /// Writes a change of the endpoint alone; where another came first, nothing. False where the
    /// endpoint is gone.
    async fn commit_alone(&mut self, change: Change) -> Result<bool, EndpointError> {
        match self.start.commit(change).await {
            Ok(()) => self.reload().await,
            Err(StoreError::Conflict { .. }) => Ok(self.start.has_duty().await? && self.reload().await?),
            Err(error) => Err(error.into()),
        }
    }
}

/// Waits for a write to end; for ever without one.
async fn written(writing: Option<&mut Trying<Result<Wrote, EndpointError>>>) -> Result<Wrote, EndpointError> {
    match writing {
        Some(writing) => writing.await,
        None => std::future::pending().await,
    }
}

/// Waits for `at` on the scope's clock; for ever without one.
pub(super) async fn until(clock: &dyn Clock, scope: ScopeId, at: Option<Instant>) {
    match at {
        Some(at) => clock.until(scope, at).await,
        None => std::future::pending().await,
    }
}

/// Why a worker goes on.
enum Woken {
    /// A write has ended.
    Wrote(Result<Wrote, EndpointError>),
    /// The endpoint or its deliveries were changed by another.
    Changed,
    /// This node's lease does not hold any more.
    Lapsed,
    /// There may be something to do.
    Look,
}
