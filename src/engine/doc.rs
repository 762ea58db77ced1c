//! The forms in which a message is kept: what the bytes of its rows mean.
//!
//! A message's document has a part in clear and a part sealed under its subject's key. Its state is
//! one byte with the form, the hash of its last transition, the number of its last event, what is
//! yet to be journalled, in the second form the attempts with an early reply, and the instance.

use serde::{Deserialize, Serialize};

use super::journal::NO_HASH;
use super::records::{read, unreadable, write};
use crate::machine::{Instance, Machine};
use crate::model::shapes::text::{Category, Locale, Metadata, PolicySource, Scripts, Vars};
use crate::model::shapes::{Addresses, Channels, Content};
use crate::model::{Id, Instant, Span, kinds};
use crate::store::StoreError;
use crate::store::rows::SubjectId;
use crate::store::seal::{Scope, SubjectKey};

const FORM: u8 = 1;
/// Of a state with early replies.
const FORM_REPLIED: u8 = 2;

/// What of a message is kept in clear.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Clear {
    #[serde(rename = "f")]
    form: u8,
    /// Whose key seals the rest: the contact, or the keyed hash of the first address.
    #[serde(rename = "u")]
    pub(super) subject: [u8; 16],
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub(super) strategy: Option<PolicySource>,
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub(super) channels: Option<Channels>,
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub(super) fallback_after: Option<Span>,
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub(super) locale: Option<Locale>,
    #[serde(rename = "k")]
    pub(super) category: Category,
    #[serde(rename = "m", default, skip_serializing_if = "is_empty")]
    pub(super) metadata: Metadata,
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub(super) send_at: Option<Instant>,
    /// What the `use`s of an inline strategy meant when it was accepted.
    #[serde(rename = "w", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) uses: Vec<String>,
}

fn is_empty(metadata: &Metadata) -> bool {
    metadata.0.is_empty()
}

/// What of a message is sealed.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Personal {
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub(super) to: Option<Addresses>,
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    pub(super) vars: Option<Vars>,
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<Content>,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub(super) sandbox: Option<Scripts>,
}

impl Clear {
    /// With nothing but whose it is and what it is for.
    pub(super) fn new(subject: SubjectId, category: Category) -> Clear {
        Clear {
            form: FORM,
            subject: subject.0,
            strategy: None,
            channels: None,
            fallback_after: None,
            locale: None,
            category,
            metadata: Metadata::default(),
            send_at: None,
            uses: Vec::new(),
        }
    }

    pub(super) fn subject(&self) -> SubjectId {
        SubjectId(self.subject)
    }
}

/// The bytes of a message's document.
pub(super) fn write_doc(
    scope: &Scope,
    key: &SubjectKey,
    id: Id<kinds::Message>,
    clear: &Clear,
    personal: &Personal,
) -> Result<Vec<u8>, StoreError> {
    let clear = write(clear)?;
    let sealed = scope.seal(key, &doc_place(id), &write(personal)?)?;
    Ok(split(&clear, &sealed))
}

/// The part of a document that is in clear.
pub(super) fn read_clear(doc: &[u8]) -> Result<Clear, StoreError> {
    let clear: Clear = read(halves(doc)?.0)?;
    if clear.form == FORM { Ok(clear) } else { Err(unreadable()) }
}

/// The part of a document that is sealed; nothing once the person was erased.
pub(super) fn read_personal(
    scope: &Scope,
    key: Option<&SubjectKey>,
    id: Id<kinds::Message>,
    doc: &[u8],
) -> Result<Option<Personal>, StoreError> {
    let Some(key) = key else { return Ok(None) };
    read(&scope.open(key, &doc_place(id), halves(doc)?.1)?).map(Some)
}

fn doc_place(id: Id<kinds::Message>) -> [u8; 19] {
    place(b"doc", id.to_bytes())
}

/// The place of a message's first body, for sealing.
pub(super) fn body_place(id: Id<kinds::Message>) -> [u8; 19] {
    place(b"202", id.to_bytes())
}

/// The place of an event's text, for sealing.
pub(super) fn event_place(id: Id<kinds::Event>) -> [u8; 19] {
    place(b"evt", id.to_bytes())
}

/// The place of a provider's words about an attempt, for sealing.
pub(super) fn outcome_place(id: Id<kinds::Attempt>) -> [u8; 19] {
    place(b"out", id.to_bytes())
}

fn place(what: &[u8; 3], id: [u8; 16]) -> [u8; 19] {
    let mut place = [0; 19];
    place[..3].copy_from_slice(what);
    place[3..].copy_from_slice(&id);
    place
}

/// Two byte strings in one: the length of the first as four bytes, then both.
pub(super) fn split(first: &[u8], second: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(first.len() + second.len() + 4);
    out.extend(u32::try_from(first.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend(first);
    out.extend(second);
    out
}

/// The reverse of [`split`].
pub(super) fn halves(bytes: &[u8]) -> Result<(&[u8], &[u8]), StoreError> {
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(unreadable)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| unreadable())?;
    rest.split_at_checked(length).ok_or_else(unreadable)
}

/// The changing part of a message.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The hash of its last transition.
    pub hash: [u8; 32],
    /// The number of its last event.
    pub event_sequence: u32,
    /// What `step` was given since its last transition, and that changed it without one, such as the
    /// beginning of a group: the bytes of an entry, empty where there is none. The next journal row
    /// begins with it, so that a replay misses nothing.
    pub unwritten: Vec<u8>,
    /// The attempts under way to whose address a person wrote, in words that name no send: it was told, and
    /// counts once the attempt is known to be one that the person can have answered.
    pub replied: Vec<u32>,
    /// The instance.
    pub instance: Instance,
}

impl State {
    /// Of a message to which nothing has happened yet.
    pub(super) fn new(instance: Instance) -> State {
        State { hash: NO_HASH, event_sequence: 0, unwritten: Vec::new(), replied: Vec::new(), instance }
    }

    pub(super) fn write(&self) -> Result<Vec<u8>, StoreError> {
        let instance = self.instance.to_bytes().map_err(|_| unreadable())?;
        let mut out = Vec::with_capacity(instance.len() + self.unwritten.len() + 41);
        out.push(if self.replied.is_empty() { FORM } else { FORM_REPLIED });
        out.extend(self.hash);
        out.extend(self.event_sequence.to_le_bytes());
        out.extend(u32::try_from(self.unwritten.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend(&self.unwritten);
        if !self.replied.is_empty() {
            out.extend(u32::try_from(self.replied.len() * 4).unwrap_or(u32::MAX).to_le_bytes());
            out.extend(self.replied.iter().flat_map(|number| number.to_le_bytes()));
        }
        out.extend(instance);
        Ok(out)
    }

    /// From the bytes of a row.
    ///
    /// # Errors
    /// Where they have another form, or belong to another policy than `machine`'s.
    pub fn read(bytes: &[u8], machine: &Machine) -> Result<State, StoreError> {
        let (head, rest) = bytes.split_first_chunk::<37>().ok_or_else(unreadable)?;
        let (unwritten, rest) = halves(rest)?;
        let (replied, instance) = match head[0] {
            FORM => (&[][..], rest),
            FORM_REPLIED => halves(rest)?,
            _ => return Err(unreadable()),
        };
        let (mut hash, mut sequence) = ([0; 32], [0; 4]);
        hash.copy_from_slice(&head[1..33]);
        sequence.copy_from_slice(&head[33..]);
        let instance = Instance::from_bytes(instance, machine).map_err(|error| StoreError::Io {
            what: "reading a message's state",
            detail: error.to_string(),
        })?;
        let event_sequence = u32::from_le_bytes(sequence);
        let (replied, []) = replied.as_chunks::<4>() else { return Err(unreadable()) };
        let replied = replied.iter().map(|number| u32::from_le_bytes(*number)).collect();
        Ok(State { hash, event_sequence, unwritten: unwritten.to_vec(), replied, instance })
    }
}

/// What is kept with an attempt: its number within the message, and its stage's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AttemptDoc {
    #[serde(rename = "n")]
    pub(super) number: u32,
    #[serde(rename = "s")]
    pub(super) stage: u16,
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    pub(super) valid_until: Option<Instant>,
    /// Its place in a quota stands in the rows.
    #[serde(rename = "h", default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) held: bool,
}

/// What a reply adds to an event: sealed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ReplyText {
    pub(super) text: String,
    /// The provider's id of the reply, so that the same one twice is told once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
}
