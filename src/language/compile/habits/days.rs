//! Days as people write them: in other languages, misspelt within a list, from one to another.

use crate::language::words::{ENDS, near, quoted};
use crate::model::{Days, TimeOfDay};

use super::Meant;
use super::text::{Around, Word};

/// What people call each day, beside the words of the language.
const NAMES: [&[&str]; 7] = [
    &["monday", "mo", "ma", "maandag", "montag", "lundi", "lun", "lunes", "lunedì"],
    &[
        "tuesday", "tues", "tu", "di", "dins", "dinsdag", "die", "dienstag", "mardi", "mar", "martes",
        "martedì",
    ],
    &[
        "wednesday",
        "weds",
        "we",
        "wo",
        "woe",
        "woensdag",
        "mi",
        "mit",
        "mittwoch",
        "mercredi",
        "mer",
        "miércoles",
        "miercoles",
        "mercoledì",
    ],
    &[
        "thursday",
        "thur",
        "thurs",
        "th",
        "do",
        "don",
        "donderdag",
        "donnerstag",
        "jeudi",
        "jeu",
        "jueves",
        "jue",
        "giovedì",
    ],
    &[
        "friday", "fr", "fre", "vr", "vrij", "vrijdag", "freitag", "vendredi", "ven", "viernes", "vie",
        "venerdì",
    ],
    &[
        "saturday",
        "sa",
        "za",
        "zat",
        "zaterdag",
        "sam",
        "samstag",
        "sonnabend",
        "samedi",
        "sábado",
        "sabado",
        "sabato",
    ],
    &[
        "sunday", "su", "zo", "zon", "zondag", "so", "son", "sonntag", "dimanche", "dim", "domingo", "dom",
        "domenica",
    ],
];
const WEEKDAYS: [&str; 16] = [
    "school days",
    "schooldays",
    "week-days",
    "weekdays",
    "weekday",
    "workdays",
    "workday",
    "working days",
    "work days",
    "business days",
    "week days",
    "office days",
    "werktags",
    "werktagen",
    "wochentags",
    "wochentagen",
];
const WEEKENDS: [&str; 7] =
    ["weekends", "weekend", "week ends", "the weekend", "wochenende", "wochenenden", "saturday and sunday"];
const EVERY_DAY: [&str; 8] =
    ["every day", "each day", "all days", "any day", "daily", "everyday", "täglich", "every days"];
/// Words before days, beside `on`.
const BEFORE: [&str; 8] = ["on", "every", "each", "only", "am", "at", "during", "from"];
const JOINTS: [&str; 9] = [",", "and", "or", "und", "&", "/", "+", ";", "et"];
const UP_TO: [&str; 9] = ["to", "-", "–", "—", "bis", "till", "until", "through", "thru"];

/// Words of one list that are looked at.
const WORDS_MAX: usize = 24;
/// Bytes before a finding, and behind it, in which the times stand.
const NEAR_BYTES: usize = 400;

/// What a word says of days.
enum Said {
    Day(usize),
    Some(&'static str),
    Unknown,
}

fn word_of(day: usize) -> &'static str {
    Days::WORDS.get(day).copied().unwrap_or_default()
}

/// The day of a word, where it is one of the names.
pub(in super::super) fn named(word: &str) -> Option<usize> {
    let lower = word.trim_end_matches('.').to_lowercase();
    let is_it = |name: &str| lower == name || lower.len() > 4 && lower.trim_end_matches('s') == name;
    let known = Days::WORDS.iter().position(|day| is_it(day));
    known.or_else(|| NAMES.iter().position(|names| names.iter().any(|name| is_it(name))))
}

/// The one day that a word nearly is.
fn nearly(word: &str) -> Option<usize> {
    if !word.chars().all(char::is_alphabetic) {
        return None;
    }
    let lower = word.to_lowercase();
    if lower.chars().count() > 4 {
        let long = NAMES.into_iter().flatten().copied().filter(|name| name.len() > 4);
        return near(&lower, long).and_then(named);
    }
    let mut close = Days::WORDS.iter().enumerate().filter(|(_, day)| strsim::osa_distance(&lower, day) == 1);
    let (day, _) = close.next()?;
    let letters = (3..=4).contains(&lower.chars().count()) && lower.chars().all(char::is_alphabetic);
    (letters && close.next().is_none()).then_some(day)
}

fn said(words: &str) -> Said {
    let lower = words.to_lowercase();
    if WEEKDAYS.contains(&lower.as_str()) {
        return Said::Some("weekdays");
    }
    if WEEKENDS.contains(&lower.as_str()) {
        return Said::Some("weekends");
    }
    named(words).or_else(|| nearly(words)).map_or(Said::Unknown, Said::Day)
}

/// Days from one to another, as the language writes them.
fn from_to(first: usize, last: usize) -> Option<String> {
    match (first, last) {
        (0, 4) => Some("weekdays".to_owned()),
        (5, 6) => Some("weekends".to_owned()),
        _ if first < last => Days::WORDS.get(first..=last).map(|days| days.join(", ")),
        // `fri - mon`
        _ if first > last => {
            let days: Vec<&str> = (first..first + 7).map(|day| word_of(day % 7)).collect();
            days.get(..=(last + 7 - first)).map(|days| days.join(", "))
        }
        _ => None,
    }
}

/// The words behind a time or a zone, up to the next part of the policy.
fn behind<'s>(around: &Around<'s>, from: usize) -> Vec<Word<'s>> {
    let (mut words, mut end, line) = (Vec::new(), from, around.line_end(from));
    while let Some((at, word)) =
        around.word_from(end).filter(|(at, _)| at.start < line && words.len() < WORDS_MAX)
    {
        if ENDS.contains(&word) && word != "until" || ["in", "else", "#", "}", ")", "\""].contains(&word) {
            break;
        }
        end = at.end;
        words.push((at, word));
    }
    words
}

/// `on mo, mi, fr`, `on mon, wen, fri`, `Mo-Fr`, `on working days`: behind the times of the line.
pub(super) fn everyday(around: &Around<'_>, rule: &str) -> Option<Meant> {
    let (start, line) = (around.line_start(around.at.start), around.line_end(around.at.start));
    let before = around.part(start..around.at.start);
    let skipped = before.len().saturating_sub(NEAR_BYTES);
    let mut end = start + before.get(skipped..).map_or(0, |_| skipped);
    let stop = line.min(around.at.end.saturating_add(NEAR_BYTES));
    let mut before = "";
    while let Some((at, word)) = around.word_from(end).filter(|(at, _)| at.start < stop) {
        let is_time = word.contains(':') && word.parse::<TimeOfDay>().is_ok();
        if word == "#" {
            return None;
        }
        if (is_time || ["in", "else"].contains(&before))
            && let Some(meant) = list(around, at.end, rule)
        {
            return Some(meant);
        }
        (end, before) = (at.end, word);
    }
    None
}

/// Days from a byte on.
fn list(around: &Around<'_>, from: usize, rule: &str) -> Option<Meant> {
    let words = behind(around, from);
    let begins = usize::from(words.first().is_some_and(|(_, word)| BEFORE.contains(word)));
    let (first, last) = (words.first()?, words.last()?);
    let whole = first.0.start..last.0.end;
    let text = around.part(whole.clone());
    let days = around.part(words.get(begins)?.0.start..last.0.end);
    if EVERY_DAY.contains(&text.to_lowercase().as_str()) || EVERY_DAY.contains(&days.to_lowercase().as_str())
    {
        let message = format!("{} is not needed: where no days are named, every day is meant", quoted(text));
        return Some(Meant::leave_out(around, whole).named("unknown-day").saying(message));
    }
    let meant = read(around, words.get(begins..)?)?;
    // What the checker says of one day, and of what joins those that it knows, is as good.
    let is_told =
        rule == "unknown-day" && meant.unknown.len() < 2 && !(meant.unknown.is_empty() && meant.is_odd);
    if is_told || meant.unknown.is_empty() && !meant.is_odd {
        return None;
    }
    if meant.unknown.len() == 1 && meant.days.len() > 1 && begins == 1 && first.1 == "on" {
        let (at, word) = meant.unknown.into_iter().next()?;
        let day = named(word).or_else(|| nearly(word));
        let message = format!("unknown day {}", quoted(word));
        return Some(match day {
            Some(day) => {
                let day = word_of(day);
                Meant::write(at, day).named("unknown-day").saying(format!("{message}; did you mean `{day}`?"))
            }
            None => Meant::told(at)
                .named("unknown-day")
                .saying(message)
                .help("write `weekdays`, `weekends`, or days as in `mon, wed, fri`")
                .until(last.0.end),
        });
    }
    let text_meant = format!("on {}", meant.days.join(", "));
    let is_same = text.split_whitespace().eq(text_meant.split_whitespace());
    let all_known = meant.unknown.iter().all(|(_, word)| named(word).is_some() || nearly(word).is_some());
    let is_sure = !is_same && all_known && !meant.days.is_empty();
    let message = format!("{} is not how days are written", quoted(days));
    let (whole, text_meant) = match first.1 {
        "on" => (words.get(begins)?.0.start..last.0.end, meant.days.join(", ")),
        _ => (whole, text_meant),
    };
    is_sure.then(|| Meant::write(whole, &text_meant).named("unknown-day").saying(message))
}

/// What a list of days says.
struct Read<'s> {
    days: Vec<String>,
    /// Those that are no words of the language.
    unknown: Vec<Word<'s>>,
    /// Whether something else than single days was said.
    is_odd: bool,
}

fn read<'s>(around: &Around<'s>, words: &[Word<'s>]) -> Option<Read<'s>> {
    let (mut days, mut unknown, mut place, mut range) = (Vec::new(), Vec::new(), 0, None);
    let (mut is_day, mut listed, mut is_odd) = (false, false, false);
    while let Some((at, word)) = words.get(place) {
        place += 1;
        if JOINTS.contains(word) {
            is_odd |= ![",", "and", "or"].contains(word);
            continue;
        }
        if UP_TO.contains(word) {
            is_odd = true;
            range = range.or(days.pop()).filter(|_| place > 1);
            range.as_ref()?;
            continue;
        }
        // `working days`
        let both = words.get(place).map(|(next, _)| around.part(at.start..next.end));
        if let Some(Said::Some(days_said)) = both.map(said) {
            (place, is_day, is_odd) = (place + 1, true, true);
            days.push(days_said.to_owned());
            continue;
        }
        let parts: Vec<&str> = word.split(['-', '–']).collect();
        let parted: Vec<&str> = word.split('/').collect();
        match (parts.as_slice(), parted.as_slice()) {
            ([one, other], _) => {
                days.push(from_to(named(one)?, named(other)?)?);
                (is_day, is_odd) = (true, true);
            }
            (_, [_, _, ..]) => {
                for part in parted {
                    days.push(word_of(named(part)?).to_owned());
                }
                (is_day, is_odd) = (true, true);
            }
            _ => match said(word) {
                Said::Some(days_said) => {
                    days.push(days_said.to_owned());
                    is_odd |= near(word, [days_said]).is_none();
                    is_day = true;
                }
                Said::Day(day) => {
                    is_day |= named(word).is_some();
                    // `mon wed fri`
                    let before = place.checked_sub(2).and_then(|before| words.get(before));
                    is_odd |= before.is_some_and(|(_, before)| named(before).is_some());
                    let is_word = word_of(day) == *word;
                    if !is_word {
                        unknown.push((at.clone(), *word));
                    }
                    match range.take() {
                        Some(first) => days.push(from_to(named(&first)?, day)?),
                        None => days.push(word_of(day).to_owned()),
                    }
                }
                Said::Unknown => {
                    unknown.push((at.clone(), *word));
                    days.push(String::new());
                }
            },
        }
        listed |= days.len() > 1;
    }
    let few = unknown.iter().filter(|(_, word)| named(word).is_none() && nearly(word).is_none()).count();
    (range.is_none() && (is_day || listed && few == 0) && few <= 1).then_some(Read { days, unknown, is_odd })
}
