use crate::lint::Context;
use crate::lint::analysis::{Shows, shortest};
use crate::model::{Money, Reason};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// One send of a stage costs more than the whole limit, so the stage always fails.
    ///
    /// A provider whose price would pass the limit is passed over; where that holds of every provider of the
    /// route, the stage fails with `limit`.
    ///
    /// Raise the limit, or leave the stage out. Prices are those of the catalog.
    LimitBelowPrice, "limit-below-price", Warning, check;
    for &["a: sms 0.07 EUR"]; true => "policy p { limit 0.05 EUR sms }",
    for &["a: sms 0.07 EUR", "b: sms 0.06 EUR"]; true => "policy p { limit 0.05 EUR sms }",
    for &["a: sms 0.07 EUR"]; false => "policy p { limit 0.10 EUR sms }",
    false => "policy p { limit 0.05 EUR sms }",
    for &["a: sms 0.07 EUR", "b: sms 0.04 EUR"]; false => "policy p { limit 0.05 EUR sms }",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let Some(limit) = context.policy.headers.limit_cost else { return };
    if context.analysis.catalog().currency() != Some(limit.currency) {
        return;
    }
    for place in context.analysis.places() {
        let Some(least) = place.route.iter().map(|provider| provider.price).min() else { continue };
        if least > limit.micros {
            let price = Money { micros: least, currency: limit.currency };
            let name = place.name();
            let message = format!(
                "one `{name}` costs `{price}` at least, and the limit is `{limit}`, so it is never sent"
            );
            found(
                Finding::new(
                    place.at.clone(),
                    message,
                    format!("write `limit {price}` or more, or leave the stage out"),
                )
                .shown(shortest(context, Shows::Fails(place.id, Reason::Limit))),
            );
        }
    }
}
