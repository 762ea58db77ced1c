//! Parentheses where the language has none, and those that are not closed.

use crate::language::words::{ENDS, quoted};
use crate::model::Channel;

use super::Meant;
use super::text::Around;

/// A parenthesis that belongs to no group and no condition.
pub(super) fn stray(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    match text {
        "(" | "[" => {}
        "{" if around.source.contains("policy ") => return Some(block(around)),
        _ => return None,
    }
    let close = around.closing(around.at.start);
    let end = close.as_ref().map_or(around.at.end, |close| close.end);
    let inner = around.part(around.at.end..close.as_ref().map_or(around.at.end, |close| close.start)).trim();
    // `sms(twilio)`
    let before = around.before().filter(|(at, _)| at.end == around.at.start);
    if let Some((_, channel)) = before.filter(|(_, word)| word.parse::<Channel>().is_ok())
        && !inner.is_empty()
        && inner.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b))
    {
        let message = "a provider stands behind `via`, not in parentheses";
        let help = format!("write `{channel} via {inner}`");
        let whole = around.at.start..end;
        return Some(
            Meant::write(whole, &format!("via {inner}")).named("bad-route").saying(message).help(help),
        );
    }
    // `(sms, email)`: which of the two groups is meant, nobody knows.
    let members: Vec<&str> = inner.split([',', ' ', '\n', '\t']).filter(|word| !word.is_empty()).collect();
    let is_member = |word: &&str| word.parse::<Channel>().is_ok() || ["or", "and"].contains(word);
    let joined = members.iter().all(is_member) && members.iter().any(|word| ["or", "and"].contains(word));
    if inner.contains(',') || joined {
        let inner = inner.replace(" or ", ", ").replace(" and ", ", ");
        let message = "parentheses alone make no group: it begins with `any of` or `all of`";
        let help = format!("write `any of ({inner})` where one of them is enough, or `all of ({inner})`");
        let meant = Meant::told(around.at.clone()).named("bad-group").saying(message);
        return Some(meant.help(help).until(end));
    }
    // `sms then (email then voice)`
    let message = "brackets stand around the members of a group and around conditions, and nowhere else";
    Some(without(around, around.at.clone()).named("stray-text").saying(message))
}

/// `slack("payments")`: a channel with what other tools give it.
pub(super) fn argument(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (_, channel) = around.before().filter(|(at, _)| at.end == around.at.start)?;
    channel.parse::<Channel>().ok()?;
    text.strip_prefix('(').filter(|inner| inner.starts_with(['"', '\'']))?;
    let end = around.closing(around.at.start)?.end;
    let whole = around.at.start..end;
    let message = format!("a channel takes nothing in parentheses: {}", quoted(around.part(whole.clone())));
    let help = format!("write `{channel}` alone, or `{channel} via NAME` where it is a provider");
    Some(Meant::told(whole).saying(message).help(help))
}

/// Leaves out a parenthesis, and the one that closes it.
fn without(around: &Around<'_>, open: std::ops::Range<usize>) -> Meant {
    let close = around.closing(open.start);
    let meant = Meant::leave_out(around, open);
    match close {
        Some(close) => meant.help("leave them out").and(close, ""),
        None => meant,
    }
}

/// `via (a or b)`, `via "a"`.
pub(super) fn route(around: &Around<'_>) -> Option<Meant> {
    let (at, word) = around.next_on_line().filter(|_| around.text() == "via")?;
    let line = around.line_end(at.end);
    match word {
        "(" => {
            let message = "the providers of `via` stand without parentheses";
            Some(without(around, at).saying(message))
        }
        "\"" => {
            let inner = around.part(at.end..line);
            let name = inner.get(..inner.find('"')?)?;
            let message = format!("the provider {} stands without quotes", quoted(name));
            let whole = at.start..at.end + name.len() + 1;
            let plain = !name.is_empty() && !name.contains(char::is_whitespace);
            if plain && !name.is_ascii() {
                let message = format!("{} is no name for a provider", quoted(name));
                let help = "write its name without quotes: small letters, digits, `_` and `-`";
                return Some(Meant::told(whole).named("bad-name").saying(message).help(help));
            }
            plain.then(|| Meant::write(whole, name).named("bad-name").saying(message))
        }
        _ => None,
    }
}

/// `any of sms, email)`: the parenthesis that is not there, before the first member.
pub(super) fn unopened(around: &Around<'_>) -> Option<Meant> {
    let (of, _) = around.next().filter(|(_, word)| *word == "of")?;
    let (first, word) = around.word_from(of.end)?;
    word.parse::<Channel>().ok()?;
    let rest = around.part(first.start..around.line_end(first.start));
    let close = rest.find(')').filter(|at| !rest.get(..*at).is_some_and(|part| part.contains('(')))?;
    let group = around.text();
    let message = format!("there is no `(` behind `{group} of`");
    Some(
        Meant::write(first.start..first.start, "(")
            .saying(message)
            .help(format!("write `{group} of ({})`", rest.get(..close)?))
            .about(around.at.start..first.end),
    )
}

/// The parenthesis of a condition, or of a group in which nothing is joined but members: where it is to be
/// closed is sure then.
pub(super) fn unclosed(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (from, is_condition) = match text {
        "(" => (around.at.end, true),
        "any" | "all" => {
            let (of, _) = around.next().filter(|(_, word)| *word == "of")?;
            (around.word_from(of.end).filter(|(_, word)| *word == "(")?.0.end, false)
        }
        _ => return None,
    };
    let line = around.line_end(from);
    let written = around.part(from..line).trim_end();
    // `(vars.block is "A or vars.block is "B")`: what joins conditions stands within a text.
    if is_condition
        && written.matches('"').count() % 2 == 1
        && let Some((at, text)) = text_with_a_joint(written)
    {
        // `(vars.block is A" or vars.block is "B")`
        if text.is_empty() {
            let (word_at, word) = around.word_before(from + at)?;
            let message = format!("the text {} has no opening quote", quoted(word));
            let meant =
                Meant::write(word_at.start..word_at.start, "\"").named("unclosed-text").saying(message);
            let meant = meant.about(word_at.start..from + at + 1);
            return Some(meant.help(format!("write `\"{word}\"`")).until(line));
        }
        let at = from + at..from + at + 1 + text.len();
        let message = format!("the text {} has no closing quote", quoted(text));
        let meant = Meant::write(at.end..at.end, "\"").named("unclosed-text").saying(message).about(at);
        return Some(meant.help(format!("write `\"{text}\"`")).until(line));
    }
    // `(vars.plan is "gold)`: it is closed within a text that is not.
    if written.matches('"').count() % 2 == 1 && written.ends_with(')') {
        let place = from + written.len() - 1;
        let message = "the last text of the condition has no closing quote";
        let meant = Meant::write(place..place, "\"").named("unclosed-text").saying(message);
        return Some(meant.about(around.at.clone()).help("end it with `\"`"));
    }
    // `(vars.plan is gold" or quota)`: the rest was turned inside out.
    if is_condition && written.matches('"').count() % 2 == 1 {
        let message = "a text of the condition has one quote, not two";
        let meant = Meant::told(around.at.clone()).named("unclosed-text").saying(message);
        return Some(meant.help("write each text between two `\"`").until(line));
    }
    let mut end = from;
    while let Some((at, word)) = around.word_from(end).filter(|(at, _)| at.start < line) {
        let ends = ENDS.contains(&word) || ["on", "}", "#"].contains(&word);
        match (is_condition, word) {
            (_, "(" | ")") => return None,
            (true, "\"") => {
                let rest = around.part(at.end..line);
                end = at.end + rest.find('"')? + 1;
            }
            (true, _) if ends || word == "," => break,
            (false, "}" | "#") => break,
            // A member may be a strategy of its own, which ends nobody knows where.
            (false, "then") => return None,
            (false, _) if ends && !ends_behind_group(around, line) => return behind_last(around, line),
            _ => end = at.end,
        }
    }
    if end == from {
        return None;
    }
    // `(sms, email,`
    let last = from + around.part(from..end).trim_end_matches([' ', '\t', ',']).len();
    // `(a or b and c`: where it ends decides what is meant.
    if is_condition && has_both_joints(around.part(from..last)) {
        let first = from + first_place(around.part(from..last))?;
        let [one, other] = [first, last].map(|end| quoted(last_comparison(around.part(from..end))));
        let help = format!("write `)` behind {one} or behind {other}: the two mean different things");
        return Some(Meant::told(around.at.clone()).help(help));
    }
    let help = format!("end it with `)`: `{})`", around.part(from - 1..last));
    Some(Meant::told(around.at.clone()).changing(last..end, ")").help(help))
}

/// The text that runs on over a joint and another comparison, and where it begins.
fn text_with_a_joint(written: &str) -> Option<(usize, &str)> {
    let mut from = 0;
    for (number, part) in written.split('"').enumerate() {
        if number % 2 == 1 {
            let joint = [" or ", " and "].iter().filter_map(|joint| part.find(joint)).min();
            if let Some(text) = joint.filter(|at| part.get(*at..).is_some_and(|rest| rest.contains(" is "))) {
                return Some((from - 1, part.get(..text)?));
            }
        }
        from += part.len() + 1;
    }
    None
}

/// A group whose members are all on its line, if those below are not its own.
fn behind_last(around: &Around<'_>, line: usize) -> Option<Meant> {
    let written = around.part(around.at.start..line);
    let is_over = written.trim_end().ends_with([',', '('])
        || written.contains([')', '#'])
        || written.contains(" then ");
    let (_, below) = around.word_from(line)?;
    let last = written.split_whitespace().last().filter(|_| !is_over && below == "then")?;
    let help = format!(
        "write `)` behind the last member: behind {} at the end of the line, unless what stands below is of the \
         group too",
        quoted(last)
    );
    Some(Meant::told(around.at.clone()).help(help))
}

/// Whether what stands below a line is no part of a group, so that a group is at its end there.
fn ends_behind_group(around: &Around<'_>, line: usize) -> bool {
    around.word_from(line).is_none_or(|(_, word)| ["otherwise", "}"].contains(&word))
}

/// `in ["de", "de-AT")`: a list that another bracket ends.
pub(super) fn other_end(around: &Around<'_>) -> Option<Meant> {
    let start = around.at.start;
    let line = around.line_end(start);
    let inner = around.part(start..line).strip_prefix('[')?;
    let mut in_text = false;
    let (place, sign) = inner.char_indices().find(|(_, c)| {
        in_text ^= *c == '"';
        !in_text && [')', ']', '}', '>'].contains(c)
    })?;
    let at = start + 1 + place..start + 1 + place + 1;
    let before = around.part(around.line_start(start)..start);
    let is_own = before.matches('(').count() > before.matches(')').count();
    (sign != ']' && !is_own).then_some(())?;
    let message = format!("the list begins with `[` and ends with `{sign}`");
    Some(Meant::write(at, "]").saying(message).until(line))
}

/// Braces within a policy, as programs have them.
fn block(around: &Around<'_>) -> Meant {
    // All of them up to the one that ends the policy.
    let rest = around.source.get(around.at.start..).unwrap_or_default();
    let rest = rest.find("\npolicy ").and_then(|next| rest.get(..next)).unwrap_or(rest);
    let own = rest.trim_end().trim_end_matches('}').trim_end().len();
    let end = around.closing(around.at.start).map_or(around.at.end, |close| close.end);
    let last = around.part(around.at.start..around.at.start + own).rfind('}');
    let end = last.map_or(end, |last| end.max(around.at.start + last + 1));
    let message = "within a policy braces stand around its vars alone";
    let help = "join stages by `then`, and write a condition behind its stage: `sms if vars.amount > 100`";
    let meant = Meant::told(around.at.start..end).saying(message).help(help);
    meant.until(around.source.len())
}

/// Whether a condition is joined by `and` and by `or`, so that its parentheses decide what it means.
pub(in super::super) fn has_both_joints(condition: &str) -> bool {
    let bare: Vec<&str> = condition.split('"').step_by(2).flat_map(str::split_whitespace).collect();
    ["and", "or"].iter().all(|joint| bare.contains(joint))
}

/// Where the words before the first change from one joint to the other end.
fn first_place(condition: &str) -> Option<usize> {
    let mut joints = [" and ", " or "].map(|joint| condition.find(joint));
    joints.sort_unstable();
    let [_, second] = joints;
    second
}

/// The words behind the last joint of a condition.
fn last_comparison(condition: &str) -> &str {
    let start =
        [" and ", " or "].iter().filter_map(|joint| Some(condition.rfind(joint)? + joint.len())).max();
    condition.get(start.unwrap_or(0)..).unwrap_or(condition)
}

/// `a or b) and c`: the parenthesis that was opened nowhere decides what is meant.
pub(super) fn unopened_condition(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let start = around.line_start(around.at.start);
    let line = around.part(start..around.line_end(around.at.start));
    let before = around.part(start..around.at.start);
    let begins = ["if ", "unless "].iter().filter_map(|word| Some(before.rfind(word)? + word.len())).max()?;
    let condition = before.get(begins..)?;
    (text == ")" && has_both_joints(line.get(begins..)?) && !condition.contains('(')).then_some(())?;
    let message = "the `)` of the condition is never opened";
    let first = condition.trim_start().split(" and ").next()?.split(" or ").next()?;
    let help =
        format!("write `(` before {}, or leave the `)` out: the two mean different things", quoted(first));
    Some(Meant::told(around.at.clone()).named("unclosed-bracket").saying(message).help(help))
}

/// `any of (push, sms # the bell)`: the bracket stands in the comment.
pub(super) fn in_comment(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    ["(", "any", "all"].contains(&text).then_some(())?;
    let line = around.line_end(around.at.start);
    let (before, comment) = around.part(around.at.start..line).split_once('#')?;
    (comment.contains(')') && !before.contains(['"', ')'])).then_some(())?;
    let end = around.at.start + before.trim_end().len();
    let at = around.at.start + before.len()..line;
    let message = "the `)` stands in the comment, where it closes nothing";
    let meant = Meant::write(end..end, ")").about(at).saying(message);
    Some(meant.help("write `)` before the `#`"))
}

/// `all of 8sms, push)`: the sign of the key without shift.
pub(super) fn beside_the_key(around: &Around<'_>) -> Option<Meant> {
    let (of, _) = around.next_on_line().filter(|(_, word)| *word == "of")?;
    let (at, word) = around.word_from(of.end)?;
    let channel = word.strip_prefix(['8', '9'])?;
    let (first, at) = match channel.is_empty() {
        true => (around.word_from(at.end)?.1, at),
        false => (channel, at.start..at.start + 1),
    };
    first.parse::<Channel>().ok()?;
    let message = format!("`{}` stands for the `(` of the group", around.part(at.clone()));
    let line = around.line_end(at.end);
    Some(Meant::write(at, "(").saying(message).until(line))
}

/// `all of )sms, push)`.
pub(super) fn turned(around: &Around<'_>) -> Option<Meant> {
    let (of, _) = around.next_on_line().filter(|(_, word)| *word == "of")?;
    let (at, _) = around.word_from(of.end).filter(|(_, word)| *word == ")")?;
    around.word_from(at.end).filter(|(_, word)| word.parse::<Channel>().is_ok())?;
    let message = "the members of a group stand behind `(`, not behind `)`";
    let line = around.line_end(at.end);
    Some(Meant::write(at, "(").saying(message).until(line))
}

/// `all of (`, `any of (push, sms`, and a `)` on a line of its own: how far it is indented tells which of the
/// two it closes.
pub(super) fn inner(around: &Around<'_>) -> Option<Meant> {
    ["any", "all"].contains(&around.text()).then_some(())?;
    let indent = |at: usize| {
        let line = around.part(around.line_start(at)..around.line_end(at));
        line.len() - line.trim_start().len()
    };
    let own = indent(around.at.start);
    let mut start = around.line_end(around.at.start) + 1;
    let mut open: Option<(std::ops::Range<usize>, usize)> = None;
    while start < around.source.len() {
        let line = around.part(start..around.line_end(start));
        let written = line.split('#').next().unwrap_or(line).trim_end();
        let (opened, closed) = (written.matches('(').count(), written.matches(')').count());
        match written.trim() {
            ")" if indent(start) == own => break,
            "}" => return None,
            _ if opened == closed => {}
            // A second one leaves more than one reading.
            _ if opened == closed + 1 && open.is_none() => {
                let from = ["any of", "all of"].iter().filter_map(|group| written.rfind(group)).max()?;
                // The comma behind it parts it from the next member.
                let end = start + written.strip_suffix(',').unwrap_or(written).trim_end().len();
                open = Some((start + from..end, end));
            }
            _ => return None,
        }
        start = around.line_end(start) + 1;
    }
    let (at, end) = open?;
    let group = around.part(at.clone()).split_whitespace().next()?;
    let message = format!("the `(` of `{group} of` is never closed");
    Some(Meant::write(end..end, ")").about(at).saying(message).help("end the group with `)`"))
}

/// `(a or b) and c)`: a `)` more than were opened.
pub(super) fn over(around: &Around<'_>) -> Option<Meant> {
    (around.text() == ")").then_some(())?;
    let before = around.part(around.line_start(around.at.start)..around.at.start);
    let is_over = before.matches('(').count() == before.matches(')').count();
    let is_condition = ["if ", "unless "].iter().any(|word| before.contains(word));
    (is_over && is_condition && before.contains('(')).then_some(())?;
    let message = "here is a `)` more than were opened";
    Some(Meant::leave_out(around, around.at.clone()).saying(message))
}

/// `if [ priority is urgent ]`: the brackets of a list around a condition.
pub(super) fn around_condition(around: &Around<'_>) -> Option<Meant> {
    let start = around.line_start(around.at.start);
    let open = start + around.part(start..around.at.start).rfind('[')?;
    let (_, word) = around.word_before(open)?;
    let close = around.closing(open)?;
    let is_condition = ["if", "unless", "and", "or", "not"].contains(&word);
    (is_condition && close.end <= around.line_end(start)).then_some(())?;
    let inner = around.part(open + 1..close.start).trim();
    let meant = Meant::write(open..close.end, inner).saying("a condition stands without `[` and `]`");
    Some(meant.named("bad-list").help(format!("write {}", quoted(inner))))
}
