//! Several engines on one store, in memory or on a real server, each with a clock of its own: what they
//! count, open and let pass together.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use serde_json::{Value, json};
use spine::engine::front::{Claim, Front as _, Refusal, Taken};
use spine::engine::ids::RisingIds;
use spine::engine::{Beside, Clocks, Engine, RealTime, Settings, Setup};
use spine::model::shapes::BreakerState;
use spine::model::{Clock, Currency, Environment, Id, Ids, Instant, ScopeId};
use spine::providers::outbound::Outbound;
use spine::store::rows::{EventFilter, IdempotencyKey, MessageFilter, QuotaRow, StoredAttempt};
use spine::store::seal::{Randomness, Scope, SystemRandom};
use spine::store::{Change, NodeId, Page, PageStart, Peers, Store, TenantRow};

use crate::stores::{Kind, SharedStore, Still, on_each_store};

/// A Monday at noon.
const START: Instant = Instant::from_ms(1_767_614_400_000);
/// A limit for a fault; nothing takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(200);

/// Nothing works on scopes beside the engines.
struct Nobody;

impl Beside for Nobody {
    fn opened(&self, _: &Arc<Scope>) {}
    fn rests(&self, _: ScopeId) -> Option<Option<Instant>> {
        Some(None)
    }
    fn close(&self, _: ScopeId) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

struct Node {
    clock: Arc<Still>,
    engine: Arc<Engine>,
    scope: Arc<Scope>,
    id: NodeId,
    _store: Arc<dyn Store>,
}

struct World {
    store: SharedStore,
    scope: ScopeId,
    nodes: Vec<Node>,
    keys: AtomicU64,
}

impl World {
    async fn new(on: Kind, nodes: usize, quotas: Vec<QuotaRow>) -> World {
        let store = SharedStore::new(on, START).await;
        let first = store.node("maker", Settings::default().lease).await;
        let tenant = TenantRow {
            id: Id::from_u128(1),
            name: "acme".into(),
            timezone: "UTC".into(),
            currency: Currency::EUR,
            created_at: START,
        };
        let scopes = first.registry().make_tenant(tenant).await.unwrap();
        let scope = scopes.iter().find(|scope| scope.environment == Environment::Test).unwrap().id;
        let rows = first.scope(scope).await.unwrap();
        rows.commit(Change { quotas, ..Change::default() }).await.map(|_| ()).unwrap();
        first.nodes().leave().await.unwrap();
        let mut world = World { store, scope, nodes: Vec::new(), keys: AtomicU64::new(1) };
        for _ in 0..nodes {
            world.join().await;
        }
        world
    }

    async fn join(&mut self) {
        let name = format!("node {}", self.nodes.len());
        let store = self.store.node(&name, Settings::default().lease).await;
        let clock = Arc::new(Still::at(self.store.now_ms()));
        let clocks = Arc::new(Clocks::new(Arc::clone(&clock) as Arc<dyn RealTime>));
        let random: Arc<dyn Randomness> = Arc::new(SystemRandom::new());
        let ids = Arc::new(RisingIds::above(0, Arc::clone(&clocks) as Arc<dyn Clock>, random));
        let _: &dyn Ids = ids.as_ref();
        let engine = Engine::start(Setup {
            store: Arc::clone(&store),
            clocks,
            ids,
            outbound: Outbound::new(spine::providers::outbound::Settings::default()).unwrap(),
            settings: Settings::default(),
            peers: Arc::new(Peers::new(store.nodes().as_ref())),
            beside: Arc::new(Nobody),
        })
        .await
        .unwrap();
        let scope = engine.open(self.scope).await.unwrap();
        let id = store.nodes().me();
        self.nodes.push(Node { clock, engine, scope, id, _store: store });
    }

    /// Time passes, for the store and for the nodes from this place on. It does not pass again before each
    /// of them has renewed its lease where that is due.
    async fn tick_from(&self, first: usize, ms: i64) {
        let now = self.store.later(ms).await;
        for node in &self.nodes[first..] {
            node.clock.set(node.clock.now().ms() + ms);
        }
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
        let half = Instant::from_ms(now + Settings::default().lease.ms() / 2);
        self.settles("leases that hold", || async {
            let alive = self.store.alive(half).await;
            self.nodes[first..].iter().all(|node| alive.contains(&node.id) && node.engine.is_ready())
        })
        .await;
        for node in &self.nodes[first..] {
            node.engine.idle().await;
        }
    }

    /// Waits until something holds, while no time passes.
    async fn settles<F: Future<Output = bool>>(&self, what: &str, mut holds: impl FnMut() -> F) {
        let waiting = async {
            while !holds().await {
                tokio::task::yield_now().await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "not to be waited for: {what}");
    }

    async fn tick(&self, ms: i64) {
        self.tick_from(0, ms).await;
    }

    /// Lets seconds pass until something holds.
    async fn until<F: Future<Output = bool>>(&self, first: usize, mut holds: impl FnMut() -> F) {
        let waiting = async {
            while !holds().await {
                self.tick_from(first, 1_000).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("it comes to hold");
    }

    /// Sends an SMS at a node by a strategy; with what scripts.
    async fn send(&self, at: usize, strategy: &str, sandbox: Value) -> Result<(), Refusal> {
        let node = &self.nodes[at];
        let request = json!({"to": {"sms": "+4366412345678"}, "content": {"sms": {"body": "now"}},
            "strategy": strategy, "sandbox": sandbox});
        let key = u128::from(self.keys.fetch_add(1, Ordering::Relaxed));
        let claim = Claim {
            key: IdempotencyKey(key.to_be_bytes()),
            request: [0; 32],
            at: node.clock.now(),
            who: Id::from_u128(1),
            request_id: Id::from_u128(1),
        };
        let request = Box::new(serde_json::from_value(request).unwrap());
        match node.engine.send(Arc::clone(&node.scope), request, claim).await? {
            Taken::Done(_) => Ok(()),
            Taken::Replayed(_) => panic!("a key was taken twice"),
        }
    }

    /// All attempts of all messages.
    async fn attempts(&self, at: usize) -> Vec<StoredAttempt> {
        let scope = &self.nodes[at].scope;
        let page = Page { start: PageStart::Newest, limit: 10_000 };
        let mut all = Vec::new();
        for message in scope.messages(MessageFilter::default(), page).await.unwrap().rows {
            all.extend(scope.attempts(message.n).await.unwrap());
        }
        all
    }

    async fn live(&self, at: usize) -> usize {
        self.nodes[at].scope.live(0, 10_000).await.unwrap().len()
    }

    /// The events of a kind, by their data.
    async fn told(&self, at: usize, kind: &str) -> Vec<Value> {
        let filter = EventFilter { kind: Some(kind.into()), ..EventFilter::default() };
        let node = &self.nodes[at];
        let page = Page { start: PageStart::Newest, limit: 100 };
        let listed = node.engine.events(Arc::clone(&node.scope), filter, page).await.unwrap();
        listed.rows.into_iter().map(|event| event.row.data).collect()
    }

    /// Uses and places held of a quota.
    async fn used(&self, name: &str) -> Option<(u64, u64)> {
        self.store.used(self.scope, name).await
    }

    async fn has_probe(&self) -> bool {
        self.store.claims(self.scope).await.contains_key("probe gw")
    }

    /// Waits, while no time passes, until the breaker is the same on all nodes.
    async fn breakers_settle(&self, state: BreakerState) {
        let all = vec![Some(state); self.nodes.len()];
        let all = &all;
        self.settles(&format!("a breaker that is {state:?} on all"), || async move {
            self.breakers().await == *all
        })
        .await;
    }

    async fn breakers(&self) -> Vec<Option<BreakerState>> {
        let shown = self.nodes.iter().map(|node| node.engine.breakers(Arc::clone(&node.scope)));
        let shown: Vec<BTreeMap<_, _>> = join_all(shown).await.into_iter().map(Result::unwrap).collect();
        shown.iter().map(|all| all.get("gw").map(|breaker| breaker.state)).collect()
    }
}

fn day(name: &str, limit: u64) -> QuotaRow {
    QuotaRow { name: name.into(), day: Some(limit), month: None }
}

async fn a_quota_of_1000_lets_1000_pass_on_three_nodes_and_is_told_of_once(on: Kind) {
    let world = World::new(on, 3, vec![day("sms", 1_000)]).await;
    for round in 0..5 {
        let sends = (0..252).map(|n| world.send(n % 3, "sms unless quota", json!({})));
        for sent in join_all(sends).await {
            sent.unwrap();
        }
        // Under way they are held, and answered later.
        world.tick(if round == 2 { 2_000 } else { 10 }).await;
    }
    world.until(0, || async { world.live(0).await == 0 }).await;
    world.tick(2_000).await;
    assert_eq!(world.attempts(0).await.len(), 1_000, "of 1260");
    assert_eq!(world.used("sms").await, Some((1_000, 0)));
    let told = || async {
        let told = world.told(1, "quota.threshold").await;
        let mut told: Vec<_> = told.iter().map(|it| it["percent"].as_u64()).collect();
        told.sort_unstable();
        told
    };
    world.until(0, || async { told().await.len() >= 2 }).await;
    assert_eq!(told().await, [Some(80), Some(100)]);
}

async fn a_quota_of_messages_refuses_what_is_too_much_wherever_it_comes_in(on: Kind) {
    let world = World::new(on, 3, vec![day("messages", 100)]).await;
    let sent = join_all((0..150).map(|n| world.send(n % 3, "sms", json!({})))).await;
    let refused = sent.iter().filter(|sent| matches!(sent, Err(Refusal::QuotaExceeded(_)))).count();
    assert_eq!((sent.iter().filter(|sent| sent.is_ok()).count(), refused), (100, 50));
    assert_eq!(world.used("messages").await, Some((100, 0)));
}

async fn a_place_given_back_by_one_node_is_free_for_another_a_moment_later(on: Kind) {
    let world = World::new(on, 2, vec![day("sms", 1)]).await;
    world.send(0, "sms unless quota", json!({"sms": "recipient fault after 5s"})).await.unwrap();
    world.tick(100).await;
    world.send(1, "sms unless quota", json!({})).await.unwrap();
    assert_eq!(world.attempts(0).await.len(), 1, "the place is taken");
    assert_eq!(world.used("sms").await, Some((0, 1)));
    world.until(0, || async { world.used("sms").await == Some((0, 0)) }).await;
    world.tick(100).await;
    world.send(1, "sms unless quota", json!({})).await.unwrap();
    assert_eq!(world.attempts(0).await.len(), 2, "it is free again");
}

async fn what_a_node_held_when_it_died_is_counted_once_by_who_goes_on(on: Kind) {
    let world = World::new(on, 2, vec![day("sms", 3)]).await;
    for _ in 0..3 {
        world
            .send(0, "sms unless quota", json!({"sms": "accepted after 1m, delivered after 1s"}))
            .await
            .unwrap();
    }
    assert_eq!(world.used("sms").await, Some((0, 3)));
    // The first node's clock stands still for good, so it renews its lease no more.
    world.tick_from(1, 100).await;
    world.send(1, "sms unless quota", json!({})).await.unwrap();
    assert_eq!(world.attempts(1).await.len(), 3);
    world.until(1, || async { world.live(1).await == 0 }).await;
    assert_eq!(world.used("sms").await, Some((3, 0)));
    world.tick_from(1, 100).await;
    world.send(1, "sms unless quota", json!({})).await.unwrap();
    assert_eq!(world.attempts(1).await.len(), 3, "the three count still");
}

async fn a_breaker_is_one_on_all_nodes_and_lets_one_probe_pass(on: Kind) {
    let world = World::new(on, 3, Vec::new()).await;
    let fails = || json!({"gw": "account fault"});
    // Each has failures enough for its own, at once.
    let sends = (0..15).map(|n| world.send(n % 3, "sms via gw", fails()));
    join_all(sends).await.into_iter().for_each(Result::unwrap);
    world.tick(1_000).await;
    world.breakers_settle(BreakerState::Open).await;
    world.until(0, || async { !world.told(0, "provider.circuit_opened").await.is_empty() }).await;
    assert_eq!(world.told(0, "provider.circuit_opened").await.len(), 1, "told once");

    // Half open: of many that come at once one passes, on one node.
    for _ in 0..31 {
        world.tick(1_000).await;
    }
    world.breakers_settle(BreakerState::HalfOpen).await;
    let before = world.attempts(0).await.len();
    let slow = || json!({"gw": "accepted after 5s"});
    for round in 0..3 {
        let sends = (0..9).map(|n| world.send(n % 3, "sms via gw", slow()));
        join_all(sends).await.into_iter().for_each(Result::unwrap);
        assert_eq!(world.attempts(0).await.len(), before + round + 1, "one probe at a time");
        assert!(world.has_probe().await);
        // Given back with its result.
        world.until(0, || async { !world.has_probe().await }).await;
        world.tick(1_000).await;
    }
    world.breakers_settle(BreakerState::Closed).await;
    world.until(0, || async { !world.told(2, "provider.circuit_closed").await.is_empty() }).await;
    assert_eq!(world.told(2, "provider.circuit_closed").await.len(), 1, "three probes close it, once");
}

async fn a_breaker_that_opened_or_was_reset_on_one_node_is_so_on_all_within_a_second(on: Kind) {
    let world = World::new(on, 2, Vec::new()).await;
    for _ in 0..5 {
        world.send(0, "sms via gw", json!({"gw": "account fault"})).await.unwrap();
        world.tick(1).await;
    }
    // From when it is open where it failed, a second passes and no more.
    world
        .settles("a breaker that opens", || async { world.breakers().await[0] == Some(BreakerState::Open) })
        .await;
    world.tick(1_000).await;
    world.breakers_settle(BreakerState::Open).await;
    let node = &world.nodes[1];
    let reset = node.engine.reset_breaker(Arc::clone(&node.scope), "gw".into(), Change::default()).await;
    assert!(matches!(reset, Ok(Taken::Done(()))));
    world.tick(1_000).await;
    world.breakers_settle(BreakerState::Closed).await;
    // And passes again where it had opened.
    let before = world.attempts(0).await.len();
    world.send(0, "sms via gw", json!({"gw": "accepted"})).await.unwrap();
    assert_eq!(world.attempts(0).await.len(), before + 1);
}

on_each_store!(
    async
    a_quota_of_1000_lets_1000_pass_on_three_nodes_and_is_told_of_once,
    a_quota_of_messages_refuses_what_is_too_much_wherever_it_comes_in,
    a_place_given_back_by_one_node_is_free_for_another_a_moment_later,
    what_a_node_held_when_it_died_is_counted_once_by_who_goes_on,
    a_breaker_is_one_on_all_nodes_and_lets_one_probe_pass,
    a_breaker_that_opened_or_was_reset_on_one_node_is_so_on_all_within_a_second,
);
