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
use crate::store::rows::{MessageState, Names, StoredJournal, StoredMessage, VersionKind};
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
    let mut export = Export { scope, policies: Policies::default(), told: BTreeSet::new(), to };
    let mut start = PageStart::Before(0);
    loop {
        let page = scope.messages(Default::default(), Page { start, limit: PAGE }).await?;
        for message in page.rows.iter().rev() {
            if !export.message(&message.row).await? {
                return Ok(());
            }
        }
        match page.rows.first() {
            Some(newest) if page.has_more => start = PageStart::Before(newest.n),
            _ => break,
        }
    }
    let mut after = 0;
    loop {
        let dropped = scope.dropped_with_journal(after, PAGE).await?;
        for n in &dropped {
            if !export.transitions(*n).await? {
                return Ok(());
            }
        }
        match dropped.last() {
            Some(last) => after = *last,
            None => break,
        }
    }
    export.entries().await
}

struct Export<'a> {
    scope: &'a Scope,
    policies: Policies,
    /// The versions whose texts have been handed over.
    told: BTreeSet<String>,
    to: &'a mut (dyn Lines + Send),
}

fn line(kind: &str, fields: Value) -> Value {
    let mut line = Map::new();
    line.insert("type".to_owned(), kind.into());
    if let Value::Object(fields) = fields {
        line.extend(fields);
    }
    Value::Object(line)
}

impl Export<'_> {
    async fn message(&mut self, message: &StoredMessage) -> Result<bool, StoreError> {
        let row = &message.row;
        let clear = read_clear(&row.doc)?;
        let plan = self.policies.of_message(self.scope, row.policy.as_ref(), &clear).await?;
        if !self.text_of(&plan, row.policy.as_ref(), &clear).await? {
            return Ok(false);
        }
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
        Ok(self.to.line(line("message", fields)) && self.transitions(message.n).await?)
    }

    /// The texts of a plan and of all that it uses, each once.
    async fn text_of(
        &mut self,
        plan: &Plan,
        policy: Option<&Names>,
        clear: &Clear,
    ) -> Result<bool, StoreError> {
        let uses = match policy {
            Some(names) => vec![shown(names)],
            None => {
                if !self.told.insert(plan.name.clone()) {
                    return Ok(true);
                }
                let source = match (&clear.strategy, &clear.channels) {
                    (Some(strategy), _) => strategy.as_str().to_owned(),
                    (None, Some(channels)) => of_channels(&channels.0, clear.fallback_after),
                    (None, None) => String::new(),
                };
                let fields =
                    json!({"name": plan.name, "policy": BARE_NAME, "source": source, "uses": clear.uses});
                if !self.to.line(line("policy", fields)) {
                    return Ok(false);
                }
                clear.uses.clone()
            }
        };
        let mut todo = uses;
        while let Some(name) = todo.pop() {
            if !self.told.insert(name.clone()) {
                continue;
            }
            let Some((bare, version)) = name.split_once('@') else { continue };
            let version = version.parse().ok();
            let Some(row) = self.scope.version(VersionKind::Policy, bare, version).await? else { continue };
            let PolicyRecord { source, uses, .. } = PolicyRecord::read(&row.doc)?;
            let fields = json!({"name": name, "policy": bare, "source": source, "uses": uses});
            if !self.to.line(line("policy", fields)) {
                return Ok(false);
            }
            todo.extend(uses);
        }
        Ok(true)
    }

    async fn transitions(&mut self, n: Position) -> Result<bool, StoreError> {
        let mut hash = NO_HASH;
        for row in &journal(self.scope, n).await? {
            if !self.change(row, &mut hash)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn change(&mut self, row: &StoredJournal, hash: &mut [u8; 32]) -> Result<bool, StoreError> {
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
            if !self.to.line(line("transition", fields)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn entries(&mut self) -> Result<(), StoreError> {
        let mut after = 0;
        loop {
            let rows = self.scope.audit_after(after, PAGE).await?;
            for row in &rows {
                after = row.n;
                let entry = &row.row.entry;
                let fields = json!({
                    "id": entry.id, "at": entry.at, "who": entry.who, "what": entry.what,
                    "object_id": entry.object_id, "request_id": entry.request_id,
                    "prev_hash": hex(&row.row.prev_hash), "hash": hex(&row.row.hash),
                });
                if !self.to.line(line("entry", fields)) {
                    return Ok(());
                }
            }
            if rows.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) {
                return Ok(());
            }
        }
    }
}

fn shown(names: &Names) -> String {
    format!("{}@{}", names.name, names.version)
}

/// What a change was decided by. An entry is JSON, its names in the order in which they were hashed.
fn given(entry: &[u8]) -> Option<Value> {
    serde_json::from_slice(entry).ok()
}
