//! What is kept of a change, for the audit: what `step` was given, and the transitions that came.
//!
//! The body of a journal row is one byte with its form, the length of the entry as four bytes, the
//! entry, and the transitions, a line each, in the very form that is hashed.

use std::borrow::Cow;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::machine::{JournalEntry, Moved, Transition};
use crate::model::{Id, kinds, write_canonical_string};
use crate::store::StoreError;
use crate::store::rows::JournalRow;

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
    each_line(Some(message), &bytes, transitions, |line| {
        hash = chained(hash, line);
        body.extend(line.as_bytes());
        body.push(b'\n');
    });
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
    let mut lines = Vec::with_capacity(transitions.len());
    each_line(message, entry, transitions, |line| lines.push(line.to_owned()));
    lines
}

fn each_line(
    message: Option<Id<kinds::Message>>,
    entry: &[u8],
    transitions: &[Transition],
    mut take: impl FnMut(&str),
) {
    let input = hex(&Sha256::digest(entry));
    let id = message.map(|id| id.to_string()).unwrap_or_default();
    let mut line = String::with_capacity(384);
    for (place, transition) in transitions.iter().enumerate() {
        line.clear();
        write_line(transition, &id, (place == 0).then_some(input.as_str()), &mut line);
        take(&line);
    }
}

/// The hash of a transition: of the one before in lower-case hex, a newline, and its canonical form.
#[must_use]
pub fn chained(before: [u8; 32], canonical: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut text = [b'\n'; 65];
    for (pair, byte) in text.chunks_exact_mut(2).zip(before) {
        pair.copy_from_slice(&digits(byte));
    }
    hash.update(text);
    hash.update(canonical.as_bytes());
    hash.finalize().into()
}

/// Appends a transition as it is hashed: what callers see of it, without the hashes and with the
/// message. Its canonical form, written directly: the fields in the order of their names.
fn write_line(transition: &Transition, message: &str, input: Option<&str>, line: &mut String) {
    let (stage, channel, from, to) = match transition.moved {
        Moved::Stage { number, channel, from, to, .. } => {
            (Some(number), Some(channel.word()), Some(from.word()), to.word())
        }
        Moved::Message { from, to } => (None, None, from.map(crate::model::Status::word), to.word()),
    };
    let reason = transition.reason.map(crate::model::Reason::word);
    let detail = match (reason, &transition.detail) {
        (Some(reason), Some(detail)) => Some(Cow::Owned(format!("{reason}: {detail}"))),
        (Some(reason), None) => Some(Cow::Borrowed(reason)),
        (None, detail) => detail.as_deref().map(Cow::Borrowed),
    };
    let text = |name: &str, value: Option<&str>, line: &mut String| {
        line.push_str(name);
        match value {
            Some(value) => write_canonical_string(value, line),
            None => line.push_str("null"),
        }
    };
    let number = |name: &str, value: Option<u32>, line: &mut String| {
        line.push_str(name);
        // Writing to a string does not fail.
        let _ = match value {
            Some(value) => write!(line, "{value}"),
            None => write!(line, "null"),
        };
    };
    let _ = write!(line, "{{\"at\":\"{}\"", transition.at);
    text(",\"channel\":", channel, line);
    text(",\"detail\":", detail.as_deref(), line);
    text(",\"event\":", Some(transition.event.word()), line);
    text(",\"from\":", from, line);
    text(",\"input\":", input, line);
    text(",\"message_id\":", Some(message), line);
    text(",\"provider\":", transition.provider.as_deref(), line);
    number(",\"seq\":", Some(transition.seq), line);
    number(",\"stage\":", stage.map(u32::from), line);
    text(",\"to\":", Some(to), line);
    line.push('}');
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let digits: Vec<u8> = bytes.iter().flat_map(|byte| digits(*byte)).collect();
    // Digits are ASCII.
    String::from_utf8(digits).unwrap_or_default()
}

const fn digits(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [DIGITS[(byte >> 4) as usize], DIGITS[(byte & 15) as usize]]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{StageId, Was};
    use crate::model::{Channel, Instant, Reason, StageState, Status, canonical};

    fn is_canonical(transition: &Transition, input: Option<&str>) -> serde_json::Value {
        let mut line = String::new();
        write_line(transition, "msg_1", input, &mut line);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(canonical(&value), line);
        value
    }

    #[test]
    fn a_line_is_in_the_canonical_form() {
        let stage = Transition {
            seq: 3,
            at: Instant::from_ms(1_767_614_400_007),
            event: Was::ALL[0],
            moved: Moved::Stage {
                stage: StageId(0),
                number: 2,
                channel: Channel::Sms,
                from: StageState::Pending,
                to: StageState::Sending,
            },
            provider: Some("a \"b\" \u{1} ö".to_owned()),
            attempt: Some(1),
            reason: Some(Reason::ALL[0]),
            detail: Some("line\nline \\".to_owned()),
        };
        let value = is_canonical(&stage, Some("ab"));
        assert_eq!(value["provider"], "a \"b\" \u{1} ö");
        assert_eq!((value["stage"].as_u64(), value["seq"].as_u64()), (Some(2), Some(3)));
        assert_eq!(value["detail"], format!("{}: line\nline \\", Reason::ALL[0].word()));
        let message = Moved::Message { from: None, to: Status::Queued };
        let value = is_canonical(&Transition { moved: message, provider: None, ..stage }, None);
        assert!(value["from"].is_null() && value["input"].is_null() && value["stage"].is_null());
        assert_eq!(value.as_object().unwrap().len(), 11);
    }
}
