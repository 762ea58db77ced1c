//! The conformance suite on a real server, and what only this back end does.

mod bad_days;
#[expect(dead_code, reason = "the tests of the whole program use the rest")]
#[path = "../../../../tests/suite/postgres/cluster.rs"]
mod cluster;
mod operator;
mod plans;
mod proxy;
mod refusals;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cluster::{Database, cluster};
use sqlx::{Connection as _, PgConnection};
use tokio::sync::OnceCell;

use super::{Options, open};
use crate::model::Span;
use crate::store::conformance::{Backend, conformance, conformance_of_shared, retention_conformance};
use crate::store::seal::Randomness;
use crate::store::{Answer, Store, StoreError};

/// Bytes that anybody could guess, never the same twice.
#[derive(Default)]
pub(super) struct Seeded(AtomicU64);

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

/// The operator's key of the tests.
const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// A database of its own.
#[derive(Default)]
struct InDatabase {
    database: OnceCell<Database>,
    random: Arc<Seeded>,
}

impl InDatabase {
    async fn database(&self) -> &Database {
        self.database.get_or_init(|| cluster().database()).await
    }

    async fn options(&self) -> Options {
        Options {
            lease: Span::from_s(600),
            connections_max: (4, 4),
            ..Options::new(
                self.database().await.url(),
                Some(MASTER_KEY.into()),
                Arc::clone(&self.random) as Arc<dyn Randomness>,
            )
        }
    }
}

impl Backend for InDatabase {
    fn open(&self) -> Answer<'_, Arc<dyn Store>> {
        Box::pin(async { Ok(Arc::new(open(self.options().await).await?) as Arc<dyn Store>) })
    }

    /// Another node: it sees what is committed, and nothing of what the first has in memory.
    fn open_after_crash(&self) -> Answer<'_, Arc<dyn Store>> {
        self.open()
    }
}

conformance!(InDatabase::default());
conformance_of_shared!(InDatabase::default());
retention_conformance!(InDatabase::default());
