//! What the parts of an open store share, and what those of an open scope do.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::postgres::PgPool;
use tokio::sync::watch;

use super::bound::Bound;
use super::connect::Connector;
use super::follow::Follower;
use super::news::Teller;
use super::plans::Plans;
use crate::model::ScopeId;
use crate::store::{Generation, NodeId, Position};

/// The advisory locks of a transaction, a class each, in the order in which they are taken.
pub(super) mod lock {
    /// A node writes (shared), or is declared to have ended.
    pub(in crate::store::postgres) const NODE: i64 = 23_457;
    /// Somebody decided on a scope's facts (shared), or changes them.
    pub(in crate::store::postgres) const FACTS: i64 = 23_458;
    /// Places in a scope's quotas are taken.
    pub(in crate::store::postgres) const USAGE: i64 = 23_459;
    /// A scope's audit is added to.
    pub(in crate::store::postgres) const AUDIT: i64 = 23_460;

    /// The key of a lock.
    pub(in crate::store::postgres) const fn key(class: i64, of: i64) -> i64 {
        class << 48 | of & 0xffff_ffff_ffff
    }
}

/// This run of the program, as the database knows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Me {
    pub(super) node: NodeId,
    pub(super) epoch: i64,
}

/// What all scopes of a store share.
pub(super) struct Base {
    pub(super) connector: Connector,
    /// Connections that work as the engine.
    pub(super) writers: PgPool,
    /// Connections that work for requests.
    pub(super) readers: PgPool,
    pub(super) me: Me,
    pub(super) bound: Arc<Bound>,
    pub(super) follower: Follower,
    pub(super) teller: Teller,
    pub(super) plans: Plans,
    /// Moves when another node may have left something.
    pub(super) rung: watch::Sender<u64>,
    fenced: AtomicBool,
    /// As far as is known, no other node lives, so that there is nobody to tell of events.
    alone: AtomicBool,
}

impl Base {
    pub(super) fn new(
        connector: Connector,
        (writers, readers): (PgPool, PgPool),
        me: Me,
        follower: Follower,
        teller: Teller,
    ) -> Base {
        let bound = Arc::new(Bound::new(readers.clone()));
        let rung = watch::Sender::new(0);
        Base {
            connector,
            writers,
            readers,
            me,
            bound,
            follower,
            teller,
            plans: Plans::default(),
            rung,
            fenced: AtomicBool::new(false),
            alone: AtomicBool::new(false),
        }
    }

    /// Whether no other node is known to live.
    pub(super) fn is_alone(&self) -> bool {
        self.alone.load(Ordering::Relaxed)
    }

    /// Takes note of whether another node lives. One that comes rings, and asks of its own each second.
    pub(super) fn has_company(&self, has: bool) {
        self.alone.store(!has, Ordering::Relaxed);
    }

    /// Whether this node's lease has ended.
    pub(super) fn is_fenced(&self) -> bool {
        self.fenced.load(Ordering::Acquire)
    }

    /// From now on nothing is written.
    pub(super) fn fence(&self) {
        if !self.fenced.swap(true, Ordering::AcqRel) {
            tracing::error!(node = %self.me.node, "this node's lease has ended, nothing more is written");
        }
        self.ring();
    }

    /// The same, of its own accord.
    pub(super) fn fence_quietly(&self) {
        self.fenced.store(true, Ordering::Release);
    }

    /// Tells those who wait that there may be something to look at.
    pub(super) fn ring(&self) {
        self.rung.send_modify(|rung| *rung += 1);
    }
}

/// What the writers and readers of one scope share.
pub(super) struct Shared {
    pub(super) scope: ScopeId,
    /// Up to here no event appears any more.
    pub(super) newest_event: watch::Sender<Position>,
    generation: Mutex<Generation>,
    /// How often providers' health was written, as far as is known.
    health: AtomicI64,
}

impl Shared {
    pub(super) fn new(scope: ScopeId, newest_event: Position, generation: Generation, health: i64) -> Shared {
        Shared {
            scope,
            newest_event: watch::Sender::new(newest_event),
            generation: Mutex::new(generation),
            health: AtomicI64::new(health),
        }
    }

    /// The newest generation that is known.
    pub(super) fn generation(&self) -> Generation {
        *self.generation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a generation that was seen.
    pub(super) fn saw(&self, generation: Generation) {
        let mut known = self.generation.lock().unwrap_or_else(PoisonError::into_inner);
        known.settings = known.settings.max(generation.settings);
        known.people = known.people.max(generation.people);
    }

    /// Takes note of how often health was written by this node; with what others wrote, the number
    /// does not fit.
    pub(super) fn wrote_health(&self, now: i64) {
        self.health.store(now, Ordering::Release);
    }

    /// Whether health was written by others since, which is known from then on.
    pub(super) fn health_moved(&self, now: i64) -> bool {
        self.health.swap(now, Ordering::AcqRel) != now
    }
}

/// A scope's state as it is handed about.
pub(super) type SharedScope = Arc<Shared>;
