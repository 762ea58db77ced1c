use crate::lint::Context;
use crate::lint::analysis::{before_blanks, leading_to, modifier_of};
use crate::machine::Was;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// `valid` lets a provider deliver after the message has expired.
    ///
    /// `valid` stands instead of the policy's expiry in what the provider is told. With `expires after 5m`
    /// and `sms valid 1h` a code can arrive an hour late, when the message has long ended.
    ///
    /// Write a `valid` that is no longer than the expiry, or leave it out: then the provider is told the
    /// expiry.
    ValidPastExpiry, "valid-past-expiry", Warning, check;
    true => "policy p { expires after 5m sms valid 1h }",
    false => "policy p { expires after 1h sms valid 5m }",
    false => "policy p { expires after 5m sms valid 5m }",
    false => "sms valid 1h",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    // That is told of the expiry itself.
    if context.analysis.expires_before_all() {
        return;
    }
    let Some(expires) = context.policy.headers.expires else { return };
    for place in context.analysis.places() {
        let Some(valid) = place.channel().and_then(|channel| channel.valid) else { continue };
        if valid > expires {
            let message =
                format!("the provider may deliver for `{valid}`, and the message expires after `{expires}`");
            let at = modifier_of(context.source, place, "valid");
            let word = place.name();
            let late = format!("accepted, delivered after {valid}");
            let run = leading_to(context, place.id, &|trial| trial.says(word, late.clone()), &|run| {
                let is_open = run.has(place.id, Was::AttemptAccepted) && !run.has(place.id, Was::Delivered);
                is_open && run.end() == expires.ms()
            });
            let help = "leave `valid` out: the provider is then told when the message expires";
            let finding = Finding::new(at.clone(), message, help).shown(run);
            let whole = before_blanks(context.source, &at);
            found(if place.used { finding } else { finding.fixed(whole, "") });
        }
    }
}
