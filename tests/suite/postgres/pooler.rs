//! The program through a real pooler in transaction mode: PgBouncer, which gives a connection for the time of
//! one transaction.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::cluster::{Database, cluster, unprivileged};
use super::serve::MASTER_KEY;
use crate::process::{Caller, Server, spine, stderr, stdout};
use crate::receiver::Receiver;

/// How many connections the pooler has for all nodes together: fewer than the nodes would have of their
/// own, so that one serves many in turn.
const CONNECTIONS: u32 = 6;

/// A pooler before a database; it ends with this.
struct Pooler {
    port: u16,
    child: Child,
    folder: TempDir,
}

impl Pooler {
    fn before(database: &Database) -> Pooler {
        let mut tries = 0;
        loop {
            tries += 1;
            match Pooler::started(database) {
                Ok(pooler) => return pooler,
                // Another process may have taken the port.
                Err(log) => assert!(tries < 5, "PgBouncer does not start: {log}"),
            }
        }
    }

    fn started(database: &Database) -> Result<Pooler, String> {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (settings, users) = (folder.path().join("pgbouncer.ini"), folder.path().join("users"));
        let url = reqwest::Url::parse(&database.url()).unwrap();
        let (host, of) = (url.host_str().unwrap(), url.port().unwrap_or(5_432));
        let (user, password) = (url.username(), url.password().unwrap());
        fs::write(&users, format!("\"{user}\" \"{password}\"\n")).unwrap();
        fs::write(
            &settings,
            format!(
                "[databases]\n* = host={host} port={of}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
                 listen_port = {port}\nunix_socket_dir =\nauth_type = plain\nauth_file = {}\n\
                 pool_mode = transaction\ndefault_pool_size = {CONNECTIONS}\nmax_client_conn = 200\n\
                 ignore_startup_parameters = extra_float_digits\n",
                users.display()
            ),
        )
        .unwrap();
        let mut command = Command::new(program());
        if let Some((user, group)) = unprivileged() {
            for path in [folder.path(), &settings, &users] {
                std::os::unix::fs::chown(path, Some(user), Some(group)).unwrap();
            }
            command.uid(user).gid(group);
        }
        command.arg(&settings).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut words = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut log = String::new();
        for line in words.by_ref() {
            log.push_str(&line);
            log.push('\n');
            if line.contains("process up") {
                // Read to its end, so that the pooler never waits for somebody to read.
                std::thread::spawn(move || words.for_each(drop));
                return Ok(Pooler { port, child, folder });
            }
        }
        let _ = child.wait();
        Err(log)
    }

    /// A settings file for a node behind it.
    fn settings(&self, database: &Database, node: &str) -> PathBuf {
        let file = self.folder.path().join(format!("{node}.yaml"));
        let url = database.url_through(self.port);
        let text = format!(
            "database_url: {url}\ndatabase:\n  listens: false\n  prepares: false\nnode:\n  name: {node}\n  lease: 10s\noutbound:\n  allow_private_addresses: true\n"
        );
        fs::write(&file, text).unwrap();
        file
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// PgBouncer, which Debian puts where only root looks.
fn program() -> PathBuf {
    let on_path = std::env::var_os("PATH").into_iter();
    let on_path = on_path.flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let places = on_path.chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")]);
    let found = places.map(|folder| folder.join("pgbouncer")).find(|program| program.exists());
    found.expect("this test needs PgBouncer: install it (`apt-get install pgbouncer`, as `./tests/run` does)")
}

async fn serve(settings: &std::path::Path) -> Server {
    let mut command = spine();
    command.env("SPINE_MASTER_KEY", MASTER_KEY);
    command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(settings);
    Server::of(&mut command).await
}

fn on(settings: &std::path::Path, args: &[&str]) -> std::process::Output {
    let mut command = spine();
    command.env("SPINE_MASTER_KEY", MASTER_KEY).args(args).arg("--config").arg(settings);
    command.output().unwrap()
}

#[tokio::test]
async fn nodes_behind_a_pooler_in_transaction_mode_do_all_that_nodes_do() {
    let database = cluster().database().await;
    let pooler = Pooler::before(&database);
    let (one, two) = (pooler.settings(&database, "one"), pooler.settings(&database, "two"));
    let (mut gateway, mut events) = (Receiver::start().await, Receiver::start().await);
    // The schema is made through it as well.
    let first = serve(&one).await;
    let second = serve(&two).await;
    let made = on(&one, &["key", "create", "--tenant", "default", "--env", "live"]);
    assert!(made.status.success(), "{}", stderr(&made));
    let caller = Caller::new(&first, &stdout(&made));
    let mut other = caller.clone();
    other.base.clone_from(&second.base);
    let provider = json!({"name": "gateway", "kind": "http", "channels": ["sms"],
        "settings": {"url": gateway.url("/send")}, "credentials": {"token": "t"}});
    caller.post("p", "/providers", &provider).await;
    let endpoint = json!({"url": events.url("/"), "events": ["message.sent"]});
    other.post("e", "/webhook_endpoints", &endpoint).await;

    // Sends at both nodes at once: more than there are connections.
    let message = json!({"to": {"sms": "+4915112345678"}, "content": {"sms": {"body": "hello"}},
        "strategy": "sms until accepted"});
    let mut sends = tokio::task::JoinSet::new();
    for n in 0..60 {
        let (caller, message) = (if n % 2 == 0 { caller.clone() } else { other.clone() }, message.clone());
        sends.spawn(async move { caller.post(&format!("m{n}"), "/messages", &message).await });
    }
    let (mut ids, mut told) = (BTreeSet::new(), BTreeSet::new());
    while ids.len() < 60 || told.len() < 60 {
        tokio::select! {
            Some(sent) = sends.join_next(), if ids.len() < 60 => {
                ids.insert(sent.unwrap()["id"].as_str().unwrap().to_owned());
            }
            call = gateway.next() => call.answer(200, &[("content-type", "application/json")], r#"{"id": "g"}"#),
            event = events.next() => {
                told.insert(event.json()["data"]["message_id"].as_str().unwrap().to_owned());
                event.ok();
            }
        }
    }
    assert_eq!(ids, told);
    let again = other.post("m0", "/messages", &message).await;
    assert!(ids.iter().any(|id| again["id"] == **id), "one key, two messages");

    // What a node that is killed had in hand, the other one finishes.
    let left = caller.post("left", "/messages", &message).await;
    let open = gateway.next().await;
    let key = open.headers["idempotency-key"].clone();
    first.kill();
    drop(open);
    let next = gateway.next().await;
    assert_eq!(next.headers["idempotency-key"], key, "the same attempt");
    next.answer(200, &[("content-type", "application/json")], r#"{"id": "g"}"#);
    // An event is told at least once: one of those before may come again.
    loop {
        let event = events.next().await;
        let is_left = event.json()["data"]["message_id"] == left["id"];
        event.ok();
        if is_left {
            break;
        }
    }

    // And what an operator does, beside it.
    let verified = on(&two, &["audit", "verify", "--format", "json"]);
    assert!(verified.status.success(), "{}{}", stdout(&verified), stderr(&verified));
    let verified: Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!((&verified["ok"], &verified["messages"]), (&json!(true), &json!(61)));
    let looked = on(&two, &["doctor", "--format", "json"]);
    let looked: Value =
        serde_json::from_slice(&looked.stdout).unwrap_or_else(|_| panic!("{}", stderr(&looked)));
    let errors = looked["findings"].as_array().unwrap().iter();
    let errors: Vec<_> = errors.filter(|of| of["severity"] == "error" && of["name"] != "setting").collect();
    assert!(errors.is_empty(), "{errors:?}");
    second.stop().await;
    assert!(on(&two, &["migrate"]).status.success());
}
