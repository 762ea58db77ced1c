use crate::language::condition::{Operand, Word};
use crate::lint::Context;
use crate::lint::analysis::{Analysis, names, word_in};
use crate::model::Channel;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A condition asks for an attribute that has the name of a channel, or of a word of conditions.
    ///
    /// `contact.telegram` is an attribute that somebody named `telegram`, not whether the person has an
    /// address there, and `contact.opted_out` is not the word `opted_out`. Who has no such attribute is left
    /// out, and that may be everybody.
    ///
    /// Write `contact has telegram`, or `opted_out` alone.
    AttributeNamedAsWord, "attribute-named-as-word", Warning, check;
    true => "telegram if contact.telegram",
    true => "sms unless contact.opted_out",
    true => "sms if contact.email is true or contact has sms",
    false => "telegram if contact has telegram",
    false => "sms unless opted_out",
    false => "sms if contact.plan is \"gold\"",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    for place in context.analysis.places().iter().filter(|place| !place.used) {
        for (condition, _) in Analysis::guards(place) {
            names(&condition.expr, &mut |operand, _| {
                let Operand::Attribute(name) = operand else { return };
                let written = format!("contact.{name}");
                let (message, help) = if name.parse::<Channel>().is_ok() {
                    let message = format!("`{written}` is an attribute, not whether there is an address");
                    (message, format!("write `contact has {name}`"))
                } else if Word::WORDS.contains(&name.as_str()) {
                    let message = format!("`{written}` is an attribute, not the word `{name}`");
                    (message, format!("write `{name}` alone"))
                } else {
                    return;
                };
                found(Finding::new(word_in(context.source, &condition.at, &written), message, help));
            });
        }
    }
}
