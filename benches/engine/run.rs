//! Load from clients: as much as goes, and half of that.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use serde_json::json;
use spine::cli::Node;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Row as _};
use tokio::net::TcpListener;

use crate::client::Client;
use crate::place::Place;

/// Requests under way at once.
const CONNECTIONS: usize = 512;

/// What a load came to.
pub(crate) struct Load {
    /// Messages delivered a second, from the first request until the last is delivered.
    pub(crate) per_second: f64,
    /// Of the accepts, in milliseconds.
    p50: f64,
    p99: f64,
    /// Processor time of the process a message, clients included, in microseconds.
    cpu_us: f64,
    /// Bytes written to the log a message.
    log: f64,
    /// Webhooks that came in while it lasted.
    webhooks: u64,
}

impl Load {
    pub(crate) const HEAD: &str = "messages/s  p50 ms  p99 ms  CPU µs/msg  WAL kB/msg  webhooks/s";

    pub(crate) fn row(&self) -> String {
        let Load { per_second, p50, p99, cpu_us, log, webhooks } = self;
        format!(
            "{per_second:>10.0}  {p50:>6.1}  {p99:>6.1}  {cpu_us:>10.0}  {:>10.1}  {webhooks:>10}",
            log / 1e3
        )
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Load { per_second, p50, p99, cpu_us, log, .. } = self;
        write!(
            f,
            "{per_second:.0} messages/s, accept p50 {p50:.1} ms, p99 {p99:.1} ms, {cpu_us:.0} µs of CPU and \
             {:.1} kB of WAL a message",
            log / 1e3
        )
    }
}

/// How long accepts took.
pub(crate) struct Accepts {
    wanted: f64,
    had: f64,
    p50: f64,
    p99: f64,
}

impl fmt::Display for Accepts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Accepts { wanted, had, p50, p99 } = self;
        write!(f, "p50 {p50:.1} ms, p99 {p99:.1} ms ({wanted:.0} wanted a second, {had:.0} sent)")
    }
}

/// As many messages as go in `time`, all of them delivered.
pub(crate) async fn full_load(place: &Place, time: Duration, endpoint: bool) -> Load {
    let node = place.node().await;
    let took = Arc::new(AtomicU64::new(0));
    let endpoints = if endpoint { listen(&node, place, &took).await } else { Vec::new() };
    let mut files = Files::open(place).await;
    let before = files.begun().await;
    let logs = Logs::watch(place);
    let (start, cpu) = (Instant::now(), cpu_us());
    let times = clients(&node, place, move |_| (start.elapsed() < time).then_some(start)).await;
    files.all_ended().await;
    let seconds = start.elapsed().as_secs_f64();
    let cpu = cpu_us() - cpu;
    let written = logs.stop().await;
    let messages = (files.begun().await - before) as f64;
    assert_eq!(times.len() as f64, messages, "one message an accept");
    let webhooks = (took.load(Ordering::Relaxed) as f64 / seconds) as u64;
    for (scope, id) in endpoints {
        let mut client = Client::connect(node.address(), &place.scopes[scope].key).await;
        client.delete(&format!("/webhook_endpoints/{id}")).await;
    }
    drop(files);
    node.stop().await.unwrap();
    let (p50, p99) = percentiles(times);
    Load {
        per_second: messages / seconds,
        p50,
        p99,
        cpu_us: cpu / messages,
        log: written / messages,
        webhooks,
    }
}

/// So many messages a second, each sent at its time whatever became of those before.
pub(crate) async fn half_load(place: &Place, rate: f64, time: Duration) -> Accepts {
    let node = place.node().await;
    // A server that nobody has asked for anything yet is another question.
    let warm = Instant::now();
    clients(&node, place, move |_| (warm.elapsed() < Duration::from_millis(300)).then_some(warm)).await;
    let start = Instant::now();
    let all = (rate * time.as_secs_f64()) as u64;
    let at = move |n: u64| (n < all).then(|| start + Duration::from_secs_f64(n as f64 / rate));
    let times = clients(&node, place, at).await;
    let had = times.len() as f64 / start.elapsed().as_secs_f64();
    node.stop().await.unwrap();
    let (p50, p99) = percentiles(times);
    Accepts { wanted: rate, had, p50, p99 }
}

/// Sends messages over all connections; `at` says when the nth one is due, or that it is over. Gives
/// how long each accept took, counted from when it was due or, if that is over, from its sending.
async fn clients(
    node: &Node,
    place: &Place,
    at: impl Fn(u64) -> Option<Instant> + Send + Sync + 'static,
) -> Vec<f64> {
    let (at, next) = (Arc::new(at), Arc::new(AtomicU64::new(0)));
    let closed = at(0) == at(1);
    let mut running = Vec::new();
    for number in 0..CONNECTIONS {
        let scope = &place.scopes[number % place.scopes.len()];
        let mut client = Client::connect(node.address(), &scope.key).await;
        let (at, next) = (Arc::clone(&at), Arc::clone(&next));
        let contacts = scope.contacts.clone();
        running.push(tokio::spawn(async move {
            let mut times = Vec::new();
            let mut key = 0_u64;
            let own = crate::place::fresh();
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                let Some(due) = at(n) else { return times };
                tokio::time::sleep_until(due.into()).await;
                let from = if closed { Instant::now() } else { due };
                let contact = &contacts[usize::try_from(n).unwrap() % contacts.len()];
                let body = json!({
                    "contact_id": contact, "template": "table_ready", "vars": {"guests": 4},
                    "metadata": {"reservation": format!("r{n}"), "house": "vienna-7"},
                    "sandbox": {"whatsapp": "accepted after 5ms, delivered after 5ms"},
                });
                key += 1;
                let name = format!("{own:x}-{key}");
                let (status, answer) =
                    client.send("POST", "/messages", &name, body.to_string().as_bytes()).await;
                assert_eq!(status, 202, "{}", String::from_utf8_lossy(&answer));
                times.push(from.elapsed().as_secs_f64() * 1e3);
            }
        }));
    }
    let mut times = Vec::new();
    for client in running {
        times.extend(client.await.unwrap());
    }
    times
}

fn percentiles(mut times: Vec<f64>) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    (at(0.5), at(0.99))
}

/// A receiver of webhooks, told of to every scope.
async fn listen(node: &Node, place: &Place, took: &Arc<AtomicU64>) -> Vec<(usize, String)> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let took = Arc::clone(took);
    let count = move || {
        took.fetch_add(1, Ordering::Relaxed);
        async { axum::http::StatusCode::NO_CONTENT }
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(count)).await });
    let mut made = Vec::new();
    for (number, scope) in place.scopes.iter().enumerate() {
        let mut client = Client::connect(node.address(), &scope.key).await;
        let endpoint = client.post("/webhook_endpoints", &json!({"url": url, "events": ["message.*"]})).await;
        made.push((number, endpoint["id"].as_str().unwrap().to_owned()));
    }
    made
}

/// The files of all scopes, read beside the server.
struct Files(Vec<SqliteConnection>);

impl Files {
    async fn open(place: &Place) -> Files {
        let mut files = Vec::new();
        for scope in &place.scopes {
            let options = SqliteConnectOptions::new().filename(place.file(scope.id)).read_only(true);
            files.push(options.disable_statement_logging().connect().await.unwrap());
        }
        Files(files)
    }

    /// How many messages there are.
    async fn begun(&mut self) -> i64 {
        self.sum("SELECT coalesce(max(n), 0) FROM message").await
    }

    /// Waits until every message has ended.
    async fn all_ended(&mut self) {
        while self.sum("SELECT count(*) FROM live").await > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn sum(&mut self, sql: &'static str) -> i64 {
        let mut sum = 0;
        for file in &mut self.0 {
            sum += sqlx::query(sql).fetch_one(file).await.unwrap().get::<i64, _>(0);
        }
        sum
    }
}

/// Watches how the logs of a place grow. A log begins again at its start once it was written back,
/// so it is looked at often.
pub(crate) struct Logs {
    over: Arc<AtomicBool>,
    pages: tokio::task::JoinHandle<u64>,
}

impl Logs {
    pub(crate) fn watch(place: &Place) -> Logs {
        let over = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&over);
        let files: Vec<_> =
            place.scopes.iter().map(|scope| place.file(scope.id).with_extension("db-shm")).collect();
        let pages = tokio::spawn(async move {
            let mut last: Vec<u32> = files.iter().map(|file| frames(file)).collect();
            let mut pages = 0_u64;
            loop {
                let stop = ended.load(Ordering::Relaxed);
                for (file, last) in files.iter().zip(&mut last) {
                    let now = frames(file);
                    pages += u64::from(if now >= *last { now - *last } else { now });
                    *last = now;
                }
                if stop {
                    return pages;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        Logs { over, pages }
    }

    /// The bytes that were written.
    pub(crate) async fn stop(self) -> f64 {
        self.over.store(true, Ordering::Relaxed);
        self.pages.await.unwrap() as f64 * 4_120.0
    }
}

/// The pages in a log, as the index beside it says.
fn frames(file: &std::path::Path) -> u32 {
    use std::io::Read as _;
    let mut head = [0; 20];
    let read = std::fs::File::open(file).and_then(|mut file| file.read_exact(&mut head));
    if read.is_err() { 0 } else { u32::from_ne_bytes([head[16], head[17], head[18], head[19]]) }
}

/// Processor time that this process has used, in microseconds.
pub(crate) fn cpu_us() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit_once(") ").map(|(_, after)| after).unwrap_or_default();
    let ticks = |place: usize| after.split(' ').nth(place).and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0);
    // A hundred ticks a second on every Linux.
    (ticks(11) + ticks(12)) * 10_000.0
}
