//! Which changes of a batch cannot be written as things stand in its transaction.

use std::collections::HashMap;

use super::connect::Held;
use super::desk::{Answers, Batch};
use super::encode::Statements;
use super::error::{Fault, fault};
use crate::store::forms::window_number;
use crate::store::group::Placed;
use crate::store::{Change, Generation, Position, StoreError, UsageDelta};

/// What a transaction read when it began.
pub(super) struct Facts {
    /// Its block of positions.
    pub(super) block: i64,
    /// Its number, by which is found out what became of it.
    pub(super) transaction: String,
    /// The server's process that works for it.
    pub(super) process: i64,
    /// Whether this node's lease holds.
    pub(super) is_alive: bool,
    /// The scope's generation.
    pub(super) generation: Generation,
    /// How often providers' health was written.
    pub(super) health: i64,
    /// The end of the audit's chain.
    pub(super) chain: (Position, [u8; 32]),
}

/// The position behind the last one that a job uses, in whichever table that is.
pub(super) fn positions_end(placed: &Placed) -> i64 {
    let (heads, rows) = (placed.heads, crate::store::group::rows_max(&placed.job.change) as i64);
    [
        heads.message,
        heads.journal,
        heads.event,
        heads.attempt,
        heads.outcome,
        heads.delivery,
        heads.rare,
        heads.signal,
    ]
    .into_iter()
    .max()
    .unwrap_or_default()
        + rows
}

/// Answers those that were decided on facts which have changed since.
pub(super) fn stale(batch: &Batch, jobs: &mut Vec<usize>, facts: &Facts, answers: &mut Answers) {
    jobs.retain(|&job| {
        let Some(seen) = batch.jobs[job].job.change.seen else { return true };
        let what = match (seen.settings == facts.generation.settings, seen.people == facts.generation.people)
        {
            (true, true) => return true,
            (false, _) => "the settings",
            (true, false) => "a contact",
        };
        answers[job] = Some(Err(StoreError::Stale { what }));
        false
    });
}

/// Whether it depends on what the counters are: a limit, or a threshold that is told once.
pub(super) fn looks_at_counters(change: &Change) -> bool {
    change.usage.iter().any(|delta| delta.limit.is_some() || delta.told_percent > 0)
}

/// What is counted under a name: by window, and places held.
#[derive(Default)]
struct Counters {
    used: HashMap<(u8, i64), i64>,
    told: HashMap<(u8, i64), u8>,
    held: i64,
}

/// Answers those that would take more than there is. Gives how many rows the counters have, where
/// they were looked at.
pub(super) async fn over_limits(
    held: &mut Held,
    batch: &Batch,
    jobs: &mut Vec<usize>,
    answers: &mut Answers,
) -> Result<Option<i64>, Fault> {
    let mut names: Vec<String> = jobs
        .iter()
        .map(|&job| &batch.jobs[job].job.change)
        .filter(|change| looks_at_counters(change))
        .flat_map(|change| change.usage.iter().map(|delta| delta.name.clone()))
        .collect();
    if names.is_empty() {
        return Ok(None);
    }
    names.sort_unstable();
    names.dedup();
    // The oldest window that is asked for; places held stand under none.
    let since = jobs
        .iter()
        .flat_map(|&job| &batch.jobs[job].job.change.usage)
        .map(|delta| delta.start.ms())
        .min()
        .unwrap_or_default();
    let sql = "SELECT name, win, start, sum(add)::int8, max(told)::int8, count(*) FROM usage \
               WHERE name = ANY($1) AND (win = 2 OR start >= $2) GROUP BY name, win, start";
    let rows = sqlx::query_as::<_, (String, i16, i64, i64, i64, i64)>(sql)
        .persistent(false)
        .bind(&names)
        .bind(since)
        .fetch_all(held.conn()?)
        .await
        .map_err(|error| fault(&error, "a quota"))?;
    let mut counters: HashMap<String, Counters> = HashMap::new();
    let mut count = 0;
    for (name, window, start, sum, told, rows) in rows {
        count += rows;
        let counter = counters.entry(name).or_default();
        match u8::try_from(window).unwrap_or_default() {
            2 => counter.held += sum,
            window => {
                counter.used.insert((window, start), sum);
                counter.told.insert((window, start), u8::try_from(told).unwrap_or(u8::MAX));
            }
        }
    }
    jobs.retain(|&job| {
        let change = &batch.jobs[job].job.change;
        let fits = change.usage.iter().all(|delta| fits(&counters, change, delta));
        if fits {
            for delta in &change.usage {
                let counter = counters.entry(delta.name.clone()).or_default();
                let key = (window_number(delta.window), delta.start.ms());
                *counter.used.entry(key).or_default() += delta.add;
                let told = counter.told.entry(key).or_default();
                *told = delta.told_percent.max(*told);
                counter.held += delta.held;
            }
        } else {
            answers[job] = Some(Err(StoreError::Stale { what: "what is left of a quota" }));
        }
        fits
    });
    Ok(Some(count))
}

fn fits(counters: &HashMap<String, Counters>, change: &Change, delta: &UsageDelta) -> bool {
    let key = (window_number(delta.window), delta.start.ms());
    let told =
        counters.get(&delta.name).and_then(|counter| counter.told.get(&key)).copied().unwrap_or_default();
    if delta.told_percent > 0 && delta.told_percent <= told {
        return false;
    }
    let Some(limit) = delta.limit else { return true };
    let of = |same: &&UsageDelta| same.name == delta.name;
    let (mut used, mut held) = match counters.get(&delta.name) {
        Some(counter) => (counter.used.get(&key).copied().unwrap_or_default(), counter.held),
        None => (0, 0),
    };
    for same in change.usage.iter().filter(of) {
        held += same.held;
        if (window_number(same.window), same.start.ms()) == key {
            used += same.add;
        }
    }
    used.max(0).saturating_add(held.max(0)) <= i64::try_from(limit).unwrap_or(i64::MAX)
}

/// The key of the job of a row of keys.
impl Statements {
    pub(super) fn key_of(&self, job: u32) -> Option<crate::store::rows::IdempotencyKey> {
        self.keys.get(&job).copied()
    }
}
