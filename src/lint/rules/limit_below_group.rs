use crate::lint::Context;
use crate::lint::analysis::{Shows, shortest};
use crate::model::Reason;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// An `all of` sends more at once than the limit allows, so it fails always.
    ///
    /// It is reached when all of its members are. With `limit 1 sends` one of `all of (email, sms)` fails with
    /// `limit`, and the group with it.
    ///
    /// Raise the limit, or write `any of` where one message is enough.
    LimitBelowGroup, "limit-below-group", Warning, check;
    true => "policy p { limit 1 sends all of (email, sms) }",
    true => "policy p { limit 2 sends all of (any of (sms, push), email) }",
    false => "policy p { limit 2 sends all of (email, sms) }",
    false => "policy p { limit 2 sends all of (email, any of (sms, push)) }",
    false => "policy p { limit 1 sends all of (email if vars.x, sms unless vars.x) }",
    false => "policy p { limit 1 sends any of (email, sms) }",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let Some(limit) = context.policy.headers.limit_sends else { return };
    let analysis = context.analysis;
    for place in analysis.places().iter().filter(|place| place.is_all_of()) {
        if let Some(cut) = analysis.cut_in_group(place.id, limit) {
            let name = cut.name();
            let message = format!(
                "the limit of {limit} is used up when `{name}` has its turn, so this group is never reached"
            );
            let help = "write a higher limit, or `any of` where one message is enough";
            found(
                Finding::new(place.at.clone(), message, help)
                    .shown(shortest(context, Shows::Fails(cut.id, Reason::Limit))),
            );
        }
    }
}
