//! The way of a request, in the one order in which all checks are made:
//!
//! 401, the path's 404 and 405, 429 `rate_limited`, 403, 415, 413, the idempotency key's 400, the
//! JSON's 400, replay or 409, the query's 400, 422, and then what the handler says: the record's
//! 404 and 409, last 429 `quota_exceeded`.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use futures_util::{FutureExt, StreamExt};
use serde_json::Value;
use tracing::Instrument as _;

use super::App;
use super::call::{Answer, Call, JSON, OpenCall};
use super::checks;
use super::conventions::idempotency::{canonical_request, hash_of_key, key_of};
use super::conventions::json;
use super::conventions::keys::ApiKey;
use super::conventions::limit::Bucket;
use super::conventions::problem::{Code, PROBLEM_JSON, Problem};
use super::conventions::routes::Found;
use super::endpoint::{Access, BodySize, Endpoint, Handler, Idempotency};
use crate::engine::front::Claim;
use crate::model::{Environment, Id, kinds};
use crate::store::KeyRow;
use crate::store::rows::IdempotencyKey;
use crate::store::seal::Scope;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Bytes of a body that is too large which are still read, so that the caller sees the answer.
const DRAINED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Answers one request.
pub(super) async fn answer(app: Arc<App>, request: Request<Body>) -> Response<Body> {
    let request_id: Id<kinds::Request> = app.ids.mint();
    let id_text = request_id.to_string();
    let (mut parts, body) = request.into_parts();
    let headers = std::mem::take(&mut parts.headers);
    let path = parts.uri.path();
    let found = app.routes.find(&parts.method, path);
    let below =
        path.strip_prefix(super::BASE_PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let open = match &found {
        Found::Endpoint(index, _) => app.endpoints.get(*index).is_some_and(|e| e.access == Access::Open),
        _ => false,
    };
    // What is logged while it is answered carries its id.
    let span = tracing::info_span!("request", id = %id_text);
    let answering = async {
        if below && !open {
            match authenticate(&app, &headers).await {
                Err(problem) => (Err(problem), None),
                Ok(key) => {
                    let bucket = app.limiter.take(key.id.as_u128(), app.nodes());
                    let incoming = Incoming { request_id, parts: &parts, headers, body };
                    (keyed(&app, found, key, bucket, incoming).await, Some(bucket))
                }
            }
        } else {
            (unkeyed(&app, found, headers, body).await, None)
        }
    };
    let (outcome, bucket) =
        AssertUnwindSafe(answering).catch_unwind().instrument(span).await.unwrap_or_else(|_| {
            tracing::error!(request_id = %id_text, "a request ended in a panic");
            (Err(Code::Internal.into()), None)
        });
    let answer = match outcome {
        Ok(answer) => answer,
        Err(problem) => {
            tracing::debug!(request_id = %id_text, code = problem.code.word(), "refused");
            refusal(&problem, &id_text)
        }
    };
    let mut response =
        Response::new(if parts.method == Method::HEAD { Body::empty() } else { Body::from(answer.body) });
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let out = response.headers_mut();
    for (name, value) in answer.headers {
        out.append(name, value);
    }
    if let Ok(value) = HeaderValue::try_from(id_text) {
        out.insert(X_REQUEST_ID, value);
    }
    if let Some(bucket) = bucket {
        app.limiter.write_headers(bucket, out);
    }
    response
}

/// A problem as an answer.
pub(super) fn refusal(problem: &Problem, request_id: &str) -> Answer {
    let body = serde_json::to_vec(&problem.body(request_id)).unwrap_or_default();
    let mut headers = HeaderMap::new();
    problem.write_headers(&mut headers);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    let headers = headers.into_iter().filter_map(|(name, value)| name.map(|name| (name, value))).collect();
    Answer { status: problem.code.status(), body: body.into(), headers, is_kept: false }
}

/// Whose key it is.
async fn authenticate(app: &App, headers: &HeaderMap) -> Result<KeyRow, Problem> {
    let given = headers.get(header::AUTHORIZATION).ok_or(Code::KeyMissing)?;
    let given = given.to_str().map_err(|_| Code::KeyMalformed)?;
    let (scheme, token) = given.split_once(' ').ok_or(Code::KeyMissing)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Code::KeyMissing.into());
    }
    let key = ApiKey::parse(token.trim()).map_err(|_| Code::KeyMalformed)?;
    let row = app.registry.key_by_hash(key.hash()).await?.ok_or(Code::KeyUnknown)?;
    let now = app.clock.real_now();
    if row.revoked_at.is_some() {
        return Err(Code::KeyRevoked.into());
    }
    if row.expires_at.is_some_and(|at| at <= now) {
        return Err(Code::KeyExpired.into());
    }
    app.note_use(row.id, now);
    Ok(row)
}

struct Incoming<'a> {
    request_id: Id<kinds::Request>,
    parts: &'a axum::http::request::Parts,
    headers: HeaderMap,
    body: Body,
}

fn route(app: &App, found: Found) -> Result<(Arc<Endpoint>, Vec<String>), Problem> {
    match found {
        Found::Endpoint(index, path) => {
            app.endpoints.get(index).cloned().map(|e| (e, path)).ok_or_else(Problem::not_found)
        }
        Found::OtherMethods(allow) => {
            Err(Problem { allow: Some(allow.into()), ..Problem::from(Code::MethodNotAllowed) })
        }
        Found::Nothing => Err(Problem::not_found()),
    }
}

async fn unkeyed(app: &Arc<App>, found: Found, headers: HeaderMap, body: Body) -> Result<Answer, Problem> {
    let (endpoint, path) = route(app, found)?;
    let Handler::Open(handler) = &endpoint.handler else {
        return Err(Problem::not_found());
    };
    let body = if endpoint.method == Method::GET {
        Bytes::new()
    } else {
        // Of which type it is, is for the one who verifies it to say.
        read(body, &headers, app.settings.body_bytes_max).await?
    };
    let call = OpenCall { app: Arc::clone(app), path, headers, body };
    if endpoint.method == Method::GET { handler(call).await } else { uninterrupted(handler(call)).await }
}

async fn keyed(
    app: &Arc<App>,
    found: Found,
    key: KeyRow,
    bucket: Bucket,
    incoming: Incoming<'_>,
) -> Result<Answer, Problem> {
    let (endpoint, path) = route(app, found)?;
    if let Some(seconds) = bucket.refused_for_s {
        return Err(Problem::from(Code::RateLimited).retry_after(seconds));
    }
    permitted(&endpoint, &key)?;
    let Incoming { request_id, parts, headers, body } = incoming;
    let scope = app.front.open(key.scope).await?;
    let mut call = Call {
        app: Arc::clone(app),
        scope,
        key: key.id,
        environment: key.environment,
        request_id,
        path,
        list: parts.uri.path().to_owned(),
        headers,
        claim: None,
    };
    let query = parts.uri.query().unwrap_or_default();
    let Some(takes) = &endpoint.takes else {
        let query = checks::query(&app.validators, &endpoint, query)?;
        return work(&endpoint, call, Value::Null, query).await;
    };
    let bytes = if takes.may_be_empty && body.is_end_stream() {
        Bytes::new()
    } else {
        content_type(&call.headers)?;
        read(body, &call.headers, app.settings.body_max(endpoint.size)).await?
    };
    let idempotency = match endpoint.idempotency {
        Idempotency::None => None,
        _ => Some(hash_of_key(key_of(&call.headers)?)),
    };
    let value = if bytes.is_empty() && takes.may_be_empty {
        Value::Object(serde_json::Map::new())
    } else {
        json::read(&bytes)?
    };
    let Some(hash) = idempotency else {
        return checked(app, &endpoint, call, &bytes, value, query).await;
    };
    let canonical = canonical_request(parts.method.as_str(), parts.uri.path(), query, Some(&value));
    let claim = Claim {
        key: IdempotencyKey(hash),
        request: call.scope.fingerprint(&[canonical.as_bytes()]),
        at: app.clock.real_now(),
        who: call.key,
        request_id,
    };
    call.claim = Some(claim.clone());
    let (app, query, scope) = (Arc::clone(app), query.to_owned(), Arc::clone(&call.scope));
    // A mutation goes on also when its caller hangs up: what was begun has an end that can be asked
    // for again under the same key.
    uninterrupted(async move { under_key(&app, &endpoint, call, &scope, claim, bytes, value, &query).await })
        .await
}

/// Runs a mutation to its end, whatever becomes of the connection. A panic is an `internal`.
async fn uninterrupted(
    work: impl Future<Output = Result<Answer, Problem>> + Send + 'static,
) -> Result<Answer, Problem> {
    match tokio::spawn(work.in_current_span()).await {
        Ok(outcome) => outcome,
        Err(error) => {
            tracing::error!(%error, "a request ended in a panic");
            Err(Code::Internal.into())
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "the parts of one request, taken apart once")]
async fn under_key(
    app: &Arc<App>,
    endpoint: &Endpoint,
    call: Call,
    scope: &Arc<Scope>,
    claim: Claim,
    bytes: Bytes,
    value: Value,
    query: &str,
) -> Result<Answer, Problem> {
    let turn = app.in_flight.enter((scope.id(), claim.key)).await;
    let looked_up = endpoint.idempotency == Idempotency::Needed || turn.waited;
    if looked_up && let Some(kept) = standing(app, scope, &claim).await? {
        return app.replay(scope, &claim, &kept).await;
    }
    let request_id = call.request_id.to_string();
    let outcome = checked(app, endpoint, call, &bytes, value, query).await;
    match outcome {
        Ok(answer) if answer.is_kept => return Ok(answer),
        Err(problem) if problem.code == Code::IdempotencyConflict => return Err(problem),
        _ => {}
    }
    // Nothing was committed: has the key a record that was not looked at yet?
    if !looked_up && let Some(kept) = standing(app, scope, &claim).await? {
        return app.replay(scope, &claim, &kept).await;
    }
    let answer = match outcome {
        Ok(answer) => answer,
        Err(problem) if problem.code.is_kept() => refusal(&problem, &request_id),
        Err(problem) => return Err(problem),
    };
    let other = app.keep_alone(scope, &claim, answer.status, &answer.body, endpoint.in_registry).await?;
    Ok(other.unwrap_or(answer))
}

/// The record that stands under a key, wherever it lies.
async fn standing(
    app: &App,
    scope: &Scope,
    claim: &Claim,
) -> Result<Option<crate::store::rows::Kept>, Problem> {
    if let Some(kept) = scope.idempotency(claim.key).await? {
        return Ok(Some(kept));
    }
    Ok(app.registry.idempotency(scope.id(), claim.key).await?)
}

/// The query's 400, the body's 422, and then the work.
async fn checked(
    app: &Arc<App>,
    endpoint: &Endpoint,
    call: Call,
    bytes: &[u8],
    value: Value,
    query: &str,
) -> Result<Answer, Problem> {
    let query = checks::query(&app.validators, endpoint, query)?;
    let faults = checks::body_faults(&app.validators, endpoint, bytes, &value, &call.surroundings());
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    work(endpoint, call, value, query).await
}

async fn work(endpoint: &Endpoint, call: Call, body: Value, query: Value) -> Result<Answer, Problem> {
    match &endpoint.handler {
        Handler::Keyed(handler) => handler(call, body, query).await,
        Handler::Open(_) => Err(Problem::not_found()),
    }
}

fn permitted(endpoint: &Endpoint, key: &KeyRow) -> Result<(), Problem> {
    if let Access::Permission(needed) = endpoint.access
        && key.permissions & needed.bit() == 0
    {
        return Err(Problem::new(
            Code::PermissionMissing,
            format!("The request needs a key with the permission `{}`.", needed.word()),
        ));
    }
    if endpoint.test_only && key.environment != Environment::Test {
        return Err(Code::TestKeyNeeded.into());
    }
    Ok(())
}

/// JSON in UTF-8, by the word of the header.
fn content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let unsupported = || Problem::from(Code::ContentTypeUnsupported);
    let given = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).ok_or_else(unsupported)?;
    let mut parts = given.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    let is_json = [JSON, "application/merge-patch+json"].iter().any(|known| kind.eq_ignore_ascii_case(known));
    let is_utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    });
    let is_plain = headers
        .get(header::CONTENT_ENCODING)
        .is_none_or(|v| v.to_str().is_ok_and(|v| v.eq_ignore_ascii_case("identity")));
    if is_json && is_utf8 && is_plain { Ok(()) } else { Err(unsupported()) }
}

/// The whole body, up to `bytes_max`.
async fn read(body: Body, headers: &HeaderMap, bytes_max: usize) -> Result<Bytes, Problem> {
    let too_large =
        || Problem::new(Code::BodyTooLarge, format!("The body is larger than {bytes_max} bytes."));
    let told = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if told.is_some_and(|told| told > DRAINED_BYTES_MAX as u64) {
        return Err(too_large());
    }
    let mut chunks = body.into_data_stream();
    let (mut whole, mut seen) = (Vec::new(), 0_usize);
    while let Some(chunk) = chunks.next().await {
        // Who hangs up in the middle of a body gets no answer anyway.
        let chunk = chunk.map_err(|_| Problem::new(Code::MalformedJson, "The body broke off."))?;
        seen = seen.saturating_add(chunk.len());
        if seen > DRAINED_BYTES_MAX {
            return Err(too_large());
        }
        if seen <= bytes_max {
            whole.extend_from_slice(&chunk);
        }
    }
    if seen > bytes_max { Err(too_large()) } else { Ok(whole.into()) }
}

impl super::Settings {
    /// How large a body may be.
    #[must_use]
    pub const fn body_max(&self, size: BodySize) -> usize {
        match size {
            BodySize::Single => self.body_bytes_max,
            BodySize::Batch => self.batch_bytes_max,
        }
    }
}
