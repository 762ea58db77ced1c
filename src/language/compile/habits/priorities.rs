//! Priorities in other words, and what is compared with one.

use crate::language::words::{near, quoted};
use crate::model::Priority;

use super::Meant;
use super::text::Around;

/// A priority in quotes.
pub(super) fn priority(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let word = text.strip_prefix('"')?.strip_suffix('"')?;
    word.parse::<Priority>().ok()?;
    let message = format!("the priority {} stands without quotes", quoted(word));
    Some(Meant::write(around.at.clone(), word).saying(message))
}

/// Priorities in other words.
pub(super) fn priority_word(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    if ["important", "wichtig", "importante"].contains(&text.to_lowercase().as_str()) {
        let message = format!("unknown priority {}: it may be the highest or the one below", quoted(text));
        return Some(Meant::told(around.at.clone()).saying(message).help("write `high` or `urgent`"));
    }
    let meant = match text.to_lowercase().as_str() {
        "critical" | "emergency" | "highest" | "max" | "top" | "stat" | "asap" | "blocker" | "p1" | "p0"
        | "dringend" | "urgente" => "urgent",
        "major" | "p2" | "hoch" | "haute" | "alta" => "high",
        "medium" | "default" | "standard" | "regular" | "routine" | "p3" => "normal",
        "lowest" | "minor" | "trivial" | "p4" | "p5" | "niedrig" | "basse" | "baja" | "bassa" => "low",
        _ => return None,
    };
    let message = format!("unknown priority {}; did you mean `{meant}`?", quoted(text));
    Some(Meant::write(around.at.clone(), meant).saying(message))
}

/// `unless property is high`: what only the priority is compared with.
pub(super) fn compared_as_priority(around: &Around<'_>) -> Option<Meant> {
    let (mut sign, word) = around.next_on_line().filter(|(_, word)| ["is", ">", "<", "="].contains(word))?;
    if let Some((second, _)) = around.word_from(sign.end).filter(|(_, word)| ["=", "not"].contains(word)) {
        sign = second;
    }
    let (_, value) = around.word_from(sign.end)?;
    value
        .parse::<Priority>()
        .ok()
        .filter(|_| !word.is_empty() && near(around.text(), ["priority"]).is_none())?;
    let message = format!("unknown word {} in a condition; did you mean `priority`?", quoted(around.text()));
    Some(Meant::write(around.at.clone(), "priority").saying(message))
}

/// `severity >= high`: another word for `priority`.
pub(super) fn urgency(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    const WORDS: [&str; 6] = ["severity", "urgency", "importance", "prio", "level", "dringlichkeit"];
    let line = around.part(around.at.end..around.line_end(around.at.end));
    let mut words =
        line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty() && *word != "is");
    let is_priority = words.next().is_some_and(|word| word.parse::<Priority>().is_ok());
    (is_priority && WORDS.contains(&text)).then_some(())?;
    let message = format!("unknown word {} in a condition; did you mean `priority`?", quoted(text));
    Some(Meant::write(around.at.clone(), "priority").saying(message))
}
