//! A run that shows what a finding says: what the simulator is given, and what it then prints.

use std::collections::BTreeSet;

use crate::language::Counterexample;
use crate::language::condition::Expr;
use crate::language::facts_text::GivenFacts;
use crate::language::script::Scripts;
use crate::lint::Context;
use crate::machine::explore::{FactSpace, Go, Seen, Visitor, Walk, Witness};
use crate::machine::{Entry, Moved, Scenario, Timeline, Transition, Was, simulate};
use crate::model::{Channel, Instant, Reason, Span};

use super::{Analysis, Strict, Table};

/// The instant at which the simulator accepts a message where nobody says another: a Monday at noon.
const ORDINARY: i64 = 1_767_614_400_000;

/// A run of an ordinary day in which every provider says the same, under facts that let the guards pass: all of
/// them, or those of one stage and of what is around it.
pub(super) fn where_all_say(analysis: &Analysis<'_>, answer: &str, about: Option<usize>) -> Option<Timeline> {
    let facts = match about {
        Some(id) => facts_of(analysis, &mut analysis.around(id)),
        None => facts_for(analysis),
    };
    let given = GivenFacts::parse(&facts?).ok()?;
    let at = Instant::from_ms(ORDINARY);
    let scenario = Scenario::given(analysis.machine(), &given, analysis.catalog().clone(), at);
    let channels = analysis.places().iter().filter_map(super::Place::channel_word);
    let said: BTreeSet<String> = channels.map(|channel| format!("{channel}: {answer}")).collect();
    let scripts = Scripts::parse(&said.into_iter().collect::<Vec<_>>().join("; ")).ok()?;
    Some(simulate(&scenario, &scripts))
}

/// The silent run: everything is accepted, and nothing is ever heard of it, but where `scripts` say
/// otherwise of a channel. The guards of all stages let them start, as far as facts can do that.
pub(in crate::lint) fn run(context: &Context<'_>, scripts: &[(Channel, &str)]) -> Option<Counterexample> {
    run_at(context, scripts, Instant::from_ms(ORDINARY))
}

/// The same, accepted at another instant.
pub(in crate::lint) fn run_at(
    context: &Context<'_>,
    scripts: &[(Channel, &str)],
    at: Instant,
) -> Option<Counterexample> {
    let analysis = context.analysis;
    let facts = facts_for(analysis)?;
    let mut channels: Vec<Channel> =
        analysis.places().iter().filter_map(super::Place::channel_word).collect();
    channels.sort_unstable();
    channels.dedup();
    let of = |channel: &Channel| {
        let own = scripts.iter().find(|(known, _)| known == channel).map(|(_, script)| *script);
        format!("{channel}: {}", own.unwrap_or("accepted"))
    };
    let play = |facts: &[String], script: &[String]| -> Option<Vec<String>> {
        let read = Scripts::parse(&script.join("; ")).ok()?;
        let given = GivenFacts::parse(&facts.join(", ")).ok()?;
        let scenario = Scenario::given(analysis.machine(), &given, analysis.catalog().clone(), at);
        Some(shown(&simulate(&scenario, &read)))
    };
    let mut script: Vec<String> = channels.iter().map(of).collect();
    let mut facts: Vec<String> =
        facts.split(", ").filter(|fact| !fact.is_empty()).map(str::to_owned).collect();
    let timeline = play(&facts, &script)?;
    // What changes nothing is not said.
    leave_out(&mut script, &|script| play(&facts, script).as_ref() == Some(&timeline));
    leave_out(&mut facts, &|facts| play(facts, &script).as_ref() == Some(&timeline));
    Some(Counterexample {
        facts: facts.join(", "),
        at: at.to_string(),
        script: script.join("; "),
        timeline,
        ..Counterexample::default()
    })
}

/// Leaves out each entry without which it is still `the_same`.
fn leave_out(entries: &mut Vec<String>, the_same: &dyn Fn(&[String]) -> bool) {
    let mut place = 0;
    while place < entries.len() {
        let entry = entries.remove(place);
        if !the_same(entries) {
            entries.insert(place, entry);
            place += 1;
        }
    }
}

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
    let timeline = shown(&witness.timeline(machine, catalog));
    let (facts, script) = (witness.facts.to_string(), witness.script());
    let at = witness.at.to_string();
    Sought::Run(Counterexample { facts, at, script, timeline, ..Counterexample::default() })
}

/// A shortest run of messages that are accepted on an ordinary day, else at another instant, where one is found
/// soon.
pub(in crate::lint) fn shortest(context: &Context<'_>, shows: Shows) -> Option<Counterexample> {
    sought(context, shows, Instant::from_ms(ORDINARY)).run().flatten()
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

/// Facts under which every stage may start, as the command line takes them.
fn facts_for(analysis: &Analysis<'_>) -> Option<String> {
    facts_of(analysis, &mut analysis.places().iter())
}

/// Facts under which some stages may start.
fn facts_of<'p, 'a: 'p>(
    analysis: &Analysis<'a>,
    places: &mut dyn Iterator<Item = &'p super::Place<'a>>,
) -> Option<String> {
    let guards = places.flat_map(Analysis::guards);
    let wanted: Vec<(&Expr, bool)> = guards.map(|(condition, so)| (&condition.expr, so)).collect();
    let exprs: Vec<&Expr> = wanted.iter().map(|(condition, _)| *condition).collect();
    let table = Table::of(&exprs, &analysis.scope(None, Strict::Logic))?;
    let mut facts: Option<String> = None;
    table.rows(&mut |row| {
        if wanted.iter().all(|(condition, so)| row.holds(condition) == *so) {
            facts = row.facts();
        }
        facts.is_some()
    });
    // Where they exclude one another, the ordinary run is shown.
    Some(facts.unwrap_or_default())
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
