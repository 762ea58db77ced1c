//! What a decision asks of other nodes beforehand, on a store that is shared: whether a quota is used up
//! after all, and who lets a probe pass.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::desk::{Desk, DeskState};
use super::providers::probe_duty;
use super::quota::Quotas;
use super::running::Info;
use crate::model::shapes::QuotaName;
use crate::model::{Channel, Instant, Span};
use crate::store::{Change, StoreError, UsageDelta};

/// When the timers try again what the store refused.
const LOOK_AGAIN: Span = Span::from_s(1);

/// Readings of the counters of the quotas: one at a time serves all who asked before it began.
#[derive(Default)]
pub(super) struct Readings {
    alone: tokio::sync::Mutex<()>,
    begun: AtomicU64,
}

impl Desk {
    /// Whether other nodes write the same rows.
    pub(super) fn is_shared(&self) -> bool {
        self.context.peers.is_shared()
    }

    /// To be called before a change of a message is decided, with nothing awaited between the two.
    /// `begins`: it is being accepted.
    pub(super) async fn make_sure(self: &Arc<Self>, info: &Info, begins: bool) -> Result<(), StoreError> {
        if !self.is_shared() {
            return Ok(());
        }
        let (now, real_now) = (self.now(), self.real_now());
        let (unsure, probes) = {
            let state = self.state();
            (is_unsure(&state, info, begins, now, real_now), self.probes_of(&state, info, now, real_now))
        };
        if unsure {
            Box::pin(self.read_usage()).await?;
        }
        for provider in probes {
            let is_mine = self.scope.claim(&probe_duty(&provider)).await?;
            if is_mine {
                // Whoever had it before wrote what came of its probe.
                self.read_health().await?;
            }
            self.state().providers.probe_asked_for(&provider, is_mine, real_now);
        }
        Ok(())
    }

    /// The providers that a message may be given to and that let a probe pass for who has the duty.
    fn probes_of(&self, state: &DeskState, info: &Info, now: Instant, real_now: Instant) -> Vec<String> {
        let mut asked = state.providers.probes_to_ask_for(now, real_now);
        if !asked.is_empty() {
            let stages = info.plan.machine.channel_stages();
            let routes = stages.flat_map(|(_, stage)| {
                state.providers.route(self.environment(), info.id, stage.channel, &stage.route)
            });
            let routes: Vec<_> = routes.map(|provider| provider.name).collect();
            asked.retain(|name| routes.contains(name));
        }
        asked
    }

    /// Reads the counters of the quotas, as all nodes have counted, and tells what is reached.
    pub(super) async fn read_usage(self: &Arc<Self>) -> Result<(), StoreError> {
        let before = self.readings.begun.load(Ordering::Acquire);
        let _alone = self.readings.alone.lock().await;
        if self.readings.begun.load(Ordering::Acquire) > before {
            // One that began after this was asked for has ended.
            return Ok(());
        }
        self.readings.begun.fetch_add(1, Ordering::AcqRel);
        let (read_at, moves) = (self.real_now(), self.state().quotas.moves());
        let usage = self.scope.usage(Quotas::since(self.now())).await?;
        let untold = {
            let mut state = self.state();
            state.quotas.view(usage, read_at, moves);
            state.quotas.untold(self.now())
        };
        for (delta, crossed) in untold {
            let event = self.threshold(&crossed, self.now())?;
            self.spawn_threshold(Change { usage: vec![delta], events: vec![event], ..Change::default() });
        }
        Ok(())
    }

    /// Tells that a threshold is reached, where no other node does so first.
    fn spawn_threshold(self: &Arc<Self>, change: Change) {
        let (desk, counted) = (Arc::clone(self), self.begin());
        tokio::spawn(async move {
            match desk.scope.commit(change).await {
                Ok(_) | Err(StoreError::Stale { .. }) => {}
                // It stays untold, and is told at the next reading.
                Err(error) => tracing::debug!(scope = %desk.id(), %error, "a threshold is not told yet"),
            }
            drop(counted);
        });
    }

    /// What the timers do for what is shared: health that could not be written is tried again, counters
    /// are read that have moved. Gives when it wants to be asked again, in real time.
    pub(super) async fn look_at_shared(self: &Arc<Self>) -> Option<Instant> {
        if !self.is_shared() {
            return None;
        }
        let (mut again, now) = (None, self.real_now());
        if self.has_health()
            && let Err(error) = self.write_health().await
        {
            tracing::warn!(scope = %self.id(), %error, "the health of a provider is not written yet");
            again = Some(now.plus(LOOK_AGAIN));
        }
        let look_at = self.state().quotas.look_at();
        let look_at = match look_at.filter(|at| *at <= now) {
            None => look_at,
            Some(_) => self.read_usage().await.err().map(|_| now.plus(LOOK_AGAIN)),
        };
        again.into_iter().chain(look_at).min()
    }

    /// What was to be counted is written, or will not be.
    pub(super) fn usage_settled(&self, usage: &[UsageDelta]) {
        self.state().quotas.settled(usage);
        if self.is_shared() && !usage.is_empty() {
            self.wake.notify_one();
        }
    }
}

/// Whether what is known of the quotas of a message may be too old to refuse by.
fn is_unsure(state: &DeskState, info: &Info, begins: bool, now: Instant, real_now: Instant) -> bool {
    let mut channels: BTreeMap<Channel, u32> = BTreeMap::new();
    for (_, stage) in info.plan.machine.channel_stages() {
        *channels.entry(stage.channel).or_default() += 1;
    }
    let unsure = |name, more| state.quotas.is_unsure(name, more, now, real_now);
    begins && unsure(QuotaName::Messages, 1)
        || channels.into_iter().any(|(channel, stages)| unsure(QuotaName::Channel(channel), stages))
}
