//! Messages whose owner is gone get a new one.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::decide::Input;
use crate::engine::desk::{Calling, Desk};
use crate::engine::front::Refusal;
use crate::engine::running::Running;
use crate::model::{Environment, Id, Outcome, kinds};
use crate::providers::Answer;
use crate::store::rows::StoredAttempt;
use crate::store::{Position, StoreError};

/// How many messages are taken over at once: others take theirs meanwhile.
const BATCH: u32 = 500;

/// An attempt that has no outcome and whose call nobody made any more when it was found.
pub(in crate::engine) struct Lost {
    message: Id<kinds::Message>,
    input: Input,
    /// Until its message has been told it counts as called: whoever looks once more must not tell it again,
    /// which would end its next call as if that were the one that was lost.
    told: Calling,
}

/// What is told to a message of a call whose process died. `is_open`: nothing is known of it, while else a
/// receipt was here before the answer and said that it was accepted.
fn lost(number: u32, is_open: bool) -> Input {
    let answer = match is_open {
        true => Answer::of(Outcome::InDoubt).because("the process died while it was under way"),
        false => {
            Answer::of(Outcome::Accepted).because("a receipt came; the process died before the answer did")
        }
    };
    Input::Answer { number, answer: Box::new(answer), counted: true }
}

impl Desk {
    /// Closes the calls of a message that has ended and that this node has just taken over: they were
    /// another's, which is gone, or was of a version that closed none.
    pub(in crate::engine) fn close_lost_calls(self: &Arc<Self>, running: &Running) {
        if self.environment() == Environment::Test || running.state.instance.ended().is_none() {
            return;
        }
        for attempt in running.attempts.iter().filter(|attempt| attempt.outcome.is_none()) {
            let is_open = running.state.instance.is_open(attempt.number);
            let (message, told) = (running.info.id, Calling::of(self, attempt.id));
            self.tell_lost(Lost { message, input: lost(attempt.number, is_open), told });
        }
    }

    /// Takes over messages of this scope whose owner's lease has ended, until there are none. What is
    /// due later stays in the store; calls without an answer are in doubt, those of messages that have ended
    /// too.
    pub(in crate::engine) async fn adopt(self: &Arc<Self>) -> Result<(), StoreError> {
        let mut missed = self.missed.lock().await;
        let some_were = std::mem::replace(&mut *missed, true);
        self.take_over().await?;
        if some_were {
            self.take_up_missed().await?;
        }
        *missed = false;
        drop(missed);
        // What came in for them meanwhile.
        self.carry_out_signals().await
    }

    /// The same where the store can do it now. Where not, the next look tries it again.
    pub(in crate::engine) async fn adopt_if_possible(self: &Arc<Self>) {
        if let Err(error) = self.adopt().await {
            tracing::warn!(scope = %self.id(), %error, "messages without an owner are not taken up yet");
        }
    }

    /// Whether messages may have been taken over that nobody here has heard of: the store did it, and its
    /// answer was lost.
    pub(in crate::engine) fn has_missed(&self) -> bool {
        self.missed.try_lock().is_ok_and(|missed| *missed)
    }

    async fn take_over(self: &Arc<Self>) -> Result<(), StoreError> {
        loop {
            let adopted = self.scope.adopt(BATCH).await?;
            let more = adopted.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
            crash_point!("adopt.taken");
            let mut taken: BTreeMap<Position, Id<kinds::Message>> = BTreeMap::new();
            for message in &adopted {
                taken.insert(message.n, message.row.id);
                self.drop_held(message.row.id).await;
            }
            let (Some((first, _)), Some((last, _))) = (taken.first_key_value(), taken.last_key_value())
            else {
                return Ok(());
            };
            self.in_doubt_of(*first, *last, &taken).await?;
            self.due_in_store(self.scope.next_due().await?);
            tracing::info!(scope = %self.id(), messages = adopted.len(), "took over messages of a node that is gone");
            if !more {
                return Ok(());
            }
        }
    }

    /// Goes through all of this node's messages: those that it took over and did not hear of are among
    /// them, and their calls are made by nobody.
    async fn take_up_missed(self: &Arc<Self>) -> Result<(), StoreError> {
        self.lost_calls().await?.into_iter().for_each(|lost| self.tell_lost(lost));
        self.due_in_store(self.scope.next_due().await?);
        Ok(())
    }

    /// The attempts of this node's messages that have no outcome and whose call nobody makes any more: what
    /// is to be told to their messages, once all have their places again.
    pub(in crate::engine) async fn lost_calls(self: &Arc<Self>) -> Result<Vec<Lost>, StoreError> {
        let (mut after, mut lost) = (None, Vec::new());
        loop {
            let unfinished = self.scope.unfinished(after, BATCH).await?;
            for attempt in &unfinished {
                after = Some((attempt.message, attempt.n));
                lost.extend(self.recover_attempt(attempt).await?);
            }
            if unfinished.len() < usize::try_from(BATCH).unwrap_or(usize::MAX) {
                return Ok(lost);
            }
        }
    }

    /// Puts those of the messages whose call has no answer in doubt.
    async fn in_doubt_of(
        self: &Arc<Self>,
        first: Position,
        last: Position,
        taken: &BTreeMap<Position, Id<kinds::Message>>,
    ) -> Result<(), StoreError> {
        let mut after = Some((first - 1, Position::MAX));
        loop {
            let unfinished = self.scope.unfinished(after, BATCH).await?;
            let full = unfinished.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
            for attempt in &unfinished {
                after = Some((attempt.message, attempt.n));
                // Between them lie calls that run here and now.
                if taken.contains_key(&attempt.message) {
                    // Places are counted by the rows, of which the one who is gone took them.
                    if let Some(lost) = self.recover_attempt(attempt).await? {
                        self.tell_lost(lost);
                    }
                }
            }
            let over = unfinished.last().is_none_or(|attempt| attempt.message > last);
            if over || !full {
                return Ok(());
            }
        }
    }

    /// An attempt that has no outcome and whose call nobody makes any more: it has its places again, unless
    /// its message has ended. What is to be told to its message.
    async fn recover_attempt(self: &Arc<Self>, attempt: &StoredAttempt) -> Result<Option<Lost>, StoreError> {
        crash_point!("recover.attempt");
        let held = match self.enter(attempt.message_id).await {
            Ok(held) => held,
            Err(Refusal::Store(error)) => return Err(error),
            Err(_) => return Ok(None),
        };
        let Some(running) = held.as_ref() else { return Ok(None) };
        let found = running.attempts.iter().find(|a| a.id == attempt.row.id);
        // It may have got one meanwhile, or be called by this node itself.
        let found = found.filter(|attempt| attempt.outcome.is_none() && !self.state().calls(attempt.id));
        let number = found.map(|attempt| attempt.number);
        let is_open = number.is_some_and(|number| running.state.instance.is_open(number));
        self.settle(attempt.message_id, running);
        // What a script says is derived from the rows.
        let number = number.filter(|_| self.environment() == Environment::Live);
        let found = number.map(|number| {
            let (message, told) = (attempt.message_id, Calling::of(self, attempt.row.id));
            Lost { message, input: lost(number, is_open), told }
        });
        drop(held);
        Ok(found)
    }

    /// Tells a message that a call of it was lost.
    pub(in crate::engine) fn tell_lost(self: &Arc<Self>, lost: Lost) {
        let (desk, counted) = (Arc::clone(self), self.begin());
        tokio::spawn(async move {
            desk.drive(lost.message, lost.input).await;
            drop((lost.told, counted));
        });
    }
}
