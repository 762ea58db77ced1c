//! A webhook receiver that verifies signatures.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::DemoError;
use crate::cli::operator::now;
use crate::providers::signature::{Secret, verifies};

/// How long an event is waited for.
const EVENT_WITHIN: Duration = Duration::from_secs(10);

/// An event as it came.
pub(super) struct Received {
    pub(super) is_verified: bool,
    pub(super) event: Value,
}

#[derive(Clone)]
struct Inbox {
    secret: Arc<OnceLock<Secret>>,
    sender: mpsc::UnboundedSender<Received>,
}

/// The receiver; it ends with this.
pub(super) struct Receiver {
    address: SocketAddr,
    secret: Arc<OnceLock<Secret>>,
    received: Mutex<mpsc::UnboundedReceiver<Received>>,
    _server: AbortOnDropHandle<()>,
}

impl Receiver {
    pub(super) async fn start() -> Result<Receiver, DemoError> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (sender, received) = mpsc::unbounded_channel();
        let secret = Arc::new(OnceLock::new());
        let inbox = Inbox { secret: Arc::clone(&secret), sender };
        let router = Router::new().fallback(take).with_state(inbox);
        let server = tokio::spawn(async move {
            // It ends with the demo, which then has nothing to hear any more.
            let _ = axum::serve(listener, router).await;
        });
        let _server = AbortOnDropHandle::new(server);
        Ok(Receiver { address, secret, received: Mutex::new(received), _server })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// With what to verify, from now on.
    pub(super) fn verify_with(&self, text: &str) -> Result<(), DemoError> {
        let secret = Secret::parse(text)
            .map_err(|_| DemoError::Unexpected("the endpoint's secret is none".to_owned()))?;
        let _ = self.secret.set(secret);
        Ok(())
    }

    /// The next event.
    pub(super) async fn next(&self, wanted: &str) -> Result<Received, DemoError> {
        let next = std::future::poll_fn(|context| {
            self.received.lock().unwrap_or_else(PoisonError::into_inner).poll_recv(context)
        });
        match tokio::time::timeout(EVENT_WITHIN, next).await {
            Ok(Some(received)) => Ok(received),
            _ => Err(DemoError::Unexpected(format!(
                "no webhook came within {} s; still waited for: {wanted}",
                EVENT_WITHIN.as_secs()
            ))),
        }
    }
}

async fn take(State(inbox): State<Inbox>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let is_verified = inbox.secret.get().is_some_and(|secret| verifies(&headers, secret, now(), &body));
    let event = serde_json::from_slice(&body).unwrap_or_default();
    // Nobody waits any more once the story is told.
    let _ = inbox.sender.send(Received { is_verified, event });
    if is_verified { StatusCode::NO_CONTENT } else { StatusCode::UNAUTHORIZED }
}
