//! Names of policies and vars that were changed in one place alone.

use crate::language::diagnostic::Diagnostic;
use crate::language::words::quoted;

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
    let prefix =
        |name: &str| name.split_once('_').map(|(first, _)| first.len() > 2 && text.starts_with(first));
    let is_like = |name: &&&str| prefix(name) == Some(true);
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
    let help = match unused.as_slice() {
        [one] => format!("write `vars.{one}`, or `{name}` for it in the header `vars`"),
        _ => format!("write `{name}: {kind}` into the header `vars`, or leave it out here"),
    };
    Some(Meant::told(around.at.clone()).help(help))
}

/// The vars of a type that the header declares.
pub(super) fn of_type(around: &Around<'_>, kind: &str) -> Vec<String> {
    let start = around.part(0..around.at.start).rfind("policy ").unwrap_or(0);
    let own = around.part(start..around.next_policy(around.at.end));
    let declared = || {
        let open = own.find("vars")?;
        let open = open + own.get(open..)?.find('{')? + 1;
        own.get(open..open + own.get(open..)?.find('}')?)
    };
    let is_of = |entry: &str| {
        let (name, of) = entry.split_once(':')?;
        (of.split_whitespace().next()? == kind).then(|| name.trim().to_owned())
    };
    declared().into_iter().flat_map(|all| all.split([',', '\n'])).filter_map(is_of).collect()
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
