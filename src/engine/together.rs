//! One change of several messages: what one callback brought is written as a whole, or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::OwnedMutexGuard;

use super::callers::TRIES_MAX;
use super::decide::{Before, Decision, Input};
use super::desk::Desk;
use super::doc::ReplyText;
use super::front::Refusal;
use super::running::Running;
use super::tell::reply_of;
use crate::model::shapes::EventType;
use crate::model::{Confirmation, Id, kinds};
use crate::store::rows::{ConsentRow, EventFilter, NewAudit};
use crate::store::{Change, Committed, ConsentChange, MessageChange, Page, PageStart, StoreError};

/// One thing that came for a message.
#[derive(Clone)]
pub(super) enum Item {
    /// A receipt.
    Receipt(Input),
    /// A person's reply.
    Reply(Reply),
}

/// A person's reply to an attempt.
#[derive(Clone)]
pub(super) struct Reply {
    pub(super) number: u32,
    pub(super) text: ReplyText,
    /// It named no send: all that is known is whose address it came from.
    pub(super) by_address: bool,
    /// What it says of the channel.
    pub(super) consent: Option<(ConsentRow, NewAudit)>,
}

/// How it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Through {
    /// From outside, to this node.
    Callback,
    /// By way of another node, which left it.
    Signal,
}

/// A message that is locked, with what happens to it.
struct Part {
    id: Id<kinds::Message>,
    held: OwnedMutexGuard<Option<Running>>,
    inputs: Vec<Input>,
}

impl Desk {
    /// Changes these messages, and writes what stands `beside`, in one commit. Durable when this ends;
    /// where it fails nothing was written.
    pub(super) async fn change_together(
        self: &Arc<Self>,
        messages: &BTreeMap<Id<kinds::Message>, Vec<Item>>,
        through: Through,
        beside: &(dyn Fn() -> Change + Send + Sync),
    ) -> Result<(), Refusal> {
        let _counted = self.begin();
        for _ in 0..TRIES_MAX {
            match self.change_together_once(messages, through, beside()).await {
                Err(Refusal::Store(error)) if self.may_decide_anew(&error) => self.read_for(&error).await?,
                done => return done,
            }
        }
        Err(Refusal::Overloaded)
    }

    async fn change_together_once(
        self: &Arc<Self>,
        messages: &BTreeMap<Id<kinds::Message>, Vec<Item>>,
        through: Through,
        mut beside: Change,
    ) -> Result<(), Refusal> {
        self.catch_up().await?;
        beside.seen = self.seen();
        let mut parts = Vec::with_capacity(messages.len());
        let changed = match self.lock_all(messages, through, &mut parts, &mut beside).await {
            Ok(()) => self.changed_together(&mut parts, beside).await.map_err(Refusal::from),
            Err(refusal) => Err(refusal),
        };
        let refused = match &changed {
            Err(Refusal::Store(error)) => Some(error),
            _ => None,
        };
        for Part { id, held, .. } in &parts {
            if let Some(running) = held.as_ref() {
                self.settle_after(*id, running, refused);
            }
        }
        changed
    }

    /// Locks the messages in the order of their ids: who wants several waits for none that another one
    /// who wants several holds. One that is gone takes nothing.
    async fn lock_all(
        self: &Arc<Self>,
        messages: &BTreeMap<Id<kinds::Message>, Vec<Item>>,
        through: Through,
        parts: &mut Vec<Part>,
        beside: &mut Change,
    ) -> Result<(), Refusal> {
        for (&id, items) in messages {
            let held = match self.enter(id).await {
                Ok(held) => held,
                Err(Refusal::NotFound) => continue,
                Err(refusal) => return Err(refusal),
            };
            parts.push(Part { id, held, inputs: Vec::new() });
            let Some(part) = parts.last_mut() else { continue };
            if let Some(running) = part.held.as_mut() {
                self.refresh(running).await?;
                part.inputs = self.inputs(running, items.clone(), beside).await?;
                // What was left for whoever comes first is not left once more.
                let is_left = through == Through::Signal && running.state.instance.ended().is_some();
                if !is_left && !self.may_change(running) {
                    // The node that has a call of it open is told, durably, in this same change.
                    for input in std::mem::take(&mut part.inputs) {
                        beside.signals.extend(self.signal(running, &input, None)?);
                    }
                    self.let_go(id, running);
                    parts.pop();
                }
            }
        }
        Ok(())
    }

    /// How what came is put to the machine. A reply that was told already says nothing of a channel
    /// either: it may be older than another one that did.
    async fn inputs(
        &self,
        running: &Running,
        items: Vec<Item>,
        beside: &mut Change,
    ) -> Result<Vec<Input>, StoreError> {
        let mut inputs = Vec::with_capacity(items.len());
        let (mut replied, mut here) = (BTreeSet::new(), Vec::new());
        for item in items {
            match item {
                Item::Receipt(input) => inputs.push(input),
                Item::Reply(Reply { number, text, by_address, consent }) => {
                    let level = running.state.instance.level_of(number);
                    let attempt = running.attempts.iter().find(|attempt| attempt.number == number);
                    let is_open = attempt.is_some_and(|attempt| attempt.outcome.is_none());
                    let early = by_address && level.is_none() && is_open;
                    let first = !early && level != Some(Confirmation::Replied) && replied.insert(number);
                    if !first && (here.contains(&text) || self.was_told(running.info.id, &text).await?) {
                        continue;
                    }
                    here.push(text.clone());
                    inputs.push(if early {
                        Input::Early { number, reply: text }
                    } else if first {
                        let (level, reply) = (Confirmation::Replied, Some(text));
                        Input::Confirmed { number, level, sent_as: None, reply }
                    } else {
                        Input::Another { number, reply: text }
                    });
                    if let Some((row, audit)) = consent {
                        beside.consents.push(ConsentChange::Put(row));
                        beside.audit.push(audit);
                    }
                }
            }
        }
        Ok(inputs)
    }

    /// Whether this very reply to a message was told already.
    async fn was_told(&self, message: Id<kinds::Message>, reply: &ReplyText) -> Result<bool, StoreError> {
        let kind = Some(EventType::MessageReplied.word().to_owned());
        let filter = EventFilter { kind, message: Some(message) };
        let told = self.scope.events(filter, Page { start: PageStart::Newest, limit: 100 }).await?;
        for event in &told.rows {
            if reply_of(&self.scope, &event.row.row).await?.as_ref() == Some(reply) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Decides and commits; the locks are held.
    async fn changed_together(
        self: &Arc<Self>,
        parts: &mut [Part],
        beside: Change,
    ) -> Result<(), StoreError> {
        let people = !beside.consents.is_empty();
        let left = !beside.signals.is_empty() || !beside.signals_done.is_empty();
        let is_alone = beside.early_receipts.is_empty() && !people && !left;
        let (mut decisions, mut change) = (Vec::with_capacity(parts.len()), beside);
        if let Err(error) = self.decide_together(parts, &mut decisions, &mut change) {
            for decision in decisions.iter_mut().rev() {
                self.undo(decision);
            }
            return Err(error);
        }
        let changed: BTreeSet<_> = change.messages.iter().filter_map(|part| part.step.of()).collect();
        if !is_alone || !changed.is_empty() {
            crash_point!("change.before-commit");
            if let Committed::Replayed(_) = self.commit(change, &mut decisions).await? {
                return Ok(());
            }
            crash_point!("change.after-commit");
        }
        let running = parts.iter_mut().filter_map(|part| part.held.as_mut());
        for (running, decision) in running.zip(decisions) {
            let is_changed = changed.contains(&running.n);
            running.version += u32::from(is_changed);
            self.applied(running, decision);
            if is_changed {
                self.owned(running);
            }
        }
        if people {
            self.people_changed();
        }
        Ok(())
    }

    /// A decision for each message, and the rows of those that change.
    fn decide_together(
        &self,
        parts: &mut [Part],
        decisions: &mut Vec<Decision>,
        change: &mut Change,
    ) -> Result<(), StoreError> {
        let now = self.now();
        for part in parts {
            let Some(running) = part.held.as_ref() else { continue };
            let decision = self.decide(Before::of(running), &mut part.inputs, now)?;
            decisions.push(decision);
            let Some(decision) = decisions.last_mut() else { continue };
            if decision.is_quiet(running) {
                continue;
            }
            let was_ended = running.state.instance.ended().is_some();
            let begun = Some((running.n, running.version));
            if let Some(step) = decision.message_step(&running.info, begun, was_ended, None)? {
                let mut rows = MessageChange::new(step);
                decision.fill(&mut rows);
                change.messages.push(rows);
            }
            if let Some(key) = &running.info.key {
                key.keep_in(change);
            }
        }
        Ok(())
    }
}
