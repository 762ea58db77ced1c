//! The handle to a scope: its rows, and its keys.

use std::collections::HashSet;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::cipher::{self, Secret};
use super::master::MasterKey;
use super::random::Randomness;
use super::subject::{Cache, Held, SubjectKey};
use crate::model::{Channel, Id, ScopeId, kinds};
use crate::store::rows::{AddressHash, SubjectId};
use crate::store::{Change, Committed, ScopeRow, ScopeRows, StoreError};

/// The keys of a scope, all derived from the one that the operator's key seals.
pub struct ScopeKeys {
    addresses: Secret,
    requests: Secret,
    secrets: Secret,
    subjects: Secret,
    random: Arc<dyn Randomness>,
    cache: Mutex<Cache>,
}

impl ScopeKeys {
    /// Opens the keys of a scope.
    ///
    /// # Errors
    /// [`StoreError::MasterKey`] if the operator's key is another one.
    pub fn open(
        master: &MasterKey,
        scope: &ScopeRow,
        random: Arc<dyn Randomness>,
    ) -> Result<ScopeKeys, StoreError> {
        let root = master.open_scope_key(scope.id, &scope.sealed_key)?;
        let derived = |what: &[u8]| Secret::new(cipher::keyed_hash(&root, &[what]));
        Ok(ScopeKeys {
            addresses: derived(b"addresses"),
            requests: derived(b"requests"),
            secrets: derived(b"secrets"),
            subjects: derived(b"subjects"),
            random,
            cache: Mutex::default(),
        })
    }
}

/// One tenant's rows in one environment, and the keys that open them. Everything that touches a
/// tenant's rows goes through such a handle. It gives the reads of [`ScopeRows`] as its own.
pub struct Scope {
    row: ScopeRow,
    rows: Arc<dyn ScopeRows>,
    keys: ScopeKeys,
}

impl Deref for Scope {
    type Target = dyn ScopeRows;
    fn deref(&self) -> &(dyn ScopeRows + 'static) {
        self.rows.as_ref()
    }
}

impl Scope {
    /// Binds rows and keys together.
    #[must_use]
    pub fn new(row: ScopeRow, rows: Arc<dyn ScopeRows>, keys: ScopeKeys) -> Scope {
        Scope { row, rows, keys }
    }

    /// Which scope.
    #[must_use]
    pub const fn id(&self) -> ScopeId {
        self.row.id
    }

    /// Whose it is, its environment, time zone and currency.
    #[must_use]
    pub const fn row(&self) -> &ScopeRow {
        &self.row
    }

    /// Writes a change; see [`ScopeRows::commit`].
    ///
    /// # Errors
    /// As there.
    pub async fn commit(&self, change: Change) -> Result<Committed, StoreError> {
        let fresh: Vec<SubjectId> = change.subjects.iter().map(|(id, _)| *id).collect();
        let erased = change.erased.clone();
        // Forgotten before and after: a key read in between must not stay either.
        self.cache().forget(&erased);
        let committed = self.rows.commit(change).await?;
        let mut cache = self.cache();
        cache.forget(&erased);
        if matches!(committed, Committed::Applied(_)) {
            cache.stored(&fresh);
        }
        Ok(committed)
    }

    /// The keyed hash of an address on a channel.
    #[must_use]
    pub fn address_hash(&self, channel: Channel, address: &str) -> AddressHash {
        let hash = cipher::keyed_hash(&self.keys.addresses, &[channel.word().as_bytes(), address.as_bytes()]);
        let mut short = [0; 16];
        short.copy_from_slice(&hash[..16]);
        AddressHash(short)
    }

    /// The fingerprint of a request, given its canonical form.
    #[must_use]
    pub fn fingerprint(&self, canonical: &[&[u8]]) -> [u8; 32] {
        cipher::keyed_hash(&self.keys.requests, canonical)
    }

    /// Lets go of all keys of subjects that are in memory: another node may have destroyed some, or
    /// made one that was made here too.
    pub fn forget_subjects(&self) {
        self.cache().forget_all();
    }

    /// The keys of subjects, in the order asked for. One that has none yet gets a fresh one, which
    /// becomes real when a change that holds it (see [`SubjectKey::keep_in`]) is committed.
    ///
    /// # Errors
    /// As reading does.
    pub async fn subject_keys(&self, ids: &[SubjectId]) -> Result<Vec<SubjectKey>, StoreError> {
        self.find_subjects(ids, false).await?;
        let mut cache = self.cache();
        ids.iter()
            .map(|&id| {
                if let Some(held) = cache.get(id) {
                    return Ok(SubjectKey(held));
                }
                let key = cipher::fresh(self.keys.random.as_ref())?;
                let sealed =
                    cipher::seal(&self.keys.subjects, &id.0, key.as_slice(), self.keys.random.as_ref())?;
                let held = Arc::new(Held { id, key, sealed, stored: AtomicBool::new(false) });
                cache.put(Arc::clone(&held));
                Ok(SubjectKey(held))
            })
            .collect()
    }

    /// The key of one subject, fresh if there is none.
    ///
    /// # Errors
    /// As reading does.
    pub async fn subject_key(&self, id: SubjectId) -> Result<SubjectKey, StoreError> {
        let keys = self.subject_keys(&[id]).await?;
        keys.into_iter().next().ok_or(StoreError::Sealed)
    }

    /// The key of one subject, `None` if it has none: it was never made, or erased.
    ///
    /// # Errors
    /// As reading does.
    pub async fn known_subject_key(&self, id: SubjectId) -> Result<Option<SubjectKey>, StoreError> {
        let is_stored = |held: &Arc<Held>| held.stored.load(Ordering::Acquire);
        if let Some(held) = self.cache().get(id).filter(is_stored) {
            return Ok(Some(SubjectKey(held)));
        }
        // One that was made here and is not stored may not be the one that will be.
        self.find_subjects(&[id], true).await?;
        Ok(self.cache().get(id).filter(is_stored).map(SubjectKey))
    }

    /// Brings the keys that are stored and not in memory into memory.
    /// Of those that were made here and are not stored as well, if asked.
    async fn find_subjects(&self, ids: &[SubjectId], made_too: bool) -> Result<(), StoreError> {
        loop {
            let (forgotten, missing) = {
                let mut cache = self.cache();
                let mut seen = HashSet::new();
                let missing = ids.iter().copied().filter(|id| {
                    let is_known = |held: Arc<Held>| !made_too || held.stored.load(Ordering::Acquire);
                    seen.insert(*id) && !cache.get(*id).is_some_and(is_known)
                });
                let missing: Vec<SubjectId> = missing.collect();
                (cache.forgotten, missing)
            };
            if missing.is_empty() {
                return Ok(());
            }
            let found = self.rows.subjects(&missing).await?;
            let mut cache = self.cache();
            if cache.forgotten != forgotten {
                // What was read may have been destroyed meanwhile.
                continue;
            }
            for (id, sealed) in found {
                let plain = zeroize::Zeroizing::new(cipher::open(&self.keys.subjects, &id.0, &sealed)?);
                let bytes = <[u8; 32]>::try_from(plain.as_slice()).map_err(|_| StoreError::Sealed)?;
                let stored = AtomicBool::new(true);
                cache.put(Arc::new(Held { id, key: Secret::new(bytes), sealed, stored }));
            }
            return Ok(());
        }
    }

    /// Seals personal data for the place `aad`.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the system gives no random bytes.
    pub fn seal(&self, subject: &SubjectKey, aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        cipher::seal(&subject.0.key, aad, plain, self.keys.random.as_ref())
    }

    /// Opens what [`Scope::seal`] gave, for the same subject and place.
    ///
    /// # Errors
    /// [`StoreError::Sealed`] for another key or place, or for changed bytes.
    pub fn open(&self, subject: &SubjectKey, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        cipher::open(&subject.0.key, aad, sealed)
    }

    /// Seals a secret of the tenant's (credentials, webhook secrets, answers that hold one) under
    /// the scope's own key.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the system gives no random bytes.
    pub fn seal_secret(&self, aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        cipher::seal(&self.keys.secrets, aad, plain, self.keys.random.as_ref())
    }

    /// Opens what [`Scope::seal_secret`] gave.
    ///
    /// # Errors
    /// [`StoreError::Sealed`] for another place, or for changed bytes.
    pub fn open_secret(&self, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        cipher::open(&self.keys.secrets, aad, sealed)
    }

    /// The subject of a contact.
    #[must_use]
    pub fn subject_of_contact(contact: Id<kinds::Contact>) -> SubjectId {
        SubjectId::from(contact)
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.keys.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
