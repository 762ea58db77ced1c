//! Stages as programs and data have them: calls, lists of settings, blocks.

use crate::language::words::quoted;
use crate::model::{Channel, Span};

use super::Meant;
use super::text::Around;

/// Under which stages stand in a list.
const LISTS: [&str; 11] = [
    "stages",
    "steps",
    "sequence",
    "order",
    "flow",
    "chain",
    "strategy",
    "fallbacks",
    "escalation",
    "cascade",
    "pipeline",
];

/// What a call is named that sends.
const CALLS: [&str; 8] = ["send", "notify", "deliver", "dispatch", "push_to", "stage", "step", "try"];

/// Words between stages, and signs around them, that say nothing but one after the other.
const ORDER: [&str; 19] =
    ["then", ",", ";", ".", ":", "=", "(", ")", "[", "]", "{", "}", "\"", "'", "-", ">", "=>", "•", "*"];

/// `sms.then(email)`, `send(sms); send(email)`, `steps: [sms, email]`, `{ "stages": ["sms", "email"] }`:
/// channels in order and nothing else, whatever stands around them.
pub(super) fn in_order(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let first = around.word_before(around.at.start).filter(|(_, word)| {
        // `sms().then(email)` is told of from the first sign on.
        text.starts_with('(') && word.parse::<Channel>().is_ok()
    });
    let start = first.map_or(around.at.start, |(at, _)| at.start);
    begins(around, text).then_some(())?;
    let stop = end_of_policy(around, start);
    let mut channels: Vec<&str> = Vec::new();
    let mut end = start;
    for (at, word) in parts(around, start, stop) {
        let is_known = ORDER.contains(&word) || LISTS.contains(&word) || CALLS.contains(&word);
        if word.parse::<Channel>().is_ok() {
            channels.push(word);
        } else if !is_known {
            return None;
        }
        end = at.end;
    }
    let meant = channels.join(" then ");
    let whole = start..end;
    let message = "stages are written in words, one behind the other, not as in a program";
    (channels.len() > 1).then(|| {
        Meant::told(whole.start..around.line_end(whole.start).min(whole.end))
            .named("stray-text")
            .changing(whole, &meant)
            .saying(message)
            .help(format!("write `{meant}`"))
            .until(stop)
    })
}

/// Whether a finding looks like the beginning of a program.
fn begins(around: &Around<'_>, text: &str) -> bool {
    let next = around.next().map_or("", |(_, word)| word);
    let chained = text.split_once('.').is_some_and(|(channel, call)| {
        channel.parse::<Channel>().is_ok() && (call == "then" || CALLS.contains(&call))
    });
    chained
        || text.starts_with("()")
        || text.starts_with('{')
        || text.starts_with('[')
        || CALLS.contains(&text) && next == "("
        || LISTS.contains(&text.trim_end_matches(':'))
            && (text.ends_with(':') || [":", "=", "-", "["].contains(&next))
}

/// The brace that ends the policy in which a byte stands, or the end of the text.
fn end_of_policy(around: &Around<'_>, start: usize) -> usize {
    let open = around.part(0..start).rfind("policy ").and_then(|policy| {
        let brace = around.part(policy..start).find('{')?;
        around.closing(policy + brace)
    });
    open.map_or(around.source.len(), |close| close.start)
}

/// Words and signs, also where a dot joins two words.
fn parts<'s>(around: &Around<'s>, from: usize, stop: usize) -> Vec<super::text::Word<'s>> {
    let mut parts = Vec::new();
    let mut from = from;
    while let Some((at, word)) = around.word_from(from).filter(|(at, _)| at.end <= stop) {
        from = at.end;
        let mut start = at.start;
        for part in word.split(['.', ':', '\'']).filter(|part| !part.is_empty()) {
            let begin = start + around.part(start..at.end).find(part).unwrap_or(0);
            start = begin + part.len();
            parts.push((begin..start, part));
        }
        if word.trim_matches(['.', ':', '\'']).is_empty() {
            parts.push((at, word));
        }
    }
    parts
}

/// `IF(vars.amount > 100; sms; email)`, as a table of figures has it.
pub(super) fn choice(around: &Around<'_>) -> Option<Meant> {
    let (open, _) = around.next_on_line().filter(|(_, sign)| *sign == "(")?;
    let close = around.closing(open.start)?;
    let inner = around.part(open.end..close.start);
    let parts: Vec<&str> = inner.split([';', ',']).map(str::trim).collect();
    let is_if = ["if", "ifs", "when", "wenn", "iif"].contains(&around.text().to_lowercase().as_str());
    let [condition, chosen, rest @ ..] = parts.as_slice() else { return None };
    let is_channel = |word: &&&str| word.parse::<Channel>().is_ok();
    (is_if && is_channel(&chosen) && rest.len() < 2 && rest.iter().all(|word| is_channel(&word)))
        .then_some(())?;
    let message = "a condition stands behind its stage";
    let help = match rest {
        [other] => {
            format!("write `{chosen} if {condition}` and, behind `then`, `{other} unless {condition}`")
        }
        _ => format!("write `{chosen} if {condition}`"),
    };
    let whole = around.at.start..close.end;
    let meant = Meant::told(whole).named("bad-condition").saying(message).help(help);
    Some(meant.until(around.line_end(close.end)))
}

/// `if (vars.amount > 100) { sms } else { email }`.
pub(super) fn block(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let word = text.split_whitespace().next().filter(|word| ["if", "unless", "when"].contains(word))?;
    let line = around.part(around.at.start..around.line_end(around.at.start));
    let condition = line.strip_prefix(word)?.split('{').next().filter(|_| line.contains('{'))?;
    let condition = condition.trim().trim_start_matches('(').trim_end_matches(')').trim();
    let word = if word == "when" { "if" } else { word };
    let message = "a condition stands behind its stage, and no braces stand around stages";
    let help =
        format!("write for example `sms {word} {condition}`, and the stages that follow behind `then`");
    let meant = Meant::told(around.at.clone()).named("bad-condition").saying(message).help(help);
    Some(meant.until(around.source.len()))
}

/// `if vars.amount > 100 then sms else email`, also on lines of their own: the condition before its stage.
pub(super) fn before_stage(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let word = text.split_whitespace().next().filter(|word| ["if", "unless"].contains(word))?;
    let begin = around.at.start + word.len();
    let (end, from) = condition(around, begin)?;
    let (first, _) = around.word_from(from).filter(|(_, channel)| channel.parse::<Channel>().is_ok())?;
    let (mut last, mut other) = (first.end, None);
    while let Some((at, next)) = around.word_from(last) {
        if next == "else" {
            other = Some(at.end);
        }
        let ends = ["else", "then", "otherwise", "{", "}", ")", "#", ","].contains(&next);
        if ends || around.part(last..at.start).contains('\n') {
            break;
        }
        last = at.end;
    }
    let meant = format!("{} {word} {}", around.part(first.start..last), around.part(begin..end).trim());
    let (meant, leads_on) = match other {
        Some(_) => (format!("{meant} then"), ", and `then` leads on where it does not hold"),
        None => (meant, ""),
    };
    let message = format!("a condition stands behind its stage{leads_on}");
    let meant = Meant::write(around.at.start..other.unwrap_or(last), &meant);
    Some(meant.named("missing-stage").saying(message).about(around.at.start..end))
}

/// Where a condition that begins at a byte ends, and where the stage behind it is looked for.
fn condition(around: &Around<'_>, begin: usize) -> Option<(usize, usize)> {
    let (mut end, mut before) = (begin, "");
    loop {
        let (at, next) = around.word_from(end)?;
        match next {
            _ if next.parse::<Channel>().is_ok() && end > begin && before != "has" => {
                return Some((end, at.start));
            }
            "then" if end > begin => return Some((end, at.end)),
            "then" | "{" | "}" | "#" | "else" => return None,
            _ => (end, before) = (at.end, next),
        }
    }
}

/// `10m after sms email`.
pub(super) fn time_first(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    text.parse::<Span>().ok()?;
    let (after, _) = around.next_on_line().filter(|(_, word)| ["after", "later", "nach"].contains(word))?;
    let (first, one) = around.word_from(after.end).filter(|(_, word)| word.parse::<Channel>().is_ok())?;
    let (last, other) = around.word_from(first.end).map(|(at, word)| match word {
        "then" | "," => around.word_from(at.end),
        _ => Some((at, word)),
    })??;
    other.parse::<Channel>().ok()?;
    let meant = format!("{one} then {other} after {text}");
    let message =
        format!("{} does not say what is sent first", quoted(around.part(around.at.start..last.end)));
    Some(Meant::write(around.at.start..last.end, &meant).named("unknown-word").saying(message))
}
