//! Facts of which some are not decided yet. A step that asks for one of these is done again for each
//! of its choices.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use crate::language::condition::{Comparison, Operand};
use crate::language::facts_text::GivenFacts;
use crate::language::policy::{Route, Wait};
use crate::machine::catalog::{Catalog, SimulatedWorld};
use crate::machine::facts::{Counters, Facts, Moment, Opening, Readiness, RouteProvider, Truth};
use crate::machine::known::{FactsAt, Known, World, evaluate};
use crate::machine::plan::{Kind, Machine, StageId};
use crate::machine::simulate::Scenario;
use crate::model::{Channel, ContactField, Instant, Zone};

use super::space::{FactName, FactSpace, give, operand_name};

/// What a question is not decided as.
pub(super) const OPEN: u8 = u8::MAX;

/// One decision for some of the questions, with what follows for the world.
#[derive(Debug)]
pub(super) struct Assigned {
    /// A choice for each question, or [`OPEN`].
    pub(super) choice: Vec<u8>,
    pub(super) facts: GivenFacts,
    known: Known,
    world: SimulatedWorld,
}

impl Assigned {
    /// The truth of a comparison of any policy.
    pub(super) fn truth(&self, comparison: &Comparison, counters: Counters) -> Truth {
        evaluate(comparison, counters, &|operand| self.known.value(operand))
    }

    /// Whether it is quiet hours then.
    pub(super) fn is_quiet(&self, machine: &Machine, at: Instant) -> bool {
        FactsAt { machine, at, known: &self.known, world: &self.world }.quiet()
    }
}

/// Where each question stands, for what a step can ask.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// The questions behind each comparison of the machine.
    pub(super) comparisons: Vec<Vec<usize>>,
    pub(super) has: BTreeMap<Channel, usize>,
    pub(super) opted_out: BTreeMap<Channel, usize>,
    pub(super) quota: BTreeMap<Channel, usize>,
    pub(super) breaker: BTreeMap<String, usize>,
    pub(super) timezone: Option<usize>,
}

impl Places {
    pub(super) fn of(machine: &Machine, space: &FactSpace) -> Places {
        let mut places = Places::default();
        for (place, question) in space.questions().iter().enumerate() {
            match &question.name {
                FactName::Has(channel) => _ = places.has.insert(*channel, place),
                FactName::OptedOut(channel) => _ = places.opted_out.insert(*channel, place),
                FactName::Quota(channel) => _ = places.quota.insert(*channel, place),
                FactName::Breaker(provider) => _ = places.breaker.insert(provider.clone(), place),
                FactName::Contact(field) if field == ContactField::Timezone.word() => {
                    places.timezone = Some(place);
                }
                FactName::Var(_) | FactName::Contact(_) | FactName::Priority | FactName::Category => {}
            }
        }
        let behind = |operand: &Operand| space.place(&operand_name(operand)?);
        places.comparisons = machine
            .comparisons
            .iter()
            .map(|comparison| [&comparison.left, &comparison.right].into_iter().filter_map(behind).collect())
            .collect();
        places
    }
}

/// Every decision that a walk has come to, each made once.
pub(super) struct Decisions<'a> {
    machine: &'a Machine,
    space: &'a FactSpace,
    base: &'a GivenFacts,
    catalog: &'a Catalog,
    made: HashMap<Vec<u8>, Rc<Assigned>>,
}

impl<'a> Decisions<'a> {
    pub(super) fn new(
        machine: &'a Machine,
        space: &'a FactSpace,
        base: &'a GivenFacts,
        catalog: &'a Catalog,
    ) -> Decisions<'a> {
        Decisions { machine, space, base, catalog, made: HashMap::new() }
    }

    /// A world that is known already, with nothing to decide.
    pub(super) fn of_scenario(scenario: &'a Scenario<'a>, space: &'a FactSpace) -> Decisions<'a> {
        const NO_FACTS: &GivenFacts = &GivenFacts::NONE;
        let catalog = &scenario.world.catalog;
        let mut decisions = Decisions::new(scenario.machine, space, NO_FACTS, catalog);
        let choice = vec![OPEN; space.questions().len()];
        let (known, world) = (scenario.known.clone(), scenario.world.clone());
        let assigned = Assigned { choice: choice.clone(), facts: GivenFacts::NONE, known, world };
        decisions.made.insert(choice, Rc::new(assigned));
        decisions
    }

    /// Nothing decided.
    pub(super) fn none(&mut self) -> Rc<Assigned> {
        self.of(vec![OPEN; self.space.questions().len()])
    }

    /// One question more.
    pub(super) fn with(&mut self, before: &Assigned, question: usize, choice: usize) -> Rc<Assigned> {
        let mut all = before.choice.clone();
        if let Some(place) = all.get_mut(question) {
            *place = u8::try_from(choice).unwrap_or(OPEN - 1);
        }
        self.of(all)
    }

    fn of(&mut self, choice: Vec<u8>) -> Rc<Assigned> {
        if let Some(made) = self.made.get(&choice) {
            return Rc::clone(made);
        }
        let mut facts = self.base.clone();
        for (question, place) in self.space.questions().iter().zip(&choice) {
            if let Some(choice) = question.choices.get(usize::from(*place)) {
                give(&mut facts, &question.name, choice);
            }
        }
        let at = self.space.instants().first().copied().unwrap_or(super::Witness::ORDINARY_AT);
        let Scenario { known, world, .. } = Scenario::given(self.machine, &facts, self.catalog.clone(), at);
        let assigned = Rc::new(Assigned { choice: choice.clone(), facts, known, world });
        self.made.insert(choice, Rc::clone(&assigned));
        assigned
    }
}

/// The world of some decisions, with the providers that asked to be left alone.
struct Paused<'a> {
    world: &'a SimulatedWorld,
    paused: &'a [(String, Instant)],
}

impl World for Paused<'_> {
    fn has_address(&self, channel: Channel) -> bool {
        self.world.has_address(channel)
    }
    fn opted_out(&self, channel: Channel) -> bool {
        self.world.opted_out(channel)
    }
    fn has_body(&self, channel: Channel) -> bool {
        self.world.has_body(channel)
    }
    fn quota_used(&self, channel: Channel, begun: u32) -> bool {
        self.world.quota_used(channel, begun)
    }
    fn route(&self, channel: Channel, route: &Route) -> Vec<RouteProvider> {
        self.world.route(channel, route)
    }
    fn readiness(&self, provider: &str, begun: u32) -> Readiness {
        let until = self.paused.iter().find(|(name, _)| name == provider).map(|(_, until)| Moment(*until));
        Readiness { paused_until: until, ..self.world.readiness(provider, begun) }
    }
}

/// The facts of one instant, some of them open.
pub(super) struct OpenFacts<'a> {
    pub(super) machine: &'a Machine,
    pub(super) places: &'a Places,
    pub(super) assigned: &'a Assigned,
    pub(super) paused: &'a [(String, Instant)],
    pub(super) at: Instant,
    /// The first open question that was asked.
    pub(super) asked: Cell<Option<usize>>,
    /// The routes that were found, which do not change.
    pub(super) routes: &'a RefCell<HashMap<u16, Vec<RouteProvider>>>,
}

impl OpenFacts<'_> {
    fn ask(&self, question: Option<usize>) {
        let open = question.filter(|place| self.assigned.choice.get(*place) == Some(&OPEN));
        if self.asked.get().is_none() {
            self.asked.set(open);
        }
    }

    fn ask_zone(&self, zone: &Zone) {
        if matches!(zone, Zone::Contact { .. }) {
            self.ask(self.places.timezone);
        }
    }

    fn known<T>(&self, answer: impl FnOnce(&FactsAt<'_, Paused<'_>>) -> T) -> T {
        let world = Paused { world: &self.assigned.world, paused: self.paused };
        answer(&FactsAt { machine: self.machine, at: self.at, known: &self.assigned.known, world: &world })
    }
}

impl Facts for OpenFacts<'_> {
    fn comparison(&self, index: u16, counters: Counters) -> Truth {
        for question in self.places.comparisons.get(usize::from(index)).into_iter().flatten() {
            self.ask(Some(*question));
        }
        self.known(|facts| facts.comparison(index, counters))
    }
    fn has_address(&self, channel: Channel) -> bool {
        self.ask(self.places.has.get(&channel).copied());
        self.known(|facts| facts.has_address(channel))
    }
    fn opted_out(&self, channel: Channel) -> bool {
        self.ask(self.places.opted_out.get(&channel).copied());
        self.known(|facts| facts.opted_out(channel))
    }
    fn has_body(&self, channel: Channel) -> bool {
        self.known(|facts| facts.has_body(channel))
    }
    fn quota_used(&self, channel: Channel, begun: u32) -> bool {
        self.ask(self.places.quota.get(&channel).copied());
        self.known(|facts| facts.quota_used(channel, begun))
    }
    fn quiet(&self) -> bool {
        if let Some(quiet) = &self.machine.headers.quiet {
            self.ask_zone(&quiet.window.zone);
        }
        self.known(|facts| facts.quiet())
    }
    fn opening(&self, stage: StageId, heed_quiet: bool) -> Opening {
        if let Some(between) = &self.machine.stage(stage).between {
            self.ask_zone(&between.zone);
        }
        if let Some(quiet) = self.machine.headers.quiet.as_ref().filter(|_| heed_quiet) {
            self.ask_zone(&quiet.window.zone);
        }
        self.known(|facts| facts.opening(stage, heed_quiet))
    }
    fn wait_end(&self, stage: StageId) -> Opening {
        if let Kind::Wait(Wait::Until { zone, .. }) = &self.machine.stage(stage).kind {
            self.ask_zone(zone);
        }
        self.known(|facts| facts.wait_end(stage))
    }
    fn route(&self, stage: StageId) -> Vec<RouteProvider> {
        let mut routes = self.routes.borrow_mut();
        routes.entry(stage.0).or_insert_with(|| self.known(|facts| facts.route(stage))).clone()
    }
    fn readiness(&self, provider: &str, begun: u32) -> Readiness {
        self.ask(self.places.breaker.get(provider).copied());
        self.known(|facts| facts.readiness(provider, begun))
    }
}
