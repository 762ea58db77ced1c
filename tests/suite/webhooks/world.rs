//! A scope, a clock and a receiver that the tests of webhooks hold in their hands.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use spine::model::shapes::{Event, EventType};
use spine::model::{Clock, Id, Ids, Instant, ScopeId, Span, kinds};
use spine::providers::outbound::{self, Outbound};
use spine::providers::signature::Secret;
use spine::store::rows::{DeliveryRow, EventRow, StoredEvent};
use spine::store::seal::Scope;
use spine::store::{Change, EndpointChange, Put, StoreError};
use spine::webhooks::{Endpoint, EventForm, Outside, Settings, Wanted, Webhooks, delivery};
use tokio::sync::watch;

use crate::memory::Memory;
use crate::receiver::{Received, Receiver};

pub(crate) const START: Instant = Instant::from_ms(1_900_000_000_000);

/// Real time is the machine's, since the published library asks it; the scope's stands still.
pub(crate) struct Still(pub(crate) watch::Sender<Instant>);

impl Still {
    pub(crate) fn now(&self) -> Instant {
        *self.0.borrow()
    }

    pub(crate) fn advance(&self, by: Span) {
        self.0.send_modify(|now| *now = now.plus(by));
    }
}

impl Clock for Still {
    fn real_now(&self) -> Instant {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Instant::from_ms(i64::try_from(since.as_millis()).unwrap())
    }

    fn scope_now(&self, _: ScopeId) -> Instant {
        self.now()
    }

    fn until(&self, _: ScopeId, at: Instant) -> BoxFuture<'_, ()> {
        let mut now = self.0.subscribe();
        Box::pin(async move {
            now.wait_for(|now| *now >= at).await.unwrap();
        })
    }
}

#[derive(Default)]
pub(crate) struct Counted(AtomicU64);

impl Ids for Counted {
    fn next(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::Relaxed)) + 1
    }
}

/// Data in rows is its JSON.
pub(crate) struct Plain;

impl EventForm for Plain {
    fn read<'a>(&'a self, _: &'a Scope, event: &'a StoredEvent) -> BoxFuture<'a, Result<Event, StoreError>> {
        Box::pin(std::future::ready(Ok(Event {
            id: event.row.id,
            r#type: EventType::from_word(&event.row.kind).unwrap(),
            timestamp: event.row.at,
            sequence: event.row.sequence,
            data: serde_json::from_slice(&event.row.data).unwrap(),
        })))
    }

    fn plain(&self, data: &Value) -> Vec<u8> {
        data.to_string().into_bytes()
    }
}

/// A scope with its workers, and a receiver whose paths are the endpoints.
pub(crate) struct World {
    pub(crate) memory: Arc<Memory>,
    pub(crate) scope: Arc<Scope>,
    pub(crate) clock: Arc<Still>,
    pub(crate) outside: Outside,
    pub(crate) webhooks: Webhooks,
    pub(crate) receiver: Receiver,
}

pub(crate) fn secret(byte: u8) -> Secret {
    Secret::of(vec![byte; 32])
}

pub(crate) fn outside(clock: &Arc<Still>) -> Outside {
    let settings = outbound::Settings { allow_private_addresses: true, ..outbound::Settings::default() };
    Outside {
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        ids: Arc::new(Counted::default()),
        events: Arc::new(Plain),
        outbound: Outbound::new(settings).unwrap(),
        peers: Arc::new(spine::store::Peers::none()),
    }
}

impl World {
    pub(crate) async fn new() -> World {
        let memory = Memory::new();
        let clock = Arc::new(Still(watch::channel(START).0));
        let outside = outside(&clock);
        let webhooks = Webhooks::new(outside.clone(), Settings::default());
        let (scope, receiver) = (memory.scope(), Receiver::start().await);
        webhooks.open(&scope);
        World { memory, scope, clock, outside, webhooks, receiver }
    }

    pub(crate) async fn commit(&self, change: Change) {
        self.scope.commit(change).await.map(|_| ()).unwrap();
        self.webhooks.poke(self.scope.id());
    }

    pub(crate) async fn endpoint(&self, path: &str, events: &[&str]) -> Id<kinds::Endpoint> {
        let wanted = Wanted {
            url: self.receiver.url(path),
            events: events.iter().map(ToString::to_string).collect(),
            description: None,
        };
        let id = self.outside.ids.mint();
        let endpoint = Endpoint::make(&self.scope, id, wanted, &secret(1), self.clock.now()).unwrap();
        self.put(&endpoint, None).await;
        id
    }

    pub(crate) async fn put(&self, endpoint: &Endpoint, expected: Option<u32>) {
        let put = EndpointChange::Put(Put { row: endpoint.row(), expected });
        self.commit(Change { endpoints: vec![put], ..Change::default() }).await;
    }

    pub(crate) fn read(&self, id: Id<kinds::Endpoint>) -> Endpoint {
        Endpoint::read(&self.memory.rows().endpoints[&id]).unwrap()
    }

    /// Something happens.
    pub(crate) async fn tell(&self, kind: EventType) -> Id<kinds::Event> {
        let id = self.outside.ids.mint();
        let event = EventRow {
            id,
            kind: kind.word().into(),
            at: self.clock.now(),
            sequence: None,
            data: b"{\"n\": 1}".to_vec(),
        };
        self.scope.commit(Change { events: vec![event], ..Change::default() }).await.map(|_| ()).unwrap();
        id
    }

    /// Waits for the only delivery of an endpoint to have been tried so often.
    pub(crate) async fn tried(&self, endpoint: Id<kinds::Endpoint>, times: usize) -> DeliveryRow {
        self.memory
            .until(|rows| {
                let row = *rows.of(endpoint).first()?;
                (delivery(row).tries.len() == times).then(|| row.clone())
            })
            .await
    }

    /// Fails the next request and waits until that is written.
    pub(crate) async fn fail_once(&mut self, endpoint: Id<kinds::Endpoint>, times: usize) -> DeliveryRow {
        self.receiver.next().await.answer(500, &[], "");
        self.tried(endpoint, times).await
    }

    pub(crate) async fn disabled(&self, id: Id<kinds::Endpoint>) {
        self.memory.until(|rows| rows.endpoints.get(&id).filter(|row| !row.enabled).map(|_| ())).await;
    }
}

pub(crate) fn verify(received: &Received, byte: u8) -> bool {
    let text = secret(byte).text();
    let library = standardwebhooks::Webhook::new(text.expose_secret()).unwrap();
    library.verify(&received.body, &received.headers).is_ok()
}
