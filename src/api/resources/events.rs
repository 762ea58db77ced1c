//! Events: what happened, in the scope.

use std::borrow::Cow;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::lists::{ListOf, list_query};
use crate::api::call::{Answer, Call};
use crate::api::conventions::problem::{Code, Problem};
use crate::api::endpoint::{Access, Endpoint, Nothing, Permission};
use crate::model::shapes::{Event, EventType};
use crate::model::{Id, kinds};
use crate::store::rows::EventFilter;

const TAG: &str = "events";

pub(super) fn endpoints() -> Vec<Endpoint> {
    let read = Access::Permission(Permission::Read);
    vec![
        Endpoint::get("/events", read, list)
            .about(TAG, "List events, newest first")
            .gives::<ListOf<Event>>(200, "A page of events.")
            .refuses(&[Code::CursorInvalid]),
        Endpoint::get("/events/{id}", read, show)
            .about(TAG, "Show an event, as it is sent to webhooks")
            .gives::<Event>(200, "The event."),
    ]
}

/// A type of events, a group of them (`message.*`), or all (`*`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct EventPattern(pub(super) String);

impl JsonSchema for EventPattern {
    fn schema_name() -> Cow<'static, str> {
        "EventPattern".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let types = || EventType::ALL.iter().filter(|t| **t != EventType::WebhookPing).map(|t| t.word());
        let mut words: Vec<String> = vec!["*".into()];
        for word in types() {
            let group = format!("{}.*", word.split('.').next().unwrap_or_default());
            if !words.contains(&group) {
                words.push(group);
            }
        }
        words.extend(types().map(str::to_owned));
        json_schema!({"type": "string", "enum": words})
    }
}

list_query! {
    /// The query of the list of events.
    EventQuery {
        /// Of this type, or of a group of types: `message.*`.
        r#type: EventPattern,
        /// Of this message.
        message_id: Id<kinds::Message>,
    }
}

async fn list(call: Call, query: EventQuery) -> Result<Answer, Problem> {
    let (page, bound) = query.parts();
    let page = call.page(&page, &bound)?;
    let kind = query.r#type.map(|pattern| pattern.0).filter(|pattern| pattern != "*");
    let filter = EventFilter { kind, message: query.message_id };
    let listed = call.app.front.events(Arc::clone(&call.scope), filter, page).await?;
    call.listed(page, &bound, listed, Ok)
}

async fn show(call: Call, _: Nothing) -> Result<Answer, Problem> {
    let event = call.app.front.event(Arc::clone(&call.scope), call.id(0)?).await?;
    Answer::json(200, &event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::shapes::known_event_type;

    #[test]
    fn the_patterns_of_the_document_are_those_that_are_known() {
        let schema = EventPattern::json_schema(&mut SchemaGenerator::default());
        let words = schema.get("enum").and_then(|v| v.as_array()).unwrap();
        assert!(words.len() > 20);
        assert!(words.iter().all(|word| known_event_type(word.as_str().unwrap())));
    }
}
