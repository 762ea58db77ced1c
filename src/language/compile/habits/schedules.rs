//! Times as schedulers and calendars have them: five fields for minute, hour, day, month and day of the week;
//! dates.

use crate::language::words::quoted;
use crate::model::TimeOfDay;

use super::Meant;
use super::text::Around;

/// `between 0 8-18 * * 1-5 in Europe/Berlin`, `wait until 0 9 * * *`.
pub(super) fn cron(around: &Around<'_>) -> Option<Meant> {
    let (line, end) = (around.line_start(around.at.start), around.line_end(around.at.start));
    let written = around.part(line..end);
    let words = ["between ", "until ", "quiet "];
    let (from, word) =
        words.iter().filter_map(|word| Some((written.rfind(word)? + word.len(), *word))).max()?;
    let rest = written.get(from..)?;
    let is_field = |field: &str| field.bytes().all(|b| b.is_ascii_digit() || b"*/-,".contains(&b));
    let fields: Vec<&str> = rest.split_whitespace().take_while(|field| is_field(field)).take(5).collect();
    (fields.len() == 5 && fields.iter().any(|field| field.contains('*'))).then_some(())?;
    let length =
        fields.iter().try_fold(0, |end, field| Some(end + rest.get(end..)?.find(field)? + field.len()))?;
    let at = line + from..line + from + length;
    let message = format!("{} is a line of a scheduler, not a time", quoted(around.part(at.clone())));
    let meant = times(&fields, word.trim());
    let meant = match &meant {
        Some(meant) => Meant::write(at, meant),
        None => Meant::told(at).help("write times of the day, such as `08:00 and 18:00 on weekdays`"),
    };
    Some(meant.named("bad-time").saying(message).until(end))
}

/// The fields in the words of the language, where they can be said in them.
fn times(fields: &[&str], word: &str) -> Option<String> {
    let [minute, hour, day, month, weekday] = fields else { return None };
    (*day == "*" && *month == "*").then_some(())?;
    let minute: u16 = minute.parse().ok()?;
    let time = |hour: &str| TimeOfDay::from_minutes(hour.parse::<u16>().ok()?.checked_mul(60)? + minute);
    let times = match (hour.split_once('-'), word) {
        (Some((from, to)), "between") => format!("{} and {}", time(from)?, time(to)?),
        (Some((from, to)), "quiet") => format!("{} to {}", time(from)?, time(to)?),
        (None, "until") => time(hour)?.to_string(),
        _ => return None,
    };
    if *weekday == "*" {
        return Some(times);
    }
    // Quiet hours have no days.
    let days = super::windows::numbered_days(weekday).filter(|_| word != "quiet")?;
    Some(format!("{times} on {days}"))
}

/// The first letters of the months.
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// `24.12.2026`, `2026-12-24`, `24/12`.
fn is_date(word: &str) -> bool {
    let is_number = |part: &str| (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    ['.', '/', '-'].iter().any(|sign| {
        let parts: Vec<&str> = word.trim_end_matches('.').split(*sign).collect();
        let fits = parts.iter().all(|part| is_number(part));
        fits && (parts.len() == 3 || parts.len() == 2 && *sign == '/')
    })
}

fn is_month(word: &str) -> bool {
    let lower = word.to_lowercase();
    lower.bytes().all(|b| b.is_ascii_lowercase()) && MONTHS.iter().any(|month| lower.starts_with(month))
}

/// `wait until 24.12.2026`, `wait until 24 December`: a policy says what happens from the sending on, whenever
/// that is.
pub(super) fn date(around: &Around<'_>) -> Option<Meant> {
    let line = around.line_end(around.at.start);
    let next = |end: usize| around.word_from(end).filter(|(at, _)| at.end <= line);
    let (first, word) = next(around.at.start)?;
    let is_day = |word: &str| {
        let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        digits.parse::<u8>().is_ok_and(|day| (1..=31).contains(&day))
    };
    let mut end = if is_date(word) {
        first.end
    } else if is_day(word) {
        let (at, word) = next(first.end)?;
        let (at, word) = if ["of", "."].contains(&word) { next(at.end)? } else { (at, word) };
        is_month(word).then_some(at.end)?
    } else {
        let (at, day) = next(first.end)?;
        (is_month(word) && is_day(day)).then_some(at.end)?
    };
    let is_year = |word: &str| word.len() == 4 && word.starts_with("20");
    if let Some((at, _)) = next(end).filter(|(_, word)| is_year(word)) {
        end = at.end;
    }
    let said = quoted(around.part(first.start..end));
    let message = format!("a policy waits for a time of day, not for a date such as {said}");
    let meant = Meant::told(first.start..end).named("bad-time").saying(message).until(line);
    Some(meant.help(
        "write the time alone, `wait until 09:00 in contact.timezone`, and send the message on that day",
    ))
}

/// `every */5m`: a step of a schedule.
pub(super) fn step(around: &Around<'_>) -> Option<Meant> {
    let line = around.line_end(around.at.start);
    let rest = around.part(around.at.start..line);
    let from = around.at.start + rest.find("*/")?;
    let length = around.part(from..line).find(char::is_whitespace).unwrap_or(line - from);
    let step = around.part(from..from + length);
    let meant = step.strip_prefix("*/").filter(|span| span.parse::<crate::model::Span>().is_ok())?;
    let message = format!("a duration is written without `*/`, not as {}", quoted(step));
    Some(Meant::write(from..from + length, meant).named("missing-duration").saying(message))
}
