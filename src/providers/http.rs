//! The `http` kind: the tenant's own gateway, called and calling back by the contract of the
//! providers page.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};
use url::Url;

use super::outbound::{self, CallError, Outbound};
use super::schema::Reader;
use super::signature::{self, Secret};
use super::{Adapter, Answer, Call, Callback, CallbackError, DoubtAbility, Kind, Opened, Report, table};
use crate::model::{Channel, Confirmation, Fault, Id, Instant, Outcome, Span, kinds};

/// The most characters kept of a gateway's `detail`.
const DETAIL_CHARS_MAX: usize = 1_000;
/// The most characters of a gateway's id; a longer one is taken as none.
const ID_CHARS_MAX: usize = 255;
/// The most receipts and replies in one callback.
const CALLBACKS_MAX: usize = 1_000;

/// The kind.
#[derive(Debug, Clone, Copy)]
pub struct Http;

impl Kind for Http {
    fn name(&self) -> &'static str {
        "http"
    }

    fn doc(&self) -> &'static str {
        "Your own gateway. Each attempt is a POST of JSON to `settings.url`, with `Idempotency-Key: att_…`. \
         With `credentials.secret` (`whsec_…`) calls are signed, and receipts and replies are verified, as \
         Standard Webhooks says; `credentials.token` is sent as a bearer token; both may be given. A 2xx \
         answer `{\"id\": …}` accepts; `{\"outcome\": …}` in any answer says exactly what happened. The \
         validity is passed on with each call, as `valid_until`."
    }

    fn channels(&self) -> &'static [Channel] {
        Channel::ALL
    }

    fn settings_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<HttpSettings>()
    }

    fn credentials_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<HttpCredentials>()
    }

    fn check(&self, settings: &Value, credentials: &Value) -> Vec<Fault> {
        read(settings, credentials).err().unwrap_or_default()
    }

    fn urls(&self, settings: &Value) -> Vec<(String, String)> {
        let url = settings.get("url").and_then(Value::as_str);
        url.map(|url| ("/settings/url".to_owned(), url.to_owned())).into_iter().collect()
    }

    fn open(&self, settings: &Value, credentials: &Value) -> Result<Opened, Vec<Fault>> {
        let (settings, credentials) = read(settings, credentials)?;
        Ok(Opened::Remote(Arc::new(Gateway {
            url: settings.url.0,
            secret: credentials.secret.map(|secret| secret.0),
            token: credentials.token.map(|token| token.0),
        })))
    }
}

static SETTINGS: LazyLock<Reader<HttpSettings>> = LazyLock::new(Reader::new);
static CREDENTIALS: LazyLock<Reader<HttpCredentials>> = LazyLock::new(Reader::new);
static TOLD: LazyLock<Reader<Told>> = LazyLock::new(Reader::new);

fn read(settings: &Value, credentials: &Value) -> Result<(HttpSettings, HttpCredentials), Vec<Fault>> {
    // A provider without credentials calls a gateway that needs none.
    let none = Value::Object(Map::new());
    let credentials = if credentials.is_null() { &none } else { credentials };
    match (SETTINGS.read(settings, "/settings"), CREDENTIALS.read(credentials, "/credentials")) {
        (Ok(settings), Ok(credentials)) => Ok((settings, credentials)),
        (settings, credentials) => {
            Err([settings.err(), credentials.err()].into_iter().flatten().flatten().collect())
        }
    }
}

/// `settings` of the kind `http`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HttpSettings {
    /// Where attempts are posted to.
    url: CallUrl,
}

/// `credentials` of the kind `http`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HttpCredentials {
    /// Signs calls, and verifies receipts and replies.
    #[serde(default)]
    secret: Option<SigningSecret>,
    /// Sent as `Authorization: Bearer …`.
    #[serde(default)]
    token: Option<Token>,
}

/// An `http` or `https` URL.
#[derive(Debug)]
struct CallUrl(Url);

impl<'de> Deserialize<'de> for CallUrl {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        outbound::parse(&String::deserialize(d)?).map(CallUrl).map_err(de::Error::custom)
    }
}

impl JsonSchema for CallUrl {
    fn schema_name() -> Cow<'static, str> {
        "CallUrl".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "maxLength": 2048, "description": "An absolute `http` or `https` URL."})
    }
}

/// `whsec_…`.
#[derive(Debug)]
struct SigningSecret(Secret);

impl<'de> Deserialize<'de> for SigningSecret {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Secret::parse(&String::deserialize(d)?).map(SigningSecret).map_err(de::Error::custom)
    }
}

impl JsonSchema for SigningSecret {
    fn schema_name() -> Cow<'static, str> {
        "SigningSecret".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "writeOnly": true,
            "description": "`whsec_` and the base64 of 16 to 128 random bytes."})
    }
}

/// A bearer token.
#[derive(Debug)]
struct Token(SecretString);

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d).map(|text| Token(text.into()))
    }
}

impl JsonSchema for Token {
    fn schema_name() -> Cow<'static, str> {
        "BearerToken".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "writeOnly": true, "pattern": "^[\\x21-\\x7e]{1,4096}$",
            "description": "Visible ASCII characters, sent as they stand."})
    }
}

/// One gateway.
#[derive(Debug)]
struct Gateway {
    url: Url,
    secret: Option<Secret>,
    token: Option<SecretString>,
}

/// What is posted: the fields of the contract, all of them always.
#[derive(Serialize)]
struct Request<'a> {
    attempt_id: Id<kinds::Attempt>,
    message_id: Id<kinds::Message>,
    channel: Channel,
    to: &'a str,
    subject: Option<&'a str>,
    body: &'a str,
    /// Only an e-mail that has one carries it.
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<&'a str>,
    category: &'a str,
    metadata: &'a Map<String, Value>,
    valid_until: Option<Instant>,
    callback_url: &'a str,
}

impl Adapter for Gateway {
    fn call<'a>(&'a self, outbound: &'a Outbound, call: &'a Call) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            let body = match serde_json::to_vec(&Request {
                attempt_id: call.attempt_id,
                message_id: call.message_id,
                channel: call.channel,
                to: &call.to,
                subject: call.subject.as_deref(),
                body: &call.body,
                html: call.html.as_deref(),
                category: &call.category,
                metadata: &call.metadata,
                valid_until: call.valid_until,
                callback_url: &call.callback_url,
            }) {
                Ok(body) => body,
                Err(error) => return Answer::of(Outcome::ContentFault).because(error.to_string()),
            };
            match outbound.post(&self.url, self.headers(call, &body), body).await {
                Ok(reply) => answer(&reply, call.now),
                Err(error) => Answer::of(match &error {
                    CallError::Refused(_) => Outcome::AccountFault,
                    CallError::NotConnected(_) => Outcome::Transient,
                    CallError::NoAnswer(_) => Outcome::InDoubt,
                })
                .because(error.to_string()),
            }
        })
    }

    fn in_doubt(&self) -> DoubtAbility {
        DoubtAbility::Key
    }

    fn callbacks(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Instant,
    ) -> Result<Vec<Callback>, CallbackError> {
        let secret = self.secret.as_ref().ok_or(CallbackError::Unverified)?;
        if !signature::verifies(headers, secret, now, body) {
            return Err(CallbackError::Unverified);
        }
        callbacks(body).map_err(CallbackError::NotUnderstood)
    }
}

impl Gateway {
    fn headers(&self, call: &Call, body: &[u8]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let id = call.attempt_id.to_string();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Ok(key) = HeaderValue::from_str(&id) {
            headers.insert(HeaderName::from_static("idempotency-key"), key);
        }
        if let Some(token) = &self.token
            && let Ok(mut bearer) = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
        {
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        if let Some(secret) = &self.secret {
            signature::sign(&mut headers, std::slice::from_ref(secret), &id, call.now, body);
        }
        headers
    }
}

/// What the contract lets a gateway answer. What is not as it says is taken as not said: the status
/// alone decides then.
struct Said {
    id: Option<String>,
    outcome: Option<Outcome>,
    retry_after: Option<Span>,
    detail: Option<String>,
}

impl Said {
    fn of(body: &[u8]) -> Said {
        let value: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let id = match value.get("id") {
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => text("id").map(str::to_owned),
        };
        let said = text("outcome").and_then(|word| word.parse::<Outcome>().ok());
        let wait_s = value.get("retry_after_s").and_then(Value::as_f64);
        Said {
            id: id.filter(|id| !id.is_empty() && id.chars().count() <= ID_CHARS_MAX && !id.contains('\0')),
            // A gateway refuses or accepts; only the lack of an answer is in doubt.
            outcome: said.filter(|outcome| *outcome != Outcome::InDoubt),
            retry_after: wait_s.and_then(span_of),
            detail: text("detail").map(bounded),
        }
    }
}

/// So many seconds, at most [`Span::MAX`]; nothing for what is no length of time.
fn span_of(seconds: f64) -> Option<Span> {
    let ms = Duration::try_from_secs_f64(seconds).ok()?.as_millis();
    Some(Span::from_ms(i64::try_from(ms).unwrap_or(i64::MAX).min(Span::MAX.ms())))
}

fn bounded(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').take(DETAIL_CHARS_MAX).collect()
}

fn answer(reply: &outbound::Reply, now: Instant) -> Answer {
    let said = Said::of(&reply.body);
    let (by_status, meaning) = table::by_status(reply.status);
    let outcome = said.outcome.unwrap_or(by_status);
    let accepted = outcome == Outcome::Accepted;
    let waits = matches!(outcome, Outcome::RateLimited | Outcome::Transient);
    let asked = said.retry_after.or_else(|| table::retry_after(&reply.headers, now));
    Answer {
        outcome,
        provider_message_id: said.id.filter(|_| accepted),
        retry_after: asked.filter(|_| waits),
        detail: said.detail.or_else(|| (!accepted).then(|| meaning.to_string())),
        address_gone: outcome == Outcome::RecipientFault && reply.status == 410,
    }
}

/// A receipt or a reply, as the gateway sends it.
#[derive(Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Told {
    /// How far a send has come.
    Receipt {
        #[serde(default)]
        id: Option<GatewayId>,
        #[serde(default)]
        attempt_id: Option<Id<kinds::Attempt>>,
        status: Progress,
        #[serde(default)]
        detail: Option<String>,
        #[serde(default)]
        at: Option<Instant>,
    },
    /// What a person wrote back.
    Reply {
        #[serde(default)]
        id: Option<GatewayId>,
        #[serde(default)]
        attempt_id: Option<Id<kinds::Attempt>>,
        from: Address,
        text: String,
    },
}

/// The gateway's id.
#[derive(Deserialize, JsonSchema)]
#[serde(transparent)]
struct GatewayId(#[schemars(length(min = 1, max = 255))] String);

/// A person's address.
#[derive(Deserialize, JsonSchema)]
#[serde(transparent)]
struct Address(#[schemars(length(min = 1, max = 4096))] String);

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Progress {
    Delivered,
    Read,
    Failed,
}

/// The schema of one receipt or reply, for the document of the API.
#[must_use]
pub fn callback_schema(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<Told>()
}

/// One object, or a list: then pointers start with the item's place.
fn callbacks(body: &[u8]) -> Result<Vec<Callback>, Vec<Fault>> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| vec![Fault::new("", format!("is not JSON: {error}"))])?;
    let Value::Array(items) = value else { return told(&value, "").map(|each| vec![each]) };
    if items.len() > CALLBACKS_MAX {
        return Err(vec![Fault::new("", format!("holds more than {CALLBACKS_MAX} items"))]);
    }
    let (mut read, mut faults) = (Vec::with_capacity(items.len()), Vec::new());
    for (n, item) in items.iter().enumerate() {
        match told(item, &format!("/{n}")) {
            Ok(each) => read.push(each),
            Err(found) => faults.extend(found),
        }
    }
    if faults.is_empty() { Ok(read) } else { Err(faults) }
}

fn told(value: &Value, under: &str) -> Result<Callback, Vec<Fault>> {
    match TOLD.read(value, under)? {
        Told::Receipt { id: None, attempt_id: None, .. } => Err(vec![Fault::new(
            format!("{under}/id"),
            "is required, where `attempt_id` does not stand instead",
        )]),
        Told::Receipt { id, attempt_id, status, detail, at } => Ok(Callback::Receipt {
            provider_message_id: id.map(|id| id.0),
            attempt_id,
            report: match status {
                Progress::Delivered => Report::Confirmed(Confirmation::Delivered),
                Progress::Read => Report::Confirmed(Confirmation::Read),
                Progress::Failed => Report::Failed { fault: None, address_gone: false },
            },
            detail: detail.as_deref().map(bounded),
            at,
        }),
        Told::Reply { id, attempt_id, from, text } => {
            Ok(Callback::Reply { provider_message_id: id.map(|id| id.0), attempt_id, from: from.0, text })
        }
    }
}
