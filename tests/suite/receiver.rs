//! An HTTP server whose every answer is given by the test, so that nothing needs to sleep.

use std::net::SocketAddr;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

/// A request that waits for its answer. Dropping it closes the connection without one.
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    answer: oneshot::Sender<Response<Body>>,
}

impl Received {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn answer(self, status: u16, headers: &[(&str, &str)], body: impl Into<Body>) {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        // The caller may have given up.
        let _ = self.answer.send(response.body(body.into()).unwrap());
    }

    pub(crate) fn ok(self) {
        self.answer(200, &[], "{}");
    }
}

/// The server; it ends with the test.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    received: mpsc::UnboundedReceiver<Received>,
    _server: tokio_util::task::AbortOnDropHandle<()>,
}

impl Receiver {
    pub(crate) async fn start() -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, received) = mpsc::unbounded_channel();
        let router = axum::Router::new().fallback(take).with_state(sender);
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Receiver { address, received, _server: tokio_util::task::AbortOnDropHandle::new(server) }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next request.
    pub(crate) async fn next(&mut self) -> Received {
        self.received.recv().await.unwrap()
    }

    /// A request that is there already.
    pub(crate) fn waiting(&mut self) -> Option<Received> {
        self.received.try_recv().ok()
    }
}

/// A call, read from its socket, which may be dropped without an answer: its idempotency key stands beside.
pub(crate) async fn taken(listener: &TcpListener) -> (TcpStream, String) {
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut text = String::new();
    while !text.ends_with('}') {
        let mut bytes = [0; 1 << 16];
        let n = socket.read(&mut bytes).await.unwrap();
        text.push_str(std::str::from_utf8(&bytes[..n]).unwrap());
    }
    let line = text.lines().find(|line| line.starts_with("idempotency-key: ")).unwrap();
    (socket, line.trim_start_matches("idempotency-key: ").to_owned())
}

async fn take(State(sender): State<mpsc::UnboundedSender<Received>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let (answer, answered) = oneshot::channel();
    let path = parts.uri.path().to_owned();
    sender.send(Received { path, headers: parts.headers, body, answer }).unwrap();
    match answered.await {
        Ok(response) => response,
        // Ends the connection in the middle of an answer that has not begun.
        Err(_) => std::future::pending().await,
    }
}
