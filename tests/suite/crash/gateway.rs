//! The outside, which outlives every crash: a gateway that counts, and a receiver of webhooks.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::server::exchange;

/// Of the gateway and of the program that calls it.
pub(crate) const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// What came in.
#[derive(Default)]
pub(crate) struct Seen {
    /// How often a key came, by key.
    pub(crate) calls: BTreeMap<String, u32>,
    /// The keys that were accepted, by message and channel.
    pub(crate) accepted: BTreeMap<(String, String), BTreeSet<String>>,
    /// Faults of the caller.
    pub(crate) faults: Vec<String>,
    /// Ids of events, and how often each came.
    pub(crate) events: BTreeMap<String, u32>,
}

pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Mutex<Seen>>,
    _server: tokio_util::task::AbortOnDropHandle<()>,
}

#[derive(Clone)]
struct App {
    seen: Arc<Mutex<Seen>>,
    spine: SocketAddr,
}

impl Gateway {
    pub(crate) async fn start(spine: SocketAddr) -> Gateway {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let app = App { seen: Arc::clone(&seen), spine };
        let router =
            axum::Router::new().route("/send", post(send)).route("/hook", post(hook)).with_state(app);
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Gateway { address, seen, _server: tokio_util::task::AbortOnDropHandle::new(server) }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Takes an event; the same one twice is no fault, since delivery is at least once.
async fn hook(State(app): State<App>, headers: HeaderMap, _: Bytes) -> StatusCode {
    let id = header(&headers, "webhook-id").to_owned();
    *app.seen.lock().unwrap().events.entry(id).or_default() += 1;
    StatusCode::OK
}

/// Takes a send. What it does follows from the key alone: of sixteen, one is refused for now, one is
/// taken and its connection cut without an answer, the others are taken.
async fn send(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Response {
    let key = header(&headers, "idempotency-key").to_owned();
    let call: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| call[name].as_str().unwrap_or_default().to_owned();
    let place = (text("message_id"), text("channel"));
    let calls = {
        let mut seen = app.seen.lock().unwrap();
        if text("attempt_id") != key {
            seen.faults.push(format!("attempt {} was called under the key {key}", text("attempt_id")));
        }
        let calls = seen.calls.entry(key.clone()).or_default();
        *calls += 1;
        *calls
    };
    let kind = key.bytes().map(u32::from).sum::<u32>() % 16;
    if kind == 0 {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    app.seen.lock().unwrap().accepted.entry(place).or_default().insert(key.clone());
    if calls == 1 {
        // Like a real one, it tells once that what it took has arrived, until somebody hears it.
        let receipt = json!({"type": "receipt", "attempt_id": key, "id": format!("g-{key}"),
            "status": "delivered"});
        tokio::spawn(tell(app.spine, text("callback_url"), receipt.to_string()));
    }
    if kind == 1 && calls == 1 {
        std::future::pending::<()>().await;
    }
    axum::Json(json!({"id": format!("g-{key}")})).into_response()
}

async fn tell(spine: SocketAddr, callback: String, body: String) {
    let path = callback.split_once("/notifications").map(|(_, path)| path.to_owned()).unwrap();
    let library = standardwebhooks::Webhook::new(SECRET).unwrap();
    loop {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let now = i64::try_from(now).unwrap();
        let signature = library.sign("receipt", now, body.as_bytes()).unwrap();
        let request = format!(
            "POST /notifications{path} HTTP/1.1\r\nHost: spine\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nwebhook-id: receipt\r\n\
             webhook-timestamp: {now}\r\nwebhook-signature: {signature}\r\n\r\n{body}",
            body.len()
        );
        if let Ok(answer) = exchange(spine, request.as_bytes()).await
            && answer.status == 200
        {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
