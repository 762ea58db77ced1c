//! A caller of the REST surface.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use reqwest::Method;
use serde_json::Value;

use super::DemoError;
use crate::api::BASE_PATH;
use crate::api::conventions::keys::ApiKey;
use crate::providers::outbound;

/// An answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) is_replay: bool,
    pub(super) bytes: Vec<u8>,
}

impl Answer {
    /// Its JSON, where it has the status that is wanted.
    pub(super) fn json(&self, wanted: u16) -> Result<Value, DemoError> {
        let value: Value = serde_json::from_slice(&self.bytes).unwrap_or_default();
        if self.status == wanted {
            return Ok(value);
        }
        Err(DemoError::Unexpected(format!(
            "an answer with status {} instead of {wanted}: {value}",
            self.status
        )))
    }
}

/// One who calls with a test key.
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    key: ApiKey,
    mutations: AtomicU32,
}

impl Client {
    pub(super) fn new(server: SocketAddr, key: ApiKey) -> Result<Client, DemoError> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(outbound::tls_configuration())
            .no_proxy()
            .build()
            .map_err(|error| DemoError::Unexpected(format!("no HTTP client: {error}")))?;
        Ok(Client { http, base: format!("http://{server}{BASE_PATH}"), key, mutations: AtomicU32::new(0) })
    }

    /// Where the surface is.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// The key, as it is shown: its first and its last characters.
    pub(super) fn shown_key(&self) -> String {
        format!("sk_test_…{}", self.key.hint())
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, DemoError> {
        self.send(self.http.get(format!("{}{path}", self.base))).await?.json(200)
    }

    /// A change under a fresh idempotency key.
    pub(super) async fn change(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        wanted: u16,
    ) -> Result<Value, DemoError> {
        let nth = self.mutations.fetch_add(1, Ordering::Relaxed) + 1;
        self.change_under(&format!("demo-{nth}"), method, path, body).await?.json(wanted)
    }

    pub(super) async fn post(&self, path: &str, body: &Value, wanted: u16) -> Result<Value, DemoError> {
        self.change(Method::POST, path, body, wanted).await
    }

    /// A change under this idempotency key.
    pub(super) async fn change_under(
        &self,
        idempotency_key: &str,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<Answer, DemoError> {
        let request = self.http.request(method, format!("{}{path}", self.base));
        self.send(request.header("idempotency-key", idempotency_key).json(body)).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer, DemoError> {
        let lost = |error: reqwest::Error| DemoError::Unexpected(format!("no answer: {error}"));
        let response = request.bearer_auth(self.key.reveal()).send().await.map_err(lost)?;
        let is_replay = response.headers().contains_key("idempotent-replayed");
        let status = response.status().as_u16();
        Ok(Answer { status, is_replay, bytes: response.bytes().await.map_err(lost)?.to_vec() })
    }
}
