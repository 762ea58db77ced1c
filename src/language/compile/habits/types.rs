//! Values of another type than what they are compared with.

use crate::language::diagnostic::Diagnostic;
use crate::language::words::quoted;
use crate::model::Currency;

use super::conditions::amount;
use super::headers::TYPES;
use super::text::Around;
use super::{Meant, languages, names};

/// A value of another type that is one of this: `yes`, `500 EUR`.
pub(super) fn typed(around: &Around<'_>, finding: &Diagnostic) -> Option<Meant> {
    let text = around.text();
    if finding.message.contains(" is a text and ")
        && let Some(meant) = text_in_order(around)
    {
        return Some(meant);
    }
    if finding.message.contains("neither `true` nor `false`")
        || finding.message.contains(" is true or false and ")
    {
        let meant = languages::answer(text.trim_matches('"'))?;
        return Some(Meant::write(around.at.clone(), meant));
    }
    // `vars.attempts > "3"`
    let bare = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    if let Some(number) = bare.filter(|bare| bare.parse::<f64>().is_ok())
        && finding.message.contains("is a number")
    {
        return Some(Meant::write(around.at.clone(), number));
    }
    // `vars.overdue > 14`, where a duration is compared: the unit is missing.
    if finding.message.contains(" is a duration and ") && text.bytes().all(|b| b.is_ascii_digit()) {
        let help = format!("say the unit: `{text}s`, `{text}m`, `{text}h` or `{text}d`");
        return Some(Meant::told(around.at.clone()).help(help));
    }
    let money = text.split_whitespace().nth(1).is_some_and(|word| word.parse::<Currency>().is_ok());
    if money { amount(around) } else { None }
}

/// `vars { vip: bool? }`, `vars { number: cots }`.
pub(super) fn other_type(around: &Around<'_>, finding: &Diagnostic) -> Option<Meant> {
    if let (Some((sign, "?")), [edit]) = (around.word_from(around.at.end), finding.fix.as_slice())
        && sign.start == around.at.end
    {
        let whole = around.at.start..sign.end;
        let message = format!(
            "unknown type {}; did you mean `{} optional`?",
            quoted(around.part(whole.clone())),
            edit.text
        );
        return Some(Meant::write(whole, &format!("{} optional", edit.text)).saying(message));
    }
    type_first(around, finding)
}

/// `vars { number: cots }`: the type before its name.
fn type_first(around: &Around<'_>, finding: &Diagnostic) -> Option<Meant> {
    // `time: text`: a var may be named so.
    finding.fix.is_empty().then_some(())?;
    let name = around.text();
    // The colon is read with what stands before it, where no blank parts them.
    let (at, kind) = match around.before()? {
        (colon, ":") => around.word_before(colon.start)?,
        (at, word) => (at, word.strip_suffix(':')?),
    };
    (TYPES.contains(&kind) && super::super::is_name(name)).then_some(())?;
    let message = "the name of a var stands before its type";
    let meant = Meant::write(at.start..around.at.end, &format!("{name}: {kind}"));
    Some(meant.named("bad-var").saying(message))
}

/// `vars { done: yes/no }`.
pub(super) fn yes_or_no(around: &Around<'_>) -> Option<Meant> {
    let line = around.line_end(around.at.start);
    let rest = around.part(around.at.start..line);
    let length = rest.find([',', '}', '\n']).unwrap_or(rest.len());
    let said = rest.get(..length)?.trim_end().trim_end_matches("optional").trim_end();
    let bare: String = said.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
    const BOTH: [&str; 8] =
        ["yesno", "yesorno", "truefalse", "trueorfalse", "janein", "ouinon", "onoff", "sino"];
    let whole = around.at.start..around.at.start + said.len();
    let message = format!("unknown type {}; did you mean `boolean`?", quoted(said));
    BOTH.contains(&bare.as_str()).then(|| Meant::write(whole, "boolean").saying(message))
}

/// `vars.due >= 100`, where `due` is a text, which has no order: a number was meant, or another var.
fn text_in_order(around: &Around<'_>) -> Option<Meant> {
    around.text().starts_with(|c: char| c.is_ascii_digit()).then_some(())?;
    let (sign, _) = around.before().filter(|(_, sign)| ["<", ">", "="].contains(sign))?;
    let (at, name) = match around.word_before(sign.start)? {
        (at, "<" | ">") => around.word_before(at.start)?,
        name => name,
    };
    let var = name.strip_prefix("vars.")?;
    around.part(at.end..around.at.start).contains(['<', '>']).then_some(())?;
    let help = match names::of_type(around, "number").into_iter().find(|name| name != var) {
        Some(other) => format!("write `vars.{other}`, or `{var}: number` in the header `vars`"),
        None => format!("write `{var}: number` in the header `vars`: texts are not larger or smaller"),
    };
    Some(Meant::told(at.start..around.at.end).help(help))
}
