//! What comes in at one node for a message whose call another node has open: written down for that
//! node, carried out by it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};

use crate::engine::callers::Asked;
use crate::engine::decide::{Input, LateFailure};
use crate::engine::desk::Desk;
use crate::engine::doc::{ReplyText, read_clear};
use crate::engine::front::{Claim, Refusal, Taken};
use crate::engine::records::{read, unreadable, write};
use crate::engine::running::Running;
use crate::engine::together::{Item, Reply, Through};
use crate::machine::What;
use crate::model::{Channel, Clock as _, Confirmation, Environment, Id, Instant, Outcome, Span, kinds};
use crate::providers::Answer;
use crate::store::rows::{IdempotencyKey, SignalRow, StoredSignal};
use crate::store::{Change, Committed, Position, StoreError};

/// How many are read at once.
const PAGE: u32 = 200;
/// How often one is tried before it is left for the next look.
const TRIES_MAX: u32 = 5;
/// How long a caller waits for the owner; the same request under the same key goes on with it.
const WAIT_MAX: Span = Span::from_s(5);
/// How often it is looked whether a signal is carried out, beside being rung for.
const LOOK_EVERY: Span = Span::from_ms(200);

/// What is to be done to a message. A form that is kept.
#[derive(Serialize, Deserialize)]
#[serde(tag = "w")]
enum Doc {
    #[serde(rename = "answer")]
    Answer {
        number: u32,
        outcome: Outcome,
        id: Option<String>,
        retry_after_ms: Option<i64>,
        address_gone: bool,
    },
    #[serde(rename = "confirmed")]
    Confirmed { number: u32, level: Confirmation, id: Option<String> },
    #[serde(rename = "failed")]
    Failed { number: u32, fault: Option<Outcome>, address_gone: bool, id: Option<String> },
    #[serde(rename = "reply")]
    Reply {
        number: u32,
        text: String,
        id: Option<String>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        by_address: bool,
    },
    #[serde(rename = "cancel")]
    Cancel { claim: Option<ClaimDoc> },
    #[serde(rename = "confirm")]
    Confirm { level: Confirmation, channel: Option<Channel>, claim: Option<ClaimDoc> },
}

/// Under which key a caller asked.
#[derive(Serialize, Deserialize)]
struct ClaimDoc {
    key: [u8; 16],
    request: [u8; 32],
    at: Instant,
    who: Id<kinds::Key>,
    request_id: Id<kinds::Request>,
}

impl ClaimDoc {
    fn of(claim: &Claim) -> ClaimDoc {
        let Claim { key, request, at, who, request_id } = claim.clone();
        ClaimDoc { key: key.0, request, at, who, request_id }
    }

    fn claim(self) -> Claim {
        let ClaimDoc { key, request, at, who, request_id } = self;
        Claim { key: IdempotencyKey(key), request, at, who, request_id }
    }
}

/// A signal, read.
enum Signal {
    /// Something that comes by itself.
    Came(Item),
    /// Something that a caller asked for, under a key where an answer is owed.
    Asked(What, Option<Claim>),
}

/// Whether somebody carries signals out, and whether there may be more than they have seen.
#[derive(Default)]
pub(in crate::engine) struct Carrying {
    alone: tokio::sync::Mutex<()>,
    again: std::sync::atomic::AtomicBool,
}

/// The first byte of a signal's bytes: in clear, or sealed under the key of the message's person.
const CLEAR: u8 = 0;
const SEALED: u8 = 1;

fn place(message: Id<kinds::Message>) -> Vec<u8> {
    let mut place = b"signal ".to_vec();
    place.extend(message.to_bytes());
    place
}

impl Desk {
    /// Whether this node may change a message now, whoever owns it. A call that another node has open
    /// is that node's; in a test scope nothing leaves the process, so there any node changes any message.
    pub(in crate::engine) fn may_change(&self, running: &Running) -> bool {
        self.is_mine(running)
            || self.environment() == Environment::Test
            || running.attempts.iter().all(|attempt| attempt.outcome.is_some())
    }

    /// Whether this node runs a message.
    pub(in crate::engine) fn is_mine(&self, running: &Running) -> bool {
        !self.context.nodes.is_shared || running.owner == self.context.nodes.me
    }

    /// The row that tells a message's owner of something.
    pub(in crate::engine) fn signal(
        self: &Arc<Self>,
        running: &Running,
        input: &Input,
        claim: Option<&Claim>,
    ) -> Result<Option<SignalRow>, StoreError> {
        if !self.context.nodes.is_alive(running.owner) {
            // As far as is known here: then it has a new owner in a moment.
            let (desk, counted) = (Arc::clone(self), self.begin());
            tokio::spawn(async move {
                desk.adopt_if_possible().await;
                drop(counted);
            });
        }
        let claim = claim.map(ClaimDoc::of);
        let doc = match input {
            Input::What(What::Canceled) => Doc::Cancel { claim },
            Input::What(What::ConfirmedByCaller { level, channel }) => {
                Doc::Confirm { level: *level, channel: *channel, claim }
            }
            // Timers and places are the owner's own.
            Input::What(_) | Input::Due => return Ok(None),
            Input::Answer { number, answer, .. } => Doc::Answer {
                number: *number,
                outcome: answer.outcome,
                id: answer.provider_message_id.clone(),
                retry_after_ms: answer.retry_after.map(Span::ms),
                address_gone: answer.address_gone,
            },
            Input::Confirmed { number, reply: Some(reply), .. }
            | Input::Another { number, reply }
            | Input::Early { number, reply } => Doc::Reply {
                number: *number,
                text: reply.text.clone(),
                id: reply.id.clone(),
                by_address: matches!(input, Input::Early { .. }),
            },
            Input::Confirmed { number, level, sent_as, reply: None } => {
                Doc::Confirmed { number: *number, level: *level, id: sent_as.clone() }
            }
            Input::FailedLater { number, failure, .. } => Doc::Failed {
                number: *number,
                fault: failure.fault,
                address_gone: failure.address_gone,
                id: failure.sent_as.clone(),
            },
        };
        let (form, bytes) = match (doc, &running.info.key) {
            (doc @ Doc::Reply { .. }, Some(key)) => {
                (SEALED, self.scope.seal(key, &place(running.info.id), &write(&doc)?)?)
            }
            (Doc::Reply { by_address: true, .. }, None) => return Ok(None),
            // What a person wrote goes with the person; that they wrote stays.
            (Doc::Reply { number, .. }, None) => {
                (CLEAR, write(&Doc::Confirmed { number, level: Confirmation::Replied, id: None })?)
            }
            (doc, _) => (CLEAR, write(&doc)?),
        };
        let doc = std::iter::once(form).chain(bytes).collect();
        Ok(Some(SignalRow { message: running.n, at: self.real_now(), doc }))
    }

    /// Leaves word for a message's owner; the position of the signal, where there is anything to leave.
    pub(in crate::engine) async fn leave_word(
        self: &Arc<Self>,
        running: &Running,
        input: &Input,
        claim: Option<&Claim>,
    ) -> Result<Option<Position>, StoreError> {
        let Some(row) = self.signal(running, input, claim)? else { return Ok(None) };
        let committed = self.scope.commit(Change { signals: vec![row], ..Change::default() }).await?;
        Ok(committed.applied().and_then(|applied| applied.signals.first().copied()))
    }

    /// Waits until a signal was carried out.
    ///
    /// # Errors
    /// [`Refusal::Overloaded`] where its owner did not come to it in time.
    pub(in crate::engine) async fn until_carried_out(&self, n: Position) -> Result<(), Refusal> {
        let clocks = &self.context.clocks;
        let end = clocks.real_now().plus(WAIT_MAX);
        let mut rung = self.context.nodes.rung();
        loop {
            rung.borrow_and_update();
            if !self.scope.signal_waits(n).await? {
                return Ok(());
            }
            let now = clocks.real_now();
            if now >= end {
                return Err(Refusal::Overloaded);
            }
            if self.context.nodes.is_fenced() {
                return Err(Refusal::ShuttingDown);
            }
            tokio::select! {
                biased;
                changed = rung.changed() => if changed.is_err() { return Err(Refusal::ShuttingDown) },
                () = clocks.real_sleep(now.plus(LOOK_EVERY)) => {}
            }
        }
    }

    /// The same, beside whatever else goes on. Where somebody is at it already, they look once more.
    pub(super) fn spawn_signals(self: &Arc<Self>) {
        let (desk, counted) = (Arc::clone(self), self.begin());
        tokio::spawn(async move {
            if let Err(error) = desk.carry_out_signals().await {
                tracing::warn!(scope = %desk.id(), %error, "what came in at other nodes waits");
            }
            drop(counted);
        });
    }

    /// Carries out what other nodes left for this one.
    pub(super) async fn carry_out_signals(self: &Arc<Self>) -> Result<(), StoreError> {
        self.carrying.again.store(true, Ordering::Release);
        let _alone = self.carrying.alone.lock().await;
        while self.carrying.again.swap(false, Ordering::AcqRel) {
            let mut after = 0;
            loop {
                let page = self.scope.signals(after, PAGE).await?;
                let full = page.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
                for signal in page {
                    after = signal.n;
                    self.carry_out(signal).await?;
                }
                if !full {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Carries one out. What cannot be is left for the next look; what means nothing any more is removed.
    async fn carry_out(self: &Arc<Self>, signal: StoredSignal) -> Result<(), StoreError> {
        let (n, message) = (signal.n, signal.message_id);
        for _ in 0..TRIES_MAX {
            let done = match self.read_signal(&signal).await? {
                Some(Signal::Came(item)) => {
                    let beside = || Change { signals_done: vec![n], ..Change::default() };
                    let messages = BTreeMap::from([(message, vec![item])]);
                    self.change_together(&messages, Through::Signal, &beside).await
                }
                Some(Signal::Asked(what, claim)) => self.carry_out_asked(n, message, what, claim).await,
                None => self.remove_signal(n).await.map_err(Refusal::from),
            };
            match done {
                Ok(()) => return Ok(()),
                // It was carried out meanwhile, or the message has another owner.
                Err(Refusal::Store(StoreError::Conflict { .. })) if !self.scope.signal_waits(n).await? => {
                    return Ok(());
                }
                Err(Refusal::Store(StoreError::Conflict { .. } | StoreError::Stale { .. })) => {}
                Err(Refusal::Store(error)) => return Err(error),
                // The message is not there, has ended, or does not take what was asked.
                Err(_) => return self.remove_signal(n).await,
            }
        }
        Ok(())
    }

    async fn carry_out_asked(
        self: &Arc<Self>,
        n: Position,
        message: Id<kinds::Message>,
        what: What,
        claim: Option<Claim>,
    ) -> Result<(), Refusal> {
        match self.ask_once(message, what, claim.as_ref(), Some(n)).await? {
            Asked::Taken(Taken::Done(_)) => Ok(()),
            // Its key was known: nothing was written, the removal neither.
            Asked::Taken(Taken::Replayed(_)) => Ok(self.remove_signal(n).await?),
            // The message has another owner now, and so has the signal.
            Asked::Left(_) => Ok(()),
        }
    }

    async fn remove_signal(&self, n: Position) -> Result<(), StoreError> {
        let change = Change { signals_done: vec![n], ..Change::default() };
        match self.scope.commit(change).await {
            Ok(Committed::Applied(_) | Committed::Replayed(_)) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// What a signal asks for; `None` where its person was erased, or its message is not there.
    async fn read_signal(&self, signal: &StoredSignal) -> Result<Option<Signal>, StoreError> {
        let plain = match signal.row.doc.split_first() {
            Some((&CLEAR, plain)) => plain.to_vec(),
            Some((&SEALED, sealed)) => {
                let Some(stored) = self.scope.message(signal.message_id).await? else { return Ok(None) };
                let subject = read_clear(&stored.row.doc)?.subject();
                let Some(key) = self.scope.known_subject_key(subject).await? else { return Ok(None) };
                self.scope.open(&key, &place(signal.message_id), sealed)?
            }
            _ => return Err(unreadable()),
        };
        let receipt = |input| Some(Signal::Came(Item::Receipt(input)));
        Ok(match read::<Doc>(&plain)? {
            Doc::Answer { number, outcome, id, retry_after_ms, address_gone } => {
                let answer = Answer {
                    outcome,
                    provider_message_id: id,
                    retry_after: retry_after_ms.map(Span::from_ms),
                    detail: None,
                    address_gone,
                };
                receipt(Input::Answer { number, answer: Box::new(answer), counted: false })
            }
            Doc::Confirmed { number, level, id } => {
                receipt(Input::Confirmed { number, level, sent_as: id, reply: None })
            }
            Doc::Failed { number, fault, address_gone, id } => {
                let failure = LateFailure { fault, address_gone, sent_as: id };
                receipt(Input::FailedLater { number, failure, counted: false })
            }
            Doc::Reply { number, text, id, by_address } => {
                let text = ReplyText { text, id };
                Some(Signal::Came(Item::Reply(Reply { number, text, by_address, consent: None })))
            }
            Doc::Cancel { claim } => Some(Signal::Asked(What::Canceled, claim.map(ClaimDoc::claim))),
            Doc::Confirm { level, channel, claim } => {
                Some(Signal::Asked(What::ConfirmedByCaller { level, channel }, claim.map(ClaimDoc::claim)))
            }
        })
    }
}
