//! The tasks of a node on a shared store: one renews its lease, one looks at what others left.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use super::Heard;
use crate::engine::desk::Desk;
use crate::engine::front::Refusal;
use crate::engine::hub::Engine;
use crate::model::{Clock as _, ScopeId, Span};
use crate::store::{Seen, StoreError};

/// After which part of the lease it is asked for again, or who else is alive, where the store could not be
/// asked.
const ASKED_AGAIN_PARTS: i64 = 20;
/// The least time between two renewals because of others.
const RENEWED_EVERY_MIN: Span = Span::from_ms(100);
/// How often it is looked whether others left something, beside being rung for.
const LOOK_EVERY: Span = Span::from_s(1);

impl Engine {
    /// Starts what a node among others does; nothing where it is alone.
    pub(in crate::engine) async fn join(self: &Arc<Self>) -> Result<(), StoreError> {
        if !self.context.nodes.is_shared {
            return Ok(());
        }
        self.renew_and_ask().await?;
        self.spawn_wake_all();
        tokio::spawn(keep(Arc::downgrade(self)));
        tokio::spawn(watch(Arc::downgrade(self)));
        let (engine, mut fenced) = (Arc::downgrade(self), self.context.nodes.fenced.subscribe());
        tokio::spawn(async move {
            if fenced.wait_for(|fenced| *fenced).await.is_ok()
                && let Some(engine) = engine.upgrade()
            {
                engine.drop_all().await;
                // Where it still has the lease, others need not wait for its end.
                if !engine.context.left.swap(true, Ordering::AcqRel)
                    && let Err(error) = engine.context.nodes.leave().await
                {
                    tracing::debug!(%error, "the lease ends by itself");
                }
            }
        });
        Ok(())
    }

    /// Renews the lease, and waits for who else is alive. Who is rung for often must not give up each time what
    /// was asked the time before.
    async fn renew_and_ask(self: &Arc<Self>) -> Result<(), StoreError> {
        self.context.nodes.renew(&self.context.clocks).await?;
        self.take_up(self.context.nodes.company().await?);
        Ok(())
    }

    /// Renews the lease, and asks beside that who else is alive.
    async fn renew(self: &Arc<Self>) -> Result<(), StoreError> {
        self.context.nodes.renew(&self.context.clocks).await?;
        self.context.nodes.asks(tokio::spawn(ask(Arc::downgrade(self))));
        Ok(())
    }

    fn take_up(self: &Arc<Self>, heard: Heard) {
        for scope in heard.orphaned {
            self.spawn_adopt(scope);
        }
        if heard.lost_one {
            self.spawn_wake_all();
        }
    }

    /// Opens every scope once, beside whatever else goes on: a node that is gone may have had duties in
    /// scopes that are open nowhere now.
    fn spawn_wake_all(self: &Arc<Self>) {
        let (engine, counted) = (Arc::clone(self), self.context.begin());
        tokio::spawn(async move {
            if let Err(error) = engine.wake_scopes(true).await {
                tracing::warn!(%error, "the scopes of a node that is gone are not looked at yet");
            }
            drop(counted);
        });
    }

    fn spawn_adopt(self: &Arc<Self>, scope: ScopeId) {
        let (engine, counted) = (Arc::clone(self), self.context.begin());
        tokio::spawn(async move {
            if let Err(error) = engine.adopt(scope).await {
                // The next renewal tells of it again.
                tracing::warn!(%scope, %error, "messages without an owner are not taken up yet");
            }
            drop(counted);
        });
    }

    async fn adopt(&self, scope: ScopeId) -> Result<(), Refusal> {
        let scope = self.context.store.scope(scope).await?;
        let desk = self.desk(&scope).await?;
        Ok(desk.adopt().await?)
    }

    /// Looks at what others did since the last look.
    async fn look(&self) -> Result<(), StoreError> {
        for seen in self.context.nodes.nodes.look().await? {
            if let Err(error) = self.heed(seen).await {
                tracing::warn!(scope = %seen.scope, %error, "what another node did is not in force yet");
            }
        }
        for desk in self.open_desks() {
            // An advance of the test clock that another node began ends without a word where that node
            // dies.
            if desk.elsewhere.load(Ordering::Acquire)
                && let Err(error) = desk.look_elsewhere().await
            {
                tracing::warn!(scope = %desk.id(), %error, "an advance of the test clock is not over yet");
            }
            desk.let_go_again().await;
            if desk.has_missed() {
                desk.adopt_if_possible().await;
            }
        }
        Ok(())
    }

    async fn heed(&self, seen: Seen) -> Result<(), Refusal> {
        let desk = match self.opened_desk(seen.scope) {
            Some(desk) => desk,
            // A scope that is not open has no memory that could be behind.
            None if !seen.signals => return Ok(()),
            None => {
                let scope = self.context.store.scope(seen.scope).await?;
                self.desk(&scope).await?
            }
        };
        desk.heed(seen).await?;
        Ok(())
    }
}

impl Desk {
    /// Takes up what another node did in this scope.
    async fn heed(self: &Arc<Self>, seen: Seen) -> Result<(), StoreError> {
        let _counted = self.begin();
        if self.is_behind(seen.generation) {
            self.read_again().await?;
        }
        if seen.health {
            self.read_health().await?;
        }
        if seen.signals {
            self.spawn_signals();
        }
        Ok(())
    }
}

/// Renews the lease until the engine is gone, or the lease.
async fn keep(engine: Weak<Engine>) {
    let mut failed = false;
    loop {
        let (clocks, next) = {
            let Some(engine) = engine.upgrade() else { return };
            let (clocks, nodes) = (Arc::clone(&engine.context.clocks), &engine.context.nodes);
            // The lease counts from when it was asked for, so what the store took to answer is not
            // waited for once more.
            let next = match failed {
                false => nodes.renewed_at().plus(nodes.renewed_every()),
                true => clocks.real_now().plus(Span::from_ms(nodes.lease.ms() / ASKED_AGAIN_PARTS)),
            };
            (clocks, next)
        };
        clocks.real_sleep(next).await;
        let Some(engine) = engine.upgrade() else { return };
        if engine.context.left.load(Ordering::Acquire) {
            return;
        }
        failed = match engine.renew().await {
            Ok(()) => false,
            Err(StoreError::Fenced) => return,
            Err(error) => {
                tracing::warn!(%error, "the lease is not renewed yet");
                true
            }
        };
    }
}

/// Asks who else is alive until that is answered.
async fn ask(engine: Weak<Engine>) {
    loop {
        let (clocks, again) = {
            let Some(engine) = engine.upgrade() else { return };
            let heard = engine.context.nodes.company().await;
            if engine.context.left.load(Ordering::Acquire) {
                return;
            }
            match heard {
                Ok(heard) => return engine.take_up(heard),
                Err(error) => tracing::warn!(%error, "who else is alive is not known yet"),
            }
            let (clocks, nodes) = (Arc::clone(&engine.context.clocks), &engine.context.nodes);
            let again = clocks.real_now().plus(Span::from_ms(nodes.lease.ms() / ASKED_AGAIN_PARTS));
            (clocks, again)
        };
        clocks.real_until(again).await;
    }
}

/// Looks at what others did, when rung for and each second.
async fn watch(engine: Weak<Engine>) {
    let Some(mut rung) = engine.upgrade().map(|engine| engine.context.nodes.nodes.rung()) else { return };
    // Whether who is alive is to be asked: one that has left rings too.
    let mut is_rung = false;
    loop {
        let (clocks, renewed_at) = {
            let Some(engine) = engine.upgrade() else { return };
            if engine.context.left.load(Ordering::Acquire) || engine.context.nodes.is_fenced() {
                return;
            }
            rung.borrow_and_update();
            if let Err(error) = engine.look().await {
                engine.context.nodes.note(&engine.context.clocks, &error);
                tracing::warn!(%error, "what other nodes did is not looked at yet");
            }
            let clocks = Arc::clone(&engine.context.clocks);
            if is_rung && clocks.real_now() >= engine.context.nodes.renewed_at().plus(RENEWED_EVERY_MIN) {
                is_rung = false;
                if let Err(error) = engine.renew_and_ask().await {
                    tracing::warn!(%error, "the lease is not renewed yet");
                }
            }
            (clocks, engine.context.nodes.renewed_at())
        };
        let look_at = clocks.real_now().plus(LOOK_EVERY);
        let at = if is_rung { look_at.min(renewed_at.plus(RENEWED_EVERY_MIN)) } else { look_at };
        tokio::select! {
            biased;
            changed = rung.changed() => {
                if changed.is_err() {
                    return;
                }
                is_rung = true;
            }
            () = clocks.real_sleep(at) => {}
        }
    }
}
