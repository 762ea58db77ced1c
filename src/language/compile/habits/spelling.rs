//! Words that are nearly right within a part of several words, and words that grew together.

use crate::language::words::{ENDS, HEADERS, near, quoted};
use crate::model::{Channel, Confirmation, Span, TimeOfDay, ZoneTable};

use super::Meant;
use super::text::{Around, Word};

/// `smsafter`, `thensms`, `after2m`: two words without the blank between them.
pub(super) fn grown_together(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let is_word = |part: &str| {
        ENDS.contains(&part)
            || ["on", "wait", "use", "every", "any", "all"].contains(&part)
            || part.parse::<Channel>().is_ok()
    };
    let is_second = |part: &str| {
        is_word(part)
            || part.parse::<Span>().is_ok()
            || part.parse::<Confirmation>().is_ok()
            || part == "quota"
    };
    let split = (2..text.len())
        .filter_map(|at| text.split_at_checked(at))
        .find(|(first, second)| is_word(first) && is_second(second))?;
    let (first, second) = split;
    let message = format!("there is no blank between `{first}` and {}", quoted(second));
    let meant = format!("{first} {second}");
    Some(Meant::write(around.at.clone(), &meant).saying(message))
}

/// `categorystaff`, `limit3 sends`: a header without the blank behind its word.
pub(super) fn header_grown_together(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    around.part(around.line_start(around.at.start)..around.at.start).trim().is_empty().then_some(())?;
    let (header, rest) = HEADERS.iter().find_map(|header| Some((*header, text.strip_prefix(header)?)))?;
    let digits = rest.starts_with(|c: char| c.is_ascii_digit());
    let fits = match header {
        "category" => rest.len() > 2 && rest.bytes().all(|b| b.is_ascii_lowercase()),
        "expires" => rest == "after" || digits,
        "vars" => rest.is_empty(),
        _ => digits,
    };
    let at = around.at.start..around.at.start + text.len();
    let message = format!("there is no blank between `{header}` and {}", quoted(rest));
    fits.then(|| {
        Meant::write(at, &format!("{header} {rest}")).saying(message).until(around.line_end(around.at.end))
    })
}

/// `retry 2 tims evry 30s`: what is nearly a part of `retry` or `repeat`.
pub(super) fn again(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (line, begin) = (around.line_end(around.at.start), text.split_whitespace().next()?);
    let (count, number) = around.word_from(around.at.start + begin.len())?;
    if !["retry", "repeat"].contains(&begin) || !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let meant = |(at, word): Word<'_>, meant: &str| {
        let message = format!("unknown word {} in `{begin}`; did you mean `{meant}`?", quoted(word));
        Some(Meant::write(at, meant).saying(message))
    };
    let (times_at, times) = around.word_from(count.end).filter(|(at, _)| at.start < line)?;
    if times != "times" {
        let follows = around.word_from(times_at.end).map_or("", |(_, next)| next);
        let goes_on = near(follows, ["every", "backoff"]).is_some();
        let is_near = near(times, ["times"]).is_some() || ["x", "×", "mal", "tries"].contains(&times);
        return if is_near && goes_on { meant((times_at, times), "times") } else { None };
    }
    let (at, word) = around.word_from(times_at.end).filter(|(at, _)| at.start < line)?;
    let (_, pause) = around.word_from(at.end)?;
    if !pause.starts_with(|c: char| c.is_ascii_digit()) || ["every", "backoff"].contains(&word) {
        return None;
    }
    match word {
        "exponential" | "exponentially" | "backing" | "increasing" | "growing" => {
            meant((at, word), "backoff")
        }
        _ => meant((at, word), near(word, ["every", "backoff"])?),
    }
}

/// `22:00 ot 07:00`, `22:00 to 07:00 i UTC`: what is nearly a joint of a window.
pub(super) fn window(around: &Around<'_>, joint: &'static str) -> Option<Meant> {
    let (at, word) = around.next_on_line()?;
    let line = around.line_end(at.end);
    let (_, next) = around.word_from(at.end).filter(|(at, _)| at.start < line)?;
    let is_zone = next == "contact.timezone" || ZoneTable.get(next).is_some();
    let joints = ["to", "and", "in", "on"];
    // What is behind it was read as something else.
    if next.parse::<TimeOfDay>().is_ok() && !joints.contains(&word) && word.len() <= 4 {
        let message = format!("the times are joined by `{joint}`, not by {}", quoted(word));
        return Some(Meant::write(at, joint).named("bad-window").saying(message));
    }
    if is_zone && ["i", "n", "ni", "im", "inn", "on", "at", "zone"].contains(&word) {
        let message = format!("a zone stands behind `in`, not behind {}", quoted(word));
        let help = format!("write `in {next}`");
        return Some(Meant::write(at, "in").named("missing-zone").saying(message).help(help));
    }
    None
}

/// `betwen 09:00 and 17:00`: what follows a misspelt word was not read as its own.
pub(super) fn of_window(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let meant = near(text, ["between"]).filter(|_| text != "between")?;
    around.next_on_line().filter(|(_, next)| next.starts_with(|c: char| c.is_ascii_digit()))?;
    let message = format!("unknown word {}; did you mean `{meant}`?", quoted(text));
    Some(Meant::write(around.at.clone(), meant).saying(message))
}

/// `wait unitl 08:00 in UTC`.
pub(super) fn wait(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (_, before) = around.before()?;
    let meant = near(text, ["until"]).filter(|_| before == "wait")?;
    let message = format!("{} is not a duration; did you mean `{meant}`?", quoted(text));
    Some(Meant::write(around.at.clone(), meant).saying(message))
}

/// `then weight 2d`: a duration alone goes with `wait`, whatever was heard for it.
pub(super) fn wait_alone(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (span_at, _) = around.next_on_line().filter(|(_, span)| span.parse::<Span>().is_ok())?;
    let ends =
        around.word_from(span_at.end).is_none_or(|(_, word)| ["then", "}", "otherwise", ","].contains(&word));
    // What is nearly written so is told with a change.
    let is_slip = near(text, ["wait"]).is_some() || text.eq_ignore_ascii_case("warte");
    (ends && !is_slip && text.starts_with(['w', 'W']) && text.bytes().all(|b| b.is_ascii_alphabetic()))
        .then_some(())?;
    let message = format!("unknown word {}; did you mean `wait`?", quoted(text));
    Some(Meant::told(around.at.clone()).saying(message).help("write `wait`"))
}

/// `is AT"`: a text that lacks its first quote.
pub(super) fn opening_quote(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (quote, _) = around.next().filter(|(at, word)| *word == "\"" && at.start == around.at.end)?;
    let text = text.trim_start_matches('\'');
    let message = format!("the text {} has no opening quote", quoted(text));
    let at = around.at.clone();
    Some(
        Meant::write(at.start..at.start, "\"")
            .named("bad-text")
            .saying(message)
            .help(format!("begin it with `\"`: `\"{text}\"`"))
            .about(at.start..quote.end),
    )
}

/// `any of (sms, email]`: a group that another bracket closes.
pub(super) fn other_bracket(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (of, _) = around.next().filter(|(_, word)| ["any", "all"].contains(&text) && *word == "of")?;
    let (open, _) = around.word_from(of.end).filter(|(_, word)| *word == "(")?;
    let members = around.part(open.end..around.line_end(open.end));
    let place = members.find([')', ']', '}'])?;
    let at = open.end + place..open.end + place + 1;
    let sign = around.part(at.clone());
    // A brace at the end of the line may be that of the policy.
    let is_last = around.part(at.end..around.line_end(at.end)).trim().is_empty();
    let in_policy = around.source.get(..around.at.start)?.contains('{');
    // One more than were opened is not that of the policy.
    let own = around.part(around.part(0..at.start).rfind("policy ").unwrap_or(0)..around.next_policy(at.end));
    let is_over = in_policy && own.matches('}').count() > own.matches('{').count();
    if sign == ")" || sign == "}" && (is_last || in_policy) && !is_over {
        return None;
    }
    let message = format!("the `(` of `{text} of` is closed by `{sign}`");
    let until = if is_over { around.next_policy(at.end) } else { at.end };
    Some(Meant::write(at, ")").saying(message).until(until))
}
