use crate::lint::Context;
use crate::lint::analysis::{Analysis, Strict, guard_text};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A condition keeps a stage back in no case at all.
    ///
    /// `if priority >= low` and `unless vars.amount > 100 and vars.amount < 50` read as if they chose
    /// among messages, and let every one pass.
    ///
    /// Leave the condition out, or write what is meant. Where a name may be missing, its comparison is
    /// false, and this rule counts that as a case.
    GuardAlwaysHolds, "guard-always-holds", Warning, check;
    true => "sms if priority >= low",
    true => "sms unless vars.amount > 100 and vars.amount < 50",
    true => "policy p { vars { amount: number } sms if vars.amount > 5 or vars.amount <= 5 }",
    true => "sms if true",
    false => "sms if vars.amount > 5 or vars.amount <= 5",
    false => "sms if priority >= high",
    false => "sms unless vars.amount > 100",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    for place in context.analysis.places().iter().filter(|place| !place.used) {
        for (condition, wanted) in Analysis::guards(place) {
            let Some(weighed) = context.analysis.weigh(&condition.expr, Some(place.id), Strict::Logic) else {
                continue;
            };
            let always = if wanted { !weighed.can_fail } else { !weighed.can_hold };
            if always {
                let word = if wanted { "if" } else { "unless" };
                let holds = if wanted { "always holds" } else { "never holds" };
                let message = format!("this {holds}, so the `{word}` keeps nothing back");
                let at = condition.at.clone();
                let finding = Finding::new(at.clone(), message, "leave it out, or write what is meant");
                found(match guard_text(context.source, word, &at) {
                    Some(whole) => finding.fixed(whole, ""),
                    None => finding,
                });
            }
        }
    }
}
