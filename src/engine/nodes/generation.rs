//! Memory that other nodes' changes leave behind: found, dropped and filled again.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use crate::engine::desk::Desk;
use crate::store::{Generation, StoreError};

impl Desk {
    /// The generation under which this memory was filled: what a change says that it saw. To be asked
    /// before any fact is read that the change is decided on. `None` where nobody else writes.
    pub(in crate::engine) fn seen(&self) -> Option<Generation> {
        self.context.nodes.is_shared.then(|| self.generation())
    }

    fn generation(&self) -> Generation {
        *self.filled_under.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether memory was filled before this generation.
    pub(super) fn is_behind(&self, known: Generation) -> bool {
        let filled = self.generation();
        known.settings > filled.settings || known.people > filled.people
    }

    /// Sees to it that no memory is older than what this node knows to have changed.
    pub(in crate::engine) async fn catch_up(&self) -> Result<(), StoreError> {
        if self.context.nodes.is_shared && self.is_behind(self.scope.generation()) {
            Box::pin(self.read_again()).await?;
        }
        Ok(())
    }

    /// Asks which generation stands and drops what was filled under an older one; whether anything was.
    pub(in crate::engine) async fn read_again(&self) -> Result<bool, StoreError> {
        let _alone = self.taking.lock().await;
        let (now, before) = (self.scope.read_generation().await?, self.generation());
        if now == before {
            return Ok(false);
        }
        if now.people != before.people {
            self.scope.forget_subjects();
            self.people_changed();
        }
        if now.settings != before.settings {
            self.policies.all_changed();
            self.templates.all_changed();
            self.read_providers().await?;
            let limits = self.scope.quotas().await?;
            self.state().quotas.set_limits(limits);
            self.read_clock().await?;
        }
        // The last: who decides with what is newer than it says it saw is told, not who says more.
        *self.filled_under.lock().unwrap_or_else(PoisonError::into_inner) = now;
        self.wake.notify_one();
        Ok(true)
    }

    /// A change was refused because something that it was decided on has changed: all that may be is
    /// read again.
    pub(in crate::engine) async fn read_after_stale(self: &Arc<Self>) -> Result<(), StoreError> {
        self.read_again().await?;
        self.read_usage().await
    }

    /// Takes the scope's clock as another node has set it.
    async fn read_clock(&self) -> Result<(), StoreError> {
        if self.advancing.load(Ordering::Acquire) {
            // It was this one.
            return Ok(());
        }
        let clock = self.scope.clock().await?;
        self.context.clocks.set_ahead(self.id(), clock.advanced_by_ms);
        self.elsewhere.store(clock.target_ms.is_some(), Ordering::Release);
        Ok(())
    }
}
