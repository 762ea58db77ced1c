//! What stands before a finding in its stage.

use crate::language::words::ENDS;
use crate::model::Channel;

use super::text::{Around, Word};

/// The stage that goes on, or should, at a finding.
pub(super) struct Stage<'s> {
    /// The words of its modifiers before the finding, the last one first.
    modifiers: Vec<&'s str>,
    /// Whether its action is a channel.
    pub(super) sends: bool,
    /// Whether its action was found at all.
    pub(super) has_action: bool,
    /// Whether it is the first of its strategy.
    pub(super) is_first: bool,
}

impl<'s> Stage<'s> {
    /// The stage before a finding; none where none begins.
    pub(super) fn around(around: &Around<'s>) -> Option<Stage<'s>> {
        let (mut modifiers, mut end, mut depth) = (Vec::new(), around.at.start, 0_usize);
        while let Some((at, word)) = around.word_before(end) {
            end = at.start;
            match word {
                ")" | "]" => depth += 1,
                "(" | "[" => depth = depth.saturating_sub(1),
                "{" | "}" => return None,
                _ if depth > 0 => {}
                "then" | "otherwise" => return None,
                "wait" | "use" if before(around, &at) != "doubt" => {
                    let is_first = begins_strategy(around, &at);
                    return Some(Stage { modifiers, sends: false, has_action: true, is_first });
                }
                "of" if ["any", "all"].contains(&before(around, &at)) => {
                    let is_first = false;
                    return Some(Stage { modifiers, sends: false, has_action: true, is_first });
                }
                "on" if around.word_from(at.end).is_some_and(|(_, next)| next == "doubt") => {
                    modifiers.push("on");
                }
                _ if word.parse::<Channel>().is_ok() && before(around, &at) != "has" => {
                    let is_first = begins_strategy(around, &at);
                    return Some(Stage { modifiers, sends: true, has_action: true, is_first });
                }
                _ if ENDS.contains(&word) => modifiers.push(word),
                _ => {}
            }
        }
        None
    }

    /// Whether a modifier stands before the finding.
    pub(super) fn has(&self, word: &str) -> bool {
        self.modifiers.contains(&word)
    }

    /// Whether the words directly before the finding are a condition.
    pub(super) fn ends_with_condition(&self) -> bool {
        self.modifiers.first().is_some_and(|word| ["if", "unless"].contains(word))
    }
}

fn before<'s>(around: &Around<'s>, at: &std::ops::Range<usize>) -> &'s str {
    around.word_before(at.start).map_or("", |(_, word)| word)
}

/// Whether nothing can have been sent when the stage of this first word starts: it is the first of its
/// strategy, and of a group that is the first.
fn begins_strategy(around: &Around<'_>, at: &std::ops::Range<usize>) -> bool {
    let end = around.end_before(at.start);
    match around.word_before(end) {
        None => true,
        Some((_, "then")) => false,
        Some((_, "(" | ",")) => group_before(around, end).is_none_or(|group| begins_strategy(around, &group)),
        Some((_, word)) => ["{", "}"].contains(&word) || around.part(end..at.start).contains('\n'),
    }
}

/// The first word of the group within which a byte stands.
fn group_before(around: &Around<'_>, from: usize) -> Option<std::ops::Range<usize>> {
    let (mut end, mut depth) = (from, 0_usize);
    while let Some((at, word)) = around.word_before(end) {
        end = at.start;
        match word {
            ")" => depth += 1,
            "(" if depth == 0 => {
                let (of, _) = around.word_before(end).filter(|(_, word)| *word == "of")?;
                return around.word_before(of.start).map(|(kind, _)| kind);
            }
            "(" => depth -= 1,
            "{" | "}" => return None,
            _ => {}
        }
    }
    None
}

/// The end of the words that go on from a byte without a new part of the policy beginning.
pub(super) fn phrase_end(around: &Around<'_>, from: usize) -> usize {
    let (line, mut end, mut depth) = (around.line_end(from), from, 0_usize);
    while let Some((at, word)) = around.word_from(end).filter(|(at, _)| at.start < line) {
        if word == "\"" {
            let rest = around.part(at.end..line);
            end = at.end + rest.find('"').map_or(rest.len(), |quote| quote + 1);
            continue;
        }
        match word {
            "(" | "[" => depth += 1,
            ")" | "]" if depth > 0 => depth -= 1,
            _ if is_end(around, &(at.clone(), word)) && depth == 0 => break,
            _ => {}
        }
        end = at.end;
    }
    end
}

/// Whether a word begins a new part of a policy, or ends the one before it.
pub(super) fn is_end(around: &Around<'_>, (at, word): &Word<'_>) -> bool {
    let is_doubt = *word == "on" && around.word_from(at.end).is_some_and(|(_, next)| next == "doubt");
    ENDS.contains(word) || is_doubt || ["#", "{", "}", ")", "]", ","].contains(word)
}
