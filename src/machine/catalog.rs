//! What the tools are told of a tenant's world: the providers, with channels, prices, confirmations
//! and horizons.

use std::collections::{BTreeMap, BTreeSet};

use crate::language::policy::Route;
use crate::language::{KnownTemplate, Validity};
use crate::model::{Channel, Confirmation, Currency, Instant, Money, Span};

use super::facts::{Clearing, Moment, Readiness, RouteProvider};
use super::known::World;
use super::plan::Machine;

/// How long a confirmation is waited for where nothing else is said.
pub const HORIZON: Span = Span::from_s(86_400);

/// A tenant's providers; without any, every channel has one of its own name, and every name in a
/// route exists.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// The zone where `contact.timezone` has none, an IANA name.
    pub zone: Option<String>,
    /// In the order in which a channel without `via` tries them; `None` where nothing is told.
    pub providers: Option<Vec<CatalogProvider>>,
    /// The templates; `None` where nothing is told.
    pub templates: Option<Vec<KnownTemplate>>,
}

/// One provider.
#[derive(Debug, Clone, Default)]
pub struct CatalogProvider {
    /// What `via` names.
    pub name: String,
    /// What it serves.
    pub channels: BTreeSet<Channel>,
    /// Of one attempt; 0 where none is given.
    pub prices: BTreeMap<Channel, Money>,
    /// What it confirms, where that is not what the channel can.
    pub confirms: BTreeMap<Channel, Vec<Confirmation>>,
    /// How long a confirmation is waited for, where that is not [`HORIZON`].
    pub horizon: BTreeMap<Channel, Span>,
    /// What it can be told of how long a message is worth delivering, where that is known.
    pub validity: BTreeMap<Channel, Validity>,
}

impl CatalogProvider {
    /// What it confirms on a channel, beyond acceptance.
    #[must_use]
    pub fn confirmations(&self, channel: Channel) -> Vec<Confirmation> {
        let told = self.confirms.get(&channel).cloned();
        told.unwrap_or_else(|| channel.default_confirmations().to_vec())
    }

    fn on(&self, channel: Channel) -> RouteProvider {
        RouteProvider {
            name: self.name.clone(),
            price: self.prices.get(&channel).map_or(0, |price| price.micros),
            confirms: self.confirmations(channel),
            horizon_ms: self.horizon.get(&channel).copied().unwrap_or(HORIZON).ms(),
            clearing: Clearing::None,
        }
    }
}

impl Catalog {
    /// The currency of the prices; `None` where there are none.
    #[must_use]
    pub fn currency(&self) -> Option<Currency> {
        self.providers
            .iter()
            .flatten()
            .flat_map(|provider| provider.prices.values())
            .map(|p| p.currency)
            .next()
    }

    /// What the key of a script can confirm: a provider's name on the channels that it serves, then a
    /// channel's by its providers. `None` where the key is neither.
    #[must_use]
    pub fn confirmations(&self, machine: &Machine, key: &str) -> Option<Vec<Confirmation>> {
        let stages = machine.channel_stages();
        let routes: Vec<_> =
            stages.map(|(_, stage)| (stage.channel, self.route(stage.channel, &stage.route))).collect();
        let union = |all: Vec<Vec<Confirmation>>| {
            let mut all: Vec<_> = all.into_iter().flatten().collect();
            all.sort_unstable();
            all.dedup();
            all
        };
        if let Some(provider) = self.providers.iter().flatten().find(|provider| provider.name == key) {
            let each = provider.channels.iter().map(|channel| provider.confirmations(*channel));
            return Some(union(each.collect()));
        }
        let all = routes.iter().flat_map(|(_, route)| route);
        let named: Vec<_> = all.filter(|p| p.name == key).map(|provider| provider.confirms.clone()).collect();
        if !named.is_empty() {
            return Some(union(named));
        }
        let channel: Channel = key.parse().ok()?;
        let serving = routes.iter().filter(|(served, _)| *served == channel).flat_map(|(_, route)| route);
        let serving: Vec<_> = serving.map(|provider| provider.confirms.clone()).collect();
        Some(if serving.is_empty() { channel.default_confirmations().to_vec() } else { union(serving) })
    }

    /// The providers of a stage in the order in which they are tried; of a weighted route the largest
    /// share first, the first of equals, then the others in order.
    #[must_use]
    pub fn route(&self, channel: Channel, route: &Route) -> Vec<RouteProvider> {
        let named = |name: &str| match &self.providers {
            None => Some(CatalogProvider { name: name.to_owned(), ..CatalogProvider::default() }.on(channel)),
            Some(providers) => providers
                .iter()
                .find(|provider| provider.name == name && provider.channels.contains(&channel))
                .map(|provider| provider.on(channel)),
        };
        match (route, &self.providers) {
            (Route::Default, None) => named(channel.word()).into_iter().collect(),
            (Route::Default, Some(providers)) => {
                let serve = providers.iter().filter(|provider| provider.channels.contains(&channel));
                serve.map(|provider| provider.on(channel)).collect()
            }
            (Route::Failover(names), _) => names.iter().filter_map(|name| named(name)).collect(),
            (Route::Weighted(shares), _) => {
                let mut first = 0;
                for (place, (share, _)) in shares.iter().enumerate() {
                    if *share > shares[first].0 {
                        first = place;
                    }
                }
                let rest = (0..shares.len()).filter(|place| *place != first);
                std::iter::once(first).chain(rest).filter_map(|place| named(&shares.get(place)?.1)).collect()
            }
        }
    }
}

/// The world of a simulated run: the catalog, and what the facts take away.
#[derive(Debug, Clone, Default)]
pub struct SimulatedWorld {
    /// The providers.
    pub catalog: Catalog,
    /// The channels on which the person has no address.
    pub no_address: BTreeSet<Channel>,
    /// The channels that the person does not want.
    pub opted_out: BTreeSet<Channel>,
    /// The channels whose quota is used up.
    pub quota_used: BTreeSet<Channel>,
    /// The providers whose breaker is open.
    pub open: BTreeSet<String>,
    /// The providers that asked to be left alone, and until when.
    pub paused: BTreeMap<String, Instant>,
}

impl World for SimulatedWorld {
    fn has_address(&self, channel: Channel) -> bool {
        !self.no_address.contains(&channel)
    }
    fn opted_out(&self, channel: Channel) -> bool {
        self.opted_out.contains(&channel)
    }
    fn has_body(&self, _: Channel) -> bool {
        true
    }
    fn quota_used(&self, channel: Channel, _: u32) -> bool {
        self.quota_used.contains(&channel)
    }
    fn route(&self, channel: Channel, route: &Route) -> Vec<RouteProvider> {
        self.catalog.route(channel, route)
    }
    fn readiness(&self, provider: &str, _: u32) -> Readiness {
        Readiness {
            open: self.open.contains(provider),
            paused_until: self.paused.get(provider).copied().map(Moment),
            busy: false,
        }
    }
}
