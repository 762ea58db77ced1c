//! The simulator: `step` under a virtual clock, with scripts for providers.

mod timeline;

use std::collections::BTreeMap;

use crate::language::facts_text::GivenFacts;
use crate::language::script::{LaterWhat, Scripts};
use crate::model::{Channel, Confirmation, ContactField, Instant, Outcome, Priority, Span};

use super::catalog::{Catalog, SimulatedWorld};
use super::effect::{Effect, Moved, Transition};
use super::event::{Event, What};
use super::facts::Facts;
use super::instance::Instance;
use super::known::{FactsAt, Known, Person, Value};
use super::plan::Machine;
use super::step::{Beginning, next_due, step};

pub use timeline::{End, EndReason, Entry, Timeline};

/// What is simulated.
#[derive(Debug, Clone)]
pub struct Scenario<'a> {
    /// The policy.
    pub machine: &'a Machine,
    /// The message and its person.
    pub known: Known,
    /// The providers, and what the facts take away.
    pub world: SimulatedWorld,
    /// When the request is accepted.
    pub at: Instant,
}

impl<'a> Scenario<'a> {
    /// A scenario of what somebody says about the world; all else is ordinary.
    #[must_use]
    pub fn given(machine: &'a Machine, facts: &GivenFacts, catalog: Catalog, at: Instant) -> Self {
        let mut person = Person::default();
        for (name, value) in &facts.contact {
            match (name.parse::<ContactField>(), value) {
                (Ok(field), Value::String(text)) => _ = person.fields.insert(field, text.clone()),
                (Ok(_), _) => {}
                (Err(_), value) => _ = person.attributes.insert(name.clone(), value.clone()),
            }
        }
        let category = facts.category.clone().or_else(|| machine.headers().category.clone());
        let known = Known {
            vars: facts.vars.clone(),
            person,
            priority: facts.priority.unwrap_or(Priority::Normal),
            category: category.unwrap_or_else(|| DEFAULT_CATEGORY.to_owned()),
            zone: catalog.zone.clone().unwrap_or_else(|| "UTC".to_owned()),
        };
        let missing = facts.has_address.iter().filter(|(_, has)| !**has).map(|(channel, _)| *channel);
        let world = SimulatedWorld {
            no_address: missing.collect(),
            opted_out: facts.opted_out.clone(),
            quota_used: facts.quota_used.clone(),
            open: facts.breaker_open.clone(),
            paused: BTreeMap::new(),
            catalog,
        };
        Scenario { machine, known, world, at }
    }
}

/// The category of a message of which neither its policy nor its template says one.
pub const DEFAULT_CATEGORY: &str = "transactional";

/// Something that a provider will say.
#[derive(Debug, Clone, Copy)]
struct Coming {
    at: Instant,
    /// When that became certain: what is said at the same instant comes after the timers of it.
    since: Instant,
    what: What,
}

/// A run under way.
#[derive(Debug, Clone)]
struct Simulation<'a> {
    scenario: &'a Scenario<'a>,
    world: SimulatedWorld,
    instance: Instance,
    now: Instant,
    coming: Vec<Coming>,
    timeline: Vec<Entry>,
    /// The attempts: number, provider, channel.
    called: Vec<(u32, String, Channel)>,
    /// Everything that was put on record, where somebody asks for it.
    record: Option<Vec<Transition>>,
}

/// The calls of one step that nothing has been said about yet.
type Calls = Vec<(u32, String, Channel)>;

impl<'a> Simulation<'a> {
    fn new(scenario: &'a Scenario<'a>) -> Self {
        let expires = scenario.machine.headers().expires;
        let beginning = Beginning {
            policy: scenario.machine.name().to_owned(),
            accepted_at: scenario.at,
            start_at: scenario.at,
            expires_at: expires.map(|expires| scenario.at.plus(expires)),
            seed: 0,
        };
        Simulation {
            scenario,
            world: scenario.world.clone(),
            instance: Instance::new(scenario.machine, beginning),
            now: scenario.at,
            coming: Vec::new(),
            timeline: Vec::new(),
            called: Vec::new(),
            record: None,
        }
    }

    /// Whether it is quiet hours now.
    fn is_quiet(&self) -> bool {
        let (machine, known, at) = (self.scenario.machine, &self.scenario.known, self.now);
        FactsAt { machine, at, known, world: &self.world }.quiet()
    }

    fn take(&mut self, what: What) -> Calls {
        if let What::Answered { attempt, outcome: Outcome::RateLimited, retry_after } = what
            && let Some((_, provider, _)) = self.called.iter().find(|(number, ..)| *number == attempt)
        {
            let until = self.now.plus(retry_after.unwrap_or(Span::from_s(1)));
            self.world.paused.insert(provider.clone(), until);
        }
        let (machine, known, at) = (self.scenario.machine, &self.scenario.known, self.now);
        let facts = FactsAt { machine, at, known, world: &self.world };
        let ended = self.instance.ended().is_some();
        let (instance, effects) =
            step(machine, self.instance.clone(), Event { at: self.now, what, facts: &facts });
        self.instance = instance;
        let mut calls = Vec::new();
        for effect in effects {
            match effect {
                Effect::Call { stage, attempt, provider, .. } => {
                    if let Some(channel) = self.scenario.machine.channel(stage) {
                        self.called.push((attempt, provider.clone(), channel.channel));
                        calls.push((attempt, provider, channel.channel));
                    }
                }
                Effect::Transition(transition) => {
                    let at_ms = self.now.since(self.scenario.at).ms();
                    // After the end only what providers say is shown.
                    let shown = Entry::of(&transition, at_ms);
                    self.timeline.extend(shown.filter(|entry| !ended || entry.is_said()));
                    if let Some(record) = &mut self.record {
                        record.push(transition);
                    }
                }
                // A simulated provider has no key and no look-up, and is never busy; nobody listens.
                Effect::CallAgain { .. } | Effect::LookUp { .. } | Effect::Queue { .. } | Effect::Tell(_) => {
                }
            }
        }
        calls
    }

    /// When something happens next, and whether that is a timer.
    fn next(&self) -> Option<(Instant, bool)> {
        let said = self.coming.iter().map(|coming| coming.at).min();
        let due = next_due(self.scenario.machine, &self.instance).map(|at| at.max(self.now));
        match (said, due) {
            (None, None) => None,
            (Some(said), None) => Some((said, false)),
            (None, Some(due)) => Some((due, true)),
            (Some(said), Some(due)) => Some((said.min(due), due < said)),
        }
    }

    /// Takes out what is said at the present instant: what was certain before it, failures last, or all
    /// of it in its order.
    fn said_now(&mut self, immediate: bool) -> Option<What> {
        let now = self.now;
        let ready = |coming: &Coming| coming.at <= now && (immediate || coming.since < now);
        let said = self.coming.iter().enumerate().filter(|(_, coming)| ready(coming));
        let (first, _) = said.min_by_key(|(_, coming)| !immediate && coming.what.fails())?;
        Some(self.coming.remove(first).what)
    }

    fn finish(self) -> Timeline {
        let currency = self.scenario.world.catalog.currency();
        Timeline::of(self.scenario.machine, &self.instance, self.scenario.at, self.timeline, currency)
    }
}

/// Runs a policy under scripts. It comes to an end: the machine is acyclic and every wait has a limit.
#[must_use]
pub fn simulate(scenario: &Scenario<'_>, scripts: &Scripts) -> Timeline {
    simulate_watched(scenario, scripts, &mut |_, _, _| {})
}

/// The same, and shows the instance before and after each step.
pub fn simulate_watched(
    scenario: &Scenario<'_>,
    scripts: &Scripts,
    watch: &mut dyn FnMut(&Instance, &Instance, bool),
) -> Timeline {
    play(Simulation::new(scenario), scripts, watch).finish()
}

/// Runs a policy under scripts, and gives what was put on record beside what is shown: which of two stages on one
/// channel an entry is about, and that a stage was reached, no timeline says.
#[must_use]
pub fn simulate_recorded(scenario: &Scenario<'_>, scripts: &Scripts) -> (Timeline, Vec<Transition>) {
    let run = Simulation { record: Some(Vec::new()), ..Simulation::new(scenario) };
    let mut run = play(run, scripts, &mut |_, _, _| {});
    let record = run.record.take().unwrap_or_default();
    (run.finish(), record)
}

fn play<'a>(
    mut run: Simulation<'a>,
    scripts: &Scripts,
    watch: &mut dyn FnMut(&Instance, &Instance, bool),
) -> Simulation<'a> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut answer = |run: &mut Simulation<'_>, calls: Calls| {
        for (attempt, provider, channel) in calls {
            run.script(scripts, &mut counts, attempt, &provider, channel);
        }
    };
    let mut take = |run: &mut Simulation<'_>, what: What| {
        let before = run.instance.clone();
        let calls = run.take(what);
        watch(&before, &run.instance, run.is_quiet());
        calls
    };
    let calls = take(&mut run, What::Accepted);
    answer(&mut run, calls);
    while let Some((at, _)) = run.next() {
        if run.instance.ended().is_some() && at > run.now {
            break;
        }
        run.now = run.now.max(at);
        // Answers and receipts, those that fail a stage last, then timers, then answers that take no time.
        let due = next_due(run.scenario.machine, &run.instance).is_some_and(|due| due <= run.now);
        let what = match run.said_now(false) {
            Some(what) => what,
            None if due => What::Due,
            None => match run.said_now(true) {
                Some(what) => what,
                None => break,
            },
        };
        let calls = take(&mut run, what);
        answer(&mut run, calls);
    }
    run
}

impl Simulation<'_> {
    /// Puts what the script says of this attempt into the future.
    fn script(
        &mut self,
        scripts: &Scripts,
        counts: &mut BTreeMap<String, usize>,
        attempt: u32,
        provider: &str,
        channel: Channel,
    ) {
        let (now, since) = (self.now, self.now);
        let Some((key, script)) = scripts.of(provider, channel) else {
            self.default_script(attempt, provider, channel);
            return;
        };
        let count = counts.entry(key.to_owned()).or_default();
        let step = script.attempt(*count);
        *count += 1;
        let answered = now.plus(step.answer_after);
        let (outcome, retry_after) = (step.outcome, step.rate_limited_for);
        self.coming.push(Coming {
            at: answered,
            since,
            what: What::Answered { attempt, outcome, retry_after },
        });
        for later in &step.then {
            let at = answered.plus(later.after);
            let what = match &later.what {
                LaterWhat::Confirmed(level, _) => What::Confirmed { attempt, level: *level },
                LaterWhat::Failed => What::FailedLater { attempt, fault: None },
            };
            self.coming.push(Coming { at, since, what });
        }
    }

    /// `accepted, delivered after 1s`, or `accepted` where the provider cannot confirm delivery.
    fn default_script(&mut self, attempt: u32, provider: &str, channel: Channel) {
        let (now, since) = (self.now, self.now);
        let accepted = What::Answered { attempt, outcome: Outcome::Accepted, retry_after: None };
        self.coming.push(Coming { at: now, since, what: accepted });
        let confirms = |confirms: &[Confirmation]| confirms.contains(&Confirmation::Delivered);
        let told = self.world.catalog.providers.iter().flatten().find(|known| known.name == provider);
        let can = match told.and_then(|known| known.confirms.get(&channel)) {
            Some(told) => confirms(told),
            None => confirms(channel.default_confirmations()),
        };
        if can {
            let level = Confirmation::Delivered;
            let at = now.plus(Span::from_s(1));
            self.coming.push(Coming { at, since, what: What::Confirmed { attempt, level } });
        }
    }
}

impl Entry {
    fn is_said(&self) -> bool {
        matches!(self.what, "accepted" | "in_doubt" | "delivered" | "read" | "replied")
    }
}

/// The channel of a transition about a stage.
fn channel_of(moved: Moved) -> Option<Channel> {
    match moved {
        Moved::Stage { channel, .. } => Some(channel),
        Moved::Message { .. } => None,
    }
}
