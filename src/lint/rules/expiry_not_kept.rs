use crate::language::Validity;
use crate::lint::Context;
use crate::lint::analysis::{Trial, leading_to};
use crate::machine::Was;
use crate::model::Span;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A message may reach the person after it has expired, because a provider cannot be told when that is.
    ///
    /// A provider is told until when a message is worth delivering: the stage's `valid`, else what is left until
    /// the policy's expiry. Some take no such time, or none so short; they deliver when the telephone is switched
    /// on again, hours later. The catalog says what a provider takes: `validity: { sms: 1m, email: none }`.
    /// Nothing is said where the catalog does not tell.
    ///
    /// Choose another provider for what must not come late, or write a text that is right also when it does.
    ExpiryNotKept, "expiry-not-kept", Warning, check;
    for &["a: sms valid none"]; true => "policy p { expires after 5m sms }",
    for &["a: sms valid none"]; true => "sms valid 10m",
    for &["a: sms", "b: sms valid 1h"]; true => "policy p { expires after 5m sms via a or b }",
    for &["a: sms valid 1m"]; false => "policy p { expires after 5m sms }",
    for &["a: sms valid none"]; false => "sms",
    false => "policy p { expires after 5m sms }",
}

fn check<'a>(context: &Context<'a>, found: Found<'_>) {
    let Some(providers) = &context.analysis.catalog().providers else { return };
    for place in context.analysis.places() {
        let Some(channel) = place.channel() else { continue };
        let Some(worth) = channel.valid.or(context.policy.headers.expires) else { continue };
        let (word, what) = match channel.valid {
            Some(_) => (channel.channel, "`valid`"),
            None => (channel.channel, "`expires after`"),
        };
        for route in &place.route {
            let known = providers.iter().find(|provider| provider.name == route.name);
            let Some(validity) = known.and_then(|provider| provider.validity.get(&word)) else { continue };
            let (name, why) = match validity {
                Validity::Untold => (&route.name, "takes no such time".to_owned()),
                Validity::AtLeast(least) if worth < *least => {
                    (&route.name, format!("takes no time below `{least}`"))
                }
                Validity::AtLeast(_) => continue,
            };
            let message =
                format!("`{name}` may deliver this `{word}` later than {what} `{worth}` allows: it {why}");
            let help =
                format!("send it by a provider that can be told, or write no {what} that it cannot keep");
            // The providers before it refuse for reasons of their own, and it delivers a minute too late.
            let late = Span::from_ms(worth.ms().saturating_add(60_000));
            let made: &dyn Fn(Trial<'a>) -> Trial<'a> = &|trial| {
                let before = place.route.iter().take_while(|one| one.name != *name);
                let trial = before.fold(trial, |trial, one| trial.says(&one.name, "account fault"));
                trial.says(name, format!("accepted, delivered after {late}"))
            };
            let run = leading_to(context, place.id, made, &|run| {
                let is_late = match (run.sent(place.id), run.when(place.id, Was::Delivered).next()) {
                    (Some(sent), Some(delivered)) => delivered - sent > worth.ms(),
                    // The message has ended by then.
                    (sent, None) => sent.is_some() && channel.valid.is_none() && run.end() == worth.ms(),
                    (None, Some(_)) => false,
                };
                is_late && run.is_accepted_by(place.id, name)
            });
            found(Finding::new(place.at.clone(), message, help).shown(run));
        }
    }
}
