//! Time: what becomes due, and the start of a scope.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::decide::Input;
use super::desk::Desk;
use crate::model::{Clock, Id, Instant, Span, kinds};
use crate::store::StoreError;

/// How many messages are read back at once.
const PAGE: u32 = 500;
/// How often what is idle is let go.
const SWEEP: Span = Span::from_s(15);

impl Desk {
    /// Finishes what the last run of the program left: calls whose answer nobody wrote are in doubt,
    /// and an advance of the test clock that was under way is gone on with.
    pub(super) async fn recover(self: &Arc<Self>) -> Result<(), StoreError> {
        let lost = self.lost_calls().await?;
        self.look_elsewhere().await?;
        // From here on nothing fails: what works on a scope must not be another than what is found open.
        // Once all have the places again that they had: what follows from the first must not take the
        // place of the last.
        lost.into_iter().for_each(|lost| self.tell_lost(lost));
        if self.context.nodes.is_shared {
            self.adopt_if_possible().await;
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
            let held = self.advancing.load(Ordering::Acquire) || self.elsewhere.load(Ordering::Acquire);
            if !held && let Err(error) = self.run_due(self.now()).await {
                tracing::warn!(scope = %self.id(), %error, "timers wait for the store");
                self.context.clocks.real_until(self.real_now().plus(Span::from_s(1))).await;
            }
            if self.real_now() >= sweep_at {
                self.sweep();
                sweep_at = self.real_now().plus(SWEEP);
            }
            let shared_at = self.look_at_shared().await;
            let due = self.state().next_due();
            let real = place_at.into_iter().chain(shared_at).chain([sweep_at]).min().unwrap_or(sweep_at);
            let clocks = &self.context.clocks;
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
    pub(super) async fn take_stored_due(
        &self,
        now: Instant,
    ) -> Result<Vec<(Instant, Id<kinds::Message>)>, StoreError> {
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
            for due in page {
                if due.at > now {
                    next = Some(due.at);
                    break;
                }
                after = Some((due.at, due.n));
                if !self.state().holds(due.id) {
                    found.push((due.at, due.id));
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
}
