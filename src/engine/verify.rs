//! The audit of a scope, recomputed: the chain of every message, and its replay through `step`.

use super::doc::{State, read_clear};
use super::journal::{Body, NO_HASH, chained};
use super::policies::{Plan, Policies};
use crate::machine::{Instance, JournalEntry, Mismatch};
use crate::model::{Id, kinds};
use crate::store::rows::{MessageState, StoredJournal, StoredMessage};
use crate::store::seal::Scope;
use crate::store::{Page, PageStart, Position, StoreError};

/// The first row of a message that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which message; none where one was dropped and its transitions do not tell its id.
    pub message: Option<Id<kinds::Message>>,
    /// The number of the transition at which it shows.
    pub seq: u64,
    /// What is wrong, in our own words.
    pub what: String,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Messages looked at.
    pub messages: u64,
    /// Transitions whose chain was recomputed.
    pub transitions: u64,
    /// Messages that other semantics than this program's made: their chain was checked, and they were
    /// not replayed.
    pub not_replayed: u64,
    /// Messages that were dropped since: of these the chains alone are there, and were checked.
    pub dropped: u64,
    /// The first fault of each message that has one.
    pub faults: Vec<Fault>,
}

/// Checks every message of a scope, from its rows alone.
///
/// # Errors
/// Where a row cannot be read at all.
pub async fn verify(scope: &Scope) -> Result<Verified, StoreError> {
    let policies = Policies::default();
    let (mut verified, mut start) = (Verified::default(), PageStart::Newest);
    loop {
        let page = scope.messages(Default::default(), Page { start, limit: PAGE }).await?;
        for message in &page.rows {
            verify_message(scope, &policies, &message.row, &mut verified).await?;
        }
        match page.rows.last() {
            Some(last) if page.has_more => start = PageStart::After(last.n),
            _ => break,
        }
    }
    let mut after = 0;
    loop {
        let dropped = scope.dropped_with_journal(after, PAGE).await?;
        for n in &dropped {
            verify_dropped(scope, *n, &mut verified).await?;
        }
        match dropped.last() {
            Some(last) => after = *last,
            None => return Ok(verified),
        }
    }
}

/// Checks some messages of a scope: the newest, and others from all over it. Not more than about
/// `about`.
///
/// # Errors
/// Where a row cannot be read at all.
pub async fn verify_some(scope: &Scope, about: u32) -> Result<Verified, StoreError> {
    let policies = Policies::default();
    let mut verified = Verified::default();
    let newest = scope.messages(Default::default(), Page { start: PageStart::Newest, limit: 1 }).await?;
    let Some(top) = newest.rows.first().map(|row| row.n) else { return Ok(verified) };
    let (each, mut seen) = (about.div_ceil(PLACES).max(1), Position::MAX);
    for place in (1..=PLACES).rev() {
        // Behind the last one that was looked at, where places lie close together.
        let behind = (i128::from(top) * i128::from(place) / i128::from(PLACES) + 1).min(i128::from(seen));
        let behind = Position::try_from(behind).unwrap_or(Position::MAX);
        let behind = if place == PLACES { Position::MAX } else { behind };
        let page = Page { start: PageStart::After(behind), limit: each };
        for message in &scope.messages(Default::default(), page).await?.rows {
            seen = message.n;
            verify_message(scope, &policies, &message.row, &mut verified).await?;
        }
    }
    Ok(verified)
}

/// Messages that are read at once.
const PAGE: u32 = 100;
/// From how many places of a scope some are looked at.
const PLACES: u32 = 20;

/// Checks the chain of a message that was dropped. What it was decided by is gone with it.
async fn verify_dropped(scope: &Scope, n: Position, verified: &mut Verified) -> Result<(), StoreError> {
    let rows = journal(scope, n).await?;
    let mut chain = Chain::default();
    let mut fault = None;
    for row in &rows {
        verified.transitions += u64::from(row.row.count);
        if let Err(what) = chain.row(row) {
            fault = Some(Fault { message: message_of(&rows), seq: row.row.seq, what });
            break;
        }
    }
    verified.dropped += 1;
    verified.faults.extend(fault);
    Ok(())
}

/// The id of a message, as its transitions tell it.
fn message_of(rows: &[StoredJournal]) -> Option<Id<kinds::Message>> {
    let body = Body::read(&rows.first()?.row.body).ok()?;
    let line: serde_json::Value = serde_json::from_str(body.transitions.first()?).ok()?;
    line["message_id"].as_str()?.parse().ok()
}

/// How often a message is looked at again that goes on while it is read.
const LOOKS_MAX: usize = 10;

async fn verify_message(
    scope: &Scope,
    policies: &Policies,
    message: &StoredMessage,
    verified: &mut Verified,
) -> Result<(), StoreError> {
    let mut message = std::borrow::Cow::Borrowed(message);
    let mut looked = look(scope, policies, &message).await?;
    // A server may be at work beside: state and journal are read one after the other.
    for _ in 1..LOOKS_MAX {
        let now = match looked.fault {
            None => break,
            Some(_) => scope.message_at(message.n).await?,
        };
        match now {
            Some(now) if now.version != message.version => message = std::borrow::Cow::Owned(now),
            _ => break,
        }
        looked = look(scope, policies, &message).await?;
    }
    verified.messages += 1;
    verified.transitions += looked.transitions;
    verified.not_replayed += u64::from(!looked.replayed);
    verified.faults.extend(looked.fault);
    Ok(())
}

/// What one look at a message found.
struct Looked {
    transitions: u64,
    replayed: bool,
    fault: Option<Fault>,
}

async fn look(scope: &Scope, policies: &Policies, message: &StoredMessage) -> Result<Looked, StoreError> {
    let rows = journal(scope, message.n).await?;
    let plan = plan(scope, policies, message).await?;
    let mut check = Check { plan, chain: Chain::default(), instance: None, replayed: true };
    let fault = |seq, what| Some(Fault { message: Some(message.row.id), seq, what });
    let mut transitions = 0;
    for row in &rows {
        transitions += u64::from(row.row.count);
        if let Err(what) = check.row(row) {
            return Ok(Looked { transitions, replayed: true, fault: fault(row.row.seq, what) });
        }
    }
    let fault = check.end(message).err().and_then(|what| fault(check.chain.seq, what));
    Ok(Looked { transitions, replayed: check.replayed, fault })
}

pub(super) async fn journal(scope: &Scope, n: Position) -> Result<Vec<StoredJournal>, StoreError> {
    const ROWS: u32 = 1_000;
    let mut all: Vec<StoredJournal> = Vec::new();
    loop {
        let from = all.last().map_or(0, |row| row.row.seq + u64::from(row.row.count));
        let mut rows = scope.journal(n, from, ROWS).await?;
        let full = rows.len() >= usize::try_from(ROWS).unwrap_or(usize::MAX);
        all.append(&mut rows);
        if !full {
            return Ok(all);
        }
    }
}

async fn plan(scope: &Scope, policies: &Policies, message: &StoredMessage) -> Result<Plan, StoreError> {
    let clear = read_clear(&message.row.doc)?;
    policies.of_message(scope, message.row.policy.as_ref(), &clear).await
}

/// The chain of one message, row by row.
struct Chain {
    hash: [u8; 32],
    seq: u64,
}

impl Default for Chain {
    fn default() -> Chain {
        Chain { hash: NO_HASH, seq: 0 }
    }
}

impl Chain {
    /// Takes the next row: no number is left out, and each hash hangs on the one before.
    fn row(&mut self, row: &StoredJournal) -> Result<Body, String> {
        let journal = &row.row;
        if journal.seq != self.seq + 1 {
            return Err(format!("transition {} is missing", self.seq + 1));
        }
        let body = Body::read(&journal.body).map_err(|error| error.to_string())?;
        let count = u32::try_from(body.transitions.len()).unwrap_or(u32::MAX);
        if count != journal.count {
            return Err("the row says another number of transitions than it holds".to_owned());
        }
        for line in &body.transitions {
            self.hash = chained(self.hash, line);
        }
        if self.hash != journal.hash {
            return Err("the chain of hashes breaks here".to_owned());
        }
        self.seq += u64::from(count);
        Ok(body)
    }
}

/// The check of one message, row by row.
struct Check {
    plan: Plan,
    chain: Chain,
    instance: Option<Instance>,
    replayed: bool,
}

impl Check {
    fn row(&mut self, row: &StoredJournal) -> Result<(), String> {
        let journal = &row.row;
        let body = self.chain.row(row)?;
        let entry = JournalEntry::from_bytes(&body.entry).map_err(|error| error.to_string())?;
        if !self.replayed {
            return Ok(());
        }
        match entry.replay(&self.plan.machine, self.instance.take()) {
            Ok(replayed) => {
                let count = u32::try_from(replayed.transitions.len()).unwrap_or(u32::MAX);
                let lines = super::journal::lines(row.message_id, &body.entry, &replayed.transitions);
                if count != journal.count || lines != body.transitions {
                    return Err("the replay gives other transitions than are on record".to_owned());
                }
                self.instance = Some(replayed.instance);
                Ok(())
            }
            Err(Mismatch::Semantics(_)) => {
                self.replayed = false;
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    fn end(&self, message: &StoredMessage) -> Result<(), String> {
        let bytes = match &message.state {
            MessageState::Live(live) => &live.state,
            MessageState::Ended(ended) => &ended.state,
        };
        let state = State::read(bytes, &self.plan.machine).map_err(|error| error.to_string())?;
        if state.hash != self.chain.hash {
            return Err("the message's state has another hash than the end of its chain".to_owned());
        }
        let mut instance = self.instance.clone();
        if self.replayed && !state.unwritten.is_empty() {
            let entry = JournalEntry::from_bytes(&state.unwritten).map_err(|error| error.to_string())?;
            let replayed = entry.replay(&self.plan.machine, instance).map_err(|error| error.to_string())?;
            instance = Some(replayed.instance);
        }
        match &instance {
            Some(instance) if self.replayed && *instance != state.instance => {
                Err("the replay gives another state than the one on record".to_owned())
            }
            _ => Ok(()),
        }
    }
}
