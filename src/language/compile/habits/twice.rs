//! Words, stages and lines that stand twice.

use crate::language::words::quoted;
use crate::model::Channel;

use super::Meant;
use super::text::Around;

/// `3 3 sends`, `1h30m 1h30m`, `transactional transactional`: the same word once more, on its line. A channel
/// may be meant twice.
pub(super) fn word(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let word = text.split_whitespace().next()?;
    if word.parse::<Channel>().is_ok() || !word.contains(char::is_alphanumeric) {
        return None;
    }
    let own = around.at.start..around.at.start + word.len();
    let is_same = |other: &(std::ops::Range<usize>, &str)| other.1 == word;
    let behind =
        around.word_from(own.end).filter(is_same).filter(|(at, _)| at.start < around.line_end(own.end));
    let before = around.before().filter(is_same).filter(|(at, _)| at.start >= around.line_start(own.start));
    let (first, second) = match (behind, before) {
        (Some((at, _)), _) => (own, at),
        (_, Some((at, _))) => (at, own),
        _ => return None,
    };
    Some(once(first, second, word))
}

/// The second of two, with the blanks before it.
fn once(first: std::ops::Range<usize>, second: std::ops::Range<usize>, word: &str) -> Meant {
    let message = format!("{} stands twice", quoted(word));
    let meant = Meant::told(second.clone()).changing(first.end..second.end, "");
    meant.named("repeated-part").saying(message).help("leave it out")
}

/// `quiet 20:30 20:30 to 07:30`, `retry 2 2 times`: the same within, or directly behind, what was read.
pub(super) fn within(around: &Around<'_>) -> Option<Meant> {
    let (mut first, mut word) = around.word_from(around.at.start)?;
    let line = around.line_end(around.at.start);
    while first.start < around.at.end {
        let (second, next) = around.word_from(first.end).filter(|(at, _)| at.start < line)?;
        if next == word && word.contains(char::is_alphanumeric) && word.parse::<Channel>().is_err() {
            return Some(once(first, second, word));
        }
        (first, word) = (second, next);
    }
    None
}

/// `twilio or or vonage`: the second joint was taken for a name.
pub(super) fn joint(around: &Around<'_>) -> Option<Meant> {
    let (at, word) = around.before().filter(|(_, word)| ["or", "and", ","].contains(word))?;
    around.word_before(at.start).filter(|(_, before)| *before == word)?;
    let message = format!("`{word}` stands twice");
    Some(Meant::leave_out(around, at).named("repeated-part").saying(message))
}

/// `voice voice after 45s`: the same action again, with no `then` between. Nobody knows whether two were
/// meant.
pub(super) fn action(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let end = around.end_before(around.at.start);
    let line = around.part(around.line_start(end)..end).trim();
    let whole = around.part(around.at.start..around.line_end(around.at.start)).trim();
    let is_line = line == whole || line.strip_prefix("then ") == Some(whole);
    let first = text.split_whitespace().next().filter(|first| first.parse::<Channel>().is_ok());
    let is_word = first.is_some_and(|first| {
        line.ends_with(first) && { around.word_before(end).is_some_and(|(_, before)| before == first) }
    });
    if !is_line && !is_word {
        return None;
    }
    let said = if is_line { whole } else { first? };
    let at = around.at.start..around.at.start + said.len();
    let message = format!("{} stands twice", quoted(said));
    let joint = if around.in_group() { "`,` or `then`" } else { "`then`" };
    let help = format!("leave one of them out, or write {joint} between them where two are meant");
    Some(Meant::told(at).saying(message).help(help))
}

/// The line of a finding, where the one before it says the same.
fn same_line_before(around: &Around<'_>, at: usize) -> Option<std::ops::Range<usize>> {
    let start = around.line_start(at);
    let before = around.line_start(start.checked_sub(1)?);
    let (one, other) = (around.part(before..start).trim(), around.part(start..around.line_end(start)).trim());
    (one == other && !one.is_empty()).then(|| start..around.line_end(start))
}

/// A line that stands twice, which the language would refuse.
pub(super) fn line(around: &Around<'_>) -> Option<Meant> {
    let line = same_line_before(around, around.at.start)?;
    let said = around.part(line.clone()).trim();
    let at = line.end - around.part(line.clone()).trim_start().len()..line.end;
    let message = format!("the line {} stands twice", quoted(said));
    let meant = Meant::told(at.clone()).changing(line.start.saturating_sub(1)..line.end, "");
    Some(meant.named("repeated-part").saying(message).help("leave one of them out").until(line.end))
}

/// `policy a {` on two lines: the first was never closed.
pub(super) fn heading(around: &Around<'_>) -> Option<Meant> {
    let next = around.line_end(around.at.start) + 1;
    let inside = Around { source: around.source, at: next..next };
    line(&inside).map(|meant| meant.named("policy-twice").until(around.source.len()))
}

/// `otherwise fail "why"` on two lines.
pub(super) fn otherwise(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    text.starts_with("otherwise").then_some(())?;
    line(around).or_else(|| {
        let message = "`otherwise fail` stands twice";
        let meant = Meant::told(around.at.clone()).named("repeated-part").saying(message);
        Some(meant.help("a policy has one reason to fail: leave one of them out"))
    })
}

/// `vars.vars.country`: the owner of a name.
pub(super) fn owner(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (owner, rest) = text.split_once('.')?;
    let rest = rest.strip_prefix(owner)?.strip_prefix('.')?;
    let fits = ["vars", "contact"].contains(&owner) && !rest.contains('.');
    let message = format!("`{owner}.` stands twice");
    fits.then(|| Meant::write(around.at.clone(), &format!("{owner}.{rest}")).saying(message))
}

/// `policy night night {`.
pub(super) fn name(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (one, other) = text.split_once(char::is_whitespace)?;
    let same = one == other.trim();
    let message = format!("{} stands twice", quoted(one));
    let second = around.at.end - other.trim().len()..around.at.end;
    same.then(|| Meant::leave_out(around, second).named("bad-name").saying(message))
}

/// `any of (sms,, email)`.
pub(super) fn comma(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (of, _) = around.next().filter(|(_, word)| ["any", "all"].contains(&text) && *word == "of")?;
    let (open, _) = around.word_from(of.end).filter(|(_, word)| *word == "(")?;
    let close = around.closing(open.start)?;
    let mut end = open.end;
    while let Some((at, word)) = around.word_from(end).filter(|(at, _)| at.end < close.end) {
        end = at.end;
        let next = around.word_from(end).filter(|(_, next)| word == "," && *next == ",");
        if let Some((second, _)) = next {
            let meant = Meant::leave_out(around, second.clone()).changing(second, "");
            return Some(meant.named("stray-text").saying("`,` stands twice"));
        }
        // `any of (, sms)`
        if word == "," && at.start == around.word_from(open.end)?.0.start {
            let message = "`,` stands before no member of the group";
            return Some(Meant::leave_out(around, at).named("stray-text").saying(message));
        }
    }
    None
}
