//! Load from clients: as much as goes, and half of that.

use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::Router;
use serde_json::json;
use spine::cli::Node;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::client::Client;
use crate::place::Place;
use crate::watch::{Rows, Spent, Watch};

/// What the clients' thread is called, by which its processor time is told apart.
pub(crate) const CLIENTS: &str = "clients";

/// The clients' own thread.
fn callers() -> &'static Runtime {
    static CALLERS: OnceLock<Runtime> = OnceLock::new();
    CALLERS.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).thread_name(CLIENTS).enable_all().build().unwrap()
    })
}

/// What a load is.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) time: Duration,
    /// Requests under way at once.
    pub(crate) connections: usize,
    /// Whether each scope has an endpoint that takes webhooks.
    pub(crate) endpoint: bool,
    /// How many nodes share it, all in this process.
    pub(crate) nodes: usize,
}

impl Asked {
    /// 512 connections, one node, no endpoint.
    pub(crate) const fn of(time: Duration) -> Asked {
        Asked { time, connections: 512, endpoint: false, nodes: 1 }
    }
}

/// What a load came to.
pub(crate) struct Load {
    /// Messages delivered a second, from the first request until the last is delivered.
    pub(crate) per_second: f64,
    messages: f64,
    /// Of the accepts, in milliseconds.
    p50: f64,
    p99: f64,
    spent: Spent,
    /// Webhooks that came in a second while it lasted.
    webhooks: u64,
}

impl Load {
    /// The heads of the columns of [`Self::row`].
    pub(crate) fn head(is_database: bool) -> &'static str {
        if is_database {
            "messages/s  p50 ms  p99 ms  CPU µs/msg  clients'  server µs/msg  log kB/msg  webhooks/s  commits/s  all tx/s"
        } else {
            "messages/s  p50 ms  p99 ms  CPU µs/msg  clients'  log kB/msg  webhooks/s"
        }
    }

    pub(crate) fn row(&self) -> String {
        let Load { per_second, messages, p50, p99, spent, webhooks } = self;
        let (cpu, log) = (spent.cpu_us / messages, spent.log / messages / 1e3);
        let clients = spent.clients_us / messages;
        let begin = format!("{per_second:>10.0}  {p50:>6.1}  {p99:>6.1}  {cpu:>10.0}  {clients:>8.0}");
        match &spent.database {
            None => format!("{begin}  {log:>10.1}  {webhooks:>10}"),
            Some(database) => {
                let server = database.cpu_us / messages;
                let (commits, all) =
                    (database.commits / spent.seconds, database.transactions / spent.seconds);
                format!("{begin}  {server:>13.0}  {log:>10.1}  {webhooks:>10}  {commits:>9.0}  {all:>8.0}")
            }
        }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Load { per_second, messages, p50, p99, spent, .. } = self;
        write!(f, "{per_second:.0} messages/s, accept p50 {p50:.1} ms, p99 {p99:.1} ms, ")?;
        spent.tell(f, *messages)
    }
}

impl Spent {
    /// What a message took.
    pub(crate) fn tell(&self, f: &mut fmt::Formatter<'_>, messages: f64) -> fmt::Result {
        write!(
            f,
            "{:.0} µs of CPU ({:.0} of them the clients') and {:.1} kB of log a message",
            self.cpu_us / messages,
            self.clients_us / messages,
            self.log / messages / 1e3
        )?;
        let Some(database) = &self.database else { return Ok(()) };
        let (server, commits) = (database.cpu_us / messages, database.commits / self.seconds);
        write!(f, ", {server:.0} µs of CPU a message at the server, {commits:.0} commits/s")
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

/// As many messages as go in the time, all of them delivered.
pub(crate) async fn full_load(place: &Place, asked: Asked) -> Load {
    let mut nodes = Vec::new();
    for _ in 0..asked.nodes {
        nodes.push(place.node().await);
    }
    let took = Arc::new(AtomicU64::new(0));
    let endpoints = if asked.endpoint { listen(&nodes[0], place, &took).await } else { Vec::new() };
    let mut rows = Rows::open(place).await;
    let before = rows.begun().await;
    let watch = Watch::begin(place).await;
    let start = Instant::now();
    let at = move |_| (start.elapsed() < asked.time).then_some(start);
    let times = clients(&nodes, place, asked.connections, at).await;
    rows.all_ended().await;
    let spent = watch.end().await;
    let messages = (rows.begun().await - before) as f64;
    assert_eq!(times.len() as f64, messages, "one message an accept");
    let webhooks = (took.load(Ordering::Relaxed) as f64 / spent.seconds) as u64;
    for (scope, id) in endpoints {
        let mut client = Client::connect(nodes[0].address(), &place.scopes[scope].key).await;
        client.delete(&format!("/webhook_endpoints/{id}")).await;
    }
    drop(rows);
    for node in nodes {
        node.stop().await.unwrap();
    }
    let (p50, p99) = percentiles(times);
    Load { per_second: messages / spent.seconds, messages, p50, p99, spent, webhooks }
}

/// So many messages a second, each sent at its time whatever became of those before.
pub(crate) async fn half_load(place: &Place, rate: f64, asked: Asked) -> Accepts {
    let Asked { time, connections, .. } = asked;
    let nodes = [place.node().await];
    // A server that nobody has asked for anything yet is another question.
    let warm = Instant::now();
    let until = move |_| (warm.elapsed() < Duration::from_millis(300)).then_some(warm);
    clients(&nodes, place, connections, until).await;
    let start = Instant::now();
    let all = (rate * time.as_secs_f64()) as u64;
    let at = move |n: u64| (n < all).then(|| start + Duration::from_secs_f64(n as f64 / rate));
    let times = clients(&nodes, place, connections, at).await;
    let had = times.len() as f64 / start.elapsed().as_secs_f64();
    let [node] = nodes;
    node.stop().await.unwrap();
    let (p50, p99) = percentiles(times);
    Accepts { wanted: rate, had, p50, p99 }
}

/// Sends messages over all connections; `at` says when the nth one is due, or that it is over. Gives
/// how long each accept took, counted from when it was due or, if that is over, from its sending.
async fn clients(
    nodes: &[Node],
    place: &Place,
    connections: usize,
    at: impl Fn(u64) -> Option<Instant> + Send + Sync + 'static,
) -> Vec<f64> {
    let (at, next) = (Arc::new(at), Arc::new(AtomicU64::new(0)));
    let closed = at(0) == at(1);
    let contacts: Vec<Arc<[String]>> =
        place.scopes.iter().map(|scope| scope.contacts.as_slice().into()).collect();
    let mut running = Vec::new();
    for number in 0..connections {
        let scope = &place.scopes[number % place.scopes.len()];
        // Each node has connections of every scope.
        let node = &nodes[number / place.scopes.len() % nodes.len()];
        let (address, secret) = (node.address(), scope.key.clone());
        let (at, next) = (Arc::clone(&at), Arc::clone(&next));
        let contacts = Arc::clone(&contacts[number % contacts.len()]);
        running.push(callers().spawn(async move {
            let mut client = Client::connect(address, &secret).await;
            let mut times = Vec::new();
            let (mut key, mut body) = (0_u64, String::new());
            let own = crate::place::fresh();
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                let Some(due) = at(n) else { return times };
                let from = if closed {
                    Instant::now()
                } else {
                    tokio::time::sleep_until(due.into()).await;
                    due
                };
                let contact = &contacts[usize::try_from(n).unwrap() % contacts.len()];
                body.clear();
                // Written by hand: the clients share the cores with what is measured.
                let _ = write!(
                    body,
                    "{{\"contact_id\":\"{contact}\",\"template\":\"table_ready\",\"vars\":{{\"guests\":4}},\
                     \"metadata\":{{\"reservation\":\"r{n}\",\"house\":\"vienna-7\"}},\
                     \"sandbox\":{{\"whatsapp\":\"accepted after 5ms, delivered after 5ms\"}}}}"
                );
                key += 1;
                let name = format!("{own:x}-{key}");
                let (status, answer) = client.send("POST", "/messages", &name, body.as_bytes()).await;
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
