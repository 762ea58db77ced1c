//! The store in memory keeps what every store promises, and loses what it may lose.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::{AtOnce, MemoryStore, Options, Schedule};
use crate::model::Span;
use crate::store::conformance::{Backend, at, conformance};
use crate::store::seal::{MasterKey, Randomness};
use crate::store::{Answer, Store, StoreError};

/// Bytes that anybody could guess, never the same twice.
#[derive(Default)]
struct Seeded(AtomicU64);

impl Randomness for Seeded {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), StoreError> {
        for chunk in bytes.chunks_mut(8) {
            let mut mixed = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// One place in memory.
struct InMemory {
    is_shared: bool,
    random: Arc<Seeded>,
    store: Mutex<Option<MemoryStore>>,
}

impl InMemory {
    fn new(is_shared: bool) -> InMemory {
        InMemory { is_shared, random: Arc::default(), store: Mutex::default() }
    }

    fn options(&self) -> Options {
        Options {
            schedule: Arc::new(AtOnce::at(at(0))) as Arc<dyn Schedule>,
            random: Arc::clone(&self.random) as Arc<dyn Randomness>,
            master_key: MasterKey::from_base64(MASTER).unwrap(),
            is_shared: self.is_shared,
            sabotage: None,
        }
    }

    fn store(&self) -> MemoryStore {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        store.get_or_insert_with(|| MemoryStore::new(self.options())).clone()
    }
}

const MASTER: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const LEASE: Span = Span::from_s(30);

impl Backend for InMemory {
    fn open(&self) -> Answer<'_, Arc<dyn Store>> {
        Box::pin(async { Ok(self.store().node("one", LEASE) as Arc<dyn Store>) })
    }

    fn open_after_crash(&self) -> Answer<'_, Arc<dyn Store>> {
        Box::pin(async { Ok(self.store().copy(self.options()).node("one", LEASE) as Arc<dyn Store>) })
    }
}

mod alone {
    use super::*;
    conformance!(InMemory::new(false));
}

mod shared {
    use super::*;
    conformance!(InMemory::new(true));
}
