use crate::lint::Context;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A `wait` is the last stage: it holds nothing back.
    ///
    /// A wait sends nothing and gives nobody time; confirmations are waited for anyway, as long as the
    /// provider may report one.
    ///
    /// Leave it out, or write what comes after it.
    WaitAtEnd, "wait-at-end", Warning, check;
    true => "sms then wait 10m",
    true => "policy p { sms until replied then wait 1h otherwise fail \"no answer\" }",
    false => "sms then wait 10m then voice",
    false => "any of (sms, wait 10m) then voice",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let places = context.analysis.places();
    let last = places.iter().rfind(|place| place.parent.is_none());
    if let Some(wait) = last.filter(|place| place.wait().is_some() && !context.is_used()) {
        let alone = wait.before.is_none();
        let message = if alone {
            "nothing is sent by a policy that only waits"
        } else {
            "nothing comes after this wait, so it holds nothing back"
        };
        found(Finding::new(wait.at.clone(), message, "leave it out, or write what comes after it"));
    }
}
