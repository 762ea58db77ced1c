//! How much a policy can send, cost and last, at most.
//!
//! They cover every script in which answers take no time, nobody is rate limited and no jitter is
//! added. Sends and costs add up over what can happen beside each other and one after the other,
//! which a stage whose goal is acceptance ends. The latest start of a send is the longest path
//! through the graph, in one pass in topological order: each edge says how much later its end can
//! come than its beginning.
//!
//! They are never too low. Sends and costs are met by some script, but in these cases, where they may
//! be too high:
//! - in an `any of` that the acceptance of one member can end, the others count in full;
//! - behind a stage with several providers, with `on doubt resend`, or in a group, all that follows
//!   counts where a fallback can start in the instant of an attempt whose acceptance reaches it;
//! - guards, opt-outs and limits of cost are not looked into.

mod amounts;
mod latest;
mod meets;
mod starts;
mod windows;

pub use starts::{Start, starts};

use schemars::JsonSchema;
use serde::Serialize;

use crate::language::policy::ChannelStage;
use crate::model::{Confirmation, Money, Span};

use super::catalog::Catalog;
use super::facts::RouteProvider;
use super::plan::{Machine, StrategyId};

/// The bounds of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Bounds {
    /// The most attempts accepted or in doubt.
    pub sends_max: u32,
    /// The latest moment at which a send can start, in milliseconds from the start; null where
    /// nothing bounds it.
    pub duration_max_ms: Option<i64>,
    /// The most that those attempts cost; null without prices.
    pub cost_max: Option<Money>,
}

/// Computes the bounds of a policy for the providers of a catalog.
#[must_use]
pub fn bounds(machine: &Machine, catalog: &Catalog) -> Bounds {
    let measure = Measure { machine, catalog };
    let amounts = measure.strategy(StrategyId(0)).most();
    let headers = machine.headers();
    let sends = headers.limit_sends.map_or(amounts.sends, |limit| amounts.sends.min(limit));
    let cost = headers.limit_cost.map_or(amounts.cost, |limit| amounts.cost.min(limit.micros));
    let latest = measure.latest_start();
    let latest = match (latest, headers.expires) {
        (Some(latest), Some(expires)) => Some(latest.min(expires.ms())),
        (None, expires) => expires.map(Span::ms),
        (latest, None) => latest,
    };
    Bounds {
        sends_max: sends,
        duration_max_ms: latest,
        cost_max: catalog.currency().map(|currency| Money { micros: cost, currency }),
    }
}

struct Measure<'a> {
    machine: &'a Machine,
    catalog: &'a Catalog,
}

impl Measure<'_> {
    fn route(&self, channel: &ChannelStage) -> Vec<RouteProvider> {
        self.catalog.route(channel.channel, &channel.route)
    }
}

/// What reaches a stage.
fn goal(channel: &ChannelStage, route: &[RouteProvider]) -> Confirmation {
    let confirms = route.iter().any(|provider| provider.confirms.contains(&Confirmation::Delivered));
    channel.until.unwrap_or(if confirms { Confirmation::Delivered } else { Confirmation::Accepted })
}
