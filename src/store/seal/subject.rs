//! A subject's key, and the cache of those in use.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use super::cipher::Secret;
use crate::store::Change;
use crate::store::rows::SubjectId;

/// The key under which one person's data is sealed.
#[derive(Clone)]
pub struct SubjectKey(pub(super) Arc<Held>);

pub(super) struct Held {
    pub(super) id: SubjectId,
    pub(super) key: Secret,
    /// The key as it stands, or shall stand, in its row.
    pub(super) sealed: Vec<u8>,
    /// Whether the row is known to be there.
    pub(super) stored: AtomicBool,
}

impl fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubjectKey([REDACTED])")
    }
}

impl SubjectKey {
    /// Whose key it is.
    #[must_use]
    pub fn id(&self) -> SubjectId {
        self.0.id
    }

    /// Puts the key into the change that first uses it. To be called for each change that seals
    /// under it; does nothing once its row is there.
    pub fn keep_in(&self, change: &mut Change) {
        let known =
            self.0.stored.load(Ordering::Acquire) || change.subjects.iter().any(|(id, _)| *id == self.0.id);
        if !known {
            change.subjects.push((self.0.id, self.0.sealed.clone()));
        }
    }
}

/// How many keys a scope holds at most in one generation of its cache.
const CACHED_KEYS_MAX: usize = 4_096;

/// Keys in use. Two generations: a full young one becomes the old one, and the old one goes. A key
/// that is not stored yet and still held by somebody is never forgotten, so that two changes under
/// way at once seal under the same key.
#[derive(Default)]
pub(super) struct Cache {
    young: HashMap<SubjectId, Arc<Held>>,
    old: HashMap<SubjectId, Arc<Held>>,
    unstored: HashMap<SubjectId, Weak<Held>>,
    /// How often all were let go.
    pub(super) forgotten: u64,
}

impl Cache {
    pub(super) fn get(&mut self, id: SubjectId) -> Option<Arc<Held>> {
        if let Some(held) = self.young.get(&id) {
            return Some(Arc::clone(held));
        }
        let found = self.old.remove(&id).or_else(|| self.unstored.get(&id).and_then(Weak::upgrade));
        if let Some(held) = &found {
            self.put(Arc::clone(held));
        }
        found
    }

    pub(super) fn put(&mut self, held: Arc<Held>) {
        if !held.stored.load(Ordering::Acquire) {
            self.unstored.insert(held.id, Arc::downgrade(&held));
        }
        self.young.insert(held.id, held);
        if self.young.len() >= CACHED_KEYS_MAX {
            self.old = std::mem::take(&mut self.young);
            self.unstored.retain(|_, held| held.upgrade().is_some_and(|h| !h.stored.load(Ordering::Acquire)));
        }
    }

    /// The rows of these subjects are there now.
    pub(super) fn stored(&mut self, ids: &[SubjectId]) {
        for id in ids {
            if let Some(held) = self.unstored.remove(id).and_then(|held| held.upgrade()) {
                held.stored.store(true, Ordering::Release);
            }
        }
    }

    /// Keys of any subjects may have been made or destroyed, by another node.
    pub(super) fn forget_all(&mut self) {
        self.forgotten += 1;
        self.young.clear();
        self.old.clear();
        self.unstored.clear();
    }

    /// The keys of these subjects are destroyed.
    pub(super) fn forget(&mut self, ids: &[SubjectId]) {
        for id in ids {
            self.young.remove(id);
            self.old.remove(id);
            self.unstored.remove(id);
        }
    }
}
