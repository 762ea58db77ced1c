//! `retry`, `repeat` and `on doubt` in other words.

use crate::language::words::quoted;
use crate::model::Span;

use super::Meant;
use super::text::Around;
use super::values::DASHES;

/// `retry` and `repeat` in other words.
pub(super) fn again(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let word = text.split_whitespace().next()?;
    let line = around.line_end(around.at.end);
    // `repeat every 5m 3 times`
    let mut words = text.split_whitespace().skip(1);
    if words.next() == Some("every")
        && let Some(pause) = words.next().filter(|pause| pause.parse::<Span>().is_ok())
        && let Some((at, count)) = around.next_on_line()
        && count.bytes().all(|b| b.is_ascii_digit())
        && let Some((last, "times")) = around.word_from(at.end)
    {
        let whole = around.at.start..last.end;
        return Some(Meant::write(whole, &format!("{word} {count} times every {pause}")));
    }
    // `retry backoff 1s to 30s 5 times`
    if let Some(pauses) = text.strip_prefix(word).map(str::trim).filter(|rest| rest.starts_with("backoff "))
        && let Some((count_at, count)) = around.next_on_line()
        && count.bytes().all(|b| b.is_ascii_digit())
        && let Some((last, "times")) = around.word_from(count_at.end)
    {
        let message = format!("how often stands before the pauses of `{word}`");
        let whole = around.at.start..last.end;
        return Some(Meant::write(whole, &format!("{word} {count} times {pauses}")).saying(message));
    }
    // `retry 3 every 1m`
    let (count_at, count) = around.word_from(around.at.start + word.len())?;
    if count.bytes().all(|b| b.is_ascii_digit())
        && let Some((_, "every" | "backoff")) = around.word_from(count_at.end)
    {
        return Some(Meant::write(count_at, &format!("{count} times")));
    }
    let (at, next) = around.next_on_line()?;
    // `repeat until replied every 5m`: the pause stands apart from its word.
    if text == word
        && let Some(place) = around.part(at.start..line).find(" every ")
        && let Some((pause, _)) = around.word_from(at.start + place + " every ".len())
    {
        let message = format!("`{word}` does not say how often");
        let help = format!("write for example `{word} 2 times every 5m`, in one piece");
        return Some(Meant::told(around.at.start..pause.end).saying(message).help(help).until(line));
    }
    let joins = DASHES.contains(&next) || ["until", "till", "and", "up", ".."].contains(&next);
    if joins && text.contains("backoff") {
        let message = format!("the pauses of `backoff` are joined by `to`, not by {}", quoted(next));
        return Some(Meant::write(at, "to").saying(message));
    }
    let (_, pause) = around.word_from(at.end).unwrap_or((at.clone(), ""));
    let pauses =
        ["each", "in", "with", "per", "alle", "all", "after", "apart", "at", "by", "pause", "waiting"];
    if pauses.contains(&next) && pause.parse::<Span>().is_ok() && !text.contains("backoff") {
        let message = format!("the pause of `{word}` stands behind `every`, not behind {}", quoted(next));
        let (pause_at, _) = around.word_from(at.end)?;
        let meant = Meant::write(at, "every").saying(message).help(format!("write `every {pause}`"));
        // `with 1m pause`
        let behind =
            around.word_from(pause_at.end).filter(|(_, word)| ["pause", "apart", "between"].contains(word));
        return Some(match behind {
            Some((last, _)) => meant.and(pause_at.end..last.end, ""),
            None => meant,
        });
    }
    // `repeat 3 times q5m`
    if let Some(span) = next.find(|c: char| c.is_ascii_digit()).and_then(|digits| next.get(digits..))
        && span != next
        && span.parse::<Span>().is_ok()
    {
        let message = format!("the pause of `{word}` stands behind `every`, not as {}", quoted(next));
        return Some(Meant::write(at, &format!("every {span}")).saying(message));
    }
    if next.parse::<Span>().is_ok() {
        let message = format!("there is no `every` before {}", quoted(next));
        return Some(Meant::write(at, &format!("every {next}")).saying(message));
    }
    None
}

/// `on doubt` with another word.
pub(super) fn doubt(around: &Around<'_>) -> Option<Meant> {
    let behind = if around.text().starts_with("on") {
        around.next_on_line()?
    } else {
        (around.at.clone(), around.text())
    };
    let (mut at, word) = behind;
    let next = around.word_from(at.end);
    if let Some((again, "again" | "twice")) = next {
        at.end = again.end;
    } else if let ("go" | "carry" | "moving", Some((on, "on"))) = (word, next) {
        let whole = at.start..on.end;
        let message = format!(
            "{} says nothing of what is done in doubt; did you mean `move on`?",
            quoted(around.part(whole.clone()))
        );
        return Some(Meant::write(whole, "move on").saying(message).help("write `on doubt move on`"));
    }
    let meant = match word {
        "retry" | "again" | "repeat" | "resent" | "send" | "sendagain" => "resend",
        "move" | "fail" | "skip" | "next" | "move_on" | "continue" | "moveon" | "then" => "move on",
        "ignore" | "accept" | "accepted" | "hold" => "wait",
        _ => return None,
    };
    let message = format!("{} says nothing of what is done in doubt; did you mean `{meant}`?", quoted(word));
    Some(Meant::write(at, meant).saying(message).help(format!("write `on doubt {meant}`")))
}

/// `retries: 3`, `retry = 3`: a setting.
pub(super) fn retry_setting(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    const NAMES: [&str; 6] = ["retry", "retries", "retry_count", "max_retries", "maxRetries", "retry_times"];
    let word = text.split([' ', ':', '=']).next().filter(|word| NAMES.contains(word))?;
    let behind = around.part(around.at.start + word.len()..around.line_end(around.at.start));
    let number = behind.trim_start().strip_prefix([':', '='])?.trim_start();
    let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    let (count, rest) = number.split_at_checked(digits).filter(|(count, _)| !count.is_empty())?;
    (rest.is_empty() || rest.starts_with([' ', ',', '}', ')', '#'])).then_some(())?;
    let whole = around.at.start..around.at.start + word.len() + behind.len() - rest.len();
    let message = format!("{} is not how `retry` is written", quoted(around.part(whole.clone())));
    let pause = around.word_from(whole.end).map_or("", |(_, next)| next);
    if ["every", "backoff"].contains(&pause) {
        return Some(Meant::write(whole, &format!("retry {count} times")).named("bad-retry").saying(message));
    }
    let help = format!("write `retry {count} times every 1m`, with the pause that is meant");
    Some(Meant::told(whole).named("bad-retry").saying(message).help(help))
}
