//! Comparisons as people and programs write them.

use crate::language::words::quoted;
use crate::model::{Channel, Priority};

use super::Meant;
use super::conditions::{STATES, is_name};
use super::text::Around;

/// Comparisons in other words and signs, the longer before those that they begin with.
pub(super) const IN_WORDS: [(&str, &str); 70] = [
    ("is not more than", "<="),
    ("is not less than", ">="),
    ("is not one of", "not in"),
    ("is greater than", ">"),
    ("is more than", ">"),
    ("is less than", "<"),
    ("is at least", ">="),
    ("is at most", "<="),
    ("is equal to", "is"),
    ("is above", ">"),
    ("is below", "<"),
    ("is over", ">"),
    ("is under", "<"),
    ("does not equal", "is not"),
    ("not equal to", "is not"),
    ("greater than", ">"),
    ("bigger than", ">"),
    ("larger than", ">"),
    ("higher than", ">"),
    ("smaller than", "<"),
    ("lower than", "<"),
    ("fewer than", "<"),
    ("no less than", ">="),
    ("no more than", "<="),
    ("more than", ">"),
    ("less than", "<"),
    ("starting from", ">="),
    ("starting at", ">="),
    ("not equals", "is not"),
    ("is one of", "in"),
    ("at least", ">="),
    ("at most", "<="),
    ("equal to", "is"),
    ("up to", "<="),
    ("one of", "in"),
    ("above", ">"),
    ("below", "<"),
    ("isnt", "is not"),
    ("over", ">"),
    ("exceeds", ">"),
    ("under", "<"),
    ("from", ">="),
    ("since", ">="),
    ("min", ">="),
    ("minimum", ">="),
    ("max", "<="),
    ("maximum", "<="),
    ("-ge", ">="),
    ("-gt", ">"),
    ("-le", "<="),
    ("-lt", "<"),
    ("-eq", "is"),
    ("-ne", "is not"),
    ("gte", ">="),
    ("lte", "<="),
    ("neq", "is not"),
    ("ge", ">="),
    ("gt", ">"),
    ("le", "<="),
    ("lt", "<"),
    ("eq", "is"),
    ("ne", "is not"),
    ("equal", "is"),
    ("IN", "in"),
    (":", "is"),
    (": =", "is"),
    ("≥", ">="),
    ("≤", "<="),
    ("≠", "is not"),
    ("⩾", ">="),
];

/// Words that compare with a pattern, which the language has not.
const PATTERNS: [&str; 10] =
    ["contains", "like", "matches", "match", "startswith", "endswith", "starts", "ends", "includes", "~"];

/// `vars.amount ≥ 200`, `vars.amount from 200`, `vars.left gt 5`.
pub(super) fn operator(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let from = if is_name(text) {
        around.at.end
    } else {
        // `vars.cost is over 20`
        let (before, name) = match around.before()? {
            (is, "is") => around.word_before(is.start)?,
            before => before,
        };
        is_name(name).then_some(before.end)?
    };
    let line = around.line_end(from);
    let (at, word) = around.word_from(from).filter(|(at, _)| at.start < line)?;
    // `contains ["cold", "frozen"]`
    if around.word_from(at.end).is_some_and(|(_, sign)| sign == "[") && is_membership(word) {
        let message = format!("{} is no comparison", quoted(word));
        return Some(Meant::write(at, "in").named("bad-comparison").saying(message));
    }
    if PATTERNS.contains(&word.to_lowercase().as_str()) {
        let message = format!("{} compares with a pattern, and there are none here", quoted(word));
        let help = "compare with `is`, or with one of several values by `in [ … ]`";
        return Some(Meant::told(at).named("bad-comparison").saying(message).help(help).until(line));
    }
    IN_WORDS.into_iter().find_map(|(words, sign)| {
        let at = around.words_from(from, words)?;
        // `in` is written in small letters.
        let is_other = around.part(at.clone()) != sign && (words != "IN" || around.part(at.clone()) == "IN");
        let message = format!("{} is no comparison", quoted(around.part(at.clone())));
        is_other.then(|| Meant::write(at, sign).named("bad-comparison").saying(message))
    })
}

/// What asks elsewhere whether a value is one of several.
fn is_membership(word: &str) -> bool {
    let bare = word.to_lowercase().replace('_', "");
    ["contains", "contain", "includes", "include", "isin", "oneof", "anyof", "within", "among", "like"]
        .contains(&bare.as_str())
}

/// `contact.tier === "gold"`.
pub(super) fn three_signs(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (sign, meant) = [("!==", "is not"), ("===", "is")]
        .into_iter()
        .find(|(sign, _)| text.contains(&format!(" {sign} ")))?;
    let start = around.at.start + text.find(sign)?;
    let message = format!("{} is no comparison", quoted(sign));
    Some(Meant::write(start..start + sign.len(), meant).saying(message))
}

/// `is "DE", "AT", "CH"`: one of several values, without the list.
pub(super) fn values(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    if text != "," && text != "/" {
        return None;
    }
    let line = around.line_start(around.at.start)..around.line_end(around.at.start);
    let before = around.part(line.start..around.at.start).trim_end();
    let first = match before.strip_suffix('"') {
        Some(open) => line.start + open.rfind('"')?,
        None => around.before()?.0.start,
    };
    let (mut start, mut is) = around.word_before(first)?;
    let mut list = "in";
    if ["not", "!"].contains(&is) {
        (start, is) = around.word_before(start.start)?;
        list = "not in";
    }
    if !["is", "=", "==", "equals"].contains(&is) {
        return None;
    }
    // The two signs of `==`.
    while let Some((sign, "=")) = around.word_before(start.start).filter(|_| is == "=") {
        start = sign;
    }
    let (_, name) = around.word_before(start.start).filter(|(_, name)| is_name(name))?;
    let (mut all, mut end) = (vec![around.part(first..around.at.start).trim_end()], around.at.start);
    while let Some((_, "," | "/" | "or")) = around.word_from(end) {
        let (comma, _) = around.word_from(end)?;
        let (at, word) = around.word_from(comma.end).filter(|(at, _)| at.start < line.end)?;
        // `, or "CH"`
        let (at, word) = if word == "or" { around.word_from(at.end)? } else { (at, word) };
        end = match word {
            "\"" => at.end + around.part(at.end..line.end).find('"')? + 1,
            _ if word.starts_with(char::is_alphanumeric) => at.end,
            _ => return None,
        };
        all.push(around.part(at.start..end));
    }
    let is_text = |value: &&str| value.starts_with('"');
    let is_number = |value: &&str| value.parse::<f64>().is_ok();
    let fits = all.len() > 1 && (all.iter().all(is_text) || all.iter().all(is_number));
    let whole = start.start..end;
    let meant = format!("{list} [{}]", all.join(", "));
    let message = format!("{} has several values, which stand in a list", quoted(name));
    fits.then(|| Meant::write(whole, &meant).named("bad-list").saying(message))
}

/// `priority is high or more`, `vars.amount is 200 or higher`.
pub(super) fn or_more(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let sign = match text.to_lowercase().as_str() {
        "more" | "higher" | "above" | "greater" | "over" | "later" | "up" | "upwards" | "worse" => ">=",
        "less" | "lower" | "below" | "fewer" | "under" | "smaller" => "<=",
        _ => return None,
    };
    let (or, _) = around.before().filter(|(_, word)| ["or", "and"].contains(word))?;
    let (value, said) = around.word_before(or.start)?;
    let (is, word) = around.word_before(value.start)?;
    let is_there = ["is", "==", "="].contains(&word);
    let (_, name) = if is_there { around.word_before(is.start)? } else { (is.clone(), word) };
    let is_value = said.parse::<Priority>().is_ok() || said.starts_with(|c: char| c.is_ascii_digit());
    if !is_name(name) || !is_value {
        return None;
    }
    let whole = if is_there { is.start } else { value.start }..around.at.end;
    let message = format!("{} is no comparison", quoted(around.part(whole.clone())));
    Some(Meant::write(whole, &format!("{sign} {said}")).named("bad-comparison").saying(message))
}

/// `unless is urgent`: what is compared is missing.
pub(super) fn nothing_before_is(around: &Around<'_>) -> Option<Meant> {
    let (is, word) = around.next_on_line().filter(|(_, word)| ["is", "==", "=", ">", ">="].contains(word))?;
    let (value, said) = around.word_from(is.end)?;
    let whole = is.start..value.end;
    let message = format!("there is no name before {}", quoted(around.part(whole.clone())));
    if said.parse::<Priority>().is_ok() {
        let help = format!("write `priority {word} {said}`");
        let meant = Meant::write(is.start..is.start, "priority ").named("missing-condition").saying(message);
        return Some(meant.about(whole).help(help).until(value.end));
    }
    // `category is otp or is login`
    let before = around.before().and_then(|(value, _)| around.word_before(value.start));
    let name = before.filter(|(_, joint)| *joint == "is").and_then(|(is, _)| around.word_before(is.start));
    if let Some((_, name)) = name.filter(|(_, name)| is_name(name)) {
        let meant = Meant::write(is.start..is.start, &format!("{name} ")).named("missing-condition");
        let help = format!("write `{name} {word} {said}`");
        return Some(meant.saying(message).about(whole).help(help).until(value.end));
    }
    let help = format!("write what is compared, for example `vars.amount {word} {said}`");
    Some(Meant::told(whole).named("missing-condition").saying(message).help(help))
}

/// `contact.voice exists`, `exists(contact.voice)`, `contact.voice is not null`, `contact sms`.
pub(super) fn exists(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let channel = |word: &str| {
        let name = word.strip_prefix("contact.").unwrap_or_default();
        name.parse::<Channel>().ok().map(|channel| channel.word())
    };
    let line = around.line_end(around.at.start);
    let write = |at: std::ops::Range<usize>, channel: &str| {
        let message = format!("{} is not how an address is asked for", quoted(around.part(at.clone())));
        Meant::write(at, &format!("contact has {channel}")).named("bad-condition").saying(message)
    };
    // `defined contact.voice`
    if ["exists", "defined", "has"].contains(&text)
        && let Some((at, word)) = around.next_on_line()
        && channel(word).is_some()
    {
        return Some(write(around.at.start..at.end, channel(word)?));
    }
    // `contact.voice != null`: the finding is of the value.
    if ["null", "none", "nil"].contains(&text.to_lowercase().as_str()) {
        let (mut first, mut word) = around.before()?;
        while ["=", "!", "is", "not"].contains(&word) {
            (first, word) = around.word_before(first.start)?;
        }
        let said = around.part(first.end..around.at.start).trim();
        let has = channel(word)?;
        let asks = ["!=", "is not"].contains(&said);
        return asks.then(|| write(first.start..around.at.end, has));
    }
    // `exists(contact.voice)`, `defined(contact.voice)`, `len(contact.voice) > 0`
    if ["exists", "defined", "has", "isset", "len", "bool", "present"].contains(&text)
        && let Some((open, "(")) = around.next()
        && let Some((at, word)) = around.word_from(open.end)
        && let Some((close, ")")) = around.word_from(at.end)
    {
        let zero = around.words_from(close.end, "> 0").filter(|_| text == "len");
        return Some(write(around.at.start..zero.map_or(close.end, |at| at.end), channel(word)?).until(line));
    }
    let (name_at, name) =
        if channel(text).is_some() { (around.at.clone(), text) } else { around.before()? };
    let channel = channel(name)?;
    for words in [
        "exists",
        "IS NOT NULL",
        "is not null",
        "is not none",
        "! = null",
        "is set",
        "is defined",
        "is present",
    ] {
        if let Some(at) = around.words_from(name_at.end, words) {
            return Some(write(name_at.start..at.end, channel).until(line));
        }
    }
    None
}

/// `quota is false`, `read is not true`, `opted_out == True`.
pub(super) fn state(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let first = text.split_whitespace().next()?;
    STATES.contains(&first).then_some(())?;
    let start = around.at.start..around.at.start + first.len();
    let (mut end, line) = (start.end, around.line_end(start.end));
    let (mut negated, mut said) = (false, false);
    while let Some((at, word)) = around.word_from(end).filter(|(at, _)| at.start < line) {
        match word.to_lowercase().as_str() {
            "is" | "=" | "==" if !said => {}
            "not" | "!" if !said => negated = !negated,
            "true" | "yes" if !said => said = true,
            "false" | "no" if !said => (said, negated) = (true, !negated),
            _ => break,
        }
        end = at.end;
    }
    let meant = if negated { format!("not {first}") } else { first.to_owned() };
    let message = format!("`{first}` is compared with nothing, it stands alone");
    said.then(|| Meant::write(start.start..end, &meant).saying(message))
}

/// `vars.amount 50`: nothing compares the two.
pub(super) fn no_sign(around: &Around<'_>) -> Option<Meant> {
    let name = around.text();
    let (at, value) = around.next_on_line()?;
    let is_number = value.starts_with(|c: char| c.is_ascii_digit());
    (is_number && name.starts_with("vars.")).then_some(())?;
    let message = format!("nothing stands between {} and `{value}` that compares them", quoted(name));
    let help = format!("write for example `{name} >= {value}` or `{name} is {value}`");
    Some(Meant::told(around.at.start..at.end).named("bad-comparison").saying(message).help(help))
}
