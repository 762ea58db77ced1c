use crate::lint::Context;
use crate::lint::analysis::{leading_to, modifier_of};
use crate::machine::Was;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// The stage behind starts before the repetitions are through.
    ///
    /// `voice until replied repeat 3 times every 5m then email after 10m` calls three times and not four: at
    /// ten minutes the e-mail overtakes the call, and what is left of the repetitions is dropped.
    ///
    /// Write fewer repetitions, or a longer `after`.
    RepeatCutShort, "repeat-cut-short", Warning, check;
    true => "voice until replied repeat 3 times every 5m then email after 10m",
    false => "voice until replied repeat 3 times every 5m then email after 20m",
    false => "voice until replied repeat 2 times every 5m then email after 10m",
    false => "voice until replied repeat 3 times every 5m then email",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let places = context.analysis.places();
    for place in places.iter().filter(|place| !place.used) {
        let Some(repeat) = place.channel().and_then(|channel| channel.repeat) else { continue };
        let next = place.next.and_then(|id| places.get(id));
        let Some((next, after)) = next.and_then(|next| Some((next, next.stage.after?))) else { continue };
        let fit = after.ms() / repeat.every.ms().max(1);
        if fit < i64::from(repeat.times) {
            let name = next.name();
            let times = repeat.times;
            let message =
                format!("of {times} repetitions, {fit} at most come before `{name}` starts after `{after}`");
            let at = modifier_of(context.source, place, "repeat");
            let help = "write fewer repetitions, or a longer `after` on the next stage";
            let run = leading_to(context, place.id, &|trial| trial, &|run| {
                let repeated = i64::try_from(run.when(place.id, Was::Repeated).count());
                repeated == Ok(fit) && run.sent(next.id).is_some()
            });
            found(Finding::new(at, message, help).shown(run));
        }
    }
}
