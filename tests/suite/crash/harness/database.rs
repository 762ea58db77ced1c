//! A PostgreSQL server of one run's own, since it is stopped hard and started again.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

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
