//! The audit of a scope as lines of JSON: what `spine audit verify` looks at, for other programs.
//!
//! A line has a `type`:
//! - `policy`: a version with its text, before the first message that it decided;
//! - `message`: one that was accepted, and where it stands; no personal data;
//! - `transition`: of a message, as `GET /messages/{id}/transitions` shows it, with its hashes. The first
//!   of a change also holds, as `given`, what the change was decided by;
//! - `entry`: anything else that was done.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::doc::{Clear, State, read_clear};
use super::journal::{Body, NO_HASH, chained, hex};
use super::policies::{Plan, Policies, of_channels};
use super::records::PolicyRecord;
use super::verify::journal;
use crate::language::BARE_NAME;
use crate::store::rows::{AuditRow, MessageState, Names, StoredJournal, StoredMessage, VersionKind};
use crate::store::seal::Scope;
use crate::store::{Page, PageStart, Position, StoreError};

/// The number of these lines' layout.
pub const EXPORT_FORMAT: u32 = 1;

/// Messages, and entries, that are read at once.
const PAGE: u32 = 100;

/// Who takes the lines; false where nobody reads on.
pub trait Lines {
    /// Takes one.
    fn line(&mut self, line: Value) -> bool;
}

/// Hands over the audit of a scope: messages in the order of their acceptance, those that were dropped
/// since, then the other entries.
///
/// # Errors
/// Where a row cannot be read.
pub async fn export(scope: &Scope, to: &mut (dyn Lines + Send)) -> Result<(), StoreError> {
    let mut export = Export::new(scope, to);
    let mut from = 0;
    while let Some(next) = export.messages(from, PAGE).await? {
        from = next;
    }
    let mut after = 0;
    while let Some(next) = export.dropped(after, PAGE).await? {
        after = next;
    }
    let mut from = 0;
    while let Some(next) = export.entries(from, PAGE).await? {
        from = next;
    }
    Ok(())
}

/// Hands over a part of the audit of a scope: `limit` messages, or once these are through as many that
/// were dropped since, then other entries. `from` is 0 for the first part, then what the part before gave;
/// nothing after the last.
///
/// # Errors
/// Where a row cannot be read.
pub async fn export_page(
    scope: &Scope,
    from: Position,
    limit: u32,
    to: &mut (dyn Lines + Send),
) -> Result<Option<Position>, StoreError> {
    let mut export = Export::new(scope, to);
    if from >= 0 {
        return Ok(Some(export.messages(from, limit).await?.unwrap_or(DROPPED)));
    }
    if from <= DROPPED {
        let next = export.dropped(DROPPED - from, limit).await?;
        return Ok(Some(next.map_or(ENTRIES, |last| DROPPED - last)));
    }
    // Positions of entries lie below those of messages.
    Ok(export.entries(ENTRIES - from, limit).await?.map(|last| ENTRIES - last))
}

/// Where the entries begin, behind all messages.
const ENTRIES: Position = -1;
/// Where the messages that were dropped begin, below every entry.
const DROPPED: Position = Position::MIN / 2;

struct Export<'a> {
    scope: &'a Scope,
    policies: Policies,
    /// The versions whose texts have been handed over.
    told: BTreeSet<String>,
    to: &'a mut (dyn Lines + Send),
    /// Whether nobody reads on.
    is_left: bool,
}

/// A line of a type.
#[must_use]
pub fn line(kind: &str, fields: Value) -> Value {
    let mut line = Map::new();
    line.insert("type".to_owned(), kind.into());
    if let Value::Object(fields) = fields {
        line.extend(fields);
    }
    Value::Object(line)
}

impl<'a> Export<'a> {
    fn new(scope: &'a Scope, to: &'a mut (dyn Lines + Send)) -> Export<'a> {
        Export { scope, policies: Policies::default(), told: BTreeSet::new(), to, is_left: false }
    }

    fn put(&mut self, kind: &str, fields: Value) {
        self.is_left = self.is_left || !self.to.line(line(kind, fields));
    }

    /// The transitions of messages behind a position that were dropped since; gives the position of the
    /// last, nothing where there are none.
    async fn dropped(&mut self, after: Position, limit: u32) -> Result<Option<Position>, StoreError> {
        if self.is_left {
            return Ok(None);
        }
        let dropped = self.scope.dropped_with_journal(after, limit).await?;
        for n in &dropped {
            self.transitions(*n).await?;
        }
        Ok(dropped.last().copied())
    }

    /// Messages behind a position, in the order of their acceptance; gives the position of the last
    /// where there are more.
    async fn messages(&mut self, from: Position, limit: u32) -> Result<Option<Position>, StoreError> {
        let page = Page { start: PageStart::Before(from), limit };
        let page = self.scope.messages(Default::default(), page).await?;
        for message in page.rows.iter().rev() {
            if self.is_left {
                return Ok(None);
            }
            self.message(&message.row).await?;
        }
        let newest = page.rows.first().map(|row| row.n);
        Ok(newest.filter(|_| page.has_more && !self.is_left))
    }

    async fn message(&mut self, message: &StoredMessage) -> Result<(), StoreError> {
        let row = &message.row;
        let clear = read_clear(&row.doc)?;
        let plan = self.policies.of_message(self.scope, row.policy.as_ref(), &clear).await?;
        self.text_of(&plan, row.policy.as_ref(), &clear).await?;
        let (ended_at, bytes) = match &message.state {
            MessageState::Live(live) => (None, &live.state),
            MessageState::Ended(ended) => (Some(ended.at), &ended.state),
        };
        let state = State::read(bytes, &plan.machine)?;
        let template = row.template.as_ref().map(shown);
        let unwritten = (!state.unwritten.is_empty()).then(|| given(&state.unwritten)).flatten();
        let fields = json!({
            "message_id": row.id, "contact_id": row.contact, "policy": plan.name, "template": template,
            "category": clear.category, "priority": row.priority, "created_at": row.created_at,
            "expires_at": row.expires_at, "status": message.state.status(), "ended_at": ended_at,
            "unwritten": unwritten,
        });
        self.put("message", fields);
        self.transitions(message.n).await
    }

    /// The texts of a plan and of all that it uses, each once.
    async fn text_of(
        &mut self,
        plan: &Plan,
        policy: Option<&Names>,
        clear: &Clear,
    ) -> Result<(), StoreError> {
        let mut todo = match policy {
            Some(names) => vec![shown(names)],
            None => {
                if !self.told.insert(plan.name.clone()) {
                    return Ok(());
                }
                let source = match (&clear.strategy, &clear.channels) {
                    (Some(strategy), _) => strategy.as_str().to_owned(),
                    (None, Some(channels)) => of_channels(&channels.0, clear.fallback_after),
                    (None, None) => String::new(),
                };
                let fields =
                    json!({"name": plan.name, "policy": BARE_NAME, "source": source, "uses": clear.uses});
                self.put("policy", fields);
                clear.uses.clone()
            }
        };
        while let Some(name) = todo.pop() {
            if !self.told.insert(name.clone()) {
                continue;
            }
            let Some((bare, version)) = name.split_once('@') else { continue };
            let version = version.parse().ok();
            let Some(row) = self.scope.version(VersionKind::Policy, bare, version).await? else { continue };
            let PolicyRecord { source, uses, .. } = PolicyRecord::read(&row.doc)?;
            self.put("policy", json!({"name": name, "policy": bare, "source": source, "uses": uses}));
            todo.extend(uses);
        }
        Ok(())
    }

    async fn transitions(&mut self, n: Position) -> Result<(), StoreError> {
        let mut hash = NO_HASH;
        for row in &journal(self.scope, n).await? {
            self.change(row, &mut hash)?;
        }
        Ok(())
    }

    fn change(&mut self, row: &StoredJournal, hash: &mut [u8; 32]) -> Result<(), StoreError> {
        let body = Body::read(&row.row.body)?;
        for (place, text) in body.transitions.iter().enumerate() {
            let before = *hash;
            *hash = chained(before, text);
            let mut fields: Value = serde_json::from_str(text).unwrap_or_default();
            if let Some(fields) = fields.as_object_mut() {
                fields.insert("prev_hash".to_owned(), hex(&before).into());
                fields.insert("hash".to_owned(), hex(hash).into());
                if place == 0 {
                    fields.insert("given".to_owned(), given(&body.entry).unwrap_or_default());
                }
            }
            self.put("transition", fields);
        }
        Ok(())
    }

    /// Other entries behind a position; gives that of the last where there may be more.
    async fn entries(&mut self, after: Position, limit: u32) -> Result<Option<Position>, StoreError> {
        let rows = self.scope.audit_after(after, limit).await?;
        for row in &rows {
            self.put("entry", entry(&row.row));
        }
        let is_full = rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(rows.last().map(|row| row.n).filter(|_| is_full && !self.is_left))
    }
}

/// An entry of a chain as its line shows it.
#[must_use]
pub fn entry(row: &AuditRow) -> Value {
    let entry = &row.entry;
    json!({
        "id": entry.id, "at": entry.at, "who": entry.who, "what": entry.what,
        "object_id": entry.object_id, "request_id": entry.request_id,
        "prev_hash": hex(&row.prev_hash), "hash": hex(&row.hash),
    })
}

fn shown(names: &Names) -> String {
    format!("{}@{}", names.name, names.version)
}

/// What a change was decided by. An entry is JSON, its names in the order in which they were hashed.
fn given(entry: &[u8]) -> Option<Value> {
    serde_json::from_slice(entry).ok()
}
