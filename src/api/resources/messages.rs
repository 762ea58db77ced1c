//! Messages: sent, shown, taken back, confirmed.

use std::borrow::Cow;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::lists::{ListOf, list_query};
use crate::api::call::{Answer, Call};
use crate::api::conventions::json::{nul_faults_in, push_segment};
use crate::api::conventions::problem::{Code, Fault, Problem, ProblemBody};
use crate::api::conventions::validate::{Validators, into_type};
use crate::api::endpoint::{Access, Endpoint, Nothing, Permission, Request, Surroundings};
use crate::engine::front::{BatchItem, Refusal, SeqPage};
use crate::language::script::Scripts;
use crate::model::shapes::text::NameRef;
use crate::model::shapes::{Confirm, Message, SendMessage, Transition};
use crate::model::{Channel, Environment, Id, Instant, Span, Status, kinds};
use crate::store::rows::MessageFilter;

const TAG: &str = "messages";
/// Messages of a batch at most.
const BATCH_MESSAGES_MAX: usize = 1_000;
/// How far ahead `send_at` may lie.
const SEND_AT_AHEAD_MAX: Span = Span::from_s(366 * 86_400);

pub(super) fn endpoints() -> Vec<Endpoint> {
    let read = Access::Permission(Permission::Read);
    let send = Permission::Send;
    vec![
        Endpoint::post("/messages", send, send_one)
            .told_by_the_commit()
            .about(TAG, "Send a message")
            .gives::<Message>(202, "Taken in, durably: the message at that moment.")
            .refuses(&[Code::PolicyInvalid, Code::QuotaExceeded]),
        Endpoint::get("/messages", read, list)
            .about(TAG, "List messages, newest first")
            .gives::<ListOf<Message>>(200, "A page of messages.")
            .refuses(&[Code::CursorInvalid]),
        Endpoint::post("/messages/batch", send, send_batch)
            .told_by_the_commit()
            .batch()
            .about(TAG, "Send up to 1,000 messages")
            .gives::<BatchSent>(200, "What became of each, in order."),
        Endpoint::get("/messages/{id}", read, show)
            .about(TAG, "Show a message")
            .gives::<Message>(200, "The message."),
        Endpoint::post("/messages/{id}/cancel", send, cancel)
            .may_be_empty()
            .about(TAG, "Take a message back")
            .gives::<Message>(200, "The message, canceled.")
            .refuses(&[Code::MessageEnded]),
        Endpoint::post("/messages/{id}/confirm", send, confirm)
            .about(TAG, "Confirm a message: seen in the app, or acknowledged elsewhere")
            .gives::<Message>(200, "The message.")
            .refuses(&[Code::MessageEnded]),
        Endpoint::get("/messages/{id}/transitions", read, transitions)
            .about(TAG, "List the transitions of a message, in order")
            .gives::<ListOf<Transition>>(200, "A page of transitions, upwards by `seq`.")
            .refuses(&[Code::CursorInvalid]),
    ]
}

impl Request for SendMessage {
    fn across(value: &Value, surroundings: &Surroundings, faults: &mut Vec<Fault>) {
        let Some(fields) = value.as_object() else { return };
        let has = |name: &&str| fields.get(*name).is_some_and(|v| !v.is_null());
        one_of(&["contact_id", "to"], fields, faults);
        one_of(&["template", "content"], fields, faults);
        let given: Vec<&str> = ["policy", "strategy", "channels"].into_iter().filter(has).collect();
        for surplus in given.iter().skip(1) {
            let first = given.first().copied().unwrap_or_default();
            faults.push(Fault::at(format!("/{surplus}"), format!("cannot stand beside `{first}`")));
        }
        if given.is_empty() && has(&"content") && !has(&"template") {
            faults.push(Fault::at(
                "",
                "must have one of `policy`, `strategy`, `channels`: only a template has a policy of its own",
            ));
        }
        if has(&"fallback_after") && !has(&"channels") {
            faults.push(Fault::at("/fallback_after", "goes with `channels` only"));
        }
        for (name, what) in [("to", "address"), ("content", "channel")] {
            if let Some(inner) = fields.get(name).and_then(Value::as_object)
                && inner.values().all(Value::is_null)
            {
                faults.push(Fault::at(format!("/{name}"), format!("must have at least one {what}")));
            }
        }
        let scripts = fields.get("sandbox").and_then(Value::as_object);
        let scripts = scripts.into_iter().flatten().filter_map(|(key, v)| Some((key.as_str(), v.as_str()?)));
        for (key, diagnostic) in Scripts::from_map(scripts).err().into_iter().flatten() {
            let mut at = String::from("/sandbox");
            push_segment(&mut at, &key);
            faults.push(Fault::at(at, diagnostic.message));
        }
        if has(&"sandbox") && surroundings.environment == Environment::Live {
            faults.push(Fault::at("/sandbox", "is for test keys only"));
        }
        let send_at = fields.get("send_at").and_then(Value::as_str).and_then(|t| t.parse::<Instant>().ok());
        if send_at.is_some_and(|at| at > surroundings.now.plus(SEND_AT_AHEAD_MAX)) {
            faults.push(Fault::at("/send_at", "is more than a year ahead"));
        }
        let span = fields.get("expires_in").and_then(Value::as_str).and_then(|t| t.parse::<Span>().ok());
        if span == Some(Span::ZERO) {
            faults.push(Fault::at("/expires_in", "must be longer than nothing"));
        }
        let html = fields.get("content").and_then(Value::as_object);
        for (channel, content) in html.into_iter().flatten() {
            if channel != "email" && content.get("html").is_some_and(|v| !v.is_null()) {
                faults.push(Fault::at(format!("/content/{channel}/html"), "is for `email` only"));
            }
        }
    }
}

/// Exactly one of two: a fault at the second where both stand, at the whole where none does.
fn one_of(names: &[&str; 2], fields: &Map<String, Value>, faults: &mut Vec<Fault>) {
    let [first, second] = names;
    let has = |name: &str| fields.get(name).is_some_and(|v| !v.is_null());
    match (has(first), has(second)) {
        (true, true) => {
            faults.push(Fault::at(format!("/{second}"), format!("cannot stand beside `{first}`")));
        }
        (false, false) => faults.push(Fault::at("", format!("must have one of `{first}`, `{second}`"))),
        _ => {}
    }
}

async fn send_one(call: Call, body: SendMessage) -> Result<Answer, Problem> {
    let taken = call.app.front.send(Arc::clone(&call.scope), Box::new(body), call.claim()?).await?;
    call.taken(taken, |bytes| Ok(Answer::bytes(202, bytes))).await
}

/// A batch: its items are looked at one by one, so that each is told its own faults.
#[derive(Deserialize)]
#[serde(transparent)]
struct BatchSend(Value);

impl Request for BatchSend {}

impl JsonSchema for BatchSend {
    fn schema_name() -> Cow<'static, str> {
        "BatchSend".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        /// Messages to be sent.
        #[derive(JsonSchema)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "stands for its schema alone")]
        struct Shape {
            /// The messages, in the order in which they are answered.
            #[schemars(length(min = 1, max = 1000))]
            messages: Vec<SendMessage>,
        }
        Shape::json_schema(generator)
    }
}

/// What became of a batch.
#[derive(Serialize, JsonSchema)]
struct BatchSent {
    /// An entry a message, in order.
    data: Vec<BatchEntry>,
}

/// What became of one message of a batch.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "stands for its schema alone: the engine writes the answer")]
enum BatchEntry {
    /// Taken in.
    Taken {
        /// 202.
        status: u16,
        /// The message.
        message: Box<Message>,
    },
    /// Refused.
    Refused {
        /// As the message's own answer would have.
        status: u16,
        /// As the message's own answer would be.
        error: Box<ProblemBody>,
    },
}

/// The items of a batch, or what is wrong with the whole.
fn items_of(body: Value) -> Result<Vec<Value>, Vec<Fault>> {
    let Value::Object(mut fields) = body else { return Err(vec![Fault::at("", "must be an object")]) };
    let messages = fields.shift_remove("messages");
    let mut faults: Vec<Fault> = fields
        .keys()
        .map(|name| {
            let mut at = String::new();
            push_segment(&mut at, name);
            Fault::at(at, "is not a known field")
        })
        .collect();
    let items = match messages {
        Some(Value::Array(items)) if items.is_empty() => {
            faults.push(Fault::at("/messages", "must have at least 1 item"));
            items
        }
        Some(Value::Array(items)) if items.len() > BATCH_MESSAGES_MAX => {
            faults.push(Fault::at("/messages", format!("must have at most {BATCH_MESSAGES_MAX} items")));
            items
        }
        Some(Value::Array(items)) => items,
        Some(_) => {
            faults.push(Fault::at("/messages", "must be an array"));
            Vec::new()
        }
        None => {
            faults.push(Fault::at("/messages", "is required"));
            Vec::new()
        }
    };
    if faults.is_empty() { Ok(items) } else { Err(faults) }
}

/// One message of a batch, or all that is wrong with it.
fn item_of(
    validators: &Validators,
    surroundings: &Surroundings,
    item: Value,
) -> Result<SendMessage, Vec<Fault>> {
    let mut faults = validators.faults("SendMessage", &item);
    faults.extend(nul_faults_in(&item));
    SendMessage::across(&item, surroundings, &mut faults);
    if faults.is_empty() { into_type::<SendMessage>(item) } else { Err(faults) }
}

/// All faults of a batch, those of its items under their places.
pub(in crate::api) fn batch_faults(
    validators: &Validators,
    surroundings: &Surroundings,
    body: Value,
) -> Vec<Fault> {
    let items = match items_of(body) {
        Ok(items) => items,
        Err(faults) => return faults,
    };
    let each = items.into_iter().enumerate().map(|(n, item)| {
        let faults = item_of(validators, surroundings, item).err().unwrap_or_default();
        faults.into_iter().map(move |fault| Fault {
            pointer: fault.pointer.map(|pointer| format!("/messages/{n}{pointer}")),
            ..fault
        })
    });
    each.flatten().collect()
}

async fn send_batch(call: Call, body: BatchSend) -> Result<Answer, Problem> {
    let items = items_of(body.0).map_err(Problem::invalid)?;
    let request_id = call.request_id.to_string();
    let refused = |problem: &Problem| {
        let body = serde_json::to_value(problem.body(&request_id)).unwrap_or_default();
        (problem.code.status(), body)
    };
    let surroundings = call.surroundings();
    let items = items
        .into_iter()
        .map(|item| match item_of(&call.app.validators, &surroundings, item) {
            Ok(message) => BatchItem::Send(Box::new(message)),
            Err(faults) => {
                let (status, problem) = refused(&Problem::invalid(faults));
                BatchItem::Refused(status, problem)
            }
        })
        .collect();
    let refuse = |refusal: Refusal| refused(&Problem::from(refusal));
    let taken = call.app.front.send_batch(Arc::clone(&call.scope), items, call.claim()?, &refuse).await?;
    call.taken(taken, |bytes| Ok(Answer::bytes(200, bytes))).await
}

list_query! {
    /// The query of the list of messages.
    MessageQuery {
        /// In this status.
        status: Status,
        /// Whether it has ended.
        ended: bool,
        /// With a stage on this channel.
        channel: Channel,
        /// To this contact.
        contact_id: Id<kinds::Contact>,
        /// By this template: a name, or `name@version`.
        template: NameRef,
        /// By this policy: a name, or `name@version`.
        policy: NameRef,
        /// Made after this time.
        created_after: Instant,
        /// Made before this time.
        created_before: Instant,
    }
}

async fn list(call: Call, query: MessageQuery) -> Result<Answer, Problem> {
    let (page, bound) = query.parts();
    let page = call.page(&page, &bound)?;
    let named = |name: &Option<NameRef>| {
        name.as_ref().map(|name| {
            let (name, version) = name.parts();
            (name.to_owned(), version)
        })
    };
    let filter = MessageFilter {
        status: query.status,
        ended: query.ended,
        channel: query.channel,
        contact: query.contact_id,
        template: named(&query.template),
        policy: named(&query.policy),
        created_after: query.created_after,
        created_before: query.created_before,
    };
    let listed = call.app.front.messages(Arc::clone(&call.scope), filter, page).await?;
    call.listed(page, &bound, listed, Ok)
}

async fn show(call: Call, _: Nothing) -> Result<Answer, Problem> {
    let message = call.app.front.message(Arc::clone(&call.scope), call.id(0)?).await?;
    Answer::json(200, &message)
}

async fn cancel(call: Call, _: Nothing) -> Result<Answer, Problem> {
    let taken = call.app.front.cancel(Arc::clone(&call.scope), call.id(0)?, call.claim()?).await?;
    call.taken(taken, |bytes| Ok(Answer::bytes(200, bytes))).await
}

impl Request for Confirm {}

async fn confirm(call: Call, body: Confirm) -> Result<Answer, Problem> {
    let taken = call.app.front.confirm(Arc::clone(&call.scope), call.id(0)?, body, call.claim()?).await?;
    call.taken(taken, |bytes| Ok(Answer::bytes(200, bytes))).await
}

list_query! {
    /// The query of a list of transitions.
    TransitionQuery {}
}

/// Runs upwards: `after` goes on to later transitions, `before` to earlier ones.
async fn transitions(call: Call, query: TransitionQuery) -> Result<Answer, Problem> {
    use crate::store::{Listed, PageStart, Positioned};
    let (asked, bound) = query.parts();
    let page = call.page(&asked, &bound)?;
    let number = |n: i64| u64::try_from(n).unwrap_or_default();
    let (after, before) = match page.start {
        PageStart::Newest => (None, None),
        PageStart::After(n) => (Some(number(n)), None),
        PageStart::Before(n) => (None, Some(number(n))),
    };
    let wanted = SeqPage { after, before, limit: page.limit };
    let (rows, has_more) = call.app.front.transitions(Arc::clone(&call.scope), call.id(0)?, wanted).await?;
    let rows = rows
        .into_iter()
        .map(|row| Positioned { n: i64::try_from(row.seq).unwrap_or(i64::MAX), row })
        .collect();
    call.listed(page, &bound, Listed { rows, has_more }, Ok)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(value: &Value, environment: Environment) -> Vec<String> {
        let mut faults = Vec::new();
        let now = "2026-01-05T12:00:00Z".parse().unwrap();
        SendMessage::across(value, &Surroundings { environment, now }, &mut faults);
        faults.into_iter().map(|f| f.pointer.unwrap_or_default()).collect()
    }

    #[test]
    fn what_lies_across_the_fields_of_a_send_is_told_at_the_surplus_field() {
        let live = Environment::Live;
        assert_eq!(told(&json!({"contact_id": "x", "template": "t"}), live), Vec::<String>::new());
        assert_eq!(told(&json!({}), live), ["", ""]);
        assert_eq!(told(&json!({"contact_id": "x", "content": {"sms": {}}}), live), [""]);
        assert_eq!(
            told(
                &json!({"contact_id": "x", "to": {"sms": "+1"}, "template": "t", "content": {"sms": {"body": "b"}},
                    "policy": "p", "strategy": "sms", "channels": ["sms"], "sandbox": {}}),
                live
            ),
            ["/to", "/content", "/strategy", "/channels", "/sandbox"]
        );
        assert_eq!(
            told(
                &json!({"contact_id": null, "to": {}, "content": {"sms": {"body": "b", "html": "h"}},
                    "channels": ["sms"], "send_at": "2027-01-07T12:00:00Z", "expires_in": "0s", "sandbox": {}}),
                Environment::Test
            ),
            ["/to", "/send_at", "/expires_in", "/content/sms/html"]
        );
        let sandbox =
            json!({"contact_id": "x", "template": "t", "sandbox": {"sms": "acepted", "push": "accepted"}});
        assert_eq!(told(&sandbox, Environment::Test), ["/sandbox/sms"]);
        assert_eq!(
            told(&json!({"contact_id": "x", "template": "t", "fallback_after": "30s"}), live),
            ["/fallback_after"]
        );
    }

    #[test]
    fn a_batch_has_messages_and_nothing_else() {
        let told = |body: Value| -> Vec<String> {
            let faults = items_of(body).unwrap_err();
            faults.into_iter().map(|f| f.pointer.unwrap_or_default()).collect()
        };
        assert_eq!(told(json!([])), [""]);
        assert_eq!(told(json!({"a/b": 1})), ["/a~1b", "/messages"]);
        assert_eq!(told(json!({"messages": []})), ["/messages"]);
        assert_eq!(told(json!({"messages": vec![1; 1001]})), ["/messages"]);
        assert_eq!(items_of(json!({"messages": [1, {}]})), Ok(vec![json!(1), json!({})]));
    }
}
