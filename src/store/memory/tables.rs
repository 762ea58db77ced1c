//! The rows of one scope, and how a change of them is taken back.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Id, Instant, kinds};
use crate::store::rows::{
    AddressHash, AttemptRow, AuditRow, ClockRow, ConsentRow, ContactRow, DeliveryRow, EarlyReceiptRow,
    EndpointRow, EventRow, IdempotencyKey, JournalRow, Kept, MessageRow, MessageState, OutcomeRow,
    ProviderRow, ProviderStateRow, QuotaRow, SignalRow, SubjectId, UsageWindow, VersionKind, VersionName,
    VersionRow,
};
use crate::store::{Generation, NodeId, Position};

/// The changing part of a message.
#[derive(Clone)]
pub(super) struct StateRow {
    pub(super) version: u32,
    pub(super) owner: NodeId,
    pub(super) state: MessageState,
}

/// What was used of a quota in one window.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Used {
    pub(super) used: i64,
    pub(super) told_percent: u8,
}

/// The last position of each table. Never taken back: a position is not given twice.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Heads {
    pub(super) message: Position,
    pub(super) journal: Position,
    pub(super) event: Position,
    pub(super) attempt: Position,
    pub(super) outcome: Position,
    pub(super) delivery: Position,
    pub(super) signal: Position,
    pub(super) rare: Position,
}

/// A row that belongs to a message, or to the scope itself.
#[derive(Clone)]
pub(super) struct Of<T> {
    pub(super) message: Option<Position>,
    pub(super) row: T,
}

/// The rows of one scope. What is looked at often has a map of its own; the rest is walked, for
/// nobody keeps many rows here.
#[derive(Clone, Default)]
pub(super) struct Tables {
    pub(super) heads: Heads,
    /// The largest id that a row ever held.
    pub(super) largest_id: u128,
    pub(super) messages: BTreeMap<Position, Arc<MessageRow>>,
    pub(super) message_ids: BTreeMap<Id<kinds::Message>, Position>,
    pub(super) live: BTreeMap<Position, StateRow>,
    pub(super) ended: BTreeMap<Position, StateRow>,
    /// Which of the ended ones are unsettled, and when they are due; their owner stands in `ended`.
    pub(super) unsettled: BTreeMap<Position, Instant>,
    pub(super) journal: BTreeMap<Position, Of<JournalRow>>,
    pub(super) events: BTreeMap<Position, Of<EventRow>>,
    pub(super) event_ids: BTreeMap<Id<kinds::Event>, Position>,
    pub(super) attempts: BTreeMap<Position, (Position, AttemptRow)>,
    pub(super) outcomes: BTreeMap<Position, (Position, OutcomeRow)>,
    pub(super) kept: BTreeMap<IdempotencyKey, Kept>,
    pub(super) usage: BTreeMap<(String, UsageWindow, Instant), Used>,
    /// Places of calls under way, by the quota's name.
    pub(super) held: BTreeMap<String, i64>,
    pub(super) provider_states: BTreeMap<String, ProviderStateRow>,
    pub(super) quotas: BTreeMap<String, QuotaRow>,
    pub(super) contacts: BTreeMap<Position, ContactRow>,
    pub(super) consents: BTreeMap<(usize, AddressHash), ConsentRow>,
    pub(super) version_names: BTreeMap<(u8, String), VersionName>,
    pub(super) versions: BTreeMap<(u8, String, u32), (Position, VersionRow)>,
    pub(super) providers: BTreeMap<Position, ProviderRow>,
    pub(super) endpoints: BTreeMap<Position, EndpointRow>,
    pub(super) deliveries: BTreeMap<Position, DeliveryRow>,
    pub(super) subjects: BTreeMap<SubjectId, Vec<u8>>,
    pub(super) early: BTreeMap<Position, EarlyReceiptRow>,
    /// One row, or none.
    pub(super) clock: BTreeMap<(), ClockRow>,
    pub(super) audit: BTreeMap<Position, AuditRow>,
    pub(super) signals: BTreeMap<Position, SignalRow>,
    pub(super) claims: BTreeMap<String, NodeId>,
    /// One row, or none.
    pub(super) generation: BTreeMap<(), Generation>,
    /// How often the health of a provider was written.
    pub(super) health: BTreeMap<(), u64>,
}

impl Tables {
    /// The position of the newest event that stands. The last that was given may be of a change that was
    /// taken back.
    fn newest_event(&self) -> Position {
        self.events.last_key_value().map_or(0, |(n, _)| *n)
    }

    /// The enabled endpoints that have not taken up every event that stands.
    pub(super) fn endpoints_behind(&self) -> usize {
        let newest = self.newest_event();
        self.endpoints.values().filter(|endpoint| endpoint.enabled && endpoint.position < newest).count()
    }
}

/// How a kind stands in its key.
pub(super) const fn kind_number(kind: VersionKind) -> u8 {
    match kind {
        VersionKind::Template => 0,
        VersionKind::Policy => 1,
    }
}

/// Takes one write back.
type Back = Box<dyn FnOnce(&mut Tables) + Send>;

/// Which map of the tables.
pub(super) type Map<K, V> = fn(&mut Tables) -> &mut BTreeMap<K, V>;

/// What was written, so that it can be taken back: because a later row of the change is in conflict,
/// or because the store lost it.
#[derive(Default)]
pub(super) struct Undo(Vec<Back>);

impl Undo {
    /// Takes everything back, the newest first.
    pub(super) fn run(self, tables: &mut Tables) {
        for back in self.0.into_iter().rev() {
            back(tables);
        }
    }
}

/// Tables that are being written.
pub(super) struct Writing<'a> {
    pub(super) tables: &'a mut Tables,
    pub(super) undo: Undo,
}

impl<'a> Writing<'a> {
    pub(super) fn new(tables: &'a mut Tables) -> Writing<'a> {
        Writing { tables, undo: Undo::default() }
    }

    /// Puts a row in the place of whatever stands there.
    pub(super) fn put<K, V>(&mut self, map: Map<K, V>, key: K, row: V)
    where
        K: Ord + Clone + Send + 'static,
        V: Send + 'static,
    {
        let before = map(self.tables).insert(key.clone(), row);
        self.remember(map, key, before);
    }

    /// Takes a row out, and tells whether there was one.
    pub(super) fn take<K, V>(&mut self, map: Map<K, V>, key: K) -> bool
    where
        K: Ord + Clone + Send + 'static,
        V: Send + 'static,
    {
        let before = map(self.tables).remove(&key);
        let was_there = before.is_some();
        if was_there {
            self.remember(map, key, before);
        }
        was_there
    }

    fn remember<K, V>(&mut self, map: Map<K, V>, key: K, before: Option<V>)
    where
        K: Ord + Send + 'static,
        V: Send + 'static,
    {
        self.undo.0.push(Box::new(move |tables| {
            match before {
                Some(row) => map(tables).insert(key, row),
                None => map(tables).remove(&key),
            };
        }));
    }
}
