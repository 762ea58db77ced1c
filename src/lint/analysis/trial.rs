//! One run that is made for a finding, and shown only where the machine bears out what the finding says.
//!
//! It is played once and not looked for: what the providers say, what is known and when the message is accepted follow
//! from the finding. So it costs little, and where it comes out otherwise than the finding says, nothing is shown.

use std::collections::{BTreeMap, BTreeSet};

use crate::language::Counterexample;
use crate::language::condition::Expr;
use crate::language::facts_text::GivenFacts;
use crate::language::script::Scripts;
use crate::lint::Context;
use crate::machine::{Scenario, Timeline, Witness, simulate, simulate_recorded};
use crate::model::{Channel, Confirmation, Instant};

use super::played::Played;
use super::run::shown;
use super::{Analysis, Place, Strict, Table};

/// What a provider says that lets the next stage start at once.
const REFUSED: &str = "recipient fault";

/// A run to try.
#[derive(Clone)]
pub(in crate::lint) struct Trial<'a> {
    analysis: &'a Analysis<'a>,
    at: Instant,
    facts: Vec<String>,
    said: BTreeMap<String, String>,
    /// Whether all facts are told, also those that change nothing of what is shown.
    keeps_facts: bool,
}

impl<'a> Trial<'a> {
    /// The silent run of an ordinary day: everything is accepted, and nothing is ever heard of it. The guards of all
    /// stages let them start, as far as facts can do that.
    pub(in crate::lint) fn silent(context: &Context<'a>) -> Option<Trial<'a>> {
        let guards = context.analysis.places().iter().flat_map(Analysis::guards);
        Trial::wanting(context, guards.map(|(condition, so)| (&condition.expr, so)))
    }

    /// The silent run in which some conditions are so: nothing is said of the others.
    pub(in crate::lint) fn wanting<'e>(
        context: &Context<'a>,
        wanted: impl Iterator<Item = (&'e Expr, bool)>,
    ) -> Option<Trial<'a>> {
        let analysis = context.analysis;
        let facts = facts_where(analysis, &wanted.collect::<Vec<_>>())?;
        let facts = facts.split(", ").filter(|fact| !fact.is_empty()).map(str::to_owned).collect();
        let at = Witness::ORDINARY_AT;
        let trial = Trial { analysis, at, facts, said: BTreeMap::new(), keeps_facts: false };
        Some(trial.all_say("accepted"))
    }

    /// The silent run in which one stage may start, and what is around it.
    fn about(context: &Context<'a>, id: usize) -> Option<Trial<'a>> {
        let guards = context.analysis.around(id).flat_map(Analysis::guards);
        Trial::wanting(context, guards.map(|(condition, so)| (&condition.expr, so)))
    }

    /// The silent run in which one stage may start, and the others are left out as far as their `if` can do that.
    pub(in crate::lint) fn alone(context: &Context<'a>, id: usize) -> Option<Trial<'a>> {
        let analysis = context.analysis;
        let own: Vec<usize> = analysis.around(id).map(|place| place.id).collect();
        let others = analysis.places().iter().filter(|place| !own.contains(&place.id));
        let without =
            others.flat_map(Analysis::guards).filter(|(_, so)| *so).map(|(condition, _)| (condition, false));
        let guards = analysis.around(id).flat_map(Analysis::guards).chain(without);
        Trial::wanting(context, guards.map(|(condition, so)| (&condition.expr, so)))
    }

    /// The same, where every channel says this.
    pub(in crate::lint) fn all_say(mut self, script: &str) -> Trial<'a> {
        let channels = self.analysis.places().iter().filter_map(Place::channel_word);
        self.said = channels.map(|channel| (channel.to_string(), script.to_owned())).collect();
        self
    }

    /// The same, where providers say the usual: `accepted, delivered after 1s`.
    pub(in crate::lint) fn usual(mut self) -> Trial<'a> {
        self.said.clear();
        self
    }

    /// The same, where a channel or a provider says this.
    pub(in crate::lint) fn says(mut self, key: impl ToString, script: impl Into<String>) -> Trial<'a> {
        self.said.insert(key.to_string(), script.into());
        self
    }

    /// The same, where this is known too.
    pub(in crate::lint) fn knowing(mut self, fact: String) -> Trial<'a> {
        let name = |fact: &str| fact.split('=').next().unwrap_or_default().to_owned();
        self.facts.retain(|known| name(known) != name(&fact));
        self.facts.push(fact);
        self
    }

    /// The same, with all of its facts: why a stage is skipped depends on them, and that it is skipped does not.
    pub(in crate::lint) fn with_its_facts(mut self) -> Trial<'a> {
        self.keeps_facts = true;
        self
    }

    /// Whether something is said of a name.
    pub(in crate::lint) fn knows(&self, name: &str) -> bool {
        self.facts.iter().any(|fact| fact.split('=').next() == Some(name))
    }

    /// The same message, accepted at another instant.
    pub(in crate::lint) fn accepted_at(mut self, at: Instant) -> Trial<'a> {
        self.at = at;
        self
    }

    /// The same, where the channels before a stage refuse, so that it has its turn at once.
    fn refused_before(mut self, id: usize) -> Trial<'a> {
        let analysis = self.analysis;
        let is_own = |channel: Channel| {
            let inside = |place: &&Place<'_>| analysis.around(place.id).any(|around| around.id == id);
            analysis.places().iter().filter(inside).any(|place| place.channel_word() == Some(channel))
        };
        for place in analysis.places().iter().filter(|place| analysis.may_come_before(place.id, id)) {
            if let Some(channel) = place.channel_word().filter(|channel| !is_own(*channel)) {
                self.said.insert(channel.to_string(), REFUSED.to_owned());
            }
        }
        self
    }

    /// Whether the machine says that it is so.
    pub(in crate::lint) fn comes_to(&self, so: &dyn Fn(&Played<'_>) -> bool) -> bool {
        self.play().is_some_and(|played| so(&played))
    }

    /// The run, where the machine says that it is so.
    pub(in crate::lint) fn shows(mut self, so: &dyn Fn(&Played<'_>) -> bool) -> Option<Counterexample> {
        let played = self.play()?;
        if !so(&played) {
            return None;
        }
        // What is never called says nothing, and the rest only what changes something.
        self.said.retain(|key, _| played.has_called(key));
        let lines = played.lines();
        let is_the_same = |trial: &Trial<'a>| trial.comes_to(&|other| so(other) && other.lines() == lines);
        for key in self.said.keys().cloned().collect::<Vec<_>>() {
            let mut without = self.clone();
            without.said.remove(&key);
            if is_the_same(&without) {
                self = without;
            }
        }
        let facts = if self.keeps_facts { Vec::new() } else { self.facts.clone() };
        for fact in facts {
            let mut without = self.clone();
            without.facts.retain(|known| *known != fact);
            if is_the_same(&without) {
                self = without;
            }
        }
        Some(Counterexample {
            facts: self.facts.join(", "),
            at: self.at.to_string(),
            script: self.script(),
            timeline: shown(&played.timeline),
            ..Counterexample::default()
        })
    }

    fn script(&self) -> String {
        self.said.iter().map(|(key, script)| format!("{key}: {script}")).collect::<Vec<_>>().join("; ")
    }

    /// Plays it as `simulate` would; `None` where that would refuse it.
    fn play(&self) -> Option<Played<'a>> {
        let (machine, catalog) = (self.analysis.machine(), self.analysis.catalog());
        let scripts = Scripts::parse(&self.script()).ok()?;
        if !scripts.check(|key| catalog.confirmations(machine, key)).is_empty() {
            return None;
        }
        let facts = GivenFacts::parse(&self.facts.join(", ")).ok()?;
        let scenario = Scenario::given(machine, &facts, catalog.clone(), self.at);
        let (timeline, record) = simulate_recorded(&scenario, &scripts);
        Some(Played { analysis: self.analysis, at: self.at, timeline, record })
    }
}

/// The run in which a stage has its turn, where the machine says that it is so: all before it stay silent, else they
/// refuse. `made` makes of each of these runs the one that is played.
pub(in crate::lint) fn leading_to<'a>(
    context: &Context<'a>,
    id: usize,
    made: &dyn Fn(Trial<'a>) -> Trial<'a>,
    so: &dyn Fn(&Played<'_>) -> bool,
) -> Option<Counterexample> {
    let all = || Trial::silent(context);
    let own = || Trial::about(context, id);
    let refused = || own().map(|trial| trial.refused_before(id));
    let first = |trial: &dyn Fn() -> Option<Trial<'a>>| made(trial()?).shows(so);
    first(&all).or_else(|| first(&own)).or_else(|| first(&refused))
}

/// The run in which a stage has its turn and is skipped.
pub(in crate::lint) fn skipped(context: &Context<'_>, id: usize) -> Option<Counterexample> {
    leading_to(context, id, &|trial| trial, &|run| run.skips(id))
}

/// What a provider of a channel says that confirms as much as there is below a goal.
pub(in crate::lint) fn all_below(place: &Place<'_>, goal: Confirmation) -> String {
    let first = place.route.first().into_iter().flat_map(|provider| provider.confirms.iter());
    let most = first.filter(|level| **level < goal && **level > Confirmation::Accepted).max();
    most.map_or_else(|| "accepted".to_owned(), |level| format!("accepted, {level} after 1s"))
}

/// A run of an ordinary day in which every provider says the same, under facts that let the guards pass: all of
/// them, or those of one stage and of what is around it.
pub(super) fn where_all_say(analysis: &Analysis<'_>, answer: &str, about: Option<usize>) -> Option<Timeline> {
    let wanted: Vec<(&Expr, bool)> = match about {
        Some(id) => analysis.around(id).flat_map(Analysis::guards).map(|(c, so)| (&c.expr, so)).collect(),
        None => analysis.places().iter().flat_map(Analysis::guards).map(|(c, so)| (&c.expr, so)).collect(),
    };
    let given = GivenFacts::parse(&facts_where(analysis, &wanted)?).ok()?;
    let at = Witness::ORDINARY_AT;
    let scenario = Scenario::given(analysis.machine(), &given, analysis.catalog().clone(), at);
    let channels = analysis.places().iter().filter_map(Place::channel_word);
    let said: BTreeSet<String> = channels.map(|channel| format!("{channel}: {answer}")).collect();
    let scripts = Scripts::parse(&said.into_iter().collect::<Vec<_>>().join("; ")).ok()?;
    Some(simulate(&scenario, &scripts))
}

/// Facts under which conditions are so, as the command line takes them; none where they exclude one another, and
/// `None` where that is too much to look at.
fn facts_where(analysis: &Analysis<'_>, wanted: &[(&Expr, bool)]) -> Option<String> {
    let exprs: Vec<&Expr> = wanted.iter().map(|(condition, _)| *condition).collect();
    let table = Table::of(&exprs, &analysis.scope(None, Strict::Logic))?;
    let mut facts: Option<String> = None;
    table.rows(&mut |row| {
        if wanted.iter().all(|(condition, so)| row.holds(condition) == *so) {
            facts = row.facts();
        }
        facts.is_some()
    });
    Some(facts.unwrap_or_default())
}
