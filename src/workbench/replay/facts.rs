//! The facts of a run: what the record says of the world, and where it says nothing, what is assumed.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::language::condition::{Comparison, Operand};
use crate::language::policy::Route;
use crate::machine::catalog::{Catalog, SimulatedWorld};
use crate::machine::facts::{Counters, Facts, Moment, Opening, Readiness, RouteProvider, Truth};
use crate::machine::known::{FactsAt, Known, Person};
use crate::machine::{Machine, StageId};
use crate::model::{Channel, ContactField, Instant, Window, Zone};

use super::answers::Typical;
use super::read::Message;
use super::record::{Over, Record, at};
use super::zone::{self, Found};

/// What is assumed in a run, each once.
#[derive(Default)]
pub(super) struct Assumed(RefCell<BTreeSet<String>>);

impl Assumed {
    pub(super) fn add(&self, what: String) {
        self.0.borrow_mut().insert(what);
    }

    pub(super) fn into_list(self) -> Vec<String> {
        self.0.into_inner().into_iter().collect()
    }
}

/// What stays the same through a run.
pub(super) struct Played<'a> {
    pub(super) machine: &'a Machine,
    pub(super) record: &'a Record,
    pub(super) catalog: &'a Catalog,
    typical: &'a Typical,
    /// Whether this is the version that made the record.
    pub(super) is_own: bool,
    known: Known,
    /// What is known of the person's zone.
    zone: Found,
    world: SimulatedWorld,
    pub(super) assumed: Assumed,
}

impl<'a> Played<'a> {
    /// `own` is the version that made the record.
    pub(super) fn new(
        message: &Message,
        record: &'a Record,
        machine: &'a Machine,
        own: &Machine,
        catalog: &'a Catalog,
        typical: &'a Typical,
    ) -> Played<'a> {
        let mut known = Known {
            vars: BTreeMap::new(),
            person: Person::default(),
            priority: message.priority,
            // A category of the other version counts; one of the template stays.
            category: machine.headers().category.clone().unwrap_or_else(|| message.category.clone()),
            zone: message.zone.clone(),
        };
        let zone = zone::find(&record.known, own, &known);
        if let Found::Fits(Some(zone)) = &zone {
            known.person.fields.insert(ContactField::Timezone, zone.clone());
        }
        let world = SimulatedWorld { catalog: catalog.clone(), ..SimulatedWorld::default() };
        let (is_own, assumed) = (std::ptr::eq(machine, own), Assumed::default());
        Played { machine, record, catalog, typical, is_own, known, zone, world, assumed }
    }

    /// The facts of an instant; `paused` are the providers that asked for it in this run.
    pub(super) fn facts<'b>(&'b self, at: Instant, paused: &'b BTreeMap<String, Instant>) -> At<'b> {
        At { played: self, at, paused }
    }
}

/// The facts of one instant.
pub(super) struct At<'a> {
    played: &'a Played<'a>,
    at: Instant,
    paused: &'a BTreeMap<String, Instant>,
}

/// Whether a comparison asks only what the record always holds.
fn is_known(comparison: &Comparison) -> bool {
    [&comparison.left, &comparison.right]
        .into_iter()
        .all(|side| !matches!(side, Operand::Var(_) | Operand::Contact(_) | Operand::Attribute(_)))
}

impl At<'_> {
    fn derived(&self) -> FactsAt<'_, SimulatedWorld> {
        let Played { machine, known, world, .. } = self.played;
        FactsAt { machine, at: self.at, known, world }
    }

    fn of_channel(
        &self,
        over: &BTreeMap<Channel, Over<bool>>,
        channel: Channel,
        usual: bool,
        what: &str,
    ) -> bool {
        over.get(&channel).and_then(|over| at(over, self.at)).unwrap_or_else(|| {
            self.played.assumed.add(format!("`{channel}`: {what}"));
            usual
        })
    }

    /// Says that the person's own zone is needed and not on record.
    fn zone(&self, zones: &[Option<&Zone>]) {
        let mut otherwise = zones.iter().flatten().filter_map(|zone| match zone {
            Zone::Contact { otherwise } => Some(otherwise.clone()),
            Zone::Named(_) => None,
        });
        let Some(otherwise) = otherwise.next() else { return };
        let without = || otherwise.unwrap_or_else(|| self.played.known.zone.clone());
        let fits = "in which its own version finds its windows as it did";
        let assumed = match &self.played.zone {
            // That there was none is on record.
            Found::Missing => return,
            Found::Fits(Some(zone)) => format!("the person's time zone: taken as {zone}, {fits}"),
            Found::Fits(None) => format!("the person's time zone: taken as {}, {fits}", without()),
            Found::Nothing => format!("the person's time zone: taken as {}", without()),
        };
        self.played.assumed.add(assumed);
    }
}

impl Facts for At<'_> {
    fn comparison(&self, index: u16, counters: Counters) -> Truth {
        let Some(comparison) = self.played.machine.comparison(index) else { return Truth::Missing };
        if is_known(comparison) {
            return self.derived().comparison(index, counters);
        }
        self.played.record.known.truth(comparison, self.at).unwrap_or_else(|| {
            self.played.assumed.add(format!("`{}` was never asked: taken as not so", comparison.text));
            Truth::False
        })
    }

    fn has_address(&self, channel: Channel) -> bool {
        let what = "whether there was an address: taken as there";
        self.of_channel(&self.played.record.known.has_address, channel, true, what)
    }

    fn opted_out(&self, channel: Channel) -> bool {
        let what = "whether the person wanted it: taken as wanted";
        self.of_channel(&self.played.record.known.opted_out, channel, false, what)
    }

    fn has_body(&self, channel: Channel) -> bool {
        let what = "whether there was a text for it: taken as there";
        self.of_channel(&self.played.record.known.has_body, channel, true, what)
    }

    fn quota_used(&self, channel: Channel, _: u32) -> bool {
        let what = "whether its quota was used up: taken as not";
        self.of_channel(&self.played.record.known.quota_used, channel, false, what)
    }

    fn quiet(&self) -> bool {
        let recorded = self.played.record.known.quiet.iter().find(|(at, _)| *at == self.at);
        if let Some((_, quiet)) = recorded.filter(|_| self.played.is_own) {
            return *quiet;
        }
        let quiet = self.played.machine.headers().quiet.as_ref();
        self.zone(&[quiet.map(|quiet| &quiet.window.zone)]);
        self.derived().quiet()
    }

    fn opening(&self, stage: StageId, heed_quiet: bool) -> Opening {
        let played = self.played;
        if played.is_own {
            let mut recorded = played.record.known.openings.iter();
            // What was found to open then has not opened before.
            let found = recorded.find(|(asked, heeded, at, opening)| {
                let until = opening.at.map_or(*at, |moment| moment.0);
                *asked == stage && *heeded == heed_quiet && *at <= self.at && self.at <= until
            });
            if let Some((.., opening)) = found {
                return *opening;
            }
        }
        let quiet = played.machine.headers().quiet.as_ref().filter(|_| heed_quiet);
        let between: Option<&Window> = played.machine.between(stage);
        self.zone(&[quiet.map(|quiet| &quiet.window.zone), between.map(|window| &window.zone)]);
        self.derived().opening(stage, heed_quiet)
    }

    fn wait_end(&self, stage: StageId) -> Opening {
        let played = self.played;
        if played.is_own {
            let mut recorded = played.record.known.wait_ends.iter();
            let found = recorded.find(|(asked, at, _)| *asked == stage && *at == self.at);
            if let Some((.., opening)) = found {
                return *opening;
            }
        }
        self.zone(&[played.machine.waits_in(stage)]);
        self.derived().wait_end(stage)
    }

    fn route(&self, stage: StageId) -> Vec<RouteProvider> {
        let played = self.played;
        let Some(stage) = played.machine.channel(stage) else { return Vec::new() };
        let known = &played.record.known;
        let same = known
            .routes
            .iter()
            .find(|(channel, route, _)| *channel == stage.channel && *route == stage.route);
        if let Some((.., route)) = same {
            return route.clone();
        }
        let told = played.catalog.providers.is_some();
        let mut route = Vec::new();
        for provider in played.catalog.route(stage.channel, &stage.route) {
            let name = &provider.name;
            let own = known.provider(stage.channel, name);
            match own.or(played.typical.provider(stage.channel, name)) {
                Some(known) => route.push(known.clone()),
                None => {
                    if !told {
                        played.assumed.add(format!(
                            "`{}` on `{}`: taken to be there, without a price",
                            provider.name, stage.channel
                        ));
                    }
                    route.push(provider);
                }
            }
        }
        if !told && stage.route == Route::Default {
            // Without a `via`, those that are known to serve the channel, in the order of the record.
            let mut served: Vec<RouteProvider> = Vec::new();
            let own = known.routes.iter().filter(|(channel, ..)| *channel == stage.channel);
            let own = own.flat_map(|(_, _, providers)| providers);
            for provider in own.chain(played.typical.on(stage.channel)) {
                if served.iter().all(|known| known.name != provider.name) {
                    served.push(provider.clone());
                }
            }
            if !served.is_empty() {
                route = served;
            }
        }
        if matches!(stage.route, Route::Weighted(_)) {
            played.assumed.add(format!("`{}`: taken to fall to the largest share", stage.channel));
        }
        route
    }

    fn readiness(&self, provider: &str, _: u32) -> Readiness {
        let known = &self.played.record.known;
        let open = known.open.get(provider).and_then(|over| at(over, self.at)).unwrap_or_default();
        let paused = known.paused.get(provider).and_then(|over| at(over, self.at)).flatten();
        let paused = paused.into_iter().chain(self.paused.get(provider).copied()).max();
        Readiness { open, paused_until: paused.filter(|until| *until > self.at).map(Moment), busy: false }
    }
}
