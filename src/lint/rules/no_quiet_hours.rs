use crate::lint::Context;
use crate::lint::analysis::{Analysis, Strict, out_of};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A condition asks whether it is `quiet`, and the policy has no quiet hours.
    ///
    /// Without the header `quiet` it is never quiet: `unless quiet` keeps nothing back.
    ///
    /// Declare the hours: `quiet 21:00 to 08:00 in contact.timezone else Europe/Berlin`.
    NoQuietHours, "no-quiet-hours", Warning, check;
    true => "sms unless quiet",
    true => "policy p { sms then voice after 5m if quiet }",
    true => "sms unless quiet and priority is low",
    false => "policy p { quiet 21:00 to 08:00 in UTC push then sms unless quiet }",
    false => "policy a { use b } policy b { sms unless quiet }",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    if context.is_used || context.policy.headers.quiet.is_some() {
        return;
    }
    for place in context.analysis.places().iter().filter(|place| !place.used) {
        for (condition, wanted) in Analysis::guards(place) {
            let Some(verdict) = out_of(context, place, condition, Strict::Quiet) else { continue };
            let name = place.name();
            let message = match verdict == wanted {
                true => "the policy has no quiet hours, so this keeps nothing back".to_owned(),
                false => format!("the policy has no quiet hours, so `{name}` is always skipped"),
            };
            let help = "declare them in the policy: `quiet 21:00 to 08:00 in Europe/Berlin`";
            found(Finding::new(condition.at.clone(), message, help));
        }
    }
}
