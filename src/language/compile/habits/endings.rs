//! How a policy ends and how long its messages live, in other words.

use crate::language::words::quoted;
use crate::model::{Confirmation, Span};

use super::Meant;
use super::text::Around;

/// Words between which `fail` stands where nothing has helped.
const NOTHING: [&str; 22] = [
    "if", "when", "unless", "and", "or", "else", "not", "none", "nothing", "no", "one", "all", "of", "these",
    "them", "fails", "failed", "helps", "helped", "works", "worked", "still",
];
const BEGINS: [&str; 8] = ["if", "when", "unless", "and", "or", "falls", "finally", "return"];

/// `if not fail "why"`, `when nothing helps fail "why"`.
pub(super) fn nothing(around: &Around<'_>) -> Option<Meant> {
    let line = around.line_start(around.at.start)..around.line_end(around.at.start);
    let (first, begin) = around.word_from(line.start)?;
    if !BEGINS.contains(&begin) {
        return None;
    }
    let (mut end, mut next) = (first.end, around.word_from(first.end)?);
    while NOTHING.contains(&next.1) {
        end = next.0.end;
        next = around.word_from(end).filter(|(at, _)| at.start < line.end)?;
    }
    let fails = next.1 == "fail" && around.word_from(next.0.end).is_some_and(|(_, sign)| sign == "\"");
    let whole = first.start..end;
    let message = format!("unknown words {}; did you mean `otherwise`?", quoted(around.part(whole.clone())));
    fails.then(|| Meant::write(whole, "otherwise").named("bad-otherwise").saying(message).until(line.end))
}

/// `stop if replied`, `end when read`: a policy ends by itself.
pub(super) fn stopped(around: &Around<'_>) -> Option<Meant> {
    const STOPS: [&str; 9] = ["stop", "end", "abort", "exit", "quit", "halt", "break", "cancel", "finish"];
    let (line, text) = (around.line_end(around.at.start), around.text());
    let (word_at, word) = around.next_on_line()?;
    let is_stop = STOPS.contains(&text.to_lowercase().as_str());
    (is_stop && ["if", "when", "once", "on", "unless", "as"].contains(&word)).then_some(())?;
    let rest = around.part(word_at.end..line);
    let rest = rest.split(['#', '}']).next().unwrap_or_default().trim_end();
    let whole = around.at.start..word_at.end + rest.len();
    let goal = rest.split_whitespace().find(|word| word.parse::<Confirmation>().is_ok());
    let message = format!(
        "{} is no stage: a policy ends by itself once one is reached",
        quoted(around.part(whole.clone()))
    );
    let help = match goal {
        Some(goal) => format!("leave it out; what counts as reached stands behind a stage: `until {goal}`"),
        None => {
            format!(
                "leave it out, and write `unless {}` behind each stage that shall not be sent then",
                rest.trim()
            )
        }
    };
    Some(Meant::told(whole).saying(message).help(help).until(line))
}

/// `fail "call the "new" customer"`: quotes within a text.
pub(super) fn quotes_inside(around: &Around<'_>) -> Option<Meant> {
    if let Some(meant) = super::leftovers::reason(around) {
        return Some(meant);
    }
    let line = around.line_start(around.at.start)..around.line_end(around.at.start);
    let written = around.part(line.clone());
    let fail = written.find("fail \"")? + "fail ".len();
    let last = written.rfind('"').filter(|last| *last > fail)?;
    let behind = written.get(last + 1..)?.trim_start();
    let inner = written.get(fail + 1..last)?;
    let fits = inner.matches('"').count() >= 2 && inner.matches('"').count() % 2 == 0 && !inner.contains('#');
    if !fits || !(behind.is_empty() || behind.starts_with(['}', '#'])) {
        return None;
    }
    // `""why""`, as tables write a quote within a text.
    if let Some(text) = inner.strip_prefix('"').and_then(|inner| inner.strip_suffix('"'))
        && !text.contains('"')
    {
        let whole = line.start + fail..line.start + last + 1;
        let message = format!("the text {} stands in two quotes on each side", quoted(text));
        let meant = Meant::write(whole, &format!("\"{text}\"")).named("bad-text").saying(message);
        return Some(meant.until(line.end));
    }
    let places: Vec<usize> = inner.match_indices('"').map(|(at, _)| line.start + fail + 1 + at).collect();
    let (first, end) = (*places.first()?, *places.last()?);
    let at = first..end + 1;
    let message = format!(
        "{} stands in quotes within a text, which ends at the first of them",
        quoted(around.part(at.clone()))
    );
    let mut meant = Meant::told(at).named("bad-text").saying(message);
    for place in places {
        meant = meant.and(place..place + 1, "'");
    }
    Some(meant.help("write `'` for the inner quotes, or leave them out").until(line.end))
}

/// `valid 1d`, `ttl 3d`: how long a message lives, among the headers.
pub(super) fn lifetime(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let word = text.split_whitespace().next()?;
    let start = around.line_start(around.at.start);
    let (first, begin) = around.word_from(start)?;
    if !super::headers::names_lifetime(word) || begin != word || first.start != around.at.start {
        return None;
    }
    let policy = around.part(0..start).rfind("policy ")?;
    let own = around.part(policy..start);
    let is_head = !own.contains(" then ")
        && !own.contains("expires")
        && own.matches('{').count() > own.matches('}').count();
    let mut end = first.end;
    let span = loop {
        let (at, next) = around.word_from(end).filter(|(at, _)| at.start < around.line_end(start))?;
        end = at.end;
        if next.parse::<Span>().is_ok() {
            break next;
        }
        if !["for", "after", "in", "is", ":", "=", "of", "until"].contains(&next) {
            return None;
        }
    };
    // The line is that of a header: nothing else stands on it.
    let alone =
        around.part(end..around.line_end(end)).split('#').next().is_some_and(|rest| rest.trim().is_empty());
    let whole = first.start..end;
    let meant = format!("expires after {span}");
    let message = format!("{} is no header; did you mean `expires`?", quoted(around.part(whole.clone())));
    (is_head && alone).then(|| Meant::write(whole, &meant).named("unknown-header").saying(message))
}
