//! Dead letters: deliveries that were given up, and their replay.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::lists::{ListOf, list_query};
use super::webhook_endpoints::endpoint_of;
use crate::api::call::{Answer, CONFLICTS_MAX, Call, Deed, Uncommitted};
use crate::api::conventions::problem::{Code, Fault, Problem};
use crate::api::endpoint::{Access, Endpoint, Nothing, Permission, Request, Surroundings};
use crate::api::kept::Keep;
use crate::model::shapes::Delivery;
use crate::model::{Id, Instant, kinds};
use crate::store::Change;
use crate::store::rows::{DeliveryFilter, DeliveryState};
use crate::webhooks;

const TAG: &str = "dead letters";

pub(super) fn endpoints() -> Vec<Endpoint> {
    let manage = Permission::Manage;
    vec![
        Endpoint::get("/dead_letters", Access::Permission(Permission::Read), list)
            .about(TAG, "List deliveries that were given up, newest first")
            .gives::<ListOf<Delivery>>(200, "A page of deliveries.")
            .refuses(&[Code::CursorInvalid]),
        Endpoint::post("/dead_letters/{delivery_id}/replay", manage, replay)
            .may_be_empty()
            .about(TAG, "Try a dead delivery again: once now, then by the schedule from its start")
            .gives::<Delivery>(202, "The delivery, pending.")
            .refuses(&[Code::EndpointDisabled]),
        Endpoint::post("/dead_letters/replay", manage, replay_range)
            .about(TAG, "Try the dead deliveries of a time again")
            .gives::<Replayed>(202, "How many there are.")
            .refuses(&[Code::EndpointDisabled]),
    ]
}

list_query! {
    /// The query of the list of dead letters.
    DeadLetterQuery {
        /// To this endpoint.
        endpoint_id: Id<kinds::Endpoint>,
    }
}

async fn list(call: Call, query: DeadLetterQuery) -> Result<Answer, Problem> {
    let (page, bound) = query.parts();
    let page = call.page(&page, &bound)?;
    let filter = DeliveryFilter {
        endpoint: query.endpoint_id,
        state: Some(DeliveryState::Dead),
        ..DeliveryFilter::default()
    };
    let listed = call.scope.deliveries(filter, page).await?;
    call.listed(page, &bound, listed, |row| Ok(webhooks::delivery(&row)))
}

async fn replay(call: Call, _: Nothing) -> Result<Answer, Problem> {
    let id: Id<kinds::Delivery> = call.id(0)?;
    let object_id = id.to_string();
    for _ in 0..CONFLICTS_MAX {
        let row = call.scope.delivery(id).await?.ok_or_else(Problem::not_found)?;
        let put = webhooks::letters::replayed(&row, call.now()).ok_or_else(Problem::not_found)?;
        if !endpoint_of(&call, row.endpoint).await?.is_enabled() {
            return Err(Code::EndpointDisabled.into());
        }
        let answer = Answer::json(202, &webhooks::delivery(&put.row))?;
        let change = Change { deliveries: vec![put], ..Change::default() };
        let deed = Deed { what: "dead_letter.replayed", object_id: &object_id };
        match call.commit(change, deed, answer, Keep::Plain).await {
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

/// Which dead letters to try again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReplayRange {
    /// To this endpoint.
    endpoint_id: Id<kinds::Endpoint>,
    /// Whose event is of this time or later.
    from: Instant,
    /// Whose event is of a time before this.
    to: Instant,
}

impl Request for ReplayRange {
    fn across(value: &Value, _: &Surroundings, faults: &mut Vec<Fault>) {
        let at = |name: &str| value.get(name)?.as_str()?.parse::<Instant>().ok();
        if let (Some(from), Some(to)) = (at("from"), at("to"))
            && from >= to
        {
            faults.push(Fault::at("/to", "is not after `from`"));
        }
    }
}

/// How many deliveries are tried again.
#[derive(Serialize, JsonSchema)]
struct Replayed {
    /// So many.
    replayed: usize,
}

async fn replay_range(call: Call, body: ReplayRange) -> Result<Answer, Problem> {
    let id = body.endpoint_id;
    let object_id = id.to_string();
    for _ in 0..CONFLICTS_MAX {
        let endpoint = endpoint_of(&call, id).await.map_err(|problem| {
            if problem.code == Code::NotFound {
                Problem::fault("/endpoint_id", "names a webhook endpoint that is not there")
            } else {
                problem
            }
        })?;
        if !endpoint.is_enabled() {
            return Err(Code::EndpointDisabled.into());
        }
        let puts = webhooks::letters::replayed_in(&call.scope, id, body.from, body.to, call.now()).await?;
        let answer = Answer::json(202, &Replayed { replayed: puts.len() })?;
        let change = Change { deliveries: puts, ..Change::default() };
        let deed = Deed { what: "dead_letter.range_replayed", object_id: &object_id };
        match call.commit(change, deed, answer, Keep::Plain).await {
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
