//! Words that stand behind what they should stand before.

use crate::language::words::quoted;
use crate::model::Span;

use super::Meant;
use super::stage::is_end;
use super::text::Around;

/// Words that stand before what belongs to them.
const LEADING: [&str; 10] =
    ["retry", "repeat", "via", "after", "if", "unless", "until", "valid", "every", "backoff"];
/// Words that may stand between two parts of `retry`, so that the first of them is over.
const PARTS: [&str; 2] = ["every", "backoff"];
/// The most words that stand before their own.
const WORDS_MAX: usize = 8;

/// `2 times retry`, `twilio or vonage via`, `quota unless`: the leading word behind its words.
pub(super) fn phrase(around: &Around<'_>) -> Option<Meant> {
    from(around, around.at.start)
}

/// The same from a byte on.
fn from(around: &Around<'_>, start: usize) -> Option<Meant> {
    let (line, mut end) = (around.line_end(start), start);
    for count in 0..WORDS_MAX {
        let (at, word) = around.word_from(end).filter(|(at, _)| at.start < line)?;
        let is_over = || {
            around
                .word_from(at.end)
                .is_none_or(|next| next.0.start >= line || is_end(around, &next) || PARTS.contains(&next.1))
        };
        if LEADING.contains(&word) && count > 0 && is_over() {
            let inner = around.part(start..end);
            let whole = start..at.end;
            let message = format!("{} stands the wrong way round", quoted(around.part(whole.clone())));
            let meant = || Meant::write(whole, &format!("{word} {inner}")).saying(message);
            return belongs(word, inner).then(meant);
        }
        if is_end(around, &(at.clone(), word)) && word != "," {
            return None;
        }
        end = at.end;
    }
    None
}

/// Whether words are such as stand behind a leading word.
fn belongs(word: &str, inner: &str) -> bool {
    let words: Vec<&str> = inner.split_whitespace().collect();
    match word {
        "retry" | "repeat" => words.get(1) == Some(&"times"),
        "after" | "valid" | "every" => words.len() == 1 && inner.parse::<Span>().is_ok(),
        "backoff" => matches!(words.as_slice(), [_, "to", _]),
        "until" => inner.parse::<crate::model::Confirmation>().is_ok(),
        _ => !inner.is_empty(),
    }
}

/// `retry 2 times 1s to 10s backoff`, `retry 2 times 1s to 10s`: pauses whose word stands behind them, or
/// nowhere.
pub(super) fn pauses(around: &Around<'_>) -> Option<Meant> {
    let (first, from_pause) = around.next_on_line().filter(|(_, word)| word.parse::<Span>().is_ok())?;
    if let Some(meant) = from(around, first.start) {
        return Some(meant.named("bad-retry"));
    }
    let (to, _) = around.word_from(first.end).filter(|(_, word)| *word == "to")?;
    let (last, to_pause) = around.word_from(to.end).filter(|(_, word)| word.parse::<Span>().is_ok())?;
    around.text().starts_with("retry").then_some(())?;
    let said = format!("{from_pause} to {to_pause}");
    Some(
        Meant::write(first.start..first.start, "backoff ")
            .saying(format!("there is no `backoff` before `{said}`"))
            .help(format!("write `backoff {said}`"))
            .about(first.start..last.end),
    )
}

/// `move on on doubt`: what is done in doubt, up to `end`, before its words.
pub(super) fn doubt(around: &Around<'_>, end: usize) -> Option<Meant> {
    let last = around.words_from(end, "on doubt")?;
    let (whole, choice) = (around.at.start..last.end, around.part(around.at.start..end));
    let message = format!("{} stands the wrong way round", quoted(around.part(whole.clone())));
    Some(Meant::write(whole, &format!("on doubt {choice}")).named("bad-doubt").saying(message))
}

/// `push wait on doubt`: it was taken for a stage of its own.
pub(super) fn doubt_as_stage(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    text.starts_with("wait on doubt").then(|| doubt(around, around.at.start + "wait".len())).flatten()
}
