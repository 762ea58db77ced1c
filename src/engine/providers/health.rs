//! The health of providers: their breakers and pauses as they are kept, and who of several nodes lets
//! a probe pass.

use serde::{Deserialize, Serialize};

use super::{Provider, Providers};
use crate::engine::breaker::Breaker;
use crate::engine::records::{read, write};
use crate::model::shapes::BreakerState;
use crate::model::{Instant, Span};
use crate::store::StoreError;
use crate::store::rows::ProviderStateRow;
use crate::store::seal::Scope;

/// Health as it stands in a row.
pub(super) struct Stored {
    doc: Vec<u8>,
    version: u32,
}

/// Who of several nodes lets the one probe of a half-open breaker pass: the one that has that duty.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Probe {
    /// Another may have it; this one asked for it then, in real time.
    #[default]
    Unknown,
    Refused(Instant),
    /// This one has it.
    Mine,
}

/// How long after a refusal the duty is asked for again.
const PROBE_ASKED_AGAIN: Span = Span::from_ms(100);

/// The duty of letting a probe pass.
pub(in crate::engine) fn probe_duty(provider: &str) -> String {
    format!("probe {provider}")
}

/// What of a provider's health is kept over a restart.
#[derive(Serialize, Deserialize)]
struct Kept {
    #[serde(default)]
    breaker: Breaker,
    #[serde(default)]
    paused_until: Option<Instant>,
}

/// Providers of a scope whose breaker is not closed, by the scope's rows alone, and its state in a word.
///
/// # Errors
/// Where a row cannot be read.
pub async fn health_of_providers(
    scope: &Scope,
    real_now: Instant,
) -> Result<Vec<(String, String)>, StoreError> {
    let ahead_ms = scope.clock().await?.advanced_by_ms;
    let now = Instant::from_ms(real_now.ms().saturating_add(ahead_ms));
    let mut open = Vec::new();
    for row in scope.provider_states().await? {
        let kept: Kept = read(&row.doc)?;
        let state = match kept.breaker.state(now) {
            BreakerState::Closed => continue,
            BreakerState::Open => "open",
            BreakerState::HalfOpen => "half open",
        };
        open.push((row.provider, state.to_owned()));
    }
    Ok(open)
}

impl Provider {
    /// The bytes of its health.
    fn doc(&self) -> Result<Vec<u8>, StoreError> {
        write(&Kept { breaker: self.breaker.clone(), paused_until: self.paused_until })
    }
}

impl Providers {
    /// Takes the health of a provider as it stands in its row. `unwritten`: there is health of this node
    /// that is not written yet, so that the two become one.
    ///
    /// Gives whether its breaker was open there; nothing where the row is known already.
    pub(in crate::engine) fn load(
        &mut self,
        row: &ProviderStateRow,
        unwritten: bool,
    ) -> Result<Option<bool>, StoreError> {
        let provider = self.by_name.entry(row.provider.clone()).or_default();
        if provider.stored.as_ref().is_some_and(|stored| stored.version == row.version) {
            return Ok(None);
        }
        let is_first = provider.stored.is_none();
        let kept: Kept = read(&row.doc)?;
        let was_open = kept.breaker.is_open();
        provider.stored = Some(Stored { doc: row.doc.clone(), version: row.version });
        if is_first && !unwritten {
            provider.breaker = kept.breaker;
            provider.paused_until = kept.paused_until;
        } else if unwritten {
            provider.breaker.merge(kept.breaker);
            provider.paused_until = provider.paused_until.max(kept.paused_until);
        } else {
            provider.breaker.follow(kept.breaker);
            provider.paused_until = kept.paused_until;
        }
        Ok(Some(was_open))
    }

    /// The row of a provider's health as it is to be written; none where it stands so already.
    pub(in crate::engine) fn state_row(&self, name: &str) -> Result<Option<ProviderStateRow>, StoreError> {
        let none = Provider::default();
        let provider = self.by_name.get(name).unwrap_or(&none);
        let doc = provider.doc()?;
        if provider.stored.as_ref().is_some_and(|stored| stored.doc == doc) {
            return Ok(None);
        }
        let version = provider.stored.as_ref().map_or(0, |stored| stored.version);
        Ok(Some(ProviderStateRow { provider: name.to_owned(), doc, version }))
    }

    /// A row was written.
    pub(in crate::engine) fn stored(&mut self, row: &ProviderStateRow) {
        let version = if self.peers.is_some() { row.version + 1 } else { row.version };
        let provider = self.by_name.entry(row.provider.clone()).or_default();
        provider.stored = Some(Stored { doc: row.doc.clone(), version });
    }

    /// Whether a breaker is open, or half open.
    pub(in crate::engine) fn is_open(&self, name: &str) -> bool {
        self.get(name).is_some_and(|provider| provider.breaker.is_open())
    }

    /// The half-open providers of which a probe could pass here if this node had the duty, and that was
    /// not asked for a moment ago.
    pub(in crate::engine) fn probes_to_ask_for(&self, now: Instant, real_now: Instant) -> Vec<String> {
        if self.peers.is_none() {
            return Vec::new();
        }
        let asks = |provider: &Provider| {
            let asked = match provider.probe {
                Probe::Unknown => false,
                Probe::Refused(at) => real_now >= at && real_now.since(at) < PROBE_ASKED_AGAIN,
                Probe::Mine => true,
            };
            !asked && !provider.breaker.is_probing() && provider.breaker.state(now) == BreakerState::HalfOpen
        };
        self.by_name.iter().filter(|(_, p)| asks(p)).map(|(name, _)| name.clone()).collect()
    }

    /// This node has the duty of a probe, or another has it.
    pub(in crate::engine) fn probe_asked_for(&mut self, name: &str, is_mine: bool, real_now: Instant) {
        if let Some(provider) = self.by_name.get_mut(name) {
            provider.probe = if is_mine { Probe::Mine } else { Probe::Refused(real_now) };
        }
    }

    /// The duties of probes that are to be given back: those that are over, and those of which none is
    /// under way. To be asked once what is known of their end is written.
    pub(in crate::engine) fn take_probes_over(&mut self) -> Vec<String> {
        let mut over = std::mem::take(&mut self.probes_over);
        for (name, provider) in &mut self.by_name {
            if provider.probe == Probe::Mine && !provider.breaker.is_probing() {
                over.insert(name.clone());
            }
            if over.contains(name) {
                provider.probe = Probe::Unknown;
            }
        }
        over.into_iter().collect()
    }

    /// Their duties could not be given back.
    pub(in crate::engine) fn put_probes_over_back(&mut self, over: Vec<String>) {
        self.probes_over.extend(over);
    }

    /// Whether there are any.
    pub(in crate::engine) fn has_probes_over(&self) -> bool {
        let idle = |provider: &Provider| provider.probe == Probe::Mine && !provider.breaker.is_probing();
        !self.probes_over.is_empty() || self.peers.is_some() && self.by_name.values().any(idle)
    }
}
