//! Of several nodes one delivers to an endpoint at a time, while they join, pause and die.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use spine::model::shapes::EventType;
use spine::model::{Clock, Currency, Environment, Id, Ids, Instant, ScopeId, Span, kinds};
use spine::store::rows::{DeliveryFilter, DeliveryRow, DeliveryState, EventRow};
use spine::store::seal::Scope;
use spine::store::{Change, EndpointChange, NodeId, Page, PageStart, Peers, Put, Store, TenantRow};
use spine::webhooks::{Endpoint, Outside, Settings, Wanted, Webhooks, delivery, letters};
use tokio::sync::watch;

use crate::receiver::{Received, Receiver};
use crate::stores::{Kind, SharedStore, on_each_store};
use crate::webhooks::world::{self, START, Still, secret};

const LEASE: Span = Span::from_s(10);
/// A limit for a fault; nothing takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(100);

/// The clock of one node: the scope's time, and whether the lease holds by what the node knows.
struct NodeClock {
    still: Arc<Still>,
    may_act: AtomicBool,
}

impl Clock for NodeClock {
    fn real_now(&self) -> Instant {
        self.still.real_now()
    }
    fn scope_now(&self, scope: ScopeId) -> Instant {
        self.still.scope_now(scope)
    }
    fn may_act(&self) -> bool {
        self.may_act.load(Ordering::Relaxed)
    }
    fn until(&self, scope: ScopeId, at: Instant) -> BoxFuture<'_, ()> {
        self.still.until(scope, at)
    }
}

/// One node: its handle to the store, and its workers.
struct Node {
    store: Arc<dyn Store>,
    scope: Arc<Scope>,
    peers: Arc<Peers>,
    clock: Arc<NodeClock>,
    webhooks: Webhooks,
    is_alive: bool,
}

struct World {
    store: SharedStore,
    /// Who had which duty when it was last looked.
    claims: Mutex<BTreeMap<String, NodeId>>,
    clock: Arc<Still>,
    ids: Arc<dyn Ids>,
    nodes: Vec<Node>,
    scope: ScopeId,
}

impl World {
    async fn new(on: Kind, nodes: usize) -> World {
        let store = SharedStore::new(on, START).await;
        let ids: Arc<dyn Ids> = Arc::new(world::Counted::default());
        let tenant = TenantRow {
            id: ids.mint(),
            name: "acme".into(),
            timezone: "UTC".into(),
            currency: Currency::EUR,
            created_at: START,
        };
        let first = store.node("maker", LEASE).await;
        let scopes = first.registry().make_tenant(tenant).await.unwrap();
        let scope = scopes.iter().find(|scope| scope.environment == Environment::Live).unwrap().id;
        first.nodes().leave().await.unwrap();
        let clock = Arc::new(Still(watch::channel(START).0));
        let claims = Mutex::default();
        let mut world = World { store, claims, clock, ids, nodes: Vec::new(), scope };
        for _ in 0..nodes {
            world.join().await;
        }
        world
    }

    /// A node joins, and the others hear of it.
    async fn join(&mut self) {
        let store = self.store.node(&format!("node {}", self.nodes.len()), LEASE).await;
        let peers = Arc::new(Peers::new(store.nodes().as_ref()));
        let clock = Arc::new(NodeClock { still: Arc::clone(&self.clock), may_act: AtomicBool::new(true) });
        let outside = Outside {
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            ids: Arc::clone(&self.ids),
            peers: Arc::clone(&peers),
            ..world::outside(&self.clock)
        };
        let webhooks = Webhooks::new(outside, Settings::default());
        let scope = store.scope(self.scope).await.unwrap();
        self.nodes.push(Node { store, scope, peers, clock, webhooks, is_alive: true });
        self.renew().await;
        let node = self.nodes.last().unwrap();
        node.webhooks.open(&node.scope);
    }

    /// All that are alive renew their leases, and look at what the others did.
    async fn renew(&self) {
        for node in self.nodes.iter().filter(|node| node.is_alive) {
            let nodes = node.store.nodes();
            nodes.renew(LEASE).await.unwrap();
            node.peers.learn(&nodes.company().await.unwrap(), self.clock.now(), LEASE);
            nodes.look().await.unwrap();
        }
    }

    /// A second passes.
    async fn tick(&self) {
        self.store.later(1_000).await;
        self.clock.advance(Span::from_s(1));
        self.renew().await;
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        *self.claims.lock().unwrap() = self.store.claims(self.scope).await;
    }

    /// Lets seconds pass until something holds.
    async fn until(&self, mut holds: impl FnMut(&World) -> bool) {
        let waiting = async {
            while !holds(self) {
                self.tick().await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("it comes to hold");
    }

    async fn endpoint(&self, at: usize, url: String) -> Endpoint {
        let wanted = Wanted { url, events: vec!["*".into()], description: None };
        let scope = &self.nodes[at].scope;
        let endpoint = Endpoint::make(scope, self.ids.mint(), wanted, &secret(1), self.clock.now()).unwrap();
        let put = EndpointChange::Put(Put { row: endpoint.row(), expected: None });
        self.commit(at, Change { endpoints: vec![put], ..Change::default() }).await;
        endpoint
    }

    /// Something that node does; the others are not told.
    async fn commit(&self, at: usize, change: Change) {
        self.nodes[at].scope.commit(change).await.map(|_| ()).unwrap();
        self.nodes[at].webhooks.poke(self.scope);
    }

    async fn tell(&self, at: usize) -> Id<kinds::Event> {
        let id = self.ids.mint();
        let kind = EventType::MessageSent.word().into();
        let event = EventRow { id, kind, at: self.clock.now(), sequence: None, data: b"{}".to_vec() };
        self.commit(at, Change { events: vec![event], ..Change::default() }).await;
        id
    }

    async fn deliveries(&self, at: usize) -> Vec<DeliveryRow> {
        let page = Page { start: PageStart::Newest, limit: 100 };
        let listed = self.nodes[at].scope.deliveries(DeliveryFilter::default(), page).await.unwrap();
        listed.rows.into_iter().map(|each| each.row).collect()
    }

    /// Which node has the duty of an endpoint, by its place in the list.
    fn holder(&self, endpoint: &Endpoint) -> Option<usize> {
        let claims = self.claims.lock().unwrap();
        let node = claims.get(&format!("webhook {}", endpoint.id))?;
        self.nodes.iter().position(|it| it.store.nodes().me() == *node)
    }

    fn preferred(&self, endpoint: &Endpoint) -> Option<usize> {
        let name = format!("webhook {}", endpoint.id);
        self.nodes.iter().position(|node| node.is_alive && node.peers.is_preferred(&name))
    }
}

/// How often each event came to each path.
type Calls = Arc<Mutex<BTreeMap<(String, String), usize>>>;

/// Takes every call and counts it.
async fn taking(mut receiver: Receiver, calls: Calls) {
    loop {
        let received = receiver.next().await;
        let event = received.headers["webhook-id"].to_str().unwrap().to_owned();
        *calls.lock().unwrap().entry((received.path.clone(), event)).or_default() += 1;
        received.ok();
    }
}

async fn no_two_nodes_deliver_to_an_endpoint_at_once_while_nodes_join_and_die(on: Kind) {
    let mut world = World::new(on, 2).await;
    let receiver = Receiver::start().await;
    let urls: Vec<String> = (0..8).map(|n| receiver.url(&format!("/{n}"))).collect();
    let calls = Calls::default();
    let server = tokio::spawn(taking(receiver, Arc::clone(&calls)));
    let mut endpoints = Vec::new();
    for (n, url) in urls.into_iter().enumerate() {
        endpoints.push(world.endpoint(n % 2, url).await);
    }
    let mut told = 0;
    for act in 0..3 {
        match act {
            0 => {}
            1 => world.join().await,
            _ => {
                // One dies with all that it had; its lease ends.
                world.nodes[0].is_alive = false;
                let dead = world.nodes[0].scope.id();
                world.nodes[0].webhooks.close(dead).await;
                for _ in 0..2 {
                    world.store.later(LEASE.ms() / 2).await;
                    world.renew().await;
                }
            }
        }
        for n in 0..60 {
            let alive: Vec<usize> = (0..world.nodes.len()).filter(|at| world.nodes[*at].is_alive).collect();
            world.tell(alive[n % alive.len()]).await;
            told += 1;
            if n % 6 == 0 {
                world.tick().await;
            }
        }
        let all = told * endpoints.len();
        world.until(|_| calls.lock().unwrap().len() == all).await;
        // Each comes to the node that is preferred for it, whoever had it first.
        let settled = |world: &World| {
            endpoints.iter().all(|it| world.holder(it).is_some() && world.holder(it) == world.preferred(it))
        };
        world.until(settled).await;
        let busy: std::collections::BTreeSet<_> = endpoints.iter().map(|it| world.holder(it)).collect();
        assert!(busy.len() >= 2, "one node has all duties");
    }
    let calls = calls.lock().unwrap();
    let twice: Vec<_> = calls.iter().filter(|(_, times)| **times != 1).collect();
    assert!(twice.is_empty(), "delivered more than once: {twice:?}");
    server.abort();
}

async fn who_paused_and_lost_its_duty_writes_nothing_and_calls_nobody(on: Kind) {
    let mut world = World::new(on, 1).await;
    let mut receiver = Receiver::start().await;
    world.endpoint(0, receiver.url("/")).await;
    let event = world.tell(0).await;
    let first: Received = receiver.next().await;
    world.join().await;
    // The first node stands still past its lease, in the middle of a try.
    world.nodes[0].is_alive = false;
    for _ in 0..2 {
        world.store.later(LEASE.ms() / 2).await;
        world.renew().await;
    }
    let waiting = async {
        loop {
            if let Some(again) = receiver.waiting() {
                return again;
            }
            world.tick().await;
        }
    };
    let again = tokio::time::timeout(PATIENCE, waiting).await.expect("the other takes it up");
    assert_eq!(again.headers["webhook-id"], event.to_string().as_str());
    // It comes back, and what it had in hand comes to nothing.
    first.ok();
    for _ in 0..3 {
        world.tick().await;
    }
    assert!(world.deliveries(1).await.is_empty());
    world.nodes[0].clock.may_act.store(false, Ordering::Relaxed);
    again.answer(500, &[], "");
    while world.deliveries(1).await.is_empty() {
        tokio::task::yield_now().await;
    }
    let rows = world.deliveries(1).await;
    let tries: Vec<_> = rows.iter().flat_map(|row| delivery(row).tries).collect();
    assert_eq!(tries.iter().map(|each| each.status_code).collect::<Vec<_>>(), [Some(500)]);
}

async fn a_node_that_may_not_act_makes_no_call(on: Kind) {
    let world = World::new(on, 1).await;
    let mut receiver = Receiver::start().await;
    let endpoint = world.endpoint(0, receiver.url("/")).await;
    world.until(|world| world.holder(&endpoint) == Some(0)).await;
    world.nodes[0].clock.may_act.store(false, Ordering::Relaxed);
    world.tell(0).await;
    for _ in 0..5 {
        world.tick().await;
    }
    assert!(receiver.waiting().is_none());
    // Its lease was renewed after all.
    world.nodes[0].clock.may_act.store(true, Ordering::Relaxed);
    world.until(|_| receiver.waiting().map(Received::ok).is_some()).await;
}

async fn what_another_node_changes_of_an_endpoint_is_known_a_second_later(on: Kind) {
    let world = World::new(on, 2).await;
    let mut receiver = Receiver::start().await;
    let endpoint = world.endpoint(0, receiver.url("/")).await;
    world
        .until(|world| {
            world.holder(&endpoint).is_some() && world.holder(&endpoint) == world.preferred(&endpoint)
        })
        .await;
    let holder = world.holder(&endpoint).unwrap();
    let other = 1 - holder;
    // Died at the holder, replayed at the other.
    world.tell(holder).await;
    world.until(|_| receiver.waiting().map(|received| received.answer(500, &[], "")).is_some()).await;
    while world.deliveries(other).await.is_empty() {
        tokio::task::yield_now().await;
    }
    let kill = EndpointChange::SettlePending(endpoint.id, DeliveryState::Dead);
    world.commit(other, Change { endpoints: vec![kill], ..Change::default() }).await;
    let dead = world.deliveries(other).await.remove(0);
    let replayed = letters::replayed(&dead, world.clock.now()).unwrap();
    world.commit(other, Change { deliveries: vec![replayed], ..Change::default() }).await;
    world.until(|_| receiver.waiting().map(Received::ok).is_some()).await;
    let delivered = |rows: Vec<DeliveryRow>| rows[0].state == DeliveryState::Delivered;
    while !delivered(world.deliveries(other).await) {
        tokio::task::yield_now().await;
    }
    // Disabled at the other: the holder lets go of it.
    let row = world.nodes[other].scope.endpoint(endpoint.id).await.unwrap().unwrap();
    let now = Endpoint::read(&row).unwrap();
    let change = world.nodes[other].webhooks.disabled(&now, world.clock.now());
    world.commit(other, change).await;
    world.until(|world| world.holder(&endpoint).is_none()).await;
    world.tell(holder).await;
    for _ in 0..3 {
        world.tick().await;
    }
    assert!(receiver.waiting().is_none());
    // Enabled again there, it is delivered to by whoever takes it.
    let row = world.nodes[other].scope.endpoint(endpoint.id).await.unwrap().unwrap();
    let change =
        world.nodes[other].webhooks.enabled(&world.nodes[other].scope, &Endpoint::read(&row).unwrap());
    world.commit(other, change).await;
    world.tell(other).await;
    world.until(|_| receiver.waiting().map(Received::ok).is_some()).await;
}

on_each_store!(
    async
    no_two_nodes_deliver_to_an_endpoint_at_once_while_nodes_join_and_die,
    who_paused_and_lost_its_duty_writes_nothing_and_calls_nobody,
    a_node_that_may_not_act_makes_no_call,
    what_another_node_changes_of_an_endpoint_is_known_a_second_later,
);
