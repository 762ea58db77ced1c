//! A walk over the stages of a policy, for rules.

use crate::language::Policy;
use crate::language::policy::{Action, Stage, Strategy, TextRange};

/// A stage where it stands.
pub(super) struct Place<'a> {
    /// The stage.
    pub(super) stage: &'a Stage,
    /// Its bytes of the policy's own source: of a stage inside a `use`, those of the `use`.
    pub(super) at: TextRange,
    /// Whether it was written in another policy.
    pub(super) used: bool,
    /// Whether a stage stands after it, in its strategy or in one around it.
    pub(super) followed: bool,
    /// Whether one does in the policy in which it was written.
    pub(super) followed_where_written: bool,
}

/// Calls `look` with each stage, in the order of the text.
pub(super) fn stages<'a>(policy: &'a Policy, look: &mut dyn FnMut(&Place<'a>)) {
    strategy(&policy.strategy, None, (false, false), look);
}

fn strategy<'a>(
    strategy_of: &'a Strategy,
    used_at: Option<&TextRange>,
    (outside, written): (bool, bool),
    look: &mut dyn FnMut(&Place<'a>),
) {
    let last = strategy_of.stages.len().saturating_sub(1);
    for (index, stage) in strategy_of.stages.iter().enumerate() {
        let at = used_at.unwrap_or(&stage.at).clone();
        let (followed, followed_where_written) = (outside || index < last, written || index < last);
        look(&Place { stage, at: at.clone(), used: used_at.is_some(), followed, followed_where_written });
        match &stage.action {
            Action::Group { members, .. } => {
                for member in members {
                    strategy(member, used_at, (followed, followed_where_written), look);
                }
            }
            Action::Use { strategy: inner, .. } => strategy(inner, Some(&at), (followed, false), look),
            Action::Channel(_) | Action::Wait(_) => {}
        }
    }
}

/// The bytes of `needle` inside `range`, as a word of its own; the whole range where it is not
/// found.
pub(super) fn word_in(source: &str, range: &TextRange, needle: &str) -> TextRange {
    let text = source.get(range.clone()).unwrap_or_default();
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    text.match_indices(needle)
        .map(|(at, _)| range.start + at..range.start + at + needle.len())
        .find(|at| {
            let before = source[..at.start].chars().next_back().is_some_and(word);
            let after = source[at.end..].chars().next().is_some_and(word);
            !before && !after
        })
        .unwrap_or_else(|| range.clone())
}
