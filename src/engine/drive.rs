//! Carries changes of messages out: decided, committed, and followed by what they ask for.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::OwnedMutexGuard;

use super::decide::{After, Before, Decision, Input};
use super::desk::Desk;
use super::dispatch::How;
use super::front::Refusal;
use super::running::Running;
use crate::machine::{StageId, What};
use crate::model::shapes::QuotaName;
use crate::model::{Id, Instant, Outcome, Span, kinds};
use crate::store::rows::Kept;
use crate::store::{Change, Committed, MessageChange, StoreError};

/// How long a change waits before it is tried again, at first and at most, in milliseconds.
const AGAIN_MS: (i64, i64) = (100, 5_000);

/// What became of a change that was asked for.
pub(super) enum Carried {
    Done,
    /// The idempotency key was known: nothing was done.
    Replayed(Box<Kept>),
}

/// What goes with a change beside the message's own rows.
pub(super) type Extra<'a> = Box<dyn FnOnce(&Decision, &mut Change) -> Result<(), StoreError> + Send + 'a>;

/// How often a message is read back where a change of it was not written, before it is left alone
/// until it is due, or until the next start.
const READ_AGAIN_MAX: u32 = 5;

/// How often a change is decided anew without a pause, because another node was first.
const ANEW_MAX: u32 = 16;

/// Whether no further change is ever written here.
const fn is_final(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Closing | StoreError::Fenced | StoreError::Failed { .. } | StoreError::Corrupt { .. }
    )
}

impl Desk {
    /// Does something to a message on its own account, however often the store must be asked, and
    /// then whatever is due at once.
    pub(super) async fn drive(self: &Arc<Self>, id: Id<kinds::Message>, input: Input) {
        let mut held = match self.enter_for_long(id).await {
            Some(held) => held,
            None => return,
        };
        let mut inputs = vec![input];
        let (mut pause, mut read_again, mut anew) = (AGAIN_MS.0, 0, 0);
        loop {
            let Some(running) = held.as_mut() else { return };
            if !self.may_drive(running, &inputs) {
                let left = Box::pin(self.leave_all(running, &inputs)).await;
                self.let_go(id, running);
                match left {
                    Ok(()) => return,
                    Err(error) if is_final(&error) => return self.note(&error),
                    Err(_) => {}
                }
                held.take();
                drop(held);
                self.context.clocks.real_until(self.real_now().plus(Span::from_ms(pause))).await;
                pause = (pause * 2).min(AGAIN_MS.1);
                held = match self.enter_for_long(id).await {
                    Some(held) => held,
                    None => return,
                };
                continue;
            }
            match self.change(running, &mut inputs, None).await {
                Ok(_) => {
                    pause = AGAIN_MS.0;
                    let due = running.due().is_some_and(|due| due <= self.now());
                    if !due {
                        break;
                    }
                    inputs = vec![Input::Due];
                }
                Err(error) if anew < ANEW_MAX && self.may_decide_anew(&error) => {
                    // Another node was first. What it left is read, and the same is decided anew.
                    anew += 1;
                    if matches!(error, StoreError::Conflict { .. }) {
                        self.let_go(id, running);
                        held.take();
                        drop(held);
                        held = match self.enter_for_long(id).await {
                            Some(held) => held,
                            None => return,
                        };
                    }
                    if let Err(error) = Box::pin(self.read_for(&error)).await {
                        tracing::debug!(scope = %self.id(), %error, "what another node changed is read later");
                    }
                }
                Err(error) if error.is_retryable() && !matches!(error, StoreError::Conflict { .. }) => {
                    self.context.clocks.real_until(self.real_now().plus(Span::from_ms(pause))).await;
                    pause = (pause * 2).min(AGAIN_MS.1);
                }
                Err(error) => {
                    self.give_up(running, &error);
                    held.take();
                    drop(held);
                    // What is in the store counts: it is read back, and the same is decided anew.
                    read_again += 1;
                    if is_final(&error) || read_again > READ_AGAIN_MAX {
                        return;
                    }
                    self.context.clocks.real_until(self.real_now().plus(Span::from_ms(pause))).await;
                    pause = (pause * 2).min(AGAIN_MS.1);
                    held = match self.enter_for_long(id).await {
                        Some(held) => held,
                        None => return,
                    };
                }
            }
        }
        if let Some(running) = held.as_ref() {
            self.settle(id, running);
        }
    }

    /// The same, beside whatever else goes on.
    pub(super) fn spawn_drive(self: &Arc<Self>, id: Id<kinds::Message>, input: Input) {
        let (desk, counted) = (Arc::clone(self), self.begin());
        tokio::spawn(async move {
            desk.drive(id, input).await;
            drop(counted);
        });
    }

    /// Takes the lock of a message, however often the store must be asked.
    async fn enter_for_long(
        self: &Arc<Self>,
        id: Id<kinds::Message>,
    ) -> Option<OwnedMutexGuard<Option<Running>>> {
        let mut pause = AGAIN_MS.0;
        loop {
            match self.enter(id).await {
                Ok(held) => return Some(held),
                Err(Refusal::Store(error)) if error.is_retryable() => {
                    self.context.clocks.real_until(self.real_now().plus(Span::from_ms(pause))).await;
                    pause = (pause * 2).min(AGAIN_MS.1);
                }
                Err(Refusal::NotFound) => return None,
                Err(error) => {
                    tracing::error!(scope = %self.id(), message = %id, %error, "a message cannot be read");
                    self.look_again(id);
                    return None;
                }
            }
        }
    }

    /// A change that cannot be written as it is: the message leaves memory with the places of its
    /// attempts, and what is in the store counts.
    fn give_up(&self, running: &Running, error: &StoreError) {
        let id = running.info.id;
        if !matches!(error, StoreError::Closing | StoreError::Fenced) {
            tracing::error!(scope = %self.id(), message = %id, %error, "a change of a message was not written");
        }
        self.let_go(id, running);
        self.look_again(id);
    }

    /// Whether a message is driven by this node. What is due is its owner's to do, unless this node runs
    /// an advance of the test clock, for which it takes them all.
    fn may_drive(&self, running: &Running, inputs: &[Input]) -> bool {
        let is_own = |input: &Input| matches!(input, Input::Due | Input::What(What::Ready { .. }));
        let takes_all = self.advancing.load(Ordering::Acquire);
        self.is_mine(running) || (self.may_change(running) && (takes_all || !inputs.iter().any(is_own)))
    }

    /// Leaves word for a message's owner of all of this.
    async fn leave_all(self: &Arc<Self>, running: &Running, inputs: &[Input]) -> Result<(), StoreError> {
        for input in inputs {
            let known = match input {
                // What became of a call that its new owner has put in doubt is still news.
                Input::Answer { number, answer, .. } => {
                    let attempt = running.attempts.iter().find(|attempt| attempt.number == *number);
                    let outcome = attempt.map_or(answer.outcome.into(), |attempt| attempt.outcome);
                    answer.outcome == Outcome::InDoubt || outcome.is_some_and(|o| o != Outcome::InDoubt)
                }
                _ => false,
            };
            if !known {
                self.leave_word(running, input, None).await?;
            }
        }
        Ok(())
    }

    /// Whether a change that was refused may be decided anew at once: another node was first.
    pub(super) fn may_decide_anew(&self, error: &StoreError) -> bool {
        self.context.nodes.is_shared
            && matches!(error, StoreError::Conflict { .. } | StoreError::Stale { .. })
    }

    /// Reads what may have changed where a change was refused.
    pub(super) async fn read_for(self: &Arc<Self>, error: &StoreError) -> Result<(), StoreError> {
        if matches!(error, StoreError::Conflict { .. }) {
            // Of two keys that were made for one subject at once the other one stands.
            self.scope.forget_subjects();
        }
        self.read_after_stale().await
    }

    /// Takes note of an error after which this process does nothing more.
    pub(super) fn note(&self, error: &StoreError) {
        self.context.nodes.note(&self.context.clocks, error);
    }

    /// Lets a message go that another node runs, or has changed: with the places of its attempts.
    pub(super) fn let_go(&self, id: Id<kinds::Message>, running: &Running) {
        self.forget(id);
        self.release(running);
    }

    /// Gives back the places of the attempts under way.
    fn release(&self, running: &Running) {
        let mut state = self.state();
        for attempt in &running.attempts {
            if let Some(place) = &attempt.place {
                state.providers.end(place);
                // Where its message has ended it counts as a use, and has no place in the quota.
                if running.state.instance.ended().is_none() {
                    state.quotas.leave(QuotaName::Channel(attempt.channel));
                }
            }
        }
        if self.is_shared() {
            // The duty of a probe may be given back.
            self.wake.notify_one();
        }
    }

    /// Decides and commits one change of a message, then does what it asks for. Its lock is held.
    ///
    /// # Errors
    /// Where nothing was written; what was taken in memory is given back then.
    pub(super) async fn change(
        self: &Arc<Self>,
        running: &mut Running,
        inputs: &mut [Input],
        extra: Option<Extra<'_>>,
    ) -> Result<Carried, StoreError> {
        self.catch_up().await?;
        let seen = self.seen();
        self.refresh(running).await?;
        let now = self.now();
        let was_ended = running.state.instance.ended().is_some();
        let mut decision = self.decide(Before::of(running), inputs, now)?;
        if decision.is_quiet(running) && extra.is_none() {
            // Nothing came of it: nothing is written.
            running.said = decision.said;
            running.counts = decision.counts;
            self.placed(running, decision.attempts);
            return Ok(Carried::Done);
        }
        let mut change = Change { seen, ..Change::default() };
        let begun = Some((running.n, running.version));
        let step = decision.message_step(&running.info, begun, was_ended, None);
        let prepared = step.and_then(|step| {
            if let Some(step) = step {
                let mut part = MessageChange::new(step);
                decision.fill(&mut part);
                change.messages.push(part);
            }
            if let Some(key) = &running.info.key {
                key.keep_in(&mut change);
            }
            if let Some(extra) = extra {
                extra(&decision, &mut change)?;
            }
            Ok(())
        });
        if let Err(error) = prepared {
            self.undo(&mut decision);
            return Err(error);
        }
        crash_point!("change.before-commit");
        match self.commit(change, std::slice::from_mut(&mut decision)).await? {
            Committed::Applied(_) => {
                crash_point!("change.after-commit");
                running.version += 1;
                self.applied(running, decision);
                self.owned(running);
                Ok(Carried::Done)
            }
            Committed::Replayed(kept) => Ok(Carried::Replayed(kept)),
        }
    }

    /// Commits a change with what the scope has to write besides; where it is not written, all that
    /// its decisions took in memory is given back.
    pub(super) async fn commit(
        self: &Arc<Self>,
        mut change: Change,
        decisions: &mut [Decision],
    ) -> Result<Committed, StoreError> {
        // With one node, health goes along where no other write of it is under way.
        let mut health = match self.health.try_lock() {
            Ok(alone) if !self.is_shared() => Some((self.take_health()?, alone)),
            _ => None,
        };
        if let Some((health, _)) = &health {
            health.put(&mut change);
        }
        for decision in decisions.iter_mut() {
            change.usage.append(&mut decision.usage);
            change.claims.append(&mut decision.claims);
            change.events.append(&mut decision.scope_events);
        }
        let usage = change.usage.clone();
        let committed = self.scope.commit(change).await;
        if let Err(error) = &committed {
            self.note(error);
        }
        let is_written = matches!(committed, Ok(Committed::Applied(_)));
        if !is_written {
            for decision in decisions.iter_mut() {
                self.undo(decision);
            }
        }
        self.usage_settled(&usage);
        match health.take() {
            Some((health, _alone)) if is_written => self.health_written(&health),
            Some((health, _alone)) => self.put_health_back(health),
            None => {}
        }
        if (is_written || self.is_shared()) && self.has_health() {
            self.spawn_health();
        }
        committed
    }

    /// A change is durable: memory follows, and what it asks for is done.
    pub(super) fn applied(self: &Arc<Self>, running: &mut Running, decision: Decision) {
        running.state = decision.state;
        running.said = decision.said;
        running.counts = decision.counts;
        running.attempts = decision.attempts;
        if running.state.instance.queued().next().is_none() {
            self.state().providers.forget(running.info.id);
        }
        for after in decision.after {
            match after {
                After::Call { number } => self.dispatch(running, number, How::First),
                After::Again { number } => self.dispatch(running, number, How::Again),
                After::LookUp { number } => self.dispatch(running, number, How::LookUp),
            }
        }
        self.call_up();
    }

    /// A change of a message is durable, and so it is this node's.
    pub(super) fn owned(self: &Arc<Self>, running: &mut Running) {
        if !self.is_mine(running) {
            running.owner = self.context.nodes.me;
            self.queue_up(running);
            self.close_lost_calls(running);
        }
    }

    fn placed(&self, running: &mut Running, attempts: Vec<super::running::Attempt>) {
        running.attempts = attempts;
    }

    /// Calls up the stages for which a provider has a place now.
    pub(super) fn call_up(self: &Arc<Self>) -> Option<Instant> {
        let (called, next) = {
            let real_now = self.real_now();
            self.state().providers.call_up(real_now)
        };
        for (message, stage) in called {
            self.spawn_ready(message, stage);
        }
        next
    }

    fn spawn_ready(self: &Arc<Self>, message: Id<kinds::Message>, stage: StageId) {
        if self.context.stopping.load(Ordering::Acquire) {
            return;
        }
        self.spawn_drive(message, Input::What(What::Ready { stage }));
    }
}

impl Decision {
    /// Puts the rows of a message into its part of a change.
    pub(super) fn fill(&mut self, part: &mut MessageChange) {
        part.journal.extend(self.journal.take());
        part.events.append(&mut self.events);
        part.attempts.append(&mut self.new_attempts);
        part.outcomes.append(&mut self.outcomes);
    }
}
