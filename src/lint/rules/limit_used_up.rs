use crate::lint::Context;
use crate::lint::analysis::{Shows, shortest_ordinary};
use crate::model::Reason;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// Where nothing is heard of the stages before it, the limit is used up when a stage has its turn.
    ///
    /// Every attempt that a provider took counts. `limit 1 sends` with `sms then voice after 5m` leaves no call
    /// after a silent sms: the voice fails with `limit`.
    ///
    /// Raise the limit, or leave the stage out.
    LimitUsedUp, "limit-used-up", Warning, check;
    true => "policy p { limit 1 sends sms then voice after 5m }",
    true => "policy p { limit 2 sends any of (push, email) then sms after 5m }",
    true => "policy p { limit 2 sends sms then whatsapp after 5m then voice after 5m then email after 1h }",
    false => "policy p { limit 2 sends sms then voice after 5m }",
    false => "policy p { limit 1 sends sms then voice }",
    false => "policy p { limit 1 sends push if contact has push then sms after 5m }",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let Some(limit) = context.policy.headers.limit_sends else { return };
    let analysis = context.analysis;
    let mut told = false;
    for place in analysis.places().iter().filter(|place| place.channel().is_some()) {
        let before = analysis.sent_before(place.id);
        // What follows a stage that is cut is cut too.
        if place.silent.is_none() || before < limit || told {
            continue;
        }
        told = true;
        let name = place.name();
        let message = format!(
            "where nothing is heard of the stages before, the limit of {limit} is used up when `{name}` has its turn"
        );
        let help = format!("write `limit {} sends`, or leave the stage out", before.saturating_add(1));
        found(
            Finding::new(place.at.clone(), message, help)
                .shown(shortest_ordinary(context, Shows::Fails(place.id, Reason::Limit))),
        );
    }
}
