//! Times as schedulers have them: five fields for minute, hour, day, month and day of the week.

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
