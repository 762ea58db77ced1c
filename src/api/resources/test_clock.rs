//! Under a test key: the clock, and what people answer.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::api::call::{Answer, Call};
use crate::api::conventions::problem::{Fault, Problem};
use crate::api::endpoint::{Access, Endpoint, Nothing, Permission, Request, Surroundings};
use crate::model::Span;
use crate::model::shapes::{TestClock, TestReply};

const TAG: &str = "test keys only";
/// How far one request may move the clock.
const ADVANCE_MAX: Span = Span::from_s(366 * 86_400);

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/test_clock", Access::Permission(Permission::Read), show)
            .test_only()
            .about(TAG, "Show the clock")
            .gives::<TestClock>(200, "The clock."),
        Endpoint::post("/test_clock/advance", Permission::Send, advance)
            .test_only()
            .about(TAG, "Move the clock on, and wait until all that became due has been done")
            .gives::<TestClock>(200, "The clock."),
        Endpoint::post("/test/replies", Permission::Send, reply)
            .test_only()
            .about(TAG, "Answer a message as a person would")
            .gives::<Nothing>(202, "Taken."),
    ]
}

/// How far to move the clock.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AdvanceClock {
    /// At most 366 days.
    by: Span,
}

impl Request for AdvanceClock {
    fn across(value: &Value, _: &Surroundings, faults: &mut Vec<Fault>) {
        let by = value.get("by").and_then(Value::as_str).and_then(|text| text.parse::<Span>().ok());
        if by.is_some_and(|by| by > ADVANCE_MAX) {
            faults.push(Fault::at("/by", "is longer than `366d`"));
        }
    }
}

async fn show(call: Call, _: Nothing) -> Result<Answer, Problem> {
    Answer::json(200, &call.app.front.test_clock(Arc::clone(&call.scope)).await?)
}

async fn advance(call: Call, body: AdvanceClock) -> Result<Answer, Problem> {
    let taken = call.app.front.advance(Arc::clone(&call.scope), body.by, call.claim()?).await?;
    call.taken(taken, |clock| Answer::json(200, &clock)).await
}

impl Request for TestReply {}

async fn reply(call: Call, body: TestReply) -> Result<Answer, Problem> {
    let taken = call.app.front.reply(Arc::clone(&call.scope), body, call.claim()?).await?;
    call.taken(taken, |()| Ok(Answer::bytes(202, "{}"))).await
}
