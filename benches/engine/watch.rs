//! What a store and its database do while they are loaded, seen from outside.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, PgConnection, Row as _};
use tokio::task::JoinHandle;

use crate::place::{Ground, Place};
use crate::run::CLIENTS;

/// The rows of all scopes, read beside the server.
pub(crate) enum Rows {
    Files(Vec<SqliteConnection>),
    Database(PgConnection),
}

impl Rows {
    pub(crate) async fn open(place: &Place) -> Rows {
        if let Some(admin) = place.ground.admin().await {
            return Rows::Database(admin);
        }
        let mut files = Vec::new();
        for file in place.files() {
            let options = SqliteConnectOptions::new().filename(file).read_only(true);
            files.push(options.disable_statement_logging().connect().await.unwrap());
        }
        Rows::Files(files)
    }

    /// How many messages there are.
    pub(crate) async fn begun(&mut self) -> i64 {
        match self {
            Rows::Files(files) => sum(files, "SELECT coalesce(max(n), 0) FROM message").await,
            Rows::Database(conn) => one(conn, "SELECT count(*) FROM spine.message").await,
        }
    }

    /// Waits until every message has ended.
    pub(crate) async fn all_ended(&mut self) {
        loop {
            let live = match self {
                Rows::Files(files) => sum(files, "SELECT count(*) FROM live").await,
                Rows::Database(conn) => one(conn, "SELECT count(*) FROM spine.live").await,
            };
            if live == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn sum(files: &mut [SqliteConnection], sql: &'static str) -> i64 {
    let mut sum = 0;
    for file in files {
        sum += sqlx::query(sql).fetch_one(file).await.unwrap().get::<i64, _>(0);
    }
    sum
}

async fn one(conn: &mut PgConnection, sql: &'static str) -> i64 {
    sqlx::query(sql).fetch_one(conn).await.unwrap().get(0)
}

/// What was spent from one instant to another.
pub(crate) struct Spent {
    pub(crate) seconds: f64,
    /// Processor time of this process, clients included, in microseconds.
    pub(crate) cpu_us: f64,
    /// That of the clients' thread alone.
    pub(crate) clients_us: f64,
    /// Bytes written to the logs.
    pub(crate) log: f64,
    /// Where the store is a database.
    pub(crate) database: Option<Database>,
}

/// What a database spent.
pub(crate) struct Database {
    /// Processor time of all its processes, in microseconds.
    pub(crate) cpu_us: f64,
    /// Transactions that wrote rows of a scope.
    pub(crate) commits: f64,
    /// All transactions, those that only read included.
    pub(crate) transactions: f64,
}

/// Watches what is spent.
pub(crate) struct Watch {
    begun: Instant,
    cpu_us: f64,
    clients_us: f64,
    logs: Logs,
}

enum Logs {
    Files { over: Arc<AtomicBool>, pages: JoinHandle<u64> },
    Database { conn: PgConnection, server: u32, before: [f64; 4] },
}

impl Watch {
    pub(crate) async fn begin(place: &Place) -> Watch {
        let logs = match &place.ground {
            Ground::Folder(_) => Logs::files(place.files()),
            Ground::Database(database) => {
                let mut conn = database.admin().await;
                let server = server_of(&mut conn).await;
                let before = counters(&mut conn, server).await;
                Logs::Database { conn, server, before }
            }
        };
        Watch { begun: Instant::now(), cpu_us: cpu_us("self").own, clients_us: thread_cpu_us(CLIENTS), logs }
    }

    pub(crate) async fn end(self) -> Spent {
        let (seconds, cpu) = (self.begun.elapsed().as_secs_f64(), cpu_us("self").own - self.cpu_us);
        let clients_us = thread_cpu_us(CLIENTS) - self.clients_us;
        let (log, database) = match self.logs {
            Logs::Files { over, pages } => {
                over.store(true, Ordering::Relaxed);
                (pages.await.unwrap() as f64 * 4_120.0, None)
            }
            Logs::Database { mut conn, server, before } => {
                let after = counters(&mut conn, server).await;
                let [cpu_us, commits, transactions, log] = std::array::from_fn(|n| after[n] - before[n]);
                (log, Some(Database { cpu_us, commits, transactions }))
            }
        };
        Spent { seconds, cpu_us: cpu, clients_us, log, database }
    }
}

impl Logs {
    /// Watches how the logs of files grow. A log begins again at its start once it was written back, so
    /// it is looked at often.
    fn files(files: Vec<PathBuf>) -> Logs {
        let over = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&over);
        let files: Vec<_> = files.into_iter().map(|file| file.with_extension("db-shm")).collect();
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
        Logs::Files { over, pages }
    }
}

/// The pages in a log, as the index beside it says.
fn frames(file: &Path) -> u32 {
    use std::io::Read as _;
    let mut head = [0; 20];
    let read = std::fs::File::open(file).and_then(|mut file| file.read_exact(&mut head));
    if read.is_err() { 0 } else { u32::from_ne_bytes([head[16], head[17], head[18], head[19]]) }
}

/// Processor time of the server, blocks of positions given, transactions and bytes of the log.
async fn counters(conn: &mut PgConnection, server: u32) -> [f64; 4] {
    // The statistics of a session are written down when it has been idle for a while; this makes up for
    // a part of that, and what is missing is missing at both ends.
    let row = sqlx::query(
        "SELECT (SELECT last_value FROM spine.position), \
                (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()), \
                pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::int8",
    )
    .fetch_one(conn)
    .await
    .unwrap();
    let of = |column: usize| row.get::<i64, _>(column) as f64;
    [server_cpu_us(server), of(0), of(1), of(2)]
}

/// The server's first process.
async fn server_of(conn: &mut PgConnection) -> u32 {
    let pid: i32 = sqlx::query("SELECT pg_backend_pid()").fetch_one(conn).await.unwrap().get(0);
    cpu_us(&pid.to_string()).parent
}

/// Processor time of a server's processes, those that ended included; nothing where it is not on this machine.
fn server_cpu_us(server: u32) -> f64 {
    let first = cpu_us(&server.to_string());
    let others = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let children = others.filter_map(|entry| {
        let name = entry.file_name();
        let name = name.to_str().filter(|name| name.bytes().all(|digit| digit.is_ascii_digit()))?;
        Some(cpu_us(name)).filter(|cpu| cpu.parent == server)
    });
    first.own + first.ended + children.map(|child| child.own).sum::<f64>()
}

/// Processor time of the threads of this process that have a name.
fn thread_cpu_us(name: &str) -> f64 {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let named = threads.filter(|thread| {
        std::fs::read_to_string(thread.path().join("comm")).is_ok_and(|comm| comm.trim() == name)
    });
    named.map(|thread| cpu_us(&format!("self/task/{}", thread.file_name().to_string_lossy())).own).sum()
}

/// Processor time that a process has used, in microseconds, and that of its children which have ended.
#[derive(Default)]
struct Cpu {
    parent: u32,
    own: f64,
    ended: f64,
}

fn cpu_us(process: &str) -> Cpu {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let Some((_, after)) = stat.rsplit_once(") ") else { return Cpu::default() };
    let fields: Vec<f64> = after.split(' ').map(|field| field.parse().unwrap_or_default()).collect();
    // A hundred ticks a second on every Linux.
    let of = |place: usize| fields.get(place).copied().unwrap_or_default() * 10_000.0;
    Cpu { parent: (of(1) / 10_000.0) as u32, own: of(11) + of(12), ended: of(13) + of(14) }
}
