//! The program itself in a process of its own, on a real folder, and how it is asked and killed.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use spine::store::StoreError;
use spine::store::sqlite::SqliteStore;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::shim::Disk;

/// The program. An example is the program itself where its first argument is one of its commands.
fn binary() -> PathBuf {
    option_env!("CARGO_BIN_EXE_spine").map_or_else(|| std::env::current_exe().unwrap(), PathBuf::from)
}

/// A breaker that never opens, since these tests are about what is sent; and calls that give up soon.
const SETTINGS: &str = "breaker:\n  failures_max: 100000\n  window_results_min: 100000\n\
                        providers:\n  call_timeout: 2s\noutbound:\n  allow_private_addresses: true\n";

/// The operator's key where the rows are in a database.
const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// For how long a node is taken to be alive after it was last heard, in seconds.
pub(crate) const LEASE_S: u32 = 3;
/// For how long an answer is waited for before another node is asked.
const ANSWER_WITHIN: Duration = Duration::from_secs(6);
/// How often a server that runs is asked before it is taken to hang.
const PATIENCE: u32 = 10;

/// Where a program runs, over all its lives; on a database in several nodes at once.
pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
    /// Where the first node listens.
    pub(crate) address: SocketAddr,
    /// Where the others do.
    others: Vec<SocketAddr>,
    /// The database, where the rows are in one.
    database_url: Option<String>,
    /// Who is asked next.
    next: AtomicUsize,
    /// One that is not to be asked, since it stands still.
    avoided: Mutex<Option<usize>>,
    /// Moves when the program can be asked again.
    pub(crate) again: watch::Sender<u64>,
    /// The disk below the data folder, where it is one of the tests' own.
    pub(crate) disk: Option<Disk>,
    /// What only a test sets.
    pub(crate) settings: Vec<(&'static str, String)>,
}

/// A port that was free a moment ago: every life of a program listens there.
fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// An answer: its status and its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl Place {
    pub(crate) fn new() -> Place {
        let folder = tempfile::TempDir::new().unwrap();
        std::fs::write(folder.path().join("spine.yaml"), SETTINGS).unwrap();
        Place {
            folder,
            address: free_address(),
            others: Vec::new(),
            database_url: None,
            next: AtomicUsize::new(0),
            avoided: Mutex::default(),
            again: watch::Sender::new(0),
            disk: None,
            settings: Vec::new(),
        }
    }

    /// Several nodes on one database, whose lease is short.
    pub(crate) fn on_database(url: String, nodes: usize) -> Place {
        let mut place = Place::new();
        let settings = format!("{SETTINGS}node:\n  lease: {LEASE_S}s\n");
        std::fs::write(place.folder.path().join("spine.yaml"), settings).unwrap();
        place.others = (1..nodes).map(|_| free_address()).collect();
        place.settings.push(("SPINE_MASTER_KEY", MASTER_KEY.to_owned()));
        place.database_url = Some(url);
        place
    }

    /// Where the nodes listen.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        std::iter::once(self.address).chain(self.others.iter().copied())
    }

    /// From now on this node is not asked, which stands still.
    pub(crate) fn avoid(&self, node: Option<usize>) {
        *self.avoided.lock().unwrap() = node;
    }

    pub(crate) fn is_on_database(&self) -> bool {
        self.database_url.is_some()
    }

    /// A command with where the rows are.
    fn on_rows(&self, mut command: Command) -> Command {
        match &self.database_url {
            Some(url) => command.arg("--database-url").arg(url),
            None => command.arg("--data").arg(self.data()),
        };
        command
    }

    /// One on a disk of the tests' own.
    pub(crate) fn on_own_disk() -> Place {
        let mut place = Place::new();
        let root = place.folder.path().join("disk");
        std::fs::create_dir(&root).unwrap();
        place.disk = Some(Disk::new(&root, place.folder.path()));
        place
    }

    pub(crate) fn disk(&self) -> &Disk {
        self.disk.as_ref().unwrap()
    }

    pub(crate) fn data(&self) -> PathBuf {
        match &self.disk {
            Some(disk) => disk.root().join("data"),
            None => self.folder.path().join("data"),
        }
    }

    /// The program in the surroundings of this place.
    fn program(&self) -> Command {
        let mut command = Command::new(binary());
        command.envs(self.settings.iter().map(|(name, value)| (*name, value)));
        if let Some(disk) = &self.disk {
            command.envs(disk.surroundings());
        }
        command
    }

    /// The files of the scopes.
    pub(crate) fn scope_files(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.data().join("scopes")).unwrap();
        let files = files.map(|file| file.unwrap().path().to_str().unwrap().to_owned());
        let mut files: Vec<String> = files.filter(|file| file.ends_with(".db")).collect();
        files.sort();
        files
    }

    /// Runs a command that succeeds and gives what it printed.
    pub(crate) async fn command(&self, args: &[&str]) -> String {
        let out = self.run(args).await;
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    }

    /// Runs a command and gives what it printed, on both ways, however it ended.
    pub(crate) async fn output(&self, args: &[&str]) -> String {
        let out = self.run(args).await;
        let told = if out.stdout.is_empty() { out.stderr } else { out.stdout };
        String::from_utf8(told).unwrap()
    }

    async fn run(&self, args: &[&str]) -> std::process::Output {
        let mut command = self.program();
        command.args(args);
        self.on_rows(command).output().await.unwrap()
    }

    /// Starts the server, to be killed at the place that `crash_at` names. `Err` where it died before
    /// it listened.
    pub(crate) async fn serve(&self, crash_at: Option<&str>) -> Result<Child, String> {
        self.serve_node(0, crash_at).await
    }

    /// The same for one of several nodes.
    pub(crate) async fn serve_node(&self, node: usize, crash_at: Option<&str>) -> Result<Child, String> {
        let address = self.addresses().nth(node).unwrap();
        let mut command = self.program();
        command.arg("serve").arg("--listen").arg(address.to_string());
        command.arg("--config").arg(self.folder.path().join("spine.yaml"));
        let mut command = self.on_rows(command);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        if let Some(place) = crash_at {
            command.env("SPINE_CRASH_AT", place);
        }
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut told = String::new();
        while let Ok(Some(line)) = lines.next_line().await {
            told.push_str(&line);
            told.push('\n');
            if line.contains(" serves http://") {
                self.again.send_modify(|times| *times += 1);
                tokio::spawn(async move {
                    while let Ok(Some(line)) = lines.next_line().await {
                        if line.contains("ERROR") || line.contains("panic") {
                            eprintln!("server: {line}");
                        }
                    }
                });
                return Ok(child);
            }
        }
        let _ = child.wait().await;
        Err(told)
    }

    /// One request; an error where no whole answer came.
    pub(crate) async fn ask(
        &self,
        key: &str,
        request: &str,
        idempotency_key: Option<&str>,
        body: Option<&Value>,
    ) -> std::io::Result<Answer> {
        let avoided = *self.avoided.lock().unwrap();
        let nodes = self.addresses().enumerate().filter(|(node, _)| Some(*node) != avoided);
        let mut nodes: Vec<SocketAddr> = nodes.map(|(_, address)| address).collect();
        let first = self.next.fetch_add(1, Ordering::Relaxed) % nodes.len();
        nodes.rotate_left(first);
        // As one does who asks by way of several addresses: what one does not answer, another is asked.
        let mut last = Err(Error::other("there is no node"));
        for address in nodes {
            let asked = ask_at(address, key, request, idempotency_key, body);
            last = tokio::time::timeout(ANSWER_WITHIN, asked)
                .await
                .unwrap_or_else(|_| Err(Error::new(ErrorKind::TimedOut, "no answer within the time")));
            if last.as_ref().is_ok_and(|answer| answer.status != 503) {
                break;
            }
        }
        last
    }

    /// A request to a server that runs and answers as wanted.
    pub(crate) async fn must(
        &self,
        key: &str,
        request: &str,
        idempotency_key: Option<&str>,
        body: Option<&Value>,
        status: u16,
    ) -> Value {
        // Where it may be asked again: a machine that does much else answers late.
        let tries = if request.starts_with("GET ") || idempotency_key.is_some() { PATIENCE } else { 1 };
        let mut answer = self.ask(key, request, idempotency_key, body).await;
        for _ in 1..tries {
            if !answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::TimedOut) {
                break;
            }
            answer = self.ask(key, request, idempotency_key, body).await;
        }
        let answer = answer.unwrap_or_else(|error| panic!("{request}: {error}"));
        let text = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, status, "{request}: {text}");
        answer.json()
    }

    /// Everything of a list.
    pub(crate) async fn list(&self, key: &str, path: &str) -> Vec<Value> {
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            let and = if path.contains('?') { '&' } else { '?' };
            let page = self.must(key, &format!("GET {path}{and}limit=100{after}"), None, None, 200).await;
            let rows = page["data"].as_array().unwrap().clone();
            all.extend(rows);
            match page["next_cursor"].as_str().or_else(|| page["after"].as_str()) {
                Some(cursor) if page["has_more"] == true => after = format!("&after={cursor}"),
                _ if page["has_more"] == true => {
                    let last = all.last().unwrap()["id"].as_str().unwrap();
                    after = format!("&after={last}");
                }
                _ => return all,
            }
        }
    }
}

/// One request to a server; an error where no whole answer came.
pub(crate) async fn ask_at(
    address: SocketAddr,
    key: &str,
    request: &str,
    idempotency_key: Option<&str>,
    body: Option<&Value>,
) -> std::io::Result<Answer> {
    let (method, path) = request.split_once(' ').unwrap();
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut head = format!(
        "{method} /notifications/v1{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Authorization: Bearer {key}\r\n"
    );
    if let Some(key) = idempotency_key {
        head.push_str(&format!("Idempotency-Key: {key}\r\n"));
    }
    if !body.is_empty() {
        head.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
    }
    exchange(address, format!("{head}\r\n{body}").into_bytes()).await
}

/// What is open to all.
pub(crate) async fn ask_root(address: SocketAddr, path: &str) -> std::io::Result<Answer> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    exchange(address, request.into_bytes()).await
}

/// Sends bytes to a server that closes the connection after its answer.
pub(crate) async fn exchange(address: SocketAddr, request: Vec<u8>) -> std::io::Result<Answer> {
    let mut socket = TcpStream::connect(address).await?;
    socket.write_all(&request).await?;
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).await?;
    let cut = || Error::new(ErrorKind::UnexpectedEof, "no whole answer");
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").ok_or_else(cut)?;
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(cut)?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
    let body = bytes.split_off(end + 4);
    if length.unwrap_or(0) != body.len() {
        return Err(cut());
    }
    Ok(Answer { status, body })
}

/// Ends a server as `kill -9` does.
pub(crate) async fn kill(child: &mut Child) {
    let _ = child.start_kill();
    let _ = child.wait().await;
}

/// Stops a process where it stands, or lets it go on.
pub(crate) async fn signal(child: &Child, name: &str) {
    let id = child.id().unwrap().to_string();
    assert!(Command::new("kill").args([name, &id]).status().await.unwrap().success());
}

/// Asks a server to stop, and waits until it has.
pub(crate) async fn terminate(child: &mut Child) -> bool {
    signal(child, "-TERM").await;
    child.wait().await.unwrap().success()
}

/// The store of a program that has stopped.
pub(crate) async fn open_store(folder: &Path) -> SqliteStore {
    open_store_of(folder).await.unwrap()
}

/// The same, of a folder that may hold anything.
pub(crate) async fn open_store_of(folder: &Path) -> Result<SqliteStore, StoreError> {
    use spine::engine::RealTime as _;
    spine::store::sqlite::open(spine::store::sqlite::Options {
        folder: folder.to_owned(),
        master_key: None,
        now: spine::engine::SystemTime.now(),
        random: std::sync::Arc::new(spine::store::seal::SystemRandom::new()),
    })
    .await
}
