//! The outside, which outlives every crash: a gateway that counts, and a receiver of webhooks.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::{Value, json};
use spine::model::{Id, kinds};
use sqlx::{Connection as _, SqliteConnection};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

use super::server::{Place, exchange};

/// Of the gateway and of the program that calls it.
pub(crate) const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// For how long a receipt waits to be heard by one node before another is told.
const HEARD_WITHIN: Duration = Duration::from_secs(5);

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
    /// Told at each call.
    pub(crate) called: Arc<Notify>,
    /// How many calls there were.
    pub(crate) calls: watch::Sender<u64>,
    /// Told at each event.
    pub(crate) told: Arc<Notify>,
    _server: tokio_util::task::AbortOnDropHandle<()>,
}

#[derive(Clone)]
struct App {
    seen: Arc<Mutex<Seen>>,
    called: Arc<Notify>,
    calls: watch::Sender<u64>,
    told: Arc<Notify>,
    /// Where the nodes of the program are.
    spine: Arc<[SocketAddr]>,
    /// Moves when the program can be asked again.
    again: watch::Receiver<u64>,
    /// Whose files hold the intents that are to be there at each call.
    intents: Option<PathBuf>,
}

impl Gateway {
    pub(crate) async fn start(place: &Place) -> Gateway {
        Gateway::on(place, None).await
    }

    /// One that looks into the files of its caller, whether the intent of each call is there.
    pub(crate) async fn that_looks_for_intents(place: &Place) -> Gateway {
        Gateway::on(place, Some(place.data().join("scopes"))).await
    }

    async fn on(place: &Place, intents: Option<PathBuf>) -> Gateway {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let calls = watch::Sender::new(0);
        let (called, told) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let app = App {
            seen: Arc::clone(&seen),
            called: Arc::clone(&called),
            calls: calls.clone(),
            told: Arc::clone(&told),
            spine: place.addresses().collect(),
            again: place.again.subscribe(),
            intents,
        };
        let router =
            axum::Router::new().route("/send", post(send)).route("/hook", post(hook)).with_state(app);
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Gateway {
            address,
            seen,
            called,
            calls,
            told,
            _server: tokio_util::task::AbortOnDropHandle::new(server),
        }
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
    app.told.notify_one();
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
    if let Some(folder) = &app.intents
        && !is_durable(folder, &key).await
    {
        app.seen.lock().unwrap().faults.push(format!("{key} was called before its intent was written"));
    }
    app.called.notify_one();
    app.calls.send_modify(|calls| *calls += 1);
    let kind = key.bytes().map(u32::from).sum::<u32>() % 16;
    if kind == 0 {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    app.seen.lock().unwrap().accepted.entry(place).or_default().insert(key.clone());
    if calls == 1 {
        // Like a real one, it tells once that what it took has arrived, until somebody hears it.
        let receipt = json!({"type": "receipt", "attempt_id": key, "id": format!("g-{key}"),
            "status": "delivered"});
        tokio::spawn(tell(
            Arc::clone(&app.spine),
            app.again.clone(),
            text("callback_url"),
            receipt.to_string(),
        ));
    }
    if kind == 1 && calls == 1 {
        std::future::pending::<()>().await;
    }
    axum::Json(json!({"id": format!("g-{key}")})).into_response()
}

/// Whether the intent of an attempt stands in one of the files.
async fn is_durable(folder: &Path, attempt: &str) -> bool {
    let id: Id<kinds::Attempt> = attempt.parse().unwrap();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap().path();
        if file.extension().is_none_or(|ending| ending != "db") {
            continue;
        }
        let mut conn = SqliteConnection::connect(file.to_str().unwrap()).await.unwrap();
        let found = sqlx::query("SELECT 1 FROM attempt WHERE id = $1").bind(id.to_bytes().to_vec());
        if found.fetch_optional(&mut conn).await.unwrap().is_some() {
            return true;
        }
    }
    false
}

/// Tells the program what happened, until it has heard it: where it has not, again as soon as it can
/// be asked again.
async fn tell(spine: Arc<[SocketAddr]>, mut again: watch::Receiver<u64>, callback: String, body: String) {
    let path = callback.split_once("/v1").map(|(_, path)| path.to_owned()).unwrap();
    loop {
        again.borrow_and_update();
        for node in &*spine {
            let asked = exchange(*node, callback_request(&path, &body).into_bytes());
            if let Ok(Ok(answer)) = tokio::time::timeout(HEARD_WITHIN, asked).await
                && answer.status == 200
            {
                return;
            }
        }
        if again.changed().await.is_err() {
            return;
        }
    }
}

/// A signed callback.
pub(crate) fn callback_request(path: &str, body: &str) -> String {
    let library = standardwebhooks::Webhook::new(SECRET).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let now = i64::try_from(now).unwrap();
    let signature = library.sign("receipt", now, body.as_bytes()).unwrap();
    format!(
        "POST /notifications/v1{path} HTTP/1.1\r\nHost: spine\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nwebhook-id: receipt\r\n\
         webhook-timestamp: {now}\r\nwebhook-signature: {signature}\r\n\r\n{body}",
        body.len()
    )
}
