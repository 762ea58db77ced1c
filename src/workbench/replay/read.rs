//! The lines of an export, read.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::machine::JournalEntry;
use crate::model::{Currency, Instant, Priority};

/// The layouts of an export that can be read.
const FORMATS: [u32; 1] = [1];

/// What an export holds, as far as it matters here.
#[derive(Debug, Default)]
pub struct Export {
    /// The versions, by the name under which messages name them.
    pub versions: BTreeMap<String, Version>,
    /// The messages, in the order of the export.
    pub messages: Vec<Message>,
    scope: Scope,
    /// Where a message stands, by its id: its transitions follow it.
    places: BTreeMap<String, usize>,
    lines: usize,
}

/// A version of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Version {
    /// `name@version`, or a digest of a strategy of a message's own.
    pub name: String,
    /// Its name in the text.
    pub policy: String,
    /// The text.
    pub source: String,
    /// The `name@version` of each `use` in it.
    #[serde(default)]
    pub uses: Vec<String>,
}

/// A message with everything that its steps were given.
#[derive(Debug)]
pub struct Message {
    /// Its id.
    pub id: String,
    /// The version that decided it.
    pub policy: String,
    /// Its category.
    pub category: String,
    /// Its priority.
    pub priority: Priority,
    /// When it ended.
    pub ended_at: Option<Instant>,
    /// The tenant's zone.
    pub zone: String,
    /// The tenant's currency.
    pub currency: Option<Currency>,
    /// What its changes were given, in order.
    pub entries: Vec<JournalEntry>,
}

#[derive(Debug, Clone, Default)]
struct Scope {
    zone: Option<String>,
    currency: Option<Currency>,
}

#[derive(Deserialize)]
struct MessageLine {
    message_id: String,
    policy: String,
    category: String,
    priority: Priority,
    ended_at: Option<Instant>,
    #[serde(default)]
    unwritten: Option<Value>,
}

#[derive(Deserialize)]
struct TransitionLine {
    message_id: String,
    #[serde(default)]
    given: Option<Value>,
}

#[derive(Deserialize)]
struct ScopeLine {
    #[serde(default)]
    timezone: Option<String>,
    #[serde(default)]
    currency: Option<Currency>,
}

/// A line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} {what}")]
pub struct ReadFault {
    /// Which, from 1.
    pub line: usize,
    /// What is wrong with it, and what to do.
    pub what: String,
}

impl Export {
    /// Takes the next line; of a page behind which there is another, the last gives its cursor.
    ///
    /// # Errors
    /// What is no line of an export, or one of a layout that this program does not know.
    pub fn line(&mut self, text: &str) -> Result<Option<String>, ReadFault> {
        self.lines += 1;
        if text.trim().is_empty() {
            return Ok(None);
        }
        let line = self.lines;
        let wrong = |what: &str| ReadFault { line, what: what.to_owned() };
        let no_export = "is no line of an audit export; write one with `spine audit export`";
        let value: Value = serde_json::from_str(text).map_err(|_| wrong(no_export))?;
        let kind = value.get("type").and_then(Value::as_str).ok_or_else(|| wrong(no_export))?.to_owned();
        let damaged = |_| wrong(&format!("is a `{kind}` that lacks what one holds; export it again"));
        match kind.as_str() {
            "export" => {
                let format = value.get("format").and_then(Value::as_u64).unwrap_or_default();
                if !FORMATS.iter().any(|known| u64::from(*known) == format) {
                    let what =
                        format!("says format {format}; read it with the version of spine that wrote it");
                    return Err(wrong(&what));
                }
            }
            "scope" => {
                let ScopeLine { timezone, currency } = serde_json::from_value(value).map_err(damaged)?;
                self.scope = Scope { zone: timezone, currency };
            }
            "policy" => {
                let version: Version = serde_json::from_value(value).map_err(damaged)?;
                self.versions.insert(version.name.clone(), version);
            }
            "message" => self.message(serde_json::from_value(value).map_err(damaged)?, line)?,
            "transition" => {
                let transition: TransitionLine = serde_json::from_value(value).map_err(damaged)?;
                self.transition(transition, line)?;
            }
            "next" => return Ok(value.get("after").and_then(Value::as_str).map(str::to_owned)),
            // Other entries of the audit decide nothing; nor do lines of a later minor version.
            _ => {}
        }
        Ok(None)
    }

    fn message(&mut self, read: MessageLine, line: usize) -> Result<(), ReadFault> {
        self.places.insert(read.message_id.clone(), self.messages.len());
        // What came after the last transition comes last.
        let unwritten = read.unwritten.map(|given| entry(&given, line)).transpose()?;
        self.messages.push(Message {
            id: read.message_id,
            policy: read.policy,
            category: read.category,
            priority: read.priority,
            ended_at: read.ended_at,
            zone: self.scope.zone.clone().unwrap_or_else(|| "UTC".to_owned()),
            currency: self.scope.currency,
            entries: unwritten.into_iter().collect(),
        });
        Ok(())
    }

    fn transition(&mut self, read: TransitionLine, line: usize) -> Result<(), ReadFault> {
        let Some(given) = read.given else { return Ok(()) };
        // Of a message that was dropped there is no line, and nothing to run.
        let place = self.places.get(&read.message_id).copied();
        let Some(message) = place.and_then(|place| self.messages.get_mut(place)) else { return Ok(()) };
        let entry = entry(&given, line)?;
        match message.entries.pop() {
            Some(last) if message.entries.is_empty() && last.beginning().is_none() => {
                message.entries.extend([entry, last]);
            }
            last => {
                message.entries.extend(last);
                message.entries.push(entry);
            }
        }
        Ok(())
    }
}

fn entry(given: &Value, line: usize) -> Result<JournalEntry, ReadFault> {
    let bytes = serde_json::to_vec(given).unwrap_or_default();
    JournalEntry::from_bytes(&bytes)
        .map_err(|error| ReadFault { line, what: format!("cannot be used: {error}") })
}
