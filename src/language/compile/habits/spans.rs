//! What stands before a duration and hides it, and words that stand twice.

use crate::language::words::quoted;
use crate::model::Span;

use super::Meant;
use super::text::Around;

/// `after after 5m`: a word that the hand wrote twice.
pub(super) fn doubled(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let word = text.split_whitespace().next()?;
    let behind = around.word_from(around.at.start + word.len()).filter(|(_, next)| *next == word);
    let before = around.before().filter(|(_, before)| *before == word);
    let line = around.line_end(around.at.end);
    let at = match (behind, before) {
        (Some((at, _)), _) if at.start < line => at,
        (_, Some(_)) => around.at.clone(),
        _ => return None,
    };
    let message = format!("{} stands twice", quoted(word));
    Some(Meant::leave_out(around, at).named("repeated-modifier").saying(message))
}

/// What a duration stands behind, where it was taken for missing: `after "5m"`, `after (5m)`, `after ~5m`.
pub(super) fn hidden(around: &Around<'_>) -> Option<Meant> {
    let (at, sign) = around.next_on_line()?;
    let (span_at, span) = around.word_from(at.end).unwrap_or((at.end..at.end, ""));
    let is_span = span.parse::<Span>().is_ok();
    match sign {
        "between" if is_span => Some(range(around, at.start)?),
        "\"" | "'" | "(" | "[" if is_span => {
            let (close, closing) = around.word_from(span_at.end)?;
            let fits = matches!((sign, closing), ("\"", "\"") | ("'", "'") | ("(", ")") | ("[", "]"));
            let message = format!("the duration {} stands without quotes and brackets", quoted(span));
            let whole = at.start..close.end;
            fits.then(|| Meant::write(whole, span).named("bad-duration").saying(message))
        }
        "~" | ">" | "<" | "=" | "+" | "≈" | "≥" | "≤" if is_span => {
            let message = format!("{} is not needed before a duration", quoted(sign));
            let whole = at.start..span_at.end;
            Some(Meant::write(whole, span).named("bad-duration").saying(message).about(at))
        }
        // `'5m'` is one word here.
        _ => {
            let span = sign.trim_matches(['\'', '’']);
            let message = format!("the duration {} stands without quotes and brackets", quoted(span));
            (span != sign && span.parse::<Span>().is_ok())
                .then(|| Meant::write(at, span).named("bad-duration").saying(message))
        }
    }
}

/// `5m or 10m`, `between 5m and 10m`, from a byte on.
fn range(around: &Around<'_>, from: usize) -> Option<Meant> {
    let (mut start, mut word) = around.word_from(from)?;
    if word == "between" {
        (start, word) = around.word_from(start.end)?;
    }
    let (joint, joins) = around.word_from(start.end)?;
    let (last, other) = around.word_from(joint.end)?;
    let joined = ["or", "and", "to", "-", "–", "until"].contains(&joins);
    let fits = joined && word.parse::<Span>().is_ok() && other.parse::<Span>().is_ok();
    let whole = from..last.end;
    let message = format!("{} are two durations, and one is needed", quoted(around.part(whole.clone())));
    let help = format!("write `{word}` or `{other}`");
    let meant = Meant::told(whole).named("bad-duration").saying(message).help(help);
    fits.then_some(meant)
}

/// `5m or 10m`: the joint between two durations.
pub(super) fn two(around: &Around<'_>) -> Option<Meant> {
    let (first, _) = around.before()?;
    range(around, first.start)
}

/// `5m-10m`, `at least 5m`, `five`: what is no duration.
pub(super) fn more_or_less(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    if let Some((one, other)) = text.split_once(['-', '–'])
        && one.parse::<Span>().is_ok()
        && other.parse::<Span>().is_ok()
    {
        let message = format!("{} are two durations, and one is needed", quoted(text));
        let meant = Meant::told(around.at.clone()).saying(message);
        return Some(meant.help(format!("write `{one}` or `{other}`")));
    }
    const FILLING: [&str; 10] = [
        "at least",
        "at most",
        "more than",
        "less than",
        "about",
        "max",
        "min",
        "around",
        "exactly",
        "approx",
    ];
    for words in FILLING {
        let Some(whole) = around.words_from(around.at.start, words) else { continue };
        let (_, span) = around.word_from(whole.end)?;
        if span.parse::<Span>().is_ok() {
            let message = format!("{} is not needed before a duration", quoted(words));
            return Some(Meant::leave_out(around, whole).saying(message));
        }
    }
    let digits = super::values::number(text)?;
    let message = format!("{} is not a duration", quoted(text));
    let meant = Meant::told(around.at.clone()).saying(message);
    Some(meant.help(format!("say the unit: `{digits}s`, `{digits}m`, `{digits}h` or `{digits}d`")))
}

/// `valid until 10m`.
pub(super) fn valid_until(around: &Around<'_>) -> Option<Meant> {
    let (at, word) = around.next_on_line().filter(|_| around.text() == "valid")?;
    around.word_from(at.end).filter(|(_, span)| span.parse::<Span>().is_ok())?;
    let message = format!("`valid` stands before its duration without {}", quoted(word));
    let fits = ["until", "within", "till", "after", "in"].contains(&word);
    fits.then(|| Meant::leave_out(around, at).named("bad-valid").saying(message))
}

/// `backoff 1s-10s`, `backoff 1s 10s`: two pauses with another sign between them, or with none.
pub(super) fn dashed(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let backoff = around.at.start + text.rfind("backoff")? + "backoff".len();
    let (first, word) = around.word_from(backoff)?;
    let pauses = |one: &str, other: &str| one.parse::<Span>().is_ok() && other.parse::<Span>().is_ok();
    let written = |whole: std::ops::Range<usize>, one: &str, other: &str, message: String| {
        let meant = Meant::write(whole.clone(), &format!("{one} to {other}")).saying(message);
        Some(meant.named("bad-retry").until(whole.end))
    };
    for sign in super::values::DASHES.into_iter().chain(["/", ":", ".."]) {
        if let Some((one, other)) = word.split_once(sign).filter(|(one, other)| pauses(one, other)) {
            let message = format!("the pauses of `backoff` are joined by `to`, not by `{sign}`");
            return written(first.clone(), one, other, message);
        }
    }
    let (second, other) = around.word_from(first.end)?;
    let message = format!("there is no `to` before {}", quoted(other));
    if pauses(word, other) { written(first.start..second.end, word, other, message) } else { None }
}

/// `retry 5 times every 2s to 30s`: pauses from one to another stand behind `backoff`.
pub(super) fn pauses(around: &Around<'_>) -> Option<Meant> {
    ["to", "-", "–", "until", "up"].contains(&around.text()).then_some(())?;
    let (first, from) = around.before().filter(|(_, span)| span.parse::<Span>().is_ok())?;
    let (every, _) = around.word_before(first.start).filter(|(_, word)| *word == "every")?;
    let (last, to) = around.next_on_line().filter(|(_, span)| span.parse::<Span>().is_ok())?;
    let line = around.part(around.line_start(every.start)..every.start);
    let repeats = line.rfind("repeat ") > line.rfind("retry ");
    let whole = every.start..last.end;
    let message = format!("{} are two pauses, and `every` has one", quoted(around.part(whole.clone())));
    let meant =
        Meant::told(whole.clone()).named(if repeats { "bad-repeat" } else { "bad-retry" }).saying(message);
    Some(match repeats {
        true => meant.help(format!("write `every {from}`, or `every {to}`")),
        false => meant
            .changing(whole, &format!("backoff {from} to {to}"))
            .help(format!("write `backoff {from} to {to}` for pauses that grow")),
    })
}
