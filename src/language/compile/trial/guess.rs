//! What stands in the place of a fault for which nobody knows what was meant, so that the words behind it
//! are read. Nobody is told of it.

use crate::language::words::{ENDS, near};
use crate::model::Channel;

use super::super::habits::text::Around;
use super::super::{Diagnostic, Edit, TextRange};

/// Words that begin a part of a policy, beside those at which one ends.
const BEGINS: [&str; 10] =
    ["on", "wait", "use", "any", "all", "expires", "quiet", "limit", "category", "vars"];
/// Words within the parts.
const WITHIN: [&str; 12] =
    ["and", "or", "in", "to", "times", "time", "every", "backoff", "else", "sends", "fail", "is"];
/// Signs at which what is not understood ends.
const SIGNS: [&str; 8] = ["(", ")", "[", "]", "{", "}", ",", "#"];

/// Something harmless for what a finding is about; none where the rest is read anyway.
pub(super) fn guess(source: &str, finding: &Diagnostic) -> Option<Edit> {
    let around = Around { source, at: finding.at.clone() };
    let (text, at) = (around.text(), finding.at.clone());
    let first = text.split_whitespace().next().unwrap_or_default();
    let last = text.split_whitespace().next_back().unwrap_or_default();
    let edit = |at: TextRange, text: &str| Some(Edit { at, text: text.to_owned() });
    // The words behind that belong to it go with it.
    let instead = |text: &str| edit(at.start..unknown_until(&around, at.end), text);
    let behind = |text: &str| edit(at.end..at.end, text);
    match finding.rule {
        "unknown-word" => {
            instead(if begins_action(&around, unknown_until(&around, at.end)) { "then" } else { "" })
        }
        "unknown-channel" if around.before().is_some_and(|(_, word)| word == "has") => edit(at, "sms"),
        // A text without any word of the language is no policy, and nothing is hidden in it.
        "unknown-channel" if !has_action(source) => None,
        "unknown-channel" => {
            instead(if begins_action(&around, unknown_until(&around, at.end)) { "" } else { "sms" })
        }
        "unknown-policy" | "faulty-use" | "recursive-use" | "use-too-deep" | "vars-differ" => {
            let (used, _) = around.before().filter(|(_, word)| *word == "use")?;
            edit(used.start..at.end, "sms")
        }
        "unknown-goal" if first == "until" => behind(" read"),
        "unknown-goal" => instead("read"),
        "bad-doubt" if first == "on" => behind(" wait"),
        "bad-doubt" => instead("wait"),
        "bad-number" => instead("2"),
        "bad-duration" | "zero-duration" | "duration-too-long" => instead("30s"),
        "missing-duration" => behind(" 30s"),
        "bad-time" => instead(&format!("03:{:02}", at.start % 60)),
        // `between 09:00 and`
        "missing-time" if ["and", "to"].contains(&text) => {
            let has_zone = around.next_on_line().is_some_and(|(_, word)| ["in", "on"].contains(&word));
            behind(if has_zone { " 03:59" } else { " 03:59 in UTC" })
        }
        "missing-time" => time(&around, first, last),
        "empty-window" => edit(at.start..at.start + first.len(), "03:59"),
        "missing-zone" if ["in", "else"].contains(&last) => behind(" UTC"),
        "missing-zone" => behind(" in UTC"),
        "unknown-zone" if first == "in" => edit(at, "in UTC"),
        "unknown-zone" => instead("UTC"),
        "unknown-day" if first == "on" => edit(at, "on mon"),
        "unknown-day" => instead("mon"),
        "bad-shares" | "bad-route" | "too-many-providers" if first == "via" => {
            let ends = |word: &str| is_part(word) || ["#", "}", ")"].contains(&word);
            let end = walk(&around, at.end, &ends);
            let end = at.start + around.part(at.start..end).trim_end_matches(',').len();
            edit(at.start..end, "via a")
        }
        "bad-name" if text == "policy" => behind(&format!(" other_{}", at.start)),
        "provider-twice" | "bad-name" => edit(at.clone(), &format!("other_{}", at.start)),
        "bad-retry" | "bad-repeat" => match first {
            "retry" | "repeat" => instead(&format!("{first} 2 times every 30s")),
            "backoff" => instead("backoff 1s to 2s"),
            _ => None,
        },
        "bad-expires" => instead("expires after 1d"),
        "bad-category" if first == "category" => behind(" other"),
        "bad-category" => instead("other"),
        "bad-otherwise" => edit(at.start..line_end(&around, at.end), "otherwise fail \"x\""),
        "text-too-long" => edit(at, "\"x\""),
        "missing-stage" if ["then", "or", "and", "else", "next"].contains(&first) => behind(" sms"),
        "missing-stage" => edit(at.start..at.start, "sms "),
        "wrong-joiner" => edit(at, if around.in_group() { "," } else { " then " }),
        "stray-text" | "repeated-part" | "repeated-modifier" | "misplaced-modifier" | "bad-wait"
        | "bad-valid" => edit(at, ""),
        // A var whose type is missing is known by its name.
        "bad-var" if !text.starts_with(char::is_alphanumeric) => edit(at, ""),
        "bad-group" => group(&around),
        // The rest is read as the policy that it is.
        "outside-policy" if finding.message.starts_with("the line `policy NAME {`") => {
            edit(at.start..at.start, &format!("policy other_{} {{ ", at.start))
        }
        "unclosed-bracket" if text == ")" => edit(at, ""),
        "unclosed-bracket" => unclosed(&around, text),
        "missing-condition" if text.ends_with(')') => edit(at, "(replied)"),
        "missing-condition" => behind(" replied"),
        "unknown-condition"
        | "unknown-name"
        | "unknown-var"
        | "unknown-contact-field"
        | "unknown-priority"
        | "bad-condition"
        | "bad-comparison"
        | "bad-list"
        | "missing-value"
        | "types-differ"
        | "no-order"
        | "misplaced-word" => edit(comparison(&around)?, "replied"),
        _ => None,
    }
}

fn is_part(word: &str) -> bool {
    ENDS.contains(&word) || BEGINS.contains(&word) || word.parse::<Channel>().is_ok()
}

/// Whether a word, or the one that was meant by it, is one of the language.
fn is_known(word: &str) -> bool {
    let meant = || {
        word.chars().count() >= 4
            && near(word, ENDS.into_iter().chain(BEGINS).filter(|w| w.len() >= 4)).is_some()
    };
    is_part(word) || WITHIN.contains(&word) || SIGNS.contains(&word) || meant()
}

/// The end of the words that stand behind a place, on its line, and are none of the language.
fn unknown_until(around: &Around<'_>, from: usize) -> usize {
    walk(around, from, &|word| is_known(word))
}

/// Goes on from a place, on its line, until `ends` says so of a word; the end of the last word before.
fn walk(around: &Around<'_>, from: usize, ends: &dyn Fn(&str) -> bool) -> usize {
    let (line, mut end) = (around.line_end(from), from);
    while let Some((at, word)) = around.word_from(end).filter(|(at, _)| at.start < line) {
        if word == "\"" {
            let rest = around.part(at.end..line);
            end = at.end + rest.find('"').map_or(rest.len(), |quote| quote + 1);
        } else if ends(word) {
            break;
        } else {
            end = at.end;
        }
    }
    end
}

fn has_action(source: &str) -> bool {
    let words = source.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.into_iter().any(|word| word == "use" || word.parse::<Channel>().is_ok())
}

fn begins_action(around: &Around<'_>, from: usize) -> bool {
    let next = around.word_from(from).map_or("", |(_, word)| word);
    next.parse::<Channel>().is_ok() || ["wait", "use", "any", "all"].contains(&next)
}

/// The end of what is written on a line, without its comment and without the brace that ends a policy.
fn line_end(around: &Around<'_>, from: usize) -> usize {
    walk(around, from, &|word| ["#", "}"].contains(&word))
}

fn time(around: &Around<'_>, first: &str, last: &str) -> Option<Edit> {
    let at = around.at.clone();
    let before = around.before().map_or("", |(_, word)| word);
    let joint = if first == "between" || before == "between" { "and" } else { "to" };
    let behind_first = at.start + first.len();
    let edit = |place: usize, text: String| Some(Edit { at: place..place, text });
    match (first, first == last) {
        ("wait", _) => edit(at.end, " 03:01 in UTC".to_owned()),
        ("quiet" | "between", true) => edit(at.end, format!(" 03:01 {joint} 03:02 in UTC")),
        ("quiet" | "between", false) => edit(behind_first, format!(" 03:01 {joint} 03:02")),
        _ => edit(behind_first, format!(" {joint} 03:59")),
    }
}

/// The parentheses that a group lacks.
fn group(around: &Around<'_>) -> Option<Edit> {
    let (of, _) = around.next().filter(|(_, word)| *word == "of")?;
    let ends = |word: &str| ENDS.contains(&word) || ["on", "#", "}", ")"].contains(&word);
    let mut end = walk(around, of.end, &ends);
    // `any of voice until replied, sms`: its members are strategies.
    let rest = around.part(end..line_end(around, end));
    if rest.contains(',') && !rest.contains(['(', ')']) {
        end = line_end(around, end);
    }
    let members = around.part(of.end..end).trim();
    let members = if members.is_empty() { "sms, email" } else { members };
    Some(Edit { at: of.end..end, text: format!(" ({members})") })
}

/// The bracket that is missing.
fn unclosed(around: &Around<'_>, text: &str) -> Option<Edit> {
    let behind = |at: usize, text: &str| Some(Edit { at: at..at, text: text.to_owned() });
    let at = around.at.end;
    match text {
        "(" => behind(walk(around, at, &|word| is_part(word) || ["#", "}", ","].contains(&word)), ")"),
        "[" => {
            let ends = |word: &str| is_part(word) || ["#", "}", ")", "and", "or"].contains(&word);
            behind(walk(around, at, &ends), "]")
        }
        "any" | "all" | "vars" => {
            let (open, close) = if text == "vars" { ("{", "}") } else { ("(", ")") };
            let open = at + around.source.get(at..)?.find(open)? + 1;
            let mut end = line_end(around, open);
            // A bracket at the end of its line: what it holds stands on the lines below, comments between them.
            let mut from = end;
            while let Some((next, word)) =
                around.word_from(from).filter(|_| end == open || !is_last(around, end))
            {
                from = match word {
                    "then" | "otherwise" | "}" | ")" => break,
                    "#" => around.line_end(next.start),
                    _ => {
                        end = line_end(around, next.start);
                        end
                    }
                };
            }
            behind(end, close)
        }
        _ => None,
    }
}

/// Whether the words before a place end an entry, so that no comma leads on.
fn is_last(around: &Around<'_>, end: usize) -> bool {
    !around.part(0..end).trim_end().ends_with([',', '(', '{'])
}

/// The comparison in which a fault stands.
fn comparison(around: &Around<'_>) -> Option<TextRange> {
    let mut start = around.at.start;
    loop {
        let (at, word) = around.word_before(start)?;
        if ["if", "unless", "and", "or", "not", "(", "!", "{", "}"].contains(&word) {
            break;
        }
        start = at.start;
    }
    let open = around.part(start..around.at.end).matches('[').count();
    let closed = around.part(start..around.at.end).matches(']').count();
    let line = around.line_end(around.at.end);
    let (mut end, mut depth) = (around.at.end, open.saturating_sub(closed));
    while let Some((at, word)) = around.word_from(end).filter(|(at, _)| at.start < line) {
        let ends = is_part(word) || ["and", "or", ")", "}", ",", "#"].contains(&word);
        match word {
            "[" => depth += 1,
            "]" => depth = depth.saturating_sub(1),
            "\"" => {
                let rest = around.part(at.end..line);
                end = at.end + rest.find('"').map_or(rest.len(), |quote| quote + 1);
                continue;
            }
            _ if ends && depth == 0 => break,
            _ => {}
        }
        end = at.end;
    }
    Some(start..end)
}
