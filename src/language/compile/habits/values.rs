//! Durations, times and counts, as people write them.

use crate::language::words::{near, quoted};
use crate::model::{Span, TimeOfDay};

use super::Meant;
use super::text::Around;

/// The short unit of a word for one, in English and German, misspelt too.
pub(super) fn unit(word: &str) -> Option<&'static str> {
    const UNITS: [(&str, &str); 34] = [
        ("heures", "h"),
        ("heure", "h"),
        ("jours", "d"),
        ("jour", "d"),
        ("milliseconds", "ms"),
        ("millisecond", "ms"),
        ("seconds", "s"),
        ("second", "s"),
        ("secs", "s"),
        ("sec", "s"),
        ("minutes", "m"),
        ("minute", "m"),
        ("mins", "m"),
        ("min", "m"),
        ("hours", "h"),
        ("hour", "h"),
        ("hrs", "h"),
        ("hr", "h"),
        ("days", "d"),
        ("day", "d"),
        ("sekunden", "s"),
        ("sekunde", "s"),
        ("sek", "s"),
        ("minuten", "m"),
        ("stunden", "h"),
        ("stunde", "h"),
        ("std", "h"),
        ("tage", "d"),
        ("tagen", "d"),
        ("tag", "d"),
        ("s", "s"),
        ("m", "m"),
        ("h", "h"),
        ("d", "d"),
    ];
    let word = word.to_lowercase();
    let exact = UNITS.iter().find(|(known, _)| *known == word);
    let close = || {
        let long = UNITS.iter().map(|(known, _)| *known).filter(|known| known.len() > 3);
        let meant = near(&word, long)
            .filter(|meant| word.len() > 4 && meant.chars().next() == word.chars().next())?;
        UNITS.iter().find(|(known, _)| *known == meant)
    };
    exact.or_else(close).map(|(_, short)| *short)
}

pub(super) fn number(word: &str) -> Option<&'static str> {
    Some(match word.to_lowercase().as_str() {
        "a" | "an" | "one" | "ein" | "eine" | "einer" => "1",
        "two" | "zwei" => "2",
        "three" | "drei" => "3",
        "four" | "vier" => "4",
        "five" | "fünf" => "5",
        "ten" | "zehn" => "10",
        "fifteen" => "15",
        "twenty" | "zwanzig" => "20",
        "thirty" | "dreißig" => "30",
        _ => return None,
    })
}

/// `1.5` and `1,5` hours as whole units: `1h30m`.
fn fraction(text: &str) -> Option<(usize, Span)> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(text);
    let rest = text.get(whole..)?.strip_prefix(['.', ','])?;
    let part = digits(rest);
    let letters = rest.get(part..)?;
    let length = letters.bytes().take_while(u8::is_ascii_alphabetic).count();
    let short = unit(letters.get(..length)?)?;
    let ms = format!("1{short}").parse::<Span>().ok()?.ms();
    let number: f64 = format!("{}.{}", text.get(..whole)?, rest.get(..part)?).parse().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "cut to the range of durations"
    )]
    let total = (number * ms as f64).round() as i64;
    let span = Span::from_ms(total);
    (whole > 0 && part > 0 && span > Span::ZERO).then_some((whole + 1 + part + length, span))
}

/// Weeks, capitals, letters for digits, a sign: what is nearly a duration.
fn nearly(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, rest) = text.split_at(digits);
    let next = around.next_on_line();
    let week =
        |word: &str| ["w", "week", "weeks", "wk", "woche", "wochen"].contains(&word.to_lowercase().as_str());
    let apart = next.filter(|(_, word)| rest.is_empty() && week(word));
    if let (Ok(number), true) = (number.parse::<u32>(), week(rest.trim()) || apart.is_some()) {
        let whole = around.at.start..apart.map_or(around.at.end, |(at, _)| at.end);
        let message = format!("{} is not written as durations are", quoted(around.part(whole.clone())));
        return Some(Meant::write(whole, &format!("{}d", number.saturating_mul(7))).saying(message));
    }
    if let Some((first, second)) = text.split_once(':')
        && first.parse::<u8>().is_ok()
        && second.parse::<u8>().is_ok()
    {
        return Some(
            Meant::told(around.at.clone())
                .saying(format!("{} is a time of day, not a duration", quoted(text)))
                .help(format!("write `{first}h{second}m`, or `{first}m{second}s`")),
        );
    }
    // `1h30`: the last unit is left out, as many say it.
    const SMALLER: [(char, &str); 3] = [('d', "h"), ('h', "m"), ('m', "s")];
    if text.ends_with(|c: char| c.is_ascii_digit())
        && let Some(last) = text.chars().rfind(|c| c.is_ascii_alphabetic())
        && let Some((_, unit)) = SMALLER.into_iter().find(|(larger, _)| *larger == last)
        && format!("{text}{unit}").parse::<Span>().is_ok()
    {
        let message = format!("the last number of {} has no unit", quoted(text));
        return Some(Meant::write(around.at.clone(), &format!("{text}{unit}")).saying(message));
    }
    // `5minuts`
    if !number.is_empty()
        && rest.chars().count() > 3
        && !rest.contains(char::is_whitespace)
        && let Some(meant) = near(rest, ["seconds", "minutes", "hours", "days"]).and_then(unit)
    {
        let message = format!("{} is not written as durations are", quoted(text));
        return Some(Meant::write(around.at.clone(), &format!("{number}{meant}")).saying(message));
    }
    let lower = text.trim_start_matches('-').to_lowercase();
    let digits = lower.replace('o', "0").replace(['l', 'i'], "1");
    let meant = [lower, digits].into_iter().find(|meant| meant != text && meant.parse::<Span>().is_ok())?;
    Some(Meant::write(around.at.clone(), &meant))
}

/// What goes with a duration in everyday life: `1 day later`, `2 min.`
fn tail(around: &Around<'_>, end: usize) -> usize {
    let rest = around.source.get(end..).unwrap_or_default();
    if let Some(behind) = rest.strip_prefix('.')
        && behind.chars().next().is_none_or(char::is_whitespace)
    {
        return end + 1;
    }
    let later = around.word_from(end).filter(|(_, word)| ["later", "afterwards", "time"].contains(word));
    later.filter(|(at, _)| at.start < around.line_end(end)).map_or(end, |(at, _)| at.end)
}

/// A duration that is none.
pub(super) fn duration(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    if let Some(meant) = nearly(around) {
        return Some(meant);
    }
    if ["till", "til", "bis"].contains(&text) {
        return Some(Meant::write(around.at.clone(), "until"));
    }
    let rest = around.source.get(around.at.start..)?;
    if let Some((length, span)) = fraction(rest) {
        let at = around.at.start..around.at.start + length;
        let message = format!("{} is not written as durations are", quoted(around.part(at.clone())));
        return Some(Meant::write(at, &span.to_string()).saying(message));
    }
    let mut words = text.split_whitespace();
    let first = words.next()?;
    let digits = first.bytes().all(|b| b.is_ascii_digit());
    let half = first.eq_ignore_ascii_case("half") || first.eq_ignore_ascii_case("halbe");
    let (mut count, mut end) = (if digits { Some(first) } else { number(first) }, around.at.end);
    let mut name = words.next();
    while name.is_none_or(|name| ["a", "an", "of", ",", "-", "/"].contains(&name)) {
        let (at, word) =
            around.word_from(end).filter(|(at, _)| at.start < around.line_end(around.at.start))?;
        (name, end) = (Some(word), at.end);
        if unit(word).is_some() {
            break;
        }
    }
    let short = unit(name?)?;
    let meant = if half {
        let whole = format!("1{short}").parse::<Span>().ok()?;
        Span::from_ms(whole.ms() / 2).to_string()
    } else {
        format!("{}{short}", count.take()?)
    };
    meant.parse::<Span>().ok()?;
    let at = around.at.start..tail(around, end);
    let message = format!("{} is not written as durations are", quoted(around.part(at.clone())));
    Some(Meant::write(at, &meant).saying(message))
}

/// `> five`: a number in words.
pub(super) fn in_digits(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let digits = number(text)?;
    let message = format!("{} is not written in digits", quoted(text));
    Some(Meant::write(around.at.clone(), digits).named("bad-number").saying(message))
}

/// The time of day that a text was meant to be.
pub(super) fn time_meant(text: &str) -> Option<TimeOfDay> {
    let lower = text.to_lowercase();
    match lower.as_str() {
        "noon" | "midday" | "mittag" => return TimeOfDay::from_minutes(720),
        "midnight" | "mitternacht" => return TimeOfDay::from_minutes(0),
        _ => {}
    }
    let (number, late) = match (lower.strip_suffix("pm"), lower.strip_suffix("am")) {
        (Some(number), _) => (number, Some(true)),
        (_, Some(number)) => (number, Some(false)),
        _ => (lower.as_str(), None),
    };
    let number = number.trim_end_matches("hrs").trim_end_matches(['h', '.']).trim_end_matches("uhr");
    let (hours, minutes) = match number.split_once([':', '.', 'h']) {
        Some((hours, minutes)) => (hours, minutes.parse::<u16>().ok()?),
        None if number.len() == 4 => (number.get(..2)?, number.get(2..)?.parse().ok()?),
        None => (number, 0),
    };
    let hours = hours.parse::<u16>().ok()?;
    let hours = match late {
        Some(true) if hours < 12 => hours + 12,
        Some(false) if hours == 12 => 0,
        _ if hours == 24 => 0,
        _ => hours,
    };
    (hours < 24 && minutes < 60).then_some(())?;
    TimeOfDay::from_minutes(hours * 60 + minutes)
}

/// The word that joins two times, by the word before them.
pub(super) fn joint(around: &Around<'_>) -> &'static str {
    let before = around.source.get(..around.at.end).unwrap_or_default();
    if before.rfind("between") > before.rfind("quiet") { "and" } else { "to" }
}

pub(super) const DASHES: [&str; 3] = ["-", "–", "—"];

/// A time of day that is none.
pub(super) fn time(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    for dash in DASHES {
        let Some((from, to)) = text.split_once(dash) else { continue };
        let (from, to) = (time_meant(from)?, time_meant(to)?);
        let word = joint(around);
        let message = format!("the times are joined by `{word}`, not by `{dash}`");
        return Some(
            Meant::write(around.at.clone(), &format!("{from} {word} {to}"))
                .named("bad-window")
                .saying(message),
        );
    }
    if ["from", "hours", "between", "during", "for", "von", "hour", "at", "the"].contains(&text) {
        let message = format!("{} is not needed before the times", quoted(text));
        return Some(Meant::leave_out(around, around.at.clone()).named("bad-window").saying(message));
    }
    if let Some(meant) = day_before(around, around.at.clone(), text) {
        return Some(meant);
    }
    if let Some(meant) = oclock(around) {
        return Some(meant);
    }
    // `160:00`: a digit too many.
    if text.find(':') == Some(3) {
        let mut times: Vec<String> = (0..3)
            .map(|digit| {
                format!(
                    "{}{}",
                    text.get(..digit).unwrap_or_default(),
                    text.get(digit + 1..).unwrap_or_default()
                )
            })
            .filter(|time| time.parse::<TimeOfDay>().is_ok())
            .collect();
        times.dedup();
        let times: Vec<String> = times.iter().map(|time| quoted(time)).collect();
        (!times.is_empty()).then_some(())?;
        return Some(Meant::told(around.at.clone()).help(format!("write {}", times.join(" or "))));
    }
    let meant = time_meant(text)?;
    // `24:30`: another hour may have been meant.
    if text.starts_with("24") && meant.minutes() > 0 {
        let help = format!("times run from `00:00` to `23:59`: write `{meant}`, or the hour that is meant");
        return Some(Meant::told(around.at.clone()).help(help));
    }
    Some(Meant::write(around.at.clone(), &meant.to_string()))
}

/// `9 o'clock`, `9 pm`.
pub(super) fn oclock(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (at, word) = around.next_on_line()?;
    let whole = around.at.start..at.end;
    let meant = match word.to_lowercase().as_str() {
        "am" | "pm" => time_meant(&format!("{text}{word}")),
        "o'clock" | "o’clock" | "uhr" | "h" => time_meant(text),
        _ => None,
    }?;
    let message = format!("{} is not a time of day", quoted(around.part(whole.clone())));
    Some(Meant::write(whole, &meant.to_string()).named("bad-time").saying(message))
}

/// `tomorrow 09:00`: a day that no policy knows.
pub(super) fn day_before(around: &Around<'_>, at: std::ops::Range<usize>, text: &str) -> Option<Meant> {
    let days = ["tomorrow", "today", "next", "morgen", "heute"];
    around.word_from(at.end).filter(|(_, next)| next.parse::<TimeOfDay>().is_ok())?;
    let message = format!("{} is not needed: the next such time is meant", quoted(text));
    days.contains(&text).then(|| Meant::leave_out(around, at).named("bad-time").saying(message))
}

/// A count such as `3x` or `x3`.
pub(super) fn number_of(text: &str) -> Option<&str> {
    const SIGNS: [char; 3] = ['x', 'X', '×'];
    let digits = text.strip_suffix(SIGNS).or_else(|| text.strip_prefix(SIGNS))?;
    (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then_some(digits)
}

/// What is no whole number.
pub(super) fn count(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    // `up to 3 times`
    let few = match (text, around.next().map_or("", |(_, word)| word)) {
        ("up", "to") | ("at", "most") => around.next().map(|(at, _)| around.at.start..at.end),
        ("for", "times" | "sends") => None,
        ("max" | "maximum" | "for" | "about", _) => Some(around.at.clone()),
        _ => None,
    };
    if let Some(whole) = few {
        let message = format!("{} is not needed before a number", quoted(around.part(whole.clone())));
        return Some(Meant::leave_out(around, whole).saying(message));
    }
    let is_count = around.next().is_some_and(|(_, word)| ["times", "sends"].contains(&word));
    let word = match text {
        "once" => Some("1"),
        // Words that sound like a number.
        "to" | "too" if is_count => Some("2"),
        "for" | "fore" if is_count => Some("4"),
        "ate" if is_count => Some("8"),
        "twice" => Some("2"),
        "thrice" => Some("3"),
        _ => None,
    };
    let digits = word.or_else(|| number_of(text))?;
    let meant = if is_count { digits.to_owned() } else { format!("{digits} times") };
    Some(Meant::write(around.at.clone(), &meant))
}

/// `1 500`: thousands with a blank between them.
pub(super) fn thousands(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (text.len() == 3 && is_digits(text)).then_some(())?;
    let (at, first) = around.before().filter(|(_, first)| first.len() <= 3 && is_digits(first))?;
    let message = format!("`{first} {text}` is one number in two words");
    Some(Meant::write(at.start..around.at.end, &format!("{first}{text}")).named("bad-number").saying(message))
}

/// `½h`, `1½h`: a part of an hour or a minute as one sign.
pub(super) fn half(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (whole, part, unit) = text
        .char_indices()
        .find_map(|(at, sign)| {
            let quarters = [('¼', 1), ('½', 2), ('¾', 3)].into_iter().find(|(known, _)| *known == sign)?.1;
            Some((text.get(..at)?, quarters, text.get(at + sign.len_utf8()..)?.trim()))
        })
        .filter(|(whole, ..)| whole.bytes().all(|byte| byte.is_ascii_digit()))?;
    let (quarter, smaller) = match unit {
        "h" | "hour" | "hours" => (15, "m"),
        "m" | "min" | "minute" | "minutes" => (15, "s"),
        "d" | "day" | "days" => (6, "h"),
        _ => return None,
    };
    let before = if whole.is_empty() { String::new() } else { format!("{whole}{}", unit.get(..1)?) };
    let message = format!("{} is not a duration", quoted(text));
    Some(Meant::write(around.at.clone(), &format!("{before}{}{smaller}", quarter * part)).saying(message))
}

/// `5*time.Minute`: a duration as Go has it.
pub(super) fn multiplied(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (sign, _) = around.next_on_line().filter(|(_, sign)| *sign == "*")?;
    let (at, word) = around.word_from(sign.end)?;
    let unit = match word.strip_prefix("time.")? {
        "Second" => "s",
        "Minute" => "m",
        "Hour" => "h",
        "Millisecond" => "ms",
        _ => return None,
    };
    text.parse::<u32>().ok()?;
    let whole = around.at.start..at.end;
    let message = format!("{} is not a duration", quoted(around.part(whole.clone())));
    Some(Meant::write(whole, &format!("{text}{unit}")).saying(message))
}
