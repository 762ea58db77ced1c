//! Groups, policies and what ends them, as people write them.

use crate::language::words::quoted;
use crate::model::Channel;

use super::Meant;
use super::text::Around;

/// `any of sms, email`.
pub(super) fn members(around: &Around<'_>) -> Option<Meant> {
    let (of, _) = around.next().filter(|(_, word)| *word == "of")?;
    let (first, word) = around.word_from(of.end)?;
    word.parse::<Channel>().ok()?;
    let mut end = first.end;
    while let Some((comma, "," | "and" | "or")) = around.word_from(end)
        && let Some((member, word)) = around.word_from(comma.end)
        && word.parse::<Channel>().is_ok()
    {
        end = member.end;
    }
    // `any of voice until replied, sms`: what is behind the last member may belong to it or to the group.
    let line = around.line_end(first.start);
    let rest = around.part(first.start..line).split(['#', '}']).next().unwrap_or_default();
    if around.part(end..first.start + rest.len()).contains(',') && !rest.contains([')', '(']) {
        let kind = around.text();
        let message = format!("the members of `{kind} of` stand between `(` and `)`");
        let help = format!("write `(` behind `{kind} of`, and `)` behind the last member");
        let meant = Meant::told(around.at.clone()).saying(message).help(help);
        return Some(meant.until(line));
    }
    if end == first.end {
        return None;
    }
    let words = around.part(first.start..end).replace(" and ", ", ").replace(" or ", ", ");
    let message = format!("the members of `{} of` stand between `(` and `)`", around.text());
    Some(
        Meant::write(first.start..end, &format!("({words})"))
            .saying(message)
            .help(format!("write `{} of ({words})`", around.text()))
            .about(around.at.clone()),
    )
}

/// `any of (sms,)`.
pub(super) fn last_comma(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (of, _) = around.next().filter(|(_, word)| ["any", "all"].contains(&text) && *word == "of")?;
    let (open, _) = around.word_from(of.end).filter(|(_, word)| *word == "(")?;
    let close = around.closing(open.start)?;
    let (comma, _) = around.word_before(close.start).filter(|(_, word)| *word == ",")?;
    Some(Meant::leave_out(around, comma).saying("`,` stands before no member of the group"))
}

/// Two members with nothing between.
pub(super) fn missing_comma(around: &Around<'_>) -> Option<Meant> {
    let end = around.in_group().then(|| around.end_before(around.at.start))?;
    let message = format!("there is no `,` before {}", quoted(around.text()));
    let meant = Meant::write(end..end, ",").saying(message).about(around.at.clone());
    Some(meant.help("write `,` between the members of a group, or `then` for one after the other"))
}

/// A policy in parentheses.
pub(super) fn parentheses(around: &Around<'_>) -> Option<Meant> {
    let (name, word) = around.next()?;
    let (open, sign) = around.word_from(name.end).filter(|(_, word)| ["(", "["].contains(word))?;
    let close = around.closing(open.start)?;
    let other = around.part(close.clone());
    let message =
        format!("the policy `{word}` stands between `{{` and `}}`, not between `{sign}` and `{other}`");
    let help = format!("write `policy {word} {{ … }}`");
    Some(Meant::write(open, "{").saying(message).help(help).and(close, "}"))
}

/// A policy that is not closed before the next one, or before the end.
pub(super) fn close(around: &Around<'_>) -> Option<Meant> {
    let rest = around.source.get(around.at.end..)?;
    // A policy that begins within it, indented as what stands in it.
    let indented = |(at, _): &(usize, &str)| {
        let line = rest.get(..*at).and_then(|before| before.rsplit('\n').next()).unwrap_or_default();
        !line.is_empty() && line.trim().is_empty()
    };
    if let Some((at, _)) = rest.match_indices("policy ").find(indented) {
        let word = around.at.end + at..around.at.end + at + "policy".len();
        let meant = Meant::told(word).saying("a policy stands within another");
        let help = "write it before or behind that one, and `use` it here";
        return Some(meant.named("bad-policy").help(help).until(around.source.len()));
    }
    let next = rest.find("\npolicy ").map_or(around.source.len(), |at| around.at.end + at);
    let end = around.source.get(..next)?.trim_end().len();
    // A policy that ends with another word or bracket.
    let last = around.line_start(end);
    let said = around.part(last..end).trim();
    if [")", "]", "end", "end.", "END", "fi", "done", "ende", ");", "};", ">"].contains(&said) {
        let whole = end - said.len()..end;
        let message = format!("the `{{` of the policy is closed by {}", quoted(said));
        return Some(Meant::write(whole, "}").saying(message));
    }
    let meant = Meant::told(around.at.clone()).changing(end..end, "\n}");
    Some(meant.help("end the policy with `}`"))
}

/// `use policy b`.
pub(super) fn used(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    around.next_on_line().filter(|_| text == "policy")?;
    let message = "`policy` is not needed behind `use`";
    Some(Meant::leave_out(around, around.at.clone()).saying(message))
}

/// `throw "nobody was reached"`: another word for `otherwise fail`.
pub(super) fn throw(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    const WORDS: [&str; 7] = ["throw", "raise", "error", "abort", "die", "panic", "exit"];
    around.next_on_line().filter(|(_, next)| *next == "\"" && WORDS.contains(&text))?;
    let message = format!("unknown word {}; did you mean `otherwise fail`?", quoted(text));
    Some(Meant::write(around.at.clone(), "otherwise fail").named("bad-otherwise").saying(message))
}

/// Whether a policy of the text has this name.
pub(in super::super) fn is_policy(source: &str, name: &str) -> bool {
    let around = Around { source, at: 0..0 };
    let mut words = source.split_whitespace();
    words.any(|word| word == "policy")
        && source
            .match_indices("policy")
            .any(|(at, word)| around.word_from(at + word.len()).is_some_and(|(_, named)| named == name))
}

/// `do night`, `call night`: another word for `use`.
pub(super) fn other_use(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    const USES: [&str; 19] = [
        "do", "call", "run", "start", "execute", "apply", "invoke", "follow", "trigger", "goto", "perform",
        "include", "launch", "calls", "source", "import", "includes", "load", "exec",
    ];
    around.next_on_line().filter(|(_, name)| is_policy(around.source, name))?;
    let message = format!("unknown channel {}; did you mean `use`?", quoted(text));
    let fits = USES.contains(&text.to_lowercase().as_str());
    fits.then(|| Meant::write(around.at.clone(), "use").saying(message))
}

/// A policy of the text without `use`, perhaps with parentheses: `night()`.
pub(super) fn not_used(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    if !is_policy(around.source, text) {
        return None;
    }
    let empty = around.next().filter(|(at, word)| *word == "(" && at.start == around.at.end);
    let close = empty.and_then(|(open, _)| around.word_from(open.end)).filter(|(_, word)| *word == ")");
    let end = close.map_or(around.at.end, |(at, _)| at.end);
    let message = format!("{} is a policy; one is used by `use`", quoted(text));
    Some(Meant::write(around.at.start..end, &format!("use {text}")).saying(message))
}

/// `fail "why"`, `or else fail "why"`.
pub(super) fn fail(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    if !["fail", "or", "else", "and"].contains(&text) {
        return None;
    }
    let mut end = around.at.end;
    if text != "fail" {
        let mut next = around.next()?;
        if next.1 == "else" {
            end = next.0.end;
            next = around.word_from(end)?;
        }
        if next.1 != "fail" {
            return None;
        }
        end = if around.word_from(next.0.end)?.1 == "\"" { end } else { return None };
    } else if around.next()?.1 != "\"" {
        return None;
    }
    let (at, meant) = if text == "fail" {
        (around.at.clone(), "otherwise fail")
    } else {
        (around.at.start..end, "otherwise")
    };
    let message = format!("{} does not say when; did you mean `{meant}`?", quoted(around.part(at.clone())));
    Some(Meant::write(at, meant).named("bad-otherwise").saying(message))
}

/// `all any of (`: which of the two is meant, nobody knows.
pub(super) fn both_kinds(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (at, next) = around.next_on_line()?;
    let (of, _) = around.word_from(at.end).filter(|(_, word)| *word == "of")?;
    let kinds = ["any", "all"];
    (kinds.contains(&text) && kinds.contains(&next) && text != next).then_some(())?;
    let message = format!("`{text}` and `{next}` stand side by side");
    let help = "write `all of` where every one must be reached, or `any of` where one is enough";
    Some(Meant::told(around.at.start..of.end).named("bad-group").saying(message).help(help))
}

/// `then fail "why"`.
pub(super) fn then_fail(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (then, _) = around.before().filter(|(_, word)| *word == "then" && text == "fail")?;
    around.next().filter(|(_, word)| *word == "\"")?;
    let message = "a policy fails behind `otherwise`, not behind `then`";
    let meant = Meant::write(then, "otherwise").named("bad-otherwise").saying(message);
    Some(meant.help("write `otherwise fail`"))
}

/// `otherwise: fail "why"`, `otherwise voice`.
pub(super) fn otherwise(around: &Around<'_>) -> Option<Meant> {
    let word = around.at.start..around.at.start + "otherwise".len();
    let (at, next) = around.word_from(word.end)?;
    if next == ":" {
        let message = "`otherwise` stands without `:`";
        return Some(Meant::leave_out(around, at).saying(message));
    }
    if next == "then" {
        let message = "another stage stands behind `then` alone";
        return Some(Meant::leave_out(around, word).saying(message));
    }
    next.parse::<Channel>().ok()?;
    let message =
        format!("another stage stands behind `then`; behind `otherwise` stands `fail`, not `{next}`");
    Some(Meant::write(word, "then").saying(message))
}

/// `1. push`: stages with numbers.
pub(super) fn numbered_stage(around: &Around<'_>) -> Option<Meant> {
    numbered(around, false)
}

/// `sms 2. push`: a number where another stage is to be joined.
pub(super) fn numbered_word(around: &Around<'_>) -> Option<Meant> {
    numbered(around, true)
}

fn numbered(around: &Around<'_>, joins: bool) -> Option<Meant> {
    let text = around.text();
    let dot = around.source.get(around.at.end..)?.chars().next()?;
    let is_letter = text.len() == 1 && text.bytes().all(|b| b.is_ascii_lowercase()) && dot == ')';
    let is_ordinal = ["first", "second", "third", "fourth", "step", "finally", "erst", "zuerst"]
        .contains(&text)
        && dot == ':';
    let fits =
        text.bytes().all(|b| b.is_ascii_digit()) && ['.', ')'].contains(&dot) || is_letter || is_ordinal;
    let whole = around.at.start..around.at.end + 1;
    let message = format!(
        "stages have no numbers such as {}; they are joined by `then`",
        quoted(around.part(whole.clone()))
    );
    if !fits {
        return None;
    }
    // `2. then push`
    let is_joined = around.word_from(whole.end).is_some_and(|(_, next)| next == "then");
    let meant =
        if joins && !is_joined { Meant::write(whole, "then") } else { Meant::leave_out(around, whole) };
    Some(meant.saying(message))
}

/// `- push`: stages as a list.
pub(super) fn listed(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let before = around.source.get(..around.at.start)?;
    let is_first = before.rsplit('\n').next()?.trim().is_empty();
    let (_, word) = around.next_on_line()?;
    let begins = word.parse::<Channel>().is_ok() || ["wait", "use", "any", "all"].contains(&word);
    if !is_first || !begins || !["-", "*", "•", "–"].contains(&text) {
        return None;
    }
    if around.in_group() {
        let message = format!("the members of a group have no marks such as {}", quoted(text));
        let end = before.trim_end().len();
        let meant = Meant::leave_out(around, around.at.clone()).saying(message);
        let is_joined = before.trim_end().ends_with(['(', ',']);
        return Some(if is_joined { meant } else { meant.and(end..end, ",").help("write `,` before it") });
    }
    let message = format!("stages have no marks such as {}; they are joined by `then`", quoted(text));
    let joins = !before.trim_end().is_empty() && !before.trim_end().ends_with('{');
    let at = around.at.clone();
    let meant = if joins { Meant::write(at, "then") } else { Meant::leave_out(around, at) };
    Some(meant.saying(message))
}

/// `parallel (slack, email)`: a group of which it is not known how many of it must be reached.
pub(super) fn parallel(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    const WORDS: [&str; 5] = ["parallel", "together", "simultaneous", "concurrently", "race"];
    let is_known = WORDS.contains(&text.to_lowercase().as_str());
    around.next_on_line().filter(|(_, word)| is_known && *word == "(")?;
    let message = format!("{} begins no group", quoted(text));
    let help = "write `any of` where one that is reached is enough, `all of` where all must be";
    Some(Meant::told(around.at.clone()).named("bad-group").saying(message).help(help))
}

/// `any of (push, sms) until read`: what goes with channels, behind a group.
pub(super) fn on_members(around: &Around<'_>) -> Option<Meant> {
    /// Bytes of a group that is shown whole.
    const SHOWN_BYTES_MAX: usize = 100;
    let (mut at, mut text) = (around.at.clone(), around.text());
    // Of a condition the finding has one word.
    if let Some((guard, word)) = around.before().filter(|(_, word)| ["if", "unless"].contains(word)) {
        let whole = guard.start..around.at.end;
        (text, at) = (around.part(whole.clone()), whole);
        around
            .word_from(at.end)
            .filter(|(_, next)| ["and", "or"].contains(next))
            .is_none()
            .then_some(word)?;
    }
    let close = around.part(0..at.start).trim_end().strip_suffix(')')?.len();
    let open = opening(around.part(0..close))?;
    let (of, _) = around.word_before(open).filter(|(_, word)| *word == "of")?;
    let (group, word) = around.word_before(of.start).filter(|(_, word)| ["any", "all"].contains(word))?;
    let begin = text.split_whitespace().next()?;
    let inner = around.part(open + 1..close);
    let has_all = inner.split(',').all(|member| member.split_whitespace().any(|word| word == begin));
    if has_all {
        let help = format!("leave it out: each channel inside the group has its own `{begin}`");
        return Some(Meant::told(around.at.clone()).help(help));
    }
    (!inner.contains('\n')).then_some(())?;
    let members = inner.split(',').map(str::trim).map(|member| {
        let has_one = member.split_whitespace().any(|word| word == begin);
        if has_one { member.to_owned() } else { format!("{member} {text}") }
    });
    let meant = format!("{word} of ({})", members.collect::<Vec<_>>().join(", "));
    (at.end - group.start <= SHOWN_BYTES_MAX).then_some(())?;
    let what = if at == around.at { "it" } else { "the condition" };
    let help = format!("write {what} inside the group, behind each channel that it is for: `{meant}`");
    Some(Meant::told(around.at.clone()).help(help))
}

/// Where the parenthesis stands that is still open at the end of a text.
fn opening(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    text.char_indices().rev().find_map(|(at, c)| match c {
        ')' => {
            depth += 1;
            None
        }
        '(' if depth == 0 => Some(at),
        '(' => {
            depth -= 1;
            None
        }
        _ => None,
    })
}
