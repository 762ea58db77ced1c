//! Functions of other languages, and names that are written as theirs.

use crate::language::words::quoted;
use crate::model::{Channel, ZoneTable};

use super::Meant;
use super::text::Around;

/// What takes the first of several values that is there.
const FIRST_THAT_IS_THERE: [&str; 7] =
    ["coalesce", "ifnull", "nvl", "isnull", "default", "fallback", "first"];

/// `in coalesce(contact.timezone, Europe/Madrid)`: a zone with another one where it is missing.
pub(super) fn first_zone(around: &Around<'_>) -> Option<Meant> {
    let word = around.text().to_lowercase();
    FIRST_THAT_IS_THERE.contains(&word.as_str()).then_some(())?;
    let (open, _) = around.next_on_line().filter(|(_, sign)| *sign == "(")?;
    let close = around.closing(open.start)?;
    let inner = around.part(open.end..close.start);
    let (zone, other) = inner.split_once(',')?;
    let [zone, other] = [zone, other].map(|zone| zone.trim().trim_matches(['"', '\'']));
    (zone == "contact.timezone" && ZoneTable.get(other).is_some()).then_some(())?;
    let whole = around.at.start..close.end;
    let message = format!("unknown zone {}", quoted(around.part(whole.clone())));
    Some(Meant::write(whole, &format!("{zone} else {other}")).saying(message))
}

/// `contact.has("push")`, `contact has("push")`.
pub(super) fn has(around: &Around<'_>) -> Option<Meant> {
    let open = around.word_from(around.at.start).filter(|(_, sign)| *sign == "(");
    let open = open.or_else(|| around.next_on_line().filter(|(_, sign)| *sign == "("))?.0;
    let (before, word) = around.word_before(open.start)?;
    let start = match word {
        "contact.has" | "contact.hasAddress" | "contact.has_address" => before.start,
        "has" => around.word_before(before.start).filter(|(_, word)| *word == "contact")?.0.start,
        _ => return None,
    };
    let close = around.closing(open.start)?;
    let inner = around.part(open.end..close.start).trim().trim_matches(['"', '\'', '`']).to_lowercase();
    let channel: Channel = inner.parse().ok()?;
    let whole = start..close.end;
    let message = format!("{} is not how an address is asked for", quoted(around.part(whole.clone())));
    Some(Meant::write(whole, &format!("contact has {channel}")).named("bad-condition").saying(message))
}

/// `contact.has.push`.
pub(super) fn has_in_one_word(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let channel: Channel = text.strip_prefix("contact.has.")?.parse().ok()?;
    let message = format!("{} is three words", quoted(text));
    Some(
        Meant::write(around.at.clone(), &format!("contact has {channel}"))
            .named("bad-condition")
            .saying(message),
    )
}

/// `startsWith(contact.plan, "gold")`: a question that no condition asks.
pub(super) fn of_text(around: &Around<'_>) -> Option<Meant> {
    const QUESTIONS: [&str; 10] = [
        "startswith",
        "endswith",
        "contains",
        "matches",
        "match",
        "includes",
        "starts_with",
        "ends_with",
        "like",
        "regex",
    ];
    QUESTIONS.contains(&around.text().to_lowercase().as_str()).then_some(())?;
    let (open, _) = around.next_on_line().filter(|(_, sign)| *sign == "(")?;
    let close = around.closing(open.start)?;
    let (name, text) = around.part(open.end..close.start).split_once(',')?;
    let (name, text) = (name.trim(), text.trim());
    super::conditions::is_name(name).then_some(())?;
    let whole = around.at.start..close.end;
    let message = format!("a part of a text cannot be asked for: {}", quoted(around.part(whole.clone())));
    let help = format!("write `{name} is {text}`, or `{name} in [ … ]`, with whole values");
    Some(
        Meant::told(whole)
            .named("bad-comparison")
            .saying(message)
            .help(help)
            .until(around.line_end(close.end)),
    )
}
