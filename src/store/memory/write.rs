//! How a change is written: all of it, or nothing.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::sabotage::Sabotage;
use super::tables::{Of, StateRow, Undo, Used, Writing};
use crate::model::Instant;
use crate::store::rows::{
    AuditRow, EventRow, JournalRow, MessageRow, MessageState, NewAudit, ProviderStateRow, SignalRow,
    UsageWindow,
};
use crate::store::{
    Applied, Change, Committed, Generation, MessageChange, MessageStep, NodeId, Position, StoreError,
    Unsettled, UsageDelta,
};

use super::tables::Tables;

/// Who writes, and by which rules.
#[derive(Clone, Copy)]
pub(super) struct Writer {
    pub(super) node: NodeId,
    /// Whether other nodes may write the same rows.
    pub(super) is_shared: bool,
    pub(super) sabotage: Option<Sabotage>,
}

pub(super) const fn conflict(what: &'static str) -> StoreError {
    StoreError::Conflict { what }
}

/// Writes a change. The way back is given with the answer, for a store that loses it later.
pub(super) fn write(
    tables: &mut Tables,
    writer: Writer,
    change: &Change,
) -> Result<(Committed, Undo), StoreError> {
    let forgets = writer.sabotage == Some(Sabotage::ForgetsKeys);
    if let Some(known) = change.key().filter(|_| !forgets).and_then(|key| tables.kept.get(&key)) {
        return Ok((Committed::Replayed(Box::new(known.clone())), Undo::default()));
    }
    let mut writing = Writing::new(tables);
    match writing.change(writer, change) {
        Ok(applied) => Ok((Committed::Applied(applied), writing.undo)),
        Err(error) => {
            let Writing { tables, undo } = writing;
            undo.run(tables);
            Err(error)
        }
    }
}

impl Writing<'_> {
    fn change(&mut self, writer: Writer, change: &Change) -> Result<Applied, StoreError> {
        if writer.is_shared {
            self.still_so(writer, change)?;
        }
        if let Some(kept) = &change.keep {
            self.put(|tables| &mut tables.kept, kept.key, kept.clone());
        }
        let newest_event = self.tables.heads.event;
        let mut applied = Applied::default();
        for part in &change.messages {
            self.message(writer, part, &mut applied)?;
        }
        for row in &change.journal {
            self.transition(None, row)?;
        }
        for row in &change.events {
            self.event(None, row, &mut applied)?;
        }
        for (id, sealed) in &change.subjects {
            match self.tables.subjects.get(id) {
                Some(stands) if stands != sealed => return Err(conflict("a subject")),
                Some(_) => {}
                None => self.put(|tables| &mut tables.subjects, *id, sealed.clone()),
            }
        }
        for put in &change.deliveries {
            self.delivery(put)?;
        }
        for delta in &change.usage {
            self.usage(writer, delta)?;
        }
        if writer.is_shared && writer.sabotage != Some(Sabotage::ForgetsLimits) {
            self.within_limits(&change.usage)?;
        }
        for row in &change.provider_states {
            self.health(writer, row)?;
        }
        for row in &change.signals {
            applied.signals.push(self.signal(row));
        }
        for n in &change.signals_done {
            if !self.take(|tables| &mut tables.signals, *n) && writer.is_shared {
                return Err(conflict("a signal"));
            }
        }
        self.rare(change, newest_event)?;
        for entry in &change.audit {
            self.audit(entry);
        }
        self.raise(change);
        Ok(applied)
    }

    /// What the change was decided on must be so still.
    fn still_so(&self, writer: Writer, change: &Change) -> Result<(), StoreError> {
        if let Some(seen) = change.seen {
            let stands = self.tables.generation.get(&()).copied().unwrap_or_default();
            if seen.settings != stands.settings {
                return Err(StoreError::Stale { what: "the settings" });
            }
            if seen.people != stands.people {
                return Err(StoreError::Stale { what: "a contact or a consent" });
            }
        }
        let claimed = |name: &String| self.tables.claims.get(name) == Some(&writer.node);
        if !change.claims.iter().all(claimed) {
            return Err(conflict("a duty of this node"));
        }
        Ok(())
    }

    fn message(
        &mut self,
        writer: Writer,
        part: &MessageChange,
        applied: &mut Applied,
    ) -> Result<(), StoreError> {
        let own = |version, state| StateRow { version, owner: writer.node, state };
        let n = match &part.step {
            MessageStep::Begin(row, live) => {
                let n = self.begin(row, applied)?;
                self.put(|tables| &mut tables.live, n, own(1, MessageState::Live(live.clone())));
                n
            }
            MessageStep::BeginEnded(row, ended, unsettled) => {
                let n = self.begin(row, applied)?;
                self.put(|tables| &mut tables.ended, n, own(1, MessageState::Ended(ended.clone())));
                self.leave(n, *unsettled);
                n
            }
            MessageStep::Go { n, expected, live } => {
                let version = stands(self.tables.live.get(n), *expected, writer)?;
                self.put(|tables| &mut tables.live, *n, own(version, MessageState::Live(live.clone())));
                *n
            }
            MessageStep::End { n, expected, ended, unsettled } => {
                let version = stands(self.tables.live.get(n), *expected, writer)?;
                self.take(|tables| &mut tables.live, *n);
                self.put(|tables| &mut tables.ended, *n, own(version, MessageState::Ended(ended.clone())));
                self.leave(*n, *unsettled);
                *n
            }
            MessageStep::Amend { n, expected, ended, unsettled } => {
                let version = stands(self.tables.ended.get(n), *expected, writer)?;
                self.put(|tables| &mut tables.ended, *n, own(version, MessageState::Ended(ended.clone())));
                self.leave(*n, *unsettled);
                *n
            }
            MessageStep::Stay { n } => *n,
        };
        for row in &part.journal {
            self.transition(Some(n), row)?;
        }
        for row in &part.events {
            self.event(Some(n), row, applied)?;
        }
        for row in &part.attempts {
            self.tables.heads.attempt += 1;
            self.seen(row.id.as_u128());
            self.put(|tables| &mut tables.attempts, self.tables.heads.attempt, (n, row.clone()));
        }
        for row in &part.outcomes {
            self.tables.heads.outcome += 1;
            self.put(|tables| &mut tables.outcomes, self.tables.heads.outcome, (n, row.clone()));
        }
        Ok(())
    }

    /// Writes down when a message that has ended is due, or that it is settled.
    fn leave(&mut self, n: Position, unsettled: Unsettled) {
        match unsettled {
            Some(at) => self.put(|tables| &mut tables.unsettled, n, at),
            None => {
                self.take(|tables| &mut tables.unsettled, n);
            }
        }
    }

    fn begin(&mut self, row: &MessageRow, applied: &mut Applied) -> Result<Position, StoreError> {
        if self.tables.message_ids.contains_key(&row.id) {
            return Err(conflict("a message"));
        }
        self.tables.heads.message += 1;
        let n = self.tables.heads.message;
        self.seen(row.id.as_u128());
        self.put(|tables| &mut tables.message_ids, row.id, n);
        self.put(|tables| &mut tables.messages, n, Arc::new(row.clone()));
        applied.messages.push(n);
        Ok(n)
    }

    pub(super) fn transition(
        &mut self,
        message: Option<Position>,
        row: &JournalRow,
    ) -> Result<(), StoreError> {
        let same = |other: &Of<JournalRow>| other.message == message && other.row.seq == row.seq;
        if message.is_some() && self.tables.journal.values().rev().any(same) {
            return Err(conflict("a transition"));
        }
        self.tables.heads.journal += 1;
        self.put(|tables| &mut tables.journal, self.tables.heads.journal, Of { message, row: row.clone() });
        Ok(())
    }

    fn event(
        &mut self,
        message: Option<Position>,
        row: &EventRow,
        applied: &mut Applied,
    ) -> Result<(), StoreError> {
        if self.tables.event_ids.contains_key(&row.id) {
            return Err(conflict("an event"));
        }
        self.tables.heads.event += 1;
        let n = self.tables.heads.event;
        self.seen(row.id.as_u128());
        self.put(|tables| &mut tables.event_ids, row.id, n);
        self.put(|tables| &mut tables.events, n, Of { message, row: row.clone() });
        applied.first_event = if applied.events == 0 { n } else { applied.first_event };
        applied.events += 1;
        Ok(())
    }

    fn usage(&mut self, writer: Writer, delta: &UsageDelta) -> Result<(), StoreError> {
        let stands = self.tables.usage.get(&window(delta)).copied().unwrap_or_default();
        if writer.is_shared && delta.told_percent > 0 && stands.told_percent >= delta.told_percent {
            return Err(StoreError::Stale { what: "what was told of a quota" });
        }
        let used =
            Used { used: stands.used + delta.add, told_percent: stands.told_percent.max(delta.told_percent) };
        self.put(|tables| &mut tables.usage, window(delta), used);
        if writer.is_shared && delta.held != 0 {
            let held = self.tables.held.get(&delta.name).copied().unwrap_or_default() + delta.held;
            self.put(|tables| &mut tables.held, delta.name.clone(), held);
        }
        Ok(())
    }

    /// After the whole change, what is used in a window and held is within its limit.
    fn within_limits(&self, deltas: &[UsageDelta]) -> Result<(), StoreError> {
        for delta in deltas {
            let Some(limit) = delta.limit else { continue };
            let used = self.tables.usage.get(&window(delta)).map_or(0, |used| used.used);
            let held = self.tables.held.get(&delta.name).copied().unwrap_or_default();
            if u64::try_from(used.max(0) + held.max(0)).unwrap_or_default() > limit {
                return Err(StoreError::Stale { what: "what is left of a quota" });
            }
        }
        Ok(())
    }

    fn health(&mut self, writer: Writer, row: &ProviderStateRow) -> Result<(), StoreError> {
        let mut row = row.clone();
        if writer.is_shared {
            let stands = self.tables.provider_states.get(&row.provider).map_or(0, |stands| stands.version);
            if row.version != stands {
                return Err(conflict("a provider's health"));
            }
            row.version += 1;
        } else {
            row.version = 0;
        }
        self.put(|tables| &mut tables.provider_states, row.provider.clone(), row);
        let times = self.tables.health.get(&()).copied().unwrap_or_default() + 1;
        self.put(|tables| &mut tables.health, (), times);
        Ok(())
    }

    fn signal(&mut self, row: &SignalRow) -> Position {
        self.tables.heads.signal += 1;
        self.put(|tables| &mut tables.signals, self.tables.heads.signal, row.clone());
        self.tables.heads.signal
    }

    fn audit(&mut self, entry: &NewAudit) {
        let last = self.tables.audit.last_key_value();
        let (n, prev_hash) = last.map_or((1, [0; 32]), |(n, row)| (n + 1, row.hash));
        self.seen(entry.id.as_u128());
        let hash = chained(prev_hash, &entry.canonical);
        self.put(|tables| &mut tables.audit, n, AuditRow { entry: entry.clone(), prev_hash, hash });
    }

    /// The generation moves with what it is about.
    fn raise(&mut self, change: &Change) {
        let settings = !change.versions.is_empty()
            || !change.providers.is_empty()
            || !change.quotas.is_empty()
            || change.clock.is_some();
        let people = !change.contacts.is_empty() || !change.consents.is_empty() || !change.erased.is_empty();
        if settings || people {
            let stands = self.tables.generation.get(&()).copied().unwrap_or_default();
            let next = Generation {
                settings: stands.settings + i64::from(settings),
                people: stands.people + i64::from(people),
            };
            self.put(|tables| &mut tables.generation, (), next);
        }
    }

    /// An id that stands in a row from now on.
    pub(super) fn seen(&mut self, id: u128) {
        self.tables.largest_id = self.tables.largest_id.max(id);
    }
}

/// The version after the one that the caller has seen, if that one stands.
fn stands(row: Option<&StateRow>, expected: u32, writer: Writer) -> Result<u32, StoreError> {
    match row {
        Some(row) if row.version == expected || writer.sabotage == Some(Sabotage::DropsTheFence) => {
            Ok(row.version + 1)
        }
        _ => Err(conflict("a message")),
    }
}

fn window(delta: &UsageDelta) -> (String, UsageWindow, Instant) {
    (delta.name.clone(), delta.window, delta.start)
}

/// SHA-256 of the lower-case hex of the hash before, a newline, and the entry.
pub(super) fn chained(prev_hash: [u8; 32], canonical: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for byte in prev_hash {
        hasher.update([HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
    hasher.update(b"\n");
    hasher.update(canonical);
    hasher.finalize().into()
}

const HEX: &[u8; 16] = b"0123456789abcdef";
