//! What a change of a message comes to: the steps, under one lock of the scope with the facts that
//! they read and the places that they take; then the rows.

mod answers;
mod rows;
mod work;
mod world;

use std::sync::Arc;

use super::desk::Desk;
use super::doc::{ReplyText, State};
use super::journal;
use super::providers::Place;
use super::quota::Crossed;
use super::running::{Attempt, Info, Running, Said, unsettled};
use super::tell::Teller;
use crate::machine::{Beginning, JournalEntry, What};
use crate::model::shapes::QuotaName;
use crate::model::{Channel, Confirmation, Instant, Outcome};
use crate::providers::Answer;
use crate::store::rows::{AttemptRow, EventRow, JournalRow, OutcomeRow};
use crate::store::{StoreError, UsageDelta};

use work::Work;

/// Something that happens to a message.
#[derive(Clone)]
pub(super) enum Input {
    /// What the machine knows by name.
    What(What),
    /// Whatever is due by now: timers, and what scripts say.
    Due,
    /// A provider's answer to an attempt. `counted`: the breaker has had it.
    Answer { number: u32, answer: Box<Answer>, counted: bool },
    /// A confirmation, under which id of the provider's, and what the person wrote.
    Confirmed { number: u32, level: Confirmation, sent_as: Option<String>, reply: Option<ReplyText> },
    /// A failure after acceptance, and what it says. `counted`: the breaker has had it.
    FailedLater { number: u32, failure: LateFailure, counted: bool },
    /// Another reply, after one that counted already.
    Another { number: u32, reply: ReplyText },
    /// A reply that names no send, to an address to which a call is under way.
    Early { number: u32, reply: ReplyText },
}

/// What a receipt of failure says.
#[derive(Debug, Clone, Default)]
pub(super) struct LateFailure {
    /// Whose fault it was, where that was said.
    pub(super) fault: Option<Outcome>,
    /// The address does not exist any more.
    pub(super) address_gone: bool,
    /// The provider's id of the send.
    pub(super) sent_as: Option<String>,
}

/// What is done once the change is durable.
#[derive(Debug, Clone)]
pub(super) enum After {
    Call { number: u32 },
    Again { number: u32 },
    LookUp { number: u32 },
}

/// How what was taken in memory is given back where the change is not written.
enum Undo {
    Began(Place, Channel),
    /// Of the provider, and of the channel's quota where it still had one.
    Ended(Place, Option<Channel>),
    /// Of a quota alone.
    Released(Channel),
    Counted(Vec<UsageDelta>, Vec<Crossed>),
}

/// What a change comes to.
pub(super) struct Decision {
    pub(super) state: State,
    pub(super) attempts: Vec<Attempt>,
    pub(super) said: Vec<Said>,
    pub(super) counts: std::collections::HashMap<String, usize>,
    pub(super) after: Vec<After>,
    pub(super) journal: Option<JournalRow>,
    pub(super) events: Vec<EventRow>,
    pub(super) new_attempts: Vec<AttemptRow>,
    pub(super) outcomes: Vec<OutcomeRow>,
    pub(super) usage: Vec<UsageDelta>,
    /// Duties of this node without which it must not be written.
    pub(super) claims: Vec<String>,
    /// Events of the scope that are told only if the change is written.
    pub(super) scope_events: Vec<EventRow>,
    /// Whether any event came to the machine.
    pub(super) stepped: bool,
    /// The message had ended, was looked at because something was due, and is settled: the store is told
    /// that nothing is due any more, whether or not anything came of it.
    settles: bool,
    undo: Vec<Undo>,
}

/// The message that a decision is about, as it was before.
pub(super) struct Before<'a> {
    pub(super) info: &'a Arc<Info>,
    pub(super) state: State,
    pub(super) attempts: Vec<Attempt>,
    pub(super) said: Vec<Said>,
    pub(super) counts: std::collections::HashMap<String, usize>,
    /// For a message that is being accepted.
    pub(super) beginning: Option<Beginning>,
}

impl Before<'_> {
    /// A message that is under way.
    pub(super) fn of(running: &Running) -> Before<'_> {
        Before {
            info: &running.info,
            state: running.state.clone(),
            attempts: running.attempts.clone(),
            said: running.said.clone(),
            counts: running.counts.clone(),
            beginning: None,
        }
    }
}

/// As what is added.
fn signed(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// How many steps one change holds at most.
const STEPS_MAX: usize = 256;

impl Desk {
    /// Decides a change. Places are taken and given back in memory at once: where the change is not
    /// written, [`Desk::undo`] reverses that.
    pub(super) fn decide(
        &self,
        before: Before<'_>,
        inputs: &mut [Input],
        now: Instant,
    ) -> Result<Decision, StoreError> {
        let info = Arc::clone(before.info);
        // The node that changed it last may have a clock that is ahead: within a message time never goes
        // back, in its rows neither.
        let now = now.max(before.state.instance.last_at());
        let mut entry = match before.state.unwritten.as_slice() {
            [] => JournalEntry::new(before.beginning.clone()),
            bytes => JournalEntry::from_bytes(bytes).map_err(|_| super::records::unreadable())?,
        };
        let was = before.state.instance.clone();
        let mut decision = Decision {
            state: before.state,
            attempts: before.attempts,
            said: before.said,
            counts: before.counts,
            after: Vec::new(),
            journal: None,
            events: Vec::new(),
            new_attempts: Vec::new(),
            outcomes: Vec::new(),
            usage: Vec::new(),
            claims: Vec::new(),
            scope_events: Vec::new(),
            stepped: false,
            settles: false,
            undo: Vec::new(),
        };
        let known = decision.said.len();
        let was_ended = was.ended().is_some();
        let mut work = Work {
            known,
            was_ended,
            desk: self,
            info: &info,
            now,
            entry: &mut entry,
            told: Vec::new(),
            transitions: Vec::new(),
        };
        {
            let mut state = self.state();
            if before.beginning.is_some() {
                state.quotas.release(QuotaName::Messages);
                work.count(&mut state, &mut decision, QuotaName::Messages, 1, true);
            }
            for input in inputs.iter_mut() {
                work.take(&mut state, &mut decision, input)?;
            }
            if !was_ended && decision.state.instance.ended().is_some() {
                work.use_what_is_held(&mut state, &mut decision);
            }
        }
        let (told, transitions) = (work.told, work.transitions);
        decision.settles = was_ended
            && inputs.iter().any(|input| matches!(input, Input::Due))
            && unsettled(&info, &decision.state, &decision.attempts, &decision.said).is_none();
        decision.journal = journal::row(info.id, decision.state.hash, &entry, &transitions)?;
        match &decision.journal {
            Some(row) => {
                decision.state.hash = row.hash;
                decision.state.unwritten = Vec::new();
            }
            // Nothing came of it but that time went on.
            None if decision.state.instance.is_but_later_than(&was) => decision.state.instance = was,
            None => {
                let bytes = entry.to_bytes().map_err(|_| super::records::unreadable())?;
                decision.state.unwritten = bytes;
            }
        }
        let teller = Teller::new(self, &info, now);
        for (told, reply) in told {
            decision.state.event_sequence += 1;
            let row = teller.row(&told, reply.as_ref(), &decision)?;
            decision.events.push(row);
        }
        Ok(decision)
    }

    /// Gives back what a decision took in memory, the last first.
    pub(super) fn undo(&self, decision: &mut Decision) {
        let mut state = self.state();
        for undo in decision.undo.drain(..).rev() {
            match undo {
                Undo::Began(place, channel) => {
                    state.providers.undo(&place);
                    state.quotas.release(QuotaName::Channel(channel));
                }
                Undo::Ended(place, channel) => {
                    state.providers.resume(&place.provider);
                    if let Some(channel) = channel {
                        state.quotas.begin(QuotaName::Channel(channel));
                    }
                }
                Undo::Released(channel) => state.quotas.begin(QuotaName::Channel(channel)),
                Undo::Counted(deltas, crossed) => state.quotas.uncount(&deltas, &crossed),
            }
        }
    }

    /// The event of a crossed threshold.
    pub(super) fn threshold(&self, crossed: &Crossed, at: Instant) -> Result<EventRow, StoreError> {
        let window = match crossed.window {
            crate::store::rows::UsageWindow::Day => "day",
            crate::store::rows::UsageWindow::Month => "month",
        };
        let data = serde_json::json!({"quota": crossed.name, "window": window, "limit": crossed.limit,
            "used": crossed.used, "percent": crossed.percent, "resets_at": crossed.resets_at});
        self.scope_event(crate::model::shapes::EventType::QuotaThreshold, &data, at)
    }
}
