use crate::lint::Context;
use crate::lint::analysis::{Shows, shortest};
use crate::model::Span;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// The message expires before a stage can start in any case.
    ///
    /// Waits, and the `after` of the first stage, always last their time. In a policy that expires after an
    /// hour, nothing behind `wait 2h` is ever sent.
    ///
    /// Let the message live longer, or wait for less.
    NeverBeforeExpiry, "never-before-expiry", Warning, check;
    true => "policy p { expires after 1h sms then wait 2h then voice }",
    true => "policy p { expires after 5m sms after 10m }",
    true => "policy p { expires after 30m wait 30m then sms }",
    false => "policy p { expires after 3h sms then wait 2h then voice }",
    false => "policy p { expires after 5m sms then voice after 10m }",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let Some(expires) = context.policy.headers.expires else { return };
    let places = context.analysis.places();
    let late = |id: Option<usize>| {
        id.and_then(|id| places.get(id)).is_some_and(|place| place.earliest >= expires.ms())
    };
    for place in places.iter().filter(|place| late(Some(place.id))) {
        // What stands behind or inside a stage that is too late is too late for the same reason.
        if late(place.before) || late(place.parent) {
            continue;
        }
        let name = place.name();
        let earliest = Span::from_ms(place.earliest);
        let message = format!(
            "`{name}` can start `{earliest}` after the beginning at the earliest, and the message expires after `{expires}`"
        );
        let help = format!("write a longer `expires after`, or wait for less than `{expires}`");
        found(
            Finding::new(place.at.clone(), message, help).shown(shortest(context, Shows::Expires(place.id))),
        );
    }
}
