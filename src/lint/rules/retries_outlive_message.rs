use crate::language::policy::Retry;
use crate::lint::Context;
use crate::lint::analysis::{leading_to, modifier_of};
use crate::machine::Was;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// The pauses of `retry` add up to more than the life of the message.
    ///
    /// `retry 10 times every 1m` in a policy that expires after five minutes tries five times at most.
    ///
    /// Write fewer retries, shorter pauses, or a longer `expires after`.
    RetriesOutliveMessage, "retries-outlive-message", Warning, check;
    true => "policy p { expires after 5m sms retry 10 times every 1m }",
    true => "policy p { expires after 1m sms then email after 30s retry 2 times every 20s }",
    false => "policy p { expires after 5m sms retry 4 times every 1m }",
    false => "policy p { expires after 5m sms }",
    false => "sms retry 10 times every 1m",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    // That is told of the expiry itself.
    if context.analysis.expires_before_all() {
        return;
    }
    let Some(expires) = context.policy.headers.expires else { return };
    for place in context.analysis.places() {
        let Some(channel) = place.channel().filter(|channel| channel.retry != Retry::DEFAULT) else {
            continue;
        };
        let start = place.silent.unwrap_or(place.earliest);
        if start >= expires.ms() {
            continue;
        }
        let pauses = (1..=channel.retry.times).scan(0_i64, |total, n| {
            *total = total.saturating_add(channel.retry.pause(n).ms());
            Some(*total)
        });
        let times = channel.retry.times as usize;
        let fit = pauses.take_while(|total| start.saturating_add(*total) < expires.ms()).count();
        if fit < times {
            let message = format!(
                "of {times} retries, {fit} at most come before the message expires after `{expires}`"
            );
            let at = modifier_of(context.source, place, "retry");
            let word = channel.channel;
            let run = leading_to(context, place.id, &|trial| trial.says(word, "transient"), &|run| {
                let is_tried = run.sent(place.id).is_some();
                is_tried && run.when(place.id, Was::Retried).count() <= fit && run.end() == expires.ms()
            });
            let help = "write fewer retries or shorter pauses, or a longer `expires after`";
            found(Finding::new(at, message, help).shown(run));
        }
    }
}
