use crate::language::condition::{Literal, Operand};
use crate::lint::Context;
use crate::lint::analysis::{Analysis, names, word_in};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A list has one text with commas in it, where several texts were meant.
    ///
    /// `in ["AT, DE, CH"]` holds for the text `AT, DE, CH` alone, and never for `DE`.
    ///
    /// Write each value in quotes of its own: `in ["AT", "DE", "CH"]`.
    ValuesInOneText, "values-in-one-text", Warning, check;
    true => "sms if contact.country in [\"AT, DE, CH\"]",
    true => "policy p { vars { plan: string } sms if vars.plan in [\"gold,silver\"] }",
    false => "sms if contact.country in [\"AT\", \"DE\", \"CH\"]",
    false => "sms if contact.name in [\"Huber, Anna\", \"Maier, Karl\"]",
    false => "sms if contact.name is \"Huber, Anna\"",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    for place in context.analysis.places().iter().filter(|place| !place.used) {
        for (condition, _) in Analysis::guards(place) {
            names(&condition.expr, &mut |_, other| {
                let Operand::Literal(Literal::List(items)) = other else { return };
                let [Literal::String(text)] = items.as_slice() else { return };
                let parts: Vec<&str> =
                    text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
                if parts.len() < 2 {
                    return;
                }
                let written = format!("\"{text}\"");
                let at = context
                    .source
                    .get(condition.at.clone())
                    .and_then(|part| part.find(&written))
                    .map(|start| condition.at.start + start..condition.at.start + start + written.len())
                    .unwrap_or_else(|| word_in(context.source, &condition.at, text));
                let several: Vec<String> = parts.iter().map(|part| format!("\"{part}\"")).collect();
                let message = format!("the list holds one text, {written}, not {} values", parts.len());
                let help = format!("write `{}` where each is a value of its own", several.join(", "));
                found(Finding::new(at, message, help));
            });
        }
    }
}
