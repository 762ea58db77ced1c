//! Webhook endpoints: where events go.

use axum::http::Method;
use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::events::EventPattern;
use super::lists::{ListOf, PlainQuery};
use super::patch::{Patch, merge};
use crate::api::call::{Answer, CONFLICTS_MAX, Call, Deed, Uncommitted};
use crate::api::conventions::problem::{Code, Problem};
use crate::api::conventions::validate::into_type;
use crate::api::endpoint::{Access, Endpoint, Nothing, Permission, Request};
use crate::api::kept::Keep;
use crate::model::shapes::Delivery;
use crate::model::shapes::text::{HttpUrl, Label};
use crate::model::{Id, Instant, kinds};
use crate::store::rows::DeliveryFilter;
use crate::store::{Change, EndpointChange, Put};
use crate::webhooks::{self, EndpointError, Secret, Wanted};

const TAG: &str = "webhook endpoints";
/// Random bytes of a secret.
const SECRET_BYTES: usize = 32;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let read = Access::Permission(Permission::Read);
    let manage = Permission::Manage;
    vec![
        Endpoint::post("/webhook_endpoints", manage, create)
            .about(TAG, "Make an endpoint, which gets what happens from now on")
            .gives::<NewWebhookEndpoint>(201, "The endpoint; `secret` is shown this once."),
        Endpoint::get("/webhook_endpoints", read, list)
            .about(TAG, "List endpoints, newest first")
            .gives::<ListOf<WebhookEndpoint>>(200, "A page of endpoints.")
            .refuses(&[Code::CursorInvalid]),
        Endpoint::get("/webhook_endpoints/{id}", read, show)
            .about(TAG, "Show an endpoint")
            .gives::<WebhookEndpoint>(200, "The endpoint."),
        Endpoint::change(Method::PATCH, "/webhook_endpoints/{id}", manage, patch)
            .about(TAG, "Change, disable or enable an endpoint, by JSON Merge Patch")
            .gives::<WebhookEndpoint>(200, "The endpoint."),
        Endpoint::delete("/webhook_endpoints/{id}", manage, delete)
            .about(TAG, "Delete an endpoint with its pending deliveries")
            .gives_no_json(204, "It is gone."),
        Endpoint::post("/webhook_endpoints/{id}/rotate_secret", manage, rotate)
            .may_be_empty()
            .about(TAG, "Give an endpoint a new secret; for 24 hours both sign")
            .gives::<NewWebhookEndpoint>(200, "The endpoint; `secret` is shown this once."),
        Endpoint::post("/webhook_endpoints/{id}/ping", manage, ping)
            .may_be_empty()
            .about(TAG, "Send a `webhook.ping` to an endpoint, once")
            .gives::<Delivery>(202, "The delivery, about to be tried."),
        Endpoint::get("/webhook_endpoints/{id}/deliveries", read, deliveries)
            .about(TAG, "List the deliveries to an endpoint with each try, newest first")
            .gives::<ListOf<Delivery>>(200, "A page of deliveries.")
            .refuses(&[Code::CursorInvalid]),
    ]
}

/// Whether an endpoint gets events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum EndpointState {
    /// It does.
    Enabled,
    /// It does not.
    Disabled,
}

/// An address that receives events.
#[derive(Serialize, JsonSchema)]
struct WebhookEndpoint {
    /// Its id.
    id: Id<kinds::Endpoint>,
    /// Where events go.
    url: String,
    /// Which ones: types, groups of them (`message.*`), or all (`*`).
    events: Vec<String>,
    /// Its owner's words.
    description: Option<String>,
    /// Whether it gets events.
    state: EndpointState,
    /// When it was made.
    created_at: Instant,
}

/// An endpoint with a secret that was just made.
#[derive(Serialize, JsonSchema)]
struct NewWebhookEndpoint {
    /// All but the secret.
    #[serde(flatten)]
    shown: WebhookEndpoint,
    /// Signs what is sent (Standard Webhooks). It is shown in this answer alone.
    secret: String,
}

/// Patterns of types: 1 to 50.
#[derive(Deserialize, JsonSchema)]
#[serde(transparent)]
struct Patterns(#[schemars(length(min = 1, max = 50))] Vec<EventPattern>);

/// An endpoint to be made.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CreateWebhookEndpoint {
    /// Where events go.
    url: HttpUrl,
    /// Which ones: types, groups of them (`message.*`), or all (`*`).
    events: Patterns,
    /// The owner's words.
    description: Option<Label>,
}

impl Request for CreateWebhookEndpoint {}

/// What is changed of an endpoint.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "stands for its schema alone: a patch is applied as JSON")]
struct PatchWebhookEndpoint {
    /// Where events go.
    url: Option<HttpUrl>,
    /// Which ones.
    events: Option<Patterns>,
    /// The owner's words.
    description: Option<Label>,
    /// Whether it gets events.
    state: Option<EndpointState>,
}

impl Request for Patch<PatchWebhookEndpoint> {}

fn shown(endpoint: &webhooks::Endpoint) -> WebhookEndpoint {
    WebhookEndpoint {
        id: endpoint.id,
        url: endpoint.wanted.url.clone(),
        events: endpoint.wanted.events.clone(),
        description: endpoint.wanted.description.clone(),
        state: if endpoint.is_enabled() { EndpointState::Enabled } else { EndpointState::Disabled },
        created_at: endpoint.created_at,
    }
}

impl From<EndpointError> for Problem {
    fn from(error: EndpointError) -> Problem {
        match error {
            EndpointError::Store(error) => error.into(),
            EndpointError::Form => {
                tracing::error!(%error, "an endpoint cannot be read");
                Code::Internal.into()
            }
        }
    }
}

/// The endpoint of an id.
pub(super) async fn endpoint_of(call: &Call, id: Id<kinds::Endpoint>) -> Result<webhooks::Endpoint, Problem> {
    let row = call.scope.endpoint(id).await?.ok_or_else(Problem::not_found)?;
    Ok(webhooks::Endpoint::read(&row)?)
}

async fn check_url(call: &Call, url: &str) -> Result<(), Problem> {
    match call.app.front.check_url(url).await? {
        Some(fault) => Err(Problem::fault("/url", fault)),
        None => Ok(()),
    }
}

fn wanted(body: CreateWebhookEndpoint) -> Wanted {
    Wanted {
        url: body.url.into_string(),
        events: body.events.0.into_iter().map(|pattern| pattern.0).collect(),
        description: body.description.map(Label::into_string),
    }
}

fn fresh_secret(call: &Call) -> Result<Secret, Problem> {
    let mut bytes = vec![0; SECRET_BYTES];
    call.app.random.fill(&mut bytes)?;
    Ok(Secret::of(bytes))
}

fn shown_once(status: u16, endpoint: &webhooks::Endpoint, secret: &Secret) -> Result<Answer, Problem> {
    let secret = secret.text().expose_secret().to_owned();
    Answer::json(status, &NewWebhookEndpoint { shown: shown(endpoint), secret })
}

fn put(endpoint: &webhooks::Endpoint) -> EndpointChange {
    let expected = (endpoint.version > 0).then_some(endpoint.version);
    EndpointChange::Put(Put { row: endpoint.row(), expected })
}

async fn create(call: Call, body: CreateWebhookEndpoint) -> Result<Answer, Problem> {
    check_url(&call, body.url.as_str()).await?;
    let secret = fresh_secret(&call)?;
    let endpoint = webhooks::Endpoint::make(&call.scope, call.mint(), wanted(body), &secret, call.now())?;
    let answer = shown_once(201, &endpoint, &secret)?;
    let change = call.app.webhooks.made(&endpoint);
    let object_id = endpoint.id.to_string();
    let deed = Deed { what: "webhook_endpoint.created", object_id: &object_id };
    let answer = match call.commit(change, deed, answer, Keep::Secret).await {
        Err(Uncommitted::Conflict) if call.app.webhooks.is_full(&call.scope).await? => {
            let max = call.app.webhooks.endpoints_max();
            let all = format!("there are {max} endpoints, and no more may be; delete one that is not needed");
            return Err(Problem::fault("", all));
        }
        committed => committed?,
    };
    call.app.webhooks.poke(call.scope.id());
    Ok(answer)
}

async fn list(call: Call, query: PlainQuery) -> Result<Answer, Problem> {
    let (page, bound) = query.parts();
    let page = call.page(&page, &bound)?;
    let listed = call.scope.endpoints(page).await?;
    call.listed(page, &bound, listed, |row| Ok(shown(&webhooks::Endpoint::read(&row)?)))
}

async fn show(call: Call, _: Nothing) -> Result<Answer, Problem> {
    Answer::json(200, &shown(&endpoint_of(&call, call.id(0)?).await?))
}

/// Changes an endpoint by `decide`, again where another change came first.
async fn changed(
    call: &Call,
    what: &'static str,
    keep: Keep,
    mut decide: impl FnMut(&mut webhooks::Endpoint) -> Result<(Change, Answer), Problem>,
) -> Result<Answer, Problem> {
    let id: Id<kinds::Endpoint> = call.id(0)?;
    let object_id = id.to_string();
    for _ in 0..CONFLICTS_MAX {
        let mut endpoint = endpoint_of(call, id).await?;
        let (change, answer) = decide(&mut endpoint)?;
        match call.commit(change, Deed { what, object_id: &object_id }, answer, keep).await {
            Err(Uncommitted::Conflict) => {}
            Err(Uncommitted::Problem(problem)) => return Err(problem),
            Ok(answer) => {
                call.app.webhooks.poke(call.scope.id());
                return Ok(answer);
            }
        }
    }
    Err(Uncommitted::Conflict.into())
}

async fn patch(call: Call, body: Patch<PatchWebhookEndpoint>) -> Result<Answer, Problem> {
    let before = endpoint_of(&call, call.id(0)?).await?;
    if let Some(url) = body.0.get("url").and_then(Value::as_str)
        && url != before.wanted.url
    {
        check_url(&call, url).await?;
    }
    let mut fields = body.0.clone();
    let state = fields.as_object_mut().and_then(|fields| fields.shift_remove("state"));
    let state: Option<EndpointState> = match state {
        Some(Value::Null) => return Err(Problem::fault("/state", "cannot be taken away")),
        Some(state) => Some(into_type(state).map_err(Problem::invalid)?),
        None => None,
    };
    changed(&call, "webhook_endpoint.updated", Keep::Plain, |endpoint| {
        let Wanted { url, events, description } = &endpoint.wanted;
        let mut whole = json!({"url": url, "events": events, "description": description});
        merge(&mut whole, &fields);
        let faults = call.app.validators.faults("CreateWebhookEndpoint", &whole);
        if !faults.is_empty() {
            return Err(Problem::invalid(faults));
        }
        endpoint.wanted = wanted(into_type(whole).map_err(Problem::invalid)?);
        let change = match (state, endpoint.is_enabled()) {
            (Some(EndpointState::Disabled), true) => {
                let change = call.app.webhooks.disabled(endpoint, call.now());
                let mut disabled = shown(endpoint);
                disabled.state = EndpointState::Disabled;
                return Ok((change, Answer::json(200, &disabled)?));
            }
            (Some(EndpointState::Enabled), false) => {
                let change = call.app.webhooks.enabled(&call.scope, endpoint);
                let mut enabled = shown(endpoint);
                enabled.state = EndpointState::Enabled;
                return Ok((change, Answer::json(200, &enabled)?));
            }
            _ => vec![put(endpoint)],
        };
        let answer = Answer::json(200, &shown(endpoint))?;
        Ok((Change { endpoints: change, ..Change::default() }, answer))
    })
    .await
}

async fn delete(call: Call, _: Nothing) -> Result<Answer, Problem> {
    changed(&call, "webhook_endpoint.deleted", Keep::Plain, |endpoint| {
        let gone = EndpointChange::Delete(endpoint.id, endpoint.version);
        Ok((Change { endpoints: vec![gone], ..Change::default() }, Answer::empty(204)))
    })
    .await
}

async fn rotate(call: Call, _: Nothing) -> Result<Answer, Problem> {
    let secret = fresh_secret(&call)?;
    changed(&call, "webhook_endpoint.secret_rotated", Keep::Secret, |endpoint| {
        endpoint.rotate(&call.scope, &secret, call.now())?;
        let change = Change { endpoints: vec![put(endpoint)], ..Change::default() };
        Ok((change, shown_once(200, endpoint, &secret)?))
    })
    .await
}

async fn ping(call: Call, _: Nothing) -> Result<Answer, Problem> {
    let endpoint = endpoint_of(&call, call.id(0)?).await?;
    let ping = call.app.webhooks.ping(&call.scope, &endpoint)?;
    let answer = Answer::json(202, &ping.delivery)?;
    let object_id = endpoint.id.to_string();
    let deed = Deed { what: "webhook_endpoint.pinged", object_id: &object_id };
    let answer = call.commit(Change::default(), deed, answer, Keep::Plain).await?;
    ping.send();
    Ok(answer)
}

async fn deliveries(call: Call, query: PlainQuery) -> Result<Answer, Problem> {
    let (page, bound) = query.parts();
    let page = call.page(&page, &bound)?;
    let endpoint = endpoint_of(&call, call.id(0)?).await?;
    let filter = DeliveryFilter { endpoint: Some(endpoint.id), ..DeliveryFilter::default() };
    let listed = call.scope.deliveries(filter, page).await?;
    call.listed(page, &bound, listed, |row| Ok(webhooks::delivery(&row)))
}
