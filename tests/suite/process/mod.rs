//! The program as a process: what an operator sees of it, and what survives its death.

mod crash;
mod demo;
mod doctor;
mod logs;
mod operator;
mod policies;
mod start;
mod stop;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use spine::engine::{RealTime as _, SystemTime};
use spine::providers::signature::{self, Secret};
use tokio::sync::mpsc;

/// How long a process may take to say something. Reached only where a test fails.
const WITHIN: Duration = Duration::from_secs(60);

/// The program, without what the surroundings would set.
pub(crate) fn spine() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spine"));
    for name in ["CONFIG", "DATA", "DATABASE_URL", "LISTEN", "LOG", "MASTER_KEY"] {
        command.env_remove(format!("SPINE_{name}"));
    }
    command.env("NO_COLOR", "1");
    command
}

/// Runs a command to its end.
pub(crate) fn run(args: &[&str]) -> Output {
    spine().args(args).output().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// `spine serve` on a folder, on a port of its own.
pub(crate) struct Server {
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
    /// Where the REST surface is.
    pub(crate) base: String,
    /// What it has said so far.
    pub(crate) said: Vec<String>,
}

impl Server {
    /// Waits until it serves.
    pub(crate) async fn start(folder: &Path) -> Server {
        Server::of(spine().arg("serve").arg("--data").arg(folder).args(["--listen", "127.0.0.1:0"])).await
    }

    pub(crate) async fn of(command: &mut Command) -> Server {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut server = Server { child, lines, base: String::new(), said: Vec::new() };
        let line = server.until("serves http").await;
        server.base = line.split_whitespace().find(|word| word.starts_with("http")).unwrap().to_owned();
        server
    }

    /// Waits until it says something with `words`.
    pub(crate) async fn until(&mut self, words: &str) -> String {
        loop {
            let next = tokio::time::timeout(WITHIN, self.lines.recv()).await;
            let Ok(Some(line)) = next else {
                panic!("never said `{words}`, but: {:#?}", self.said);
            };
            self.said.push(line.clone());
            if line.contains(words) {
                return line;
            }
        }
    }

    /// The key that a first start prints.
    pub(crate) fn first_key(&self) -> String {
        let line = self.said.iter().find(|line| line.contains("sk_test_")).unwrap();
        line.trim().to_owned()
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }

    /// As `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end.
    pub(crate) async fn ended(mut self) -> ExitStatus {
        // It says nothing more once it is gone.
        while let Ok(Some(line)) = tokio::time::timeout(WITHIN, self.lines.recv()).await {
            self.said.push(line);
        }
        self.child.wait().unwrap()
    }

    /// A clean stop.
    pub(crate) async fn stop(self) {
        self.terminate();
        assert!(self.ended().await.success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is gone already where the test waited for its end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A caller with a key.
#[derive(Clone)]
pub(crate) struct Caller {
    http: reqwest::Client,
    pub(crate) base: String,
    pub(crate) key: String,
}

impl Caller {
    pub(crate) fn new(server: &Server, key: &str) -> Caller {
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let http = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap();
        Caller { http, base: server.base.clone(), key: key.trim().to_owned() }
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let asked = self.http.get(format!("{}{path}", self.base)).bearer_auth(&self.key);
        read(asked.send().await.unwrap()).await
    }

    /// Status, media type and text of what is no JSON.
    pub(crate) async fn text(&self, path: &str) -> (u16, String, String) {
        let asked =
            self.http.get(format!("{}{path}", self.base)).bearer_auth(&self.key).send().await.unwrap();
        let media = asked.headers()["content-type"].to_str().unwrap().to_owned();
        (asked.status().as_u16(), media, asked.text().await.unwrap())
    }

    /// `Err` where the connection broke.
    pub(crate) async fn try_post(
        &self,
        idempotency_key: &str,
        path: &str,
        body: &Value,
    ) -> Result<(u16, Value), reqwest::Error> {
        let response = self.answer(idempotency_key, path, body).await?;
        let status = response.status().as_u16();
        Ok((status, response.json().await?))
    }

    /// An answer with its headers.
    pub(crate) async fn answer(
        &self,
        idempotency_key: &str,
        path: &str,
        body: &Value,
    ) -> Result<reqwest::Response, reqwest::Error> {
        let asked = self.http.post(format!("{}{path}", self.base)).bearer_auth(&self.key);
        asked.header("idempotency-key", idempotency_key).json(body).send().await
    }

    /// A callback of a provider, signed; its status.
    pub(crate) async fn call_back(&self, provider: &Value, secret: &str, id: &str, body: &Value) -> u16 {
        let (text, mut headers) = (body.to_string(), reqwest::header::HeaderMap::new());
        let now = SystemTime.now();
        signature::sign(&mut headers, &[Secret::parse(secret).unwrap()], id, now, text.as_bytes());
        let url = format!("{}/callbacks/{}", self.base, provider["id"].as_str().unwrap());
        self.http.post(url).headers(headers).body(text).send().await.unwrap().status().as_u16()
    }

    pub(crate) async fn post(&self, idempotency_key: &str, path: &str, body: &Value) -> Value {
        let (status, value) = self.try_post(idempotency_key, path, body).await.unwrap();
        assert!((200..300).contains(&status), "{path}: {status} {value}");
        value
    }
}

async fn read(response: reqwest::Response) -> (u16, Value) {
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or_default())
}

/// A key of the tenant of a first start.
pub(crate) fn make_key(folder: &Path, environment: &str) -> String {
    let folder = folder.to_str().unwrap();
    let made = run(&["key", "create", "--tenant", "default", "--env", environment, "--data", folder]);
    assert!(made.status.success(), "{}", stderr(&made));
    stdout(&made).trim().to_owned()
}
