use crate::lint::Context;
use crate::lint::analysis::{before_blanks, words};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// Nothing stands between two commas.
    ///
    /// A comma that stands twice changes nothing, but it often stands where something was taken out, or was still to be
    /// written: a var, a part of a limit.
    ///
    /// Write what is missing, or leave one of the two out.
    DoubledComma, "doubled-comma", Warning, check;
    true => "policy p { limit 4 sends,, 0.40 EUR sms }",
    true => "policy p { vars { a: string,, b: string } sms if vars.a is vars.b }",
    false => "policy p { limit 4 sends, 0.40 EUR sms }",
    false => "sms if contact.country in [\"AT\", \"DE\", \"CH\"]",
    false => "policy p { vars { a: string } sms if vars.a is \",,\" }",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    // Behind the comma before, where nothing but blanks and comments may stand.
    let mut comma = None;
    for (at, word) in words(context.source, context.policy.at.clone()) {
        let between = comma.take().and_then(|end| context.source.get(end..at.start));
        if word != "," {
            continue;
        }
        comma = Some(at.end);
        // Texts are no words.
        if between.is_some_and(|between| !between.contains('"')) {
            let help = "write what is missing there, or leave the second comma out";
            let left_out = before_blanks(context.source, &at);
            found(Finding::new(at, "nothing stands between two commas", help).fixed(left_out, ""));
        }
    }
}
