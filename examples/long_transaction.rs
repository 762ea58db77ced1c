//! Load on PostgreSQL beside a transaction that somebody else holds open, and the same load without it.
//!
//! `cargo run --release --example long_transaction -- --seconds 600`
//!
//! A server of its own is started (or `TEST_DATABASE_URL` named), with fsync; a node serves it, and clients
//! send as fast as they are answered. A foreign session holds a transaction with an id of its own and a
//! view of the rows: nothing that dies since can be cleared up. What is shown for each tenth of the time:
//! messages that ended a second, commits a second, dead rows of all tables and of `live`, and the size of
//! `live`. With `--nodes N`, so many nodes share the load, and no transaction is held.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "an example that cannot run says so and ends"
)]

#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../tests/suite/postgres/cluster.rs"]
mod cluster;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cluster::{Cluster, Database};
use serde_json::json;
use spine::api::BASE_PATH;
use spine::api::conventions::keys::ApiKey;
use spine::api::conventions::limit::Rate;
use spine::api::endpoint::Permission;
use spine::cli::{DatabaseSettings, Node, NodeSettings};
use spine::model::{Currency, Environment, Id};
use spine::store::seal::{Randomness as _, SystemRandom};
use spine::store::{KeyRow, RegistryChange, TenantRow};
use sqlx::{Connection as _, PgConnection, Row as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Requests under way at once.
const CONNECTIONS: usize = 128;
/// How many times is looked.
const LOOKS: u32 = 10;
const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn main() {
    let mut words = std::env::args().skip(1);
    let (mut time, mut nodes) = (Duration::from_secs(60), None);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seconds" => time = Duration::from_secs(words.next().and_then(|n| n.parse().ok()).unwrap()),
            "--nodes" => nodes = Some(words.next().and_then(|n| n.parse().ok()).unwrap()),
            other => panic!("unknown argument `{other}`; there are --seconds N and --nodes N"),
        }
    }
    let cluster: &'static Cluster =
        Box::leak(Box::new(Cluster::start(&["fsync=on", "max_wal_size=4GB", "shared_buffers=256MB"])));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let runs: &[bool] = if nodes.is_some() { &[false] } else { &[false, true] };
    let nodes = nodes.unwrap_or(1);
    for &held in runs {
        let beside = if held { "beside an open transaction" } else { "alone" };
        println!("\n{beside}, {nodes} node(s), {} s:", time.as_secs());
        runtime.block_on(async {
            let database = cluster.database().await;
            run(&database, time, held, nodes).await;
        });
    }
}

async fn run(database: &Database, time: Duration, held: bool, count: usize) {
    let mut settings = NodeSettings::on_loopback(".");
    settings.database = Some(DatabaseSettings::at(database.url()));
    settings.master_key = Some(MASTER_KEY.to_owned());
    let most = std::num::NonZeroU32::new(1_000_000).unwrap();
    settings.api.rate = Rate { requests_per_second: most, burst: most };
    let mut nodes = Vec::new();
    for _ in 0..count {
        nodes.push(Node::start(settings.clone()).await.unwrap());
    }
    let key = key_of_a_tenant(&nodes[0]).await;
    let mut watch = database.admin().await;
    let mut foreign = database.admin().await;
    if held {
        hold(&mut foreign).await;
    }
    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|number| {
            let (stop, sent) = (Arc::clone(&stop), Arc::clone(&sent));
            tokio::spawn(client(nodes[number % count].address(), key.clone(), number, stop, sent))
        })
        .collect();
    println!(
        "{:>6}  {:>10}  {:>10}  {:>10}  {:>12}  {:>10}  {:>9}",
        "s", "accepted/s", "ended/s", "commits/s", "dead rows", "dead live", "live MiB"
    );
    let begun = Instant::now();
    let (mut last, mut sent_last, mut before) = (Instant::now(), 0, look_at(&mut watch).await);
    for look in 1..=LOOKS {
        tokio::time::sleep_until((begun + time * look / LOOKS).into()).await;
        let now = look_at(&mut watch).await;
        let (seconds, sent_now) = (last.elapsed().as_secs_f64(), sent.load(Ordering::Relaxed));
        last = Instant::now();
        println!(
            "{:>6.0}  {:>10.0}  {:>10.0}  {:>10.0}  {:>12}  {:>10}  {:>9.1}",
            begun.elapsed().as_secs_f64(),
            (sent_now - sent_last) as f64 / seconds,
            (now.ended - before.ended) as f64 / seconds,
            (now.commits - before.commits) as f64 / seconds,
            now.dead,
            now.dead_live,
            now.live_bytes as f64 / f64::from(1 << 20)
        );
        (sent_last, before) = (sent_now, now);
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    if held {
        sqlx::raw_sql("ROLLBACK").execute(&mut foreign).await.unwrap();
    }
    foreign.close().await.unwrap();
    for node in nodes {
        node.stop().await.unwrap();
    }
}

/// A transaction with an id and a view of the rows, which nobody ends.
async fn hold(conn: &mut PgConnection) {
    sqlx::raw_sql(
        "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_current_xact_id(); SELECT count(*) FROM pg_class",
    )
    .execute(conn)
    .await
    .unwrap();
}

/// What the database says of itself.
struct Looked {
    commits: i64,
    ended: i64,
    dead: i64,
    dead_live: i64,
    live_bytes: i64,
}

async fn look_at(conn: &mut PgConnection) -> Looked {
    // Rows that died and were not cleared up; and those that ended, by the statistics alone: counting them
    // would cost what is measured.
    let row = sqlx::query(
        "SELECT (SELECT n_tup_ins FROM pg_stat_user_tables WHERE schemaname = 'spine' AND relname = 'ended'), \
                (SELECT sum(n_dead_tup)::int8 FROM pg_stat_user_tables WHERE schemaname = 'spine'), \
                (SELECT n_dead_tup FROM pg_stat_user_tables WHERE schemaname = 'spine' AND relname = 'live'), \
                pg_total_relation_size('spine.live'), \
                (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database())",
    )
    .fetch_one(conn)
    .await
    .unwrap();
    Looked {
        ended: row.get(0),
        dead: row.get(1),
        dead_live: row.get(2),
        live_bytes: row.get(3),
        commits: row.get(4),
    }
}

async fn key_of_a_tenant(node: &Node) -> String {
    let registry = node.registry();
    let now = {
        let since = std::time::UNIX_EPOCH.elapsed().unwrap();
        spine::model::Instant::from_ms(i64::try_from(since.as_millis()).unwrap())
    };
    let fresh = |number: u128| (u128::try_from(now.ms()).unwrap() << 80) | number;
    let row = TenantRow {
        id: Id::from_u128(fresh(1)),
        name: "load".into(),
        timezone: "UTC".into(),
        currency: Currency::EUR,
        created_at: now,
    };
    let scopes = registry.make_tenant(row).await.unwrap();
    let scope = scopes.iter().find(|scope| scope.environment == Environment::Test).unwrap().id;
    let mut random = [0; 25];
    SystemRandom::new().fill(&mut random).unwrap();
    let key = ApiKey::from_random(Environment::Test, &random);
    let row = KeyRow {
        id: Id::from_u128(fresh(2)),
        scope,
        environment: Environment::Test,
        name: "load".into(),
        hash: key.hash(),
        hint: key.hint(),
        permissions: Permission::ALL.iter().fold(0, |bits, permission| bits | permission.bit()),
        created_at: now,
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    };
    registry.commit(RegistryChange { keys: vec![row], ..RegistryChange::default() }).await.unwrap();
    key.reveal().to_owned()
}

/// Sends one message after the other; a refusal for overload is waited out.
async fn client(server: SocketAddr, key: String, number: usize, stop: Arc<AtomicBool>, sent: Arc<AtomicU64>) {
    let mut socket = TcpStream::connect(server).await.unwrap();
    socket.set_nodelay(true).unwrap();
    let body = json!({
        "to": {"sms": format!("+43664{number:07}")}, "content": {"sms": {"body": "Your table is ready."}},
        "strategy": "sms then email after 30s", "sandbox": {"sms": "accepted, delivered after 1s"},
    })
    .to_string();
    let (mut back, mut n) = (vec![0; 64 * 1024], 0_u64);
    while !stop.load(Ordering::Relaxed) {
        n += 1;
        let request = format!(
            "POST {BASE_PATH}/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\
             Content-Type: application/json\r\nIdempotency-Key: {number}-{n}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut have = 0;
        loop {
            let read = socket.read(&mut back[have..]).await.unwrap();
            assert!(read > 0, "the server hung up");
            have += read;
            if is_whole(&back[..have]) {
                break;
            }
        }
        match &back[9..12] {
            b"202" => drop(sent.fetch_add(1, Ordering::Relaxed)),
            b"503" => tokio::time::sleep(Duration::from_millis(50)).await,
            _ => panic!("{}", String::from_utf8_lossy(&back[..have])),
        }
    }
}

fn is_whole(bytes: &[u8]) -> bool {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
    bytes.len() >= end + 4 + length.unwrap_or(0)
}
