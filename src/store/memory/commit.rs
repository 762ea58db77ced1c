//! One change's turn: the lease, the write, and who hears of it.

use std::sync::Arc;

use super::sabotage::Sabotage;
use super::schedule::{Ask, Step, Work};
use super::tables::{Tables, Undo};
use super::write::{Writer, write};
use super::{Rows, Shared};
use crate::model::{ScopeId, Status};
use crate::store::rows::MessageState;
use crate::store::{Applied, Change, Committed, MessageStep, NodeId, Position, StoreError};

/// What a change has made others want to know.
#[derive(Default)]
struct News {
    newest_event: Option<Position>,
    /// Settings, people, health: for everybody.
    all: bool,
    /// Owners of messages for which there is a signal.
    owners: Vec<NodeId>,
}

impl Shared {
    /// Writes a change.
    pub(super) fn commit(
        self: &Arc<Self>,
        node: NodeId,
        scope: ScopeId,
        mut change: Change,
    ) -> Result<Committed, StoreError> {
        let writer = Writer { node, is_shared: self.is_shared, sabotage: self.sabotage };
        let mut rows = self.rows();
        if self.is_shared && self.sabotage != Some(Sabotage::DropsTheFence) {
            rows.check_lease(node, self.schedule.now())?;
        }
        let tables = rows.scopes.get_mut(&scope).ok_or(StoreError::NoScope(scope.0))?;
        self.spoil(tables, &mut change);
        let heads = tables.heads;
        let (committed, undo) = write(tables, writer, &change)?;
        let Committed::Applied(applied) = &committed else { return Ok(committed) };
        let news = news(tables, node, &change, applied);
        match self.sabotage {
            Some(Sabotage::LosesMessages) if !applied.messages.is_empty() => undo.run(tables),
            Some(Sabotage::WritesLater) => {
                undo.run(tables);
                tables.heads = heads;
                let shared = Arc::clone(self);
                let later: Work = Box::new(move |_| {
                    if let Some(tables) = shared.rows().scopes.get_mut(&scope) {
                        drop(write(tables, writer, &change));
                    }
                });
                drop(rows);
                self.schedule.run(node, Step::Asked(Ask::Commit), later);
                self.tell(node, scope, &news);
                return Ok(committed);
            }
            _ => self.spoil_after(&mut rows, scope, &change, applied, undo),
        }
        self.schedule.written(node, scope, &change, applied);
        drop(rows);
        self.tell(node, scope, &news);
        Ok(committed)
    }

    /// Wakes this node where there are events, and sends word to the others.
    fn tell(self: &Arc<Self>, node: NodeId, scope: ScopeId, news: &News) {
        let others: Vec<NodeId> = {
            let mut bells = self.bells();
            if let (Some(newest), Some(own)) = (news.newest_event, bells.events.get_mut(&(node, scope))) {
                own.raise(newest);
            }
            bells.nodes.keys().copied().filter(|other| *other != node).collect()
        };
        for other in others {
            if news.all || news.newest_event.is_some() || news.owners.contains(&other) {
                self.ring(other, Some((scope, news.newest_event.unwrap_or_default())));
            }
        }
    }

    /// Sends word to a node.
    pub(super) fn ring(self: &Arc<Self>, node: NodeId, event: Option<(ScopeId, Position)>) {
        let shared = Arc::clone(self);
        let news: Work = Box::new(move |_| {
            let mut bells = shared.bells();
            if let Some((scope, newest)) = event
                && let Some(bell) = bells.events.get_mut(&(node, scope))
            {
                bell.raise(newest);
            }
            if let Some(bell) = bells.nodes.get_mut(&node) {
                bell.tell(bell.known.wrapping_add(1));
            }
        });
        self.schedule.run(node, Step::News, news);
    }

    /// What is broken on purpose before a change is written.
    fn spoil(&self, tables: &Tables, change: &mut Change) {
        match self.sabotage {
            Some(Sabotage::SkipsATransition) => {
                for part in &mut change.messages {
                    part.journal.retain(|row| row.seq == 1);
                }
            }
            Some(Sabotage::DropsAnEvent) => {
                if let Some(part) = change.messages.iter_mut().find(|part| part.events.len() > 1) {
                    part.events.pop();
                }
            }
            Some(Sabotage::SharesClaims) => change.claims.clear(),
            _ => {}
        }
        debug_assert!(tables.heads.message >= 0);
    }

    /// What is broken on purpose once it is.
    fn spoil_after(&self, rows: &mut Rows, scope: ScopeId, change: &Change, applied: &Applied, undo: Undo) {
        let other = rows.scopes.keys().copied().find(|other| *other != scope);
        let Some(tables) = rows.scopes.get_mut(&scope) else { return };
        match self.sabotage {
            Some(Sabotage::AnswersTooEarly) => rows.volatile.push((scope, undo)),
            Some(Sabotage::WritesTwice) => {
                if let Some(last) = tables.journal.last_key_value().map(|(_, row)| row.clone())
                    && change.messages.iter().any(|part| !part.journal.is_empty())
                {
                    tables.heads.journal += 1;
                    tables.journal.insert(tables.heads.journal, last);
                }
            }
            Some(Sabotage::ChangesAnEnd) => {
                let ends = tables.ended.values_mut().map(|row| &mut row.state);
                for state in ends {
                    if let MessageState::Ended(ended) = state
                        && ended.status != Status::Delivered
                        && change.messages.iter().any(|part| matches!(part.step, MessageStep::Begin(..)))
                    {
                        ended.status = Status::Delivered;
                    }
                }
            }
            Some(Sabotage::RewritesTheAudit) => {
                if let Some(entry) = tables.audit.get_mut(&1).filter(|_| !change.audit.is_empty()) {
                    entry.entry.what = "contact.read".to_owned();
                    entry.entry.canonical.push(b' ');
                }
            }
            Some(Sabotage::LeaksToAnotherScope) => {
                let Some(n) = applied.messages.first() else { return };
                let row = tables.messages.get(n).cloned();
                let state = tables.live.get(n).cloned();
                if let (Some(row), Some(other)) = (row, other.and_then(|it| rows.scopes.get_mut(&it))) {
                    let n = other.heads.message + 1;
                    other.heads.message = n;
                    other.message_ids.insert(row.id, n);
                    other.messages.insert(n, row);
                    if let Some(state) = state {
                        other.live.insert(n, state);
                    }
                }
            }
            _ => {}
        }
    }
}

fn news(tables: &Tables, node: NodeId, change: &Change, applied: &Applied) -> News {
    let settings = !change.versions.is_empty() || !change.providers.is_empty() || !change.quotas.is_empty();
    let people = !change.contacts.is_empty() || !change.consents.is_empty() || !change.erased.is_empty();
    let owner = |n: &Position| tables.live.get(n).or_else(|| tables.ended.get(n)).map(|row| row.owner);
    let owners = change.signals.iter().filter_map(|row| owner(&row.message));
    News {
        newest_event: (applied.events > 0).then(|| applied.first_event + i64::from(applied.events) - 1),
        all: settings || people || change.clock.is_some() || !change.provider_states.is_empty(),
        owners: owners.filter(|owner| *owner != node).collect(),
    }
}
