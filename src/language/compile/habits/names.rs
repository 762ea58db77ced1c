//! Names of policies and vars that were changed in one place alone.

use crate::language::diagnostic::Diagnostic;
use crate::language::words::{listed, quoted};

use super::Meant;
use super::text::Around;

/// The names that stand behind a word of the text.
fn behind<'s>(around: &Around<'s>, word: &str) -> Vec<(usize, &'s str)> {
    let places = around.source.match_indices(word).filter(|(at, _)| {
        !around.part(0..*at).ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.')
    });
    places.filter_map(|(at, _)| Some((at, around.word_from(at + word.len())?.1))).collect()
}

/// `use reach_staff`, where the file has `policy reach_crew`, which nothing uses.
pub(super) fn policy(around: &Around<'_>, finding: &Diagnostic) -> Option<Meant> {
    let text = around.text();
    let is_named = super::super::is_name(text) && text != "use";
    (is_named && finding.fix.is_empty() && !finding.message.contains("did you mean")).then_some(())?;
    let used: Vec<&str> = behind(around, "use ").into_iter().map(|(_, name)| name).collect();
    let policies = behind(around, "policy ");
    let own = policies.iter().rfind(|(at, _)| *at < around.at.start).map_or("", |(_, name)| *name);
    let others: Vec<&str> = policies.iter().map(|(_, name)| *name).filter(|name| *name != own).collect();
    let is_like = |name: &&&str| {
        let first = name.split('_').next().unwrap_or(name);
        first.len() > 2 && text.starts_with(first)
    };
    let unused: Vec<&&str> = others.iter().filter(|name| !used.contains(name)).collect();
    let meant = match (others.iter().find(is_like), unused.as_slice()) {
        (Some(like), _) => like,
        (None, [one]) => **one,
        _ => return None,
    };
    let message = format!("unknown policy {}", quoted(text));
    let help = format!("write `use {meant}`, or let that policy be named `{text}`");
    Some(Meant::told(around.at.clone()).saying(message).help(help))
}

/// `vars.fee`, where `vars` has another one of its type that nothing names.
pub(super) fn var(around: &Around<'_>, finding: &Diagnostic) -> Option<Meant> {
    let name = around.text().strip_prefix("vars.")?;
    (finding.fix.is_empty() && !finding.message.contains("did you mean")).then_some(())?;
    let start = around.part(0..around.at.start).rfind("policy ").unwrap_or(0);
    let own = around.part(start..around.next_policy(around.at.end));
    let kind = kind_wanted(around);
    let mut unused = of_type(around, kind);
    unused.retain(|declared| !own.contains(&format!("vars.{declared}")));
    let all = of_type(around, kind);
    let has_part = |whole: &str, part: &str| whole.split('_').any(|one| one == part);
    let like = all.iter().find(|known| has_part(known, name) || has_part(name, known));
    if let Some(like) = like.filter(|_| unused.len() != 1) {
        unused = vec![like.clone()];
    }
    let help = match (unused.as_slice(), all.as_slice()) {
        ([one], _) => format!("write `vars.{one}`{}, or `{name}` for it in the header `vars`", also(around)),
        ([], [one]) => format!("write `vars.{one}`, or `{name}: {kind}` into the header `vars`"),
        _ => format!("write `{name}: {kind}` into the header `vars`, or leave it out here"),
    };
    Some(Meant::told(around.at.clone()).help(help))
}

/// In which lines below the same name stands: it is told once.
fn also(around: &Around<'_>) -> String {
    let behind = around.at.end..around.next_policy(around.at.end);
    let (start, name) = (behind.start, around.text());
    let is_whole = |end: usize| {
        !around.part(end..around.source.len()).starts_with(|c: char| c.is_alphanumeric() || c == '_')
    };
    let line = |at: usize| around.part(0..at).matches('\n').count() + 1;
    let here = line(around.at.start);
    let mut lines: Vec<String> = around
        .part(behind)
        .match_indices(name)
        .filter(|(at, _)| is_whole(start + at + name.len()))
        .map(|(at, _)| line(start + at))
        .filter(|other| *other != here)
        .map(|line| line.to_string())
        .collect();
    lines.dedup();
    match lines.as_slice() {
        [] => String::new(),
        [one] => format!(" here and in line {one}"),
        many => format!(" here and in lines {}", listed(many.iter().map(String::as_str), "and")),
    }
}

/// `input.amount`, `payload.amount`: a var by the name that another tool has for what comes in.
pub(super) fn other_owner(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (owner, name) = text.trim_start_matches(['$', '{', '=']).trim_end_matches('}').rsplit_once('.')?;
    let known = ["vars", "contact"].contains(&owner);
    (!known && declared(around).any(|(declared, _)| declared == name)).then_some(())?;
    let message = format!("unknown name {}; did you mean `vars.{name}`?", quoted(text));
    Some(Meant::write(around.at.clone(), &format!("vars.{name}")).named("unknown-name").saying(message))
}

/// `sends.count < 5`: a name of the message, with a part that it has not.
pub(super) fn part_of_name(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (name, _) = text.split_once('.')?;
    ["sends", "cost", "elapsed", "priority", "category"].contains(&name).then_some(())?;
    let message = format!("`{name}` has no parts; did you mean `{name}` for {}?", quoted(text));
    Some(Meant::write(around.at.clone(), name).named("unknown-name").saying(message))
}

/// `vars.amount > 50k`: thousands.
pub(super) fn thousands(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    // `1_000`
    let plain = text.replace('_', "");
    let plain = (plain != text && plain.parse::<u32>().is_ok()).then_some(plain);
    let of_thousands = || Some(format!("{}000", text.strip_suffix(['k', 'K'])?.parse::<u32>().ok()?));
    let number = plain.or_else(of_thousands)?;
    let before = around.part(around.line_start(around.at.start)..around.at.start).trim_end();
    before.ends_with(['<', '>', '=']).then_some(())?;
    let message = format!("{} is not written as numbers are", quoted(text));
    Some(Meant::write(around.at.clone(), &number).named("bad-number").saying(message))
}

/// `vars.minutes <= 45min`, where `minutes` is a number.
pub(super) fn unit_behind_number(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let number = text.trim_end_matches(char::is_alphabetic);
    number.parse::<f64>().ok()?;
    let (mut sign, mut word) = around.before()?;
    while ["<", ">", "=", "is"].contains(&word) {
        (sign, word) = around.word_before(sign.start)?;
    }
    let name = word.strip_prefix("vars.")?;
    of_type(around, "number").iter().any(|known| known == name).then_some(())?;
    let message = format!("`vars.{name}` is a number, and {} is a time", quoted(text));
    let short = super::values::unit(text.get(number.len()..)?)?;
    let help =
        format!("write `{number}`, or `{name}: duration` into the header `vars` and `{number}{short}` here");
    Some(Meant::told(around.at.clone()).named("types-differ").saying(message).help(help))
}

/// `unless paid`, where `paid` is declared.
pub(super) fn without_owner(around: &Around<'_>) -> Option<Meant> {
    let name = around.text();
    declared(around).any(|(declared, _)| declared == name).then_some(())?;
    let message = format!("unknown name {}; did you mean `vars.{name}`?", quoted(name));
    Some(Meant::write(around.at.clone(), &format!("vars.{name}")).named("unknown-name").saying(message))
}

/// Whether a name is that of a text.
pub(super) fn is_text(around: &Around<'_>, name: &str) -> bool {
    name.starts_with("contact.")
        || name
            .strip_prefix("vars.")
            .is_some_and(|var| of_type(around, "string").iter().any(|one| one == var))
}

/// The vars that the header declares, with their types.
fn declared<'s>(around: &Around<'s>) -> impl Iterator<Item = (&'s str, &'s str)> + use<'s> {
    let start = around.part(0..around.at.start).rfind("policy ").unwrap_or(0);
    let own = around.part(start..around.next_policy(around.at.end));
    let all = own.find("vars").and_then(|vars| {
        let open = vars + own.get(vars..)?.find('{')? + 1;
        own.get(open..open + own.get(open..)?.find('}')?)
    });
    let entry = |entry: &'s str| {
        let (name, of) = entry.split_once(':')?;
        Some((name.trim(), of.split_whitespace().next()?))
    };
    all.into_iter().flat_map(|all| all.split([',', '\n'])).filter_map(entry)
}

/// The vars of a type that the header declares.
pub(super) fn of_type(around: &Around<'_>, kind: &str) -> Vec<String> {
    declared(around).filter(|(_, of)| *of == kind).map(|(name, _)| name.to_owned()).collect()
}

/// The type of what a var is compared with; alone it is a condition itself.
fn kind_wanted(around: &Around<'_>) -> &'static str {
    let line = around.line_end(around.at.end);
    let (mut end, mut compares) = (around.at.end, false);
    while let Some((at, word)) = around.word_from(end).filter(|(at, _)| at.start < line) {
        match word {
            "<" | ">" | "=" | "!" | "is" | "not" => compares = true,
            "in" => return "string",
            "has" => return "list",
            _ if !compares => break,
            "true" | "false" => return "boolean",
            _ if word.starts_with(|c: char| c.is_ascii_digit()) => return "number",
            _ => return "string",
        }
        end = at.end;
    }
    "boolean"
}
