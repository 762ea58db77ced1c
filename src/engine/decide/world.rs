//! What the machine may ask of a scope.

use crate::engine::desk::{Desk, DeskState};
use crate::engine::running::Info;
use crate::language::policy::Route;
use crate::machine::facts::{Readiness, RouteProvider};
use crate::machine::known::World;
use crate::model::shapes::QuotaName;
use crate::model::{Channel, Instant};

/// The world of one message at one instant, with the scope's lock held.
pub(super) struct DeskWorld<'a> {
    pub(super) desk: &'a Desk,
    pub(super) state: &'a DeskState,
    pub(super) info: &'a Info,
    pub(super) now: Instant,
}

impl World for DeskWorld<'_> {
    fn has_address(&self, channel: Channel) -> bool {
        self.info.addresses.get(channel).is_some()
    }
    fn opted_out(&self, channel: Channel) -> bool {
        self.info.opted_out.contains(&channel)
    }
    fn has_body(&self, channel: Channel) -> bool {
        self.info.has_body(channel)
    }
    fn quota_used(&self, channel: Channel, begun: u32) -> bool {
        self.state.quotas.used_up(QuotaName::Channel(channel), self.now, begun).is_some()
    }
    fn route(&self, channel: Channel, route: &Route) -> Vec<RouteProvider> {
        self.state.providers.route(self.desk.environment(), self.info.id, channel, route)
    }
    fn readiness(&self, provider: &str, begun: u32) -> Readiness {
        let real_now = self.desk.real_now();
        let readiness = self.state.providers.readiness(provider, self.info.id, self.now, real_now, begun);
        // What would be called by a node that stops waits for a place, which whoever goes on gives it.
        Readiness { busy: readiness.busy || self.desk.calls_nobody(), ..readiness }
    }
}
