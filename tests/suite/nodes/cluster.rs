//! Several nodes on one store, in memory or on a real server, each with its own runtime, REST surface and
//! clock, all clocks in the test's hand. A node is killed by dropping its runtime, and paused by leaving
//! its clock behind.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use spine::api::BASE_PATH;
use spine::api::conventions::keys::ApiKey;
use spine::api::endpoint::Permission;
use spine::model::{Currency, Environment, Instant, ScopeId, Span};
use spine::store::{KeyRow, RegistryChange, TenantRow};
use tokio::runtime::Runtime;

use super::node::{Node, runtime, start};
use crate::stores::{Holds, Kind, SharedStore, Still, within_a_second};

/// How long a node is taken to be alive.
pub(crate) const LEASE_S: i64 = 10;
/// A limit for a fault; nothing takes nearly as long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(400);
/// What failed once is tried again only as time goes on, which stands: where nothing has come of a wait
/// for so long of real time, a moment of the test's passes.
const STANDS_FOR: Duration = Duration::from_secs(5);
const NOW_MS: i64 = 1_767_614_400_000;

/// An answer of the REST surface.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Value,
}

/// The nodes and what they share.
pub(crate) struct Cluster {
    pub(crate) runtime: Runtime,
    shared: SharedStore,
    pub(crate) nodes: Vec<Node>,
    keys: BTreeMap<&'static str, ApiKey>,
    pub(crate) scopes: BTreeMap<&'static str, ScopeId>,
    asked: AtomicU32,
    client: reqwest::Client,
}

impl Cluster {
    /// With so many nodes.
    pub(crate) fn of(on: Kind, count: usize) -> Cluster {
        let runtime = runtime();
        let shared = runtime.block_on(SharedStore::new(on, Instant::from_ms(NOW_MS)));
        if std::env::var_os("SPINE_TRACE").is_some() {
            let _ = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).try_init();
        }
        // Another test of this process may have said so already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::new();
        let mut cluster = Cluster {
            runtime,
            shared,
            nodes: Vec::new(),
            keys: BTreeMap::new(),
            scopes: BTreeMap::new(),
            asked: AtomicU32::new(0),
            client,
        };
        cluster.join("one");
        cluster.make_tenant();
        for n in 1..count {
            cluster.join(["one", "two", "three", "four"][n]);
        }
        cluster
    }

    /// A node starts.
    pub(crate) fn join(&mut self, name: &str) -> usize {
        self.runtime.block_on(self.shared.lay_wire());
        let runtime = runtime();
        let store = runtime.block_on(self.shared.node(name, Span::from_s(LEASE_S)));
        let id = store.nodes().me();
        let clock = Arc::new(Still::at(self.shared.now_ms()));
        let (engine, address) = runtime.block_on(start(Arc::clone(&store), Arc::clone(&clock)));
        self.nodes.push(Node {
            runtime: Some(runtime),
            engine,
            store,
            id,
            address,
            clock,
            is_paused: false.into(),
        });
        self.nodes.len() - 1
    }

    fn make_tenant(&mut self) {
        let node = &self.nodes[0];
        let registry = node.store.registry();
        let row = TenantRow {
            id: spine::model::Id::from_u128(1),
            name: "acme".into(),
            timezone: "UTC".into(),
            currency: Currency::EUR,
            created_at: Instant::from_ms(NOW_MS),
        };
        let scopes = node.wait(registry.make_tenant(row)).unwrap();
        let mut change = RegistryChange::default();
        for (n, (name, environment)) in
            [("test", Environment::Test), ("live", Environment::Live)].into_iter().enumerate()
        {
            let scope = scopes.iter().find(|scope| scope.environment == environment).unwrap().id;
            let key = ApiKey::from_random(environment, &[u8::try_from(n + 1).unwrap(); 25]);
            change.keys.push(KeyRow {
                id: spine::model::Id::from_u128(u128::try_from(n + 10).unwrap()),
                scope,
                environment,
                name: name.into(),
                hash: key.hash(),
                hint: key.hint(),
                permissions: Permission::ALL.iter().fold(0, |bits, p| bits | p.bit()),
                created_at: Instant::from_ms(NOW_MS),
                last_used_at: None,
                expires_at: None,
                revoked_at: None,
            });
            self.keys.insert(name, key);
            self.scopes.insert(name, scope);
        }
        node.wait(registry.commit(change)).unwrap();
    }

    /// Asks a node: `POST /messages` as `test`, under an idempotency key of its own.
    pub(crate) fn ask(&self, node: usize, request: &str, body: &Value) -> Answer {
        self.come(request, self.asking(node, request, body))
    }

    /// The same, to be waited for. A request may end with ` as live` and ` under <key>`.
    pub(crate) fn asking(
        &self,
        node: usize,
        request: &str,
        body: &Value,
    ) -> impl Future<Output = Answer> + Send + 'static {
        let (request, own) = match request.split_once(" under ") {
            Some((request, key)) => (request, key.to_owned()),
            None => (request, format!("own-{}", self.asked.fetch_add(1, Ordering::Relaxed))),
        };
        let (request, who) = request.split_once(" as ").unwrap_or((request, "test"));
        let (method, path) = request.split_once(' ').unwrap();
        let url = format!("http://{}{BASE_PATH}{path}", self.nodes[node].address);
        let mut call = self.client.request(method.parse().unwrap(), url);
        if who != "nobody" {
            call = call.bearer_auth(self.keys[who].reveal());
        }
        if method != "GET" {
            call = call.header("idempotency-key", own);
        }
        if !body.is_null() {
            call = call.json(body);
        }
        answer(call)
    }

    /// Waits for the answer to what a node may leave to another: it looks each 200 ms whether that is done.
    pub(crate) fn answered(&self, asked: impl Future<Output = Answer> + Send + 'static) -> Answer {
        let mut asked = self.runtime.spawn(asked);
        loop {
            self.moment();
            if let Some(answer) = within_a_second(&self.runtime, &mut asked) {
                return answer.unwrap();
            }
        }
    }

    /// A provider's callback to a node.
    pub(crate) fn called_back(
        &self,
        node: usize,
        provider: &str,
        headers: reqwest::header::HeaderMap,
        body: String,
    ) -> impl Future<Output = Answer> + Send + 'static {
        let url = format!("http://{}{BASE_PATH}/callbacks/{provider}", self.nodes[node].address);
        answer(self.client.post(url).headers(headers).body(body))
    }

    /// Sends a message at a node; its id.
    pub(crate) fn send(&self, node: usize, who: &str, body: &Value) -> String {
        let mut sent = json!({"to": {"sms": "+4915112345678", "email": "a@example.org"},
            "content": {"sms": {"body": "hi"}, "email": {"subject": "s", "body": "hi"}}});
        sent.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        let answer = self.ask(node, &format!("POST /messages as {who}"), &sent);
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.body["id"].as_str().unwrap().to_owned()
    }

    /// A message, as a node shows it.
    pub(crate) fn message(&self, node: usize, who: &str, id: &str) -> Value {
        let answer = self.ask(node, &format!("GET /messages/{id} as {who}"), &Value::Null);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    pub(crate) fn status(&self, node: usize, who: &str, id: &str) -> String {
        self.message(node, who, id)["status"].as_str().unwrap().to_owned()
    }

    /// Waits until something holds, which is looked at whenever the store has worked.
    pub(crate) fn until<T>(&self, what: &str, mut holds: impl FnMut() -> Option<T>) -> T {
        let mut written = self.shared.written();
        let begun = std::time::Instant::now();
        let mut moved = begun;
        loop {
            written.borrow_and_update();
            if let Some(found) = holds() {
                return found;
            }
            if moved.elapsed() > STANDS_FOR {
                self.moment();
                moved = std::time::Instant::now();
            }
            // What was asked above works the store too, so this ends at once or soon.
            self.come(what, written.changed()).unwrap();
            assert!(begun.elapsed() < PATIENCE, "not to be waited for: {what}");
        }
    }

    /// What comes, while time creeps on.
    pub(crate) fn come<T>(&self, what: &str, awaited: impl Future<Output = T>) -> T {
        let (begun, mut awaited) = (std::time::Instant::now(), std::pin::pin!(awaited));
        loop {
            let come = async { tokio::time::timeout(STANDS_FOR, awaited.as_mut()).await };
            if let Ok(come) = self.runtime.block_on(come) {
                return come;
            }
            assert!(begun.elapsed() < PATIENCE, "not to be waited for: {what}");
            self.moment();
        }
    }

    /// Waits until a message has a status, as a node shows it.
    pub(crate) fn until_status(&self, node: usize, who: &str, id: &str, status: &str) {
        self.until(&format!("{status}, but {}", self.message(node, who, id)), || {
            (self.status(node, who, id) == status).then_some(())
        });
    }

    /// Waits until nothing is under way at a node.
    pub(crate) fn idle(&self, node: usize) {
        self.come("rest", self.nodes[node].engine.idle());
    }

    /// Lets time pass for the store and all nodes that are not paused, a little at a time, so that each
    /// has renewed its lease before the next moment.
    pub(crate) fn later(&self, seconds: i64) {
        for _ in 0..seconds {
            let now = self.runtime.block_on(self.shared.later(1_000));
            let up: Vec<&Node> = self.nodes.iter().filter(|node| node.goes_on()).collect();
            for node in up {
                node.clock.set(now);
                // The store knows until when it holds the lease.
                let half = Instant::from_ms(now + LEASE_S * 1_000 / 2 - 1);
                self.until("a lease that is renewed", || {
                    let alive = self.runtime.block_on(self.shared.alive(half));
                    (alive.contains(&node.id) || node.is_fenced()).then_some(())
                });
                // And the node itself, once the store's answer has come to it.
                self.until_ready(node);
            }
        }
    }

    /// Waits until a node knows that its lease holds, which is no work of the store's.
    fn until_ready(&self, node: &Node) {
        let mut begun = std::time::Instant::now();
        let end = begun + PATIENCE;
        while node.is_over() && !node.is_fenced() {
            assert!(std::time::Instant::now() < end, "a node that is not ready");
            if begun.elapsed() > STANDS_FOR {
                begun = std::time::Instant::now();
                self.moment();
            }
            std::thread::yield_now();
        }
    }

    /// Lets a moment pass, too short for any lease.
    pub(crate) fn moment(&self) {
        let now = self.runtime.block_on(self.shared.later(200));
        for node in self.nodes.iter().filter(|node| node.has_time()) {
            node.clock.set(now);
        }
    }

    /// Real time, in milliseconds since 1970.
    pub(crate) fn now(&self) -> Instant {
        Instant::from_ms(self.shared.now_ms())
    }

    /// Stops a node: its clock stands, and nothing that it asks comes to the store.
    pub(crate) fn pause(&self, node: usize) {
        self.shared.hold(self.nodes[node].id, Holds::All, 0);
        self.nodes[node].is_paused.store(true, Ordering::Release);
    }

    /// The paused node comes back, its clock where the others' is.
    pub(crate) fn come_back(&self, node: usize) {
        self.nodes[node].is_paused.store(false, Ordering::Release);
        self.nodes[node].clock.set(self.shared.now_ms());
        self.let_go_on(node);
    }

    /// Ends a node on the spot.
    pub(crate) fn kill(&mut self, node: usize) {
        if let Some(runtime) = self.nodes[node].runtime.take() {
            runtime.shutdown_timeout(PATIENCE);
        }
    }

    /// After so many more of them a node's changes wait.
    pub(crate) fn hold_changes(&self, node: usize, passing: usize) {
        self.shared.hold(self.nodes[node].id, Holds::Changes, passing);
    }

    /// After so many more of them what a node asks about its lease and duties waits.
    pub(crate) fn hold_duties(&self, node: usize, passing: usize) {
        self.shared.hold(self.nodes[node].id, Holds::Duties, passing);
    }

    /// What a node asks about the others waits.
    pub(crate) fn hold_looks(&self, node: usize) {
        self.shared.hold(self.nodes[node].id, Holds::Looks, 0);
    }

    /// A node takes messages over, and does not hear yet that it has.
    pub(crate) fn hold_word_of_adoptions(&self, node: usize) {
        self.shared.hold(self.nodes[node].id, Holds::WordOfAdoptions, 0);
    }

    /// Waits until something of a node's waits.
    pub(crate) fn until_held(&self, node: usize) {
        self.until("a change that waits", || self.shared.is_held(self.nodes[node].id).then_some(()));
    }

    /// Lets what waits of a node's go on.
    pub(crate) fn let_go_on(&self, node: usize) {
        self.shared.let_go_on(self.nodes[node].id);
    }

    /// The answers that wait for a node never come to it.
    pub(crate) fn lose_what_is_held(&self, node: usize) {
        self.shared.lose_what_is_held(self.nodes[node].id);
    }

    /// What waits of a node's is refused.
    pub(crate) fn refuse_what_is_held(&self, node: usize) {
        self.shared.refuse_what_is_held(self.nodes[node].id);
    }

    /// How many messages have ended of which something is still to come.
    pub(crate) fn unsettled(&self, who: &str) -> usize {
        self.runtime.block_on(self.shared.unsettled(self.scopes[who]))
    }

    /// How many signals nobody has carried out.
    pub(crate) fn signals_waiting(&self, who: &str) -> usize {
        self.runtime.block_on(self.shared.signals_waiting(self.scopes[who]))
    }
}

async fn answer(call: reqwest::RequestBuilder) -> Answer {
    let answer = tokio::time::timeout(PATIENCE, call.send()).await.expect("an answer").unwrap();
    let status = answer.status().as_u16();
    let headers = answer.headers().iter();
    let headers = headers.map(|(k, v)| (k.to_string(), v.to_str().unwrap().to_owned())).collect();
    let bytes = answer.bytes().await.unwrap();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Answer { status, headers, body }
}
