//! Look-ups by random values, kept off the hot path.
//!
//! An index on a random value costs a page of the write-ahead log for each row, and makes a store
//! slower as it grows. So the newest entries are kept in memory alone, and read again from the
//! append-only tables when the store is opened; once there are [`MERGE_ENTRIES`] of them they are
//! written to the table `lookup` in bulk, sorted, in small transactions between the commits. An
//! entry holds 64 bits of the value and a position: whoever finds one looks at the row itself.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::Id;

use super::rows::{AddressHash, IdempotencyKey};
use super::{Change, MessageStep, Position};

/// How many entries are gathered in memory before they are merged: some 8 MB. A merge touches each
/// page of the table about once, so the more entries share it, the less each of them costs.
pub(super) const MERGE_ENTRIES: usize = 200_000;

/// What is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub(super) enum Kind {
    /// The record of an idempotency key.
    Idempotency = 0,
    /// Messages of a contact.
    Contact = 1,
    /// An attempt by its id.
    Attempt = 2,
    /// Attempts to an address.
    Address = 3,
    /// Outcomes by the provider's id.
    ProviderId = 4,
}

/// One entry. Ordered as the table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    pub(super) hash: i64,
    pub(super) n: Position,
}

/// For an idempotency key.
pub(super) fn of_key(key: IdempotencyKey) -> i64 {
    first_eight(&key.0)
}

/// For an address.
pub(super) fn of_address(address: AddressHash) -> i64 {
    first_eight(&address.0)
}

/// For an id: it rises with the id, so that entries of one time stand together in the table.
pub(super) fn of_id<K>(id: Id<K>) -> i64 {
    let number = id.as_u128();
    let ms = (number >> 80) as u64;
    ((ms << 16) | (number & 0xffff) as u64) as i64
}

/// For a provider's id of a message: FNV-1a, since it must be the same after a restart.
pub(super) fn of_provider_id(provider: &str, id: &str) -> i64 {
    let bytes = provider.bytes().chain(std::iter::once(0)).chain(id.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    }) as i64
}

fn first_eight(bytes: &[u8; 16]) -> i64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[..8]);
    i64::from_be_bytes(eight)
}

/// The first position of each table that a kind looks into, for one change.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Firsts {
    pub(super) idempotency: Position,
    pub(super) message: Position,
    pub(super) attempt: Position,
    pub(super) outcome: Position,
}

/// The entries of a change whose rows begin at `firsts`.
pub(super) fn entries(change: &Change, mut firsts: Firsts, mut put: impl FnMut(Entry)) {
    if let Some(kept) = &change.keep {
        put(Entry { kind: Kind::Idempotency, hash: of_key(kept.key), n: firsts.idempotency });
    }
    for part in &change.messages {
        if let MessageStep::Begin(row, _) | MessageStep::BeginEnded(row, ..) = &part.step {
            if let Some(contact) = row.contact {
                put(Entry { kind: Kind::Contact, hash: of_id(contact), n: firsts.message });
            }
            firsts.message += 1;
        }
        for attempt in &part.attempts {
            put(Entry { kind: Kind::Attempt, hash: of_id(attempt.id), n: firsts.attempt });
            if let Some(address) = attempt.address {
                put(Entry { kind: Kind::Address, hash: of_address(address), n: firsts.attempt });
            }
            firsts.attempt += 1;
        }
        for outcome in &part.outcomes {
            if let Some(id) = &outcome.provider_message_id {
                put(Entry {
                    kind: Kind::ProviderId,
                    hash: of_provider_id(&outcome.provider, id),
                    n: firsts.outcome,
                });
            }
            firsts.outcome += 1;
        }
    }
}

/// The entries that are in memory: those gathered, and those being merged.
#[derive(Default)]
pub(super) struct Tail(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    gathered: BTreeSet<Entry>,
    merging: Option<Arc<Vec<Entry>>>,
}

impl Tail {
    /// Adds entries whose rows are durable.
    pub(super) fn add(&self, entries: impl IntoIterator<Item = Entry>) {
        self.inner().gathered.extend(entries);
    }

    /// How many entries wait for a merge to begin.
    pub(super) fn gathered(&self) -> usize {
        self.inner().gathered.len()
    }

    /// The positions of a value, in no order.
    pub(super) fn find(&self, kind: Kind, hash: i64) -> Vec<Position> {
        let inner = self.inner();
        let first = Entry { kind, hash, n: Position::MIN };
        let last = Entry { kind, hash, n: Position::MAX };
        let mut found: Vec<Position> = inner.gathered.range(first..=last).map(|entry| entry.n).collect();
        if let Some(merging) = &inner.merging {
            let from = merging.partition_point(|entry| *entry < first);
            found.extend(merging[from..].iter().take_while(|entry| **entry <= last).map(|entry| entry.n));
        }
        found
    }

    /// Begins a merge: the entries to be written, sorted. They stay findable until
    /// [`Tail::merged`].
    pub(super) fn begin_merge(&self) -> Arc<Vec<Entry>> {
        let mut inner = self.inner();
        if let Some(merging) = &inner.merging {
            return Arc::clone(merging);
        }
        let entries = Arc::new(std::mem::take(&mut inner.gathered).into_iter().collect::<Vec<_>>());
        inner.merging = Some(Arc::clone(&entries));
        entries
    }

    /// The entries of the merge under way are in the table.
    pub(super) fn merged(&self) {
        self.inner().merging = None;
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
