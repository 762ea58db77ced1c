//! What no change may do: send by another channel than the text says, or another number.

use crate::language::source::comments;
use crate::language::words::{near, synonym};
use crate::model::Channel;

use super::super::habits::brackets::has_both_joints;
use super::super::habits::groups::is_policy;
use super::super::habits::letters::on_other_keyboard;
use super::super::habits::text::Around;
use super::super::{Diagnostic, Edit};
use super::patches::Patches;

/// Rules of findings in conditions and limits, in which a channel's word sends nothing.
const SENDS_NOTHING: [&str; 7] = [
    "bad-limit",
    "unknown-condition",
    "bad-condition",
    "missing-condition",
    "bad-comparison",
    "misplaced-word",
    "unknown-name",
];

/// Whether changes neither lose nor add a channel, and leave numbers as they are.
pub(super) fn keeps_what_is_sent(source: &str, finding: &Diagnostic, edits: &[Edit]) -> bool {
    let in_condition = SENDS_NOTHING.contains(&finding.rule);
    edits.iter().all(|edit| {
        keeps_sign_of_number(source, edit) && keeps_texts(source, edit) && keeps_precedence(source, edit)
    }) && Patches::default()
        .with(edits)
        .is_some_and(|patches| keeps_comments(source, &patches.applied(source)))
        && (in_condition || keeps_channels(source, edits))
}

/// Whether each comment of a text says in a changed one what it said: nothing was drawn into one, and none is gone.
pub(crate) fn keeps_comments(source: &str, changed: &str) -> bool {
    let texts = |text: &str| -> Vec<String> {
        comments(text).into_iter().filter_map(|at| Some(text.get(at)?.trim_end().to_owned())).collect()
    };
    let before = texts(source);
    let after = if before.is_empty() { Vec::new() } else { texts(changed) };
    before.iter().all(|comment| after.contains(comment))
}

fn keeps_channels(source: &str, edits: &[Edit]) -> bool {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    let mut named = Vec::new();
    for edit in edits {
        // A word may be changed in part.
        let (start, end) = whole_words(source, edit);
        let (first, last) = (source.get(start..edit.at.start), source.get(edit.at.end..end));
        let was = source.get(start..end).unwrap_or_default();
        let is = format!("{}{}{}", first.unwrap_or_default(), edit.text, last.unwrap_or_default());
        before.extend(channels(was));
        after.extend(channels(&is));
        named.extend(words(was).map(str::to_owned));
        named.push(was.chars().filter(|c| c.is_alphanumeric()).collect());
        named.extend(on_other_keyboard(was.trim()));
        // `case` is no `use`, but `do night` is, where `night` is a policy.
        let around = Around { source, at: edit.at.clone() };
        let is_used = edit.text == "use" && around.next().is_some_and(|(_, name)| is_policy(source, name));
        let is_action = ["use", "wait"].contains(&edit.text.as_str()) && !is_used;
        if is_action && is.trim() == edit.text && !says(was, &edit.text) {
            return false;
        }
        if edit.text.contains('#') {
            let line = source.get(edit.at.end..).and_then(|rest| rest.lines().next()).unwrap_or_default();
            let start =
                source.get(..edit.at.start).map_or(0, |before| before.rfind('\n').map_or(0, |n| n + 1));
            let is_first = source.get(start..edit.at.start).is_some_and(|before| before.trim().is_empty());
            // `sms ---> email` is an arrow, `sms -- cheaper than email` a remark.
            if !is_first && words(line).next().is_some_and(|word| word.parse::<Channel>().is_ok()) {
                return false;
            }
        }
    }
    for channel in &before {
        match after.iter().position(|other| other == channel) {
            Some(place) => drop(after.remove(place)),
            None => return false,
        }
    }
    // What is new must be what a word of the user's nearly is.
    after.iter().all(|channel| named.iter().any(|word| says(word, channel.word())))
}

fn whole_words(source: &str, edit: &Edit) -> (usize, usize) {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let before = source.get(..edit.at.start).unwrap_or_default();
    let behind = source.get(edit.at.end..).unwrap_or_default();
    let start = before.trim_end_matches(is_word).len();
    let end = source.len() - behind.trim_start_matches(is_word).len();
    (start, end)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-')
        .filter(|word| word.contains(char::is_alphanumeric))
}

fn channels(text: &str) -> Vec<Channel> {
    // A text in quotes sends nothing.
    let bare = text.split('"').step_by(2);
    bare.flat_map(|part| part.split(|c: char| !c.is_alphanumeric() && c != '_'))
        .filter_map(|word| word.parse::<Channel>().ok())
        .collect()
}

/// Whether a channel is meant by a word: one slip in a short word, two in a long one.
fn says(word: &str, channel: &str) -> bool {
    let word = word.to_lowercase();
    let slips = strsim::osa_distance(&word, channel);
    let allowed = if word.chars().count() <= 4 { 1 } else { 2 };
    slips <= allowed && near(&word, [channel]).is_some()
        || synonym(&word) == Some(channel)
        || word.contains(channel)
        || word.contains(':')
}

/// `a or b) and c`: a parenthesis more or less says something else where a condition has both joints.
fn keeps_precedence(source: &str, edit: &Edit) -> bool {
    let was = source.get(edit.at.clone()).unwrap_or_default();
    let count = |text: &str| (text.matches('(').count(), text.matches(')').count());
    let around = Around { source, at: edit.at.clone() };
    let line = around.line_start(edit.at.start)..around.line_end(edit.at.end);
    let line = around.part(line);
    let is_condition = ["if ", "unless "].iter().any(|word| line.contains(word)) && has_both_joints(line);
    let (open, close) = (count(was), count(&edit.text));
    let is_group = line.contains(" of (") || line.contains(" of(");
    let is_one = open.0 + close.0 == 0 && open.1 != close.1 || open.1 + close.1 == 0 && open.0 != close.0;
    // One that closes nothing.
    let start = around.line_start(edit.at.start);
    let before = count(around.part(start..edit.at.start));
    let is_over = was.trim() == ")" && close == (0, 0) && before.0 == before.1;
    !is_condition || !is_one || is_group || is_over
}

/// What stands in quotes was written for something, and is not left out.
fn keeps_texts(source: &str, edit: &Edit) -> bool {
    let was = source.get(edit.at.clone()).unwrap_or_default();
    let has_text = was.contains('"') && was.contains(char::is_alphanumeric);
    // A line that stands twice still says it.
    let stands_before = || source.get(..edit.at.start).is_some_and(|before| before.ends_with(was));
    !(has_text && edit.text.trim().is_empty() && !stands_before())
}

/// `.40` is not 40.
fn keeps_sign_of_number(source: &str, edit: &Edit) -> bool {
    let was = source.get(edit.at.clone()).unwrap_or_default();
    let behind = source.get(edit.at.end..).unwrap_or_default();
    let left_out = was.trim_end().ends_with(['.', '-'])
        && !was.contains(|c: char| c.is_alphanumeric())
        && edit.text.trim().is_empty();
    !(left_out && behind.trim_start().starts_with(|c: char| c.is_ascii_digit()))
}
