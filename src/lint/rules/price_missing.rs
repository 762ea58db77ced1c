use crate::lint::Context;
use crate::model::Channel;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// The policy has a limit of money, and a provider that it may use has no price.
    ///
    /// What has no price counts as free. `limit 0.20 EUR` then allows any number of calls by a provider whose
    /// price the catalog does not give.
    ///
    /// Add the price to the provider.
    PriceMissing, "price-missing", Note, check;
    for &["a: sms"]; true => "policy p { limit 0.20 EUR sms }",
    for &["a: sms 0.05 EUR", "b: sms"]; true => "policy p { limit 0.20 EUR sms via a or b }",
    for &["a: sms 0.05 EUR"]; false => "policy p { limit 0.20 EUR sms }",
    false => "policy p { limit 0.20 EUR sms }",
    for &["a: push"]; false => "policy p { limit 0.20 EUR push }",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let Some(limit) = context.policy.headers.limit_cost else { return };
    let Some(providers) = &context.analysis.catalog().providers else { return };
    let mut told: Vec<(&str, Channel)> = Vec::new();
    for place in context.analysis.places() {
        // Messages to apps and chats mostly cost nothing.
        let Some(channel @ (Channel::Sms | Channel::Whatsapp | Channel::Voice)) = place.channel_word() else {
            continue;
        };
        for provider in &place.route {
            let known = providers.iter().find(|known| known.name == provider.name);
            let priced = known.is_none_or(|known| known.prices.contains_key(&channel));
            if priced || told.contains(&(provider.name.as_str(), channel)) {
                continue;
            }
            told.push((provider.name.as_str(), channel));
            let message = format!(
                "`{}` has no price for `{channel}`, so `limit {limit}` does not bound what it sends",
                provider.name
            );
            found(Finding::new(place.at.clone(), message, "add the price to the provider"));
        }
    }
}
