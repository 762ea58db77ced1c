//! A PostgreSQL server of the tests' own: one a process, a database a test. It ends with the process,
//! however that ends. `TEST_DATABASE_URL`, where it is set, names a server to use instead; its role
//! must be able to make roles and databases.
//!
//! Used by the unit tests of the store as well, so it names nothing of the program.

#[path = "login.rs"]
mod login;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection};

/// How long the server may take to start before the tests are given up.
const START_WITHIN: Duration = Duration::from_secs(60);
/// The password of the roles that the tests make.
const PASSWORD: &str = "of-the-tests";

/// A server, and how its databases are made.
pub(crate) struct Cluster {
    /// As a role that may do everything.
    admin: PgConnectOptions,
    /// The role that the program logs in as: it may make roles, and what it is given.
    login: String,
    dropper: mpsc::Sender<String>,
    /// Holds the pipe at whose end the server stops.
    _server: Option<Child>,
}

/// A database for one test; it goes when this is dropped.
pub(crate) struct Database {
    pub(crate) cluster: &'static Cluster,
    pub(crate) name: String,
}

/// The server of this process.
pub(crate) fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        // In a thread of its own, since the caller may be inside a runtime.
        std::thread::spawn(|| match std::env::var("TEST_DATABASE_URL") {
            Ok(url) => Cluster::at(url.parse().expect("TEST_DATABASE_URL is a postgres:// URL"), None),
            Err(_) => Cluster::start(&["fsync=off", "full_page_writes=off"]),
        })
        .join()
        .expect("the server of the tests starts")
    })
}

impl Cluster {
    /// Makes a server with these settings.
    pub(crate) fn start(settings: &[&str]) -> Cluster {
        let programs = programs();
        let folder = std::env::temp_dir().join(format!("spine-postgres-{}-{}", std::process::id(), number()));
        fs::create_dir_all(&folder).unwrap();
        let owner = unprivileged();
        if let Some((user, group)) = owner {
            std::os::unix::fs::chown(&folder, Some(user), Some(group)).unwrap();
        }
        let run = |program: &Path| {
            let mut command = Command::new(program);
            if let Some((user, group)) = owner {
                command.uid(user).gid(group);
            }
            command.current_dir(&folder);
            command
        };
        let data = folder.join("data");
        let made = run(&programs.join("initdb"))
            .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(&data)
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        // Another process may take the port before the server does: then another one is tried.
        let mut tries = 0;
        loop {
            tries += 1;
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut command = run(Path::new("sh"));
            command
                .arg("-c")
                .arg(
                    "folder=$1; program=$2; shift 2; \"$program\" \"$@\" </dev/null & pid=$!; \
                     read -r _; kill -QUIT $pid; wait $pid; rm -rf \"$folder\"",
                )
                .arg("sh")
                .arg(&folder)
                .arg(programs.join("postgres"))
                .arg("-D")
                .arg(&data)
                .arg("-k")
                .arg(&folder)
                .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-c", "max_connections=400"])
                .args(settings.iter().flat_map(|setting| ["-c", setting]))
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                // An interrupt of the tests from a terminal does not reach it: its pipe does.
                .process_group(0);
            let mut server = command.spawn().unwrap();
            let admin = PgConnectOptions::new_without_pgpass()
                .host("127.0.0.1")
                .port(port)
                .username("postgres")
                .database("postgres");
            match started(server.stderr.take().unwrap()) {
                Ok(()) => return Cluster::at(admin, Some(server)),
                Err(log) => assert!(tries < 5, "PostgreSQL does not start: {log}"),
            }
        }
    }

    fn at(admin: PgConnectOptions, server: Option<Child>) -> Cluster {
        let login = format!("spine_login_{}_{}", std::process::id(), number());
        let admin = admin.disable_statement_logging();
        let sql = login::make(&login, PASSWORD);
        runtime().block_on(run_on(&admin, &sql));
        let (dropper, dropped) = mpsc::channel::<String>();
        let options = admin.clone();
        std::thread::spawn(move || {
            let runtime = runtime();
            for name in dropped {
                runtime.block_on(async {
                    if let Ok(mut conn) = options.connect().await {
                        let sql = format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)");
                        let _ = conn.execute(AssertSqlSafe(sql)).await;
                        let _ = conn.close().await;
                    }
                });
            }
        });
        Cluster { admin, login, dropper, _server: server }
    }

    /// A fresh database with nothing in it, in which the program may make its schema.
    pub(crate) async fn database(&'static self) -> Database {
        let name = format!("spine_{}_{}", std::process::id(), number());
        let sql = format!("CREATE DATABASE \"{name}\" TEMPLATE template0");
        run_on(&self.admin, &sql).await;
        let sql = format!("GRANT CREATE, CONNECT ON DATABASE \"{name}\" TO {}", self.login);
        run_on(&self.admin, &sql).await;
        Database { cluster: self, name }
    }

    /// The URL of who may do everything.
    pub(crate) fn admin_url(&self) -> String {
        self.admin.to_url_lossy().into()
    }

    /// The server's port.
    pub(crate) fn port(&self) -> u16 {
        self.admin.get_port()
    }
}

impl Database {
    /// The URL for the program.
    pub(crate) fn url(&self) -> String {
        self.url_of(&self.cluster.login, self.cluster.port())
    }

    /// The URL for the program, by way of another port.
    pub(crate) fn url_through(&self, port: u16) -> String {
        self.url_of(&self.cluster.login, port)
    }

    /// The URL for another role.
    pub(crate) fn url_as(&self, role: &str) -> String {
        self.url_of(role, self.cluster.port())
    }

    fn url_of(&self, role: &str, port: u16) -> String {
        let host = self.cluster.admin.get_host();
        format!("postgres://{role}:{PASSWORD}@{host}:{port}/{}?sslmode=prefer", self.name)
    }

    /// A connection that may do everything.
    pub(crate) async fn admin(&self) -> PgConnection {
        self.cluster.admin.clone().database(&self.name).connect().await.unwrap()
    }

    /// A connection as the program's login role.
    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url()).await.unwrap()
    }

    /// Runs statements as a role that may do everything.
    pub(crate) async fn run(&self, sql: &str) {
        run_on(&self.cluster.admin.clone().database(&self.name), sql).await;
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = self.cluster.dropper.send(std::mem::take(&mut self.name));
    }
}

async fn run_on(options: &PgConnectOptions, sql: &str) {
    let mut conn = options.connect().await.unwrap();
    conn.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await.unwrap();
    conn.close().await.unwrap();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A number that this process has not used yet.
fn number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Waits for the server's word that it takes connections; what it said instead where it does not.
fn started(words: ChildStderr) -> Result<(), String> {
    let (teller, told) = mpsc::channel();
    // Read to its end, so that the server never waits for somebody to read.
    std::thread::spawn(move || {
        for line in BufReader::new(words).lines().map_while(Result::ok) {
            let _ = teller.send(line);
        }
    });
    let mut log = String::new();
    loop {
        // Where the server has ended, the shell that started it still goes on: the words tell.
        match told.recv_timeout(START_WITHIN) {
            Ok(line) if line.contains("ready to accept connections") => return Ok(()),
            Ok(line) => {
                log.push_str(&line);
                log.push('\n');
                if line.contains("database system is shut down") || line.contains("FATAL:  could not") {
                    return Err(log);
                }
            }
            Err(_) => return Err(log),
        }
    }
}

/// The folder of the server's programs: Debian's newest, else where `postgres` is on the path.
fn programs() -> PathBuf {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin): &(u32, PathBuf)| bin.join("initdb").exists())
        .collect();
    versions.sort();
    let on_path = std::env::var_os("PATH").and_then(|path| {
        std::env::split_paths(&path)
            .find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
    });
    versions.pop().map(|(_, bin)| bin).or(on_path).expect(
        "these tests need a PostgreSQL server: install it (`apt-get install postgresql`), \
         or name one with TEST_DATABASE_URL",
    )
}

/// Whom the server runs as where the tests run as root, which it refuses.
pub(crate) fn unprivileged() -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt as _;
    if fs::metadata("/proc/self").ok()?.uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let of = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Some(of("postgres").or_else(|| of("nobody")).expect("a user `postgres` or `nobody` for the server"))
}
