//! Providers: who carries a tenant's messages.

mod shape;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::Method;
use serde_json::{Map, Value, json};

use shape::{CreateProvider, PatchProvider, Provider, fields_of, only_carried, shown, state};

use super::lists::{ListOf, PlainQuery};
use super::patch::{Patch, merge};
use crate::api::call::{Answer, CONFLICTS_MAX, Call, Deed, OpenCall, Uncommitted};
use crate::api::conventions::json::push_segment;
use crate::api::conventions::problem::{Code, Fault, Problem};
use crate::api::conventions::validate::into_type;
use crate::api::endpoint::{Access, Endpoint, Nothing, Permission};
use crate::api::kept::Keep;
use crate::engine::front::{Changed, ProviderKind, Refusal};
use crate::engine::records::ProviderRecord;
use crate::model::shapes::{Breaker, BreakerState};
use crate::model::{Channel, Confirmation, Currency, Id, Span, kinds};
use crate::store::{Change, ProviderChange, Put, RegistryChange};

const TAG: &str = "providers";

pub(super) fn endpoints() -> Vec<Endpoint> {
    let read = Access::Permission(Permission::Read);
    let manage = Permission::Manage;
    vec![
        Endpoint::post("/providers", manage, create)
            .about(TAG, "Make a provider")
            .gives::<Provider>(201, "The provider, without its credentials.")
            .refuses(&[Code::NameTaken]),
        Endpoint::get("/providers", read, list)
            .about(TAG, "List providers, newest first")
            .gives::<ListOf<Provider>>(200, "A page of providers.")
            .refuses(&[Code::CursorInvalid]),
        Endpoint::get("/providers/{name}", read, show)
            .about(TAG, "Show a provider")
            .gives::<Provider>(200, "The provider, without its credentials."),
        Endpoint::change(Method::PATCH, "/providers/{name}", manage, patch)
            .about(TAG, "Change a provider, by JSON Merge Patch")
            .gives::<Provider>(200, "The provider, without its credentials."),
        Endpoint::delete("/providers/{name}", manage, delete)
            .about(TAG, "Delete a provider")
            .gives_no_json(204, "It is gone."),
        Endpoint::get("/providers/{name}/breaker", read, breaker)
            .about(TAG, "Show the breaker of a provider")
            .gives::<Breaker>(200, "The breaker."),
        Endpoint::post("/providers/{name}/breaker/reset", manage, reset)
            .may_be_empty()
            .about(TAG, "Close the breaker of a provider")
            .gives::<Breaker>(200, "The breaker, closed."),
        Endpoint::open(Method::POST, "/callbacks/{provider_id}", callback)
            .about(TAG, "Take a provider's receipts and replies, its signature verified")
            .gives_no_json(200, "Taken, durably.")
            .refuses(&[Code::SignatureInvalid, Code::Invalid, Code::BodyTooLarge]),
    ]
}

async fn record_of(call: &Call) -> Result<ProviderRecord, Problem> {
    let row = call.scope.provider(call.text(0)).await?.ok_or_else(Problem::not_found)?;
    Ok(ProviderRecord::read(&row)?)
}

/// What a kind says of settings and credentials, or its faults beside those found already.
async fn check(
    call: &Call,
    kind: &str,
    settings: &Value,
    credentials: &Value,
    faults: &mut Vec<Fault>,
) -> Result<Option<ProviderKind>, Problem> {
    match call.app.front.check_provider(kind, settings, credentials).await {
        Ok(known) => Ok(Some(known)),
        Err(Refusal::Invalid(found)) => {
            faults.extend(found.into_iter().map(Fault::from));
            Ok(None)
        }
        Err(refusal) => Err(refusal.into()),
    }
}

fn at(field: &str, channel: Channel) -> String {
    let mut at = format!("/{field}");
    push_segment(&mut at, channel.word());
    at
}

/// Applies what a body says to a record, by what its kind can do.
fn apply(
    record: &mut ProviderRecord,
    body: &CreateProvider,
    kind: &ProviderKind,
    currency: Currency,
    faults: &mut Vec<Fault>,
) {
    record.channels = body.channels.as_ref().map_or_else(|| kind.channels.clone(), |c| c.0.clone());
    for (index, channel) in record.channels.iter().enumerate() {
        if !kind.channels.contains(channel) {
            faults.push(Fault::at(
                format!("/channels/{index}"),
                format!("`{}` does not carry `{channel}`", record.kind),
            ));
        }
    }
    let carried = |field: &'static str, channel: Channel, faults: &mut Vec<Fault>| {
        if !record.channels.contains(&channel) {
            faults.push(Fault::at(at(field, channel), "is for a channel that the provider does not carry"));
        }
    };
    for (channel, price) in body.prices.iter().flat_map(|map| &map.0) {
        carried("prices", *channel, faults);
        if price.currency != currency {
            let place = format!("{}/currency", at("prices", *channel));
            faults.push(Fault::at(place, format!("must be `{currency}`, the currency of the tenant")));
        }
    }
    for channel in body.confirms.iter().flat_map(|map| map.0.keys()) {
        carried("confirms", *channel, faults);
    }
    for (channel, span) in body.horizon.iter().flat_map(|map| &map.0) {
        carried("horizon", *channel, faults);
        if *span == Span::ZERO {
            faults.push(Fault::at(at("horizon", *channel), "must be longer than nothing"));
        }
    }
    let channels = record.channels.clone();
    record.prices = body.prices.clone().unwrap_or_default().0;
    let mut confirms: BTreeMap<Channel, Vec<Confirmation>> = kind.confirms.clone();
    for (channel, said) in body.confirms.clone().unwrap_or_default().0 {
        let mut said: Vec<Confirmation> = said.0.into_iter().map(Confirmation::from).collect();
        said.sort_unstable();
        confirms.insert(channel, said);
    }
    confirms.retain(|channel, _| channels.contains(channel));
    record.confirms = confirms;
    let said = body.horizon.clone().unwrap_or_default().0;
    let horizon = |channel: &Channel| said.get(channel).copied().unwrap_or(ProviderRecord::HORIZON_DEFAULT);
    record.horizon = channels.iter().map(|channel| (*channel, horizon(channel))).collect();
    record.settings = Value::Object(body.settings.clone().unwrap_or_default());
    record.weight = body.weight.map_or(ProviderRecord::WEIGHT_DEFAULT, |weight| weight.0);
    record.rate_per_second = body.rate_per_second.map(|rate| rate.0);
}

async fn create(call: Call, body: CreateProvider) -> Result<Answer, Problem> {
    let name = body.name.as_str().to_owned();
    let mut record = ProviderRecord::new(call.mint(), name.clone(), body.kind.0.clone(), call.now());
    let mut faults = Vec::new();
    let settings = Value::Object(body.settings.clone().unwrap_or_default());
    let credentials = Value::Object(body.credentials.clone().unwrap_or_default());
    let kind = check(&call, &record.kind, &settings, &credentials, &mut faults).await?;
    if let Some(kind) = &kind {
        apply(&mut record, &body, kind, call.scope.row().currency, &mut faults);
    }
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    if body.credentials.is_some() {
        record.set_credentials(&call.scope, &credentials)?;
    }
    let answer = Answer::json(201, &shown(&record, BreakerState::Closed))?;
    let object_id = record.id.to_string();
    // First the registry: a callback that finds no provider yet is refused, one that is never found
    // would be lost.
    let told = RegistryChange { providers: vec![(record.id, call.scope.id())], ..RegistryChange::default() };
    call.app.registry.commit(told).await?;
    for _ in 0..CONFLICTS_MAX {
        if call.scope.provider(&name).await?.is_some() {
            let gone = RegistryChange { providers_gone: vec![record.id], ..RegistryChange::default() };
            call.app.registry.commit(gone).await?;
            return Err(Problem::new(Code::NameTaken, "Another provider has this name."));
        }
        let put = ProviderChange::Put(Put { row: record.row()?, expected: None });
        let change = Change { providers: vec![put], ..Change::default() };
        let deed = Deed { what: "provider.created", object_id: &object_id };
        match call.commit(change, deed, answer.clone(), Keep::Plain).await {
            Err(Uncommitted::Conflict) => {}
            Err(Uncommitted::Problem(problem)) => return Err(problem),
            Ok(answer) => {
                call.app.front.changed(call.scope.id(), Changed::Provider(name));
                return Ok(answer);
            }
        }
    }
    Err(Uncommitted::Conflict.into())
}

async fn list(call: Call, query: PlainQuery) -> Result<Answer, Problem> {
    let (page, bound) = query.parts();
    let page = call.page(&page, &bound)?;
    let listed = call.scope.providers(page).await?;
    let breakers = call.app.front.breakers(Arc::clone(&call.scope)).await?;
    call.listed(page, &bound, listed, |row| {
        let record = ProviderRecord::read(&row)?;
        Ok(shown(&record, state(&breakers, &record.name)))
    })
}

async fn show(call: Call, _: Nothing) -> Result<Answer, Problem> {
    let record = record_of(&call).await?;
    let breakers = call.app.front.breakers(Arc::clone(&call.scope)).await?;
    Answer::json(200, &shown(&record, state(&breakers, &record.name)))
}

async fn patch(call: Call, body: Patch<PatchProvider>) -> Result<Answer, Problem> {
    let mut patch = body.0;
    let credentials = patch.as_object_mut().and_then(|fields| fields.shift_remove("credentials"));
    for _ in 0..CONFLICTS_MAX {
        let mut record = record_of(&call).await?;
        let mut fields = fields_of(&record);
        merge(&mut fields, &patch);
        let mut faults = call.app.validators.faults("CreateProvider", &fields);
        if !faults.is_empty() {
            return Err(Problem::invalid(faults));
        }
        let wanted: CreateProvider = into_type(fields).map_err(Problem::invalid)?;
        // What the new list of channels lacks needs no words of its own any more.
        let wanted = only_carried(wanted);
        let settings = Value::Object(wanted.settings.clone().unwrap_or_default());
        let given = match &credentials {
            Some(Value::Null) => Value::Object(Map::new()),
            Some(given) => given.clone(),
            None => record.credentials(&call.scope)?,
        };
        let kind = check(&call, &record.kind, &settings, &given, &mut faults).await?;
        if let Some(kind) = &kind {
            apply(&mut record, &wanted, kind, call.scope.row().currency, &mut faults);
        }
        if !faults.is_empty() {
            return Err(Problem::invalid(faults));
        }
        if credentials.is_some() {
            record.set_credentials(&call.scope, &given)?;
        }
        let breakers = call.app.front.breakers(Arc::clone(&call.scope)).await?;
        let answer = Answer::json(200, &shown(&record, state(&breakers, &record.name)))?;
        let object_id = record.id.to_string();
        let put = ProviderChange::Put(Put { row: record.row()?, expected: Some(record.version) });
        let change = Change { providers: vec![put], ..Change::default() };
        let deed = Deed { what: "provider.updated", object_id: &object_id };
        match call.commit(change, deed, answer, Keep::Plain).await {
            Err(Uncommitted::Conflict) => {}
            Err(Uncommitted::Problem(problem)) => return Err(problem),
            Ok(answer) => {
                call.app.front.changed(call.scope.id(), Changed::Provider(record.name));
                return Ok(answer);
            }
        }
    }
    Err(Uncommitted::Conflict.into())
}

async fn delete(call: Call, _: Nothing) -> Result<Answer, Problem> {
    for _ in 0..CONFLICTS_MAX {
        let record = record_of(&call).await?;
        let object_id = record.id.to_string();
        let gone = ProviderChange::Delete(record.id, record.version);
        let change = Change { providers: vec![gone], ..Change::default() };
        let deed = Deed { what: "provider.deleted", object_id: &object_id };
        match call.commit(change, deed, Answer::empty(204), Keep::Plain).await {
            Err(Uncommitted::Conflict) => {}
            Err(Uncommitted::Problem(problem)) => return Err(problem),
            Ok(answer) => {
                let told = RegistryChange { providers_gone: vec![record.id], ..RegistryChange::default() };
                call.app.registry.commit(told).await?;
                call.app.front.changed(call.scope.id(), Changed::Provider(record.name));
                return Ok(answer);
            }
        }
    }
    Err(Uncommitted::Conflict.into())
}

/// The breaker of a provider that was made, or, under a test key, of a channel's sandbox.
async fn breaker_of(call: &Call) -> Result<Breaker, Problem> {
    let name = call.text(0);
    let mut breakers = call.app.front.breakers(Arc::clone(&call.scope)).await?;
    let standing = breakers.remove(name);
    let is_sandbox = call.environment == crate::model::Environment::Test
        && (standing.is_some() || name.parse::<Channel>().is_ok());
    if !is_sandbox {
        let _ = record_of(call).await?;
    }
    Ok(standing.unwrap_or_else(|| Breaker {
        provider: name.to_owned(),
        state: BreakerState::Closed,
        failures: 0,
        opened_at: None,
        until: None,
    }))
}

async fn breaker(call: Call, _: Nothing) -> Result<Answer, Problem> {
    Answer::json(200, &breaker_of(&call).await?)
}

async fn reset(call: Call, _: Nothing) -> Result<Answer, Problem> {
    let before = breaker_of(&call).await?;
    let closed = Breaker {
        provider: before.provider.clone(),
        state: BreakerState::Closed,
        failures: 0,
        opened_at: None,
        until: None,
    };
    let mut change = Change::default();
    let deed = Deed { what: "provider.breaker_reset", object_id: &before.provider };
    let answer = call.prepare(&mut change, deed, Answer::json(200, &closed)?, Keep::Plain).await?;
    let name = before.provider.clone();
    let taken = call.app.front.reset_breaker(Arc::clone(&call.scope), name, change).await?;
    call.taken(taken, |()| Ok(answer)).await
}

async fn callback(call: OpenCall) -> Result<Answer, Problem> {
    // A provider that does not exist is told what one whose signature is wrong is told.
    let id: Id<kinds::Provider> =
        call.path.first().and_then(|text| text.parse().ok()).ok_or(Code::SignatureInvalid)?;
    call.app.front.callback(id, call.headers, call.body.to_vec()).await?;
    Answer::json(200, &json!({}))
}
