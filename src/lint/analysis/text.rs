//! Where in the text something stands that the checked policy gives no place for.

use crate::language::condition::{Expr, Word};
use crate::language::policy::{Action, TextRange};
use crate::language::words::ENDS;
use crate::lint::Context;

use super::Place;

/// The words of a range with their bytes, those in comments and texts left out; brackets and commas are
/// words of their own.
pub(in crate::lint) fn words(source: &str, range: TextRange) -> impl Iterator<Item = (TextRange, &str)> {
    let bytes = source.as_bytes();
    let mut at = range.start;
    std::iter::from_fn(move || {
        while at < range.end {
            match *bytes.get(at)? {
                b'#' => at += bytes[at..range.end].iter().position(|b| *b == b'\n').unwrap_or(range.end - at),
                b'"' => {
                    let mut end = at + 1;
                    while end < range.end && bytes[end] != b'"' {
                        end += if bytes[end] == b'\\' { 2 } else { 1 };
                    }
                    at = (end + 1).min(range.end);
                }
                b if b.is_ascii_whitespace() => at += 1,
                b'(' | b')' | b'{' | b'}' | b'[' | b']' | b',' => {
                    at += 1;
                    return Some((at - 1..at, source.get(at - 1..at)?));
                }
                _ => {
                    let ends = |b: &u8| b.is_ascii_whitespace() || b"(){}[],#\"".contains(b);
                    let length = bytes[at..range.end].iter().position(ends).unwrap_or(range.end - at).max(1);
                    let word = at..at + length;
                    at += length;
                    return Some((word.clone(), source.get(word)?));
                }
            }
        }
        None
    })
}

/// From `word` to the last word that belongs to it, inside a range; the whole range where it is not
/// found.
pub(in crate::lint) fn phrase_in(source: &str, range: &TextRange, word: &str) -> TextRange {
    let (first, second) = word.split_once(' ').map_or((word, None), |(a, b)| (a, Some(b)));
    let mut found: Option<TextRange> = None;
    let mut depth = 0_usize;
    let mut all = words(source, range.clone()).peekable();
    while let Some((at, text)) = all.next() {
        let Some(phrase) = &mut found else {
            let fits = second.is_none_or(|second| all.peek().is_some_and(|(_, next)| *next == second));
            if text == first && fits {
                if second.is_some() {
                    all.next();
                }
                found = Some(at);
            }
            continue;
        };
        match text {
            "(" | "[" => depth += 1,
            ")" | "]" if depth > 0 => depth -= 1,
            "{" | ")" | "]" | "}" => break,
            "on" if all.peek().is_some_and(|(_, next)| *next == "doubt") => break,
            "," if depth == 0 && !word.starts_with("via") && !word.starts_with("limit") => break,
            _ if (ENDS.contains(&text) || text == "doubt") && depth == 0 => break,
            _ => {}
        }
        phrase.end = at.end;
    }
    found.unwrap_or_else(|| range.clone())
}

/// Words that begin a header.
const HEADERS: [&str; 5] = ["category", "expires", "quiet", "limit", "vars"];

/// Where a header of the policy stands, with what belongs to it; the policy's first word where it is not
/// found.
pub(in crate::lint) fn header_of(context: &Context<'_>, word: &str) -> TextRange {
    let policy = &context.policy.at;
    let first = context.analysis.places().first().map_or(policy.end, |place| place.at.start);
    let (mut depth, mut found) = (0_usize, None::<TextRange>);
    for (at, text) in words(context.source, policy.start..first) {
        match (text, &mut found) {
            ("{", None) => depth += 1,
            ("}", None) => depth = depth.saturating_sub(1),
            (text, Some(_)) if HEADERS.contains(&text) => break,
            (_, Some(header)) => header.end = at.end,
            (text, None) if depth == 1 && text == word => found = Some(at),
            _ => {}
        }
    }
    found.unwrap_or(policy.start..(policy.start + "policy".len()).min(policy.end))
}

/// A piece of text with the blanks before it.
pub(in crate::lint) fn before_blanks(source: &str, at: &TextRange) -> TextRange {
    let before = source.get(..at.start).unwrap_or_default().trim_end();
    // Behind a comment the line must stay ended.
    let line = before.rsplit('\n').next().unwrap_or_default();
    if line.contains('#') { at.clone() } else { before.len()..at.end }
}

/// The bytes of a stage at which its own modifiers stand.
pub(in crate::lint) fn tail_of(place: &Place<'_>) -> TextRange {
    let inside = match &place.stage.action {
        Action::Group { members, .. } if !place.used => {
            members.iter().filter_map(|member| member.stages.last()).map(|stage| stage.at.end).max()
        }
        _ => None,
    };
    inside.unwrap_or(place.at.start)..place.at.end
}

/// Where a modifier of a stage stands, with what belongs to it.
pub(in crate::lint) fn modifier_of(source: &str, place: &Place<'_>, word: &str) -> TextRange {
    if place.used { place.at.clone() } else { phrase_in(source, &tail_of(place), word) }
}

/// The bytes of `needle` inside `range`, as a word of its own; the whole range where it is not
/// found.
pub(in crate::lint) fn word_in(source: &str, range: &TextRange, needle: &str) -> TextRange {
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

/// The last place of `needle` inside `range`, as a word of its own; the whole range where it is not
/// found.
pub(in crate::lint) fn last_of(source: &str, range: &TextRange, needle: &str) -> TextRange {
    let (mut last, mut from) = (None, range.start);
    while from < range.end {
        let rest = from..range.end;
        let at = word_in(source, &rest, needle);
        if at == rest && source.get(at.clone()) != Some(needle) {
            break;
        }
        from = at.end;
        last = Some(at);
    }
    last.unwrap_or_else(|| range.clone())
}

/// `if COND` or `unless COND` with the blanks before it, where nothing but blanks stands between.
pub(in crate::lint) fn guard_text(source: &str, word: &str, condition: &TextRange) -> Option<TextRange> {
    let before = source.get(..condition.start)?.trim_end();
    let word = before.strip_suffix(word)?.len();
    Some(before_blanks(source, &(word..condition.end)))
}

/// A condition as one writes it.
pub(in crate::lint) fn written(condition: &Expr) -> String {
    let inside = |part: &Expr, also: bool| match part {
        Expr::Or(_) => format!("({})", written(part)),
        Expr::And(_) if also => format!("({})", written(part)),
        _ => written(part),
    };
    match condition {
        Expr::And(parts) => parts.iter().map(|p| inside(p, false)).collect::<Vec<_>>().join(" and "),
        Expr::Or(parts) => parts.iter().map(written).collect::<Vec<_>>().join(" or "),
        Expr::Not(part) => format!("not {}", inside(part, true)),
        Expr::Word(word) => match word {
            Word::Quota => "quota".to_owned(),
            Word::Quiet => "quiet".to_owned(),
            Word::OptedOut => "opted_out".to_owned(),
            Word::Tripped => "tripped".to_owned(),
            Word::Confirmed(level) => level.word().to_owned(),
        },
        Expr::HasAddress(channel) => format!("contact has {channel}"),
        Expr::Compare(comparison) => comparison.text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_is_found_without_comments_and_texts() {
        let text = "sms # after 1s\n via a or b after 30s if vars.x is \"retry 2\" retry 2 times every 1m";
        let phrase = |word| &text[phrase_in(text, &(0..text.len()), word)];
        assert_eq!(phrase("after"), "after 30s");
        assert_eq!(phrase("via"), "via a or b");
        assert_eq!(phrase("retry"), "retry 2 times every 1m");
        assert_eq!(phrase("valid"), text);
    }

    #[test]
    fn a_phrase_ends_at_the_bracket_that_it_stands_in() {
        let text = "any of (sms between 08:00 and 09:00 on mon, tue in UTC, email)";
        let phrase = &text[phrase_in(text, &(8..text.len()), "between")];
        assert!(phrase.starts_with("between 08:00 and 09:00"), "{phrase}");
        let text = "slack on doubt move on then sms";
        assert_eq!(&text[phrase_in(text, &(0..text.len()), "on doubt")], "on doubt move on");
    }
}
