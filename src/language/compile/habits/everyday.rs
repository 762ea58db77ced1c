//! Everyday words behind a stage.

use crate::language::words::{near, quoted};
use crate::model::{Channel, Span};

use super::text::Around;
use super::{Meant, languages};

/// What everyday words behind a stage stand for, with the words that belong to them.
const EVERYDAY: [(&str, &str); 51] = [
    ("in case of doubt", "on doubt"),
    ("when in doubt", "on doubt"),
    ("in doubt", "on doubt"),
    ("if in doubt", "on doubt"),
    ("ondoubt", "on doubt"),
    ("on-doubt", "on doubt"),
    ("on_doubt", "on doubt"),
    ("followed by", "then"),
    ("escalates to", "then"),
    ("escalate to", "then"),
    ("escalate", "then"),
    ("on failure", "then"),
    ("on fail", "then"),
    ("on timeout", "then"),
    ("on error", "then"),
    ("falling back to", "then"),
    ("fall back to", "then"),
    ("fallback to", "then"),
    ("failover to", "then"),
    ("fallback", "then"),
    ("failover", "then"),
    ("backup", "then"),
    ("afterward", "then"),
    ("afterwards", "then"),
    ("next", "then"),
    ("thereafter", "then"),
    ("in", "after"),
    ("within", "after"),
    ("delay", "after"),
    ("till", "until"),
    ("til", "until"),
    ("except if", "unless"),
    ("except when", "unless"),
    ("except", "unless"),
    ("without", "unless"),
    ("but not if", "unless"),
    ("only if", "if"),
    ("only when", "if"),
    ("when", "if"),
    ("where", "if"),
    ("with", "via"),
    ("by", "via"),
    ("using", "via"),
    ("over", "via"),
    ("through", "via"),
    ("lasts", "valid"),
    ("lasting", "valid"),
    ("good for", "valid"),
    ("retries", "retry"),
    ("retrying", "retry"),
    ("repeats", "repeat"),
];

/// What one everyday word stands for.
pub(in super::super) fn meant(word: &str) -> Option<&'static str> {
    let known = EVERYDAY.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(word));
    known.map(|(_, meant)| meant).or_else(|| languages::of_stage(word))
}

/// A word behind a stage that is no modifier.
pub(super) fn word(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let line = around.line_end(around.at.end);
    let before = around.before();
    // A condition goes on in other words: `vars.amount greater than 5`.
    if before.as_ref().is_some_and(|(_, word)| super::conditions::is_name(word)) {
        return None;
    }
    if text.parse::<Span>().is_ok() {
        if let Some((at, first)) = before.clone().filter(|(_, word)| word.parse::<Span>().is_ok()) {
            let both = format!("{first}{text}");
            let whole = at.start..around.at.end;
            let message = format!("{} is one duration in two words", quoted(around.part(whole.clone())));
            both.parse::<Span>().ok()?;
            return Some(Meant::write(whole, &both).named("bad-duration").saying(message));
        }
        let later =
            around.next_on_line().filter(|(_, word)| ["later", "afterwards", "später"].contains(word));
        let end = later.map_or(around.at.end, |(at, _)| at.end);
        let message = format!("there is no `after` before {}", quoted(text));
        return Some(Meant::write(around.at.start..end, &format!("after {text}")).saying(message));
    }
    // `via 70 twilio, 30 vonage`
    if let Some((at, share)) = before.clone().filter(|(_, word)| word.parse::<u8>().is_ok_and(|n| n <= 100)) {
        let route = around.word_before(at.start).is_some_and(|(_, word)| ["via", ","].contains(&word));
        if route {
            let message = format!("the share {} is not written with `%`", quoted(share));
            let mut meant = Meant::write(at, &format!("{share}%")).named("bad-shares").saying(message);
            let mut end = around.at.end;
            while let Some((comma, ",")) = around.word_from(end)
                && let Some((next, digits)) = around.word_from(comma.end)
                && digits.parse::<u8>().is_ok()
                && let Some((provider, _)) = around.word_from(next.end)
            {
                meant = meant.and(next.end..next.end, "%");
                end = provider.end;
            }
            return Some(meant);
        }
    }
    if ["immediately", "instantly", "now", "directly", "first", "please"].contains(&text) {
        let message = format!("{} is not needed: a stage starts as soon as it can", quoted(text));
        return Some(Meant::leave_out(around, around.at.clone()).saying(message));
    }
    if before.as_ref().is_some_and(|(_, word)| word.parse::<Channel>().is_ok())
        && ["notification", "notifications", "message", "messages", "call", "alert"].contains(&text)
    {
        let message = format!("{} is not needed: a channel alone sends", quoted(text));
        return Some(Meant::leave_out(around, around.at.clone()).saying(message));
    }
    // `at 09:00 in UTC`
    if text == "at"
        && let Some((at, time)) = around.next_on_line().filter(|(_, word)| word.contains(':'))
    {
        let message = "a stage starts at a time of day behind a `wait until`";
        let help = format!("write `wait until {time} in contact.timezone then` before the stage");
        let zone = around.word_from(at.end).filter(|(_, word)| *word == "in");
        let zone = zone.and_then(|(at, _)| around.word_from(at.end)).filter(|(at, _)| at.start < line);
        let whole = around.at.start..zone.map_or(at.end, |(at, _)| at.end);
        return Some(Meant::told(whole).saying(message).help(help).until(line));
    }
    // `with template otp`
    let template = around.next_on_line().filter(|(_, word)| *word == "template" && text == "with");
    if text == "template" || template.is_some() {
        let message = "a template is named by who sends a message, not by the policy";
        let last = template.map_or(around.at.end, |(at, _)| at.end);
        let name = around.word_from(last).filter(|(at, _)| at.start < line).map_or(last, |(at, _)| at.end);
        return Some(Meant::leave_out(around, around.at.start..name).saying(message));
    }
    if ["later", "soon", "eventually", "später"].contains(&text) {
        let message = format!("{} does not say after how long", quoted(text));
        let meant = Meant::told(around.at.clone()).saying(message);
        return Some(meant.help("write for example `after 10m`").until(line));
    }
    // `unless delivered by sms`
    if ["by", "via", "on", "per", "through"].contains(&text)
        && before.as_ref().is_some_and(|(_, word)| super::conditions::STATES.contains(word))
        && let Some((at, _)) = around.next_on_line().filter(|(_, word)| word.parse::<Channel>().is_ok())
    {
        let whole = around.at.start..at.end;
        let message = format!(
            "{} is not needed: a condition asks for the whole message",
            quoted(around.part(whole.clone()))
        );
        return Some(Meant::leave_out(around, whole).named("bad-condition").saying(message));
    }
    // `until read within 5m`
    if ["within", "in", "for"].contains(&text)
        && let Some((goal, _)) = before.as_ref()
        && around.word_before(goal.start).is_some_and(|(_, word)| word == "until")
        && let Some((at, span)) = around.next_on_line().filter(|(_, word)| word.parse::<Span>().is_ok())
    {
        let message = "a stage waits for its goal until the next one starts";
        let is_last = around.word_from(at.end).is_none_or(|(_, next)| next != "then");
        let help = match is_last {
            true => {
                format!("write `after {span}`, where it means how late this stage starts, or leave it out")
            }
            false => format!("write `after {span}` behind the next stage"),
        };
        let meant = Meant::told(around.at.start..at.end).named("bad-wait").saying(message);
        return Some(meant.help(help).until(line));
    }
    if let Some(meant) = again(around) {
        return Some(meant);
    }
    let in_another = languages::of_stage(text).map(|meant| (around.at.clone(), meant));
    let in_others = EVERYDAY
        .into_iter()
        .filter_map(|(words, meant)| Some((around.words_from(around.at.start, words)?, meant)));
    for (whole, meant) in in_others.chain(in_another) {
        let next = around.word_from(whole.end).map_or("", |(_, word)| word);
        // `sms on error then email`
        if meant == "then" && next == meant {
            let message = format!("{} is not needed before `then`", quoted(around.part(whole.clone())));
            return Some(Meant::leave_out(around, whole).saying(message));
        }
        if meant != "after" || next.starts_with(|c: char| c.is_ascii_digit()) {
            let message =
                format!("unknown word {}; did you mean `{meant}`?", quoted(around.part(whole.clone())));
            return Some(Meant::write(whole, meant).saying(message));
        }
    }
    if super::windows::is_day(text)
        && let Some((zone, _)) = around.before()
        && let Some((joint, "in")) = around.word_before(zone.start)
    {
        let message = format!("the days {} stand before the zone", quoted(text));
        let meant = Meant::write(joint.start..joint.start, &format!("on {text} "))
            .named("unknown-day")
            .saying(message)
            .about(around.at.clone());
        return Some(meant.help(format!("write `on {text}` before `in`")).and(zone.end..around.at.end, ""));
    }
    let meant = near(text, ["otherwise"])?;
    let message = format!("unknown word {}; did you mean `{meant}`?", quoted(text));
    Some(Meant::write(around.at.clone(), meant).saying(message))
}

/// `whats app`, `e mail`, `sms:twilio`.
pub(super) fn in_two_words(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    if let Some((first, second)) = text.split_once([':', '/', '.', '='])
        && first.parse::<Channel>().is_ok()
        && second.parse::<Channel>().is_ok()
    {
        let sign = text.get(first.len()..text.len() - second.len())?;
        let message = format!("stages are joined by `then`, not by `{sign}`");
        let meant = format!("{first} then {second}");
        return Some(Meant::write(around.at.clone(), &meant).named("wrong-joiner").saying(message));
    }
    if let Some((channel, provider)) = text.split_once([':', '/'])
        && channel.parse::<Channel>().is_ok()
        && provider.starts_with(|c: char| c.is_ascii_lowercase())
    {
        let message = "a provider stands behind `via`";
        let meant = format!("{channel} via {provider}");
        return Some(Meant::write(around.at.clone(), &meant).named("bad-route").saying(message));
    }
    let rest = around.part(around.at.start..around.line_end(around.at.end));
    let mut end = around.at.end;
    for word in ["what's app", "what’s app", "what's-app", "whats app", "whats-app", "e mail", "tele gram"]
    {
        let same = |part: &str| part.to_lowercase() == *word;
        if rest.get(..word.len()).is_some_and(same) {
            end = end.max(around.at.start + word.len());
        }
    }
    if end == around.at.end {
        return None;
    }
    let whole = around.at.start..end;
    let letters: String = around.part(whole.clone()).chars().filter(|c| c.is_alphabetic()).collect();
    let channel: Channel = letters.to_lowercase().parse().ok()?;
    let message = format!("the channel {} is one word", quoted(around.part(whole.clone())));
    Some(Meant::write(whole, channel.word()).saying(message))
}

/// `sms again 2 times every 5m`, `sms for 5m`: words that may stand for one of two modifiers.
fn again(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (next, said) = around.next_on_line()?;
    let told = |end: usize, one: &str, why: &str, other: &str| {
        let rest = around.part(next.start..end);
        let message = format!("unknown word {}; did you mean `{one}`?", quoted(text));
        let help = format!("write `{one} {rest}` {why}, {other}");
        Meant::told(around.at.start..end).saying(message).help(help)
    };
    if text == "for" && said.parse::<Span>().is_ok() {
        let why = "where the provider is to give up after this time";
        let other = format!("or `after {said}` behind the next stage");
        return Some(told(next.end, "valid", why, &other));
    }
    if !["again", "resend", "retransmit", "repeatedly"].contains(&text) || said.parse::<u32>().is_err() {
        return None;
    }
    let (times, _) = around.word_from(next.end).filter(|(_, word)| *word == "times")?;
    Some(match around.word_from(times.end) {
        Some((_, "backoff")) => {
            let message = format!("unknown word {}; did you mean `retry`?", quoted(text));
            Meant::write(around.at.clone(), "retry").saying(message)
        }
        _ => {
            let other = "or `retry` in its place for tries that fail";
            told(times.end, "repeat", "for sending again while nobody confirms", other)
        }
    })
}
