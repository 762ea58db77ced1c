//! Receives events and verifies them with the published Standard Webhooks library.
//!
//! ```sh
//! WEBHOOK_SECRET=whsec_… cargo run --example receiver
//! ```

use std::error::Error;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // The answer to POST /notifications/v1/webhook_endpoints shows it, once.
    let secret =
        std::env::var("WEBHOOK_SECRET").map_err(|_| "set WEBHOOK_SECRET to the endpoint's secret")?;
    let verifier = Arc::new(Webhook::new(&secret)?);
    let listener = TcpListener::bind("127.0.0.1:9000").await?;
    println!("waiting for events on http://{}/", listener.local_addr()?);
    axum::serve(listener, Router::new().route("/", post(receive)).with_state(verifier)).await?;
    Ok(())
}

async fn receive(State(verifier): State<Arc<Webhook>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    // The bytes as they came: a body that was parsed and written anew has another signature.
    if verifier.verify(&body, &headers).is_err() {
        println!("refused: the signature does not hold");
        return StatusCode::UNAUTHORIZED;
    }
    // The same event may come more than once: `webhook-id` tells.
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    println!("{id} {}", String::from_utf8_lossy(&body));
    StatusCode::NO_CONTENT
}
