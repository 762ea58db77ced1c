use crate::lint::Context;
use crate::lint::analysis::{Analysis, Strict, skipped};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A condition lets a stage start in no case at all.
    ///
    /// The comparisons of an `if` contradict one another, as in `if vars.amount > 100 and vars.amount < 50`,
    /// or those of an `unless` leave nothing over, as in `unless priority >= low`. The stage is always skipped.
    ///
    /// Two conditions that exclude each other are joined by `or`; what is meant for all is left without a
    /// condition.
    GuardNeverHolds, "guard-never-holds", Warning, check, gives_way;
    true => "sms if vars.amount > 100 and vars.amount < 50",
    true => "sms unless priority >= low",
    true => "sms if contact.country is \"AT\" and contact.country is \"DE\"",
    true => "sms unless quota or not quota",
    true => "sms if elapsed > 5m and elapsed < 1m",
    false => "sms if vars.amount > 50 and vars.amount < 100",
    false => "sms if contact.country is \"AT\" or contact.country is \"DE\"",
    false => "sms unless quota",
    false => "sms if vars.tags has \"a\" and vars.tags has \"b\"",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    for place in context.analysis.places().iter().filter(|place| !place.used) {
        for (condition, wanted) in Analysis::guards(place) {
            let Some(weighed) = context.analysis.weigh(&condition.expr, Some(place.id), Strict::Logic) else {
                continue;
            };
            let never = if wanted { !weighed.can_hold } else { !weighed.can_fail };
            if never {
                let name = place.name();
                let message = match wanted {
                    true => format!("this can never hold, so `{name}` is always skipped"),
                    false => format!("this always holds, so `{name}` is always skipped"),
                };
                let help = "look for two parts that exclude each other; `or` may be meant instead of `and`";
                let help = if wanted { help } else { "leave the stage out, or narrow the condition" };
                let run = skipped(context, place.id);
                found(Finding::new(condition.at.clone(), message, help).shown(run));
            }
        }
    }
}
