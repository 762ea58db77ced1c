//! The test clock: moved on at any node, which takes all messages of the scope for that time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::callers::TRIES_MAX;
use super::decide::Input;
use super::desk::Desk;
use super::front::{Claim, Refusal, Taken};
use crate::model::shapes::TestClock;
use crate::model::{Clock as _, Id, Instant, Span, kinds};
use crate::store::rows::{ClockRow, KeptAnswer};
use crate::store::{Change, Committed, StoreError};

/// The duty of running an advance, which one node at a time has.
const DUTY: &str = "test clock";
/// How many messages are looked at at once.
const PAGE: u32 = 500;
/// How long a request waits for an advance that another node runs.
const WAIT_MAX: Span = Span::from_s(20);
/// How often it is looked whether that is over, beside being rung for.
const LOOK_EVERY: Span = Span::from_ms(200);

impl Desk {
    /// The scope's test clock.
    pub(super) async fn test_clock(self: &Arc<Self>) -> Result<TestClock, Refusal> {
        self.until_here().await?;
        let clock = self.scope.clock().await?;
        Ok(TestClock { now: self.now(), advanced_by_ms: clock.advanced_by_ms })
    }

    /// Sees to it that what other nodes changed is in force here, and waits while one of them runs an
    /// advance of the test clock. Not to be asked by what an advance itself waits for.
    pub(super) async fn until_here(self: &Arc<Self>) -> Result<(), Refusal> {
        self.catch_up().await?;
        if self.elsewhere.load(Ordering::Acquire) {
            Box::pin(self.until_advanced()).await?;
        }
        Ok(())
    }

    async fn until_advanced(self: &Arc<Self>) -> Result<(), Refusal> {
        let clocks = &self.context.clocks;
        let end = clocks.real_now().plus(WAIT_MAX);
        let mut rung = self.context.nodes.rung();
        while self.elsewhere.load(Ordering::Acquire) {
            rung.borrow_and_update();
            self.look_elsewhere().await?;
            if !self.elsewhere.load(Ordering::Acquire) {
                break;
            }
            self.pause(&mut rung, end).await?;
        }
        Ok(())
    }

    /// Waits a moment for what another node does, not beyond `end`.
    async fn pause(&self, rung: &mut tokio::sync::watch::Receiver<u64>, end: Instant) -> Result<(), Refusal> {
        let clocks = &self.context.clocks;
        let now = clocks.real_now();
        if now >= end {
            return Err(Refusal::Overloaded);
        }
        if self.context.nodes.is_fenced() {
            return Err(Refusal::ShuttingDown);
        }
        tokio::select! {
            biased;
            changed = rung.changed() => changed.map_err(|_| Refusal::ShuttingDown),
            () = clocks.real_sleep(now.plus(LOOK_EVERY)) => Ok(()),
        }
    }

    /// Looks whether an advance that was begun is over, and goes on with it where nobody runs it any
    /// more: the last run of this program began it, or a node that is gone.
    pub(super) async fn look_elsewhere(self: &Arc<Self>) -> Result<(), StoreError> {
        let _alone = self.finishing.lock().await;
        if self.scope.clock().await?.target_ms.is_some() {
            if !self.scope.claim(DUTY).await? {
                self.elsewhere.store(true, Ordering::Release);
                return Ok(());
            }
            // Whoever had the duty before may have come to the end.
            let clock = self.scope.clock().await?;
            let came = match clock.target_ms {
                Some(target) => self.run_to(clock.advanced_by_ms, target).await,
                None => Ok(()),
            };
            self.let_go_of_duty().await;
            came?;
        }
        if self.elsewhere.swap(false, Ordering::AcqRel) {
            let clock = self.scope.clock().await?;
            self.context.clocks.set_ahead(self.id(), clock.advanced_by_ms);
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Moves the test clock on, and does what becomes due on the way.
    pub(super) async fn advance(
        self: &Arc<Self>,
        by: Span,
        claim: Claim,
    ) -> Result<Taken<TestClock>, Refusal> {
        // Nobody is taken in meanwhile, and no other advance runs.
        let _gate = self.gate.write().await;
        let end = self.real_now().plus(WAIT_MAX);
        let mut rung = self.context.nodes.rung();
        loop {
            rung.borrow_and_update();
            self.catch_up().await?;
            let alone = self.finishing.lock().await;
            if self.scope.claim(DUTY).await? {
                let done = self.advance_alone(by, &claim).await;
                self.let_go_of_duty().await;
                return done;
            }
            drop(alone);
            self.pause(&mut rung, end).await?;
        }
    }

    /// Lets the test clock go. Where that fails it is tried again at each look at what others do: while
    /// this node lives nobody else could have it.
    async fn let_go_of_duty(&self) {
        let done = self.scope.unclaim(DUTY).await;
        if let Err(error) = &done {
            tracing::warn!(scope = %self.id(), %error, "the test clock is not let go yet");
        }
        self.keeps_duty.store(done.is_err(), Ordering::Release);
    }

    /// Lets the test clock go where that failed.
    pub(super) async fn let_go_again(&self) {
        if self.keeps_duty.load(Ordering::Acquire) {
            let _alone = self.finishing.lock().await;
            self.let_go_of_duty().await;
        }
    }

    async fn advance_alone(self: &Arc<Self>, by: Span, claim: &Claim) -> Result<Taken<TestClock>, Refusal> {
        let mut before = self.scope.clock().await?;
        if let Some(target) = before.target_ms {
            // One before could not be finished, for want of room on the disk, or its node is gone.
            self.run_to(before.advanced_by_ms, target).await?;
            before = self.scope.clock().await?;
        }
        if self.context.nodes.is_shared {
            // Another node may have moved it since this one looked.
            self.context.clocks.set_ahead(self.id(), before.advanced_by_ms);
            self.elsewhere.store(false, Ordering::Release);
        }
        let target = before.advanced_by_ms.saturating_add(by.ms());
        let shown = TestClock { now: self.now().plus(by), advanced_by_ms: target };
        let answer = serde_json::to_vec(&shown).map_err(|_| super::records::unreadable())?;
        let mut change = Change::keeping(claim.kept(200, KeptAnswer::Plain(answer)));
        change.clock = Some(ClockRow { advanced_by_ms: before.advanced_by_ms, target_ms: Some(target) });
        change.claims.push(DUTY.to_owned());
        // From here on what is read of the clock is this node's own doing.
        self.advancing.store(true, Ordering::Release);
        match self.commit(change, &mut []).await {
            Ok(Committed::Applied(_)) => {}
            other => {
                self.advancing.store(false, Ordering::Release);
                self.wake.notify_one();
                return match other? {
                    Committed::Replayed(kept) => Ok(Taken::Replayed(kept)),
                    Committed::Applied(_) => Err(Refusal::Overloaded),
                };
            }
        }
        crash_point!("advance.recorded");
        self.run_to(before.advanced_by_ms, target).await?;
        Ok(Taken::Done(shown))
    }

    /// Runs up to the target of an advance whose record is durable.
    async fn run_to(self: &Arc<Self>, from_ms: i64, target_ms: i64) -> Result<(), StoreError> {
        self.advancing.store(true, Ordering::Release);
        let clocks = &self.context.clocks;
        let came = self.run_steps(target_ms - from_ms).await;
        clocks.set_ahead(self.id(), if came.is_ok() { target_ms } else { from_ms });
        let came = match came {
            Ok(()) => {
                crash_point!("advance.run");
                let clock = Some(ClockRow { advanced_by_ms: target_ms, target_ms: None });
                let change = Change { clock, claims: vec![DUTY.to_owned()], ..Change::default() };
                self.scope.commit(change).await.map(|_| ())
            }
            Err(error) => Err(error),
        };
        if let Err(error) = &came {
            self.note(error);
            // It is gone on with at the next look.
            self.elsewhere.store(self.context.nodes.is_shared, Ordering::Release);
        }
        self.advancing.store(false, Ordering::Release);
        self.wake.notify_one();
        came
    }

    /// What becomes due within `by`, in the order of its times, the clock held at each.
    async fn run_steps(self: &Arc<Self>, by_ms: i64) -> Result<(), StoreError> {
        let end = self.now().plus(Span::from_ms(by_ms));
        self.context.clocks.hold(self.id(), self.now());
        self.under_way.none().await;
        if self.context.nodes.is_shared {
            self.take_all(end).await?;
        }
        loop {
            let due = self.state().next_due().filter(|due| *due <= end);
            let Some(due) = due else { break };
            let at = due.max(self.now());
            self.context.clocks.hold(self.id(), at);
            // Read first: where it cannot be read, what is in memory stays due.
            let mut messages = self.take_stored_due(at).await?;
            messages.append(&mut self.state().take_due(at));
            messages.sort_unstable();
            for (_, id) in messages {
                self.drive(id, Input::Due).await;
                crash_point!("advance.step");
            }
            self.under_way.none().await;
        }
        self.context.clocks.hold(self.id(), end);
        Ok(())
    }

    /// Makes this node the owner of the messages of others that are due by `end`, and knows of its own.
    async fn take_all(self: &Arc<Self>, end: Instant) -> Result<(), StoreError> {
        let (mut after, mut others) = (None, BTreeSet::new());
        loop {
            let due = self.scope.due_anywhere(end, after, PAGE).await?;
            let full = due.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
            for message in due {
                after = Some((message.at, message.n));
                if message.owner != self.context.nodes.me {
                    others.insert(message.id);
                } else if !self.state().holds(message.id) {
                    // One that was adopted a moment ago may not have been told of here yet.
                    self.due_in_store(Some(message.at));
                }
            }
            if !full {
                break;
            }
        }
        for id in others {
            self.take(id).await?;
        }
        Ok(())
    }

    /// Makes this node the owner of a message of a test scope, by a change that changes nothing else.
    async fn take(self: &Arc<Self>, id: Id<kinds::Message>) -> Result<(), StoreError> {
        for _ in 0..TRIES_MAX {
            let mut held = match self.enter(id).await {
                Ok(held) => held,
                Err(Refusal::Store(error)) => return Err(error),
                Err(_) => return Ok(()),
            };
            let Some(running) = held.as_mut() else { return Ok(()) };
            let is_over = running.state.instance.ended().is_some() && running.unsettled().is_none();
            if self.is_mine(running) || is_over {
                self.settle(id, running);
                return Ok(());
            }
            let taken = self.change(running, &mut [], Some(Box::new(|_, _| Ok(())))).await;
            self.settle_after(id, running, taken.as_ref().err());
            match taken {
                Ok(_) => return Ok(()),
                Err(error) if self.may_decide_anew(&error) => self.read_for(&error).await?,
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Overloaded)
    }
}
