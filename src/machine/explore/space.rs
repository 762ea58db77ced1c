//! The facts that a machine asks about, and of each the choices that can make a difference.

use std::collections::BTreeSet;

use crate::language::condition::{Comparison, Op, Operand, Word};
use crate::language::facts_text::GivenFacts;
use crate::language::policy::Wait;
use crate::language::words::listed;
use crate::machine::bounds::bounds;
use crate::machine::catalog::Catalog;
use crate::machine::known::Value;
use crate::machine::plan::{Guard, Kind, Machine, StageId, Tree};
use crate::machine::simulate::DEFAULT_CATEGORY;
use crate::model::{Channel, ContactField, Instant, Priority, Span, Window, Zone};

use super::instants;
use super::key::compared_age;
use super::values::Pool;
use super::witness::Witness;

/// Zones that stand for all others, far enough from each other that windows come apart.
const ZONES: [&str; 2] = ["Asia/Tokyo", "America/Los_Angeles"];
/// A zone whose clock is changed, for a contact's where nothing else tells it from others.
const ABROAD: &str = "Europe/Paris";
/// Numbers that a name is given where it is compared with `sends`.
const SENDS_MAX: u32 = 12;

/// A fact that can be given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactName {
    /// `vars.NAME`.
    Var(String),
    /// `contact.NAME`, field or attribute.
    Contact(String),
    /// `contact.has.CHANNEL`.
    Has(Channel),
    /// `opted_out.CHANNEL`.
    OptedOut(Channel),
    /// `quota.CHANNEL`.
    Quota(Channel),
    /// `breaker.PROVIDER`.
    Breaker(String),
    /// `priority`.
    Priority,
    /// `category`.
    Category,
}

impl FactName {
    /// The fact behind a name in a comparison; none of what is no fact.
    #[must_use]
    pub fn of(operand: &Operand) -> Option<FactName> {
        operand_name(operand)
    }
}

/// What a fact can be.
#[derive(Debug, Clone, PartialEq)]
pub enum Choice {
    /// Not given: a value is missing; an address is there, nothing used up, open or opted out.
    Ordinary,
    /// A value is given.
    Value(Value),
    /// The address is missing, the quota used up, the breaker open, or the person has opted out.
    Otherwise,
}

/// A fact with what it can be, the most ordinary first; never empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// Which fact.
    pub name: FactName,
    /// What can make a difference.
    pub choices: Vec<Choice>,
}

/// Every choice of facts that can make a difference to a machine.
#[derive(Debug, Clone, PartialEq)]
pub struct FactSpace {
    questions: Vec<Question>,
    instants: Vec<Instant>,
    gaps: Vec<String>,
}

impl FactSpace {
    /// The facts that `machine` asks about, for the providers of `catalog`.
    #[must_use]
    pub fn of(machine: &Machine, catalog: &Catalog) -> FactSpace {
        FactSpace::with(machine, catalog, &[])
    }

    /// The same with the names of further comparisons.
    #[must_use]
    pub fn with(machine: &Machine, catalog: &Catalog, more: &[Comparison]) -> FactSpace {
        let mut space = FactSpace::questions_of(machine, catalog, more);
        let compared = machine.comparisons.iter().chain(more);
        let ages = compared.filter_map(compared_age).collect();
        let zones = zones_of(machine);
        let abroad = (asks_contact(&zones) && zones.len() == 1).then_some(ABROAD);
        let (instants, whole) = instants::of(machine, catalog, abroad, &ages);
        space.instants = instants;
        if !whole {
            space.gap("only some instants of acceptance were looked at");
        }
        space
    }

    /// The questions alone, for messages that are accepted on an ordinary day.
    fn questions_of(machine: &Machine, catalog: &Catalog, more: &[Comparison]) -> FactSpace {
        let mut space = FactSpace::default();
        let comparisons: Vec<&Comparison> = machine.comparisons.iter().chain(more).collect();
        let mut names: Vec<Operand> = Vec::new();
        for operand in comparisons.iter().flat_map(|comparison| [&comparison.left, &comparison.right]) {
            let is_name = operand_name(operand).is_some();
            if is_name && !names.contains(operand) {
                names.push(operand.clone());
            }
        }
        let zones = zones_of(machine);
        let asks_zone = asks_contact(&zones);
        let timezone = Operand::Contact(ContactField::Timezone);
        if asks_zone && !names.contains(&timezone) {
            names.push(timezone.clone());
        }
        let pools: Vec<Pool> = names.iter().map(|name| pool(name, &comparisons)).collect();
        for (place, name) in names.iter().enumerate() {
            let about: Vec<&Comparison> =
                comparisons.iter().filter(|c| c.left == *name || c.right == *name).copied().collect();
            let mut own = pool(name, &comparisons);
            for (other, pool) in
                names.iter().zip(&pools).enumerate().filter(|(at, _)| *at != place).map(|(_, o)| o)
            {
                if about.iter().any(|c| c.left == *other || c.right == *other) {
                    own.join(pool);
                }
            }
            space.add_running(machine, catalog, name, &about, &mut own);
            // On one clock alone another zone is the same as another instant, but for the changes of the clock.
            if *name == timezone && asks_zone && zones.len() == 1 {
                own.extend([Value::String(ABROAD.to_owned())]);
                own.is_loose = true;
            }
            if *name == timezone && asks_zone && zones.len() > 1 {
                own.extend(ZONES.iter().map(|zone| Value::String((*zone).to_owned())));
                own.is_loose = true;
                let zones = listed(ZONES, "and");
                space.gap(&format!("contacts in zones other than {zones} were not looked at"));
            }
            space.add_name(machine, name, &about, own);
        }
        space.add_channels(machine, catalog);
        space
    }

    /// The facts that at least one of two machines asks about.
    #[must_use]
    pub fn both(one: &Machine, other: &Machine, catalog: &Catalog) -> FactSpace {
        let mut space = FactSpace::with(one, catalog, &other.comparisons);
        let more = FactSpace::with(other, catalog, &one.comparisons);
        for question in more.questions {
            match space.questions.iter_mut().find(|known| known.name == question.name) {
                Some(known) => {
                    let fresh: Vec<_> = question
                        .choices
                        .into_iter()
                        .filter(|choice| !known.choices.contains(choice))
                        .collect();
                    known.choices.extend(fresh);
                }
                None => space.questions.push(question),
            }
        }
        for at in more.instants {
            if !space.instants.contains(&at) {
                space.instants.push(at);
            }
        }
        more.gaps.iter().for_each(|gap| space.gap(gap));
        space
    }

    /// No question is open: everything is as these facts say.
    #[must_use]
    pub fn fixed(at: Instant) -> FactSpace {
        FactSpace { questions: Vec::new(), instants: vec![at], gaps: Vec::new() }
    }

    /// The facts that can make a difference.
    #[must_use]
    pub fn questions(&self) -> &[Question] {
        &self.questions
    }

    /// The instants of acceptance that can make a difference, the ordinary one first.
    #[must_use]
    pub fn instants(&self) -> &[Instant] {
        &self.instants
    }

    /// What guards ask for, on an ordinary day: addresses, consents, quotas, breakers and the zone of a contact are
    /// as they should be, where none does.
    #[must_use]
    pub fn of_guards(machine: &Machine, catalog: &Catalog) -> FactSpace {
        let mut space = FactSpace::questions_of(machine, catalog, &[]);
        let mut asked: BTreeSet<FactName> = BTreeSet::new();
        let mut has = BTreeSet::new();
        guards(machine).for_each(|guard| addresses(&guard.tree, &mut has));
        asked.extend(has.into_iter().map(FactName::Has));
        let mut asks_breakers = false;
        for (id, stage) in machine.channel_stages() {
            let stage_of = machine.stage(id);
            for guard in [&stage_of.only_if, &stage_of.unless].into_iter().flatten() {
                asked.extend(guard.tree.has_word(Word::Quota).then_some(FactName::Quota(stage.channel)));
                asked
                    .extend(guard.tree.has_word(Word::OptedOut).then_some(FactName::OptedOut(stage.channel)));
                asks_breakers |= guard.tree.has_word(Word::Tripped);
            }
        }
        let timezone = Operand::Contact(ContactField::Timezone);
        let asks_zone = machine.comparisons.iter().any(|c| c.left == timezone || c.right == timezone);
        space.questions.retain(|question| match &question.name {
            FactName::Breaker(_) => asks_breakers,
            name @ (FactName::Has(_) | FactName::OptedOut(_) | FactName::Quota(_)) => asked.contains(name),
            name => asks_zone || operand_name(&timezone).as_ref() != Some(name),
        });
        space
    }

    /// Why these are not all choices that can make a difference; empty where they are.
    #[must_use]
    pub fn gaps(&self) -> &[String] {
        &self.gaps
    }

    /// The place of a fact among the questions.
    #[must_use]
    pub fn place(&self, name: &FactName) -> Option<usize> {
        self.questions.iter().position(|question| question.name == *name)
    }

    /// The facts of one choice for each question, by place; those behind the end are ordinary.
    #[must_use]
    pub fn facts(&self, choice: &[usize]) -> GivenFacts {
        let mut facts = GivenFacts::default();
        for (question, choice) in self.questions.iter().zip(choice) {
            if let Some(choice) = question.choices.get(*choice) {
                give(&mut facts, &question.name, choice);
            }
        }
        facts
    }

    /// Every choice with every instant, the most ordinary first, at most `most` of them; and whether
    /// that is all.
    #[must_use]
    pub fn choices(&self, most: usize) -> (Vec<(GivenFacts, Instant)>, bool) {
        let mut all = Vec::new();
        let mut chosen: Vec<Vec<usize>> = vec![vec![0; self.questions.len()]];
        // Those that differ from the ordinary in one fact, in two, and so on.
        let mut whole = true;
        while !chosen.is_empty() && all.len() < most {
            let mut next = Vec::new();
            for choice in &chosen {
                let room = most.saturating_sub(all.len());
                whole &= room >= self.instants.len();
                let facts = self.facts(choice);
                all.extend(self.instants.iter().take(room).map(|at| (facts.clone(), *at)));
                let from = choice.iter().rposition(|c| *c > 0).map_or(0, |last| last + 1);
                for (place, question) in self.questions.iter().enumerate().skip(from) {
                    for other in 1..question.choices.len() {
                        if next.len() > most {
                            break;
                        }
                        let mut choice = choice.clone();
                        choice[place] = other;
                        next.push(choice);
                    }
                }
            }
            chosen = next;
        }
        (all, whole && chosen.is_empty() && self.gaps.is_empty())
    }

    fn gap(&mut self, why: &str) {
        if !self.gaps.iter().any(|gap| gap == why) {
            self.gaps.push(why.to_owned());
        }
    }

    /// A name that is compared with what changes during a run: values around what that can be.
    fn add_running(
        &mut self,
        machine: &Machine,
        catalog: &Catalog,
        name: &Operand,
        about: &[&Comparison],
        pool: &mut Pool,
    ) {
        let against = |what: &Operand| about.iter().any(|c| c.left == *what || c.right == *what);
        if against(&Operand::Sends) {
            let most = bounds(machine, catalog).sends_max;
            pool.extend((0..=most.min(SENDS_MAX) + 1).map(|n| Value::Number(f64::from(n))));
            if most > SENDS_MAX {
                self.gap("a value compared with `sends` was not given every number");
            }
        }
        if against(&Operand::Elapsed) {
            let clocks = instants::clocks(machine);
            let around = clocks.iter().flat_map(|span| [span.ms() - 1, span.ms(), span.ms() + 1]);
            pool.extend(around.map(|ms| Value::String(Span::from_ms(ms).to_string())));
            self.gap(&format!("`{}`, compared with `elapsed`, was not given every value", shown(name)));
        }
        if against(&Operand::Cost) {
            pool.extend([0.0, 0.01, 0.1, 1.0, 1_000.0].map(Value::Number));
            self.gap(&format!("`{}`, compared with `cost`, was not given every value", shown(name)));
        }
    }

    fn add_name(&mut self, machine: &Machine, name: &Operand, about: &[&Comparison], pool: Pool) {
        let Some(fact) = operand_name(name) else { return };
        let declared = match name {
            Operand::Var(var) => machine.headers().vars.as_ref().and_then(|vars| vars.get(var)),
            _ => None,
        };
        let (mut values, whole) = pool.into_values(name, about, declared.map(|declared| declared.kind));
        if !whole {
            self.gap(&format!("`{}` was not given every value", shown(name)));
        }
        let mut choices = Vec::new();
        match name {
            Operand::Priority => {
                let ordinary = Value::String(Priority::Normal.word().to_owned());
                // What comes out as for the ordinary is the ordinary.
                choices.push(Choice::Ordinary);
                let same = truths(about, name, &ordinary);
                values.retain(|value| truths(about, name, value) != same);
            }
            Operand::Category => {
                if machine.headers().category.is_some() {
                    return;
                }
                choices.push(Choice::Ordinary);
                let same = truths(about, name, &Value::String(DEFAULT_CATEGORY.to_owned()));
                values.retain(|value| {
                    truths(about, name, value) != same && *value != Value::String(String::new())
                });
            }
            // A contact's fields are texts.
            Operand::Contact(_) => {
                choices.push(Choice::Ordinary);
                values.retain(|value| matches!(value, Value::String(_)));
            }
            _ if declared.is_some_and(|declared| !declared.optional) => {}
            _ => choices.push(Choice::Ordinary),
        }
        choices.extend(values.into_iter().map(Choice::Value));
        if choices.len() > 1 || !matches!(choices.first(), Some(Choice::Ordinary) | None) {
            self.questions.push(Question { name: fact, choices });
        }
    }

    fn add_channels(&mut self, machine: &Machine, catalog: &Catalog) {
        let (mut channels, mut has, mut providers) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        for (_, stage) in machine.channel_stages() {
            channels.insert(stage.channel);
            for provider in catalog.route(stage.channel, &stage.route) {
                if !providers.contains(&provider.name) {
                    providers.push(provider.name);
                }
            }
        }
        guards(machine).for_each(|guard| addresses(&guard.tree, &mut has));
        has.extend(&channels);
        let mut add = |name: FactName| {
            self.questions.push(Question { name, choices: vec![Choice::Ordinary, Choice::Otherwise] });
        };
        has.into_iter().map(FactName::Has).for_each(&mut add);
        channels.iter().copied().map(FactName::OptedOut).for_each(&mut add);
        channels.into_iter().map(FactName::Quota).for_each(&mut add);
        providers.into_iter().map(FactName::Breaker).for_each(&mut add);
    }
}

fn truths(about: &[&Comparison], name: &Operand, value: &Value) -> Vec<Option<bool>> {
    use crate::machine::facts::{Counters, Truth};
    let counters = Counters { elapsed: Span::ZERO, sends: 0, cost: 0 };
    let truth = |comparison: &&Comparison| {
        let value = |operand: &Operand| (operand == name).then(|| value.clone());
        match crate::machine::known::evaluate(comparison, counters, &value) {
            Truth::True => Some(true),
            Truth::False => Some(false),
            Truth::Missing => None,
        }
    };
    about.iter().map(truth).collect()
}

/// Says in `facts` what a choice says.
pub(super) fn give(facts: &mut GivenFacts, name: &FactName, choice: &Choice) {
    match (name, choice) {
        (_, Choice::Ordinary) => {}
        (FactName::Var(var), Choice::Value(value)) => _ = facts.vars.insert(var.clone(), value.clone()),
        (FactName::Contact(field), Choice::Value(value)) => {
            facts.contact.insert(field.clone(), value.clone());
        }
        (FactName::Priority, Choice::Value(Value::String(word))) => facts.priority = word.parse().ok(),
        (FactName::Category, Choice::Value(Value::String(word))) => facts.category = Some(word.clone()),
        (FactName::Has(channel), _) => _ = facts.has_address.insert(*channel, false),
        (FactName::OptedOut(channel), _) => _ = facts.opted_out.insert(*channel),
        (FactName::Quota(channel), _) => _ = facts.quota_used.insert(*channel),
        (FactName::Breaker(provider), _) => _ = facts.breaker_open.insert(provider.clone()),
        (FactName::Var(_) | FactName::Contact(_), Choice::Otherwise)
        | (FactName::Priority | FactName::Category, Choice::Otherwise | Choice::Value(_)) => {}
    }
}

/// The fact behind a name in a comparison.
pub(super) fn operand_name(operand: &Operand) -> Option<FactName> {
    Some(match operand {
        Operand::Var(name) => FactName::Var(name.clone()),
        Operand::Contact(field) => FactName::Contact(field.word().to_owned()),
        Operand::Attribute(name) => FactName::Contact(name.clone()),
        Operand::Priority => FactName::Priority,
        Operand::Category => FactName::Category,
        Operand::Elapsed | Operand::Sends | Operand::Cost | Operand::Literal(_) => return None,
    })
}

fn shown(operand: &Operand) -> String {
    match operand_name(operand) {
        Some(FactName::Var(name)) => format!("vars.{name}"),
        Some(FactName::Contact(name)) => format!("contact.{name}"),
        Some(FactName::Priority) => "priority".to_owned(),
        _ => "category".to_owned(),
    }
}

fn pool(name: &Operand, comparisons: &[&Comparison]) -> Pool {
    let mut pool = Pool::default();
    for comparison in comparisons {
        // A name that a list of another name may hold takes that list's values.
        if comparison.left == *name || comparison.right == *name {
            pool.take(comparison, name);
        }
        if comparison.op == Op::Has && comparison.right == *name {
            pool.is_loose = true;
        }
    }
    pool
}

/// Every guard of a machine, that of its quiet hours among them.
pub(super) fn guards(machine: &Machine) -> impl Iterator<Item = &Guard> {
    let of_stages = machine.ids().flat_map(|id| {
        let stage = machine.stage(id);
        [stage.only_if.as_ref(), stage.unless.as_ref()].into_iter().flatten()
    });
    of_stages.chain(machine.quiet_unless.as_ref())
}

fn addresses(tree: &Tree, out: &mut BTreeSet<Channel>) {
    match tree {
        Tree::And(parts) | Tree::Or(parts) => parts.iter().for_each(|part| addresses(part, out)),
        Tree::Not(part) => addresses(part, out),
        Tree::HasAddress(channel) => _ = out.insert(*channel),
        Tree::Word(_) | Tree::Compare(_) => {}
    }
}

/// The windows of a machine, with the stage that each one holds; `None` for the quiet hours.
pub(super) fn windows(machine: &Machine) -> Vec<(Option<StageId>, &Window)> {
    let quiet = machine.headers().quiet.as_ref().map(|quiet| (None, &quiet.window));
    let between = machine.ids().filter_map(|id| Some((Some(id), machine.stage(id).between.as_ref()?)));
    quiet.into_iter().chain(between).collect()
}

/// Whether a clock is that of a contact.
fn asks_contact(zones: &[Zone]) -> bool {
    zones.iter().any(|zone| matches!(zone, Zone::Contact { .. }))
}

/// The clocks that a machine reads, each once.
fn zones_of(machine: &Machine) -> Vec<Zone> {
    let mut zones: Vec<Zone> = windows(machine).into_iter().map(|(_, window)| window.zone.clone()).collect();
    for id in machine.ids() {
        if let Kind::Wait(Wait::Until { zone, .. }) = &machine.stage(id).kind {
            zones.push(zone.clone());
        }
    }
    zones.sort_by_key(|zone| zone.to_string());
    zones.dedup();
    zones
}

impl Default for FactSpace {
    fn default() -> FactSpace {
        FactSpace::fixed(Witness::ORDINARY_AT)
    }
}
