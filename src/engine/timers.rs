//! Time: what becomes due, the test clock, and the start of a scope.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::decide::Input;
use super::desk::Desk;
use super::front::{Claim, Refusal, Taken};
use crate::model::shapes::TestClock;
use crate::model::{Clock, Environment, Id, Instant, Outcome, Span, kinds};
use crate::providers::Answer;
use crate::store::rows::{ClockRow, KeptAnswer};
use crate::store::{Change, Committed, StoreError};

/// How many messages are read back at once.
const PAGE: u32 = 500;
/// How often what is idle is let go.
const SWEEP: Span = Span::from_s(15);

impl Desk {
    /// Finishes what the last run of the program left: calls whose answer nobody wrote are in doubt,
    /// and an advance of the test clock that was under way is gone on with.
    pub(super) async fn recover(self: &Arc<Self>) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let unfinished = self.scope.unfinished(after, PAGE).await?;
            for attempt in &unfinished {
                after = Some((attempt.message, attempt.n));
                crash_point!("recover.attempt");
                let held = match self.enter(attempt.message_id).await {
                    Ok(held) => held,
                    Err(Refusal::Store(error)) => return Err(error),
                    Err(_) => continue,
                };
                let Some(running) = held.as_ref() else { continue };
                let found = running.attempts.iter().find(|a| a.id == attempt.row.id);
                let Some(number) = found.map(|attempt| attempt.number) else { continue };
                let open = running.state.instance.is_open(number);
                self.settle(attempt.message_id, running);
                drop(held);
                if open && self.environment() == Environment::Live {
                    let answer =
                        Answer::of(Outcome::InDoubt).because("the process died while it was under way");
                    let input = Input::Answer { number, answer: Box::new(answer), counted: true };
                    self.spawn_drive(attempt.message_id, input);
                }
            }
            if unfinished.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) {
                break;
            }
        }
        let clock = self.scope.clock().await?;
        if let Some(target) = clock.target_ms {
            self.run_to(clock.advanced_by_ms, target).await?;
        }
        Ok(())
    }

    /// Runs timers until the program stops or the scope has nothing to do for long.
    pub(super) async fn run_timers(self: Arc<Self>) {
        let mut sweep_at = self.real_now().plus(SWEEP);
        while !self.context.stopping.load(Ordering::Acquire) && !self.closed.load(Ordering::Acquire) {
            if let Err(error) = self.take_settings().await {
                tracing::warn!(scope = %self.id(), %error, "what a tenant changed is not in force yet");
            }
            let place_at = self.call_up();
            if !self.advancing.load(Ordering::Acquire)
                && let Err(error) = self.run_due(self.now()).await
            {
                tracing::warn!(scope = %self.id(), %error, "timers wait for the store");
                self.context.clocks.real_until(self.real_now().plus(Span::from_s(1))).await;
            }
            if self.real_now() >= sweep_at {
                self.sweep();
                sweep_at = self.real_now().plus(SWEEP);
            }
            let due = self.state().next_due();
            let real = place_at.into_iter().chain([sweep_at]).min().unwrap_or(sweep_at);
            let clocks = &self.context.clocks;
            let held = self.advancing.load(Ordering::Acquire);
            tokio::select! {
                biased;
                () = self.wake.notified() => {}
                () = clocks.real_until(real) => {}
                () = async {
                    match due {
                        Some(due) if !held => clocks.until(self.id(), due).await,
                        _ => std::future::pending().await,
                    }
                } => {}
            }
        }
    }

    /// Hands over what is due by `now`, in the order of its times.
    async fn run_due(self: &Arc<Self>, now: Instant) -> Result<(), StoreError> {
        let _counted = self.begin();
        let mut due = self.state().take_due(now);
        // What is in memory does not wait for a store that cannot be read.
        let stored = self.take_stored_due(now).await;
        let (mut stored, outcome) = match stored {
            Ok(stored) => (stored, Ok(())),
            Err(error) => (Vec::new(), Err(error)),
        };
        due.append(&mut stored);
        due.sort_unstable();
        for (_, id) in due {
            self.spawn_drive(id, Input::Due);
        }
        outcome
    }

    /// Those that are due by `now` and only in the store.
    async fn take_stored_due(&self, now: Instant) -> Result<Vec<(Instant, Id<kinds::Message>)>, StoreError> {
        if self.state().stored_due.is_none_or(|due| due > now) {
            return Ok(Vec::new());
        }
        self.state().stored_due = None;
        let (mut found, mut next, mut after) = (Vec::new(), None, None);
        // Pages that hold only what is in memory already are passed: what waits for a place stands
        // there as due.
        loop {
            let page = match self.scope.due(Instant::from_ms(i64::MAX), after, PAGE).await {
                Ok(page) => page,
                Err(error) => {
                    self.state().stored_due = Some(now);
                    return Err(error);
                }
            };
            let full = page.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
            for message in page {
                use crate::store::rows::MessageState::Live;
                let Live(live) = &message.state else { continue };
                let Some(due) = live.due_at else { continue };
                if due > now {
                    next = Some(due);
                    break;
                }
                after = Some((due, message.n));
                if !self.state().holds(message.row.id) {
                    found.push((due, message.row.id));
                }
            }
            if next.is_some() || !full {
                break;
            }
            if !found.is_empty() {
                // The rest comes with the next look, which is at once.
                next = Some(now);
                break;
            }
        }
        let mut state = self.state();
        state.stored_due = state.stored_due.into_iter().chain(next).min();
        Ok(found)
    }

    /// The scope's test clock.
    pub(super) async fn test_clock(&self) -> Result<TestClock, StoreError> {
        let clock = self.scope.clock().await?;
        Ok(TestClock { now: self.now(), advanced_by_ms: clock.advanced_by_ms })
    }

    /// Moves the test clock on, and does what becomes due on the way.
    pub(super) async fn advance(
        self: &Arc<Self>,
        by: Span,
        claim: Claim,
    ) -> Result<Taken<TestClock>, Refusal> {
        // Nobody is taken in meanwhile, and no other advance runs.
        let _alone = self.gate.write().await;
        let mut before = self.scope.clock().await?;
        if let Some(target) = before.target_ms {
            // One before could not be finished, for want of room on the disk.
            self.run_to(before.advanced_by_ms, target).await?;
            before = self.scope.clock().await?;
        }
        let target = before.advanced_by_ms.saturating_add(by.ms());
        let shown = TestClock { now: self.now().plus(by), advanced_by_ms: target };
        let answer = serde_json::to_vec(&shown).map_err(|_| super::records::unreadable())?;
        let mut change = Change::keeping(claim.kept(200, KeptAnswer::Plain(answer)));
        change.clock = Some(ClockRow { advanced_by_ms: before.advanced_by_ms, target_ms: Some(target) });
        match self.commit(change, &mut []).await? {
            Committed::Applied(_) => {}
            Committed::Replayed(kept) => return Ok(Taken::Replayed(kept)),
        }
        crash_point!("advance.recorded");
        self.run_to(before.advanced_by_ms, target).await?;
        Ok(Taken::Done(shown))
    }

    /// Runs up to the target of an advance whose record is durable.
    async fn run_to(self: &Arc<Self>, from_ms: i64, target_ms: i64) -> Result<(), StoreError> {
        self.advancing.store(true, Ordering::Release);
        let came = self.run_steps(target_ms - from_ms).await;
        let clocks = &self.context.clocks;
        clocks.set_ahead(self.id(), if came.is_ok() { target_ms } else { from_ms });
        self.advancing.store(false, Ordering::Release);
        self.wake.notify_one();
        came?;
        crash_point!("advance.run");
        let clock = Some(ClockRow { advanced_by_ms: target_ms, target_ms: None });
        self.scope.commit(Change { clock, ..Change::default() }).await?;
        Ok(())
    }

    /// What becomes due within `by`, in the order of its times, the clock held at each.
    async fn run_steps(self: &Arc<Self>, by_ms: i64) -> Result<(), StoreError> {
        let end = self.now().plus(Span::from_ms(by_ms));
        self.context.clocks.hold(self.id(), self.now());
        self.under_way.none().await;
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
}
