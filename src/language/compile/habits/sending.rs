//! What is done, said in whole words: `send an sms`, `phone call`, `try 3 times`, `the next day`.

use crate::language::words::{ENDS, quoted, synonym};
use crate::model::{Channel, Span};

use super::Meant;
use super::text::Around;
use super::values::{number, unit};

/// Words that people put before a channel.
const VERBS: [&str; 12] = [
    "send", "sends", "sending", "sende", "schicke", "write", "make", "give", "notify", "reach", "contact",
    "do",
];
const FILLING: [&str; 20] = [
    "a", "an", "the", "them", "him", "her", "by", "via", "with", "per", "one", "another", "out", "to",
    "customer", "person", "user", "it", "also", "finally",
];
/// What a channel sends.
const NOUNS: [&str; 9] =
    ["message", "messages", "call", "calls", "notification", "notifications", "alert", "msg", "mail"];
/// Words that a message of the channel has in everyday life, behind `contact has`.
const ADDRESSES: [&str; 9] =
    ["number", "address", "account", "app", "id", "phone", "installed", "set", "available"];

/// The channel that a word is, or stands for.
fn channel_of(word: &str) -> Option<&'static str> {
    let lower = word.to_lowercase();
    let known = lower.parse::<Channel>().ok().map(|channel| channel.word());
    known.or_else(|| synonym(&lower).filter(|meant| meant.parse::<Channel>().is_ok()))
}

/// `send an sms`, `phone call`, `Text message`.
pub(super) fn stage(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (mut end, mut words, line) = (around.at.start, 0, around.line_end(around.at.start));
    let (at, word) = loop {
        let (at, word) = around.word_from(end).filter(|(at, _)| at.start < line)?;
        let lower = word.to_lowercase();
        let fills = words > 0 && FILLING.contains(&lower.as_str());
        if !(words == 0 && VERBS.contains(&lower.as_str()) || fills) {
            break (at, word);
        }
        (end, words) = (at.end, words + 1);
    };
    let channel = channel_of(word)?;
    let noun = around
        .word_from(at.end)
        .filter(|(next, word)| next.start < line && NOUNS.contains(&word.to_lowercase().as_str()));
    let last = noun.map_or(at.end, |(at, _)| at.end);
    if words > 0 && last == at.end && channel == word {
        let before = around.at.start..end;
        let message = format!("{} is not needed: a channel alone sends", quoted(around.part(before.clone())));
        return Some(Meant::leave_out(around, before).saying(message));
    }
    let whole = around.at.start..last;
    let said = quoted(around.part(whole.clone()));
    let fits = words > 0 || last > at.end && !text.is_empty();
    let message = format!("unknown channel {said}; did you mean `{channel}`?");
    fits.then(|| Meant::write(whole, channel).saying(message))
}

/// `contact has phone`: a number to which one writes, or at which one calls.
pub(super) fn phone(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    const NUMBERS: [&str; 6] = ["phone", "telephone", "telefon", "number", "mobile", "handy"];
    NUMBERS.contains(&text.to_lowercase().as_str()).then_some(())?;
    let (has, _) = around.before().filter(|(_, word)| *word == "has")?;
    around.word_before(has.start).filter(|(_, word)| *word == "contact")?;
    let line = around.part(around.line_start(has.start)..has.start);
    let calls = line.split_whitespace().any(|word| word == "voice");
    let [one, other] = if calls { ["voice", "sms"] } else { ["sms", "voice"] };
    let message = format!("unknown channel {}: a number can be written to or called", quoted(text));
    let help = format!("write `contact has {one}` or `contact has {other}`");
    Some(Meant::told(around.at.clone()).saying(message).help(help))
}

/// A picture where a channel belongs.
pub(super) fn picture(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let is_picture = text.chars().all(|c| !c.is_ascii() && !c.is_alphanumeric());
    let (_, before) = around.before()?;
    let begins = around.part(around.line_start(around.at.start)..around.at.start).trim().is_empty();
    let goes_on = around.next_on_line().is_some_and(|(_, next)| ENDS.contains(&next));
    (is_picture && goes_on && (begins || ["then", ",", "("].contains(&before))).then_some(())?;
    let message = format!("{} stands where a channel belongs", quoted(text));
    let help = "write the channel in its place, such as `push`, `sms` or `voice`";
    Some(Meant::told(around.at.clone()).named("unknown-channel").saying(message).help(help))
}

/// `fax`, `pager`, `teams`: ways to somebody that are no channels.
pub(super) fn no_channel(around: &Around<'_>) -> Option<Meant> {
    const WAYS: [&str; 25] = [
        "fax",
        "letter",
        "post",
        "postcard",
        "pager",
        "beeper",
        "bleep",
        "bleeper",
        "buzzer",
        "siren",
        "teams",
        "msteams",
        "discord",
        "signal",
        "viber",
        "messenger",
        "wechat",
        "rcs",
        "mms",
        "threema",
        "instagram",
        "facebook",
        "line",
        "zoom",
        "app",
    ];
    let text = around.text();
    WAYS.contains(&text.to_lowercase().as_str()).then_some(())?;
    let message = format!("there is no channel {}", quoted(text));
    let help = "write another channel, or `webhook` to tell a system of your own that sends it";
    Some(Meant::told(around.at.clone()).saying(message).help(help))
}

/// `contact has voice number`, `contact has a phone number`.
pub(super) fn address(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (before, word) = around.before()?;
    if word.parse::<Channel>().is_ok() && ADDRESSES.contains(&text) {
        around.word_before(before.start).filter(|(_, word)| *word == "has")?;
        let message = format!("{} is not needed: `has {word}` asks for the address", quoted(text));
        return Some(Meant::leave_out(around, around.at.clone()).named("bad-condition").saying(message));
    }
    if word != "has" || !["a", "an", "the", "any"].contains(&text) && channel_of(text).is_none() {
        return None;
    }
    let (at, named) = match channel_of(text) {
        Some(_) => (around.at.clone(), text),
        None => around.next_on_line()?,
    };
    let channel = channel_of(named)?;
    let noun = around.word_from(at.end).filter(|(_, word)| ADDRESSES.contains(word) || NOUNS.contains(word));
    let whole = around.at.start..noun.map_or(at.end, |(at, _)| at.end);
    let said = around.part(whole.clone());
    let message = format!("{} is not how an address is asked for", quoted(&format!("has {said}")));
    let help = format!("write `contact has {channel}`");
    // `has a voice`: only the first word is too much.
    let is_other = said.contains(' ') && !said.ends_with(&format!(" {channel}"));
    is_other.then(|| Meant::write(whole, channel).named("bad-condition").saying(message).help(help))
}

/// `again 1 times every 2h`, `try 3 times`, `since 20m`.
pub(super) fn counted(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let meant = match text.to_lowercase().as_str() {
        "again" | "resend" | "repeated" | "repeating" | "reminder" | "remind" => "repeat",
        "try" | "attempt" | "retried" | "tries" | "attempts" | "reattempt" => "retry",
        "since" | "past" | "behind" | "following" | "post" | "depuis" | "seit" => "after",
        _ => return None,
    };
    let (_, next) = around.next_on_line()?;
    let is_number = next.starts_with(|c: char| c.is_ascii_digit()) || number(next).is_some();
    let is_span = next.parse::<Span>().is_ok();
    let fits = is_number && (is_span == (meant == "after") || unit_behind(around).is_some());
    let message = format!("unknown word {}; did you mean `{meant}`?", quoted(text));
    fits.then(|| Meant::write(around.at.clone(), meant).saying(message))
}

/// The unit behind the number behind a finding: `since 20 minutes`.
fn unit_behind(around: &Around<'_>) -> Option<&'static str> {
    let (at, _) = around.next_on_line()?;
    unit(around.word_from(at.end)?.1)
}

/// `the next day`, `an hour later`.
pub(super) fn later(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    for words in ["the next day", "next day", "the day after", "the following day", "following day"] {
        if let Some(whole) = around.words_from(around.at.start, words) {
            let message = format!("{} does not say after how long", quoted(around.part(whole.clone())));
            return Some(Meant::told(whole).saying(message).help("write `after 1d`"));
        }
    }
    let digits = text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty();
    let count = if digits { text } else { number(text)? };
    let (at, name) = around.next_on_line()?;
    let (last, _) = around.word_from(at.end).filter(|(_, word)| ["later", "afterwards"].contains(word))?;
    let whole = around.at.start..last.end;
    let meant = format!("after {count}{}", unit(name)?);
    let message = format!("{} is not how a time is written", quoted(around.part(whole.clone())));
    Some(Meant::write(whole, &meant).saying(message))
}

/// `same as reach_customer`, `use the policy reach_customer`: words before the name of a policy of the text.
pub(super) fn used(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    const BEFORE: [&str; 24] = [
        "same", "as", "like", "see", "run", "call", "include", "the", "policy", "our", "do", "apply",
        "follow", "execute", "invoke", "goto", "go", "to", "named", "called", "with", "then", "in", "from",
    ];
    let is_used = around.before().is_some_and(|(_, word)| word == "use");
    let (mut end, mut word, line) = (around.at.end, text, around.line_end(around.at.start));
    let mut words = 0;
    while BEFORE.contains(&word.to_lowercase().as_str()) && words < 4 {
        let (at, next) = around.word_from(end).filter(|(at, _)| at.start < line)?;
        (end, word, words) = (at.end, next, words + 1);
    }
    let declared = |(at, policy): (usize, &str)| {
        around.word_from(at + policy.len()).is_some_and(|(_, name)| name == word)
    };
    // `run b` is one word in place of another.
    if words == 0
        || words == 1 && synonym(text) == Some("use")
        || !around.source.match_indices("policy ").any(declared) && !is_used
    {
        return None;
    }
    let before = around.at.start..end - word.len();
    let said = around.part(before.clone()).trim_end();
    if is_used {
        let message = format!("{} is not needed behind `use`", quoted(said));
        let at = before.start..before.start + said.len();
        return super::super::is_name(word).then(|| Meant::leave_out(around, at).saying(message));
    }
    let message = format!("{} is not how a policy is used", quoted(around.part(before.start..end)));
    Some(Meant::write(before.start..end, &format!("use {word}")).named("unknown-word").saying(message))
}
