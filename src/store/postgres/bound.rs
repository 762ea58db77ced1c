//! How far one can read without missing what is still being written.
//!
//! A transaction locks the last block of positions that was given, and then takes the next one. So
//! whoever has a block that was given when one looks has a lock on a lower block, or has ended and is
//! seen by what is read later. The lowest locked block, or the last given where none is, is therefore
//! the last below which nothing appears any more.

use std::time::Duration;

use sqlx::Row as _;
use sqlx::postgres::PgPool;

use super::connect::{As, Held};
use super::encode::BLOCK;
use super::error::Fault;
use super::fresh::Fresh;
use super::source::TRIES;
use crate::model::ScopeId;
use crate::store::{Position, StoreError};

/// The statement that locks the last block given. Shared: nobody waits for anybody.
pub(super) const LOCK_LAST_BLOCK: &str =
    "SELECT pg_advisory_xact_lock_shared(23456::int8 << 48 | last_value) FROM spine.position;";
/// How often a list that is read waits for what began before it, and how long each time.
const SETTLE_TRIES: u32 = 50;
const SETTLE_WAIT: Duration = Duration::from_millis(2);

/// The last block that was given, and the lowest that is locked.
const LOOK: &str = "SELECT last_value FROM spine.position;\
     SELECT min((classid::int8 & 65535) << 32 | objid::int8) FROM pg_locks WHERE locktype = 'advisory' \
       AND objsubid = 1 AND classid::int8 >> 16 = 23456 \
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database());\
     COMMIT";

/// How far one can read. Questions that come at once are answered by one look.
pub(super) struct Bound {
    pool: PgPool,
    looks: Fresh<Look>,
}

#[derive(Debug, Clone, Copy)]
struct Look {
    /// The last block given.
    last: i64,
    /// The last block below which nothing appears any more, itself included.
    settled: i64,
}

impl Bound {
    pub(super) fn new(pool: PgPool) -> Bound {
        Bound { pool, looks: Fresh::new(Duration::ZERO) }
    }

    /// A look that began after this was called.
    async fn look(&self) -> Result<Look, StoreError> {
        self.looks
            .get(|| async {
                // The last block first, in a statement of its own: see above.
                let mut tries = 0;
                let (held, rows) = loop {
                    tries += 1;
                    match Held::begin(&self.pool, As::Api(ScopeId(0)), LOOK).await {
                        Ok(begun) => break begun,
                        // Each connection that lay idle may have been cut meanwhile.
                        Err(Fault::Lost(_) | Fault::Again(_)) if tries < TRIES => {}
                        Err(fault) => return Err(fault.told()),
                    }
                };
                held.ended();
                let [last, lowest] = rows.as_slice() else {
                    return Err(StoreError::Io { what: "reading", detail: "no position was given".into() });
                };
                let last: i64 = last.get(0);
                let lowest: Option<i64> = lowest.get(0);
                Ok(Look { last, settled: lowest.map_or(last, |lowest| lowest.min(last)) })
            })
            .await
    }

    /// The last block below which nothing appears any more.
    pub(super) async fn block(&self) -> Result<i64, StoreError> {
        Ok(self.look().await?.settled)
    }

    /// The first position that may still be written, as far as is known now.
    pub(super) async fn now(&self) -> Result<Position, StoreError> {
        Ok((self.look().await?.settled + 1) * BLOCK)
    }

    /// The same, once everything that was begun before has ended; for a while at most.
    pub(super) async fn settled(&self) -> Result<Position, StoreError> {
        let mut look = self.look().await?;
        let wanted = look.last;
        for _ in 0..SETTLE_TRIES {
            if look.settled >= wanted {
                break;
            }
            tokio::time::sleep(SETTLE_WAIT).await;
            look = self.look().await?;
        }
        Ok((look.settled + 1) * BLOCK)
    }
}
