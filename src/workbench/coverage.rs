//! What of a policy its tests come by: states, edges, and both ways of each guard.
//!
//! What counts is what can be come by at all, which a walk over all outcomes and all facts finds. What
//! that walk proves to be out of reach counts for nothing; where it had to give up, it proves nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::language::policy::TextRange;
use crate::language::{Diagnostic, Policy, Severity};
use crate::machine::catalog::Catalog;
use crate::machine::explore::{Care, FactSpace, Go, Part, Parts, Seen, Visitor, Walk};
use crate::machine::{Machine, Node, StageId, Way, Witness};

use super::places::{StagePlace, stage_places};

/// States that a walk for coverage looks at.
pub const STATES_MAX: usize = 400_000;

/// What can be come by, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Reach {
    /// Each part with a shortest way to it.
    pub ways: BTreeMap<Part, Witness>,
    /// Whether everything else is proven to be out of reach.
    pub complete: bool,
    /// Why it is not.
    pub gaps: Vec<String>,
}

struct Finds<'a> {
    parts: &'a Parts<'a>,
    ways: BTreeMap<Part, Witness>,
    step: BTreeSet<Part>,
}

impl Visitor for Finds<'_> {
    fn see(&mut self, seen: &Seen<'_>, _: u64) -> Go {
        self.step.clear();
        let is_quiet = match seen.is_quiet(self.parts.machine()) {
            Ok(is_quiet) => is_quiet,
            Err(question) => return Go::Ask(question),
        };
        self.parts.came_by(seen.before, seen.instance, is_quiet, &mut self.step);
        for part in &self.step {
            self.ways.entry(*part).or_insert_with(|| seen.witness());
        }
        if self.ways.len() == self.parts.all().len() { Go::Stop } else { Go::On(0) }
    }
}

/// Finds what can be come by, looking at so many states at most.
#[must_use]
pub fn reach(machine: &Machine, catalog: &Catalog, states_max: usize) -> Reach {
    let parts = Parts::of(machine);
    let space = FactSpace::of(machine, catalog);
    let mut finds = Finds { parts: &parts, ways: BTreeMap::new(), step: BTreeSet::new() };
    let walk = Walk::over(machine, catalog, &space).caring(Care::default()).states_max(states_max);
    let walked = walk.run(&mut finds);
    let all = finds.ways.len() == parts.all().len();
    let mut gaps = space.gaps().to_vec();
    if !walked.complete {
        gaps.push(format!("it has more than {states_max} states"));
    }
    Reach { ways: finds.ways, complete: all || gaps.is_empty(), gaps: if all { Vec::new() } else { gaps } }
}

/// How much of some parts is covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Share {
    /// Those that were come by.
    pub covered: usize,
    /// Those that can be.
    pub total: usize,
}

impl Share {
    /// In percent, rounded down; of nothing, everything is covered.
    #[must_use]
    pub fn percent(self) -> usize {
        (self.covered * 100).checked_div(self.total).unwrap_or(100)
    }

    fn count(&mut self, covered: bool) {
        self.covered += usize::from(covered);
        self.total += 1;
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Share) -> Share {
        Share { covered: self.covered + other.covered, total: self.total + other.total }
    }
}

/// The coverage of one policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Coverage {
    /// Of the states.
    pub states: Share,
    /// Of the edges.
    pub edges: Share,
    /// Of what guards decide.
    pub guards: Share,
    /// What can be come by and was not, in the order of the text.
    pub missing: Vec<Missing>,
    /// How much was proven to be out of reach.
    pub out_of_reach: usize,
    /// Why it is not known whether the rest is out of reach; empty where it is known.
    pub gaps: Vec<String>,
}

/// A part that was not come by.
#[derive(Debug, Clone, PartialEq)]
pub struct Missing {
    /// Which.
    pub part: Part,
    /// Where it stands, and what was never seen.
    pub diagnostic: Diagnostic,
    /// How to come by it, where that is known.
    pub witness: Option<Witness>,
    /// Whether it goes without saying, since the stage's turn was never come by.
    pub follows: bool,
}

impl Coverage {
    /// Of everything.
    #[must_use]
    pub fn all(&self) -> Share {
        self.states.plus(self.edges).plus(self.guards)
    }

    /// What `covered` comes to, of a policy and its machine.
    #[must_use]
    pub fn of(policy: &Policy, machine: &Machine, covered: &BTreeSet<Part>, reach: &Reach) -> Coverage {
        let parts = Parts::of(machine);
        let places = stage_places(policy);
        let told = Told { policy, parts: &parts, places: &places };
        let mut coverage = Coverage {
            states: Share::default(),
            edges: Share::default(),
            guards: Share::default(),
            missing: Vec::new(),
            out_of_reach: 0,
            gaps: reach.gaps.clone(),
        };
        let never_begun: BTreeSet<StageId> = parts
            .all()
            .iter()
            .filter(|part| !covered.contains(part))
            .filter_map(|part| match part {
                Part::State(index) => parts.node(*index),
                _ => None,
            })
            .filter_map(|node| match node {
                Node::Begin(stage) => Some(stage),
                _ => None,
            })
            .collect();
        for part in parts.all() {
            let is_covered = covered.contains(part);
            let witness = reach.ways.get(part);
            if !is_covered && witness.is_none() && reach.complete {
                coverage.out_of_reach += 1;
                continue;
            }
            match part {
                Part::State(_) => coverage.states.count(is_covered),
                Part::Edge(_) => coverage.edges.count(is_covered),
                Part::Guard(..) | Part::Quiet(_) => coverage.guards.count(is_covered),
            }
            if !is_covered {
                let (at, message) = told.missing(*part);
                let diagnostic = Diagnostic {
                    rule: "not-covered",
                    severity: Severity::Note,
                    at,
                    message,
                    help: None,
                    fix: Vec::new(),
                    counterexample: None,
                };
                let follows = told.follows(*part, &never_begun);
                let witness = witness.cloned();
                coverage.missing.push(Missing { part: *part, diagnostic, witness, follows });
            }
        }
        coverage.missing.sort_by_key(|missing| (missing.diagnostic.at.start, missing.part));
        coverage
    }
}

/// What is told of parts.
pub(super) struct Told<'a> {
    pub(super) policy: &'a Policy,
    pub(super) parts: &'a Parts<'a>,
    pub(super) places: &'a [StagePlace],
}

impl Told<'_> {
    /// The beginning of the policy: its word and its name, or a bare strategy.
    fn head(&self) -> TextRange {
        let at = &self.policy.at;
        at.start..at.end.min(at.start + "policy ".len() + self.policy.name.len())
    }

    fn place(&self, id: StageId) -> TextRange {
        self.places.get(usize::from(id.0)).map_or_else(|| self.policy.at.clone(), |place| place.at.clone())
    }

    /// A stage by its name, with the policy that it stands in where that is another.
    fn name(&self, id: StageId, machine: &Machine) -> String {
        let inside = self.places.get(usize::from(id.0)).and_then(|place| place.inside.clone());
        let inside = inside.map(|name| format!(" in `{name}`")).unwrap_or_default();
        format!("`{}`{inside}", machine.stage_name(id))
    }

    /// Where a part stands, and what of it was never seen.
    pub(super) fn missing(&self, part: Part) -> (TextRange, String) {
        let machine = self.parts.machine();
        let name = |id| self.name(id, machine);
        let whole = || self.head();
        match part {
            Part::State(index) => match self.parts.node(index) {
                Some(Node::Begin(id)) => (self.place(id), format!("the turn of {} never comes", name(id))),
                Some(Node::End(id)) => (self.place(id), format!("{} never comes to its end", name(id))),
                Some(Node::Reached) => (whole(), "the person is never reached".to_owned()),
                Some(Node::Unreached) => (whole(), "it never ends without reaching the person".to_owned()),
                Some(Node::Start) | None => (whole(), "it is never begun".to_owned()),
            },
            Part::Edge(index) => match self.parts.edge(index) {
                Some((from, to, way)) => self.edge(from, to, way),
                None => (whole(), "a way is never taken".to_owned()),
            },
            Part::Guard(id, word, goes) => {
                let guard = self.places.get(usize::from(id.0)).and_then(|place| place.guard(word));
                let at = guard.map_or_else(|| self.place(id), |guard| guard.at.clone());
                let text = guard.map(|guard| guard.text.clone()).unwrap_or_default();
                let what = if goes { "never lets" } else { "never skips" };
                let end = if goes { " start" } else { "" };
                (at, format!("`{text}` {what} {}{end}", name(id)))
            }
            Part::Quiet(holds) => {
                let quiet = self.policy.headers.quiet.as_ref().and_then(|quiet| quiet.unless.as_ref());
                let at = quiet.map_or_else(whole, |condition| condition.at.clone());
                let what = if holds { "always lifts the quiet hours" } else { "never lifts the quiet hours" };
                let text = quiet.map(|condition| condition.text.clone()).unwrap_or_default();
                (at, format!("`unless {text}` {what}"))
            }
        }
    }

    fn edge(&self, from: Node, to: Node, way: Way) -> (TextRange, String) {
        let machine = self.parts.machine();
        let name = |id| self.name(id, machine);
        let of = |node| match node {
            Node::Begin(id) | Node::End(id) => Some(id),
            Node::Start | Node::Reached | Node::Unreached => None,
        };
        let before = of(from).map_or_else(|| "the message".to_owned(), name);
        let at = of(to).or(of(from)).map_or_else(|| self.policy.at.clone(), |id| self.place(id));
        let after = of(to).map_or_else(|| "the end".to_owned(), name);
        let message = match way {
            Way::First(_) | Way::Fork => format!("{after} never begins"),
            Way::Run => format!("{after} is never tried to its end"),
            Way::Failed => format!("{after} never starts because {before} failed"),
            Way::Passed => format!("{after} never takes the turn of {before}, skipped"),
            Way::After(span) => format!("{after} never starts by its `after {span}`"),
            Way::Alongside => format!("{after} never begins after {before} has started"),
            Way::Over if of(from) == of(to) => format!("{after} is never over"),
            Way::Over => format!("{after} never starts after {before}"),
            Way::Reached => format!("{before} never reaches the person"),
            Way::Exhausted => format!("the message never ends unreached behind {before}"),
            Way::Join => format!("{before} never leads to the end of {after}"),
        };
        (at, message)
    }

    /// A part, for the name of a case that comes by it.
    pub(super) fn named(&self, part: Part) -> String {
        let machine = self.parts.machine();
        let name = |id| self.name(id, machine).replace('`', "");
        match part {
            Part::State(index) => match self.parts.node(index) {
                Some(Node::Begin(id)) => format!("the turn of {} comes", name(id)),
                Some(Node::End(id)) => format!("{} comes to its end", name(id)),
                Some(Node::Reached) => "the person is reached".to_owned(),
                Some(Node::Unreached) => "the person is not reached".to_owned(),
                Some(Node::Start) | None => "it begins".to_owned(),
            },
            Part::Guard(id, word, goes) => {
                let guard = self.places.get(usize::from(id.0)).and_then(|place| place.guard(word));
                let text = guard.map(|guard| guard.text.clone()).unwrap_or_default();
                format!("{} is {}: {text}", name(id), if goes { "tried" } else { "skipped" })
            }
            Part::Quiet(holds) => {
                format!("the quiet hours {}", if holds { "hold" } else { "are lifted" })
            }
            Part::Edge(index) => {
                let Some((from, to, way)) = self.parts.edge(index) else {
                    return "a way is taken".to_owned();
                };
                let of = |node| match node {
                    Node::Begin(id) | Node::End(id) => name(id),
                    Node::Start | Node::Reached | Node::Unreached => "the message".to_owned(),
                };
                let (before, after) = (of(from), of(to));
                match way {
                    Way::First(_) | Way::Fork => format!("{after} begins"),
                    Way::Run => format!("{after} is tried to its end"),
                    Way::Failed => format!("{after} starts because {before} failed"),
                    Way::Passed => format!("{after} takes the turn of {before}, skipped"),
                    Way::After(span) => format!("{after} starts after {span}"),
                    Way::Alongside => format!("{after} begins after {before} has started"),
                    Way::Over if before == after => format!("{after} is over"),
                    Way::Over => format!("{after} starts after {before}"),
                    Way::Reached => format!("{before} reaches the person"),
                    Way::Exhausted => format!("nobody is reached, {before} being the last"),
                    Way::Join => format!("{before} leads to the end of {after}"),
                }
            }
        }
    }

    fn follows(&self, part: Part, never_begun: &BTreeSet<StageId>) -> bool {
        let ids: Vec<StageId> = match part {
            Part::State(index) => match self.parts.node(index) {
                Some(Node::End(id)) => vec![id],
                _ => Vec::new(),
            },
            Part::Edge(index) => {
                let ends = self.parts.edge(index).map(|(from, to, _)| [from, to]).into_iter().flatten();
                ends.filter_map(|node| match node {
                    Node::Begin(id) | Node::End(id) => Some(id),
                    _ => None,
                })
                .collect()
            }
            Part::Guard(id, ..) => vec![id],
            Part::Quiet(_) => Vec::new(),
        };
        ids.iter().any(|id| never_begun.contains(id))
    }
}
