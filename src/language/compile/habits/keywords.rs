//! Words of other tools for those of the language, told apart by what stands behind them.

use crate::language::words::{near, quoted};
use crate::model::{Channel, Confirmation, Span, ZoneTable};

use super::Meant;
use super::text::Around;

/// `sms timeout 5m`: how long the stage is worth anything, or when the next one starts.
pub(super) fn lifetime(around: &Around<'_>) -> Option<Meant> {
    const WORDS: [&str; 2] = ["timeout", "deadline"];
    let text = around.text();
    let (at, span) = around.next_on_line().filter(|(_, next)| next.parse::<Span>().is_ok())?;
    WORDS.contains(&text).then_some(())?;
    let message = format!("unknown word {}", quoted(text));
    let help = format!(
        "write `valid {span}` where the message is worth nothing later, or `after {span}` where the stage \
         starts so late"
    );
    Some(Meant::told(around.at.start..at.end).saying(message).help(help))
}

/// `group_wait 5m`, `repeat_interval 5m`: a setting of another tool with a duration.
pub(super) fn setting(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (at, span) = around.next_on_line().filter(|(_, next)| next.parse::<Span>().is_ok())?;
    let is_setting = text.contains(['_', '-']) || text.chars().skip(1).any(char::is_uppercase);
    let lower = text.to_lowercase();
    is_setting.then_some(())?;
    let message = format!("unknown word {}", quoted(text));
    let help = if lower.starts_with("repeat") {
        format!("write how often: for example `repeat 2 times every {span}`")
    } else if lower.contains("retr") || lower.contains("backoff") || lower.contains("interval") {
        format!("write how often: for example `retry 3 times every {span}`")
    } else {
        format!(
            "write `after {span}` where the stage starts so late, or `valid {span}` where it is worth nothing later"
        )
    };
    Some(Meant::told(around.at.start..at.end).saying(message).help(help))
}

/// `catch fail "send a guard"`: what stands before `fail` elsewhere.
pub(super) fn before_fail(around: &Around<'_>) -> Option<Meant> {
    let (fail, _) = around.next_on_line().filter(|(_, word)| *word == "fail")?;
    around.word_from(fail.end).filter(|(_, sign)| *sign == "\"")?;
    let (_, before) = around.before()?;
    let is_slip = near(around.text(), ["otherwise"]).is_some();
    (before != "otherwise" && before != "then" && !is_slip).then_some(())?;
    let message = format!("unknown word {} before `fail`; did you mean `otherwise`?", quoted(around.text()));
    let line = around.line_end(fail.end);
    Some(Meant::write(around.at.clone(), "otherwise").named("bad-otherwise").saying(message).until(line))
}

/// `if vars.p99 > 2s for 5m`: how long something has to last elsewhere.
pub(super) fn lasting(around: &Around<'_>) -> Option<Meant> {
    let (at, span) = around.next_on_line().filter(|(_, next)| next.parse::<Span>().is_ok())?;
    let before = around.part(around.line_start(around.at.start)..around.at.start);
    let guard = ["if ", "unless "].iter().filter_map(|word| before.rfind(word)).max()?;
    let condition = before.get(guard..)?;
    let fits = around.text() == "for" && !condition.contains(" then ") && condition.contains(['<', '>', '=']);
    let whole = around.at.start..at.end;
    let message =
        format!("a condition is decided at one moment: {} says nothing", quoted(around.part(whole.clone())));
    let help = format!("leave it out, or write `valid {span}` where the message is worth nothing later");
    fits.then(|| Meant::leave_out(around, whole).named("bad-condition").saying(message).help(help))
}

/// `on mon, fri tz Europe/Vienna`: another word for `in`, before a zone.
pub(super) fn zone(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    before_zone(around, around.at.clone(), text)
}

/// The same where the finding is of the times before.
pub(super) fn zone_behind(around: &Around<'_>) -> Option<Meant> {
    let line = around.line_end(around.at.end);
    let (mut end, mut word) = (around.at.end, None);
    // Days may stand between.
    for _ in 0..8 {
        let next = around.word_from(end).filter(|(at, _)| at.start < line)?;
        end = next.0.end;
        if !(next.1 == "on" || next.1 == "," || super::windows::is_day(next.1)) {
            word = Some(next);
            break;
        }
    }
    let (at, text) = word?;
    before_zone(around, at, text)
}

fn before_zone(around: &Around<'_>, at: std::ops::Range<usize>, text: &str) -> Option<Meant> {
    const WORDS: [&str; 8] = ["tz", "TZ", "timezone", "zone", "time_zone", "location", "tzid", "offset"];
    let (zone_at, zone) = around.word_from(at.end)?;
    let is_zone = zone == "contact.timezone" || ZoneTable.get(zone).is_some();
    (WORDS.contains(&text) && is_zone && zone_at.start < around.line_end(at.end)).then_some(())?;
    let message = format!("before a zone stands `in`, not {}", quoted(text));
    Some(Meant::write(at, "in").named("missing-zone").saying(message).help(format!("write `in {zone}`")))
}

/// `until after 15m replied`: the goal stands behind the next word.
pub(super) fn goal_behind(around: &Around<'_>) -> Option<Meant> {
    let end = around.at.start + "until".len();
    (around.part(around.at.start..end) == "until").then_some(())?;
    let (after, _) = around.word_from(end).filter(|(_, word)| *word == "after")?;
    let (span, _) = around.word_from(after.end)?;
    let (goal, word) = around.word_from(span.end).filter(|(_, word)| word.parse::<Confirmation>().is_ok())?;
    let behind = around.part(after.start..span.end);
    let message = format!("{} stands behind {}, not behind `until`", quoted(word), quoted(behind));
    let whole = around.at.start..goal.end;
    Some(Meant::write(whole, &format!("until {word} {behind}")).named("unknown-goal").saying(message))
}

/// `until acknowledged`, `until lu`: what other tools call a reply, and goals in other languages.
pub(super) fn goal(around: &Around<'_>) -> Option<Meant> {
    const REPLIES: [&str; 8] =
        ["acknowledged", "ack", "acked", "acknowledge", "responded", "resolved", "reacted", "confirm"];
    let text = around.text();
    let is_reply = REPLIES.contains(&text.to_lowercase().as_str());
    let meant = if is_reply { "replied" } else { super::languages::state(text)? };
    // `push until acknowledged`: nobody replies to a push.
    let (_, channel) = around.before().and_then(|(until, _)| around.word_before(until.start))?;
    if let Ok(channel) = channel.parse::<Channel>()
        && meant == "replied"
        && let Some(most) =
            channel.default_confirmations().iter().max().filter(|most| **most < Confirmation::Replied)
    {
        let message = format!("unknown goal {}; nobody replies by `{channel}`", quoted(text));
        let help = format!("write `{most}`, the most that `{channel}` can tell");
        return Some(Meant::told(around.at.clone()).saying(message).help(help));
    }
    let message = format!("unknown goal {}; did you mean `{meant}`?", quoted(text));
    Some(Meant::write(around.at.clone(), meant).saying(message))
}
