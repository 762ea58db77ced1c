//! API keys.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::lists::{ListOf, PlainQuery};
use crate::api::call::{Answer, CONFLICTS_MAX, Call, Deed, Uncommitted};
use crate::api::conventions::keys::{ApiKey, KEY_RANDOM_BYTES};
use crate::api::conventions::problem::{Code, Fault, Problem};
use crate::api::endpoint::{Access, Endpoint, Nothing, Permission, Request, Surroundings};
use crate::api::kept::Keep;
use crate::model::shapes::text::Label;
use crate::model::{Environment, Id, Instant, Span, kinds};
use crate::store::{KeyRow, RegistryChange};

const TAG: &str = "keys";
/// How long the old key of a roll stays, where nothing is said.
const OVERLAP_DEFAULT: Span = Span::from_s(24 * 3_600);
/// How long it may stay.
const OVERLAP_MAX: Span = Span::from_s(30 * 86_400);

pub(super) fn endpoints() -> Vec<Endpoint> {
    let manage = Permission::Manage;
    vec![
        Endpoint::post("/keys", manage, create)
            .in_registry()
            .about(TAG, "Make a key of this environment")
            .gives::<NewKey>(201, "The key; `key` is shown this once."),
        Endpoint::get("/keys", Access::Permission(manage), list)
            .about(TAG, "List keys, newest first")
            .gives::<ListOf<Key>>(200, "A page of keys, revoked ones among them.")
            .refuses(&[Code::CursorInvalid]),
        Endpoint::delete("/keys/{id}", manage, revoke)
            .in_registry()
            .about(TAG, "Revoke a key")
            .gives::<Key>(200, "The key, which stays in the list."),
        Endpoint::post("/keys/{id}/roll", manage, roll)
            .in_registry()
            .may_be_empty()
            .about(TAG, "Replace a key by a new one; the old one runs out after an overlap")
            .gives::<NewKey>(200, "The new key; `key` is shown this once."),
    ]
}

/// An API key, without the key itself.
#[derive(Serialize, JsonSchema)]
struct Key {
    /// Its id.
    id: Id<kinds::Key>,
    /// What its maker calls it.
    name: String,
    /// What it opens.
    environment: Environment,
    /// What it may be used for.
    permissions: Vec<Permission>,
    /// Its last four characters.
    hint: String,
    /// When it was made.
    created_at: Instant,
    /// When it was last used; may lag a minute.
    last_used_at: Option<Instant>,
    /// When it runs out.
    expires_at: Option<Instant>,
    /// When it was revoked.
    revoked_at: Option<Instant>,
}

/// An API key that was just made.
#[derive(Serialize, JsonSchema)]
struct NewKey {
    /// All but the key itself.
    #[serde(flatten)]
    shown: Key,
    /// The key. It is shown in this answer alone.
    key: String,
}

impl From<KeyRow> for Key {
    fn from(row: KeyRow) -> Key {
        Key {
            id: row.id,
            name: row.name,
            environment: row.environment,
            permissions: Permission::of_bits(row.permissions).collect(),
            hint: row.hint,
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
        }
    }
}

/// A key to be made.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CreateKey {
    /// What to call it.
    name: Label,
    /// What it may be used for. None implies another.
    permissions: Permissions,
    /// When it runs out; never, where nothing is said.
    expires_at: Option<Instant>,
}

/// Permissions, each at most once.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
struct Permissions(#[schemars(length(min = 1), extend("uniqueItems" = true))] Vec<Permission>);

impl Request for CreateKey {}

/// How to roll a key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RollKey {
    /// How long the old key still opens; 24 hours where nothing is said, 30 days at most.
    overlap: Option<Span>,
}

impl Request for RollKey {
    fn across(value: &Value, _: &Surroundings, faults: &mut Vec<Fault>) {
        let overlap = value.get("overlap").and_then(Value::as_str).and_then(|t| t.parse::<Span>().ok());
        if overlap.is_some_and(|overlap| overlap > OVERLAP_MAX) {
            faults.push(Fault::at("/overlap", "is longer than `30d`"));
        }
    }
}

/// A fresh key in the caller's scope.
fn fresh(
    call: &Call,
    name: String,
    permissions: u8,
    expires_at: Option<Instant>,
) -> Result<(ApiKey, KeyRow), Problem> {
    let mut random = [0; KEY_RANDOM_BYTES];
    call.app.random.fill(&mut random)?;
    let key = ApiKey::from_random(call.environment, &random);
    let row = KeyRow {
        id: call.mint(),
        scope: call.scope.id(),
        environment: call.environment,
        name,
        hash: key.hash(),
        hint: key.hint(),
        permissions,
        created_at: call.app.clock.real_now(),
        last_used_at: None,
        expires_at,
        revoked_at: None,
    };
    Ok((key, row))
}

fn shown_once(status: u16, key: &ApiKey, row: KeyRow) -> Result<Answer, Problem> {
    Answer::json(status, &NewKey { shown: row.into(), key: key.reveal().to_owned() })
}

async fn create(call: Call, body: CreateKey) -> Result<Answer, Problem> {
    if body.expires_at.is_some_and(|at| at <= call.app.clock.real_now()) {
        return Err(Problem::fault("/expires_at", "is not in the future"));
    }
    let permissions = body.permissions.0.iter().fold(0, |bits, p| bits | p.bit());
    let (key, row) = fresh(&call, body.name.into_string(), permissions, body.expires_at)?;
    let id = row.id.to_string();
    let answer = shown_once(201, &key, row.clone())?;
    let change = RegistryChange { keys: vec![row], ..RegistryChange::default() };
    let deed = Deed { what: "key.created", object_id: &id };
    Ok(call.commit_in_registry(change, deed, answer, Keep::Secret).await?)
}

async fn list(call: Call, query: PlainQuery) -> Result<Answer, Problem> {
    let (page, bound) = query.parts();
    let page = call.page(&page, &bound)?;
    let listed = call.app.registry.keys(call.scope.id(), page).await?;
    call.listed(page, &bound, listed, |row| Ok(Key::from(row)))
}

async fn revoke(call: Call, _: Nothing) -> Result<Answer, Problem> {
    let id: Id<kinds::Key> = call.id(0)?;
    let mut row = call.app.registry.key(call.scope.id(), id).await?.ok_or_else(Problem::not_found)?;
    if row.revoked_at.is_some() {
        return Answer::json(200, &Key::from(row));
    }
    let now = call.app.clock.real_now();
    row.revoked_at = Some(now);
    let answer = Answer::json(200, &Key::from(row))?;
    let change =
        RegistryChange { keys_revoked: vec![(id, call.scope.id(), now)], ..RegistryChange::default() };
    let object_id = id.to_string();
    let deed = Deed { what: "key.revoked", object_id: &object_id };
    Ok(call.commit_in_registry(change, deed, answer, Keep::Plain).await?)
}

async fn roll(call: Call, body: RollKey) -> Result<Answer, Problem> {
    let id: Id<kinds::Key> = call.id(0)?;
    let overlap = body.overlap.unwrap_or(OVERLAP_DEFAULT);
    for _ in 0..CONFLICTS_MAX {
        let old = call.app.registry.key(call.scope.id(), id).await?.ok_or_else(Problem::not_found)?;
        let now = call.app.clock.real_now();
        // A key that opens nothing any more is not there to be rolled.
        if old.revoked_at.is_some() || old.expires_at.is_some_and(|at| at <= now) {
            return Err(Problem::not_found());
        }
        let until = now.plus(overlap);
        let until = old.expires_at.map_or(until, |at| at.min(until));
        let (key, row) = fresh(&call, old.name, old.permissions, old.expires_at)?;
        let answer = shown_once(200, &key, row.clone())?;
        let change = RegistryChange {
            keys: vec![row],
            keys_expire: vec![(id, call.scope.id(), until)],
            ..RegistryChange::default()
        };
        let object_id = id.to_string();
        let deed = Deed { what: "key.rolled", object_id: &object_id };
        match call.commit_in_registry(change, deed, answer, Keep::Secret).await {
            Err(Uncommitted::Conflict) => {}
            done => return Ok(done?),
        }
    }
    Err(Uncommitted::Conflict.into())
}
