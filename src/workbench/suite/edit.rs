//! Changes test files as texts, so that everything else in them stays as it was written.

use std::fmt::Write as _;

use crate::language::facts_text::{FactValue, GivenFacts};
use crate::language::yaml::{Place, Step};
use crate::machine::{Timeline, Witness};

use super::run::wrong_in_whole;
use super::{Expected, Row, Suite, end_line};

/// Why a file cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct CannotEdit {
    /// Where.
    pub line: usize,
    /// Why, and what to do.
    pub what: &'static str,
}

/// A case that is to be added.
#[derive(Debug, Clone, PartialEq)]
pub struct NewCase {
    /// Its name.
    pub name: String,
    /// Facts, instant and scripts.
    pub witness: Witness,
    /// What happens under them.
    pub timeline: Timeline,
}

/// The lines of an expectation that say what happened. That a call was accepted is not said: it goes
/// without saying.
fn expectation(timeline: &Timeline) -> Vec<String> {
    let rows = Row::of(timeline);
    let said = rows.iter().filter_map(|row| match row {
        Row::Entry(entry) if entry.what == "accepted" => None,
        Row::Entry(_) => Some(format!("{}: {}", row.at(), row.text())),
        Row::End(end) => Some(format!("end: {}", end_line(end))),
    });
    said.map(|line| yaml_line(&line)).collect()
}

/// `KEY: TEXT`, its text in quotes where YAML asks for them.
fn yaml_line(line: &str) -> String {
    let (key, text) = line.split_once(": ").unwrap_or((line, ""));
    format!("{key}: {}", yaml(text))
}

/// A text as YAML takes it on a line of its own.
fn yaml(text: &str) -> String {
    let begins = text.starts_with(|c: char| !c.is_alphabetic() && c != '_' && c != '/');
    let word = matches!(text, "" | "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n");
    let inside = text.contains(": ") || text.contains(" #") || text.contains(['"', '\\', '\t']);
    if word || begins || inside || text.ends_with([':', ' ']) {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\t', "\\t"))
    } else {
        text.to_owned()
    }
}

/// The file with what happened as the expectation of the case at that place.
///
/// # Errors
/// Where the case does not stand on lines of its own.
pub fn recorded(suite: &Suite, text: &str, case: usize, timeline: &Timeline) -> Result<String, CannotEdit> {
    let lines: Vec<&str> = text.lines().collect();
    let path = [Step::from("cases"), Step::from(case), Step::from("expect")];
    let new = expectation(timeline);
    let Some(at) = Place::find(text, &path, true) else {
        return without_expect(suite, text, case, &new);
    };
    let key_line = at.line - 1;
    let column = at.column - 1;
    let (indent, dash) = lead(lines.get(key_line).copied().unwrap_or_default());
    if indent + dash != column {
        let what = "this case stands on one line; write each of its settings on a line of its own";
        return Err(CannotEdit { line: at.line, what });
    }
    let end = block_end(&lines, key_line, column);
    let mut out: Vec<String> = lines[..key_line].iter().map(|line| (*line).to_owned()).collect();
    let before = &lines[key_line][..lines[key_line].char_indices().nth(column).map_or(0, |(at, _)| at)];
    let first = lines[key_line].split_once('#').filter(|(before, _)| before.trim_end().ends_with("expect:"));
    let comment = first.map(|(_, comment)| format!(" #{comment}")).unwrap_or_default();
    out.push(format!("{before}expect:{comment}"));
    let whole = suite.cases.get(case).and_then(|case| case.expect.as_deref()).unwrap_or_default();
    let whole: Vec<Expected> = whole.iter().filter_map(|(expected, _)| renewed(expected, timeline)).collect();
    out.extend(kept(&lines[key_line + 1..end], &new, &whole, column, timeline));
    out.extend(lines[end..].iter().map(|line| (*line).to_owned()));
    Ok(ended(out, text))
}

/// The new lines, with the comments that stood beside or above the old ones, and with what is said of the
/// whole run, each where it stood.
fn kept(old: &[&str], new: &[String], whole: &[Expected], column: usize, timeline: &Timeline) -> Vec<String> {
    let indent = old
        .iter()
        .find(|line| line.trim_start().starts_with("- "))
        .map_or(column + 2, |line| line.len() - line.trim_start().len());
    let pad = " ".repeat(indent);
    let mut out: Vec<String> = Vec::new();
    let mut from = 0;
    for line in new {
        let wanted = line.replace('"', "");
        let found = old[from..].iter().position(|old| said(old).as_ref() == Some(&wanted));
        match found {
            Some(more) => {
                // Lines on the way that no longer hold go.
                out.extend(old[from..from + more].iter().filter_map(|line| stays(line, timeline)));
                out.push(old[from + more].to_owned());
                from += more + 1;
            }
            None => out.push(format!("{pad}- {line}")),
        }
    }
    out.extend(old[from..].iter().filter_map(|line| stays(line, timeline)));
    // Where the old ones stood on one line.
    let stands: Vec<Expected> = out.iter().filter_map(|line| expected(line)).collect();
    let more = whole.iter().filter(|expected| !stands.contains(expected));
    out.extend(more.map(|expected| format!("{pad}- {expected}")));
    out
}

/// What an entry of a list says, without quotes and comments.
fn said(line: &str) -> Option<String> {
    let item = line.trim_start().strip_prefix("- ")?;
    let bare = item.split(" #").next().unwrap_or(item);
    Some(bare.trim().replace('"', ""))
}

/// What an entry of a list expects.
fn expected(line: &str) -> Option<Expected> {
    let said = said(line)?;
    let (key, text) = said.split_once(':')?;
    Expected::read(key, text.trim()).ok()
}

/// What is expected of a whole run, as it holds of this one; `None` where it does not, and for what is
/// about one moment.
fn renewed(expected: &Expected, timeline: &Timeline) -> Option<Expected> {
    match expected {
        Expected::Never(_) => wrong_in_whole(expected, timeline).is_none().then(|| expected.clone()),
        Expected::Sends(_) => Some(Expected::Sends(timeline.sends)),
        // Without prices nobody knows what it would have cost.
        Expected::Cost(cost) => Some(Expected::Cost(timeline.cost.unwrap_or(*cost))),
        Expected::Event { .. } | Expected::End { .. } => None,
    }
}

/// An old line that stays: a comment, or what is said of the whole run.
fn stays(line: &str, timeline: &Timeline) -> Option<String> {
    if line.trim_start().starts_with('#') {
        return Some(line.to_owned());
    }
    let was = expected(line)?;
    let now = renewed(&was, timeline)?;
    if now == was {
        return Some(line.to_owned());
    }
    let item = line.split(" #").next().unwrap_or(line).trim_end();
    let (indent, _) = lead(line);
    Some(format!("{:indent$}- {now}{}", "", line.get(item.len()..).unwrap_or_default()))
}

fn without_expect(suite: &Suite, text: &str, case: usize, new: &[String]) -> Result<String, CannotEdit> {
    let lines: Vec<&str> = text.lines().collect();
    let at = suite.cases.get(case).map_or(1, |case| case.at.line);
    let place = Place::find(text, &[Step::from("cases"), Step::from(case)], false);
    let (line, column) = place.map_or((at - 1, 0), |place| (place.line - 1, place.column - 1));
    let (indent, dash) = lead(lines.get(line).copied().unwrap_or_default());
    if indent + dash != column || dash == 0 {
        let what = "this case stands on one line; write each of its settings on a line of its own";
        return Err(CannotEdit { line: line + 1, what });
    }
    // Behind the last setting of the case: the lines that stand as deep as its first one, or deeper.
    let end = block_end(&lines, line, indent);
    let pad = " ".repeat(column);
    let mut out: Vec<String> = lines[..end].iter().map(|line| (*line).to_owned()).collect();
    out.push(format!("{pad}expect:"));
    out.extend(new.iter().map(|line| format!("{pad}  - {line}")));
    out.extend(lines[end..].iter().map(|line| (*line).to_owned()));
    Ok(ended(out, text))
}

/// How far a line is indented, and how much a `- ` adds to that.
fn lead(line: &str) -> (usize, usize) {
    let rest = line.trim_start_matches(' ');
    let indent = line.len() - rest.len();
    let after = rest.strip_prefix('-').map_or(rest, |after| after.trim_start_matches(' '));
    (indent, rest.len() - after.len())
}

/// The line behind a block that begins at `start` and whose name stands at `column`: lines that stand
/// deeper belong to it, and the entries of a list at the same column, unless the name itself is in a
/// list there.
fn block_end(lines: &[&str], start: usize, column: usize) -> usize {
    let in_list = lead(lines.get(start).copied().unwrap_or_default()) == (column, 2);
    let mut end = start + 1;
    for (number, line) in lines.iter().enumerate().skip(start + 1) {
        let rest = line.trim_start_matches(' ');
        if rest.trim().is_empty() {
            continue;
        }
        let indent = line.len() - rest.len();
        let belongs = indent > column || (indent == column && !in_list && rest.starts_with("- "));
        if !belongs {
            break;
        }
        end = number + 1;
    }
    end
}

fn ended(lines: Vec<String>, before: &str) -> String {
    let mut text = lines.join("\n");
    if before.ends_with('\n') || before.is_empty() {
        text.push('\n');
    }
    text
}

/// The file with more cases at the end of its `cases`; a new file where there is none yet.
///
/// # Errors
/// Where the cases do not stand on lines of their own.
pub fn added(text: Option<&str>, policy: &str, cases: &[NewCase]) -> Result<String, CannotEdit> {
    let Some(text) = text else {
        let mut out = format!("policy: {policy}\ncases:\n");
        for case in cases {
            written(case, 2, &mut out);
        }
        return Ok(out);
    };
    let lines: Vec<&str> = text.lines().collect();
    let Some(at) = Place::find(text, &[Step::from("cases")], true) else {
        let mut out = text.to_owned();
        if !out.ends_with('\n') {
            out.push('\n');
        }
        out.push_str("cases:\n");
        cases.iter().for_each(|case| written(case, 2, &mut out));
        return Ok(out);
    };
    let start = at.line - 1;
    let (before, after) = lines[start].split_once("cases:").unwrap_or((lines[start], ""));
    let bare = after.split('#').next().unwrap_or_default().trim();
    let is_empty = matches!(bare, "[]" | "~" | "null");
    if !before.trim().is_empty() || !(bare.is_empty() || is_empty) {
        let what =
            "`cases` stands on one line; write each case on lines of its own, beginning with `- name:`";
        return Err(CannotEdit { line: at.line, what });
    }
    let end = block_end(&lines, start, at.column - 1);
    let first = lines[start + 1..end].iter().find(|line| line.trim_start().starts_with("- "));
    let indent = first.map_or(2, |line| line.len() - line.trim_start().len());
    let mut out: Vec<String> = lines[..end].iter().map(|line| (*line).to_owned()).collect();
    if is_empty {
        out[start] = format!("{before}cases:");
    }
    let mut new = String::new();
    cases.iter().for_each(|case| written(case, indent, &mut new));
    out.extend(new.lines().map(str::to_owned));
    out.extend(lines[end..].iter().map(|line| (*line).to_owned()));
    Ok(ended(out, "\n"))
}

fn written(case: &NewCase, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    _ = writeln!(out, "{pad}- name: {}", yaml(&case.name));
    let facts = fact_lines(&case.witness.facts);
    if !facts.is_empty() {
        _ = writeln!(out, "{pad}  facts:");
        facts.iter().for_each(|fact| _ = writeln!(out, "{pad}    {fact}"));
    }
    if !case.witness.scripts.is_empty() {
        _ = writeln!(out, "{pad}  script:");
        for (key, script) in &case.witness.scripts {
            _ = writeln!(out, "{pad}    {key}: {}", yaml(script));
        }
    }
    if case.witness.at != Witness::ORDINARY_AT {
        _ = writeln!(out, "{pad}  at: {}", case.witness.at);
    }
    _ = writeln!(out, "{pad}  expect:");
    for line in expectation(&case.timeline) {
        _ = writeln!(out, "{pad}    - {line}");
    }
}

/// The facts as lines of YAML.
fn fact_lines(facts: &GivenFacts) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(facts.vars.iter().map(|(name, value)| format!("vars.{name}: {}", yaml_value(value))));
    lines.extend(facts.contact.iter().map(|(name, value)| format!("contact.{name}: {}", yaml_value(value))));
    lines.extend(facts.has_address.iter().map(|(channel, has)| format!("contact.has.{channel}: {has}")));
    lines.extend(facts.priority.iter().map(|priority| format!("priority: {priority}")));
    lines.extend(facts.category.iter().map(|category| format!("category: {}", yaml(category))));
    lines.extend(facts.quota_used.iter().map(|channel| format!("quota.{channel}: used")));
    lines.extend(facts.breaker_open.iter().map(|provider| format!("breaker.{provider}: open")));
    lines.extend(facts.opted_out.iter().map(|channel| format!("opted_out.{channel}: true")));
    lines
}

fn yaml_value(value: &FactValue) -> String {
    match value {
        FactValue::String(text) => yaml(text),
        FactValue::Number(number) => number.to_string(),
        FactValue::Boolean(truth) => truth.to_string(),
        FactValue::List(values) => {
            let quoted = |value: &FactValue| match value {
                FactValue::String(text) if yaml(text) == *text => format!("\"{text}\""),
                value => yaml_value(value),
            };
            let values: Vec<String> = values.iter().map(quoted).collect();
            format!("[{}]", values.join(", "))
        }
    }
}
