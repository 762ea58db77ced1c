use crate::lint::Context;
use crate::lint::analysis::{leading_to, modifier_of};
use crate::machine::Was;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// The last repetitions come after the message has expired.
    ///
    /// `repeat 5 times every 10m` takes fifty minutes; in a policy that expires after half an hour the person
    /// hears of it three times and not six.
    ///
    /// Write fewer repetitions, or let the message live longer.
    RepeatPastExpiry, "repeat-past-expiry", Warning, check;
    true => "policy p { expires after 30m voice until replied repeat 5 times every 10m }",
    true => "policy p { expires after 30m sms then voice until replied after 20m repeat 1 times every 10m }",
    false => "policy p { expires after 1h voice until replied repeat 5 times every 10m }",
    false => "voice until replied repeat 5 times every 10m",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let Some(expires) = context.policy.headers.expires else { return };
    for place in context.analysis.places() {
        let Some(repeat) = place.channel().and_then(|channel| channel.repeat) else { continue };
        let start = place.silent.unwrap_or(place.earliest);
        let left = expires.ms().saturating_sub(start).saturating_sub(1);
        let (times, fit) = (i64::from(repeat.times), left / repeat.every.ms().max(1));
        if left >= 0 && fit < times {
            let message = format!(
                "of {times} repetitions, {fit} at most come before the message expires after `{expires}`"
            );
            let at = modifier_of(context.source, place, "repeat");
            let help = "write fewer repetitions, or a longer `expires after`";
            let run = leading_to(context, place.id, &|trial| trial, &|run| {
                let repeated = i64::try_from(run.when(place.id, Was::Repeated).count());
                let is_cut = repeated.is_ok_and(|repeated| repeated <= fit);
                is_cut && run.sent(place.id).is_some() && run.end() == expires.ms()
            });
            found(Finding::new(at, message, help).shown(run));
        }
    }
}
