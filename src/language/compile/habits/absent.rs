//! A word that is missing before others, which say by themselves what it was.

use crate::language::words::{HEADERS, quoted};
use crate::model::{Channel, Confirmation, Priority, Span, TimeOfDay, ZoneTable};

use super::Meant;
use super::conditions::{STATES, is_name};
use super::stage::{Stage, phrase_end};
use super::text::Around;

/// `email read`, `sms quota`, `sms 09:00 and 17:00 in UTC`: a word behind a stage whose own word is missing.
pub(super) fn behind_stage(around: &Around<'_>) -> Option<Meant> {
    goal(around)
        .or_else(|| condition(around))
        .or_else(|| window(around))
        .or_else(|| times(around))
        .or_else(|| doubt(around))
        .or_else(|| other_zone(around))
}

/// To be written before the words of the finding, up to `end`.
fn before(around: &Around<'_>, word: &str, end: usize) -> Meant {
    let (start, said) = (around.at.start, around.part(around.at.start..end));
    Meant::write(start..start, &format!("{word} "))
        .saying(format!("there is no `{word}` before {}", quoted(said)))
        .help(format!("write {}", quoted(&format!("{word} {said}"))))
        .about(start..end)
        .until(end)
}

/// One of two words, which mean two things: who wrote the rest knows which.
fn one_of(around: &Around<'_>, [(one, why), (other, otherwise)]: [(&str, &str); 2], end: usize) -> Meant {
    let said = around.part(around.at.start..end);
    Meant::told(around.at.start..end)
        .saying(format!("there is no `{one}` or `{other}` before {}", quoted(said)))
        .help(format!(
            "write {} {why}, or {} {otherwise}",
            quoted(&format!("{one} {said}")),
            quoted(&format!("{other} {said}"))
        ))
}

/// `email read after 5m`.
fn goal(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let confirmation = text.parse::<Confirmation>().ok()?;
    let stage = Stage::around(around)?;
    if stage.has("until") || !stage.sends {
        return None;
    }
    // Nothing can have been read before the first stage.
    if confirmation == Confirmation::Accepted || stage.is_first && !stage.ends_with_condition() {
        return Some(before(around, "until", around.at.end));
    }
    if stage.ends_with_condition() {
        return None;
    }
    let choices =
        [("until", "where it is waited for"), ("unless", "where nothing is to be sent any more then")];
    (!stage.has("unless")).then(|| one_of(around, choices, around.at.end))
}

/// `sms quota`, `push if contact has push vars.urgent`: a condition without the word before it.
fn condition(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let stage = Stage::around(around).filter(|_| begins_condition(around, text))?;
    let end = phrase_end(around, around.at.start);
    // `sms priority high`
    let names_priority = |(_, word): &super::text::Word<'_>| word.parse::<Priority>().is_ok();
    if text == "priority" && around.next().as_ref().is_some_and(names_priority) {
        return None;
    }
    if stage.ends_with_condition() {
        let choices = [("and", "where both must be true"), ("or", "where one is enough")];
        return Some(one_of(around, choices, end));
    }
    match (stage.has("if"), stage.has("unless")) {
        (true, true) => None,
        (false, true) => Some(before(around, "if", end)),
        (true, false) => Some(before(around, "unless", end)),
        // Who has opted out gets nothing anyway, so that only one of the two says something.
        (false, false) if is_obstacle(around.part(around.at.start..end)) => {
            Some(before(around, "unless", end))
        }
        // `unless not` is said by nobody.
        (false, false) if text == "not" => Some(before(around, "if", end)),
        (false, false) => {
            let choices = [("if", "where it is sent only then"), ("unless", "where it is not sent then")];
            Some(one_of(around, choices, end))
        }
    }
}

/// Whether a condition asks for nothing but what keeps a stage from being sent.
fn is_obstacle(condition: &str) -> bool {
    condition.split_whitespace().all(|word| ["quota", "opted_out", "tripped", "or"].contains(&word))
}

/// Whether a condition begins at the finding.
fn begins_condition(around: &Around<'_>, text: &str) -> bool {
    let next = around.next_on_line().map_or("", |(_, next)| next);
    let is_compared = ["is", "in", "has", "<", ">", "=", "!"].contains(&next);
    match text {
        "not" => STATES.contains(&next) || is_name(next) || ["contact", "("].contains(&next),
        "contact" => next == "has",
        _ if STATES.contains(&text) => true,
        // `vars.vip` may stand alone.
        _ if text.starts_with("vars.") || text.starts_with("contact.") => true,
        _ => is_name(text) && is_compared,
    }
}

/// `quiet 21:00 to 08:00 in UTC priority is urgent`: the guard of the quiet hours.
pub(super) fn quiet_guard(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (_, first) = around.word_from(around.line_start(around.at.start))?;
    (first == "quiet" && begins_condition(around, text)).then_some(())?;
    Some(before(around, "unless", phrase_end(around, around.at.start)))
}

/// `{ code: string }` among the headers.
pub(super) fn vars(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    text.starts_with('{').then_some(())?;
    let close = around.closing(around.at.start)?;
    let inner = around.part(around.at.start..close.end);
    (is_among_headers(around) && inner.contains(':') && !has_header(around, "vars")).then_some(())?;
    Some(before(around, "vars", close.end).named("bad-var"))
}

/// `voice after 4h 09:00 and 17:00 in UTC`.
fn window(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (joint, word) = two_times(around, text)?;
    Stage::around(around).filter(|stage| !stage.has("between"))?;
    let (second, to) = around.word_from(joint.end)?;
    let meant = before(around, "between", second.end).help(format!("write `between {text} and {to}`"));
    Some(if word == "and" { meant } else { meant.and(joint, "and") })
}

/// The word between two times.
fn two_times<'s>(around: &Around<'s>, text: &str) -> Option<super::text::Word<'s>> {
    text.parse::<TimeOfDay>().ok()?;
    let (joint, word) = around.next_on_line().filter(|(_, word)| ["and", "to"].contains(word))?;
    around.word_from(joint.end).filter(|(_, time)| time.parse::<TimeOfDay>().is_ok())?;
    Some((joint, word))
}

/// `sms 2 times backoff 1s to 10s`, `sms 2 times every 5m`.
fn times(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    text.parse::<u32>().ok()?;
    let (times, _) = around.next_on_line().filter(|(_, word)| *word == "times")?;
    let stage = Stage::around(around).filter(|stage| stage.sends)?;
    let (pause, word) = around.word_from(times.end)?;
    let end = match word {
        "backoff" => return Some(before(around, "retry", times.end)),
        "every" => around.word_from(pause.end)?.0.end,
        _ => times.end,
    };
    match (stage.has("retry"), stage.has("repeat")) {
        (true, false) => Some(before(around, "repeat", end)),
        (false, true) => Some(before(around, "retry", end)),
        (true, true) => None,
        (false, false) => {
            let choices =
                [("retry", "for tries that fail"), ("repeat", "for sending again while nobody confirms")];
            Some(one_of(around, choices, end))
        }
    }
}

/// `voice repeat 3 times every 5m resend`.
fn doubt(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let stage = Stage::around(around).filter(|stage| stage.sends && !stage.has("on"))?;
    stage.has_action.then_some(())?;
    let end = match text {
        "resend" => around.at.end,
        "move" => around.next_on_line().filter(|(_, word)| *word == "on")?.0.end,
        // `on wait`
        "on" => {
            let (choice, _) =
                around.next_on_line().filter(|(_, word)| ["wait", "resend", "move"].contains(word))?;
            let on = around.at.end;
            let message = "there is no `doubt` behind `on`";
            let help = format!("write `on doubt {}`", around.part(choice.clone()));
            let meant = Meant::write(on..on, " doubt").saying(message).help(help).about(around.at.clone());
            return Some(meant.until(choice.end));
        }
        _ => return None,
    };
    super::turned::doubt(around, end).or_else(|| Some(before(around, "on doubt", end)))
}

/// `in contact.timezone Europe/Vienna`.
pub(super) fn other_zone(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    around.before().filter(|(_, word)| *word == "contact.timezone")?;
    let is_zone = ZoneTable.get(text).is_some() && text.contains('/') || text == "UTC";
    is_zone.then(|| before(around, "else", around.at.end))
}

/// `then until 08:00 in UTC`.
pub(super) fn wait(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    text.strip_prefix("until")?.trim().parse::<TimeOfDay>().ok()?;
    Some(before(around, "wait", around.at.end))
}

/// `wait 09:00 in UTC`.
pub(super) fn until_time(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    around.before().filter(|(_, word)| *word == "wait")?;
    text.parse::<TimeOfDay>().ok()?;
    Some(before(around, "until", around.at.end).help(format!("write `wait until {text}`")))
}

/// `20:30 to 07:30 in UTC`, `3 sends`, `after 14h` among the headers: what stands behind a header's word.
pub(super) fn header(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    if !is_among_headers(around) {
        return None;
    }
    let end = around.blanks_before(around.line_end(around.at.start));
    let end = around.part(around.at.start..end).find('#').map_or(end, |sign| around.at.start + sign);
    let end = around.blanks_before(end);
    let first = text.split_whitespace().next()?;
    let next = around.word_from(around.at.start + first.len()).map_or("", |(_, word)| word);
    let is_number = first.starts_with(|c: char| c.is_ascii_digit());
    let word = match first {
        "after" if next.parse::<Span>().is_ok() => "expires",
        _ if two_times(around, first).is_some() => "quiet",
        _ if is_number && (next == "sends" || next.parse::<crate::model::Currency>().is_ok()) => "limit",
        _ => return None,
    };
    (!has_header(around, word)).then(|| before(around, word, end))
}

/// Whether a finding begins a line between the heading of a policy and its first stage.
pub(super) fn is_among_headers(around: &Around<'_>) -> bool {
    let line = around.line_start(around.at.start);
    let stands_first = around.part(line..around.at.start).trim().is_empty();
    let before = around.part(0..line);
    let Some(heading) = before.rfind("policy ") else { return false };
    let mut lines_before = before.get(heading..).unwrap_or_default().lines().skip(1);
    let has_stage =
        lines_before.any(|line| ["then", "otherwise"].contains(&first_word(line)) || begins_stage(line));
    let behind = around.part(around.line_end(around.at.end)..around.source.len());
    let next = behind.lines().find(|line| !["", "#"].contains(&first_word(line)));
    // What stands directly before a `then` may be the first stage.
    let is_followed = next.is_some_and(|line| HEADERS.contains(&first_word(line)) || begins_stage(line));
    stands_first && !has_stage && is_followed
}

/// The first word of a line, `#` where it is a comment.
fn first_word(line: &str) -> &str {
    let word = line.split_whitespace().next().unwrap_or_default();
    if word.starts_with('#') { "#" } else { word }
}

fn begins_stage(line: &str) -> bool {
    let word = first_word(line);
    ["any", "all", "use", "wait"].contains(&word) || word.parse::<Channel>().is_ok()
}

/// Whether the policy of a finding has a header already.
fn has_header(around: &Around<'_>, word: &str) -> bool {
    let start = around.part(0..around.at.start).rfind("policy ").unwrap_or(0);
    let rest = around.part(start..around.source.len());
    let policy = rest.find("\npolicy ").and_then(|end| rest.get(..end)).unwrap_or(rest);
    policy.lines().any(|line| first_word(line) == word)
}

/// `limit 3 sends, 0.60`: an amount without its currency.
pub(super) fn currency(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    text.contains('.').then_some(())?;
    text.parse::<f64>().ok()?;
    // `0.25 bucks` has one, though nobody knows which.
    around.next_on_line().is_none_or(|(_, next)| [",", "#", "}"].contains(&next)).then_some(())?;
    let known = ["EUR", "USD", "CHF", "GBP"].into_iter().filter(|known| around.source.contains(known));
    let currencies: Vec<&str> = known.collect();
    let message = format!("the amount {} has no currency", quoted(text));
    let currency = currencies.first().copied().unwrap_or("EUR");
    let help = format!("write it behind the amount, for example `{text} {currency}`");
    Some(Meant::told(around.at.clone()).named("bad-money").saying(message).help(help))
}

/// A stage that is missing before or behind a word.
pub(super) fn stage(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let before = around.before();
    if text == "or" && before.as_ref().is_some_and(|(_, word)| *word == "contact.timezone") {
        return Some(super::stages::other_zone(around));
    }
    // `repeat sms 3 times every 5m`
    if let Some((word @ ("retry" | "repeat"), channel)) = text.split_once(' ')
        && channel.parse::<Channel>().is_ok()
    {
        let message = format!("`{word}` stands behind its channel");
        let meant = Meant::write(around.at.clone(), &format!("{channel} {word}"));
        return Some(meant.named(if word == "retry" { "bad-retry" } else { "bad-repeat" }).saying(message));
    }
    if text == "then"
        && let Some((at, quote @ ("\"" | "'" | "`"))) = around.next_on_line()
        && let Some((name_at, name)) = around.word_from(at.end)
        && name.parse::<Channel>().is_ok()
        && let Some((close, end)) = around.word_from(name_at.end)
        && end == quote
    {
        let message = format!("{} stands without quotes", quoted(name));
        let whole = at.start..close.end;
        return Some(Meant::write(whole.clone(), name).named("stray-text").saying(message));
    }
    // `then` alone on the line before another one.
    if text == "then"
        && let Some((at, "then")) = before.clone()
        && let own = around.part(around.line_start(at.start)..around.line_end(at.end))
        && own.trim() == "then"
    {
        let meant = Meant::told(at).saying("behind `then` nothing is said").until(around.at.end);
        return Some(meant.help("write a stage there, or leave the word out"));
    }
    // What stood behind it was lost, and nobody knows what.
    let line = around.part(around.line_start(around.at.start)..around.line_end(around.at.end));
    if text == "then" && line.split('#').next().is_some_and(|line| line.trim() == "then") && before.is_some()
    {
        let meant = Meant::told(around.at.clone()).saying("behind `then` nothing is said");
        return Some(meant.help("write a stage there, or leave the word out"));
    }
    if text == "then" {
        let help = "write a stage there, or leave the word out";
        let rest = around.part(around.at.end..around.source.len());
        let stage = rest.find(" then ").and_then(|end| rest.get(..end)).unwrap_or(rest);
        // Who writes how long to wait for what stood before has lost that, and did not write too much.
        let is_doubled = before
            .as_ref()
            .is_some_and(|(at, word)| *word == "then" && at.start < around.line_start(around.at.start));
        if !is_doubled && stage.split_whitespace().any(|word| word == "after") {
            return Some(Meant::told(around.at.clone()).help(help));
        }
        let line = around.line_start(around.at.start);
        let stands_first = around.part(line..around.at.start).trim().is_empty();
        let start = around.source.get(..around.at.start)?.trim_end().len();
        let whole = match stands_first || start == 0 {
            true => around.at.start..around.blanks_from(around.at.end),
            false => start..around.at.end,
        };
        return Some(Meant::told(around.at.clone()).changing(whole, "").help(help));
    }
    // `after 30s sms`
    let (at, channel) = around.next()?;
    if ["after ", "if ", "unless ", "via ", "until "].iter().any(|word| text.starts_with(word))
        && channel.parse::<Channel>().is_ok()
    {
        if let Some(first) = text.strip_prefix("after ").filter(|first| first.parse::<Channel>().is_ok()) {
            let message = "`after` stands before a time; stages are joined by `then`";
            let meant = Meant::write(around.at.clone(), &format!("{first} then")).saying(message);
            return Some(meant.help(format!("write `{first} then {channel}`")));
        }
        let whole = around.at.start..at.end;
        let message = format!("{} stands before its channel", quoted(text));
        return Some(Meant::write(whole, &format!("{channel} {text}")).saying(message));
    }
    None
}
