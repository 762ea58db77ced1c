use crate::language::policy::Retry;
use crate::lint::Context;
use crate::lint::analysis::{leading_to, modifier_of};
use crate::machine::Was;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// The stage behind starts before the retries are through.
    ///
    /// What starts overtakes what is before it, and its retries are dropped: of `sms retry 5 times every
    /// 20s then email after 30s` one retry happens.
    ///
    /// That may be meant. If the retries matter more, write a longer `after`.
    RetriesCutShort, "retries-cut-short", Note, check;
    true => "sms retry 5 times every 20s then email after 30s",
    false => "sms retry 2 times every 10s then email after 30s",
    false => "sms then email after 1s",
    false => "sms retry 5 times every 20s then email",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let places = context.analysis.places();
    for place in places.iter().filter(|place| !place.used) {
        let Some(channel) = place.channel().filter(|channel| channel.retry != Retry::DEFAULT) else {
            continue;
        };
        let next = place.next.and_then(|id| places.get(id));
        let Some((next, after)) = next.and_then(|next| Some((next, next.stage.after?))) else { continue };
        let pauses = (1..=channel.retry.times).scan(0_i64, |total, n| {
            *total = total.saturating_add(channel.retry.pause(n).ms());
            Some(*total)
        });
        let (times, fit) =
            (channel.retry.times as usize, pauses.take_while(|total| *total <= after.ms()).count());
        if fit < times {
            let name = next.name();
            let message =
                format!("of {times} retries, {fit} at most come before `{name}` starts after `{after}`");
            let at = modifier_of(context.source, place, "retry");
            let word = channel.channel;
            let run = leading_to(context, place.id, &|trial| trial.says(word, "transient"), &|run| {
                run.when(place.id, Was::Retried).count() == fit && run.sent(next.id).is_some()
            });
            let help = "write fewer retries, or a longer `after` on the next stage";
            found(Finding::new(at, message, help).shown(run));
        }
    }
}
