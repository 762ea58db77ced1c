//! Where the stages of a machine stand in the source.

use crate::language::Policy;
use crate::language::policy::{Action, Stage, Strategy, TextRange};

/// Where one stage stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StagePlace {
    /// The stage; for one inside a `use`, the `use`.
    pub(crate) at: TextRange,
    /// Its guard, `if` or `unless`, with the word before it; where it has both, from the first to the
    /// end of the second.
    pub(crate) guard: Option<TextRange>,
    /// What the guard says.
    pub(crate) guard_text: String,
    /// The used policy that it stands in.
    pub(crate) inside: Option<String>,
}

/// The places of every stage, by its number in the machine.
pub(crate) fn stage_places(policy: &Policy) -> Vec<StagePlace> {
    let mut places = Vec::new();
    strategy(&policy.strategy, None, &mut places);
    places
}

fn strategy(of: &Strategy, within: Option<(&TextRange, &str)>, out: &mut Vec<StagePlace>) {
    of.stages.iter().for_each(|of| stage(of, within, out));
}

fn stage(of: &Stage, within: Option<(&TextRange, &str)>, out: &mut Vec<StagePlace>) {
    let guards = [("if", &of.only_if), ("unless", &of.unless)];
    let texts = guards.iter().filter_map(|(word, guard)| Some(format!("{word} {}", guard.as_ref()?.text)));
    let guard_text = texts.collect::<Vec<_>>().join(" ");
    let ranges = guards.iter().filter_map(|(_, guard)| Some(guard.as_ref()?.at.clone()));
    let guard = ranges.reduce(|one, other| one.start.min(other.start)..one.end.max(other.end));
    let at = within.map_or_else(|| of.at.clone(), |(at, _)| at.clone());
    let guard = match within {
        Some(_) => guard.map(|_| at.clone()),
        None => guard,
    };
    let inside = within.map(|(_, name)| name.to_owned());
    out.push(StagePlace { at: at.clone(), guard, guard_text, inside });
    match &of.action {
        Action::Channel(_) | Action::Wait(_) => {}
        Action::Group { members, .. } => members.iter().for_each(|member| strategy(member, within, out)),
        Action::Use { policy, strategy: used } => {
            let name = within.map_or(policy.as_str(), |(_, name)| name);
            strategy(used, Some((&at, name)), out);
        }
    }
}
