//! A batch: changes that wait, put together for one transaction.
//!
//! What is the same for every database: which changes may share a transaction, and where each one's
//! rows stand. The rows are gathered in the database's own form.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hasher as _};

use tokio::sync::oneshot;

use super::rows::SubjectId;
use super::{
    Applied, Change, Committed, ConsentChange, ContactChange, EndpointChange, MessageChange, MessageStep,
    Position, ProviderChange, StoreError, VersionChange,
};

/// The most changes in one transaction; one with many messages counts as many.
pub(super) const BATCH_CHANGES_MAX: usize = 3_000;

/// The positions that a change gets: the first of each table's.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Heads {
    pub(super) message: Position,
    pub(super) journal: Position,
    pub(super) event: Position,
    pub(super) attempt: Position,
    pub(super) outcome: Position,
    pub(super) idempotency: Position,
    pub(super) subject: Position,
    pub(super) delivery: Position,
    pub(super) rare: Position,
    /// Given on a shared store alone.
    pub(super) signal: Position,
}

/// The rows of a batch, in a database's own form.
pub(super) trait Gathers: Default {
    /// Whether other nodes write the same rows.
    const IS_SHARED: bool = false;
    /// The most rows of one table.
    const ROWS_MAX: usize = usize::MAX;

    /// Adds the rows of a change that begin at `heads`, and gives the heads after them.
    fn add(&mut self, change: &Change, heads: Heads) -> Heads;
}

/// A change that waits, and the way back to its caller.
pub(super) struct Job {
    pub(super) change: Change,
    pub(super) answer: oneshot::Sender<Result<Committed, StoreError>>,
}

/// A job with its positions.
pub(super) struct Placed {
    pub(super) job: Box<Job>,
    pub(super) heads: Heads,
}

/// What is committed together.
pub(super) struct Batch<R> {
    pub(super) jobs: Vec<Placed>,
    pub(super) statements: R,
    /// The heads after the last job.
    pub(super) heads: Heads,
    touched: HashSet<(u8, [u8; 16])>,
    /// The keys of subjects that it brings.
    subjects: HashMap<SubjectId, Vec<u8>>,
    /// How many rows a table gets at most.
    rows: usize,
    /// How many changes are in it, as [`BATCH_CHANGES_MAX`] counts them.
    weight: usize,
    /// Nothing may come after what is in it.
    closed: bool,
}

impl<R: Gathers> Batch<R> {
    pub(super) fn new(heads: Heads) -> Batch<R> {
        Batch {
            jobs: Vec::new(),
            statements: R::default(),
            heads,
            touched: HashSet::new(),
            subjects: HashMap::new(),
            rows: 0,
            weight: 0,
            closed: false,
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    pub(super) const fn has_room(&self) -> bool {
        !self.closed && self.weight < BATCH_CHANGES_MAX
    }

    /// Takes a job, or gives it back if it has to wait for the next batch: since a statement
    /// touches each row once, a change that touches a row which another one of the batch has
    /// touched comes after it. That is also how the second of two requests under one idempotency
    /// key finds the first one's record.
    pub(super) fn push(&mut self, job: Box<Job>) -> Result<(), Box<Job>> {
        // Erasures end with a checkpoint of their own, and need no company.
        let alone = !job.change.erased.is_empty();
        if !self.has_room() || (alone && !self.jobs.is_empty()) {
            return Err(job);
        }
        let touches = touches(&job.change, R::IS_SHARED);
        if touches.iter().any(|touch| self.touched.contains(touch)) {
            return Err(job);
        }
        // Another key for the same subject: the first must stand before the second is refused.
        let brings_another =
            |(id, sealed): &(SubjectId, Vec<u8>)| self.subjects.get(id).is_some_and(|s| s != sealed);
        if job.change.subjects.iter().any(brings_another) {
            return Err(job);
        }
        let rows = rows_max(&job.change);
        if self.rows.saturating_add(rows) > R::ROWS_MAX && !self.jobs.is_empty() {
            return Err(job);
        }
        self.rows = self.rows.saturating_add(rows);
        self.subjects.extend(job.change.subjects.iter().cloned());
        self.touched.extend(touches);
        self.weight += job.change.messages.len().max(1);
        let heads = self.heads;
        self.heads = self.statements.add(&job.change, heads);
        self.heads.rare += rare_rows(&job.change);
        self.jobs.push(Placed { job, heads });
        self.closed = alone;
        Ok(())
    }

    /// The statements of some of the jobs, made anew.
    pub(super) fn statements_of(&self, jobs: &[usize]) -> R {
        let mut statements = R::default();
        for &index in jobs {
            let placed = &self.jobs[index];
            statements.add(&placed.job.change, placed.heads);
        }
        statements
    }
}

impl Placed {
    /// Where its rows stand.
    pub(super) fn applied(&self) -> Applied {
        let change = &self.job.change;
        let begun = change.messages.iter().filter(|part| begins(&part.step)).count() as i64;
        let events =
            change.messages.iter().map(|part| part.events.len()).sum::<usize>() + change.events.len();
        Applied {
            messages: (self.heads.message..self.heads.message + begun).collect(),
            first_event: if events == 0 { 0 } else { self.heads.event },
            events: events as u32,
            signals: (self.heads.signal..self.heads.signal + change.signals.len() as i64).collect(),
        }
    }
}

impl Placed {
    /// Where its rows stand in a batch whose positions are counted from `base`.
    pub(super) fn applied_at(&self, base: Position) -> Applied {
        let mut applied = self.applied();
        for n in applied.messages.iter_mut().chain(&mut applied.signals) {
            *n += base;
        }
        if applied.events > 0 {
            applied.first_event = self.heads.event + base;
        }
        applied
    }
}

const fn begins(step: &MessageStep) -> bool {
    matches!(step, MessageStep::Begin(..) | MessageStep::BeginEnded(..))
}

/// How many positions of the rarely written tables a change uses.
fn rare_rows(change: &Change) -> i64 {
    (change.contacts.len()
        + change.versions.len()
        + change.providers.len()
        + change.endpoints.len()
        + change.early_receipts.len()) as i64
}

/// How many rows of one table a change writes at most.
pub(super) fn rows_max(change: &Change) -> usize {
    let of = |count: fn(&MessageChange) -> usize| change.messages.iter().map(count).sum::<usize>();
    [
        of(|part| part.journal.len()) + change.journal.len(),
        of(|part| part.events.len()) + change.events.len(),
        of(|part| part.attempts.len()),
        of(|part| part.outcomes.len()),
        change.messages.len(),
        change.subjects.len(),
        change.deliveries.len(),
        change.signals.len(),
        rare_rows(change) as usize,
    ]
    .into_iter()
    .max()
    .unwrap_or_default()
}

/// The rows that a change writes in place, or whose being there it decides by.
fn touches(change: &Change, is_shared: bool) -> Vec<(u8, [u8; 16])> {
    let mut touches = Vec::new();
    if let Some(kept) = &change.keep {
        touches.push((0, kept.key.0));
    }
    for part in &change.messages {
        if let MessageStep::Go { n, .. } | MessageStep::End { n, .. } | MessageStep::Amend { n, .. } =
            part.step
        {
            touches.push((1, wide(n as u64)));
        }
    }
    for contact in &change.contacts {
        let id = match contact {
            ContactChange::Put(put) => put.row.id,
            ContactChange::Delete(id, _) => *id,
        };
        touches.push((2, id.to_bytes()));
    }
    for consent in &change.consents {
        let (channel, address) = match consent {
            ConsentChange::Put(row) => (row.channel, row.address),
            ConsentChange::Delete(channel, address) => (*channel, *address),
        };
        touches.push((16 + channel.index() as u8, address.0));
    }
    for version in &change.versions {
        touches.push((
            3,
            match version {
                VersionChange::Publish(kind, row) => hashed(&(kind, &row.name)),
                VersionChange::Delete(kind, name, _) => hashed(&(kind, name)),
            },
        ));
    }
    for provider in &change.providers {
        let id = match provider {
            ProviderChange::Put(put) => put.row.id,
            ProviderChange::Delete(id, _) => *id,
        };
        touches.push((4, id.to_bytes()));
    }
    for endpoint in &change.endpoints {
        match endpoint {
            EndpointChange::Put(put) => touches.push((5, put.row.id.to_bytes())),
            EndpointChange::Make(row, _) => touches.push((5, row.id.to_bytes())),
            EndpointChange::Delete(id, _) | EndpointChange::SettlePending(id, _) => {
                touches.push((5, id.to_bytes()));
            }
            EndpointChange::Advance(..) => {}
        }
    }
    for put in &change.deliveries {
        touches.push((6, put.row.id.to_bytes()));
    }
    for row in &change.early_receipts {
        touches.push((7, hashed(&(&row.provider, &row.provider_message_id))));
    }
    for (provider, id) in &change.early_receipts_taken {
        touches.push((7, hashed(&(provider, id))));
    }
    if is_shared {
        touches.extend(change.signals_done.iter().map(|n| (8, wide(*n as u64))));
        touches.extend(change.provider_states.iter().map(|row| (9, hashed(&row.provider))));
    }
    // Within one change a row may stand twice (two consents of one address); it does not meet
    // itself.
    touches.sort_unstable();
    touches.dedup();
    touches
}

fn hashed(value: &impl std::hash::Hash) -> [u8; 16] {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    wide(hasher.finish())
}

fn wide(number: u64) -> [u8; 16] {
    u128::from(number).to_be_bytes()
}
