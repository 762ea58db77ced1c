//! What the spine carries on this machine: messages a second from the HTTP accept to `delivered`,
//! beside a floor that writes the same rows by the store alone.
//!
//! `cargo bench --bench engine` prints all of it in one run; behind `--`, these change what is run:
//!
//! * `--full`: also with a million messages stored already (some gigabytes in the temporary folder);
//! * `--seconds N`: how long each load lasts (5 without it);
//! * `--connections N`: how many requests are under way at once (512 without it);
//! * `--postgres`: on a PostgreSQL server of its own, with fsync, instead of files (`TEST_DATABASE_URL`
//!   is not looked at);
//! * `--set NAME=VALUE`: a setting of that server;
//! * `--only PART`: `load`, `floor`, `growth` or `memory`; of PostgreSQL also `nodes` and `security`, and no
//!   `memory`.
//!
//! Server and gateway share this process and two worker threads, beside which the clients have one of
//! their own, so that their part of the processor time is known. The provider is the sandbox, which takes
//! each message after 5 ms and delivers it 5 ms later.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "a benchmark that cannot run says so and ends"
)]

mod client;
#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/suite/postgres/cluster.rs"]
mod cluster;
mod floor;
mod memory;
mod place;
mod run;
mod watch;

use std::time::Duration;

use cluster::Cluster;
use place::{Kind, Place};
use run::Load;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What is asked for on the command line.
struct Asked {
    full: bool,
    time: Duration,
    connections: Option<usize>,
    only: Option<String>,
    postgres: bool,
    settings: Vec<String>,
}

impl Asked {
    fn read() -> Asked {
        let settings = ["fsync=on", "max_wal_size=4GB", "shared_buffers=256MB"].map(str::to_owned).into();
        let time = Duration::from_secs(5);
        let mut asked = Asked { full: false, time, connections: None, only: None, postgres: false, settings };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            match word.as_str() {
                "--full" => asked.full = true,
                "--seconds" => {
                    asked.time = Duration::from_secs(words.next().and_then(|n| n.parse().ok()).unwrap())
                }
                "--connections" => asked.connections = words.next().and_then(|n| n.parse().ok()),
                "--only" => asked.only = words.next(),
                "--postgres" => asked.postgres = true,
                "--set" => asked.settings.extend(words.next()),
                // Cargo says so of every benchmark.
                "--bench" => {}
                other => panic!("unknown argument `{other}`"),
            }
        }
        asked
    }

    fn wants(&self, part: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == part)
    }

    fn load(&self) -> run::Asked {
        let asked = run::Asked::of(self.time);
        run::Asked { connections: self.connections.unwrap_or(asked.connections), ..asked }
    }
}

fn main() {
    if memory::is_child() {
        return memory::child();
    }
    let asked = Asked::read();
    let kind = if asked.postgres {
        let settings: Vec<&str> = asked.settings.iter().map(String::as_str).collect();
        Kind::Postgres(Box::leak(Box::new(Cluster::start(&settings))))
    } else {
        Kind::Sqlite
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    println!("one fsync of 4 KiB appended: {:.3} ms (median of 200)", place::fsync_ms());
    runtime.block_on(async {
        if asked.wants("load") || asked.wants("floor") {
            beside_the_floor(&asked, kind).await;
        }
        if asked.postgres && asked.wants("nodes") {
            nodes(&asked, kind).await;
        }
        if asked.postgres && asked.wants("security") {
            security(&asked, kind).await;
        }
        if asked.wants("growth") {
            growth(&asked, kind).await;
        }
    });
    if !asked.postgres && asked.wants("memory") {
        memory::print();
    }
}

/// The main figures: the whole way, the floor, their ratio, and the accept at half that load.
async fn beside_the_floor(asked: &Asked, kind: Kind) {
    let place = Place::make(kind, 1).await;
    warm(&place).await;
    let sample = floor::sample(&place).await;
    println!("\nrows a message: {}; bytes in them: {}", sample.rows(), sample.bytes());
    let mut whole = None;
    if asked.wants("load") {
        let load = run::full_load(&place, asked.load()).await;
        println!("end to end, 1 scope, no endpoint: {load}");
        let half = run::half_load(&place, load.per_second / 2.0, asked.load()).await;
        println!("accept at half that load: {half}");
        whole = Some(load);
    }
    if asked.wants("floor") {
        let place = Place::make(kind, 1).await;
        let floor = floor::run(&place, &sample, asked.time, true).await;
        println!("floor, the same rows by the store alone: {floor}");
        if let Some(whole) = whole {
            println!("ratio to the floor: {:.2}", whole.per_second / floor.per_second);
        }
    }
}

/// What was never asked yet is another question.
async fn warm(place: &Place) {
    run::full_load(place, run::Asked::of(Duration::from_millis(500))).await;
}

/// The same load on one database, shared by one node, two and three.
async fn nodes(asked: &Asked, kind: Kind) {
    println!("\n{:>6}  {}", "nodes", Load::head(true));
    let place = Place::make(kind, 1).await;
    warm(&place).await;
    for nodes in [1, 2, 3] {
        let load = run::full_load(&place, run::Asked { nodes, ..asked.load() }).await;
        println!("{nodes:>6}  {}", load.row());
    }
}

/// With row-level security and without it, in turns: the same rows by the store alone, whose statements name
/// the scope either way. Of the whole way that cannot be had: what it reads leaves it to the security to name it.
async fn security(asked: &Asked, kind: Kind) {
    let place = Place::make(kind, 1).await;
    warm(&place).await;
    let sample = floor::sample(&place).await;
    println!("\nthe rows by the store alone, by row-level security");
    for _ in 0..3 {
        for (is_secure, word) in [(true, "forced"), (false, "off")] {
            println!("{word:>8}  {}", floor::run(&place, &sample, asked.time, is_secure).await);
        }
    }
}

/// The whole way on stores that hold messages already, with one scope and four, without an endpoint
/// and with one.
async fn growth(asked: &Asked, kind: Kind) {
    println!("\n{:>9} {:>6} {:>8}  {}", "stored", "scopes", "endpoint", Load::head(asked.postgres));
    let sample = {
        let place = Place::make(kind, 1).await;
        warm(&place).await;
        floor::sample(&place).await
    };
    let stored: &[u64] = if asked.full { &[1_000, 100_000, 1_000_000] } else { &[1_000, 100_000] };
    for stored in stored {
        for scopes in [1, 4] {
            let place = Place::make(kind, scopes).await;
            floor::fill(&place, &sample, *stored).await;
            for endpoint in [false, true] {
                let load = run::full_load(&place, run::Asked { endpoint, ..asked.load() }).await;
                let with = if endpoint { "one" } else { "none" };
                println!("{stored:>9} {scopes:>6} {with:>8}  {}", load.row());
            }
        }
    }
}
