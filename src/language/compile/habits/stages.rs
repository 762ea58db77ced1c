//! Words where a channel, a joint or a modifier should stand.

use crate::language::diagnostic::Diagnostic;
use crate::language::words::{ENDS, near, plain_letters, quoted};
use crate::model::{Channel, Confirmation};

use super::Meant;
use super::text::Around;

/// Words that people put before a channel.
const SENDING: [&str; 9] = ["send", "sends", "sende", "schicke", "call", "text", "message", "notify", "try"];

/// A word where a channel should stand.
pub(super) fn channel(around: &Around<'_>, finding: &Diagnostic) -> Option<Meant> {
    let text = around.text();
    let next = around.next();
    let lower = text.to_lowercase();
    // `contact has no sms`
    if let (Some((at, channel)), Some((has, "has"))) = (&next, around.before())
        && ["no", "not", "kein", "keine", "keinen"].contains(&lower.as_str())
        && channel.parse::<Channel>().is_ok()
        && let Some((contact, "contact")) = around.word_before(has.start)
    {
        return Some(super::conditions::lacks(around, contact.start..at.end, channel));
    }
    if let Some((_, word)) = &next
        && SENDING.contains(&lower.as_str())
        && word.parse::<Channel>().is_ok()
    {
        let message = format!("{} is not needed: a channel alone sends", quoted(text));
        return Some(Meant::leave_out(around, around.at.clone()).saying(message));
    }
    // `start with sms`
    if ["start", "begin", "starting", "beginning"].contains(&lower.as_str())
        && let Some((with, "with" | "by" | "mit")) = next.clone()
        && around.word_from(with.end).is_some_and(|(_, word)| word.parse::<Channel>().is_ok())
    {
        let whole = around.at.start..with.end;
        let message =
            format!("{} is not needed: the first stage stands first", quoted(around.part(whole.clone())));
        return Some(Meant::leave_out(around, whole).saying(message));
    }
    // `limit 2 sends per day`
    if ["per", "each", "every"].contains(&lower.as_str())
        && let Some((before, word)) = around.before()
        && (word == "sends" || word.chars().all(|c| c.is_ascii_uppercase()))
        && let Some((day, _)) = around.next_on_line()
    {
        let whole = around.at.start..day.end;
        let said = quoted(around.part(whole.clone()));
        let message = format!("a limit is that of one message, so {said} says nothing");
        return Some(
            Meant::leave_out(around, whole.clone())
                .named("bad-limit")
                .saying(message)
                .changing(before.end..whole.end, ""),
        );
    }
    if let Some(meant) = super::category::two_words(around) {
        return Some(meant);
    }
    if finding.fix.is_empty()
        && let Some((_, word)) = next.as_ref().filter(|(_, word)| word.parse::<Channel>().is_ok())
    {
        let message = format!("unknown word {} before `{word}`", quoted(text));
        let help = format!("leave it out; a provider stands behind its channel: `{word} via {lower}`");
        return Some(Meant::told(around.at.clone()).saying(message).help(help));
    }
    // `all off (sms, email)`
    if let (true, Some((of, word))) = (["any", "all"].contains(&text), &next)
        && ["off", "fo", "ov", "von", "f", "o"].contains(word)
        && let Some((_, "(")) = around.word_from(of.end)
    {
        let message = format!("there is no `of` after `{text}`");
        let whole = around.at.start..of.end;
        return Some(Meant::write(whole, &format!("{text} of")).named("bad-group").saying(message));
    }
    let group = match lower.as_str() {
        "anyof" | "either" | "oneof" | "any-of" | "any_of" | "one" | "first" | "some" | "whichever" => {
            Some("any of")
        }
        "both" | "allof" | "all-of" | "all_of" | "every" | "each" => Some("all of"),
        _ => None,
    };
    if let (Some(group), Some((at, word))) = (group, &next) {
        let of = (*word == "of").then(|| around.word_from(at.end)).flatten();
        let (range, open) = match &of {
            Some((open, word)) => (around.at.start..at.end, (open, *word)),
            None => (around.at.clone(), (at, *word)),
        };
        if open.1 == "(" {
            let message = format!("{} begins no group; did you mean `{group}`?", quoted(text));
            return Some(Meant::write(range, group).named("bad-group").saying(message));
        }
    }
    if let Some(meant) = super::headings::heading(around) {
        return Some(meant);
    }
    if lower == "vars" || next.as_ref().is_some_and(|(_, word)| *word == "{") {
        return super::headers::vars(around);
    }
    // `via twilio then vonage`
    let (then, word) = around.before()?;
    if finding.fix.is_empty() && word == "then" {
        let (first, provider) = around.word_before(then.start)?;
        if around.word_before(first.start)?.1 == "via" {
            let message = format!("{} is no channel", quoted(text));
            let help = format!("write `via {provider} or {text}` for a second provider");
            return Some(Meant::write(then, "or").help(help).saying(message));
        }
    }
    None
}

/// What joins stages, and is not `then`.
pub(super) fn joiner(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let next = around.next();
    if next.as_ref().is_some_and(|(_, word)| *word == "then") && text != "then" {
        let message = format!("{} is not needed before `then`", quoted(text));
        return Some(Meant::leave_out(around, around.at.clone()).saying(message));
    }
    // `after 5m else if vars.percent >= 90`
    if let ("else", Some((_, word @ ("if" | "unless")))) = (text, next.clone()) {
        let message = format!("`else` is not needed before `{word}`");
        return Some(Meant::leave_out(around, around.at.clone()).saying(message));
    }
    // `or else email`
    if let ("or", Some((at, "else"))) = (text, next.clone())
        && around.word_from(at.end).is_some()
    {
        let whole = around.at.start..at.end;
        let message = format!("stages are joined by `then`, not by {}", quoted(around.part(whole.clone())));
        return Some(Meant::write(whole, "then").saying(message));
    }
    // At the end, as in other languages.
    if [";", ","].contains(&text) && next.as_ref().is_none_or(|(_, word)| *word == "}") {
        let meant = Meant::leave_out(around, around.at.clone()).named("stray-text");
        return Some(meant.saying(format!("{} does not belong here", quoted(text))));
    }
    if text == ","
        && let Some((_, "or")) = next.clone()
        && super::routes::is_in_route(around, around.at.start)
    {
        let message = "`,` is not needed before `or`";
        return Some(Meant::leave_out(around, around.at.clone()).named("bad-route").saying(message));
    }
    let modifiers = ["after", "unless", "if", "until", "via", "retry", "repeat", "between", "valid"];
    if text == ","
        && let Some((_, word)) = next.as_ref().filter(|(_, word)| modifiers.contains(word))
    {
        let message = format!("`,` is not needed before `{word}`");
        return Some(Meant::leave_out(around, around.at.clone()).saying(message));
    }
    if text == ","
        && let (Some((first, before)), Some((last, behind))) = (around.before(), next.as_ref())
        && first.end == around.at.start
        && last.start == around.at.end
        && [before, *behind].iter().all(|word| word.bytes().all(|b| b.is_ascii_digit()))
    {
        let whole = first.start..last.end;
        let message = format!("{} is not written as numbers are", quoted(around.part(whole.clone())));
        let number =
            if behind.len() == 3 { format!("{before}{behind}") } else { format!("{before}.{behind}") };
        return Some(Meant::write(whole, &number).named("bad-number").saying(message));
    }
    if ["else", "|", "||"].contains(&text)
        && next.as_ref().is_some_and(|(_, word)| word.parse::<Channel>().is_err())
    {
        return super::routes::joint(around);
    }
    if around.in_group() && ["and", "or", "&&", "||", ";", "|", "/", "+"].contains(&text) {
        let message = format!("the members of a group are joined by `,`, not by {}", quoted(text));
        let start = around.before().map_or(around.at.start, |(at, _)| at.end);
        return Some(
            Meant::write(around.at.clone(), ",").saying(message).changing(start..around.at.end, ","),
        );
    }
    if text == "," {
        let (first, _) = around.before()?;
        let word = around.word_before(first.start)?.1;
        let (_, provider) = next?;
        if word == "via" || (word == "or" && provider.parse::<Channel>().is_err()) {
            let message = "the providers of `via` are joined by `or`, not by `,`";
            return Some(Meant::write(around.at.clone(), "or").named("bad-route").saying(message));
        }
        return None;
    }
    if text == "or" && around.before().is_some_and(|(_, word)| word == "contact.timezone") {
        return Some(other_zone(around));
    }
    if ["and", "&&", "&", "+"].contains(&text) {
        return Some(both(around, text));
    }
    let message = format!("stages are joined by `then`, not by {}", quoted(text));
    let word = text.chars().all(|c| !c.is_alphanumeric());
    word.then(|| Meant::write(around.at.clone(), "then").saying(message))
}

/// The whole stage that ends before a finding, on its line.
fn stage_before<'s>(around: &Around<'s>) -> Option<&'s str> {
    let written = around.part(around.line_start(around.at.start)..around.at.start);
    let stage = written.rsplit(" then ").next()?.trim();
    let stage = stage.strip_prefix("then ").unwrap_or(stage);
    let begins = stage.split_whitespace().next().is_some_and(|word| word.parse::<Channel>().is_ok());
    if begins { Some(stage) } else { around.before().map(|(_, word)| word) }
}

/// The whole stage that begins behind a finding, on its line.
fn stage_behind<'s>(around: &Around<'s>) -> Option<&'s str> {
    let written = around.part(around.at.end..around.line_end(around.at.end));
    let ends = [" then ", " otherwise ", " and ", " + ", "#", "}", ")", ","];
    let end = ends.iter().filter_map(|end| written.find(end)).min().unwrap_or(written.len());
    let stage = written.get(..end)?.trim();
    // `sms and email together`
    let mut words = stage.split_whitespace();
    let first = words.next().filter(|word| word.parse::<Channel>().is_ok());
    if first.is_some() && words.next().is_some_and(|word| !ENDS.contains(&word) && word != "on") {
        return first;
    }
    if stage.is_empty() { around.next().map(|(_, word)| word) } else { Some(stage) }
}

/// `a and b`, `a + b`: two readings, so the clearer one is asked for.
fn both(around: &Around<'_>, text: &str) -> Meant {
    let first = stage_before(around).unwrap_or("a");
    let second = stage_behind(around).unwrap_or("b");
    let message = format!("stages are joined by `then`, not by {}", quoted(text));
    let help = format!(
        "write `{first} then {second}` for one after the other, `all of ({first}, {second})` for both at once"
    );
    Meant::told(around.at.clone()).named("wrong-joiner").saying(message).help(help)
}

pub(super) fn other_zone(around: &Around<'_>) -> Meant {
    let message = "the zone for those without one stands behind `else`, not behind `or`";
    Meant::write(around.at.clone(), "else").named("unknown-zone").saying(message)
}

/// What is no word.
pub(super) fn stray(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    // The marks of a text that was copied from elsewhere, with the word behind the first of them.
    if text.starts_with("```") {
        let line = around.line_end(around.at.start) + 1;
        let close = around.source.get(line..).and_then(|rest| rest.find("```")).map(|at| line + at)?;
        let message = "the marks of a copied text are not needed";
        let meant = Meant::leave_out(around, around.at.clone()).named("stray-text").saying(message);
        let meant = meant.changing(around.at.start..line, "").help("leave them out");
        return Some(meant.and(close..close + 3, ""));
    }
    for sign in ["//", "--", "/*"] {
        if text.starts_with(sign) {
            let at = around.at.start..around.at.start + sign.len();
            let message = format!("a comment begins with `#`, not with `{sign}`");
            return Some(Meant::write(at, "#").saying(message));
        }
    }
    if ["+", "&", "/", "|", "||"].contains(&text)
        && let Some(meant) = super::routes::joint(around)
    {
        return Some(meant);
    }
    if ["+", "&"].contains(&text) {
        return Some(both(around, text));
    }
    let next = around.next().map(|(_, word)| word);
    if around.in_group() && ["|", "||", "/"].contains(&text) {
        return joiner(around);
    }
    if ["|", "||", "="].contains(&text) && next.is_some_and(|word| word.parse::<Channel>().is_ok()) {
        let message = format!("stages are joined by `then`, not by {}", quoted(text));
        return Some(Meant::write(around.at.clone(), "then").named("wrong-joiner").saying(message));
    }
    // `"sms"`, `` `sms` ``
    let inner = text.trim_matches(['"', '\'', '`', '’', '“', '”', '„']);
    let first = inner.split_whitespace().next().unwrap_or_default();
    if inner != text && (first.parse::<Channel>().is_ok() || ["then", "wait", "any", "all"].contains(&first))
    {
        let message = format!("{} stands without quotes", quoted(inner));
        return Some(Meant::write(around.at.clone(), inner).saying(message));
    }
    let pair = [("`", "`"), ("<", ">")].into_iter().find(|(open, _)| *open == text);
    if let Some((_, close)) = pair
        && let Some((word, name)) = around.word_from(around.at.end)
        && let Some((last, _)) = around.word_from(word.end).filter(|(_, sign)| *sign == close)
    {
        let message = format!("{} stands without quotes and brackets", quoted(name));
        return Some(
            Meant::leave_out(around, around.at.clone())
                .saying(message)
                .changing(around.at.start..last.end, name)
                .help(format!("write `{name}`")),
        );
    }
    Some(Meant::leave_out(around, around.at.clone()))
}

/// `until replied or read`.
pub(super) fn two_goals(around: &Around<'_>) -> Option<Meant> {
    let (first, one) = around.before()?;
    let (last, other) = around.next()?;
    around.word_before(first.start).filter(|(_, word)| *word == "until")?;
    let lower = one.parse::<Confirmation>().ok()?.min(other.parse::<Confirmation>().ok()?);
    let whole = first.start..last.end;
    let message = format!("{} are two goals, and a stage has one", quoted(around.part(whole.clone())));
    let help = format!("write `until {lower}`: who does more has done that too", lower = lower.word());
    Some(Meant::write(whole, lower.word()).named("unknown-goal").saying(message).help(help))
}

/// A goal in a sentence: `until it is read`.
pub(super) fn goal(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let filling = [
        "it", "is", "has", "been", "was", "the", "message", "they", "he", "she", "user", "person", "someone",
    ];
    if !filling.contains(&text) {
        return None;
    }
    let (mut end, _) = (around.at.end, around.line_end(around.at.end));
    for _ in 0..4 {
        let (at, word) = around.word_from(end)?;
        end = at.end;
        let meant = match word {
            "reads" | "seen" | "opened" | "opens" | "see" | "sees" => "read",
            "replies" | "reply" | "answers" | "answer" | "answered" | "confirms" | "confirm" => "replied",
            "arrived" | "received" => "delivered",
            word => word,
        };
        if meant.parse::<Confirmation>().is_ok() {
            let whole = around.at.start..end;
            let message = format!("{} is more than the goal", quoted(around.part(whole.clone())));
            return Some(Meant::write(whole, meant).saying(message).help(format!("write `until {meant}`")));
        }
    }
    None
}

/// A group in square brackets.
pub(super) fn group(around: &Around<'_>) -> Option<Meant> {
    let (of, _) = around.next().filter(|(_, word)| *word == "of")?;
    let (open, word) = around.word_from(of.end)?;
    if word != "[" && word != "{" {
        return None;
    }
    let close = around.closing(open.start)?;
    let message = format!("the members of a group stand between `(` and `)`, not behind `{word}`");
    // A brace has ended the policy, so that all behind it stands outside.
    let help = "write `(` and `)` around the members";
    Some(Meant::write(open, "(").saying(message).help(help).and(close, ")"))
}

/// `otherwise` without `fail`, or with a text that is not in quotes.
pub(super) fn otherwise(around: &Around<'_>) -> Option<Meant> {
    let start = around.at.start + "otherwise".len();
    let (at, word) = around.word_from(start)?;
    if word == "\"" {
        let message = "there is no `fail` behind `otherwise`";
        let meant = Meant::write(around.at.clone(), "otherwise fail")
            .saying(message)
            .changing(start..at.start, " fail ");
        return Some(meant.help(format!("write `otherwise fail {}`", around.part(at.start..around.at.end))));
    }
    if word != "fail" {
        let failing = ["fails", "failed", "failure", "failing", "error", "abort", "stop", "fehler"];
        around.word_from(at.end).filter(|(_, quote)| {
            *quote == "\"" && (failing.contains(&word) || near(word, ["fail"]).is_some())
        })?;
        let message = format!("behind `otherwise` stands `fail`, not {}", quoted(word));
        return Some(Meant::write(at.clone(), "fail").saying(message));
    }
    let line = around.line_end(at.end);
    let rest = around.part(at.end..line);
    let rest = rest.split(['}', '#']).next().unwrap_or_default();
    let text = rest.trim();
    let end = at.end + rest.trim_end().len();
    let begin = at.end + (rest.len() - rest.trim_start().len());
    // `2nobody answered"`, `3nobody answered"`: the sign of the key with shift or without.
    if let Some(inner) = text.strip_prefix(['2', '3']).and_then(|inner| inner.strip_suffix('"'))
        && !inner.contains('"')
    {
        let message = format!("`{}` stands for the `\"` before the text", text.get(..1)?);
        let meant = Meant::write(begin..begin + 1, "\"").saying(message);
        return Some(meant.help(format!("write `otherwise fail \"{inner}\"`")).until(line));
    }
    let plain = text.trim_matches(['„', '“', '”', '«', '»', '\'', '‘', '’', '"', '`']);
    let goes_on = plain.split_whitespace().next() == Some("then");
    if plain.is_empty() || plain.contains('"') || goes_on {
        return None;
    }
    let message = "the text behind `otherwise fail` does not stand in straight double quotes";
    Some(
        Meant::write(begin..end, &format!("\"{plain}\""))
            .saying(message)
            .help(format!("write `otherwise fail \"{plain}\"`")),
    )
}

/// A text without its closing quote.
pub(super) fn close_text(around: &Around<'_>) -> Option<Meant> {
    let text = around.text().trim_end().trim_end_matches('}').trim_end();
    let last = around.at.start + text.len();
    let meant = Meant::write(around.at.clone(), "\"").help("end it with `\"`");
    // `"de'`
    if let Some(sign) = text.chars().next_back().filter(|c| ['\'', '’', '”', '“', '`'].contains(c)) {
        let at = last - sign.len_utf8()..last;
        let message = format!("the text ends with `{sign}`, not with a straight double quote");
        let meant = meant.changing(at.clone(), "\"").about(at).saying(message);
        return Some(meant.help(format!("write `\"` in the place of `{sign}`")));
    }
    // `(vars.plan is "gold)`
    let line = around.part(around.line_start(around.at.start)..around.at.start);
    let is_open = line.matches('(').count() > line.matches(')').count();
    let last = if is_open && text.ends_with(')') { last - 1 } else { last };
    Some(meant.changing(last..last, "\""))
}

/// A name that is none.
pub(super) fn name(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let before = around.before().map_or("", |(_, word)| word);
    let provider = ["via", "or", ","].contains(&before) || before.ends_with('%');
    let mut meant = String::new();
    let mut last = ' ';
    for c in plain_letters(text.trim_matches('"')).chars() {
        let after_small = last.is_ascii_lowercase() || last.is_ascii_digit();
        last = c;
        if c.is_ascii_uppercase() && after_small && !provider {
            meant.push('_');
        }
        let keeps = c.is_ascii_alphanumeric() || (provider && c == '-');
        meant.push(if keeps { c.to_ascii_lowercase() } else { '_' });
    }
    let shown = meant.len() <= 64 && meant.starts_with(|c: char| c.is_ascii_lowercase()) && meant != text;
    let plain = before == "policy" || provider;
    (shown && plain && !text.contains('.')).then(|| Meant::write(around.at.clone(), &meant))
}
