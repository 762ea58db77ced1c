//! What stays of a line that was changed: the old value beside the new one.

use crate::language::words::quoted;
use crate::model::{Channel, Confirmation, Priority, Span, TimeOfDay, ZoneTable};

use super::Meant;
use super::text::Around;

/// `after 10m 20m`: two durations behind a word that takes one.
pub(super) fn duration(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    text.parse::<Span>().ok()?;
    let (first, old) = around.before().filter(|(_, old)| old.parse::<Span>().is_ok())?;
    let words = ["after", "every", "valid", "wait"];
    let (_, word) = around.word_before(first.start).filter(|(_, word)| words.contains(word))?;
    // `1h 30m` is one duration.
    format!("{old}{text}").parse::<Span>().is_err().then_some(())?;
    let message = format!("`{word}` has two durations, `{old}` and `{text}`");
    let meant = Meant::told(first.start..around.at.end).named("bad-duration").saying(message);
    Some(meant.help(format!("write `{word} {text}` or `{word} {old}`")))
}

/// `until delivered read`: two goals.
pub(super) fn goal(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    text.parse::<Confirmation>().ok()?;
    let (first, old) = around.before().filter(|(_, old)| old.parse::<Confirmation>().is_ok())?;
    around.word_before(first.start).filter(|(_, word)| *word == "until")?;
    let message = format!("`until` has two goals, `{old}` and `{text}`");
    let meant = Meant::told(first.start..around.at.end).named("unknown-goal").saying(message);
    Some(meant.help(format!("write `until {old}` or `until {text}`")))
}

/// `sms whatsapp after 30m`: two channels side by side, of which one may be left over.
pub(super) fn channel(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let channel = text.split_whitespace().next().filter(|word| word.parse::<Channel>().is_ok())?;
    let (first, old) = around.before().filter(|(_, word)| word.parse::<Channel>().is_ok())?;
    // `contact has sms whatsapp`, and a line break, behind which a stage begins more often than not.
    let is_named = around.word_before(first.start).is_some_and(|(_, word)| word == "has" || word == "via");
    let on_one_line = first.start >= around.line_start(around.at.start);
    // `sms email push`: nobody writes three by mistake.
    let next = around.word_from(around.at.start + channel.len());
    let is_list = next.is_some_and(|(_, next)| next.parse::<Channel>().is_ok());
    (on_one_line && !is_named && !is_list && old != channel).then_some(())?;
    let message = format!("there is no `then` between `{old}` and `{channel}`");
    let meant = Meant::told(first.start..around.at.start + channel.len()).saying(message);
    Some(
        meant.help(format!("write `{old} then {channel}`, or leave one of the two out")).until(around.at.end),
    )
}

/// Two values side by side where one stands: which is the old one, nobody knows.
fn either(around: &Around<'_>, first: usize, rule: &'static str, what: &str, ways: [String; 2]) -> Meant {
    let [one, other] = ways.map(|way| quoted(&way));
    let meant = Meant::told(first..around.at.end).named(rule).saying(format!("here stand {what}"));
    meant.help(format!("write {other} or {one}"))
}

/// `expires after 12h 24h`, `unless priority is urgent high`, `in Europe/Berlin Europe/Vienna`: what was
/// taken for a stage or a word behind one.
pub(super) fn value(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (first, old) = around
        .before()
        .filter(|(at, old)| *old != text && !around.part(at.end..around.at.start).contains('\n'))?;
    let (_, word) = around.word_before(first.start)?;
    let two = |rule, what: &str| {
        let ways = [old, text].map(|value| format!("{word} {value}"));
        Some(either(around, first.start, rule, what, ways))
    };
    let are = |is: &dyn Fn(&str) -> bool| is(old) && is(text);
    if are(&|value| value.parse::<Span>().is_ok()) && word == "after" {
        // `1h 30m` is one duration.
        let is_one = format!("{old}{text}").parse::<Span>().is_ok();
        return if is_one { None } else { two("bad-duration", "two durations") };
    }
    if are(&|value| value.parse::<Priority>().is_ok()) && word == "is" {
        return two("unknown-priority", "two priorities");
    }
    if are(&|value| value.contains('/') && ZoneTable.get(value).is_some()) && ["in", "else"].contains(&word) {
        return two("unknown-zone", "two zones");
    }
    None
}

/// `use one other`, where the file has both.
pub(super) fn used(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (first, old) = around.before()?;
    let (_, word) = around.word_before(first.start)?;
    let are_policies = [old, text].iter().all(|name| super::groups::is_policy(around.source, name));
    (word == "use" && are_policies && old != text).then_some(())?;
    let ways = [old, text].map(|name| format!("use {name}"));
    Some(either(around, first.start, "unknown-policy", "two policies behind one `use`", ways))
}

/// `quiet 21:00 22:00 to 08:00`.
pub(super) fn time(around: &Around<'_>) -> Option<Meant> {
    let words: Vec<&str> = around.text().split_whitespace().collect();
    let [one, other] = words.as_slice() else { return None };
    let are_times = [one, other].iter().all(|time| time.parse::<TimeOfDay>().is_ok());
    let (_, word) = around.before().filter(|_| are_times && one != other)?;
    let (joint, _) = around.next_on_line().filter(|(_, joint)| ["to", "and"].contains(joint))?;
    let line = around.line_end(joint.end);
    let ways = [one, other].map(|time| format!("{word} {time}"));
    let [one, other] = ways.map(|way| quoted(&way));
    let whole = around.at.clone();
    let meant = Meant::told(whole).named("missing-time").saying("here stand two times of day");
    Some(meant.help(format!("write {other} or {one}")).until(line))
}

/// `retry 5 10 times`.
pub(super) fn count(around: &Around<'_>) -> Option<Meant> {
    let words: Vec<&str> = around.text().split_whitespace().collect();
    let [word, one] = words.as_slice() else { return None };
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
    let (at, other) = around.next_on_line().filter(|(_, other)| is_number(other) && is_number(one))?;
    (other != *one).then_some(())?;
    let (times, _) = around.word_from(at.end).filter(|(_, next)| *next == "times")?;
    let meant = Meant::told(around.at.end - one.len()..times.end).saying("here stand two numbers");
    let help = format!("write `{word} {other} times` or `{word} {one} times`");
    Some(meant.help(help).until(around.line_end(times.end)))
}

/// `otherwise fail "one" "other"`.
pub(super) fn reason(around: &Around<'_>) -> Option<Meant> {
    let start = around.line_start(around.at.start);
    let written = around.part(start..around.line_end(start)).trim_end();
    let first = written.find("otherwise fail \"")? + "otherwise fail ".len();
    let parts: Vec<&str> = written.get(first..)?.split('"').collect();
    let ["", one, between, other, ""] = parts.as_slice() else { return None };
    (between.trim().is_empty() && !one.is_empty() && !other.is_empty()).then_some(())?;
    let meant = Meant::told(start + first..start + written.len()).named("bad-otherwise");
    let meant = meant.saying("here stand two reasons");
    Some(meant.help("write one of them: a policy has one reason to fail").until(start + written.len()))
}

/// `policy old {` above `policy new {`.
pub(super) fn heading(around: &Around<'_>) -> Option<Meant> {
    let line = around.line_end(around.at.start);
    let first = around.part(around.line_start(around.at.start)..line).trim_end();
    let next = around.part(line + 1..around.line_end(line + 1)).trim_end();
    let is_heading = |line: &str| line.starts_with("policy ") && line.ends_with('{');
    (first != next && is_heading(first) && is_heading(next)).then_some(())?;
    let whole = around.at.start..around.line_end(line + 1);
    let message = "here stand two first lines of a policy, one above the other";
    let meant = Meant::told(whole).named("unclosed-bracket").saying(message);
    Some(meant.help("leave one of them out").until(around.source.len()))
}

/// `wait for 5m`.
pub(super) fn needless_for(around: &Around<'_>) -> Option<Meant> {
    (around.text() == "for").then_some(())?;
    let (_, word) = around.before()?;
    let message = format!("behind `{word}` no `for` is needed");
    // `for an hour`
    let (first, count) = around.next_on_line()?;
    if let Some(number) = super::values::number(count)
        && let Some((at, unit)) =
            around.word_from(first.end).filter(|(at, _)| at.end <= around.line_end(first.end))
        && let Some(unit) = super::values::unit(unit)
    {
        let whole = around.at.start..at.end;
        let message = format!("{} is not written as durations are", quoted(around.part(whole.clone())));
        let span = format!("{number}{unit}");
        let meant = Meant::write(whole, &span).named("bad-duration").saying(message);
        return Some(meant.help(format!("write `{word} {span}`")));
    }
    Some(Meant::leave_out(around, around.at.clone()).saying(message).help("leave `for` out"))
}
