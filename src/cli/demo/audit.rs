//! The audit of a message, read over REST and recomputed.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::{DemoError, expect};
use crate::model::canonical;

/// Checks numbers and hashes of a message's transitions, as anyone who reads them can.
pub(super) fn verify(message_id: &Value, transitions: &[Value]) -> Result<(), DemoError> {
    let mut before = "0".repeat(64);
    for (index, transition) in transitions.iter().enumerate() {
        let seq = index + 1;
        expect(transition["seq"] == seq, || format!("transition {seq} has another number"))?;
        expect(transition["prev_hash"] == before.as_str(), || {
            format!("transition {seq} hangs on another hash")
        })?;
        let hash = hash_of(&before, message_id, transition);
        expect(transition["hash"] == hash.as_str(), || format!("transition {seq} has another hash"))?;
        before = hash;
    }
    Ok(())
}

/// SHA-256 of the hash before, a newline, and the canonical form of the rest with the message.
fn hash_of(before: &str, message_id: &Value, transition: &Value) -> String {
    let mut hashed: Map<String, Value> = transition.as_object().cloned().unwrap_or_default();
    hashed.retain(|name, _| name != "prev_hash" && name != "hash");
    hashed.insert("message_id".to_owned(), message_id.clone());
    let text = format!("{before}\n{}", canonical(&Value::Object(hashed)));
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
