//! The scope's books: kept answers, clock, audit, hashes.

use std::fmt;

use crate::model::{Id, Instant, canonical, kinds};
use crate::store::Position;

/// The first 16 bytes of the SHA-256 of an idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdempotencyKey(pub [u8; 16]);

/// The keyed hash of an address. Its key is the scope's own and never changes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressHash(pub [u8; 16]);

impl fmt::Debug for AddressHash {
    /// Never the hash: it names a recipient.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AddressHash(…)")
    }
}

/// Whose personal data it is: a contact, or an address without one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubjectId(pub [u8; 16]);

impl fmt::Debug for SubjectId {
    /// Never the hash: it names a recipient.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubjectId(…)")
    }
}

impl std::convert::From<Id<kinds::Contact>> for SubjectId {
    fn from(contact: Id<kinds::Contact>) -> SubjectId {
        SubjectId(contact.to_bytes())
    }
}

impl std::convert::From<AddressHash> for SubjectId {
    fn from(address: AddressHash) -> SubjectId {
        SubjectId(address.0)
    }
}

/// How an answer is kept.
#[derive(Clone, PartialEq, Eq)]
pub enum KeptAnswer {
    /// No body.
    Empty,
    /// The body in clear: it holds neither a secret nor personal data.
    Plain(Vec<u8>),
    /// The body, sealed, in the caller's form (it says under which key).
    Sealed(Vec<u8>),
    /// The first body of this message.
    FirstBody(Id<kinds::Message>),
    /// Several first bodies and what stands between them, in the caller's form.
    FirstBodies(Vec<u8>),
}

/// The record of one idempotency key.
#[derive(Clone, PartialEq, Eq)]
pub struct Kept {
    /// The key.
    pub key: IdempotencyKey,
    /// The fingerprint of the request: HMAC-SHA256 of its canonical form.
    pub request: [u8; 32],
    /// The status of the answer.
    pub status: u16,
    /// Its body.
    pub answer: KeptAnswer,
    /// When, in real time: such a record is dropped by age.
    pub at: Instant,
}

/// A test scope's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClockRow {
    /// How far it is ahead of real time, in milliseconds.
    pub advanced_by_ms: i64,
    /// How far it shall be ahead once the advance under way is done.
    pub target_ms: Option<i64>,
}

/// A receipt or reply that came before the answer to the send.
#[derive(Clone, PartialEq, Eq)]
pub struct EarlyReceiptRow {
    /// The provider's name.
    pub provider: String,
    /// The provider's id of the message.
    pub provider_message_id: String,
    /// When it came, in real time: kept ten minutes.
    pub at: Instant,
    /// The receipt in the caller's form, personal data sealed.
    pub doc: Vec<u8>,
}

/// Something that came in at one node and is to be carried out by the owner of a message.
#[derive(Clone, PartialEq, Eq)]
pub struct SignalRow {
    /// The message.
    pub message: Position,
    /// When it came in, in real time.
    pub at: Instant,
    /// What it is, in the caller's form, personal data sealed.
    pub doc: Vec<u8>,
}

/// A signal as it is read back.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredSignal {
    /// Its position.
    pub n: Position,
    /// The id of its message.
    pub message_id: Id<kinds::Message>,
    /// The row.
    pub row: SignalRow,
}

/// An entry for the scope's audit.
#[derive(Clone, PartialEq, Eq)]
pub struct NewAudit {
    /// Its id.
    pub id: Id<kinds::Audit>,
    /// When, on the scope's clock.
    pub at: Instant,
    /// `key_…`, `cli` or `system`.
    pub who: String,
    /// `contact.deleted`.
    pub what: String,
    /// The object's id or name.
    pub object_id: Option<String>,
    /// `req_…`.
    pub request_id: Option<String>,
    /// The RFC 8785 form of the entry without `prev_hash` and `hash`. The store chains it:
    /// `hash` is the SHA-256 of the lower-case hex of the hash before, a newline and this.
    pub canonical: Vec<u8>,
}

impl NewAudit {
    /// An entry with its canonical form.
    #[must_use]
    pub fn new(
        id: Id<kinds::Audit>,
        at: Instant,
        who: &str,
        what: &str,
        object_id: Option<String>,
        request_id: Option<String>,
    ) -> NewAudit {
        let entry = serde_json::json!({
            "id": id, "at": at, "who": who, "what": what, "object_id": object_id, "request_id": request_id,
        });
        NewAudit {
            id,
            at,
            who: who.to_owned(),
            what: what.to_owned(),
            object_id,
            request_id,
            canonical: canonical(&entry).into_bytes(),
        }
    }
}

/// An entry of the audit as it is read back.
#[derive(Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// The entry.
    pub entry: NewAudit,
    /// The hash of the entry before, zeros for the first.
    pub prev_hash: [u8; 32],
    /// Its own.
    pub hash: [u8; 32],
}
