//! What stands before a provider's adapter: its breaker, its pause, its rate and its places.

mod health;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

pub use health::health_of_providers;
pub(super) use health::probe_duty;
use health::{Probe, Stored};

use super::breaker::{Breaker, BreakerSettings, Switched};
use super::rate::{Rate, Turn};
use super::records::ProviderRecord;
use crate::language::policy::Route;
use crate::machine::StageId;
use crate::machine::catalog::HORIZON;
use crate::machine::facts::{Clearing, Moment, Readiness, RouteProvider};
use crate::model::shapes::BreakerState;
use crate::model::{Channel, Environment, Id, Instant, Priority, kinds};
use crate::providers::{Adapter, DoubtAbility, Opened};
use crate::store::{Part, Peers};

/// A stage that waits for a place, in the order in which they are given.
pub(super) type Waiting = (Reverse<Priority>, u64, Id<kinds::Message>, StageId);

/// One provider of a scope.
#[derive(Default)]
pub(super) struct Provider {
    pub(super) record: Option<Arc<ProviderRecord>>,
    pub(super) adapter: Option<Arc<dyn Adapter>>,
    /// Scripts answer for it, also under a live key: it is of the sandbox's kind.
    scripted: bool,
    pub(super) breaker: Breaker,
    pub(super) paused_until: Option<Instant>,
    /// Its health as it stands in the rows: in which bytes, and under which version.
    stored: Option<Stored>,
    /// Whether this node may let a probe pass, where it is one of several.
    probe: Probe,
    rate: Rate,
    in_flight: usize,
    waiting: BTreeSet<Waiting>,
    /// Those that were called up and have not come yet.
    granted: HashSet<(Id<kinds::Message>, StageId)>,
}

/// The providers of a scope.
#[derive(Default)]
pub(super) struct Providers {
    by_name: BTreeMap<String, Provider>,
    age: u64,
    /// The other nodes, with which rates and places are shared; none where there are none.
    peers: Option<Arc<Peers>>,
    /// Providers whose probe is over, or was not needed: others may let one pass.
    probes_over: BTreeSet<String>,
}

/// How many calls of one provider are under way at once. What a script answers is no call: it holds
/// neither a connection nor a task.
const CALLS_MAX: u32 = 512;

/// A place that was taken for a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) provider: String,
    /// It is the probe of a half-open breaker.
    pub(super) probe: bool,
}

impl Provider {
    /// Whether no more can be under way than these.
    fn is_full(&self, calls: usize, calls_max: usize) -> bool {
        self.adapter.is_some() && calls >= calls_max
    }
}

impl Providers {
    pub(super) fn get(&self, name: &str) -> Option<&Provider> {
        self.by_name.get(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = (&str, &Provider)> {
        self.by_name.iter().map(|(name, provider)| (name.as_str(), provider))
    }

    /// Whether scripts answer for a provider. Under a live key one that is gone is none of these.
    pub(super) fn is_scripted(&self, environment: Environment, name: &str) -> bool {
        environment == Environment::Test || self.get(name).is_some_and(|provider| provider.scripted)
    }

    /// Takes what is known of a provider that was made, changed or deleted (`None`).
    pub(super) fn put(&mut self, name: &str, record: Option<Arc<ProviderRecord>>, opened: Option<Opened>) {
        let provider = self.by_name.entry(name.to_owned()).or_default();
        provider.rate.per_second = record.as_ref().and_then(|record| record.rate_per_second);
        provider.record = record;
        provider.scripted = matches!(opened, Some(Opened::Scripted));
        provider.adapter = match opened {
            Some(Opened::Remote(adapter)) => Some(adapter),
            Some(Opened::Scripted) | None => None,
        };
    }

    /// Shares rates and places with these.
    pub(super) fn share_with(&mut self, peers: &Arc<Peers>) {
        self.peers = peers.is_shared().then(|| Arc::clone(peers));
    }

    /// This node's turn of what is shared.
    fn turn(&self, real_now: Instant) -> Turn {
        self.peers.as_ref().map_or(Turn::ALONE, |peers| Turn::among(peers, real_now))
    }

    /// How many calls of one provider may be under way here.
    fn calls_max(&self) -> usize {
        let part = self.peers.as_ref().map_or(Part::WHOLE, |peers| peers.place());
        usize::try_from(part.share(CALLS_MAX).max(1)).unwrap_or(usize::MAX)
    }

    /// The providers of a stage, in the order in which they are tried.
    pub(super) fn route(
        &self,
        environment: Environment,
        message: Id<kinds::Message>,
        channel: Channel,
        route: &Route,
    ) -> Vec<RouteProvider> {
        let named = |name: &str| self.on(environment, channel, name);
        match route {
            Route::Default if environment == Environment::Test => named(channel.word()).into_iter().collect(),
            Route::Default => {
                let mut serving: Vec<_> = self
                    .by_name
                    .iter()
                    .filter_map(|(name, p)| Some((Reverse(p.record.as_ref()?.weight), named(name)?)))
                    .collect();
                serving.sort_by(|(a, x), (b, y)| (a, &x.name).cmp(&(b, &y.name)));
                serving.into_iter().map(|(_, provider)| provider).collect()
            }
            Route::Failover(names) => names.iter().filter_map(|name| named(name)).collect(),
            Route::Weighted(shares) => {
                let first = split(message, shares);
                let rest = (0..shares.len()).filter(|place| *place != first);
                std::iter::once(first).chain(rest).filter_map(|place| named(&shares.get(place)?.1)).collect()
            }
        }
    }

    fn on(&self, environment: Environment, channel: Channel, name: &str) -> Option<RouteProvider> {
        let provider = self.by_name.get(name);
        let record = provider.and_then(|provider| provider.record.as_deref());
        if environment == Environment::Live
            && !record.is_some_and(|record| record.channels.contains(&channel))
        {
            return None;
        }
        let clearing = match provider.and_then(|p| p.adapter.as_deref()).map(Adapter::in_doubt) {
            Some(DoubtAbility::LookUp) => Clearing::LookUp,
            Some(DoubtAbility::Key) => Clearing::Key,
            Some(DoubtAbility::Neither) | None => Clearing::None,
        };
        let confirms = record.and_then(|record| record.confirms.get(&channel)).cloned();
        let price = record.and_then(|record| record.prices.get(&channel)).map_or(0, |price| price.micros);
        let horizon = record.and_then(|record| record.horizon.get(&channel)).copied().unwrap_or(HORIZON);
        Some(RouteProvider {
            name: name.to_owned(),
            price,
            confirms: confirms.unwrap_or_else(|| channel.default_confirmations().to_vec()),
            horizon_ms: horizon.ms(),
            clearing,
        })
    }

    /// Whether a provider can be called now, for this stage of this message.
    pub(super) fn readiness(
        &self,
        name: &str,
        message: Id<kinds::Message>,
        now: Instant,
        real_now: Instant,
        begun: u32,
    ) -> Readiness {
        let Some(provider) = self.by_name.get(name) else { return Readiness::default() };
        let turn = self.turn(real_now);
        let granted = begun == 0 && provider.granted.iter().any(|(granted, _)| *granted == message);
        // What the step itself has begun has not taken its place yet.
        let mut rate = provider.rate;
        (0..begun).for_each(|_| rate.take(real_now, turn));
        let may_probe = self.peers.is_none() || provider.probe == Probe::Mine;
        let half_open = provider.breaker.state(now) == BreakerState::HalfOpen;
        let probes = half_open && (begun > 0 || !may_probe);
        let calls = provider.in_flight.saturating_add(usize::try_from(begun).unwrap_or(usize::MAX));
        let full = provider.is_full(calls, self.calls_max()) || rate.next(real_now, turn).is_some();
        Readiness {
            open: !provider.breaker.passes(now) || probes,
            paused_until: provider.paused_until.filter(|until| *until > now).map(Moment),
            busy: !granted && (full || !provider.waiting.is_empty()),
        }
    }

    /// Takes a place for a call.
    pub(super) fn begin(
        &mut self,
        name: &str,
        message: Id<kinds::Message>,
        stage: StageId,
        now: Instant,
        real_now: Instant,
    ) -> Place {
        let turn = self.turn(real_now);
        let provider = self.by_name.entry(name.to_owned()).or_default();
        provider.in_flight += 1;
        if !provider.granted.remove(&(message, stage)) {
            provider.rate.take(real_now, turn);
        }
        Place { provider: name.to_owned(), probe: provider.breaker.begin(now) }
    }

    /// A call that was under way when the process died is under way again.
    pub(super) fn resume(&mut self, name: &str) -> Place {
        self.by_name.entry(name.to_owned()).or_default().in_flight += 1;
        Place { provider: name.to_owned(), probe: false }
    }

    /// Gives a place back that was not used.
    pub(super) fn undo(&mut self, place: &Place) {
        if let Some(provider) = self.by_name.get_mut(&place.provider) {
            provider.rate.give_back();
        }
        self.end(place);
    }

    /// A call has ended. What its result makes of the breaker is told apart: see [`Self::result`].
    pub(super) fn end(&mut self, place: &Place) {
        if let Some(provider) = self.by_name.get_mut(&place.provider) {
            provider.in_flight = provider.in_flight.saturating_sub(1);
            if place.probe {
                provider.breaker.release();
                if self.peers.is_some() {
                    self.probes_over.insert(place.provider.clone());
                }
            }
        }
    }

    /// Takes a result into the breaker.
    pub(super) fn result(
        &mut self,
        name: &str,
        ok: bool,
        now: Instant,
        settings: &BreakerSettings,
    ) -> Option<Switched> {
        self.by_name.entry(name.to_owned()).or_default().breaker.result(ok, now, settings)
    }

    pub(super) fn pause(&mut self, name: &str, until: Instant) {
        let provider = self.by_name.entry(name.to_owned()).or_default();
        provider.paused_until = provider.paused_until.max(Some(until));
    }

    pub(super) fn reset(&mut self, name: &str) -> bool {
        self.by_name.entry(name.to_owned()).or_default().breaker.reset()
    }

    /// A breaker as it is, and back to it where a change of it is not written.
    pub(super) fn breaker(&self, name: &str) -> Breaker {
        self.get(name).map(|provider| provider.breaker.clone()).unwrap_or_default()
    }

    pub(super) fn put_breaker(&mut self, name: &str, breaker: Breaker) {
        self.by_name.entry(name.to_owned()).or_default().breaker = breaker;
    }

    /// A stage waits for a place.
    pub(super) fn wait(
        &mut self,
        name: &str,
        priority: Priority,
        message: Id<kinds::Message>,
        stage: StageId,
    ) {
        self.age += 1;
        let age = self.age;
        let provider = self.by_name.entry(name.to_owned()).or_default();
        provider.granted.remove(&(message, stage));
        if !provider.waiting.iter().any(|waiting| (waiting.2, waiting.3) == (message, stage)) {
            provider.waiting.insert((Reverse(priority), age, message, stage));
        }
    }

    /// Calls up those who wait and for whom there is a place now, and says when the next may be.
    pub(super) fn call_up(
        &mut self,
        real_now: Instant,
    ) -> (Vec<(Id<kinds::Message>, StageId)>, Option<Instant>) {
        let (mut called, mut next) = (Vec::new(), None);
        let (turn, calls_max) = (self.turn(real_now), self.calls_max());
        for provider in self.by_name.values_mut() {
            while let Some(first) = provider.waiting.first().copied() {
                if provider.is_full(provider.in_flight + provider.granted.len(), calls_max) {
                    break;
                }
                if let Some(at) = provider.rate.next(real_now, turn) {
                    next = Some(next.map_or(at, |next: Instant| next.min(at)));
                    break;
                }
                provider.waiting.remove(&first);
                provider.rate.take(real_now, turn);
                provider.granted.insert((first.2, first.3));
                called.push((first.2, first.3));
            }
        }
        (called, next)
    }

    /// A stage that was called up needs its place no more, or takes another.
    pub(super) fn forget(&mut self, message: Id<kinds::Message>) {
        for provider in self.by_name.values_mut() {
            if provider.granted.is_empty() && provider.waiting.is_empty() {
                continue;
            }
            let before = provider.granted.len();
            provider.granted.retain(|(granted, _)| *granted != message);
            for _ in provider.granted.len()..before {
                provider.rate.give_back();
            }
            provider.waiting.retain(|waiting| waiting.2 != message);
        }
    }
}

/// The place of the share that a message falls into, by a hash of its id.
fn split(message: Id<kinds::Message>, shares: &[(u8, String)]) -> usize {
    use sha2::{Digest, Sha256};
    let hash = Sha256::digest(message.to_bytes());
    let mut point = u32::from(u16::from_be_bytes([hash[0], hash[1]])) % 100;
    for (place, (share, _)) in shares.iter().enumerate() {
        if point < u32::from(*share) {
            return place;
        }
        point -= u32::from(*share);
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u128) -> Id<kinds::Message> {
        Id::from_u128(n)
    }

    #[test]
    fn what_is_over_the_rate_waits_in_order_of_priority_then_age() {
        let mut providers = Providers::default();
        providers.put("a", None, None);
        providers.by_name.get_mut("a").unwrap().rate.per_second = Some(2);
        let (now, stage) = (Instant::from_ms(1_000_000), StageId(0));
        let busy = |providers: &Providers, n, now| providers.readiness("a", id(n), now, now, 0).busy;
        for n in 0..2 {
            assert!(!busy(&providers, n, now), "the burst of a second");
            providers.begin("a", id(n), stage, now, now);
        }
        for (n, priority) in [(2, Priority::Normal), (3, Priority::Urgent), (4, Priority::Normal)] {
            assert!(busy(&providers, n, now));
            providers.wait("a", priority, id(n), stage);
        }
        let (called, next) = providers.call_up(now);
        assert_eq!((called, next), (vec![], Some(Instant::from_ms(1_000_500))));
        let later = Instant::from_ms(1_001_000);
        let (called, _) = providers.call_up(later);
        assert_eq!(called, [(id(3), stage), (id(2), stage)]);
        assert!(!busy(&providers, 3, later), "it was called up");
        assert!(busy(&providers, 9, later), "no newcomer passes those who wait");
    }

    #[test]
    fn a_weighted_route_splits_by_the_message() {
        let shares = [(70, "a".to_owned()), (30, "b".to_owned())];
        let first = (0..2_000).filter(|n| split(id(*n), &shares) == 0).count();
        assert!((1_300..1_500).contains(&first), "{first} of 2000");
    }
}
