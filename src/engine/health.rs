//! The health of providers on its way to the rows, and back from what other nodes wrote.
//!
//! One write of it is under way at a time, so that rows are written in the order in which health moved.
//! Where there is one node it goes with the next change of a message. On a shared store it goes alone,
//! under the version that was read: a storm of failures makes no change of a message fail.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::breaker::Switched;
use super::desk::Desk;
use super::front::Taken;
use super::providers::probe_duty;
use crate::store::rows::{EventRow, ProviderStateRow};
use crate::store::{Change, Committed, StoreError};

/// How often a write is decided anew because another node was first.
const TRIES_MAX: u32 = 16;

/// A breaker that switched, and the event that tells so.
pub(super) struct ToldSwitch {
    pub(super) provider: String,
    pub(super) switched: Switched,
    pub(super) event: EventRow,
}

/// Health that is being written.
pub(super) struct Health {
    names: BTreeSet<String>,
    rows: Vec<ProviderStateRow>,
    told: Vec<ToldSwitch>,
}

impl Health {
    fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.told.is_empty()
    }

    /// Puts it into a change.
    pub(super) fn put(&self, change: &mut Change) {
        change.provider_states.extend(self.rows.iter().cloned());
        change.events.extend(self.told.iter().map(|told| told.event.clone()));
    }
}

impl Desk {
    /// Whether there is health to be written, or the duty of a probe to be given back.
    pub(super) fn has_health(&self) -> bool {
        let state = self.state();
        !state.events.is_empty() || !state.unhealthy.is_empty() || state.providers.has_probes_over()
    }

    /// Takes what is to be written. Who takes holds [`Desk::health`].
    pub(super) fn take_health(&self) -> Result<Health, StoreError> {
        let mut state = self.state();
        let mut rows = Vec::new();
        for name in &state.unhealthy {
            rows.extend(state.providers.state_row(name)?);
        }
        let (names, told) = (std::mem::take(&mut state.unhealthy), std::mem::take(&mut state.events));
        Ok(Health { names, rows, told })
    }

    /// It is written.
    pub(super) fn health_written(&self, health: &Health) {
        let mut state = self.state();
        health.rows.iter().for_each(|row| state.providers.stored(row));
    }

    /// It is not written, and stays to be.
    pub(super) fn put_health_back(&self, health: Health) {
        let mut state = self.state();
        let later = std::mem::replace(&mut state.events, health.told);
        state.events.extend(later);
        state.unhealthy.extend(health.names);
    }

    /// Writes health now, beside whatever else goes on.
    pub(super) fn spawn_health(self: &Arc<Self>) {
        let (desk, counted) = (Arc::clone(self), self.begin());
        tokio::spawn(async move {
            if let Err(error) = desk.write_health().await {
                tracing::warn!(scope = %desk.id(), %error, "the health of a provider is not written yet");
            }
            drop(counted);
        });
    }

    /// Writes health until there is none to be written; then gives back the duties of probes that are
    /// over, so that whoever has one next finds their results.
    pub(super) async fn write_health(&self) -> Result<(), StoreError> {
        let _alone = self.health.lock().await;
        for _ in 0..TRIES_MAX {
            let health = self.take_health()?;
            if !health.is_empty() {
                let mut change = Change::default();
                health.put(&mut change);
                match self.scope.commit(change).await {
                    Ok(_) => self.health_written(&health),
                    Err(StoreError::Conflict { .. } | StoreError::Stale { .. }) if self.is_shared() => {
                        self.put_health_back(health);
                        self.read_health_alone().await?;
                        continue;
                    }
                    Err(error) => {
                        self.put_health_back(health);
                        return Err(error);
                    }
                }
            }
            let mut over = self.state().providers.take_probes_over();
            while let Some(provider) = over.pop() {
                if let Err(error) = self.scope.unclaim(&probe_duty(&provider)).await {
                    // As long as this node has it nobody else may probe.
                    over.push(provider);
                    self.state().providers.put_probes_over_back(over);
                    return Err(error);
                }
            }
            if !self.has_health() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Takes up the health of providers as other nodes have written it.
    pub(super) async fn read_health(&self) -> Result<(), StoreError> {
        let _alone = self.health.lock().await;
        self.read_health_alone().await?;
        self.wake.notify_one();
        Ok(())
    }

    async fn read_health_alone(&self) -> Result<(), StoreError> {
        let rows = self.scope.provider_states().await?;
        let mut state = self.state();
        for row in rows {
            let unwritten = state.unhealthy.contains(&row.provider);
            let Some(was_open) = state.providers.load(&row, unwritten)? else { continue };
            // What another node told is not told again, nor what is not so any more.
            let is_open = state.providers.is_open(&row.provider);
            state.events.retain(|told| {
                let is_news = match told.switched {
                    Switched::Opened => !was_open,
                    Switched::Closed => was_open && !is_open,
                    Switched::Reset => true,
                };
                told.provider != row.provider || is_news
            });
        }
        Ok(())
    }

    /// Closes a breaker by hand, with what else the request writes.
    pub(super) async fn reset_breaker(&self, provider: &str, asked: Change) -> Result<Taken<()>, StoreError> {
        let _alone = self.health.lock().await;
        let mut tries = 0;
        loop {
            tries += 1;
            if self.is_shared() {
                self.read_health_alone().await?;
            }
            let Change { keep, audit, .. } = &asked;
            let mut change = Change { keep: keep.clone(), audit: audit.clone(), ..Change::default() };
            let (before, row) = {
                let mut state = self.state();
                let before = state.providers.breaker(provider);
                if state.providers.reset(provider) {
                    let event = self.circuit(&state, provider, Switched::Reset, self.now())?;
                    change.events.push(event);
                }
                (before, state.providers.state_row(provider)?)
            };
            change.provider_states.extend(row.clone());
            let committed = self.scope.commit(change).await;
            let mut state = self.state();
            match committed {
                Ok(Committed::Applied(_)) => {
                    row.iter().for_each(|row| state.providers.stored(row));
                    state.events.retain(|told| told.provider != provider);
                    state.unhealthy.remove(provider);
                    return Ok(Taken::Done(()));
                }
                other => {
                    state.providers.put_breaker(provider, before);
                    match other {
                        Ok(Committed::Applied(_)) => return Ok(Taken::Done(())),
                        Ok(Committed::Replayed(kept)) => return Ok(Taken::Replayed(kept)),
                        Err(StoreError::Conflict { .. } | StoreError::Stale { .. })
                            if self.is_shared() && tries < TRIES_MAX => {}
                        Err(error) => return Err(error),
                    }
                }
            }
        }
    }
}
