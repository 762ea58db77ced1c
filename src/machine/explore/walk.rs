//! The walk: what providers may say, and the facts that are asked about.
//!
//! To each call every answer, at no time; just before each timer of the instance, of every send that
//! waits, a confirmation, a failure, or nothing: what comes just after a timer is what comes just
//! before the next one. Where reasons count, what is said of a later attempt may also come before what
//! is said of an earlier one. Two ways that meet in the same state go on as one, the shorter first. So what
//! a visitor sees first, it sees by a shortest script.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::rc::Rc;

use crate::language::condition::Comparison;
use crate::language::facts_text::GivenFacts;
use crate::machine::catalog::Catalog;
use crate::machine::effect::{Effect, Transition};
use crate::machine::event::{Event, What};
use crate::machine::facts::{Counters, Truth};
use crate::machine::instance::Instance;
use crate::machine::plan::Machine;
use crate::machine::simulate::Scenario;
use crate::machine::step::{Beginning, step};
use crate::model::{Channel, Confirmation, ContactField, Instant, Outcome, Span, Zone};

use super::key::{Beside, Key, Keys};
use super::left::may_send;
use super::moves::{Call, Move, State, Told, Waiting};
use super::open::{Assigned, Decisions, OPEN, OpenFacts, Places};
use super::space::{Choice, FactName, FactSpace, operand_name};
use super::trace::{LONG_PAUSE, START, Step, TraceId, Traces};
use super::witness::Witness;

/// How many states are looked at, where nothing else is said.
pub const STATES_MAX: usize = 200_000;

/// What a visitor tells apart. States that differ in nothing else are one.
#[derive(Debug, Clone, Default)]
pub struct Care {
    /// Why stages failed or were skipped, and which one was reached last.
    pub reasons: bool,
    /// The final status.
    pub status: bool,
    /// Sends and their cost.
    pub amounts: bool,
    /// How long after acceptance things happen.
    pub time: bool,
    /// How long after acceptance something has to be told from what is a moment sooner.
    pub ages: BTreeSet<Span>,
    /// What the clock shows.
    pub clock: bool,
    /// Whether a send is in doubt, also where nothing follows from that.
    pub doubt: bool,
    /// By which provider something is confirmed, also where nothing follows from that.
    pub providers: bool,
    /// These confirmations, also where nothing follows from them.
    pub confirmations: BTreeSet<Confirmation>,
    /// The facts at these places of the space, also once nothing asks for them any more.
    pub facts: BTreeSet<usize>,
}

/// What a visitor wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Go {
    /// To go on, with this mark; ways with different marks never become one.
    On(u64),
    /// To see no more of this way.
    Leave,
    /// To know the fact at this place of the space first: it is shown the same again, once for each
    /// choice.
    Ask(usize),
    /// To see nothing more at all.
    Stop,
}

/// Looks at every step of a walk.
pub trait Visitor {
    /// A step, reached by a shortest script. `mark` is what the visitor gave to the way before; 0 at
    /// its beginning.
    fn see(&mut self, seen: &Seen<'_>, mark: u64) -> Go;
}

/// A step of a walk.
pub struct Seen<'a> {
    /// When, since acceptance.
    pub after: Span,
    /// When.
    pub at: Instant,
    /// What happened.
    pub what: What,
    /// The instance before.
    pub before: &'a Instance,
    /// The instance after.
    pub instance: &'a Instance,
    /// What was written down, in order.
    pub transitions: &'a [Transition],
    /// Whether anything is still to come on this way.
    pub is_last: bool,
    /// How long its script is: answers, what comes later, and facts that are not ordinary.
    pub length: usize,
    assigned: &'a Assigned,
    space: &'a FactSpace,
    places: &'a Places,
    traces: &'a Traces,
    trace: TraceId,
}

impl Seen<'_> {
    /// How it came to this.
    #[must_use]
    pub fn witness(&self) -> Witness {
        let (at, scripts) = self.traces.told(self.trace);
        let at = at.unwrap_or(Witness::ORDINARY_AT);
        Witness { facts: self.assigned.facts.clone(), at, scripts }
    }

    /// What the fact at that place of the space is; `None` where it is not decided yet: ask for it by
    /// [`Go::Ask`].
    #[must_use]
    pub fn choice(&self, place: usize) -> Option<&Choice> {
        let choice = self.assigned.choice.get(place).filter(|choice| **choice != OPEN)?;
        self.space.questions().get(place)?.choices.get(usize::from(*choice))
    }

    /// Whether a comparison holds at that instance of the step; `Err` with the place of a fact that it
    /// asks for and that is not decided yet.
    ///
    /// # Errors
    /// The place to ask for by [`Go::Ask`].
    pub fn holds(&self, comparison: &Comparison, instance: &Instance) -> Result<bool, usize> {
        for operand in [&comparison.left, &comparison.right] {
            let place = operand_name(operand).and_then(|name| self.space.place(&name));
            if let Some(place) = place.filter(|place| self.choice(*place).is_none()) {
                return Err(place);
            }
        }
        let counters =
            Counters { elapsed: self.after, sends: instance.sends(), cost: instance.cost_micros() };
        Ok(self.assigned.truth(comparison, counters) == Truth::True)
    }

    /// Whether it is quiet hours; `Err` with the place of the person's zone where that is asked for and
    /// not decided yet.
    ///
    /// # Errors
    /// The place to ask for by [`Go::Ask`].
    pub fn is_quiet(&self, machine: &Machine) -> Result<bool, usize> {
        let zone = FactName::Contact(ContactField::Timezone.word().to_owned());
        let asks = machine
            .headers()
            .quiet
            .as_ref()
            .is_some_and(|quiet| matches!(quiet.window.zone, Zone::Contact { .. }));
        if let Some(place) = self.space.place(&zone).filter(|place| asks && self.choice(*place).is_none()) {
            return Err(place);
        }
        Ok(self.assigned.is_quiet(machine, self.at))
    }

    /// Whether anything may still be sent on this way, by that channel where one is named. `false` only
    /// where the stages that are left, their guards and the facts decided by now leave nothing.
    #[must_use]
    pub fn may_send(&self, machine: &Machine, channel: Option<Channel>) -> bool {
        may_send(machine, self.instance, self.places, self.assigned, channel)
    }

    /// The facts that are decided by now.
    #[must_use]
    pub fn facts(&self) -> &GivenFacts {
        &self.assigned.facts
    }
}

/// What came of a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walked {
    /// Whether everything was seen that the visitor did not leave.
    pub complete: bool,
    /// How many states were looked at.
    pub states: usize,
}

/// A walk over a machine.
pub struct Walk<'a> {
    machine: &'a Machine,
    space: &'a FactSpace,
    base: GivenFacts,
    catalog: &'a Catalog,
    scenario: Option<&'a Scenario<'a>>,
    care: Care,
    states_max: usize,
}

impl<'a> Walk<'a> {
    /// Over every choice of `space`.
    #[must_use]
    pub fn over(machine: &'a Machine, catalog: &'a Catalog, space: &'a FactSpace) -> Walk<'a> {
        let (base, care) = (GivenFacts::default(), Care::default());
        Walk { machine, space, base, catalog, scenario: None, care, states_max: STATES_MAX }
    }

    /// Over what providers may say in one scenario; `space` is [`FactSpace::fixed`] at its instant.
    #[must_use]
    pub fn of_scenario(scenario: &'a Scenario<'a>, space: &'a FactSpace) -> Walk<'a> {
        let (base, care) = (GivenFacts::default(), Care::default());
        let (machine, catalog) = (scenario.machine, &scenario.world.catalog);
        Walk { machine, space, base, catalog, scenario: Some(scenario), care, states_max: STATES_MAX }
    }

    /// With facts that hold throughout, beside those of the space.
    #[must_use]
    pub fn given(mut self, facts: GivenFacts) -> Walk<'a> {
        self.base = facts;
        self
    }

    /// Telling these things apart.
    #[must_use]
    pub fn caring(mut self, care: Care) -> Walk<'a> {
        self.care = care;
        self
    }

    /// Looking at so many states at most.
    #[must_use]
    pub fn states_max(mut self, most: usize) -> Walk<'a> {
        self.states_max = most;
        self
    }

    /// Goes.
    pub fn run(&self, visitor: &mut dyn Visitor) -> Walked {
        let places = Places::of(self.machine, self.space);
        let route = |id| match self.machine.channel(id) {
            Some(channel) => {
                let route = self.catalog.route(channel.channel, &channel.route);
                route.into_iter().map(|provider| provider.name).collect()
            }
            None => Vec::new(),
        };
        let routes: Vec<Vec<String>> = self.machine.ids().map(route).collect();
        let mut run = Running {
            walk: self,
            keys: Keys::of(self.machine, &places, &routes, &self.care),
            places,
            decisions: match self.scenario {
                Some(scenario) => Decisions::of_scenario(scenario, self.space),
                None => Decisions::new(self.machine, self.space, &self.base, self.catalog),
            },
            traces: Traces::default(),
            seen: HashSet::new(),
            todo: Vec::new(),
            routes: RefCell::new(HashMap::new()),
            names: HashMap::new(),
        };
        run.all(visitor)
    }
}

/// Something that is to be looked at.
struct Todo {
    state: Rc<State>,
    next: Move,
    assigned: Rc<Assigned>,
    trace: TraceId,
    mark: u64,
}

struct Running<'a> {
    walk: &'a Walk<'a>,
    keys: Keys,
    places: Places,
    decisions: Decisions<'a>,
    traces: Traces,
    seen: HashSet<Key>,
    /// By length.
    todo: Vec<VecDeque<Todo>>,
    routes: RefCell<HashMap<u16, Vec<crate::machine::facts::RouteProvider>>>,
    names: HashMap<String, Rc<str>>,
}

impl Running<'_> {
    fn all(&mut self, visitor: &mut dyn Visitor) -> Walked {
        for (place, at) in self.walk.space.instants().iter().enumerate() {
            let state = Rc::new(self.beginning(*at));
            let trace = self.traces.push(START, Step::At(*at));
            let assigned = self.decisions.none();
            let todo = Todo { state, next: Move::Accept, assigned, trace, mark: 0 };
            self.put(usize::from(place > 0), todo);
        }
        let mut length = 0;
        while length < self.todo.len() {
            while let Some(todo) = self.todo.get_mut(length).and_then(VecDeque::pop_front) {
                if self.seen.len() >= self.walk.states_max {
                    return Walked { complete: false, states: self.seen.len() };
                }
                if self.one(todo, length, visitor) == Go::Stop {
                    return Walked { complete: true, states: self.seen.len() };
                }
            }
            // What is behind is not needed again.
            if let Some(done) = self.todo.get_mut(length) {
                *done = VecDeque::new();
            }
            length += 1;
        }
        Walked { complete: true, states: self.seen.len() }
    }

    fn put(&mut self, length: usize, todo: Todo) {
        if self.todo.len() <= length {
            self.todo.resize_with(length + 1, VecDeque::new);
        }
        if let Some(of_length) = self.todo.get_mut(length) {
            of_length.push_back(todo);
        }
    }

    fn beginning(&self, at: Instant) -> State {
        let machine = self.walk.machine;
        let beginning = Beginning {
            policy: machine.name().to_owned(),
            accepted_at: at,
            start_at: at,
            expires_at: machine.headers().expires.map(|expires| at.plus(expires)),
            seed: 0,
        };
        State {
            instance: Instance::new(machine, beginning),
            now: at,
            unanswered: Vec::new(),
            waiting: Vec::new(),
            paused: Vec::new(),
            told: None,
        }
    }

    /// Does one step, and notes what can follow from it.
    fn one(&mut self, todo: Todo, length: usize, visitor: &mut dyn Visitor) -> Go {
        let machine = self.walk.machine;
        let Some((at, what)) = todo.next.what(&todo.state) else { return Go::Leave };
        let before = &todo.state;
        let mut paused = before.paused.clone();
        if let Move::Answer(Outcome::RateLimited) = todo.next
            && let Some(call) = before.unanswered.first()
        {
            paused.retain(|(name, _)| **name != *call.provider);
            paused.push((call.provider.to_string(), at.plus(LONG_PAUSE)));
            paused.sort();
        }
        let facts = OpenFacts {
            machine,
            places: &self.places,
            assigned: &todo.assigned,
            paused: &paused,
            at,
            asked: Cell::new(None),
            routes: &self.routes,
        };
        let (instance, effects) = step(machine, before.instance.clone(), Event { at, what, facts: &facts });
        if let Some(question) = facts.asked.get() {
            self.fork(&todo, question, length);
            return Go::Leave;
        }
        let mut state = State {
            instance,
            now: before.now.max(at),
            unanswered: before.unanswered.clone(),
            waiting: before.waiting.clone(),
            paused,
            told: None,
        };
        let trace = self.trace(&todo, &mut state);
        let mut transitions = Vec::new();
        for effect in effects {
            match effect {
                Effect::Call { stage, attempt, provider, .. } => {
                    if let Some(channel) = machine.channel(stage) {
                        let provider = Rc::clone(
                            self.names.entry(provider).or_insert_with_key(|name| Rc::from(name.as_str())),
                        );
                        let channel = channel.channel;
                        state.unanswered.push(Call { attempt, stage, provider, channel });
                    }
                }
                Effect::Transition(transition) => transitions.push(transition),
                // A simulated provider has no key and no look-up, and is never busy; nobody listens.
                Effect::CallAgain { .. } | Effect::LookUp { .. } | Effect::Queue { .. } | Effect::Tell(_) => {
                }
            }
        }
        state.forget(&self.keys, &self.walk.care);
        let moves = state.moves(machine, &self.keys, &self.walk.care);
        let seen = Seen {
            after: state.now.since(state.instance.accepted_at()),
            at: state.now,
            what,
            before: &before.instance,
            instance: &state.instance,
            transitions: &transitions,
            is_last: moves.is_empty(),
            length,
            assigned: &todo.assigned,
            space: self.walk.space,
            places: &self.places,
            traces: &self.traces,
            trace,
        };
        let mark = match visitor.see(&seen, todo.mark) {
            Go::On(mark) => mark,
            Go::Ask(question) if todo.assigned.choice.get(question) == Some(&OPEN) => {
                self.fork(&todo, question, length);
                return Go::Leave;
            }
            other => return other,
        };
        let beside = Beside {
            instance: &state.instance,
            now: state.now,
            unanswered: &state.unanswered,
            waiting: &state.waiting,
            paused: &state.paused,
            told: state.told,
        };
        if !self.seen.insert(self.keys.key(machine, &beside, &todo.assigned, mark)) {
            return Go::Leave;
        }
        let state = Rc::new(state);
        for next in moves {
            let (state, assigned) = (Rc::clone(&state), Rc::clone(&todo.assigned));
            self.put(length + next.length(), Todo { state, next, assigned, trace, mark });
        }
        Go::Leave
    }

    /// The same again, once for each choice of a fact.
    fn fork(&mut self, todo: &Todo, question: usize, length: usize) {
        let choices = self.walk.space.questions().get(question).map_or(0, |question| question.choices.len());
        for choice in 0..choices {
            let todo = Todo {
                state: Rc::clone(&todo.state),
                next: todo.next,
                assigned: self.decisions.with(&todo.assigned, question, choice),
                trace: todo.trace,
                mark: todo.mark,
            };
            self.put(length + usize::from(choice > 0), todo);
        }
    }

    /// Takes what was said out of what is still to be said, and writes it down.
    fn trace(&mut self, todo: &Todo, state: &mut State) -> TraceId {
        match todo.next {
            Move::Accept | Move::Due(_) => todo.trace,
            Move::Answer(outcome) => {
                let call = state.unanswered.remove(0);
                if matches!(outcome, Outcome::Accepted | Outcome::InDoubt) {
                    state.waiting.push(Waiting {
                        attempt: call.attempt,
                        stage: call.stage,
                        level: Confirmation::Accepted,
                        provider: Rc::clone(&call.provider),
                        answered_at: state.now,
                        confirms: self.confirms(&call),
                    });
                }
                let step = Step::Answer { attempt: call.attempt, provider: call.provider, outcome };
                self.traces.push(todo.trace, step)
            }
            Move::Later { waiting, level, .. } => {
                state.told = Some(Told { fails: level.is_none(), place: waiting });
                let Some(sent) = state.waiting.get_mut(waiting) else { return todo.trace };
                let after = state.now.since(sent.answered_at);
                let attempt = sent.attempt;
                sent.level = level.unwrap_or(sent.level);
                self.traces.push(todo.trace, Step::Later { attempt, level, after })
            }
        }
    }

    fn confirms(&self, call: &Call) -> Rc<[Confirmation]> {
        let told = self.walk.catalog.providers.iter().flatten().find(|known| *known.name == *call.provider);
        let told = told.map(|provider| provider.confirmations(call.channel));
        told.unwrap_or_else(|| call.channel.default_confirmations().to_vec()).into()
    }
}
