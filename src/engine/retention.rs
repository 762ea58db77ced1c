//! Letting go of what is old, beside everything else.
//!
//! A pass over a scope drops a little at a time and then rests for several times as long as that took,
//! waiting for the writer included: under load it takes a small share of the writer, and none that
//! grows. What may go at all is the store's to decide.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::desk::Desk;
use crate::model::{Instant, ScopeId, Span};
use crate::store::{Dropped, Old, StoreError};

/// How long what is done with is kept; `None` for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Messages, from their end on.
    pub messages: Option<Span>,
    /// Events.
    pub events: Option<Span>,
    /// Answers to requests under an idempotency key. Not shorter than a day, and messages are kept no
    /// shorter than these.
    pub idempotency: Option<Span>,
}

impl Default for Retention {
    fn default() -> Retention {
        Retention { messages: None, events: None, idempotency: Some(Span::from_s(25 * 3_600)) }
    }
}

/// How many rows a part of a pass looks at: some milliseconds of the writer.
const PART_ROWS: u32 = 100;
/// How often as long as a part took the pass rests: it has at most a fifth of the writer.
const RESTS: i64 = 4;
/// How long a pass goes on before it ends and the next round begins another.
const PASS: Span = Span::from_s(120);
/// How long after a pass that came to its end the next one begins.
const PAUSE: Span = Span::from_s(300);
/// How often a scope is opened for this that nobody uses.
const UNUSED: Span = Span::from_s(86_400);
/// The duty of a scope under which one node does this.
const DUTY: &str = "retention";

/// Which scopes have had their passes.
#[derive(Default)]
pub(super) struct Passes(Mutex<BTreeMap<ScopeId, Pass>>);

#[derive(Clone, Copy)]
enum Pass {
    UnderWay,
    /// When, and whether it came to its end.
    Ended(Instant, bool),
}

impl Passes {
    fn all(&self) -> MutexGuard<'_, BTreeMap<ScopeId, Pass>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of these scopes, one whose last pass is so long ago that it is to be opened.
    pub(super) fn neglected(&self, scopes: impl Iterator<Item = ScopeId>, now: Instant) -> Option<ScopeId> {
        let all = self.all();
        let is_neglected = |id: &ScopeId| match all.get(id) {
            None => true,
            Some(Pass::UnderWay) => false,
            Some(Pass::Ended(at, _)) => now.since(*at) >= UNUSED,
        };
        let mut scopes = scopes;
        scopes.find(is_neglected)
    }

    /// Notes that a scope is tried now, as one whose pass did not come to its end.
    pub(super) fn note(&self, id: ScopeId, now: Instant) {
        self.all().insert(id, Pass::Ended(now, false));
    }

    /// Begins a pass over a scope, unless one is under way or has ended just now.
    pub(super) fn begin(self: &Arc<Self>, desk: &Arc<Desk>) {
        let id = desk.scope.id();
        match self.all().entry(id) {
            Entry::Vacant(entry) => {
                entry.insert(Pass::UnderWay);
            }
            Entry::Occupied(mut entry) => match *entry.get() {
                Pass::UnderWay => return,
                Pass::Ended(at, true) if desk.real_now().since(at) < PAUSE => return,
                Pass::Ended(..) => {
                    entry.insert(Pass::UnderWay);
                }
            },
        }
        let (passes, desk) = (Arc::clone(self), Arc::clone(desk));
        tokio::spawn(async move {
            let passed = desk.pass().await;
            if let Err(error) = &passed {
                tracing::warn!(scope = %id, %error, "what is old is not dropped now");
            }
            passes.all().insert(id, Pass::Ended(desk.real_now(), passed.unwrap_or(true)));
        });
    }
}

impl Desk {
    /// Whether it came to its end.
    async fn pass(&self) -> Result<bool, StoreError> {
        if !self.scope.claim(DUTY).await? {
            return Ok(true);
        }
        let passed = self.drop_all().await;
        self.scope.unclaim(DUTY).await?;
        passed
    }

    async fn drop_all(&self) -> Result<bool, StoreError> {
        let until = self.real_now().plus(PASS);
        // In this order: what answers refer to goes after them.
        for what in [Kind::Answers, Kind::Messages, Kind::Events] {
            while let Some(old) = self.old(what) {
                let begun = self.real_now();
                let Dropped { more, .. } = self.scope.drop_old(old, PART_ROWS).await?;
                let now = self.real_now();
                let is_ending = self.context.stopping.load(Ordering::Acquire);
                if is_ending || self.closed.load(Ordering::Acquire) || now >= until {
                    return Ok(false);
                }
                if !more {
                    break;
                }
                let took = now.since(begun).ms();
                if took > 0 {
                    let rested = now.plus(Span::from_ms(took.saturating_mul(RESTS)));
                    self.context.clocks.real_until(rested).await;
                }
            }
        }
        Ok(true)
    }

    /// What of a kind is old now.
    fn old(&self, what: Kind) -> Option<Old> {
        let kept = self.context.settings.retention;
        let before = |now: Instant, kept: Span| Instant::from_ms(now.ms().saturating_sub(kept.ms()));
        let (now, real_now) = (self.now(), self.real_now());
        match what {
            Kind::Answers => Some(Old::Answers { before: before(real_now, kept.idempotency?) }),
            Kind::Messages => Some(Old::Messages {
                ended_before: before(now, kept.messages?),
                minted_before: before(real_now, kept.idempotency?),
            }),
            Kind::Events => Some(Old::Events { before: before(now, kept.events?) }),
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Answers,
    Messages,
    Events,
}
