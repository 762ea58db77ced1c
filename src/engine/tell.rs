//! Events: what is told of a message or a scope, and how a row keeps it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::breaker::Switched;
use super::decide::Decision;
use super::desk::{Desk, DeskState};
use super::doc::{ReplyText, event_place, halves, split};
use super::records::{read, unreadable, write};
use super::running::{Attempt, Info};
use super::show::reasons;
use crate::machine::Told;
use crate::model::shapes::{Event, EventType, MessageEventData};
use crate::model::{Channel, Ids, Instant, Status, kinds};
use crate::store::StoreError;
use crate::store::rows::{EventRow, Names, StoredEvent};
use crate::store::seal::Scope;

/// The data in clear.
const PLAIN: u8 = b'p';
/// The data in clear, and a text sealed under the key of the message's subject.
const SEALED: u8 = b's';

/// Writes the events of one change of a message.
pub(super) struct Teller<'a> {
    desk: &'a Desk,
    info: &'a Arc<Info>,
    at: Instant,
    /// What its template and its policy are called.
    names: [Option<String>; 2],
}

impl<'a> Teller<'a> {
    pub(super) fn new(desk: &'a Desk, info: &'a Arc<Info>, at: Instant) -> Teller<'a> {
        let named = |names: &Names| format!("{}@{}", names.name, names.version);
        let names = [info.template.as_ref().map(named), info.policy.as_ref().map(named)];
        Teller { desk, info, at, names }
    }

    pub(super) fn row(
        &self,
        told: &Told,
        reply: Option<&ReplyText>,
        decision: &Decision,
    ) -> Result<EventRow, StoreError> {
        let kind = kind(told);
        let attempt = |number: u32| decision.attempts.iter().find(|attempt| attempt.number == number);
        let (about, other) = match told {
            Told::Created | Told::Unconfirmed | Told::Failed | Told::Canceled | Told::Expired => (None, None),
            Told::Sent { attempt: number, .. }
            | Told::Read { attempt: number, .. }
            | Told::Replied { attempt: number, .. } => (attempt(*number), None),
            Told::Delivered { attempt: number, .. } => (number.and_then(attempt), None),
            Told::DuplicateDelivery { attempt: number, other_attempt, .. } => {
                (attempt(*number), attempt(*other_attempt))
            }
        };
        let ids: &dyn Ids = self.desk.context.ids.as_ref();
        let id = ids.mint::<kinds::Event>();
        let mut data = self.data(about, decision);
        if matches!(told, Told::Created) {
            // What follows in the same change, its end included, has not happened yet.
            (data.status, data.reasons) = (Status::Queued, Vec::new());
        }
        let plain = match other {
            None => serde_json::to_vec(&data),
            Some(other) => serde_json::to_value(&data).and_then(|mut data| {
                if let Some(data) = data.as_object_mut() {
                    data.insert("other_channel".into(), json!(other.channel));
                    data.insert("other_provider".into(), json!(other.provider));
                }
                serde_json::to_vec(&data)
            }),
        };
        let plain = plain.map_err(|_| unreadable())?;
        let bytes = match (kind, reply, &self.info.key) {
            (EventType::MessageReplied, Some(reply), Some(key)) => {
                let sealed = self.desk.scope.seal(key, &event_place(id), &write(reply)?)?;
                let mut subject = self.info.clear.subject.to_vec();
                subject.extend(sealed);
                tagged(SEALED, &split(&plain, &subject))
            }
            _ => tagged(PLAIN, &plain),
        };
        let sequence = Some(u64::from(decision.state.event_sequence));
        Ok(EventRow { id, kind: kind.word().to_owned(), at: self.at, sequence, data: bytes })
    }

    fn data<'d>(&'d self, about: Option<&'d Attempt>, decision: &Decision) -> MessageEventData<'d> {
        let info = self.info;
        let instance = decision.instance();
        MessageEventData {
            message_id: info.id,
            contact_id: info.contact,
            template: self.names[0].as_deref(),
            policy: self.names[1].as_deref(),
            channel: about.map(|attempt| attempt.channel),
            provider: about.map(|attempt| attempt.provider.as_str()),
            provider_message_id: about.and_then(|attempt| attempt.provider_message_id.as_deref()),
            status: instance.status(),
            reasons: reasons(instance, &info.plan.machine),
            metadata: &info.clear.metadata,
        }
    }
}

fn tagged(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 1);
    out.push(tag);
    out.extend(bytes);
    out
}

fn kind(told: &Told) -> EventType {
    match told {
        Told::Created => EventType::MessageCreated,
        Told::Sent { .. } => EventType::MessageSent,
        Told::Delivered { .. } => EventType::MessageDelivered,
        Told::Read { .. } => EventType::MessageRead,
        Told::Replied { .. } => EventType::MessageReplied,
        Told::DuplicateDelivery { .. } => EventType::MessageDuplicateDelivery,
        Told::Unconfirmed => EventType::MessageUnconfirmed,
        Told::Failed => EventType::MessageFailed,
        Told::Canceled => EventType::MessageCanceled,
        Told::Expired => EventType::MessageExpired,
    }
}

impl Desk {
    /// An event of no message, in which nothing is personal.
    pub(super) fn scope_event(
        &self,
        kind: EventType,
        data: &Value,
        at: Instant,
    ) -> Result<EventRow, StoreError> {
        let ids: &dyn Ids = self.context.ids.as_ref();
        let bytes = tagged(PLAIN, &serde_json::to_vec(data).map_err(|_| unreadable())?);
        Ok(EventRow { id: ids.mint(), kind: kind.word().to_owned(), at, sequence: None, data: bytes })
    }

    pub(super) fn address_invalid(
        &self,
        info: &Info,
        channel: Channel,
        at: Instant,
    ) -> Result<EventRow, StoreError> {
        let data = json!({"contact_id": info.contact, "channel": channel});
        self.scope_event(EventType::ContactAddressInvalid, &data, at)
    }

    /// The event of a breaker that switched.
    pub(super) fn circuit(
        &self,
        state: &DeskState,
        name: &str,
        switched: Switched,
        at: Instant,
    ) -> Result<EventRow, StoreError> {
        let provider = state.providers.get(name);
        let channels = provider.and_then(|provider| provider.record.as_ref()).map(|r| r.channels.clone());
        let breaker = provider.map(|provider| provider.breaker.shown(name, at));
        let (kind, reason) = match switched {
            Switched::Opened => (EventType::ProviderCircuitOpened, "too many failures"),
            Switched::Closed => (EventType::ProviderCircuitClosed, "it works again"),
            Switched::Reset => (EventType::ProviderCircuitClosed, "reset by hand"),
        };
        let data = json!({
            "provider": name,
            "channels": channels.unwrap_or_default(),
            "breaker": breaker.as_ref().map(|breaker| breaker.state),
            "reason": reason,
            "until": breaker.and_then(|breaker| breaker.until),
        });
        self.scope_event(kind, &data, at)
    }
}

/// The bytes that a row keeps for an event's data in which nothing is personal.
#[must_use]
pub fn plain_data(data: &Value) -> Vec<u8> {
    tagged(PLAIN, &serde_json::to_vec(data).unwrap_or_default())
}

/// The event of a row, as callers see it; without what is sealed once its person was erased.
///
/// # Errors
/// Where the row has another form.
pub async fn read_event(scope: &Scope, event: &StoredEvent) -> Result<Event, StoreError> {
    let row = &event.row;
    let kind = EventType::from_word(&row.kind).ok_or_else(unreadable)?;
    let data = match row.data.split_first() {
        Some((&PLAIN, plain)) => read::<Value>(plain)?,
        Some((&SEALED, both)) => {
            let (plain, sealed) = halves(both)?;
            let mut data = read::<Value>(plain)?;
            let text = reply_text(scope, row, sealed).await?;
            if let Some(fields) = data.as_object_mut() {
                fields.insert("text".into(), json!(text.map(|reply| reply.text)));
            }
            data
        }
        _ => return Err(unreadable()),
    };
    Ok(Event { id: row.id, r#type: kind, timestamp: row.at, sequence: row.sequence, data })
}

/// What is sealed in the row of a reply; `None` once its person was erased.
pub(super) async fn reply_of(scope: &Scope, row: &EventRow) -> Result<Option<ReplyText>, StoreError> {
    match row.data.split_first() {
        Some((&SEALED, both)) => reply_text(scope, row, halves(both)?.1).await,
        _ => Ok(None),
    }
}

async fn reply_text(scope: &Scope, row: &EventRow, sealed: &[u8]) -> Result<Option<ReplyText>, StoreError> {
    let (subject, sealed) = sealed.split_first_chunk::<16>().ok_or_else(unreadable)?;
    let key = scope.known_subject_key(crate::store::rows::SubjectId(*subject)).await?;
    let Some(key) = key else { return Ok(None) };
    read(&scope.open(&key, &event_place(row.id), sealed)?).map(Some)
}
