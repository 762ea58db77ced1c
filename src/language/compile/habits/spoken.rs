//! Times, zones and answers as people say them.

use crate::language::words::quoted;
use crate::model::{TimeOfDay, ZoneTable};

use super::Meant;
use super::text::Around;

/// Clocks that are named after those who live by them.
const CLOCKS: [(&str, &str); 22] = [
    ("uk", "Europe/London"),
    ("british", "Europe/London"),
    ("english", "Europe/London"),
    ("gb", "Europe/London"),
    ("irish", "Europe/Dublin"),
    ("german", "Europe/Berlin"),
    ("germany", "Europe/Berlin"),
    ("austrian", "Europe/Vienna"),
    ("austria", "Europe/Vienna"),
    ("swiss", "Europe/Zurich"),
    ("french", "Europe/Paris"),
    ("france", "Europe/Paris"),
    ("spanish", "Europe/Madrid"),
    ("italian", "Europe/Rome"),
    ("italy", "Europe/Rome"),
    ("dutch", "Europe/Amsterdam"),
    ("polish", "Europe/Warsaw"),
    ("danish", "Europe/Copenhagen"),
    ("swedish", "Europe/Stockholm"),
    ("norwegian", "Europe/Oslo"),
    ("finnish", "Europe/Helsinki"),
    ("portuguese", "Europe/Lisbon"),
];
const HOURS: [&str; 12] =
    ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];

/// `in UK time`, `in Vienna time`: a zone after a country or a city.
pub(super) fn zone(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let lower = text.to_lowercase();
    let time = around.next_on_line().filter(|(_, word)| ["time", "clock"].contains(word));
    let country = CLOCKS.iter().find(|(name, _)| *name == lower).map(|(_, zone)| (*zone).to_owned());
    let city = || {
        let city = format!("{}{}", text.get(..1)?.to_uppercase(), text.get(1..)?);
        let zone = format!("Europe/{city}");
        (time.is_some() && ZoneTable.get(&zone).is_some()).then_some(zone)
    };
    let meant = country.or_else(city)?;
    let whole = around.at.start..time.map_or(around.at.end, |(at, _)| at.end);
    let message = format!("unknown zone {}; did you mean `{meant}`?", quoted(around.part(whole.clone())));
    Some(Meant::write(whole, &meant).saying(message))
}

/// Short names that several clocks have.
const SHORT_NAMES: [(&str, &str); 4] = [
    ("IST", "`Europe/Dublin`, `Asia/Kolkata` or `Asia/Jerusalem`"),
    ("CST", "`America/Chicago` or `Asia/Shanghai`"),
    ("AST", "`America/Halifax` or `Asia/Riyadh`"),
    ("ECT", "`Europe/Paris` or `America/Guayaquil`"),
];

/// `in IST`: a short name of several zones.
pub(super) fn short_name(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (name, zones) = SHORT_NAMES.into_iter().find(|(name, _)| *name == text)?;
    let message = format!("`{name}` is the short name of several zones");
    Some(Meant::told(around.at.clone()).saying(message).help(format!("write the one that is meant: {zones}")))
}

/// An hour as a word or a number.
fn hour(word: &str) -> Option<u16> {
    let lower = word.to_lowercase();
    let named = HOURS.iter().zip(1..).find(|(name, _)| **name == lower).map(|(_, hour)| hour);
    named.or_else(|| lower.parse().ok().filter(|hour| (1..=12).contains(hour)))
}

/// `half past seven`, `quarter to nine`, `seven o'clock in the evening`.
pub(super) fn time(around: &Around<'_>) -> Option<Meant> {
    let line = around.line_end(around.at.start);
    let next = |end: usize| around.word_from(end).filter(|(at, _)| at.end <= line);
    let (first, word) = next(around.at.start)?;
    let (part, part_word) = if word == "a" { next(first.end)? } else { (first.clone(), word) };
    let minutes = match part_word.to_lowercase().as_str() {
        "half" => Some(30),
        "quarter" => Some(15),
        "ten" => Some(10),
        "five" => Some(5),
        "twenty" => Some(20),
        _ => None,
    };
    // `half ten` is half past ten.
    if let Some((at, said)) = next(part.end).filter(|(_, word)| part_word == "half" && hour(word).is_some()) {
        let (early, late) = (hour(said)? % 12, hour(said)? % 12 + 12);
        let whole = around.at.start..at.end;
        let message = format!("{} is not a time of day", quoted(around.part(whole.clone())));
        let help = format!("write `{early:02}:30`, or `{late}:30` for the evening");
        return Some(Meant::told(whole).named("bad-time").saying(message).help(help));
    }
    let joint = next(part.end).filter(|(_, word)| ["past", "to", "after", "before"].contains(word));
    let (mut end, of_day) = match (minutes, joint) {
        (Some(minutes), Some((joint, way))) => {
            let (at, word) = next(joint.end)?;
            let hour = hour(word)?;
            let minutes = if ["to", "before"].contains(&way) { -minutes } else { minutes };
            (at.end, i32::from(hour) * 60 + minutes)
        }
        _ => (
            first.end,
            i32::from(hour(word).filter(|_| !word.starts_with(|c: char| c.is_ascii_digit()))?) * 60,
        ),
    };
    if let Some((at, _)) = next(end).filter(|(_, word)| ["o'clock", "o’clock"].contains(word)) {
        end = at.end;
    }
    let half_day = ["in the morning", "in the evening", "in the afternoon", "at night", "am", "pm"]
        .into_iter()
        .find_map(|phrase| Some((around.words_from(end, phrase).filter(|at| at.end <= line)?, phrase)));
    let time = |minutes: i32| {
        let minutes = u16::try_from(minutes.rem_euclid(1_440)).ok()?;
        TimeOfDay::from_minutes(minutes).map(|time| time.to_string())
    };
    let morning = of_day % 720;
    let (early, late) = (time(morning)?, time(morning + 720)?);
    let whole = around.at.start..half_day.as_ref().map_or(end, |(at, _)| at.end);
    let message = format!("{} is not a time of day", quoted(around.part(whole.clone())));
    Some(
        match half_day {
            Some((_, "in the morning" | "am")) => Meant::write(whole, &early),
            Some(_) => Meant::write(whole, &late),
            None => Meant::told(whole).help(format!("write `{early}`, or `{late}` for the evening")),
        }
        .named("bad-time")
        .saying(message),
    )
}

/// `1 month`, `3 business days`: spans that no unit has.
pub(super) fn calendar(around: &Around<'_>) -> Option<Meant> {
    let line = around.line_end(around.at.start);
    let next = |end: usize| around.word_from(end).filter(|(at, _)| at.end <= line);
    let count: u32 = around.text().parse().ok()?;
    let (at, word) = next(around.at.end)?;
    let (end, meant, message) = match word.to_lowercase().as_str() {
        "month" | "months" | "monat" | "monate" => {
            (at.end, count.checked_mul(30)?, "there is no unit for months")
        }
        "year" | "years" => (at.end, count.checked_mul(365)?, "there is no unit for years"),
        "business" | "working" | "work" | "school" | "bank" | "week" | "office" => {
            let (days, _) = next(at.end).filter(|(_, word)| word.starts_with("day"))?;
            (days.end, count, "a duration counts all days, not working days alone")
        }
        _ => return None,
    };
    let whole = around.at.start..end;
    let said = quoted(around.part(whole.clone()));
    let meant = Meant::told(whole).saying(format!("{message}: {said}")).help(format!("write `{meant}d`"));
    Some(meant.named("bad-duration"))
}

/// `if no answer then sms`: what a fallback is for anyway.
pub(super) fn no_answer(around: &Around<'_>) -> Option<Meant> {
    let negates = ["no", "not", "nobody", "noone", "unanswered", "without"].contains(&around.text());
    let (before, _) = around.before().filter(|(_, word)| negates && ["if", "when"].contains(word))?;
    const ANSWERS: [&str; 11] = [
        "answer", "answers", "answered", "reply", "replies", "replied", "response", "responds", "reaction",
        "reads", "receipt",
    ];
    let end = match around.next_on_line().filter(|(_, next)| ANSWERS.contains(next)) {
        Some((at, _)) => at.end,
        None if around.text() == "unanswered" => around.at.end,
        None => return None,
    };
    let whole = before.start..end;
    let said = around.part(whole.clone());
    let message =
        format!("{} is said by `then … after`: it starts what follows where nobody answered", quoted(said));
    Some(Meant::leave_out(around, whole).named("bad-condition").saying(message))
}

/// `if vars.vat & vars.amount > 400`: a sign that joins conditions elsewhere.
pub(super) fn and_as_sign(around: &Around<'_>) -> Option<Meant> {
    let meant = match around.text() {
        "&" | "&&" | "+" => "and",
        "|" | "||" => "or",
        _ => return None,
    };
    let before = around.part(around.line_start(around.at.start)..around.at.start);
    let guard = ["if ", "unless "].iter().filter_map(|word| before.rfind(word)).max()?;
    let (_, next) = around.next_on_line()?;
    let is_name = next == "contact"
        || super::conditions::is_name(next)
        || super::conditions::STATES.contains(&next)
        || next == "not";
    let stays = !before.get(guard..)?.contains(" then ");
    let message = format!("conditions are joined by `{meant}`, not by {}", quoted(around.text()));
    (is_name && stays).then(|| Meant::write(around.at.clone(), meant).saying(message))
}

/// `between 08:00 and 17:00 not on weekends in UTC`.
pub(super) fn not_on(around: &Around<'_>) -> Option<Meant> {
    let line = around.line_end(around.at.end);
    let next = |end: usize| around.word_from(end).filter(|(at, _)| at.end <= line);
    let (first, word) = next(around.at.end)?;
    ["not", "except", "excluding", "without", "but"].contains(&word).then_some(())?;
    let (mut at, mut word) = next(first.end)?;
    while ["not", "on", "at", "the"].contains(&word) {
        (at, word) = next(at.end)?;
    }
    let meant = match word.to_lowercase().as_str() {
        "weekends" | "weekend" | "sundays" => "on weekdays",
        "weekdays" | "weekday" => "on weekends",
        _ => return None,
    };
    let whole = first.start..at.end;
    let message =
        format!("{}: days are named by those on which it is open", quoted(around.part(whole.clone())));
    // The zone behind it was read as another one.
    Some(Meant::write(whole, meant).named("unknown-day").saying(message).until(line))
}
