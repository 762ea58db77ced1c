//! What other programs make of a text on its way, and how they fill in values.

use crate::language::words::quoted;

use super::Meant;
use super::text::Around;

/// Signs as web pages and mails write them.
const ENTITIES: [(&str, &str); 9] = [
    ("&amp;&amp;", "and"),
    ("&amp;", "and"),
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&quot;", "\""),
    ("&#34;", "\""),
    ("&#39;", "\""),
    ("&apos;", "\""),
    ("&nbsp;", " "),
];

/// `vars.amount &gt;= 30`, copied out of a page.
pub(super) fn entity(around: &Around<'_>) -> Option<Meant> {
    let (start, line) = (around.line_start(around.at.start), around.line_end(around.at.start));
    let written = Some(around.part(start..line)).filter(|written| written.contains('&'))?;
    let first = ENTITIES.iter().filter_map(|(entity, _)| written.find(entity)).min()?;
    // In a text they may be meant.
    (written.get(..first)?.matches('"').count() % 2 == 0).then_some(())?;
    let last = ENTITIES.iter().filter_map(|(entity, _)| Some(written.rfind(entity)? + entity.len())).max()?;
    let whole = written.get(first..last)?;
    let meant = ENTITIES.iter().fold(whole.to_owned(), |text, (entity, sign)| text.replace(entity, sign));
    let message = format!("{} is how a web page writes a sign", quoted(whole));
    let meant = Meant::write(start + first..start + last, &meant).named("stray-text").saying(message);
    Some(meant.until(line))
}

/// `<<: *page`: a policy put into another as in YAML.
pub(super) fn merged(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    text.starts_with("<<").then_some(())?;
    let (at, name) = around.next_on_line().filter(|(_, name)| super::super::is_name(name))?;
    let message = "another policy is put here by `use`";
    let meant = Meant::write(around.at.start..at.end, &format!("use {name}"));
    Some(meant.named("unknown-word").saying(message))
}

/// `if {vars.severity <= 2}`: braces around a condition.
pub(super) fn braced(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    ["if", "unless"].contains(&text).then_some(())?;
    let open = around.next().filter(|(_, sign)| *sign == "{")?.0.start;
    let line = around.line_end(open);
    let inner = around.part(open + 1..line);
    let close =
        inner.find('}').filter(|close| !inner.get(..*close).is_some_and(|inner| inner.contains('{')))?;
    // `{amount}` is a name.
    let condition = inner.get(..close)?.trim();
    condition.contains(' ').then_some(())?;
    let message = "no braces stand around a condition";
    let meant = Meant::write(open..open + 1 + close + 1, condition).named("bad-condition").saying(message);
    Some(meant.until(around.next_policy(around.at.end)))
}

/// `if AND(vars.a > 5; contact has sms)`: conditions joined as in a table.
pub(super) fn joined_by_call(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (start, text) = match text {
        // `if or(a, b)`
        "if" | "unless" => around.next_on_line().map(|(at, word)| (at.start, word))?,
        _ => (around.at.start, text),
    };
    let word = text.split('(').next().filter(|word| ["and", "or"].contains(&word.to_lowercase().as_str()))?;
    let (open, _) = around.word_from(start + word.len()).filter(|(_, sign)| *sign == "(")?;
    let close = around.closing(open.start)?;
    let inner = around.part(open.end..close.start);
    (!inner.contains(['(', '"', '\n'])).then_some(())?;
    let parts: Vec<&str> = inner.split([';', ',']).map(str::trim).filter(|part| !part.is_empty()).collect();
    let joint = word.to_lowercase();
    let meant = parts.join(&format!(" {joint} "));
    let message = format!("`{joint}` stands between two conditions");
    let meant = if parts.len() > 1 { Meant::write(start..close.end, &meant) } else { return None };
    Some(meant.named("unknown-condition").saying(message))
}

/// `if {{ vars.tier }} is "gold"` inside a group, which the braces end.
pub(super) fn placeholder(around: &Around<'_>) -> Option<Meant> {
    let line = around.line_end(around.at.start);
    let rest = around.part(around.at.start..line);
    let (open, close) =
        [("{{", "}}"), ("${", "}"), ("{", "}")].into_iter().find(|(open, _)| rest.starts_with(open))?;
    let inner = rest.strip_prefix(open)?;
    let end = inner.find(close)?;
    let name = inner.get(..end)?.trim();
    super::conditions::is_name(name).then_some(())?;
    let whole = around.at.start..around.at.start + open.len() + end + close.len();
    let message = format!("{} is not how a var is named in a condition", quoted(around.part(whole.clone())));
    Some(Meant::write(whole, name).saying(message).until(line))
}

/// The same, where the group is told as never closed.
pub(super) fn placeholder_inside(around: &Around<'_>) -> Option<Meant> {
    let rest = around.part(around.at.end..around.next_policy(around.at.end));
    let open = around.at.end + rest.find("{{").or_else(|| rest.find("${"))?;
    let inner = Around { source: around.source, at: open..open };
    let meant = placeholder(&inner)?;
    Some(meant.named("unknown-condition").until(around.next_policy(open)))
}

/// `[policy.toner_low]`: a heading as TOML has it.
pub(super) fn section(around: &Around<'_>) -> Option<Meant> {
    let line = around.part(around.at.start..around.line_end(around.at.start)).trim_end();
    let inner = line.trim_matches(['[', ']']);
    let name = inner.strip_prefix("policy.").or_else(|| inner.strip_prefix("policies."))?;
    (line.starts_with('[') && super::super::is_name(name)).then_some(())?;
    let message = "a policy begins with `policy`, its name and `{`";
    let whole = around.at.start..around.at.start + line.len();
    let meant = Meant::write(whole, &format!("policy {name} {{"));
    let end = around.source.trim_end().len();
    let is_closed = around.source.trim_end().ends_with('}');
    let meant = if is_closed { meant } else { meant.and(end..end, "\n}") };
    Some(meant.named("bad-policy").saying(message).until(around.next_policy(around.at.end)))
}
