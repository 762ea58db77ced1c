//! Events on their way to endpoints, over real sockets and on a clock that the test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use spine::model::shapes::{DeliveryStatus, Event, EventType};
use spine::model::{Clock, Currency, Id, Ids, Instant, ScopeId, Span, kinds};
use spine::providers::outbound::{self, Outbound};
use spine::providers::signature::Secret;
use spine::store::rows::{DeliveryFilter, DeliveryRow, DeliveryState, EventRow, StoredEvent};
use spine::store::seal::{Scope, SystemRandom};
use spine::store::{
    Change, EndpointChange, Page, PageStart, Position, Put, Store as _, StoreError, TenantRow, sqlite,
};
use spine::webhooks::{
    Endpoint, EventForm, Outside, Resting, Settings, Wanted, Webhooks, delivery, letters, schedule,
};
use tokio::sync::watch;

use crate::memory::Memory;
use crate::receiver::{Received, Receiver};

const START: Instant = Instant::from_ms(1_900_000_000_000);

/// Real time is the machine's, since the published library asks it; the scope's stands still.
struct Still(watch::Sender<Instant>);

impl Still {
    fn now(&self) -> Instant {
        *self.0.borrow()
    }

    fn advance(&self, by: Span) {
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
struct Counted(AtomicU64);

impl Ids for Counted {
    fn next(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::Relaxed)) + 1
    }
}

/// Data in rows is its JSON.
struct Plain;

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
struct World {
    memory: Arc<Memory>,
    scope: Arc<Scope>,
    clock: Arc<Still>,
    outside: Outside,
    webhooks: Webhooks,
    receiver: Receiver,
}

fn secret(byte: u8) -> Secret {
    Secret::of(vec![byte; 32])
}

fn outside(clock: &Arc<Still>) -> Outside {
    let settings = outbound::Settings { allow_private_addresses: true, ..outbound::Settings::default() };
    Outside {
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        ids: Arc::new(Counted::default()),
        events: Arc::new(Plain),
        outbound: Outbound::new(settings).unwrap(),
    }
}

impl World {
    async fn new() -> World {
        let memory = Memory::new();
        let clock = Arc::new(Still(watch::channel(START).0));
        let outside = outside(&clock);
        let webhooks = Webhooks::new(outside.clone(), Settings::default());
        let (scope, receiver) = (memory.scope(), Receiver::start().await);
        webhooks.open(&scope);
        World { memory, scope, clock, outside, webhooks, receiver }
    }

    async fn commit(&self, change: Change) {
        self.scope.commit(change).await.map(|_| ()).unwrap();
        self.webhooks.poke(self.scope.id());
    }

    async fn endpoint(&self, path: &str, events: &[&str]) -> Id<kinds::Endpoint> {
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

    async fn put(&self, endpoint: &Endpoint, expected: Option<u32>) {
        let put = EndpointChange::Put(Put { row: endpoint.row(), expected });
        self.commit(Change { endpoints: vec![put], ..Change::default() }).await;
    }

    fn read(&self, id: Id<kinds::Endpoint>) -> Endpoint {
        Endpoint::read(&self.memory.rows().endpoints[&id]).unwrap()
    }

    /// Something happens.
    async fn tell(&self, kind: EventType) -> Id<kinds::Event> {
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
    async fn tried(&self, endpoint: Id<kinds::Endpoint>, times: usize) -> DeliveryRow {
        self.memory
            .until(|rows| {
                let row = *rows.of(endpoint).first()?;
                (delivery(row).tries.len() == times).then(|| row.clone())
            })
            .await
    }

    /// Fails the next request and waits until that is written.
    async fn fail_once(&mut self, endpoint: Id<kinds::Endpoint>, times: usize) -> DeliveryRow {
        self.receiver.next().await.answer(500, &[], "");
        self.tried(endpoint, times).await
    }

    async fn disabled(&self, id: Id<kinds::Endpoint>) {
        self.memory.until(|rows| rows.endpoints.get(&id).filter(|row| !row.enabled).map(|_| ())).await;
    }
}

fn verify(received: &Received, byte: u8) -> bool {
    let text = secret(byte).text();
    let library = standardwebhooks::Webhook::new(text.expose_secret()).unwrap();
    library.verify(&received.body, &received.headers).is_ok()
}

#[tokio::test]
async fn an_event_reaches_each_endpoint_that_asked_for_it_signed() {
    let mut world = World::new().await;
    world.tell(EventType::MessageCreated).await;
    let all = world.endpoint("/all", &["message.*"]).await;
    let quota = world.endpoint("/quota", &["quota.threshold"]).await;
    let event = world.tell(EventType::MessageSent).await;
    let received = world.receiver.next().await;
    assert_eq!(received.path, "/all");
    assert!(verify(&received, 1) && !verify(&received, 2));
    assert_eq!(received.headers["webhook-id"], event.to_string().as_str());
    assert_eq!(
        received.json(),
        json!({"id": event.to_string(), "type": "message.sent", "timestamp": START.to_string(), "sequence": null,
            "data": {"n": 1}})
    );
    received.ok();
    let row = world.tried(all, 1).await;
    let seen = delivery(&row);
    assert_eq!((seen.state, seen.next_try_at), (DeliveryStatus::Delivered, None));
    assert_eq!((seen.tries[0].status_code, seen.tries[0].at), (Some(200), START));
    world.tell(EventType::QuotaThreshold).await;
    let received = world.receiver.next().await;
    assert_eq!(
        (received.path.as_str(), received.json()["type"].as_str()),
        ("/quota", Some("quota.threshold"))
    );
    received.ok();
    world.tried(quota, 1).await;
    // The one that came before the endpoints was for neither.
    assert!(world.receiver.waiting().is_none());
    world.memory.until(|rows| (rows.endpoints[&all].position >= 2).then_some(())).await;
}

#[tokio::test]
async fn a_delivery_goes_through_the_schedule_dies_and_is_replayed() {
    let mut world = World::new().await;
    let id = world.endpoint("/", &["*"]).await;
    let event = world.tell(EventType::MessageSent).await;
    for (n, delay) in schedule::DELAYS.iter().enumerate() {
        let row = world.fail_once(id, n + 1).await;
        assert_eq!(
            (row.state, row.next_try_at),
            (DeliveryState::Pending, Some(world.clock.now().plus(*delay)))
        );
        world.clock.advance(Span::from_ms(delay.ms() - 1));
        assert!(world.receiver.waiting().is_none(), "tried before its time");
        world.clock.advance(Span::from_ms(1));
    }
    let dead = world.fail_once(id, 10).await;
    assert_eq!((dead.state, dead.next_try_at), (DeliveryState::Dead, None));

    let again = letters::replayed(&dead, world.clock.now()).unwrap();
    assert_eq!(delivery(&again.row).next_try_at, Some(world.clock.now()));
    world.commit(Change { deliveries: vec![again], ..Change::default() }).await;
    let row = world.fail_once(id, 11).await;
    let first_delay = world.clock.now().plus(schedule::DELAYS[0]);
    assert_eq!((row.id, row.next_try_at), (dead.id, Some(first_delay)), "the schedule begins anew");
    world.clock.advance(schedule::DELAYS[0]);
    let received = world.receiver.next().await;
    assert_eq!(received.headers["webhook-id"], event.to_string().as_str());
    received.ok();
    let row = world.tried(id, 12).await;
    assert_eq!(row.state, DeliveryState::Delivered);
    assert!(letters::replayed(&row, world.clock.now()).is_none(), "it is not dead");
}

#[tokio::test]
async fn dead_letters_are_replayed_by_the_time_of_their_events() {
    let mut world = World::new().await;
    let id = world.endpoint("/", &["*"]).await;
    let mut times = Vec::new();
    for _ in 0..3 {
        times.push(world.clock.now());
        world.tell(EventType::MessageSent).await;
        world.receiver.next().await.answer(500, &[], "");
        world.memory.until(|rows| (rows.of(id).len() == times.len()).then_some(())).await;
        world.clock.advance(Span::from_s(1));
    }
    let kill = EndpointChange::SettlePending(id, DeliveryState::Dead);
    world.commit(Change { endpoints: vec![kill], ..Change::default() }).await;
    let found = letters::replayed_in(&world.scope, id, times[0], times[2], world.clock.now()).await.unwrap();
    let mut of: Vec<Instant> = found.iter().map(|put| put.row.event_at).collect();
    of.sort();
    assert_eq!(of, times[..2], "from is inclusive, to exclusive");
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_delays_no_other() {
    let mut world = World::new().await;
    let slow = world.endpoint("/slow", &["*"]).await;
    let quick = world.endpoint("/quick", &["*"]).await;
    let mut held = Vec::new();
    for n in 1..=100 {
        world.tell(EventType::MessageSent).await;
        loop {
            let received = world.receiver.next().await;
            if received.path == "/quick" {
                received.ok();
                break;
            }
            held.push(received);
        }
        world.memory.until(|rows| (rows.of(quick).len() == n).then_some(())).await;
    }
    assert_eq!(world.memory.rows().of(slow).len(), 0);
    assert!(held.len() <= Settings::default().first_tries_max, "no more at once than allowed");
    assert_eq!(world.webhooks.resting(world.scope.id()), Resting::No);
}

#[tokio::test]
async fn what_was_tried_and_not_written_when_the_process_died_is_tried_again() {
    let mut world = World::new().await;
    let id = world.endpoint("/", &["*"]).await;
    let event = world.tell(EventType::MessageSent).await;
    let received = world.receiver.next().await;
    world.memory.fail(Some(StoreError::Closing));
    let commit = world.memory.next_commit();
    received.ok();
    commit.await;
    world.memory.fail(None);
    assert!(world.memory.rows().of(id).is_empty());

    world.webhooks = Webhooks::new(world.outside.clone(), Settings::default());
    world.webhooks.open(&world.scope);
    let received = world.receiver.next().await;
    assert_eq!(received.headers["webhook-id"], event.to_string().as_str());
    received.ok();
    world.tried(id, 1).await;
    assert_eq!(world.memory.rows().of(id).len(), 1);
}

#[tokio::test]
async fn the_position_never_passes_an_event_that_is_under_way() {
    let mut world = World::new().await;
    let id = world.endpoint("/", &["*"]).await;
    let (first, second) =
        (world.tell(EventType::MessageSent).await, world.tell(EventType::MessageRead).await);
    let mut requests = [world.receiver.next().await, world.receiver.next().await];
    requests.sort_by_key(|request| request.headers["webhook-id"].to_str().unwrap().to_owned());
    let [one, two] = requests;
    assert_eq!(one.headers["webhook-id"], first.to_string().as_str());
    one.ok();
    world.memory.until(|rows| (rows.of(id).len() == 1).then_some(())).await;
    // The process dies while the second is under way.
    world.webhooks = Webhooks::new(world.outside.clone(), Settings::default());
    drop(two);
    world.webhooks.open(&world.scope);
    let again = world.receiver.next().await;
    assert_eq!(again.headers["webhook-id"], second.to_string().as_str());
    again.ok();
    world.memory.until(|rows| (rows.of(id).len() == 2).then_some(())).await;
}

#[tokio::test]
async fn a_full_disk_is_waited_for() {
    let mut world = World::new().await;
    let id = world.endpoint("/", &["*"]).await;
    world.tell(EventType::MessageSent).await;
    let received = world.receiver.next().await;
    world.memory.fail(Some(StoreError::Full));
    let commit = world.memory.next_commit();
    received.ok();
    commit.await;
    world.memory.fail(None);
    // It is written once there is room, and was not tried again.
    while world.memory.rows().of(id).is_empty() {
        world.clock.advance(Span::from_s(1));
        tokio::task::yield_now().await;
    }
    assert!(world.receiver.waiting().is_none());
    assert_eq!(delivery(world.memory.rows().of(id)[0]).tries.len(), 1);
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_disabled_and_the_others_are_told() {
    let mut world = World::new().await;
    let gone = world.endpoint("/gone", &["message.*", "webhook_endpoint.*"]).await;
    world.tell(EventType::MessageSent).await;
    let pending = world.fail_once(gone, 1).await;
    let other = world.endpoint("/other", &["webhook_endpoint.*"]).await;
    world.tell(EventType::MessageSent).await;
    world.receiver.next().await.answer(410, &[], "");
    let told = world.receiver.next().await;
    assert_eq!(told.path, "/other");
    assert_eq!(told.json()["type"], "webhook_endpoint.disabled");
    assert_eq!(told.json()["data"], json!({"endpoint_id": gone.to_string(), "reason": "gone"}));
    told.ok();
    world.tried(other, 1).await;
    {
        let rows = world.memory.rows();
        assert!(!rows.endpoints[&gone].enabled);
        assert_eq!(rows.deliveries[&pending.id].state, DeliveryState::Dead);
        assert!(
            rows.of(gone).iter().all(|row| row.state == DeliveryState::Dead && row.next_try_at.is_none())
        );
        assert_eq!(rows.audit, ["webhook_endpoint.disabled"]);
    }

    // Enabled again, it gets what happens from then on.
    world.tell(EventType::MessageFailed).await;
    let change = world.webhooks.enabled(&world.scope, &world.read(gone));
    world.commit(change).await;
    world.tell(EventType::MessageRead).await;
    let received = world.receiver.next().await;
    assert_eq!((received.path.as_str(), received.json()["type"].as_str()), ("/gone", Some("message.read")));
}

#[tokio::test]
async fn five_days_of_failure_disable_an_endpoint_also_where_nothing_is_tried_any_more() {
    let mut world = World::new().await;
    let id = world.endpoint("/", &["message.*"]).await;
    world.tell(EventType::MessageSent).await;
    for (n, delay) in schedule::DELAYS.iter().enumerate() {
        world.fail_once(id, n + 1).await;
        world.clock.advance(*delay);
    }
    assert_eq!(world.fail_once(id, 10).await.state, DeliveryState::Dead);
    let left = schedule::FAILING_MAX.ms() - world.clock.now().since(START).ms();
    world.memory.until(|rows| rows.endpoints[&id].enabled.then_some(())).await;
    world.clock.advance(Span::from_ms(left - 1));
    assert!(world.memory.rows().endpoints[&id].enabled);
    world.clock.advance(Span::from_ms(1));
    world.disabled(id).await;
    let told = world.memory.rows().events.last().map(|row| (row.kind.clone(), row.data.clone())).unwrap();
    let data: Value = serde_json::from_slice(&told.1).unwrap();
    assert_eq!((told.0.as_str(), data["reason"].as_str()), ("webhook_endpoint.disabled", Some("failing")));
}

#[tokio::test]
async fn a_success_after_five_days_wins_over_the_disabling() {
    let mut world = World::new().await;
    let id = world.endpoint("/", &["message.*"]).await;
    world.tell(EventType::MessageSent).await;
    world.fail_once(id, 1).await;
    world.clock.advance(schedule::FAILING_MAX);
    world.receiver.next().await.ok();
    let row = world.tried(id, 2).await;
    assert_eq!(row.state, DeliveryState::Delivered);
    let rows = world.memory.rows();
    assert!(rows.endpoints[&id].enabled);
    assert_eq!(rows.events.last().unwrap().kind, "webhook_endpoint.recovered");
}

#[tokio::test]
async fn a_recovery_after_an_hour_is_told_to_the_others_alone() {
    let mut world = World::new().await;
    let id = world.endpoint("/", &["*"]).await;
    world.tell(EventType::MessageSent).await;
    world.fail_once(id, 1).await;
    let other = world.endpoint("/other", &["*"]).await;
    world.clock.advance(schedule::FAILURE_TOLD_MIN);
    world.receiver.next().await.ok();
    let told = world.receiver.next().await;
    assert_eq!(
        (told.path.as_str(), told.json()["type"].as_str()),
        ("/other", Some("webhook_endpoint.recovered"))
    );
    assert_eq!(told.json()["data"]["endpoint_id"], id.to_string());
    told.ok();
    world.tried(other, 1).await;
    let newest = Position::try_from(world.memory.rows().events.len()).unwrap();
    // Its own worker passes the event, which shows once it takes the next.
    world.tell(EventType::MessageRead).await;
    for _ in 0..2 {
        let received = world.receiver.next().await;
        assert_eq!(received.json()["type"], "message.read");
        received.ok();
    }
    world.memory.until(|rows| (rows.endpoints[&id].position > newest).then_some(())).await;
}

#[tokio::test]
async fn both_secrets_sign_for_a_day_after_a_rotation() {
    let mut world = World::new().await;
    let id = world.endpoint("/", &["*"]).await;
    for (byte, before, signs) in [(2_u8, 1_u8, [true, true, false]), (3, 2, [false, true, true])] {
        let mut endpoint = world.read(id);
        endpoint.rotate(&world.scope, &secret(byte), world.clock.now()).unwrap();
        world.put(&endpoint, Some(endpoint.version)).await;
        world.webhooks.close(world.scope.id()).await;
        world.webhooks.open(&world.scope);
        world.tell(EventType::MessageSent).await;
        let received = world.receiver.next().await;
        assert_eq!([1, 2, 3].map(|byte| verify(&received, byte)), signs, "{before} to {byte}");
        received.ok();
        world.memory.until(|rows| (rows.of(id).len() == usize::from(before)).then_some(())).await;
    }
    world.clock.advance(Span::from_s(86_400));
    world.tell(EventType::MessageSent).await;
    let received = world.receiver.next().await;
    assert_eq!([1, 2, 3].map(|byte| verify(&received, byte)), [false, false, true]);
}

#[tokio::test]
async fn a_ping_is_tried_once_and_stands_nowhere() {
    let mut world = World::new().await;
    let id = world.endpoint("/", &["quota.*"]).await;
    let ping = world.webhooks.ping(&world.scope, &world.read(id)).unwrap();
    let told = ping.delivery.clone();
    ping.send();
    let received = world.receiver.next().await;
    assert!(verify(&received, 1));
    assert_eq!(received.headers["webhook-id"], told.event_id.to_string().as_str());
    assert_eq!(received.json()["type"], "webhook.ping");
    assert_eq!(received.json()["data"], json!({"endpoint_id": id.to_string()}));
    received.answer(500, &[], "");
    world.clock.advance(Span::from_s(60));
    assert_eq!(told.state, DeliveryStatus::Pending);
    assert!(world.memory.rows().deliveries.is_empty() && world.memory.rows().events.is_empty());
}

#[tokio::test]
async fn a_deleted_endpoint_loses_what_is_pending_and_what_is_under_way() {
    let mut world = World::new().await;
    let id = world.endpoint("/", &["*"]).await;
    world.tell(EventType::MessageSent).await;
    world.fail_once(id, 1).await;
    world.tell(EventType::MessageSent).await;
    let under_way = world.receiver.next().await;
    let endpoint = world.read(id);
    let delete = EndpointChange::Delete(id, endpoint.version);
    world.commit(Change { endpoints: vec![delete], ..Change::default() }).await;
    under_way.ok();
    world.webhooks.close(world.scope.id()).await;
    assert!(world.memory.rows().deliveries.is_empty());
}

#[tokio::test]
async fn a_stop_waits_for_the_tries_under_way_and_writes_them() {
    let mut world = World::new().await;
    let id = world.endpoint("/", &["*"]).await;
    world.tell(EventType::MessageSent).await;
    let received = world.receiver.next().await;
    let ((), ()) = tokio::join!(world.webhooks.stop(), async {
        received.ok();
    });
    assert_eq!(world.memory.rows().of(id).len(), 1);
    world.tell(EventType::MessageSent).await;
    assert!(world.receiver.waiting().is_none());
    assert_eq!(world.memory.rows().of(id).len(), 1);
}

#[tokio::test]
async fn a_worker_rests_until_the_next_try() {
    let mut world = World::new().await;
    let id = world.endpoint("/", &["*"]).await;
    world.tell(EventType::MessageSent).await;
    let row = world.fail_once(id, 1).await;
    world.webhooks.close(world.scope.id()).await;
    assert_eq!(world.webhooks.resting(world.scope.id()), Resting::Until(None));
    world.webhooks.open(&world.scope);
    // Opened again after the time has come, it goes on at once.
    world.clock.advance(schedule::DELAYS[0]);
    world.receiver.next().await.ok();
    assert_eq!(world.tried(id, 2).await.id, row.id);
}

#[tokio::test]
async fn an_owner_disables_an_endpoint_and_its_pending_deliveries_die() {
    let mut world = World::new().await;
    let id = world.endpoint("/", &["*"]).await;
    world.tell(EventType::MessageSent).await;
    world.fail_once(id, 1).await;
    let change = world.webhooks.disabled(&world.read(id), world.clock.now());
    world.commit(change).await;
    {
        let rows = world.memory.rows();
        assert_eq!(rows.of(id)[0].state, DeliveryState::Dead);
        assert_eq!(rows.events.last().unwrap().kind, "webhook_endpoint.disabled");
    }
    let again = world.webhooks.disabled(&world.read(id), world.clock.now());
    assert!(again.events.is_empty() && again.endpoints.is_empty());
    world.tell(EventType::MessageSent).await;
    world.webhooks.close(world.scope.id()).await;
    assert!(world.receiver.waiting().is_none());
    assert_eq!(world.memory.rows().of(id).len(), 1);
}

/// The rows in a file.
async fn stored(folder: &std::path::Path) -> sqlite::SqliteStore {
    sqlite::open(sqlite::Options {
        folder: folder.to_owned(),
        master_key: None,
        now: START,
        random: Arc::new(SystemRandom::new()),
    })
    .await
    .unwrap()
}

async fn deliveries(scope: &Scope) -> Vec<DeliveryRow> {
    let page = Page { start: PageStart::Newest, limit: 100 };
    let listed = scope.deliveries(DeliveryFilter::default(), page).await.unwrap();
    listed.rows.into_iter().map(|each| each.row).collect()
}

#[tokio::test]
async fn on_a_disk_a_delivery_goes_on_after_a_restart_and_dies_with_its_endpoint() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(Still(watch::channel(START).0));
    let (outside, mut receiver) = (outside(&clock), Receiver::start().await);
    let webhooks = Webhooks::new(outside.clone(), Settings::default());
    let tell = || {
        let (id, kind) = (outside.ids.mint(), EventType::MessageSent.word().into());
        let event = EventRow { id, kind, at: clock.now(), sequence: None, data: b"{}".to_vec() };
        Change { events: vec![event], ..Change::default() }
    };

    let store = stored(folder.path()).await;
    let tenant = TenantRow {
        id: outside.ids.mint(),
        name: "acme".into(),
        timezone: "UTC".into(),
        currency: Currency::EUR,
        created_at: START,
    };
    let scope_id = store.registry().make_tenant(tenant).await.unwrap()[0].id;
    let scope = store.scope(scope_id).await.unwrap();
    webhooks.open(&scope);
    let wanted = Wanted { url: receiver.url("/"), events: vec!["message.*".into()], description: None };
    let id = outside.ids.mint();
    let endpoint = Endpoint::make(&scope, id, wanted, &secret(1), START).unwrap();
    let put = EndpointChange::Put(Put { row: endpoint.row(), expected: None });
    scope.commit(Change { endpoints: vec![put], ..Change::default() }).await.map(|_| ()).unwrap();
    webhooks.poke(scope_id);
    scope.commit(tell()).await.map(|_| ()).unwrap();
    receiver.next().await.answer(500, &[], "");
    webhooks.close(scope_id).await;
    let first = deliveries(&scope).await.remove(0);
    assert_eq!(first.next_try_at, Some(START.plus(schedule::DELAYS[0])));
    drop(scope);
    store.close().await.unwrap();
    drop(store);

    let store = stored(folder.path()).await;
    let scope = store.scope(scope_id).await.unwrap();
    webhooks.open(&scope);
    clock.advance(schedule::DELAYS[0]);
    let again = receiver.next().await;
    assert_eq!(again.headers["webhook-id"], first.event_id.to_string().as_str());
    again.answer(500, &[], "");
    webhooks.close(scope_id).await;
    assert_eq!(delivery(&deliveries(&scope).await[0]).tries.len(), 2);

    // A new event meets 410 while the first delivery is pending: both are dead, in one change.
    webhooks.open(&scope);
    scope.commit(tell()).await.map(|_| ()).unwrap();
    receiver.next().await.answer(410, &[], "");
    webhooks.close(scope_id).await;
    let dead = deliveries(&scope).await;
    assert_eq!(dead.len(), 2);
    assert!(dead.iter().all(|row| row.state == DeliveryState::Dead && row.next_try_at.is_none()));
    let read = |row| Endpoint::read(&row).unwrap();
    let endpoint = read(scope.endpoint(id).await.unwrap().unwrap());
    assert!(!endpoint.is_enabled());

    // Enabled again and deleted while a try is under way: nothing more of it is written.
    scope.commit(webhooks.enabled(&scope, &endpoint)).await.map(|_| ()).unwrap();
    webhooks.open(&scope);
    scope.commit(tell()).await.map(|_| ()).unwrap();
    let under_way = receiver.next().await;
    let endpoint = read(scope.endpoint(id).await.unwrap().unwrap());
    let delete = EndpointChange::Delete(id, endpoint.version);
    scope.commit(Change { endpoints: vec![delete], ..Change::default() }).await.map(|_| ()).unwrap();
    under_way.answer(500, &[], "");
    webhooks.close(scope_id).await;
    assert!(deliveries(&scope).await.iter().all(|row| row.state == DeliveryState::Dead));
    assert_eq!(deliveries(&scope).await.len(), 2);
    store.close().await.unwrap();
}
