//! The REST surface over a real socket, on a real folder, with an engine that only answers.
//!
//! Cases are sessions in `tests/cases/api`: a block `world` begins anew, a block `http` is a request,
//! and what is expected is the answer with ids, cursors and secrets named in the order in which they
//! were first seen: `ctc#1`, `cursor#2`. A request may use these names.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use spine::api::conventions::keys::ApiKey;
use spine::api::conventions::limit::{Rate, Steady};
use spine::api::endpoint::Permission;
use spine::api::{Api, BASE_PATH, Parts};
use spine::engine::ids::RisingIds;
use spine::model::{Clock, Currency, Environment, Id, Ids, Instant, ScopeId};
use spine::providers::outbound::Outbound;
use spine::store::seal::Randomness;
use spine::store::sqlite::{Options, open};
use spine::store::{KeyRow, RegistryChange, Store, StoreError, TenantRow};
use spine::webhooks::{Outside, Webhooks};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use crate::front::Answering;
use crate::names::Names;

/// Both clocks stand still; nothing here waits for one.
struct Still(AtomicI64);

impl Clock for Still {
    fn real_now(&self) -> Instant {
        Instant::from_ms(self.0.load(Ordering::Relaxed))
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

/// A server, its keys, and who answers for the engine.
pub(crate) struct World {
    runtime: Runtime,
    address: std::net::SocketAddr,
    front: Arc<Answering>,
    clock: Arc<Still>,
    steady: Arc<AtomicU64>,
    keys: Vec<(&'static str, ApiKey)>,
    asked: AtomicU32,
    _folder: tempfile::TempDir,
}

const NOW_MS: i64 = 1_767_614_400_000;

impl World {
    pub(crate) fn new(rate: Rate) -> World {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let folder = tempfile::TempDir::new().unwrap();
        let clock = Arc::new(Still(AtomicI64::new(NOW_MS)));
        let steady = Arc::new(AtomicU64::new(0));
        let random: Arc<dyn Randomness> = Arc::new(Seeded::default());
        let (address, front, keys) = runtime.block_on(async {
            let options = Options {
                folder: folder.path().join("data"),
                master_key: None,
                now: clock.real_now(),
                random: Arc::clone(&random),
            };
            let store: Arc<dyn Store> = Arc::new(open(options).await.unwrap());
            let shared = Arc::clone(&clock) as Arc<dyn Clock>;
            let ids: Arc<dyn Ids> = Arc::new(RisingIds::above(0, Arc::clone(&shared), Arc::clone(&random)));
            let keys = tenants(store.as_ref(), ids.as_ref(), random.as_ref(), shared.real_now()).await;
            let front = Arc::new(Answering::new(Arc::clone(&ids)));
            let outbound = Outbound::new(spine::providers::outbound::Settings::default()).unwrap();
            let outside = Outside {
                clock: Arc::clone(&shared),
                ids: Arc::clone(&ids),
                events: Arc::new(crate::front::PlainEvents),
                outbound,
            };
            let elapsed = Arc::clone(&steady);
            let api = Api::new(Parts {
                store,
                front: Arc::clone(&front) as Arc<dyn spine::engine::front::Front>,
                webhooks: Arc::new(Webhooks::new(outside, spine::webhooks::Settings::default())),
                clock: shared,
                steady: Steady::new(move || Duration::from_millis(elapsed.load(Ordering::Relaxed))),
                ids,
                random,
                settings: spine::api::Settings { rate, ..spine::api::Settings::default() },
            })
            .unwrap();
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            tokio::spawn(async move { axum::serve(listener, api.router()).await.unwrap() });
            (address, front, keys)
        });
        World { runtime, address, front, clock, steady, keys, asked: AtomicU32::new(0), _folder: folder }
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

    fn shown(&self, names: &mut Names) -> String {
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

#[test]
fn the_conventions_hold_for_every_session() {
    let world: RefCell<Option<(World, Names)>> = RefCell::new(None);
    crate::cases::check_folder("api", |kind, input| {
        let mut world = world.borrow_mut();
        if kind == "world" {
            let rate = match input.trim() {
                "" => Rate::DEFAULT,
                burst => Rate { requests_per_second: 1.try_into().unwrap(), burst: burst.parse().unwrap() },
            };
            *world = Some((World::new(rate), Names::default()));
            return String::new();
        }
        let (world, names) = world.as_mut().expect("a block `world` at the top of each file");
        if kind == "later" {
            let ms: i64 = input.trim().parse::<spine::model::Span>().unwrap().ms();
            world.clock.0.fetch_add(ms, Ordering::Relaxed);
            world.steady.fetch_add(u64::try_from(ms).unwrap(), Ordering::Relaxed);
            return String::new();
        }
        world.ask(&names.meant(input)).shown(names)
    });
}

#[test]
fn the_second_of_two_requests_under_way_waits_for_the_first_and_is_told_the_same() {
    let world = World::new(Rate::DEFAULT);
    let send = "POST /messages\nIdempotency-Key: twice\n\n{\"to\": {\"sms\": \"+4915112345678\"}, \"content\": {\"sms\": {\"body\": \"hi\"}}, \"channels\": [\"sms\"]}";
    world.front.hold(Arc::new(Semaphore::new(0)));
    let first = world.runtime.spawn(world.asking(send));
    world.runtime.block_on(world.front.entered());
    let second = world.runtime.spawn(world.asking(send));
    world.front.let_go();
    let (first, second) = world.runtime.block_on(async { (first.await.unwrap(), second.await.unwrap()) });
    assert_eq!((first.status, second.status), (202, 202));
    assert_eq!(first.body, second.body);
    assert_eq!(world.front.sends(), 1, "one key, one mutation");
    assert_eq!(first.header("idempotent-replayed"), None);
    assert_eq!(second.header("idempotent-replayed"), Some("true"));
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
}

#[test]
fn every_answer_with_a_key_shows_the_bucket_and_none_without() {
    let world = World::new(Rate::DEFAULT);
    let shown = |request: &str| {
        let answer = world.ask(request);
        (answer.header("ratelimit-policy").map(str::to_owned), answer.header("ratelimit").map(str::to_owned))
    };
    let with = |r: u32| (Some("\"default\";q=2000;w=2".to_owned()), Some(format!("\"default\";r={r};t=1")));
    assert_eq!(shown("GET /contacts"), with(1_999));
    assert_eq!(shown("GET /nowhere"), with(1_998));
    assert_eq!(shown("POST /contacts"), with(1_997));
    assert_eq!(shown("GET /contacts\nas: nobody"), (None, None));
    assert_eq!(shown("GET //healthz\nas: nobody"), (None, None));
}

#[test]
fn a_body_as_large_as_it_may_be_is_taken() {
    let world = World::new(Rate::DEFAULT);
    let body = |n: usize| format!("POST /contacts\n\n{{\"metadata\": {{\"a\": \"x\"}}}}<{}*{n}>", ' ');
    assert_eq!(world.ask(&body(256 * 1024 - 24)).status, 201);
    assert_eq!(world.ask(&body(256 * 1024 - 23)).status, 413);
}

#[test]
fn a_walk_over_a_list_that_grows_repeats_and_skips_nothing() {
    let world = World::new(Rate::DEFAULT);
    let make = |n: usize| {
        let answer = world.ask(&format!("POST /contacts\n\n{{\"external_id\": \"{n}\"}}"));
        assert_eq!(answer.status, 201);
    };
    let page = |query: &str| -> (Vec<String>, Option<String>, String) {
        let answer = world.ask(&format!("GET /contacts?limit=3{query}"));
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        let ids =
            body["data"].as_array().unwrap().iter().map(|c| c["external_id"].as_str().unwrap().to_owned());
        let cursor = |name: &str| body[name].as_str().map(str::to_owned);
        (ids.collect(), cursor("next_cursor"), cursor("prev_cursor").unwrap())
    };
    let (ids, next, before_all) = page("");
    assert_eq!((ids.len(), next), (0, None));
    (0..7).for_each(make);
    let (mut seen, mut next, first) = page("");
    (7..9).for_each(make);
    while let Some(cursor) = next {
        let (ids, after, _) = page(&format!("&after={cursor}"));
        seen.extend(ids);
        next = after;
    }
    assert_eq!(seen, ["6", "5", "4", "3", "2", "1", "0"]);
    let (new, _, last) = page(&format!("&before={first}"));
    assert_eq!(new, ["8", "7"]);
    assert_eq!(page(&format!("&before={last}")).0, Vec::<String>::new());
    let (oldest, none, _) = page(&format!("&before={before_all}"));
    assert_eq!((oldest, none), (vec!["2".to_owned(), "1".to_owned(), "0".to_owned()], None));
}

#[test]
fn an_id_of_another_scope_is_told_as_one_that_never_was() {
    let world = World::new(Rate::DEFAULT);
    let made = world.ask("POST /contacts\n\n{}");
    let made: Value = serde_json::from_slice(&made.body).unwrap();
    let id = made["id"].as_str().unwrap();
    let never = Id::<spine::model::kinds::Contact>::from_u128(7).to_string();
    for (method, rest, body) in [
        ("GET", "", ""),
        ("PATCH", "", "\n\n{}"),
        ("DELETE", "", ""),
        ("PUT", "/consent/sms", "\n\n{\"state\": \"opted_in\"}"),
    ] {
        let told = |id: &str, key: &str| {
            let answer = world.ask(&format!("{method} /contacts/{id}{rest}\nas: {key}{body}"));
            let mut body: Value = serde_json::from_slice(&answer.body).unwrap();
            body["request_id"] = Value::Null;
            let names: Vec<String> = answer.headers.iter().map(|(name, _)| name.clone()).collect();
            (answer.status, names, body)
        };
        let (foreign, live, absent, none) =
            (told(id, "other"), told(id, "live"), told(&never, "other"), told("ctc_nonsense", "other"));
        assert_eq!(foreign.0, 404, "{method}");
        assert_eq!(foreign, absent, "{method}");
        assert_eq!(live, absent, "{method}");
        assert_eq!(none, absent, "{method}");
    }
}
