//! A server over a real socket, on a real folder, with clocks that stand still, and either an engine
//! that only answers or the real one.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value;
use spine::api::conventions::keys::ApiKey;
use spine::api::conventions::limit::{Rate, Steady};
use spine::api::endpoint::Permission;
use spine::api::{Api, BASE_PATH, Parts};
use spine::engine::front::Front;
use spine::engine::ids::RisingIds;
use spine::engine::{Beside, Clocks, Engine, RealTime, Setup, plain_data, read_event};
use spine::model::shapes::Event;
use spine::model::{Clock, Currency, Environment, Ids, Instant, ScopeId, Span};
use spine::providers::outbound::Outbound;
use spine::store::rows::StoredEvent;
use spine::store::seal::{Randomness, Scope};
use spine::store::sqlite::{Options, open};
use spine::store::{KeyRow, RegistryChange, Store, StoreError, TenantRow};
use spine::webhooks::{EventForm, Outside, Resting, Webhooks};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::front::Answering;
use crate::names::Names;

/// Real time that stands still until the test moves it.
struct Still {
    now_ms: AtomicI64,
    moved: watch::Sender<()>,
}

impl RealTime for Still {
    fn now(&self) -> Instant {
        Instant::from_ms(self.now_ms.load(Ordering::Relaxed))
    }
    fn sleep_until(&self, at: Instant) -> BoxFuture<'_, ()> {
        let mut moved = self.moved.subscribe();
        Box::pin(async move { while self.now() < at && moved.changed().await.is_ok() {} })
    }
}

/// Both clocks stand still; nothing beside the real engine waits for one.
impl Clock for Still {
    fn real_now(&self) -> Instant {
        self.now()
    }
    fn scope_now(&self, _: ScopeId) -> Instant {
        self.real_now()
    }
    fn until(
        &self,
        _: ScopeId,
        _: Instant,
    ) -> std::pin::Pin<Box<dyn std::future::Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::pending())
    }
}

/// Bytes that anybody could guess, never the same twice.
#[derive(Default)]
struct Seeded(AtomicU64);

impl Randomness for Seeded {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), StoreError> {
        for byte in bytes {
            let n = self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            *byte = u8::try_from(n >> 56).unwrap();
        }
        Ok(())
    }
}

/// The webhooks' workers beside the real engine.
struct Workers(Arc<Webhooks>);

impl Beside for Workers {
    fn opened(&self, scope: &Arc<Scope>) {
        self.0.open(scope);
    }
    fn rests(&self, scope: ScopeId) -> Option<Option<Instant>> {
        match self.0.resting(scope) {
            Resting::No => None,
            Resting::Until(at) => Some(at),
        }
    }
    fn close(&self, scope: ScopeId) -> BoxFuture<'_, ()> {
        Box::pin(self.0.close(scope))
    }
}

/// Events as the real engine writes them.
pub(crate) struct EngineEvents;

impl EventForm for EngineEvents {
    fn read<'a>(
        &'a self,
        scope: &'a Scope,
        event: &'a StoredEvent,
    ) -> BoxFuture<'a, Result<Event, StoreError>> {
        Box::pin(read_event(scope, event))
    }
    fn plain(&self, data: &Value) -> Vec<u8> {
        plain_data(data)
    }
}

/// A server, its keys, and who answers for the engine.
pub(crate) struct World {
    pub(crate) runtime: Runtime,
    pub(crate) address: std::net::SocketAddr,
    /// The real engine, where the world has one.
    pub(crate) engine: Option<Arc<Engine>>,
    pub(crate) front: Arc<Answering>,
    clock: Arc<Still>,
    steady: Arc<AtomicU64>,
    keys: Vec<(&'static str, ApiKey)>,
    asked: AtomicU32,
    store: Arc<dyn Store>,
    folder: tempfile::TempDir,
}

const NOW_MS: i64 = 1_767_614_400_000;

impl World {
    /// With an engine that only answers.
    pub(crate) fn new(rate: Rate) -> World {
        World::with(rate, false)
    }

    /// With the real engine, which may call addresses of this machine.
    pub(crate) fn real() -> World {
        World::with(Rate::DEFAULT, true)
    }

    fn with(rate: Rate, real: bool) -> World {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let folder = tempfile::TempDir::new().unwrap();
        let clock = Arc::new(Still { now_ms: AtomicI64::new(NOW_MS), moved: watch::Sender::new(()) });
        let steady = Arc::new(AtomicU64::new(0));
        let random: Arc<dyn Randomness> = Arc::new(Seeded::default());
        let (address, front, engine, keys, store) = runtime.block_on(async {
            let options = Options {
                folder: folder.path().join("data"),
                master_key: None,
                now: clock.real_now(),
                random: Arc::clone(&random),
            };
            let store: Arc<dyn Store> = Arc::new(open(options).await.unwrap());
            let clocks = Arc::new(Clocks::new(Arc::clone(&clock) as Arc<dyn RealTime>));
            let shared = if real {
                Arc::clone(&clocks) as Arc<dyn Clock>
            } else {
                Arc::clone(&clock) as Arc<dyn Clock>
            };
            let rising = Arc::new(RisingIds::above(0, Arc::clone(&shared), Arc::clone(&random)));
            let ids = Arc::clone(&rising) as Arc<dyn Ids>;
            let keys = tenants(store.as_ref(), ids.as_ref(), random.as_ref(), shared.real_now()).await;
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let answering = Arc::new(Answering::new(Arc::clone(&store), Arc::clone(&ids)));
            let outbound = spine::providers::outbound::Settings {
                allow_private_addresses: real,
                ..spine::providers::outbound::Settings::default()
            };
            let outbound = Outbound::new(outbound).unwrap();
            let events: Arc<dyn EventForm> =
                if real { Arc::new(EngineEvents) } else { Arc::new(crate::front::PlainEvents) };
            let outside = Outside {
                clock: Arc::clone(&shared),
                ids: Arc::clone(&ids),
                events,
                outbound: outbound.clone(),
                peers: Arc::new(spine::store::Peers::none()),
            };
            let webhooks = Arc::new(Webhooks::new(outside, spine::webhooks::Settings::default()));
            let engine = if real {
                let setup = Setup {
                    store: Arc::clone(&store),
                    clocks,
                    ids: rising,
                    outbound,
                    settings: spine::engine::Settings {
                        public_url: format!("http://{address}"),
                        ..spine::engine::Settings::default()
                    },
                    peers: Arc::new(spine::store::Peers::none()),
                    beside: Arc::new(Workers(Arc::clone(&webhooks))),
                };
                Some(Engine::start(setup).await.unwrap())
            } else {
                None
            };
            let front = match &engine {
                Some(engine) => Arc::clone(engine) as Arc<dyn Front>,
                None => Arc::clone(&answering) as Arc<dyn Front>,
            };
            let elapsed = Arc::clone(&steady);
            let api = Api::new(Parts {
                store: Arc::clone(&store),
                front,
                webhooks,
                clock: shared,
                steady: Steady::new(move || Duration::from_millis(elapsed.load(Ordering::Relaxed))),
                ids,
                random,
                settings: spine::api::Settings { rate, ..spine::api::Settings::default() },
                peers: Arc::new(spine::store::Peers::none()),
            })
            .unwrap();
            tokio::spawn(async move { axum::serve(listener, api.router()).await.unwrap() });
            (address, answering, engine, keys, store)
        });
        World {
            runtime,
            address,
            front,
            engine,
            clock,
            steady,
            keys,
            asked: AtomicU32::new(0),
            store,
            folder,
        }
    }

    /// Lets time pass, on every clock.
    pub(crate) fn later(&self, by: Span) {
        self.set_back_or_on(by.ms());
        self.steady.fetch_add(u64::try_from(by.ms()).unwrap(), Ordering::Relaxed);
    }

    /// Moves real time alone; also back.
    pub(crate) fn set_back_or_on(&self, by_ms: i64) {
        self.clock.now_ms.fetch_add(by_ms, Ordering::Relaxed);
        self.clock.moved.send_replace(());
    }

    /// Real time, in milliseconds since 1970.
    pub(crate) fn real_now_ms(&self) -> i64 {
        self.clock.now().ms()
    }

    /// Waits until the real engine has done all that it can do by itself now.
    pub(crate) fn settle(&self) {
        if let Some(engine) = &self.engine {
            self.runtime.block_on(engine.idle());
        }
    }

    /// Everything that lies in the data folder.
    pub(crate) fn bytes_on_disk(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    bytes.extend(std::fs::read(path).unwrap());
                }
            }
        }
        bytes
    }

    /// The scope of the key `test`.
    pub(crate) fn test_scope(&self) -> Arc<spine::store::seal::Scope> {
        let key = &self.keys.iter().find(|(name, _)| *name == "test").unwrap().1;
        self.runtime.block_on(async {
            let row = self.store.registry().key_by_hash(key.hash()).await.unwrap().unwrap();
            self.store.scope(row.scope).await.unwrap()
        })
    }

    /// Sends a request as a case writes it; gives status, headers and body.
    pub(crate) fn ask(&self, request: &str) -> Answer {
        self.runtime.block_on(self.asking(request))
    }

    pub(crate) fn asking(&self, request: &str) -> impl Future<Output = Answer> + Send + 'static {
        let text = self.written(request);
        let address = self.address;
        async move {
            let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
            socket.write_all(&text).await.unwrap();
            let mut answer = Vec::new();
            socket.read_to_end(&mut answer).await.unwrap();
            Answer::read(&answer)
        }
    }

    /// The bytes of a request. Its first line is method and path (below the base path, or from the
    /// root behind `//`), then come headers, then an empty line and the body. Where nothing else is
    /// said it is sent with the key `test`, as JSON, and under an idempotency key of its own.
    fn written(&self, request: &str) -> Vec<u8> {
        let (head, body) = request.split_once("\n\n").unwrap_or((request.trim_end(), ""));
        let body = unescaped(body.trim_end());
        let mut lines = head.lines();
        let (method, path) = lines.next().unwrap().split_once(' ').unwrap();
        let path = path.strip_prefix("//").map_or_else(|| format!("{BASE_PATH}{path}"), |p| format!("/{p}"));
        let mut headers: Vec<(String, String)> = Vec::new();
        let mut key = Some("test".to_owned());
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap_or((line.trim_end_matches(':'), ""));
            if name == "as" {
                key = Some(value.to_owned()).filter(|value| value != "nobody");
            } else {
                headers.push((name.to_owned(), value.to_owned()));
            }
        }
        let has = |headers: &[(String, String)], name: &str| {
            headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name))
        };
        if let Some(key) = key.filter(|_| !has(&headers, "Authorization")) {
            let key = &self.keys.iter().find(|(name, _)| *name == key).expect("a key of this name").1;
            headers.push(("Authorization".into(), format!("Bearer {}", key.reveal())));
        }
        if !body.is_empty() && !has(&headers, "Content-Type") {
            headers.push(("Content-Type".into(), "application/json".into()));
        }
        if method != "GET" && !has(&headers, "Idempotency-Key") {
            let n = self.asked.fetch_add(1, Ordering::Relaxed);
            headers.push(("Idempotency-Key".into(), format!("own-{n}")));
        }
        let mut text = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n",
            body.len()
        );
        for (name, value) in headers.into_iter().filter(|(_, value)| value != "(none)") {
            write!(text, "{name}: {value}\r\n").unwrap();
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend(body);
        bytes
    }
}

/// `<ff>` stands for that byte, `<x*300000>` for as many of the character.
fn unescaped(body: &str) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), body);
    while let Some((before, after)) = rest.split_once('<') {
        let (inside, behind) = after.split_once('>').unwrap();
        out.extend(before.as_bytes());
        match inside.split_once('*') {
            Some((text, times)) => out.extend(text.repeat(times.parse().unwrap()).as_bytes()),
            None => out.push(u8::from_str_radix(inside, 16).unwrap()),
        }
        rest = behind;
    }
    out.extend(rest.as_bytes());
    out
}

/// Two tenants with keys of several kinds.
async fn tenants(
    store: &dyn Store,
    ids: &dyn Ids,
    random: &dyn Randomness,
    now: Instant,
) -> Vec<(&'static str, ApiKey)> {
    let registry = store.registry();
    let mut keys = Vec::new();
    let mut change = RegistryChange::default();
    for tenant in ["acme", "other"] {
        let row = TenantRow {
            id: ids.mint(),
            name: tenant.into(),
            timezone: "UTC".into(),
            currency: Currency::EUR,
            created_at: now,
        };
        let scopes = registry.make_tenant(row).await.unwrap();
        let scope = |environment| scopes.iter().find(|s| s.environment == environment).unwrap().id;
        let all = Permission::ALL.iter().fold(0, |bits, p| bits | p.bit());
        let kinds: &[(&'static str, Environment, u8)] = if tenant == "acme" {
            &[
                ("test", Environment::Test, all),
                ("live", Environment::Live, all),
                ("reader", Environment::Test, Permission::Read.bit()),
                ("sender", Environment::Test, Permission::Send.bit()),
                ("manager", Environment::Test, Permission::Manage.bit()),
                ("revoked", Environment::Test, all),
                ("expired", Environment::Test, all),
            ]
        } else {
            &[("other", Environment::Test, all)]
        };
        for (name, environment, permissions) in kinds {
            let mut bytes = [0; 25];
            random.fill(&mut bytes).unwrap();
            let key = ApiKey::from_random(*environment, &bytes);
            change.keys.push(KeyRow {
                id: ids.mint(),
                scope: scope(*environment),
                environment: *environment,
                name: (*name).into(),
                hash: key.hash(),
                hint: key.hint(),
                permissions: *permissions,
                created_at: now,
                last_used_at: None,
                expires_at: (*name == "expired").then_some(now),
                revoked_at: None,
            });
            keys.push((*name, key));
        }
    }
    keys.push(("unknown", ApiKey::from_random(Environment::Test, &[9; 25])));
    let revoked = change.keys.iter().find(|key| key.name == "revoked").unwrap();
    let revoked = (revoked.id, revoked.scope, now);
    registry.commit(change).await.unwrap();
    let change = RegistryChange { keys_revoked: vec![revoked], ..RegistryChange::default() };
    registry.commit(change).await.unwrap();
    keys
}

/// An answer, taken apart.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    fn read(bytes: &[u8]) -> Answer {
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").expect("an answer with a head");
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers =
            lines.filter_map(|l| l.split_once(": ")).map(|(n, v)| (n.to_ascii_lowercase(), v.to_owned()));
        Answer { status, headers: headers.collect(), body: bytes[end + 4..].to_vec() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    pub(crate) fn shown(&self, names: &mut Names) -> String {
        let mut out = format!("{}\n", self.status);
        assert!(self.header("x-request-id").is_some_and(|id| id.starts_with("req_")), "no X-Request-Id");
        for (name, value) in &self.headers {
            let told = ["allow", "www-authenticate", "retry-after", "idempotent-replayed"];
            if told.contains(&name.as_str()) {
                writeln!(out, "{name}: {value}").unwrap();
            }
        }
        let media = self.header("content-type").unwrap_or_default();
        if !media.is_empty() && !media.ends_with("json") {
            writeln!(out, "{media}").unwrap();
        }
        match serde_json::from_slice::<Value>(&self.body) {
            // What a problem always says is not said again.
            Ok(Value::Object(fields)) if media == "application/problem+json" => {
                let text = |name: &str| fields[name].as_str().unwrap().to_owned();
                assert_eq!(text("type"), format!("/problems/{}", text("code")));
                assert_eq!(fields["status"], self.status);
                writeln!(out, "{}: {}", text("code"), text("detail")).unwrap();
                for fault in fields["errors"].as_array().unwrap() {
                    writeln!(out, "  {}", names.shown("", fault)).unwrap();
                }
                for finding in fields.get("findings").and_then(Value::as_array).into_iter().flatten() {
                    writeln!(out, "  {finding}").unwrap();
                }
            }
            Ok(Value::Object(fields)) => {
                out.push_str("{\n");
                for (name, value) in &fields {
                    writeln!(out, "  {name:?}: {}", names.shown(name, value)).unwrap();
                }
                out.push_str("}\n");
            }
            _ => writeln!(out, "{}", String::from_utf8_lossy(&self.body).trim_end()).unwrap(),
        }
        out
    }
}
