//! A batch: what waits, put together for one transaction.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hasher as _};

use tokio::sync::oneshot;

use super::encode::{Heads, Statements};
use crate::store::{
    Applied, Change, Committed, ConsentChange, ContactChange, EndpointChange, MessageStep, ProviderChange,
    StoreError, VersionChange,
};

/// The most changes in one transaction; one with many messages counts as many.
pub(super) const BATCH_CHANGES_MAX: usize = 3_000;

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
pub(super) struct Batch {
    pub(super) jobs: Vec<Placed>,
    pub(super) statements: Statements,
    /// The heads after the last job.
    pub(super) heads: Heads,
    touched: HashSet<(u8, [u8; 16])>,
    /// How many changes are in it, as [`BATCH_CHANGES_MAX`] counts them.
    weight: usize,
    /// Nothing may come after what is in it.
    closed: bool,
}

impl Batch {
    pub(super) fn new(heads: Heads) -> Batch {
        Batch {
            jobs: Vec::new(),
            statements: Statements::default(),
            heads,
            touched: HashSet::new(),
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
        let touches = touches(&job.change);
        if touches.iter().any(|touch| self.touched.contains(touch)) {
            return Err(job);
        }
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
    pub(super) fn statements_of(&self, jobs: &[usize]) -> Statements {
        let mut statements = Statements::default();
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
            signals: Vec::new(),
        }
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

/// The rows that a change writes in place, or whose being there it decides by.
fn touches(change: &Change) -> Vec<(u8, [u8; 16])> {
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
