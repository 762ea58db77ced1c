//! A PostgreSQL server of one run's own, since it is stopped hard and started again; or one that somebody
//! names, which is left running.

// Included, since the examples have it without the other tests.
mod login {
    include!("../../postgres/login.rs");
}

use std::net::{SocketAddr, TcpListener, ToSocketAddrs as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection};

/// The role that the program logs in as.
const LOGIN: &str = "spine_login";
const NAME: &str = "spine_crashes";

pub(crate) struct Server {
    folder: tempfile::TempDir,
    programs: PathBuf,
    owner: Option<(u32, u32)>,
    pub(crate) address: SocketAddr,
    /// Holds the pipe at whose end the server stops, however this process ends.
    _keeper: Child,
}

impl Server {
    /// Starts one that syncs, with an empty database.
    pub(crate) async fn start() -> Server {
        let folder = tempfile::TempDir::new().unwrap();
        let owner = unprivileged();
        if let Some((user, group)) = owner {
            std::os::unix::fs::chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let programs = programs();
        let mut keeper = as_owner(Path::new("sh"), owner, folder.path());
        let keeper = keeper
            .args(["-c", "read -r _; exec \"$1\" stop -m immediate -D \"$2\"", "sh"])
            .args([programs.join("pg_ctl"), folder.path().join("data")])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let server = Server { folder, programs, owner, address, _keeper: keeper };
        server.run("initdb", &["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "-D"]);
        server.start_again();
        let admin = format!("postgres://postgres@{address}/postgres");
        let mut conn = PgConnection::connect(&admin).await.unwrap();
        for sql in [
            format!("CREATE ROLE {LOGIN} LOGIN CREATEROLE NOSUPERUSER NOBYPASSRLS"),
            format!("CREATE DATABASE {NAME} TEMPLATE template0"),
            format!("GRANT CREATE, CONNECT ON DATABASE {NAME} TO {LOGIN}"),
        ] {
            conn.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.unwrap();
        }
        conn.close().await.unwrap();
        server
    }

    /// The database for the program, by way of an address.
    pub(crate) fn url(&self, through: SocketAddr) -> String {
        format!("postgres://{LOGIN}@{through}/{NAME}?sslmode=disable")
    }

    /// Ends when so many seconds have passed on its own clock, by which leases end.
    pub(crate) async fn waits(&self, seconds: u32) {
        let admin = format!("postgres://postgres@{}/postgres", self.address);
        let mut conn = PgConnection::connect(&admin).await.unwrap();
        sqlx::query("SELECT pg_sleep($1)").bind(f64::from(seconds)).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    }

    /// Stops it hard: what it has not synced is lost, and every connection is cut.
    pub(crate) fn stop_hard(&self) {
        self.run("pg_ctl", &["stop", "-m", "immediate", "-w", "-D"]);
    }

    pub(crate) fn start_again(&self) {
        let options = format!("-k {} -h 127.0.0.1 -p {}", self.folder.path().display(), self.address.port());
        let log = self.folder.path().join("log");
        self.run("pg_ctl", &["start", "-w", "-t", "120", "-o", &options, "-l", log.to_str().unwrap(), "-D"]);
    }

    fn run(&self, program: &str, args: &[&str]) {
        let mut command = as_owner(&self.programs.join(program), self.owner, self.folder.path());
        // Not through a pipe: the server would inherit it, and its end would never come.
        let told = self.folder.path().join(format!("{program}.told"));
        let file = std::fs::File::create(&told).unwrap();
        command.args(args).arg(self.folder.path().join("data"));
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let status = command.status().unwrap();
        assert!(status.success(), "{program} {args:?}: {}", std::fs::read_to_string(told).unwrap());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut stop = as_owner(&self.programs.join("pg_ctl"), self.owner, self.folder.path());
        stop.args(["stop", "-m", "immediate", "-w", "-D"]).arg(self.folder.path().join("data"));
        let _ = stop.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

/// A database of one run's own on a server that somebody named.
pub(crate) struct Named {
    admin: PgConnectOptions,
    address: SocketAddr,
    /// The database, and the role that the program logs in as.
    name: String,
}

/// The password of the role that the run makes.
const PASSWORD: &str = "of-the-crashes";

impl Named {
    /// Makes the database. The role of the URL may make roles and databases.
    pub(crate) async fn at(url: &str) -> Named {
        let admin: PgConnectOptions = url.parse().expect("a postgres:// URL");
        let admin = admin.disable_statement_logging();
        let place = (admin.get_host().to_owned(), admin.get_port());
        let address = place.to_socket_addrs().unwrap().next().expect("an address of the server");
        let named = Named { admin, address, name: format!("spine_crashes_{}", std::process::id()) };
        let name = &named.name;
        named
            .run(&[
                login::make(name, PASSWORD),
                format!("CREATE DATABASE {name} TEMPLATE template0"),
                format!("GRANT CREATE, CONNECT ON DATABASE {name} TO {name}"),
            ])
            .await;
        named
    }

    async fn run(&self, statements: &[String]) {
        let mut conn = self.admin.connect().await.unwrap();
        for sql in statements {
            conn.execute(sqlx::raw_sql(AssertSqlSafe(sql.clone()))).await.unwrap();
        }
        conn.close().await.unwrap();
    }

    /// Takes the database away again. The role stays: others may have what it granted.
    pub(crate) async fn gone(self) {
        self.run(&[format!("DROP DATABASE {} WITH (FORCE)", self.name)]).await;
    }
}

/// Where the nodes of a run have their database.
#[derive(Clone, Copy)]
pub(crate) enum On<'a> {
    /// On a server that is stopped and started as the run wishes.
    Own(&'a Server),
    /// On one that goes on.
    Named(&'a Named),
}

impl<'a> On<'a> {
    pub(crate) fn address(self) -> SocketAddr {
        match self {
            On::Own(server) => server.address,
            On::Named(named) => named.address,
        }
    }

    /// The database for the program, by way of an address. In clear: whoever stands in between looks for
    /// commits.
    pub(crate) fn url(self, through: SocketAddr) -> String {
        match self {
            On::Own(server) => server.url(through),
            On::Named(Named { name, .. }) => {
                format!("postgres://{name}:{PASSWORD}@{through}/{name}?sslmode=disable")
            }
        }
    }

    /// Ends when so many seconds have passed on the server's own clock, by which leases end.
    pub(crate) async fn waits(self, seconds: u32) {
        match self {
            On::Own(server) => server.waits(seconds).await,
            On::Named(named) => named.run(&[format!("SELECT pg_sleep({seconds})")]).await,
        }
    }

    /// The server, where it may be stopped.
    pub(crate) fn own(self) -> Option<&'a Server> {
        match self {
            On::Own(server) => Some(server),
            On::Named(_) => None,
        }
    }
}

fn as_owner(program: &Path, owner: Option<(u32, u32)>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    if let Some((user, group)) = owner {
        command.uid(user).gid(group);
    }
    command.current_dir(folder);
    command
}

/// The folder of the server's programs: Debian's newest, else where `initdb` is on the path.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin): &(u32, PathBuf)| bin.join("initdb").exists())
        .collect();
    versions.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).find(|folder| folder.join("initdb").exists());
    versions
        .pop()
        .map(|(_, bin)| bin)
        .or(on_path)
        .expect("this needs the programs of a PostgreSQL server: install it (`apt-get install postgresql`)")
}

/// Whom the server runs as where this runs as root, which it refuses.
fn unprivileged() -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt as _;
    if std::fs::metadata("/proc/self").ok()?.uid() != 0 {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let of = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Some(of("postgres").or_else(|| of("nobody")).expect("a user `postgres` or `nobody` for the server"))
}
