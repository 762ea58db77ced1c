//! A run that shows what a finding says: what the simulator is given, and what it then prints.

use crate::language::Counterexample;
use crate::language::condition::Expr;
use crate::language::facts_text::GivenFacts;
use crate::language::script::Scripts;
use crate::lint::Context;
use crate::machine::{Entry, Scenario, Timeline, simulate};
use crate::model::{Channel, Instant, Span};

use super::{Analysis, Strict, Table};

/// The instant at which the simulator accepts a message where nobody says another: a Monday at noon.
const ORDINARY: i64 = 1_767_614_400_000;

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
    let script = channels.iter().map(of).collect::<Vec<_>>().join("; ");
    let read = Scripts::parse(&script).ok()?;
    let given = GivenFacts::parse(&facts).ok()?;
    let scenario = Scenario::given(analysis.machine(), &given, analysis.catalog().clone(), at);
    let timeline = shown(&simulate(&scenario, &read));
    Some(Counterexample { facts, at: at.to_string(), script, timeline })
}

/// Facts under which every stage may start, as the command line takes them.
fn facts_for(analysis: &Analysis<'_>) -> Option<String> {
    let guards = analysis.places().iter().flat_map(Analysis::guards);
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
