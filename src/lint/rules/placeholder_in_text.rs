use crate::language::condition::{Expr, Literal, Operand};
use crate::lint::Context;
use crate::lint::analysis::{Analysis, word_in};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A text that is compared holds a place to be filled in, and nothing fills it in.
    ///
    /// `"${vars.region}"` is a text of fourteen signs. A var is named without quotes.
    ///
    /// Write the name alone: `vars.region`.
    PlaceholderInText, "placeholder-in-text", Warning, check;
    true => "policy p { vars { region: string } sms if vars.region is \"${vars.region}\" }",
    true => "policy p { vars { region: string } sms if \"${vars.region}\" is \"eu-west-1\" }",
    true => "sms if contact.country is \"{{ country }}\"",
    false => "policy p { vars { region: string } sms if vars.region is \"eu-west-1\" }",
    false => "sms if contact.name is \"{Ada}\"",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    for place in context.analysis.places().iter().filter(|place| !place.used) {
        for (condition, _) in Analysis::guards(place) {
            texts(&condition.expr, &mut |text| {
                let Some(inner) = inner_of(text) else { return };
                let at = word_in(context.source, &condition.at, &format!("\"{text}\""));
                let message = format!("the text `\"{text}\"` is compared as it stands: nothing is filled in");
                let help = match inner.starts_with("vars.") || inner.starts_with("contact.") {
                    true => format!("write `{inner}` without quotes"),
                    false => "write the value, or the name of a var without quotes".to_owned(),
                };
                found(Finding::new(at, message, help));
            });
        }
    }
}

/// Calls `look` with each text that something is compared with.
fn texts(condition: &Expr, look: &mut dyn FnMut(&str)) {
    for leaf in condition.leaves() {
        let Expr::Compare(comparison) = leaf else { continue };
        for side in [&comparison.left, &comparison.right] {
            if let Operand::Literal(Literal::String(text)) = side {
                look(text);
            }
        }
    }
}

/// What stands between the signs, where a text is one place to be filled in.
fn inner_of(text: &str) -> Option<&str> {
    let signs = [("${", "}"), ("{{", "}}"), ("#{", "}"), ("<%=", "%>")];
    signs.iter().find_map(|(open, close)| Some(text.trim().strip_prefix(open)?.strip_suffix(close)?.trim()))
}
