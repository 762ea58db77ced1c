//! A run that shows what a finding says, looked for among all that can happen.

use crate::language::Counterexample;
use crate::lint::Context;
use crate::machine::catalog::Catalog;
use crate::machine::explore::{Care, FactSpace, Go, Seen, Visitor, Walk, Witness};
use crate::machine::{Entry, Machine, Moved, Timeline, Transition, Was, What};
use crate::model::{Instant, Outcome, Reason, Span};

use super::Analysis;

/// What a run is to show.
#[derive(Debug, Clone, Copy)]
pub(in crate::lint) enum Shows {
    /// This stage fails for this reason.
    Fails(usize, Reason),
    /// The message expires before anything in this stage was sent, and nothing failed.
    Expires(usize),
    /// These two are sent in one instant.
    Together(usize, usize),
}

/// States that are looked at for a run.
const STATES_MAX: usize = 4_000;

/// What came of a search for a run.
pub(in crate::lint) enum Sought {
    /// A shortest one.
    Run(Counterexample),
    /// There is none, whatever happens.
    Never,
    /// None among those that were looked at.
    Unknown,
}

impl Sought {
    /// The run to show, where one was found; nothing where the finding is refuted.
    pub(in crate::lint) fn run(self) -> Option<Option<Counterexample>> {
        match self {
            Sought::Run(run) => Some(Some(run)),
            Sought::Unknown => Some(None),
            Sought::Never => None,
        }
    }
}

/// Looks for a shortest run that shows it: of messages that are accepted at an instant, else at another.
pub(in crate::lint) fn sought(context: &Context<'_>, shows: Shows, at: Instant) -> Sought {
    let analysis = context.analysis;
    let (machine, catalog) = (analysis.machine(), analysis.catalog());
    let look = |space: &FactSpace| {
        let mut look = Look { shows, analysis, found: None };
        let walked = Walk::over(machine, catalog, space).states_max(STATES_MAX).run(&mut look);
        (look.found, walked.complete && space.gaps().is_empty())
    };
    let (mut found, mut whole) = look(&FactSpace::fixed(at));
    if found.is_none() {
        (found, whole) = look(&FactSpace::of(machine, catalog));
    }
    let Some(witness) = found else { return if whole { Sought::Never } else { Sought::Unknown } };
    Sought::Run(told(&witness, machine, catalog))
}

/// A shortest run of messages that are accepted on an ordinary day, else at another instant, where one is found
/// soon.
pub(in crate::lint) fn shortest(context: &Context<'_>, shows: Shows) -> Option<Counterexample> {
    sought(context, shows, Witness::ORDINARY_AT).run().flatten()
}

struct Look<'a> {
    shows: Shows,
    analysis: &'a Analysis<'a>,
    found: Option<Witness>,
}

impl Look<'_> {
    /// Whether a transition is one of a stage, or of one inside it.
    fn is_in(&self, transition: &Transition, id: usize) -> bool {
        let Moved::Stage { stage, .. } = transition.moved else { return false };
        self.analysis.around(usize::from(stage.0)).any(|place| place.id == id)
    }
}

impl Visitor for Look<'_> {
    fn see(&mut self, seen: &Seen<'_>, _: u64) -> Go {
        let called =
            |id: usize| seen.transitions.iter().any(|one| one.event == Was::Called && self.is_in(one, id));
        let fails = |one: &Transition| one.event == Was::Failed;
        let found = match self.shows {
            Shows::Fails(id, reason) => {
                let so = |one: &Transition| fails(one) && one.reason == Some(reason) && self.is_in(one, id);
                seen.transitions.iter().any(so)
            }
            Shows::Expires(id) if called(id) || seen.transitions.iter().any(fails) => return Go::Leave,
            Shows::Expires(_) => {
                let ended = seen.transitions.iter().any(|one| one.event == Was::MessageEnded);
                ended && seen.instance.expires_at().is_some_and(|expires| expires <= seen.at)
            }
            Shows::Together(one, other) => called(one) && called(other),
        };
        if found {
            self.found = Some(seen.witness());
            return Go::Stop;
        }
        Go::On(0)
    }
}

/// A shortest run in which it is so at some step, where one is found soon: of messages of an ordinary day, else of all.
pub(in crate::lint) fn run_where(
    machine: &Machine,
    catalog: &Catalog,
    so: &dyn Fn(&Seen<'_>) -> bool,
) -> Option<Counterexample> {
    let care = || Care { amounts: true, time: true, ..Care::default() };
    let look = |space: &FactSpace| {
        let mut where_so = Where { so, found: None };
        _ = Walk::over(machine, catalog, space).caring(care()).states_max(STATES_MAX).run(&mut where_so);
        where_so.found
    };
    let found = look(&FactSpace::fixed(Witness::ORDINARY_AT));
    let witness = found.or_else(|| look(&FactSpace::of(machine, catalog)))?;
    Some(told(&witness, machine, catalog))
}

struct Where<'a> {
    so: &'a dyn Fn(&Seen<'_>) -> bool,
    found: Option<Witness>,
}

impl Visitor for Where<'_> {
    fn see(&mut self, seen: &Seen<'_>, _: u64) -> Go {
        // Bounds do not cover providers that ask to be left alone.
        if matches!(seen.what, What::Answered { outcome: Outcome::RateLimited, .. }) {
            return Go::Leave;
        }
        if !(self.so)(seen) {
            return Go::On(0);
        }
        self.found = Some(seen.witness());
        Go::Stop
    }
}

fn told(witness: &Witness, machine: &Machine, catalog: &Catalog) -> Counterexample {
    let timeline = shown(&witness.timeline(machine, catalog));
    let (facts, script) = (witness.facts.to_string(), witness.script());
    Counterexample { facts, at: witness.at.to_string(), script, timeline, ..Counterexample::default() }
}

/// A timeline, a line an entry.
pub(in crate::lint) fn shown(timeline: &Timeline) -> Vec<String> {
    let line = |entry: &Entry| {
        let at = Span::from_ms(entry.at_ms);
        let mut line = format!("{at}: {} {}", entry.what, entry.channel);
        if let Some(provider) = entry.provider.as_ref().filter(|name| *name != entry.channel.word()) {
            line.push_str(&format!(" via {provider}"));
        }
        if let Some(reason) = &entry.reason {
            line.push_str(&format!(" ({reason})"));
        }
        line
    };
    let end = format!("{}: ends {}", Span::from_ms(timeline.end.at_ms), timeline.end.status);
    timeline.timeline.iter().map(line).chain([end]).collect()
}
