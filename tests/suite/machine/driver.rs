//! Drives `step` by hand: time and answers come from the test, and no effect is left unlooked at.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use spine::language::policy::Route;
use spine::machine::catalog::{Catalog, CatalogProvider, SimulatedWorld};
use spine::machine::facts::{Clearing, Readiness, RouteProvider};
use spine::machine::known::{FactsAt, Known, Person, World};
use spine::machine::{
    Beginning, Effect, Instance, JournalEntry, Machine, Moved, StageId, Told, Transition, Was, What, next_due,
};
use spine::model::{Channel, Confirmation, Instant, Outcome, Priority, Span, StageState, Status};

use crate::meaning::machine;

/// What a test says about the world beside the catalog.
#[derive(Debug, Clone, Default)]
pub(crate) struct TestWorld {
    pub(crate) simulated: SimulatedWorld,
    /// Providers that can be asked, or that know a key.
    pub(crate) clearing: BTreeMap<String, Clearing>,
    /// Providers that have no place free.
    pub(crate) busy: BTreeSet<String>,
    /// Channels without a body.
    pub(crate) no_body: BTreeSet<Channel>,
}

impl World for TestWorld {
    fn has_address(&self, channel: Channel) -> bool {
        self.simulated.has_address(channel)
    }
    fn opted_out(&self, channel: Channel) -> bool {
        self.simulated.opted_out(channel)
    }
    fn has_body(&self, channel: Channel) -> bool {
        !self.no_body.contains(&channel)
    }
    fn quota_used(&self, channel: Channel, begun: u32) -> bool {
        self.simulated.quota_used(channel, begun)
    }
    fn route(&self, channel: Channel, route: &Route) -> Vec<RouteProvider> {
        let mut providers = self.simulated.route(channel, route);
        for provider in &mut providers {
            provider.clearing = self.clearing.get(&provider.name).copied().unwrap_or_default();
        }
        providers
    }
    fn readiness(&self, provider: &str, begun: u32) -> Readiness {
        Readiness { busy: self.busy.contains(provider), ..self.simulated.readiness(provider, begun) }
    }
}

/// A message under test, and the sink of its effects: what a step gives must be taken out before the
/// next, and before the test ends.
pub(crate) struct Driver {
    pub(crate) machine: Machine,
    pub(crate) instance: Instance,
    pub(crate) world: TestWorld,
    pub(crate) known: Known,
    /// Each step with what it read, for the replay at the end.
    journal: JournalEntry,
    transitions: Vec<Transition>,
    effects: VecDeque<Effect>,
    start: Instant,
}

impl Drop for Driver {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        assert!(self.effects.is_empty(), "effects that nobody looked at: {:?}", self.effects);
        self.check();
    }
}

pub(crate) fn noon() -> Instant {
    "2026-01-05T12:00:00Z".parse().unwrap()
}

pub(crate) fn span(text: &str) -> Span {
    text.parse().unwrap()
}

impl Driver {
    /// A message accepted at noon, its first step yet to be done.
    pub(crate) fn new(policy: &str) -> Driver {
        Driver::with(policy, |_| {})
    }

    /// The same with another beginning.
    pub(crate) fn with(policy: &str, change: impl FnOnce(&mut Beginning)) -> Driver {
        Driver::of(machine(policy), TestWorld::default(), change)
    }

    pub(crate) fn of(machine: Machine, world: TestWorld, change: impl FnOnce(&mut Beginning)) -> Driver {
        let start = noon();
        let mut beginning = Beginning {
            policy: "test@1".to_owned(),
            accepted_at: start,
            start_at: start,
            expires_at: machine.headers().expires.map(|expires| start.plus(expires)),
            seed: 0,
        };
        change(&mut beginning);
        let known = Known {
            vars: BTreeMap::new(),
            person: Person::default(),
            priority: Priority::Normal,
            category: "transactional".to_owned(),
            zone: "UTC".to_owned(),
        };
        Driver {
            instance: Instance::new(&machine, beginning.clone()),
            machine,
            world,
            known,
            journal: JournalEntry::new(Some(beginning)),
            transitions: Vec::new(),
            effects: VecDeque::new(),
            start,
        }
    }

    /// Gives the providers of a catalog, `NAME CHANNEL`, all of which confirm delivery.
    pub(crate) fn providers(mut self, names: &[(&str, Channel)]) -> Driver {
        let providers = names.iter().map(|(name, channel)| CatalogProvider {
            name: (*name).to_owned(),
            channels: [*channel].into(),
            ..CatalogProvider::default()
        });
        self.world.simulated.catalog = Catalog { providers: Some(providers.collect()), ..Catalog::default() };
        self
    }

    pub(crate) fn clears(mut self, provider: &str, clearing: Clearing) -> Driver {
        self.world.clearing.insert(provider.to_owned(), clearing);
        self
    }

    /// The instant so long after noon.
    pub(crate) fn after(&self, time: &str) -> Instant {
        self.start.plus(span(time))
    }

    /// Does one step, whatever it is and whenever.
    pub(crate) fn step(&mut self, at: Instant, what: What) {
        let facts = FactsAt { machine: &self.machine, at, known: &self.known, world: &self.world };
        let (instance, effects) = self.journal.step(&self.machine, self.instance.clone(), at, what, &facts);
        self.instance = instance;
        for effect in effects {
            if let Effect::Transition(transition) = &effect {
                self.transitions.push(transition.clone());
            }
            self.effects.push_back(effect);
        }
    }

    /// Does one step at that time after noon; every effect of the one before has been looked at.
    pub(crate) fn at(&mut self, time: &str, what: What) {
        assert!(self.effects.is_empty(), "effects that nobody looked at: {:?}", self.effects);
        let at = self.after(time);
        self.step(at, what);
    }

    /// Fires, in their order, all timers due by then, as a process that was down so long does.
    pub(crate) fn fire(&mut self, time: &str) {
        let now = self.after(time);
        for _ in 0..1_000 {
            if next_due(&self.machine, &self.instance).is_none_or(|due| due > now) {
                return;
            }
            self.step(now, What::Due);
        }
        panic!("timers without end at {time}");
    }

    pub(crate) fn accept(&mut self) {
        self.at("0s", What::Accepted);
    }

    pub(crate) fn answer(&mut self, time: &str, attempt: u32, outcome: Outcome) {
        self.at(time, What::Answered { attempt, outcome, retry_after: None });
    }

    pub(crate) fn confirm(&mut self, time: &str, attempt: u32, level: Confirmation) {
        self.at(time, What::Confirmed { attempt, level });
    }

    /// When the next timer is due, after noon; `-` for none.
    pub(crate) fn due(&self) -> String {
        next_due(&self.machine, &self.instance)
            .map_or("-".to_owned(), |due| Span::from_ms(due.ms() - self.start.ms()).to_string())
    }

    /// Takes the next effect out.
    pub(crate) fn next(&mut self) -> Effect {
        self.effects.pop_front().expect("another effect")
    }

    /// Takes all effects out: those that something is to be done for, one line each.
    pub(crate) fn doings(&mut self) -> Vec<String> {
        self.effects.drain(..).filter_map(|effect| doing(&effect)).collect()
    }

    /// Takes all effects out: the transitions, by their words.
    pub(crate) fn audit(&mut self) -> Vec<&'static str> {
        let written = self.effects.drain(..).filter_map(|effect| match effect {
            Effect::Transition(transition) => Some(transition.event.word()),
            _ => None,
        });
        written.collect()
    }

    /// Takes all effects out: the transitions themselves.
    pub(crate) fn written(&mut self, event: Was) -> Vec<Transition> {
        let written = self.effects.drain(..).filter_map(|effect| match effect {
            Effect::Transition(transition) if transition.event == event => Some(transition),
            _ => None,
        });
        written.collect()
    }

    /// The status, and whether it is final.
    pub(crate) fn status(&self) -> (Status, bool) {
        (self.instance.status(), self.instance.ended().is_some())
    }

    /// Lets whatever is left go unlooked at; for tests of something else.
    pub(crate) fn look_away(&mut self) {
        self.effects.clear();
    }

    pub(crate) fn transitions(&self) -> &[Transition] {
        &self.transitions
    }

    /// What holds after every run: the transitions chain, and the replay is exact.
    fn check(&self) {
        chained(&self.transitions);
        let journal = JournalEntry::from_bytes(&self.journal.to_bytes().unwrap()).unwrap();
        let replayed = journal.replay(&self.machine, None).unwrap();
        replayed.matches(&self.instance.to_bytes().unwrap(), &self.transitions).unwrap();
        let read = Instance::from_bytes(&self.instance.to_bytes().unwrap(), &self.machine).unwrap();
        assert_eq!(read, self.instance);
    }
}

/// Numbers have no gaps, time does not go back, and each state begins where the one before ended.
pub(crate) fn chained(transitions: &[Transition]) {
    let mut stages: BTreeMap<StageId, StageState> = BTreeMap::new();
    let mut message: Option<Status> = None;
    let mut last_at = Instant::from_ms(0);
    for (place, transition) in transitions.iter().enumerate() {
        assert_eq!(transition.seq as usize, place + 1);
        assert!(transition.at >= last_at, "{transition:?}");
        last_at = transition.at;
        match transition.moved {
            Moved::Stage { stage, from, to, .. } => {
                let before = stages.insert(stage, to).unwrap_or(StageState::Pending);
                assert_eq!(from, before, "{transition:?} in {transitions:#?}");
            }
            Moved::Message { from, to } => {
                assert_eq!(from, message, "{transition:?}");
                message = Some(to);
            }
        }
    }
}

fn doing(effect: &Effect) -> Option<String> {
    Some(match effect {
        Effect::Call { attempt, provider, .. } => format!("call {attempt} {provider}"),
        Effect::CallAgain { attempt, provider } => format!("call again {attempt} {provider}"),
        Effect::LookUp { attempt, provider } => format!("look up {attempt} {provider}"),
        Effect::Queue { provider, .. } => format!("queue {provider}"),
        Effect::Transition(_) => return None,
        Effect::Tell(told) => match told {
            Told::Created => "created".to_owned(),
            Told::Sent { attempt, .. } => format!("sent {attempt}"),
            Told::Delivered { attempt: Some(attempt), .. } => format!("delivered {attempt}"),
            Told::Delivered { attempt: None, .. } => "delivered".to_owned(),
            Told::Read { attempt, .. } => format!("read {attempt}"),
            Told::Replied { attempt, .. } => format!("replied {attempt}"),
            Told::DuplicateDelivery { attempt, other_attempt, .. } => {
                format!("duplicate {attempt} of {other_attempt}")
            }
            Told::Unconfirmed => "unconfirmed".to_owned(),
            Told::Failed => "failed".to_owned(),
            Told::Canceled => "canceled".to_owned(),
            Told::Expired => "expired".to_owned(),
        },
    })
}
