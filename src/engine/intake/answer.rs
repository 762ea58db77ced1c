//! The answer to a batch, and the answers that are kept by reference.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::engine::desk::Desk;
use crate::engine::doc::{body_place, read_clear};
use crate::engine::records::{read, unreadable};
use crate::model::{Id, kinds};
use crate::store::StoreError;
use crate::store::rows::KeptAnswer;

/// An entry of a batch's answer.
pub(super) enum Part {
    Message(Id<kinds::Message>),
    Refused(u16, Value),
}

impl Part {
    pub(super) fn kept(&self) -> Value {
        match self {
            Part::Message(id) => json!({ "m": id }),
            Part::Refused(status, problem) => json!({"s": status, "e": problem}),
        }
    }

    fn read(value: &Value) -> Option<Part> {
        if let Some(id) = value.get("m") {
            return id.as_str()?.parse().ok().map(Part::Message);
        }
        let status = value.get("s")?.as_u64().and_then(|status| u16::try_from(status).ok())?;
        Some(Part::Refused(status, value.get("e")?.clone()))
    }
}

/// The answer to a batch: first bodies, and what stands between them.
pub(super) fn assemble(
    parts: &[Part],
    body: impl Fn(Id<kinds::Message>) -> Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    let mut out = br#"{"data":["#.to_vec();
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        match part {
            Part::Message(id) => {
                out.extend(br#"{"status":202,"message":"#);
                out.extend(body(*id)?);
                out.push(b'}');
            }
            Part::Refused(status, problem) => {
                out.extend(serde_json::to_vec(&json!({"status": status, "error": problem})).ok()?);
            }
        }
    }
    out.extend(b"]}");
    Some(out)
}

impl Desk {
    /// The bytes of an answer that is kept by reference; `None` once a person in it was erased.
    pub(in crate::engine) async fn kept_body(&self, kept: KeptAnswer) -> Result<Option<Vec<u8>>, StoreError> {
        match kept {
            KeptAnswer::FirstBody(id) => self.first_body(id).await,
            KeptAnswer::FirstBodies(list) => {
                let list: Vec<Value> = read(&list)?;
                let parts: Option<Vec<Part>> = list.iter().map(Part::read).collect();
                let parts = parts.ok_or_else(unreadable)?;
                let mut bodies = HashMap::new();
                for part in &parts {
                    if let Part::Message(id) = part {
                        let Some(body) = self.first_body(*id).await? else { return Ok(None) };
                        bodies.insert(*id, body);
                    }
                }
                Ok(assemble(&parts, |id| bodies.get(&id).cloned()))
            }
            KeptAnswer::Empty => Ok(Some(Vec::new())),
            KeptAnswer::Plain(bytes) => Ok(Some(bytes)),
            KeptAnswer::Sealed(_) => Ok(None),
        }
    }

    async fn first_body(&self, id: Id<kinds::Message>) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(stored) = self.scope.message(id).await? else { return Ok(None) };
        let clear = read_clear(&stored.row.doc)?;
        let Some(key) = self.scope.known_subject_key(clear.subject()).await? else { return Ok(None) };
        let Some(sealed) = self.scope.first_body(id).await? else { return Ok(None) };
        match self.scope.open(&key, &body_place(id), &sealed) {
            Ok(body) => Ok(Some(body)),
            // The person was erased, and written to again since: under another key.
            Err(StoreError::Sealed) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
