//! What is kept of a change, for the audit: what `step` was given, and the transitions that came.
//!
//! The body of a journal row is one byte with its form, the length of the entry as four bytes, the
//! entry, and the transitions, a line each, in the very form that is hashed.

use sha2::{Digest, Sha256};

use crate::machine::{JournalEntry, Moved, Transition};
use crate::model::{Id, kinds, write_canonical};
use crate::store::StoreError;
use crate::store::rows::JournalRow;
use serde_json::{Value, json};

const FORM: u8 = 1;

/// The hash before the first transition of a message.
pub const NO_HASH: [u8; 32] = [0; 32];

/// The body of a row, taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    /// What `step` was given.
    pub entry: Vec<u8>,
    /// The transitions in their canonical form, as they were hashed.
    pub transitions: Vec<String>,
}

impl Body {
    /// From a row's bytes.
    ///
    /// # Errors
    /// Where they are of another form.
    pub fn read(bytes: &[u8]) -> Result<Body, StoreError> {
        let unreadable =
            || StoreError::Io { what: "reading the journal", detail: "a row has another form".into() };
        let (&[form, a, b, c, d], rest) = bytes.split_first_chunk::<5>().ok_or_else(unreadable)?;
        let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).map_err(|_| unreadable())?;
        let (entry, lines) = rest.split_at_checked(length).ok_or_else(unreadable)?;
        let lines = std::str::from_utf8(lines).map_err(|_| unreadable())?;
        if form != FORM {
            return Err(unreadable());
        }
        Ok(Body { entry: entry.to_vec(), transitions: lines.lines().map(str::to_owned).collect() })
    }
}

/// The journal row of a change, chained to the hash before it; `None` where nothing was written down.
///
/// # Errors
/// None that can happen: an entry always has bytes.
pub(super) fn row(
    message: Id<kinds::Message>,
    before: [u8; 32],
    entry: &JournalEntry,
    transitions: &[Transition],
) -> Result<Option<JournalRow>, StoreError> {
    let Some(first) = transitions.first() else { return Ok(None) };
    let bytes = entry.to_bytes().map_err(|_| StoreError::Io {
        what: "writing the journal",
        detail: "an entry has no bytes".into(),
    })?;
    let mut body = Vec::with_capacity(bytes.len() + transitions.len() * 256 + 5);
    body.push(FORM);
    body.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    body.extend(&bytes);
    let mut hash = before;
    for line in lines(Some(message), &bytes, transitions) {
        hash = chained(hash, &line);
        body.extend(line.as_bytes());
        body.push(b'\n');
    }
    Ok(Some(JournalRow {
        seq: u64::from(first.seq),
        count: u32::try_from(transitions.len()).unwrap_or(u32::MAX),
        at: first.at,
        body,
        hash,
    }))
}

/// The transitions of a change in the form that is hashed; `entry` are the bytes of its input.
pub(super) fn lines(
    message: Option<Id<kinds::Message>>,
    entry: &[u8],
    transitions: &[Transition],
) -> Vec<String> {
    let input = hex(&Sha256::digest(entry));
    let id = message.map(|id| id.to_string()).unwrap_or_default();
    let line = |(place, transition)| {
        let mut line = String::with_capacity(320);
        write_canonical(&shown(transition, &id, (place == 0).then_some(&input)), &mut line);
        line
    };
    transitions.iter().enumerate().map(line).collect()
}

/// The hash of a transition: of the one before in lower-case hex, a newline, and its canonical form.
#[must_use]
pub fn chained(before: [u8; 32], canonical: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(hex(&before).as_bytes());
    hash.update(b"\n");
    hash.update(canonical.as_bytes());
    hash.finalize().into()
}

/// A transition as it is hashed: what callers see of it, without the hashes and with the message.
fn shown(transition: &Transition, message: &str, input: Option<&String>) -> Value {
    let (stage, channel, from, to) = match transition.moved {
        Moved::Stage { number, channel, from, to, .. } => {
            (Some(number), Some(channel.word()), Some(from.word()), to.word())
        }
        Moved::Message { from, to } => (None, None, from.map(crate::model::Status::word), to.word()),
    };
    let reason = transition.reason.map(crate::model::Reason::word);
    let detail = match (reason, &transition.detail) {
        (Some(reason), Some(detail)) => Some(format!("{reason}: {detail}")),
        (Some(reason), None) => Some(reason.to_owned()),
        (None, detail) => detail.clone(),
    };
    json!({
        "seq": transition.seq,
        "at": transition.at,
        "event": transition.event.word(),
        "from": from,
        "to": to,
        "stage": stage,
        "channel": channel,
        "provider": transition.provider,
        "detail": detail,
        "input": input,
        "message_id": message,
    })
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}
