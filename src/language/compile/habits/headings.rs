//! How policies begin, and how they are used.

use crate::language::words::{near, quoted};
use crate::model::Channel;

use super::Meant;
use super::text::Around;

/// `function night {`, `night {`, `policynight {`: a policy that begins with another word, or with none.
pub(super) fn heading(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let is_first = !around.part(0..around.at.start).contains('{')
        && around.part(around.line_start(around.at.start)..around.at.start).trim().is_empty();
    let (mut next, mut word) = around.next_on_line()?;
    let mut at = around.at.clone();
    // `Scenario: heartbeat {`
    if word == ":" && is_first {
        at.end = next.end;
        (next, word) = around.word_from(next.end)?;
    }
    // Words of programs, which stand around stages.
    if ["try", "do", "begin", "main", "flow", "steps", "stages", "strategy", "sequence", "if"].contains(&text)
    {
        return None;
    }
    if word == "{" {
        let name = text.strip_prefix("policy").map(|name| name.trim_start_matches(['_', '-', ':']));
        let (meant, message) = match name.filter(|name| !name.is_empty()) {
            Some(name) => {
                (format!("policy {name}"), format!("there is no blank between `policy` and `{name}`"))
            }
            None => (format!("policy {text}"), format!("there is no `policy` before {}", quoted(text))),
        };
        let fits = is_first && super::super::is_name(meant.trim_start_matches("policy "));
        return fits.then(|| Meant::write(around.at.clone(), &meant).named("bad-policy").saying(message));
    }
    if around.word_from(next.end)?.1 != "{" || !is_first && near(text, ["policy"]).is_none() {
        return None;
    }
    let message = format!("unknown word {}; did you mean `policy`?", quoted(text));
    Some(Meant::write(at, "policy").named("bad-policy").saying(message))
}

/// `policy NAME` without its brace.
pub(super) fn policy(around: &Around<'_>) -> Option<Meant> {
    let (name, word) = around.next()?;
    let rest = around.source.get(name.end..)?;
    if [":", "="].contains(&word) && rest.contains('{') {
        let message = format!("`policy` stands before its name without `{word}`");
        return Some(
            Meant::leave_out(around, name.clone())
                .saying(message)
                .changing(around.at.end..around.blanks_from(name.end), " "),
        );
    }
    // `policy` alone on its line, before a strategy.
    if around.part(around.at.start..name.start).contains('\n') && word.parse::<Channel>().is_ok() {
        let message = "`policy` has no name here, and no braces";
        let help = "leave it out, or write `policy NAME { … }` around the stages";
        let meant = Meant::told(around.at.start..around.at.start + "policy".len());
        return Some(meant.saying(message).help(help).until(around.next_policy(name.end)));
    }
    // A policy within another.
    let is_inside = around.source.get(..around.at.start).is_some_and(|before| before.contains('{'));
    if let (true, Some((open, "{"))) = (is_inside, around.word_from(name.end)) {
        let end = around.closing(open.start).map_or(open.end, |close| close.end);
        let message = format!("the policy {} stands within another", quoted(word));
        let help = format!("write it before or behind that one, and `use {word}` here");
        let meant = Meant::told(around.at.start..end).saying(message).help(help);
        return Some(meant.until(around.source.len()));
    }
    // The braces of its vars are none of its own.
    let own = rest.matches('{').count() != rest.matches('}').count();
    let is_heading = rest.lines().next().is_some_and(|line| line.trim().trim_matches([':', '=']).is_empty());
    if is_heading && own && word != "{" && !rest.contains("policy ") {
        let line = around.line_end(name.end);
        let message = format!("there is no `{{` behind `policy {word}`");
        let meant = Meant::write(name.end..line, " {").saying(message).about(around.at.start..name.end);
        return Some(meant.help(format!("write `policy {word} {{`")));
    }
    if rest.contains('{') && own || word == "{" {
        return None;
    }
    let sign = rest.trim_start().starts_with([':', '=']);
    let signs = rest.len() - rest.trim_start().trim_start_matches([':', '=', '>', '-']).trim_start().len();
    let open = if sign { name.end..name.end + signs } else { name.end..name.end };
    let end = around.source.trim_end().len();
    // `end`, as programs have it.
    let own = around.part(around.line_start(end)..end).trim();
    let last = if own == "end" { end - own.len()..end } else { end..end };
    let message = format!("there is no `{{` behind `policy {word}`");
    let begin = if sign && !around.part(open.clone()).contains('\n') { " { " } else { " {" };
    let meant = Meant::write(open, begin)
        .saying(message)
        .help(format!("write `policy {word} {{ … }}`"))
        .about(around.at.start..name.end);
    let close = if last.is_empty() { "\n}" } else { "}" };
    Some(meant.and(last, close))
}

/// `use page:latest`: a version as other tools name it.
pub(super) fn tagged(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (name, _) = text.split_once(':').filter(|(name, _)| super::super::is_name(name))?;
    let message = format!("{} names no policy: a version is a number behind `@`", quoted(text));
    let help = format!("write `use {name}`, or for example `use {name}@3`");
    Some(Meant::write(around.at.clone(), name).saying(message).help(help))
}

/// `use @name`.
pub(super) fn at_sign(around: &Around<'_>) -> Option<Meant> {
    let (at, word) = around.word_from(around.at.end)?;
    let name = word.strip_prefix('@').filter(|name| super::super::is_name(name))?;
    let message = format!("the policy `{name}` is named without `@`");
    Some(Meant::write(at, name).saying(message).help(format!("write `use {name}`")))
}

/// `policy night do`: another word for the brace.
pub(super) fn other_brace(around: &Around<'_>) -> Option<Meant> {
    let (name, word) = around.next_on_line().filter(|(_, word)| super::super::is_name(word))?;
    let (at, sign) = around.word_from(name.end).filter(|(at, _)| at.end <= around.line_end(name.end))?;
    (["do", "begin", "is", "begins", "then"].contains(&sign) && word != "policy").then_some(())?;
    let message = format!("behind the name of a policy stands `{{`, not `{sign}`");
    let meant = Meant::write(at, "{").saying(message);
    let end = around.source.trim_end().len();
    let last = around.part(around.line_start(end)..end).trim();
    let meant = if last == "end" {
        meant.and(end - 3..end, "}").help("write `{` there, and `}` for `end`")
    } else {
        meant
    };
    Some(meant.until(around.next_policy(around.at.end)))
}

/// Headers without the line `policy NAME {` above them: the brace at their end follows from that.
pub(super) fn lost(around: &Around<'_>, finding: &super::Diagnostic) -> Option<Meant> {
    let said = around.text().lines().next().unwrap_or_default().trim();
    let has_end = around.source.lines().any(|line| line.trim_end() == "}");
    // `# title. policy night {`: two lines that were drawn together.
    let before = around.part(0..around.at.start).trim_end();
    let line = before.rfind('\n').map_or(0, |end| end + 1);
    if let Some(sign) = before.get(line..).and_then(|above| above.find('#')).map(|sign| line + sign)
        && let Some(head) =
            before.get(sign..).and_then(|remark| remark.rfind("policy ")).map(|head| sign + head)
        && before.ends_with('{')
    {
        let at = head..before.len();
        let message = format!(
            "{} stands in a remark, behind `#`, so it does not count",
            quoted(around.part(at.clone()))
        );
        let is_all = before.get(sign + 1..head).is_some_and(|title| title.trim().is_empty());
        let help = if is_all { "leave the `#` out" } else { "begin a new line before it" };
        let meant = Meant::told(at).named("bad-policy").saying(message);
        return Some(meant.help(help).until(around.next_policy(around.at.end)));
    }
    let meant = Meant::told(around.at.clone());
    let meant = match has_end {
        true => meant
            .saying(format!("the line `policy NAME {{` above {} is missing", quoted(said)))
            .help("write it there"),
        false => meant.saying(finding.message.clone()).help(finding.help.clone().unwrap_or_default()),
    };
    Some(meant.until(around.next_policy(around.at.end)))
}

/// A `}` that closes nothing.
pub(super) fn brace_alone(around: &Around<'_>) -> Option<Meant> {
    (around.text().trim() == "}").then(|| Meant::leave_out(around, around.at.clone()))
}

/// A sign or two outside of every policy, as a key gives that was touched by the way.
pub(super) fn stray_key(around: &Around<'_>) -> Option<Meant> {
    let text = around.text().trim();
    (text.chars().count() <= 2 && text != "}").then_some(())?;
    let message = format!("{} stands outside of every policy", quoted(text));
    Some(Meant::leave_out(around, around.at.clone()).saying(message))
}

/// `policy night` without its brace, between other policies.
pub(super) fn unopened(around: &Around<'_>) -> Option<Meant> {
    let line = around.line_end(around.at.start);
    let written = around.part(around.at.start..line).trim_end();
    let name = written.strip_prefix("policy ")?.trim();
    super::super::is_name(name).then_some(())?;
    let place = around.at.start + written.len();
    let message = format!("there is no `{{` behind `policy {name}`");
    let meant = Meant::write(place..place, " {").named("bad-policy").about(around.at.start..place);
    let meant = meant.saying(message).help(format!("write `policy {name} {{`"));
    Some(meant.until(around.next_policy(line)))
}

/// `use "name"`.
pub(super) fn used(around: &Around<'_>) -> Option<Meant> {
    let (at, _) = around.next().filter(|(_, word)| *word == "\"")?;
    let inner = around.source.get(at.end..)?;
    let name = inner.get(..inner.find('"')?)?;
    let whole = at.start..at.end + name.len() + 1;
    let message = "the policy behind `use` stands without quotes";
    Some(Meant::write(whole.clone(), name).saying(message).help(format!("write `use {name}`")))
}
