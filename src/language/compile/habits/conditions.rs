//! Conditions as people say them.

use crate::language::condition::Word;
use crate::language::policy::TextRange;
use crate::language::words::{near, quoted};
use crate::model::{Channel, Priority};

use super::super::trial::CHANNELS;
use super::comparing::IN_WORDS;
use super::text::Around;
use super::{Meant, names};

/// Whether a word is a name in a condition.
pub(super) fn is_name(word: &str) -> bool {
    word.starts_with("vars.")
        || word.starts_with("contact.")
        || ["priority", "category", "elapsed", "sends", "cost", "quota"].contains(&word)
}

/// Words of conditions that are compared with nothing.
pub(in super::super) const STATES: [&str; 7] = Word::WORDS;

fn phrase(around: &Around<'_>, from: usize) -> Option<Meant> {
    for (words, sign) in
        IN_WORDS.into_iter().chain([("isn't", "is not"), ("isn’t", "is not"), ("not", "is not")])
    {
        if let Some(at) = around.words_from(from, words) {
            let message = format!("{} is no comparison", quoted(around.part(at.clone())));
            return Some(Meant::write(at, sign).named("bad-comparison").saying(message));
        }
    }
    None
}

/// What goes on behind a condition in other words.
pub(super) fn behind(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (before, word) = around.before()?;
    let used = ["exceeded", "used", "full", "reached", "exhausted", "empty", "gone"];
    if word == "quota" && used.contains(&text) {
        let message = "`quota` alone says that it is used up";
        return Some(
            Meant::leave_out(around, around.at.clone())
                .named("bad-condition")
                .saying(message)
                .changing(before.end..around.at.end, ""),
        );
    }
    is_name(word).then(|| phrase(around, around.at.start)).flatten()
}

/// A name that stands alone, or a word that is compared.
pub(super) fn alone(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    if STATES.contains(&text) {
        let (is, word) = around.next()?;
        let (value, said) = around.word_from(is.end)?;
        let yes = ["used", "true", "full", "exceeded", "yes", "exhausted", "reached"].contains(&said);
        if !yes || !["is", "==", "="].contains(&word) {
            return None;
        }
        let message = format!("`{text}` is compared with nothing, it stands alone");
        return Some(
            Meant::write(around.at.clone(), text)
                .saying(message)
                .help(format!("write `{text}`"))
                .changing(around.at.end..value.end, ""),
        );
    }
    // `priority urgent`
    if text == "priority"
        && let Some((at, word)) = around.next_on_line().filter(|(_, word)| word.parse::<Priority>().is_ok())
    {
        // `priority high or more`
        for (more, sign) in [
            ("or more", ">="),
            ("or higher", ">="),
            ("or above", ">="),
            ("or less", "<="),
            ("or lower", "<="),
        ] {
            if let Some(last) = around.words_from(at.end, more) {
                let whole = at.start..last.end;
                let message = format!("{} is no comparison", quoted(around.part(around.at.start..last.end)));
                return Some(Meant::write(whole, &format!("{sign} {word}")).saying(message));
            }
        }
        let message = format!("there is no `is` before `{word}`");
        let meant = Meant::write(at.start..at.start, "is ").saying(message);
        return Some(meant.help(format!("write `priority is {word}`")).about(around.at.start..at.end));
    }
    phrase(around, around.at.end)
}

/// A condition that is missing where one is said in other words.
pub(super) fn missing(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    if ["if", "unless"].contains(&text)
        && let Some((at, word @ ("and" | "or"))) = around.next_on_line()
    {
        let message = format!("`{word}` is not needed behind `{text}`");
        return Some(Meant::leave_out(around, at).named("bad-condition").saying(message));
    }
    if ["and", "or"].contains(&text)
        && let Some((at, word @ ("if" | "unless"))) = around.next_on_line()
    {
        let message = format!("`{word}` is not needed behind `{text}`");
        return Some(Meant::leave_out(around, at).named("bad-condition").saying(message));
    }
    if ["and", "or"].contains(&text) && around.before().is_some_and(|(_, before)| before == text) {
        let message = format!("`{text}` stands twice");
        return Some(Meant::leave_out(around, around.at.clone()).saying(message));
    }
    let (at, word) = around.next_on_line()?;
    // `$amount`, `{{ amount }}`
    if ["$", "{"].contains(&word) {
        let (mut end, mut name) = (at.end, None);
        while let Some((next, word)) = around.word_from(end).filter(|_| name.is_none()) {
            end = next.end;
            name = (word != "{").then_some(word);
        }
        while let Some((next, "}")) = around.word_from(end).filter(|_| word == "{") {
            end = next.end;
        }
        // `$json.amount`: whatever owns it elsewhere.
        let name = name?.rsplit('.').next()?;
        let whole = at.start..end;
        if STATES.contains(&name) {
            let message = format!("{} stands without brackets", quoted(name));
            return Some(Meant::write(whole, name).named("bad-condition").saying(message));
        }
        let fits = name.starts_with(|c: char| c.is_ascii_lowercase());
        let message =
            format!("{} is not how a var is named in a condition", quoted(around.part(whole.clone())));
        return fits.then(|| {
            Meant::write(whole, &format!("vars.{name}")).named("unknown-condition").saying(message)
        });
    }
    if word != "has" {
        return None;
    }
    let (channel, named) = around.word_from(at.end)?;
    // `has contact.push`
    if let Some(named) = named.strip_prefix("contact.").filter(|named| named.parse::<Channel>().is_ok()) {
        let whole = at.start..channel.end;
        let message = format!("{} is not how an address is asked for", quoted(around.part(whole.clone())));
        return Some(
            Meant::write(whole, &format!("contact has {named}")).named("bad-condition").saying(message),
        );
    }
    let message = format!("{} does not say who has it", quoted(around.part(at.start..channel.end)));
    let help = format!("write `contact has {named}`");
    Some(Meant::write(at, "contact has").named("missing-condition").saying(message).help(help))
}

/// `contact.has push`.
pub(super) fn has(around: &Around<'_>) -> Option<Meant> {
    let (at, _) = around.before().filter(|(_, word)| *word == "contact.has")?;
    // `contact.has(push)`
    if let Some((open, "(")) = around.word_from(at.end)
        && let Some((channel, word)) = around.word_from(open.end)
        && let Some((close, ")")) = around.word_from(channel.end)
    {
        let message = "`contact has` takes no parentheses";
        let meant = Meant::write(at.start..close.end, &format!("contact has {word}"));
        return Some(meant.named("bad-condition").saying(message));
    }
    let message = "`contact.has` is two words";
    Some(Meant::write(at, "contact has").named("bad-condition").saying(message))
}

/// A name by another owner: `var.amount`, `customer.country`.
pub(super) fn name(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (owner, name) = text.split_once('.')?;
    let meant = match owner.to_lowercase().as_str() {
        "var" | "variable" | "variables" | "message" | "params" | "data" | "payload" => {
            format!("vars.{name}")
        }
        "person" | "customer" | "user" | "recipient" | "contacts" | "client" | "kunde" => {
            format!("contact.{name}")
        }
        _ => return None,
    };
    let message = format!("unknown name {}; did you mean `{meant}`?", quoted(text));
    Some(Meant::write(around.at.clone(), &meant).saying(message))
}

/// A var or an attribute that is compared with money: it is a number.
pub(super) fn amount(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (sign, _) = around.before()?;
    let mut end = sign.start;
    while let Some((at, word)) = around.word_before(end) {
        if ![">", "<", "=", "is", "not"].contains(&word) {
            let named = word.starts_with("vars.") || word.starts_with("contact.");
            let number: String = text.chars().filter(|c| c.is_ascii_digit() || *c == '.').collect();
            let message = format!("{} is compared with a number, not with money", quoted(word));
            return (named && !number.is_empty())
                .then(|| Meant::write(around.at.clone(), &number).saying(message));
        }
        end = at.start;
    }
    None
}

/// `contact lacks sms`, `contact has no sms`.
pub(super) fn lacks(around: &Around<'_>, whole: TextRange, channel: &str) -> Meant {
    let message = format!("{} is not how a missing address is asked for", quoted(around.part(whole.clone())));
    Meant::write(whole, &format!("not contact has {channel}")).named("bad-condition").saying(message)
}

/// `is True`, `is yes`, `is null`: words for values that the language writes otherwise, or has not.
pub(super) fn other_value(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (is, name) = around.before().and_then(|(is, _)| around.word_before(is.start))?;
    let name = if name == "is" { around.word_before(is.start)?.1 } else { name };
    let message = format!("{} is no value", quoted(text));
    let meant = match text.to_lowercase().as_str() {
        "null" | "none" | "nil" | "undefined" | "empty" | "blank" | "leer" | "vide" => {
            let owner = name.strip_prefix("contact.").filter(|name| name.parse::<Channel>().is_ok());
            let help = match owner {
                Some(channel) => format!("whether there is an address is said by `contact has {channel}`"),
                None if names::is_text(around, name) => {
                    let is_not = around.part(0..around.at.start).trim_end().ends_with("not")
                        || around.part(0..around.at.start).trim_end().ends_with("!=");
                    let message =
                        format!("there is no {}: an empty text stands for one that is missing", quoted(text));
                    return Some(match is_not {
                        true => Meant::write(around.at.clone(), "\"\"")
                            .saying(message)
                            .help(format!("write `{name} is not \"\"`")),
                        false => Meant::told(around.at.clone()).saying(message).help(format!(
                            "write `not {name} is not \"\"`: it holds where {name} is missing or empty"
                        )),
                    });
                }
                None => {
                    let start = around.part(0..around.at.start).rfind(name).unwrap_or(around.at.start);
                    let whole = quoted(around.part(start..around.at.end));
                    format!("leave {whole} out: a comparison with a name that is missing is false anyway")
                }
            };
            return Some(Meant::told(around.at.clone()).saying(message).help(help));
        }
        _ => super::languages::answer(text).filter(|_| text.parse::<f64>().is_err())?,
    };
    Some(Meant::write(around.at.clone(), meant).saying(format!("{}; did you mean `{meant}`?", message)))
}

/// `sms prn vars.pain > 7`: a condition behind a word that does not say which way it counts.
pub(super) fn guarded(around: &Around<'_>) -> Option<Meant> {
    let (at, next) = around.next_on_line()?;
    let is_asked = next == "contact" && around.word_from(at.end).is_some_and(|(_, word)| word == "has");
    (is_asked || next.starts_with("vars.") || next.starts_with("contact.")).then_some(())?;
    let rest = around.part(at.start..around.line_end(at.start));
    let ends = [" then ", " otherwise ", "#", "}", ")", ","];
    let end = ends.iter().filter_map(|end| rest.find(end)).min().unwrap_or(rest.len());
    let condition = rest.get(..end)?.trim();
    let message = format!("unknown word {} before a condition", quoted(around.text()));
    let help = format!("write `if {condition}`, or `unless {condition}` where it is not sent then");
    Some(Meant::told(around.at.clone()).saying(message).help(help).until(at.start + end))
}

/// `and isn't opted_out`, where nothing stands before it.
pub(super) fn negated(around: &Around<'_>) -> Option<Meant> {
    let line = around.line_end(around.at.start);
    let written = around.part(around.at.start..line).split([' ', ')']).next()?;
    let bare = written.replace('’', "'");
    let is_no = ["isn't", "isnt", "aren't", "wasn't", "hasn't", "haven't", "not's"].contains(&bare.as_str());
    around.before().filter(|(_, word)| is_no && ["if", "unless", "and", "or", "("].contains(word))?;
    let message = format!("{} is no word of conditions", quoted(written));
    let at = around.at.start..around.at.start + written.len();
    Some(Meant::write(at, "not").named("bad-condition").saying(message))
}

/// `any of (push if contact has push and sms)`: a member behind a condition, joined as if it were one.
pub(super) fn member(around: &Around<'_>) -> Option<Meant> {
    let channel: Channel = around.text().parse().ok()?;
    let (at, joint) = around.before().filter(|(_, word)| ["and", "or"].contains(word))?;
    around.in_group().then_some(())?;
    let message = format!("the members of a group are joined by `,`, not by `{joint}`");
    let help = format!(
        "write `, {channel}` for another member, or `{joint} contact has {channel}` for the condition"
    );
    Some(Meant::told(at).named("wrong-joiner").saying(message).help(help).until(around.at.end))
}

/// A word of a condition in two words, or in other words.
pub(super) fn word(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let next = around.next_on_line();
    let both = |meant: &str| {
        let (at, _) = next.clone()?;
        let whole = around.at.start..at.end;
        let message = format!("{} is one word", quoted(around.part(whole.clone())));
        Some(Meant::write(whole, meant).saying(message))
    };
    if let ("contact", Some((has, said))) = (text, next.as_ref())
        && ["lacks", "misses", "hasnt", "hasn't", "hasn’t", "without"].contains(said)
        && let Some((at, channel)) =
            around.word_from(has.end).filter(|(_, word)| word.parse::<Channel>().is_ok())
    {
        return Some(lacks(around, around.at.start..at.end, channel));
    }
    match (text, next.as_ref().map_or("", |(_, word)| *word)) {
        ("contact", "have" | "having" | "owns" | "with" | "got") => {
            let (at, said) = next?;
            let message = format!("{} is no word of conditions", quoted(said));
            Some(Meant::write(at, "has").named("bad-condition").saying(message))
        }
        ("no" | "kein", "quota") => {
            let message = "`quota` alone says that there is none left";
            Some(Meant::leave_out(around, around.at.clone()).named("bad-condition").saying(message))
        }
        ("no" | "nicht" | "kein" | "never", _) => {
            let message = format!("{} is not a word of conditions", quoted(text));
            Some(Meant::write(around.at.clone(), "not").named("bad-condition").saying(message))
        }
        ("over" | "out" | "beyond" | "exceeded" | "exceeds", _)
            if let Some((quota, _)) = around
                .word_from(around.at.end)
                .into_iter()
                .chain(around.word_from(around.at.end).and_then(|(of, _)| around.word_from(of.end)))
                .find(|(_, word)| *word == "quota") =>
        {
            let whole = around.at.start..quota.start;
            let said = around.part(whole.clone()).trim();
            let message = format!("{} is not needed: `quota` alone says that it is used up", quoted(said));
            Some(
                Meant::leave_out(around, around.at.start..around.at.start + said.len())
                    .named("bad-condition")
                    .saying(message),
            )
        }
        // An address is asked for, not something named so.
        ("contact", channel) if channel.parse::<Channel>().is_ok() => {
            let (at, _) = next?;
            let message = format!("there is no `has` before `{channel}`");
            let meant = Meant::write(at.start..at.start, "has ").named("bad-condition").saying(message);
            Some(meant.help(format!("write `contact has {channel}`")).about(around.at.start..at.end))
        }
        ("contact", word) if let Some(channel) = near(word, CHANNELS).filter(|_| word.len() > 3) => {
            let (at, _) = next?;
            let message = format!("there is no `has` before {}; did you mean `{channel}`?", quoted(word));
            let meant = Meant::told(around.at.start..at.end).named("bad-condition").saying(message);
            Some(meant.help(format!("write `contact has {channel}`, or `contact.{word}` for an attribute")))
        }
        ("vars" | "contact", name)
            if name.starts_with(|c: char| c.is_ascii_lowercase())
                && !(text == "contact" && (name.starts_with("has") || near(name, ["has"]).is_some())) =>
        {
            both(&format!("{text}.{name}"))
        }
        ("opted" | "opt", "out") => both("opted_out"),
        ("opted" | "opt", "in") => both("not opted_out"),
        (_, "quota") if text.parse::<Channel>().is_ok() => {
            let message =
                format!("{} is not needed: `quota` is that of the stage's own channel", quoted(text));
            Some(Meant::leave_out(around, around.at.clone()).saying(message))
        }
        (_, "priority") if text.parse::<Priority>().is_ok() => {
            let (at, _) = next?;
            let whole = around.at.start..at.end;
            let message = format!("{} is not how a condition is written", quoted(around.part(whole.clone())));
            Some(Meant::write(whole, &format!("priority is {text}")).saying(message))
        }
        _ if text.parse::<Priority>().is_ok() => {
            let message = format!("{} does not say what is {text}", quoted(text));
            Some(Meant::write(around.at.clone(), &format!("priority is {text}")).saying(message))
        }
        _ => {
            text.strip_prefix("quota.")?.parse::<Channel>().ok()?;
            let message = format!("{} is `quota`, that of the stage's own channel", quoted(text));
            Some(Meant::write(around.at.clone(), "quota").saying(message))
        }
    }
}

/// `is "AT" or "DE"`, `1 < vars.x < 5`.
pub(super) fn value(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let words: Vec<&str> = text.split_whitespace().collect();
    if let [low, first, name, second, high] = words.as_slice()
        && is_name(name)
    {
        let turned = match *first {
            "<" => ">",
            "<=" => ">=",
            ">" => "<",
            ">=" => "<=",
            _ => return None,
        };
        return Some(Meant::write(
            around.at.clone(),
            &format!("{name} {turned} {low} and {name} {second} {high}"),
        ));
    }
    let before: Vec<&str> = around.source.get(..around.at.start)?.split_whitespace().rev().take(4).collect();
    let [joint, _, is, name] = before.as_slice() else { return None };
    if !["or", "and"].contains(joint) || *is != "is" || !is_name(name) {
        return None;
    }
    let message =
        format!("{text} alone is no condition: each comparison names what it compares", text = quoted(text));
    Some(Meant::write(around.at.clone(), &format!("{name} is {text}")).saying(message))
}

/// `vars.amount is greater than 5`: the comparison begins at its `is`.
pub(super) fn in_words(around: &Around<'_>) -> Option<Meant> {
    let (mut is, mut word) = around.before()?;
    if word == "not" {
        (is, word) = around.word_before(is.start)?;
    }
    if word == "is" { phrase(around, is.start) } else { None }
}

/// `vars.amount >> 5`.
pub(super) fn twice(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let known = [(">>", ">"), ("<<", "<"), ("=>", ">="), ("=<", "<="), ("<>", "is not"), ("><", "is not")];
    let (sign, meant) = known.into_iter().find(|(sign, _)| text.contains(sign))?;
    let start = around.at.start + text.find(sign)?;
    let message = format!("{} is no comparison", quoted(sign));
    Some(Meant::write(start..start + sign.len(), meant).saying(message))
}

/// `Vars.Country`, `vars-severity`: a name in capital letters, or with another sign for its dot.
pub(super) fn other_letters(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    // `cars.level`, `contct.country`
    if let Some((owner, name)) = text.split_once('.')
        && let Some(meant) = near(owner, ["vars", "contact"]).filter(|meant| *meant != owner)
        && (meant == "vars" && around.source.contains(&format!("{name}:"))
            || meant == "contact" && name.parse::<crate::model::ContactField>().is_ok())
    {
        let message = format!("unknown name {}; did you mean `{meant}.{name}`?", quoted(text));
        return Some(Meant::write(around.at.clone(), &format!("{meant}.{name}")).saying(message));
    }
    let lower = text.to_lowercase();
    let (owner, name) = ["vars", "contact"].into_iter().find_map(|owner| {
        let rest = lower.strip_prefix(owner)?;
        Some((owner, rest.strip_prefix(['.', '-', '_', ':', '/'])?))
    })?;
    let meant = match name.strip_prefix("has").map(|rest| rest.trim_start_matches(['_', '-', '.'])) {
        Some(channel) if owner == "contact" && channel.parse::<Channel>().is_ok() => {
            format!("contact has {channel}")
        }
        _ => format!("{owner}.{name}"),
    };
    let fits = super::super::is_name(name) && meant != text;
    let message = format!("unknown name {}; did you mean `{meant}`?", quoted(text));
    fits.then(|| Meant::write(around.at.clone(), &meant).saying(message))
}

/// `(contact locale is "de")`: a name in two words, of which the first was taken for all.
pub(super) fn split_name(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (at, owner) = around.before().filter(|(_, word)| ["contact", "vars"].contains(word))?;
    let whole = at.start..around.at.end;
    let is_address = owner == "contact" && text.parse::<Channel>().is_ok();
    let meant = if is_address { format!("contact has {text}") } else { format!("{owner}.{text}") };
    let message = format!("{} is not how a name is written", quoted(around.part(whole.clone())));
    super::super::is_name(text).then(|| Meant::write(whole, &meant).saying(message))
}
