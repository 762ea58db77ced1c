//! What stays of a line that was changed: the old value beside the new one.

use crate::model::{Channel, Confirmation, Span};

use super::Meant;
use super::text::Around;

/// `after 10m 20m`: two durations behind a word that takes one.
pub(super) fn duration(around: &Around<'_>, text: &str) -> Option<Meant> {
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
pub(super) fn goal(around: &Around<'_>, text: &str) -> Option<Meant> {
    text.parse::<Confirmation>().ok()?;
    let (first, old) = around.before().filter(|(_, old)| old.parse::<Confirmation>().is_ok())?;
    around.word_before(first.start).filter(|(_, word)| *word == "until")?;
    let message = format!("`until` has two goals, `{old}` and `{text}`");
    let meant = Meant::told(first.start..around.at.end).named("unknown-goal").saying(message);
    Some(meant.help(format!("write `until {old}` or `until {text}`")))
}

/// `sms whatsapp after 30m`: two channels side by side, of which one may be left over.
pub(super) fn channel(around: &Around<'_>, text: &str) -> Option<Meant> {
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
