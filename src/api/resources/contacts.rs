//! Contacts: people, their addresses and what they agreed to.
//!
//! Consent belongs to channel and address. What a person said before there was an address waits in
//! the contact's row; an `opted_out` goes along when an address changes.

use std::collections::HashMap;
use std::sync::Arc;

use axum::http::Method;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::lists::{ListOf, list_query};
use super::patch::{Patch, merge};
use crate::api::call::{Answer, CONFLICTS_MAX, Call, Deed, Uncommitted};
use crate::api::conventions::problem::{Code, Problem};
use crate::api::conventions::validate::into_type;
use crate::api::endpoint::{Access, Endpoint, Nothing, Permission, Request};
use crate::api::kept::Keep;
use crate::engine::front::{Changed, Refusal};
use crate::engine::records::{ContactRecord, Waiting};
use crate::model::shapes::text::{
    Attributes, Country, ExternalId, Locale, Metadata, MetadataValue, PersonName, TimezoneName,
};
use crate::model::shapes::{Addresses, Consent, ConsentState, Contact};
use crate::model::{Channel, Id, kinds};
use crate::store::rows::{AddressHash, ConsentRow, SubjectId};
use crate::store::{Change, ConsentChange, ContactChange, Page, PageStart, Put, RegistryChange, StoreError};

const TAG: &str = "contacts";

pub(super) fn endpoints() -> Vec<Endpoint> {
    let read = Access::Permission(Permission::Read);
    let send = Permission::Send;
    vec![
        Endpoint::post("/contacts", send, create)
            .about(TAG, "Make a contact")
            .gives::<Contact>(201, "The contact.")
            .refuses(&[Code::NameTaken]),
        Endpoint::get("/contacts", read, list)
            .about(TAG, "List contacts, newest first")
            .gives::<ListOf<Contact>>(200, "A page of contacts.")
            .refuses(&[Code::CursorInvalid]),
        Endpoint::get("/contacts/{id}", read, show)
            .about(TAG, "Show a contact")
            .gives::<Contact>(200, "The contact."),
        Endpoint::change(Method::PATCH, "/contacts/{id}", send, patch)
            .about(TAG, "Change a contact, by JSON Merge Patch")
            .gives::<Contact>(200, "The contact.")
            .refuses(&[Code::NameTaken]),
        Endpoint::delete("/contacts/{id}", send, erase)
            .about(TAG, "Erase a contact and the person's data, wherever it stands")
            .gives_no_json(204, "It is gone."),
        Endpoint::change(Method::PUT, "/contacts/{id}/consent/{channel}", send, consent)
            .about(TAG, "Say whether a person wants a channel")
            .gives::<Contact>(200, "The contact."),
    ]
}

/// A contact to be made.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CreateContact {
    /// The caller's own id, unique in the scope.
    external_id: Option<ExternalId>,
    /// The person's name.
    name: Option<PersonName>,
    /// By channel.
    addresses: Option<Addresses>,
    /// In which language to write.
    locale: Option<Locale>,
    /// Where the person's clock hangs.
    timezone: Option<TimezoneName>,
    /// Where the person lives.
    country: Option<Country>,
    /// What the person agreed to, by channel.
    consent: Option<Consent>,
    /// What else is known.
    attributes: Option<Attributes>,
    /// The caller's own notes.
    metadata: Option<Metadata>,
}

impl Request for CreateContact {}

/// What is changed of a contact. A null takes a value away.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "stands for its schema alone: a patch is applied as JSON")]
struct PatchContact {
    /// The caller's own id, unique in the scope.
    external_id: Option<ExternalId>,
    /// The person's name.
    name: Option<PersonName>,
    /// By channel; a null takes an address away.
    addresses: Option<Addresses>,
    /// In which language to write.
    locale: Option<Locale>,
    /// Where the person's clock hangs.
    timezone: Option<TimezoneName>,
    /// Where the person lives.
    country: Option<Country>,
    /// What the person agreed to, by channel.
    consent: Option<Consent>,
    /// What else is known; a null takes an attribute away.
    attributes: Option<Attributes>,
    /// The caller's own notes; a null takes an entry away.
    metadata: Option<HashMap<String, Option<MetadataValue>>>,
}

impl Request for Patch<PatchContact> {}

/// Whether a person wants a channel.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SetConsent {
    /// Whether the person wants it.
    state: ConsentState,
}

impl Request for SetConsent {}

list_query! {
    /// The query of the list of contacts.
    ContactQuery {
        /// With this id of the caller's own.
        external_id: ExternalId,
    }
}

/// The consents of addresses.
type Known = HashMap<(Channel, AddressHash), ConsentState>;

async fn known(call: &Call, addresses: &[(Channel, AddressHash)]) -> Result<Known, Problem> {
    if addresses.is_empty() {
        return Ok(Known::new());
    }
    let rows = call.scope.consents(addresses).await?;
    let state = |row: &ConsentRow| if row.opted_out { ConsentState::OptedOut } else { ConsentState::OptedIn };
    Ok(rows.iter().map(|row| ((row.channel, row.address), state(row))).collect())
}

/// A contact as a caller sees it: with the consents of its addresses, and those that wait.
fn shown(call: &Call, record: &ContactRecord, known: &Known) -> Contact {
    let mut consent = Consent::default();
    for (channel, state) in &record.waiting {
        *consent.of(*channel) = Some(*state);
    }
    for place in record.hashes(&call.scope) {
        *consent.of(place.0) = known.get(&place).copied();
    }
    Contact {
        id: record.id,
        external_id: record.external_id.clone(),
        name: record.name.clone(),
        addresses: record.addresses.clone(),
        locale: record.locale.clone(),
        timezone: record.timezone.clone(),
        country: record.country.clone(),
        consent,
        attributes: record.attributes.clone(),
        metadata: record.metadata.clone(),
        created_at: record.created_at,
        updated_at: record.updated_at,
    }
}

/// What changes with a contact's addresses and words, worked out before it is written.
struct Settled {
    /// What is known once it is written.
    known: Known,
    /// What is to be written for it.
    changes: Vec<ConsentChange>,
}

/// Brings consents in line with a record whose addresses were `before` and whose owner said `said`:
/// an `opted_out` goes along with a changed address and waits for a removed one; what waited is
/// given to the address that came, but never lifts its `opted_out`; what is said now stands.
async fn settle(
    call: &Call,
    before: &Addresses,
    record: &mut ContactRecord,
    mut said: Consent,
) -> Result<Settled, Problem> {
    let hash = |channel: Channel, address: &str| (channel, call.scope.address_hash(channel, address));
    let mut places: Vec<(Channel, AddressHash)> = record.hashes(&call.scope);
    places.extend(before.iter().map(|(channel, address)| hash(channel, address)));
    let mut known = known(call, &places).await?;
    let mut changes = Vec::new();
    let now = call.now();
    for channel in Channel::ALL.iter().copied() {
        let old = before.get(channel).map(|address| hash(channel, address));
        let new = record.addresses.get(channel).map(|address| hash(channel, address));
        let opted_out = |place: Option<(Channel, AddressHash)>| {
            place.is_some_and(|place| known.get(&place) == Some(&ConsentState::OptedOut))
        };
        let said = said.of(channel).take();
        let Some(place) = new else {
            if let Some(state) = said {
                record.waiting.insert(channel, state);
            } else if opted_out(old) {
                record.waiting.insert(channel, ConsentState::OptedOut);
            }
            continue;
        };
        let waited = record.waiting.remove(&channel);
        let carried = (old != new && opted_out(old)).then_some(ConsentState::OptedOut);
        let wanted = said.or(carried).or(waited.filter(|_| !opted_out(new)));
        if let Some(state) = wanted
            && known.get(&place) != Some(&state)
        {
            known.insert(place, state);
            changes.push(ConsentChange::Put(ConsentRow {
                channel,
                address: place.1,
                opted_out: state == ConsentState::OptedOut,
                at: now,
            }));
        }
    }
    Ok(Settled { known, changes })
}

/// Whether another contact has the external id.
async fn is_taken(call: &Call, record: &ContactRecord) -> Result<bool, Problem> {
    let Some(external_id) = &record.external_id else { return Ok(false) };
    let page = Page { start: PageStart::Newest, limit: 1 };
    let found = call.scope.contacts(Some(external_id.as_str()), page).await?;
    Ok(found.rows.iter().any(|row| row.row.id != record.id))
}

/// Writes a contact with its consents.
async fn write(
    call: &Call,
    before: &Addresses,
    mut record: ContactRecord,
    said: Consent,
    status: u16,
    what: &'static str,
) -> Result<Answer, Uncommitted> {
    let problem = Uncommitted::Problem;
    if is_taken(call, &record).await.map_err(problem)? {
        return Err(problem(Problem::new(Code::NameTaken, "Another contact has this `external_id`.")));
    }
    let settled = settle(call, before, &mut record, said).await.map_err(problem)?;
    let subject = SubjectId::from(record.id);
    let key = call.scope.subject_key(subject).await.map_err(|e| problem(e.into()))?;
    let mut change = Change { consents: settled.changes, ..Change::default() };
    key.keep_in(&mut change);
    let row = record.row(&call.scope, &key).map_err(|e| problem(e.into()))?;
    let expected = (record.version > 0).then_some(record.version);
    change.contacts.push(ContactChange::Put(Put { row, expected }));
    let answer = Answer::json(status, &shown(call, &record, &settled.known)).map_err(problem)?;
    let object_id = record.id.to_string();
    let answer =
        call.commit(change, Deed { what, object_id: &object_id }, answer, Keep::Person(subject)).await?;
    call.app.front.changed(call.scope.id(), Changed::Contact(record.id));
    Ok(answer)
}

async fn create(call: Call, body: CreateContact) -> Result<Answer, Problem> {
    let now = call.now();
    let said = body.consent.unwrap_or_default();
    let record = ContactRecord {
        id: call.mint(),
        version: 0,
        external_id: body.external_id,
        name: body.name,
        addresses: body.addresses.unwrap_or_default(),
        locale: body.locale,
        timezone: body.timezone,
        country: body.country,
        attributes: body.attributes.unwrap_or_default(),
        metadata: body.metadata.unwrap_or_default(),
        waiting: Waiting::new(),
        created_at: now,
        updated_at: now,
    };
    for _ in 0..CONFLICTS_MAX {
        match write(&call, &Addresses::default(), record.clone(), said.clone(), 201, "contact.created").await
        {
            Err(Uncommitted::Conflict) => {}
            done => return Ok(done?),
        }
    }
    Err(Uncommitted::Conflict.into())
}

async fn list(call: Call, query: ContactQuery) -> Result<Answer, Problem> {
    let (page, bound) = query.parts();
    let page = call.page(&page, &bound)?;
    let external_id = query.external_id.as_ref().map(ExternalId::as_str);
    let listed = call.scope.contacts(external_id, page).await?;
    let mut records = HashMap::new();
    let mut places = Vec::new();
    for row in &listed.rows {
        let record = ContactRecord::read(&call.scope, &row.row).await?;
        places.extend(record.hashes(&call.scope));
        records.insert(row.row.id, record);
    }
    let known = known(&call, &places).await?;
    call.listed(page, &bound, listed, |row| {
        records.get(&row.id).map(|record| shown(&call, record, &known)).ok_or_else(Problem::not_found)
    })
}

async fn record_of(call: &Call) -> Result<ContactRecord, Problem> {
    let id: Id<kinds::Contact> = call.id(0)?;
    let row = call.scope.contact(id).await?.ok_or_else(Problem::not_found)?;
    Ok(ContactRecord::read(&call.scope, &row).await?)
}

async fn show(call: Call, _: Nothing) -> Result<Answer, Problem> {
    let record = record_of(&call).await?;
    let known = known(&call, &record.hashes(&call.scope)).await?;
    Answer::json(200, &shown(&call, &record, &known))
}

/// The fields of a contact that a patch applies to, as a `CreateContact`.
fn fields_of(record: &ContactRecord) -> Value {
    let mut fields = json!({
        "external_id": record.external_id,
        "name": record.name,
        "addresses": record.addresses,
        "locale": record.locale,
        "timezone": record.timezone,
        "country": record.country,
        "attributes": record.attributes,
        "metadata": record.metadata,
    });
    if let Some(fields) = fields.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    fields
}

async fn patch(call: Call, body: Patch<PatchContact>) -> Result<Answer, Problem> {
    for _ in 0..CONFLICTS_MAX {
        let mut record = record_of(&call).await?;
        let mut fields = fields_of(&record);
        merge(&mut fields, &body.0);
        // What the patch leaves must be a contact too: fifty entries, no more.
        let faults = call.app.validators.faults("CreateContact", &fields);
        if !faults.is_empty() {
            return Err(Problem::invalid(faults));
        }
        let wanted: CreateContact = into_type(fields).map_err(Problem::invalid)?;
        let before = record.addresses.clone();
        record.external_id = wanted.external_id;
        record.name = wanted.name;
        record.addresses = wanted.addresses.unwrap_or_default();
        record.locale = wanted.locale;
        record.timezone = wanted.timezone;
        record.country = wanted.country;
        record.attributes = wanted.attributes.unwrap_or_default();
        record.metadata = wanted.metadata.unwrap_or_default();
        record.updated_at = call.now().max(record.updated_at);
        let said = wanted.consent.unwrap_or_default();
        match write(&call, &before, record, said, 200, "contact.updated").await {
            Err(Uncommitted::Conflict) => {}
            done => return Ok(done?),
        }
    }
    Err(Uncommitted::Conflict.into())
}

async fn consent(call: Call, body: SetConsent) -> Result<Answer, Problem> {
    let channel: Channel = call.text(1).parse().map_err(|_| Problem::not_found())?;
    for _ in 0..CONFLICTS_MAX {
        let mut record = record_of(&call).await?;
        record.updated_at = call.now().max(record.updated_at);
        let before = record.addresses.clone();
        let mut said = Consent::default();
        *said.of(channel) = Some(body.state);
        match write(&call, &before, record, said, 200, "contact.consent_set").await {
            Err(Uncommitted::Conflict) => {}
            done => return Ok(done?),
        }
    }
    Err(Uncommitted::Conflict.into())
}

/// Erases: the contact's row, its key and those of its addresses, and every consent but an
/// `opted_out`, of which the keyed hash alone stays.
async fn erase(call: Call, _: Nothing) -> Result<Answer, Problem> {
    for _ in 0..CONFLICTS_MAX {
        let record = record_of(&call).await?;
        let places = record.hashes(&call.scope);
        let known = known(&call, &places).await?;
        let mut erased = vec![SubjectId::from(record.id)];
        erased.extend(places.iter().map(|(_, address)| SubjectId::from(*address)));
        // First the registry: a backup that is restored later must not bring the person back.
        let now = call.app.clock.real_now();
        let told = erased.iter().map(|subject| (call.scope.id(), *subject, now)).collect();
        call.app.registry.commit(RegistryChange { erased: told, ..RegistryChange::default() }).await?;
        let forgotten = known.iter().filter(|(_, state)| **state != ConsentState::OptedOut);
        let mut change = Change {
            contacts: vec![ContactChange::Delete(record.id, record.version)],
            consents: forgotten.map(|((c, address), _)| ConsentChange::Delete(*c, *address)).collect(),
            erased,
            ..Change::default()
        };
        let object_id = record.id.to_string();
        let deed = Deed { what: "contact.deleted", object_id: &object_id };
        let answer = call.prepare(&mut change, deed, Answer::empty(204), Keep::Plain).await?;
        match call.app.front.erase(Arc::clone(&call.scope), record.id, change).await {
            Err(Refusal::Store(StoreError::Conflict { .. })) => {}
            Err(refusal) => return Err(refusal.into()),
            Ok(taken) => return call.taken(taken, |()| Ok(answer)).await,
        }
    }
    Err(Uncommitted::Conflict.into())
}
