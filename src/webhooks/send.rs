//! One try: signed, sent, and what came of it.

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use super::Outside;
use super::schedule::Took;
use super::tries::Try;
use crate::model::{Id, Instant, ScopeId, kinds};
use crate::providers::signature::{self, Secret};

use url::Url;

/// A try that has ended.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    /// For the record.
    pub(super) tried: Try,
    /// When it ended, on the scope's clock.
    pub(super) ended_at: Instant,
    /// What the endpoint did with it.
    pub(super) took: Took,
}

impl Sent {
    /// A try that ended by a fault of ours.
    pub(super) fn broken(at: Instant, ended_at: Instant) -> Sent {
        let error = Some("the try ended by a fault of the server".to_owned());
        Sent { tried: Try { at, status_code: None, error, duration_ms: 0 }, ended_at, took: Took::Failed }
    }
}

/// Sends `body` once. Never fails: what goes wrong is the try's result. `None`: it was not sent, since
/// this node's lease does not hold any more, and another may be at it.
pub(super) async fn send(
    outside: &Outside,
    scope: ScopeId,
    url: Option<&Url>,
    secrets: &[Secret],
    event: Id<kinds::Event>,
    body: Vec<u8>,
) -> Option<Sent> {
    let (at, began) = (outside.clock.scope_now(scope), outside.clock.real_now());
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    signature::sign(&mut headers, secrets, &event.to_string(), began, &body);
    if !outside.clock.may_act() {
        return None;
    }
    let answered = match url {
        Some(url) => outside.outbound.post(url, headers, body).await.map_err(|error| error.to_string()),
        None => Err("its URL is none".to_owned()),
    };
    let (status_code, error) = match answered {
        Ok(reply) => (Some(reply.status), None),
        Err(error) => (None, Some(error)),
    };
    let took = match status_code {
        Some(200..=299) => Took::Taken,
        Some(410) => Took::Gone,
        _ => Took::Failed,
    };
    let took_ms = outside.clock.real_now().since(began).ms();
    let tried = Try { at, status_code, error, duration_ms: u64::try_from(took_ms).unwrap_or_default() };
    Some(Sent { tried, ended_at: outside.clock.scope_now(scope), took })
}
