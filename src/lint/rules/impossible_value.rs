use crate::language::condition::{Literal, Operand};
use crate::language::words::quoted;
use crate::lint::Context;
use crate::lint::analysis::{Analysis, names, word_in};
use crate::model::{ContactField, ZoneTable, is_country};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A comparison asks for a value that the name never has.
    ///
    /// `contact.country` has the two capital letters of a country, as in `AT` or `GB`; `category` small letters, digits and `_`;
    /// `contact.timezone` a name like `Europe/Vienna`. Compared with anything else, they are never equal.
    ///
    /// Write the value as it is kept.
    ImpossibleValue, "impossible-value", Warning, check;
    true => "sms if contact.country is \"Austria\"",
    true => "sms if contact.country in [\"at\", \"DE\"]",
    true => "sms if category is \"Marketing\"",
    true => "sms if contact.timezone is \"Vienna\"",
    true => "sms if contact.country is \"UK\"",
    false => "sms if contact.country is \"AT\"",
    false => "sms if category is marketing",
    false => "sms if contact.timezone is \"Europe/Vienna\"",
    false => "sms if contact.plan is \"Gold\"",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    for place in context.analysis.places().iter().filter(|place| !place.used) {
        for (condition, _) in Analysis::guards(place) {
            names(&condition.expr, &mut |operand, other| {
                let values: Vec<&Literal> = match other {
                    Operand::Literal(Literal::List(items)) => items.iter().collect(),
                    Operand::Literal(literal) => vec![literal],
                    _ => Vec::new(),
                };
                for value in values {
                    let Literal::String(text) = value else { continue };
                    let Some((message, shape)) = never(operand, text) else { continue };
                    let written = format!("\"{text}\"");
                    let range = condition.at.clone();
                    let at = match context.source.get(range.clone()).and_then(|part| part.find(&written)) {
                        Some(start) => range.start + start..range.start + start + written.len(),
                        None => word_in(context.source, &range, text),
                    };
                    found(Finding::new(at, message, shape));
                }
            });
        }
    }
}

/// What is said of `text` where the name never has it, and how its values look.
fn never(operand: &Operand, text: &str) -> Option<(String, &'static str)> {
    let (name, shape) = match operand {
        Operand::Contact(ContactField::Country) if is_country(text) => return None,
        Operand::Contact(ContactField::Country) => {
            if text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase()) {
                let help = match text {
                    // Reserved for it, and assigned to no country.
                    "UK" | "EN" => "write `\"GB\"` for the United Kingdom",
                    _ => "write the code of the country that is meant, for example `\"AT\"`",
                };
                return Some((format!("{} is the code of no country", quoted(text)), help));
            }
            ("contact.country", "write two capital letters, for example `\"AT\"`")
        }
        Operand::Contact(ContactField::Timezone) => {
            ZoneTable.get(text).is_none().then_some(())?;
            ("contact.timezone", "write a zone like `\"Europe/Vienna\"`")
        }
        Operand::Category => {
            let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
            let fits = (1..=64).contains(&text.len()) && text.bytes().all(word);
            (!fits).then_some(())?;
            ("category", "write a word of small letters, digits and `_`")
        }
        _ => return None,
    };
    Some((format!("`{name}` is never `{text}`"), shape))
}
