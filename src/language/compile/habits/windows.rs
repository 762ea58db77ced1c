//! Windows, days and zones, as people write them.

use crate::language::words::quoted;
use crate::model::{Days, ZoneTable};

use super::Meant;
use super::text::Around;
use super::values::{DASHES, day_before, joint, oclock, time_meant};

/// `quiet in Europe/Vienna 21:00 to 06:30`: the zone before its times.
pub(super) fn zone_first(around: &Around<'_>) -> Option<Meant> {
    let start = around.line_start(around.at.start);
    let (header, _) = around.word_from(start).filter(|(_, word)| *word == "quiet")?;
    let line = around.line_end(header.end);
    let next = |end: usize| around.word_from(end).filter(|(at, _)| at.end <= line);
    let (first, _) = next(header.end).filter(|(_, word)| *word == "in")?;
    let (zone_at, zone) =
        next(first.end).filter(|(_, zone)| *zone == "contact.timezone" || ZoneTable.get(zone).is_some())?;
    let (from_at, from) = next(zone_at.end)?;
    let (joint, _) = next(from_at.end).filter(|(_, word)| *word == "to")?;
    let (to_at, to) = next(joint.end)?;
    let [from, to] = [super::values::time_meant(from)?, super::values::time_meant(to)?];
    let meant = format!("{from} to {to} in {zone}");
    let message = "the times of `quiet` stand before their zone";
    let whole = first.start..to_at.end;
    let meant = Meant::write(whole, &meant).named("missing-time").saying(message);
    Some(meant.until(to_at.end))
}

/// `22:00 to 07:00 hours in Europe/Berlin`: words between the times and their zone.
pub(super) fn filling(around: &Around<'_>) -> Option<Meant> {
    const FILLING: [&str; 10] =
        ["hours", "hour", "h", "hrs", "uhr", "o'clock", "o’clock", "local", "time", "clock"];
    let line = around.line_end(around.at.end);
    let (first, _) = around.word_before(around.at.end)?;
    let start = if around.text().contains(':') { around.at.end } else { first.start };
    let (mut end, mut all) = (start, None::<std::ops::Range<usize>>);
    while let Some((at, word)) = around.word_from(end).filter(|(at, _)| at.start < line) {
        if word == "in" {
            break;
        }
        FILLING.contains(&word.to_lowercase().as_str()).then_some(())?;
        all = Some(all.map_or(at.start, |all| all.start)..at.end);
        end = at.end;
    }
    let (whole, (time_at, time)) = (all?, around.word_before(start)?);
    // `8:00 Uhr` alone is a time in other words.
    let (_, joint) = around.word_before(time_at.start)?;
    let message = format!("{} is not needed behind the times", quoted(around.part(whole.clone())));
    let fits = ["to", "and"].contains(&joint)
        && time.contains(':')
        && around.word_from(end).is_some_and(|(_, word)| word == "in");
    fits.then(|| Meant::leave_out(around, whole).named("bad-window").saying(message))
}

/// `wait until tomorrow`: the zone is missing to no time at all.
pub(super) fn no_time(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (at, word) = around.word_before(around.at.end).filter(|_| text.starts_with("until "))?;
    let behind = Around { source: around.source, at: at.clone() };
    if let Some(meant) = super::schedules::date(&behind).or_else(|| super::spoken::time(&behind)) {
        return Some(meant);
    }
    if time_meant(word).is_some() || word.contains(':') {
        return None;
    }
    let message = format!("{} is not a time of day", quoted(word));
    let help = "write for example `wait until 09:00 in contact.timezone`";
    let line = around.line_end(at.end);
    let meant = Meant::told(at).named("bad-time").saying(message).help(help);
    Some(meant.until(line))
}

/// The single days from one to another, as they are written.
fn days_between(from: &str, to: &str) -> Option<String> {
    let place = |word: &str| {
        let lower = word.to_lowercase();
        Days::WORDS.iter().position(|day| lower.starts_with(day))
    };
    let (from, to) = (place(from)?, place(to)?);
    match (from, to) {
        (0, 4) => Some("weekdays".to_owned()),
        (5, 6) => Some("weekends".to_owned()),
        _ => (from < to).then(|| Days::WORDS.get(from..=to).map(|days| days.join(", "))).flatten(),
    }
}

/// `week days`, `monday to friday`.
pub(super) fn days_apart(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (at, next) = around.next_on_line()?;
    let (whole, meant) = match (text, next) {
        ("week", "days" | "day") => (around.at.start..at.end, "weekdays".to_owned()),
        ("week", "ends" | "end") => (around.at.start..at.end, "weekends".to_owned()),
        (_, "to" | "-" | "–" | "until" | "till" | "through" | "bis") => {
            let (last, to) = around.word_from(at.end)?;
            (around.at.start..last.end, days_between(text, to)?)
        }
        _ => return None,
    };
    let message = format!("{} is not how days are written", quoted(around.part(whole.clone())));
    Some(Meant::write(whole, &meant).named("unknown-day").saying(message))
}

/// `on mo, tu, we`: days in two letters.
pub(super) fn two_letters(around: &Around<'_>) -> Option<Meant> {
    let meant = |word: &str| match word.to_lowercase().as_str() {
        "mo" => Some("mon"),
        "tu" | "di" => Some("tue"),
        "we" | "mi" => Some("wed"),
        "th" | "do" => Some("thu"),
        "fr" => Some("fri"),
        "sa" => Some("sat"),
        "su" | "so" => Some("sun"),
        _ => None,
    };
    let (mut end, mut days) = (around.at.end, vec![meant(around.text())?]);
    while let Some((comma, ",")) = around.word_from(end)
        && let Some((at, word)) = around.word_from(comma.end)
        && let Some(day) = meant(word)
    {
        days.push(day);
        end = at.end;
    }
    let whole = around.at.start..end;
    let message = format!("{} is not how days are written", quoted(around.part(whole.clone())));
    Some(Meant::write(whole, &days.join(", ")).saying(message))
}

/// Days by their numbers, `1,3,5` or `1-5`, in words. From 1 to 6 all who count days mean Monday to Saturday; of 0 and
/// 7 they do not.
pub(super) fn numbered_days(text: &str) -> Option<String> {
    let day = |word: &str| {
        let number = word.trim().parse::<usize>().ok().filter(|number| (1..=6).contains(number))?;
        Days::WORDS.get(number - 1).copied()
    };
    let days = text.split(',').map(|part| match part.split_once(['-', '–']) {
        Some((from, to)) => days_between(day(from)?, day(to)?),
        None => day(part).map(str::to_owned),
    });
    Some(days.collect::<Option<Vec<_>>>()?.join(", "))
}

/// `on 1,3,5`, `on 1-5`.
pub(super) fn numbers(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    numbered_days(text)?;
    let mut end = around.at.end;
    while let Some((comma, ",")) = around.word_from(end)
        && let Some((at, word)) = around.word_from(comma.end)
        && numbered_days(word).is_some()
    {
        end = at.end;
    }
    let whole = around.at.start..end;
    let message = format!("days are written in words, not as {}", quoted(around.part(whole.clone())));
    let days = numbered_days(around.part(whole.clone()))?;
    Some(Meant::write(whole, &days).saying(message))
}

/// `in $TZ`, `in <zone>`: where a zone was still to be written.
pub(super) fn placeholder(around: &Around<'_>) -> Option<Meant> {
    let from = around
        .word_from(around.at.start)
        .filter(|(_, word)| *word == "in")
        .map_or(around.at.end, |(at, _)| at.end);
    let (sign, first) = around.word_from(from)?;
    let first = first.chars().next().filter(|sign| "$<%@".contains(*sign))?;
    let written = around.part(sign.start..around.line_end(sign.start));
    let closing = if first == '<' { Some('>') } else { None };
    let ends = |c: char| c.is_whitespace() || "{}(),#".contains(c) || closing == Some(c);
    let inner = written.get(1..)?.trim_start_matches(['{', '(']);
    let begun = written.len() - inner.len();
    let length = begun + inner.find(ends).unwrap_or(inner.len());
    let length = length + written.get(length..)?.len()
        - written.get(length..)?.trim_start_matches(['>', '}', ')', '%']).len();
    let whole = sign.start..sign.start + length;
    let message = format!("{} is no zone: nothing is filled in here", quoted(around.part(whole.clone())));
    let help = "write a zone, such as `Europe/Berlin`, or `contact.timezone`";
    Some(Meant::told(whole).named("unknown-zone").saying(message).help(help))
}

/// `in weekdays on Europe/Vienna`: `in` and `on` in each other's place; `in TZ=Europe/Vienna`.
pub(super) fn days_and_zone(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (next, word) = around.next_on_line()?;
    if word == "=" {
        let (zone, name) = around.word_from(next.end).filter(|(_, name)| ZoneTable.get(name).is_some())?;
        let message =
            format!("{} is not how a zone is written", quoted(around.part(around.at.start..zone.end)));
        return Some(Meant::write(around.at.start..zone.end, name).saying(message));
    }
    (is_day(text) && word == "on").then_some(())?;
    let (zone, name) = around.word_from(next.end).filter(|(_, name)| ZoneTable.get(name).is_some())?;
    let (before, _) = around.before().filter(|(_, word)| *word == "in")?;
    let whole = before.start..zone.end;
    let message =
        format!("`in` and `on` stand in each other's place in {}", quoted(around.part(whole.clone())));
    let meant = Meant::write(whole, &format!("on {text} in {name}"));
    Some(meant.named("unknown-zone").saying(message))
}

/// `Europe7Vienna`: the sign of the key without shift.
pub(super) fn beside_the_key(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let meant = text.char_indices().filter(|(_, sign)| "7-._&|".contains(*sign)).find_map(|(at, sign)| {
        let name = format!("{}/{}", text.get(..at)?, text.get(at + sign.len_utf8()..)?);
        ZoneTable.get(&name).is_some().then_some(name)
    })?;
    let message = format!("unknown zone {}; did you mean `{meant}`?", quoted(text));
    Some(Meant::write(around.at.clone(), &meant).saying(message))
}

/// Whether a word is one for days.
pub(in super::super) fn is_day(word: &str) -> bool {
    let lower = word.to_lowercase();
    lower.starts_with("week") || Days::WORDS.iter().any(|day| lower.starts_with(day))
}

/// A window whose words go on in another way.
pub(super) fn window(around: &Around<'_>) -> Option<Meant> {
    let (at, word) = around.next_on_line()?;
    if let Some((last, text)) = around.word_before(around.at.end) {
        let inside = Around { source: around.source, at: last.clone() };
        let meant = day_before(around, last, text)
            .or_else(|| is_day(text).then(|| days_apart(&inside)).flatten())
            .or_else(|| oclock(&inside));
        if meant.is_some() {
            return meant;
        }
    }
    if let Some(meant) = super::spelling::window(around, joint(around)) {
        return Some(meant);
    }
    // `21:00 to 08:00 Europe/Berlin`
    if ZoneTable.get(word).is_some() && word.contains('/') || word == "contact.timezone" || word == "UTC" {
        let message = format!("there is no `in` before {}", quoted(word));
        let help = format!("write `in {word}`");
        return Some(
            Meant::write(at.start..at.start, "in ")
                .named("missing-zone")
                .saying(message)
                .help(help)
                .about(at),
        );
    }
    if word == ","
        && let Some((day, name)) = around.word_from(at.end).filter(|(_, name)| is_day(name))
    {
        let message = format!("days stand behind `on`, not behind `,`: `on {name}`");
        let meant =
            Meant::write(at.start..day.end, &format!(" on {name}")).named("unknown-day").saying(message);
        return Some(meant.help(format!("write `on {name}`")));
    }
    if DASHES.contains(&word) || ["bis", "until", "through", "–"].contains(&word) {
        let meant = joint(around);
        let message = format!("the times are joined by `{meant}`, not by {}", quoted(word));
        return Some(Meant::write(at, meant).named("bad-window").saying(message));
    }
    if ["at", "every", "only", "each", "am", "during"].contains(&word) {
        let (_, day) = around.word_from(at.end).filter(|(_, day)| is_day(day))?;
        let message = format!("days stand behind `on`, not behind {}", quoted(word));
        return Some(
            Meant::write(at, "on").named("unknown-day").saying(message).help(format!("write `on {day}`")),
        );
    }
    if is_day(word) {
        let message = format!("there is no `on` before {}", quoted(word));
        let fix = format!("on {word}");
        return Some(Meant::write(at, &fix).named("unknown-day").saying(message));
    }
    None
}

/// A zone in two words.
pub(super) fn zone(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let next = around.next_on_line();
    let owners =
        ["local", "their", "contact's", "customer's", "user's", "the", "person's", "recipient's", "ortszeit"];
    if owners.contains(&text.to_lowercase().as_str()) {
        let zone = next.filter(|(_, word)| ["time", "timezone", "zone", "clock"].contains(word));
        let whole = around.at.start..zone.map_or(around.at.end, |(at, _)| at.end);
        let message =
            format!("unknown zone {}; did you mean `contact.timezone`?", quoted(around.part(whole.clone())));
        return Some(Meant::write(whole, "contact.timezone").saying(message));
    }
    for words in ["contact time zone", "contact's time zone", "customer time zone", "contact local time"] {
        if let Some(whole) = around.words_from(around.at.start, words) {
            let message =
                format!("{} is not how the contact's zone is named", quoted(around.part(whole.clone())));
            return Some(Meant::write(whole, "contact.timezone").saying(message));
        }
    }
    let (at, next) = next?;
    let both = around.at.start..at.end;
    let message = format!("unknown zone {}", quoted(around.part(both.clone())));
    if ["contact", "contacts"].contains(&text.to_lowercase().as_str())
        && next.eq_ignore_ascii_case("timezone")
    {
        return Some(Meant::write(both, "contact.timezone").saying(message));
    }
    let name = format!("{text}_{next}");
    ZoneTable.get(&name).is_some().then(|| Meant::write(both, &name).saying(message))
}

/// `wait between 06:00 on weekdays in UTC`: behind `wait` one time follows `until`.
pub(super) fn wait_between(around: &Around<'_>) -> Option<Meant> {
    let (between, word) = around.next_on_line().filter(|_| around.text() == "wait")?;
    let (_, time) = around.word_from(between.end)?;
    time_meant(time)?;
    ["between", "at", "from", "for", "till", "to", "not", "on"].contains(&word).then_some(())?;
    let message = format!("behind `wait` a time of day follows `until`, not {}", quoted(word));
    let help = format!("write `wait until {time}`");
    let line = around.line_end(between.end);
    Some(Meant::write(between, "until").named("bad-wait").saying(message).help(help).until(line))
}

/// `from 09:00 to 17:00`, `active_time_intervals 08:00 to 18:00`: two times behind another word.
pub(super) fn two_times(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let line = around.line_end(around.at.end);
    let next = |end: usize| around.word_from(end).filter(|(at, _)| at.start < line);
    let (first, from) = next(around.at.end).filter(|(_, time)| time.contains(':'))?;
    let (joint, word) = next(first.end)?;
    let (_, to) = next(joint.end).filter(|(_, time)| time.contains(':'))?;
    let fits = ["to", "and", "-", "–", "until", "till", "bis"].contains(&word) && text != "between";
    let both = time_meant(from).is_some() && time_meant(to).is_some();
    let message = format!("unknown word {}; did you mean `between`?", quoted(text));
    let help = format!("write `between {from} and {to}`");
    let meant = Meant::write(around.at.clone(), "between").saying(message).help(help);
    (fits && both).then(|| if word == "and" { meant } else { meant.and(joint, "and") })
}
