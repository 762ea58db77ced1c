//! Where the stages of a machine stand in the source.

use crate::language::Policy;
use crate::language::condition::Condition;
use crate::language::policy::{Action, Stage, Strategy, TextRange};
use crate::machine::explore::GuardWord;

/// Where one stage stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StagePlace {
    /// The stage; for one inside a `use`, the `use`.
    pub(crate) at: TextRange,
    /// Its guards, each with the word before it.
    pub(crate) only_if: Option<GuardPlace>,
    /// See `only_if`.
    pub(crate) unless: Option<GuardPlace>,
    /// The used policy that it stands in.
    pub(crate) inside: Option<String>,
}

/// Where one guard stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GuardPlace {
    /// Its condition; for one inside a `use`, the `use`.
    pub(crate) at: TextRange,
    /// What it says, with its word.
    pub(crate) text: String,
}

impl StagePlace {
    /// One of its guards.
    pub(crate) fn guard(&self, word: GuardWord) -> Option<&GuardPlace> {
        match word {
            GuardWord::If => self.only_if.as_ref(),
            GuardWord::Unless => self.unless.as_ref(),
        }
    }
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
    let at = within.map_or_else(|| of.at.clone(), |(at, _)| at.clone());
    let guard = |word: &str, guard: &Option<Condition>| {
        let condition = guard.as_ref()?;
        let at = within.map_or_else(|| condition.at.clone(), |(at, _)| at.clone());
        Some(GuardPlace { at, text: format!("{word} {}", condition.text) })
    };
    let inside = within.map(|(_, name)| name.to_owned());
    let (only_if, unless) = (guard("if", &of.only_if), guard("unless", &of.unless));
    out.push(StagePlace { at: at.clone(), only_if, unless, inside });
    match &of.action {
        Action::Channel(_) | Action::Wait(_) => {}
        Action::Group { members, .. } => members.iter().for_each(|member| strategy(member, within, out)),
        Action::Use { policy, strategy: used, .. } => {
            let name = within.map_or(policy.as_str(), |(_, name)| name);
            strategy(used, Some((&at, name)), out);
        }
    }
}
