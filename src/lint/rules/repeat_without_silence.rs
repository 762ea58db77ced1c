use crate::lint::Context;
use crate::lint::analysis::{leading_to, modifier_of};
use crate::machine::Was;
use crate::model::Confirmation;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// `repeat` stands on a stage that is never silent.
    ///
    /// Repetitions come while nothing is heard. Where the goal is acceptance, said by `until accepted` or
    /// because nobody confirms delivery on the channel, the stage is reached as soon as it is accepted:
    /// nothing is sent again.
    ///
    /// Ask for an answer, `until replied`, or leave the `repeat` out.
    RepeatWithoutSilence, "repeat-without-silence", Warning, check;
    true => "slack repeat 3 times every 10m",
    true => "sms until accepted repeat 2 times every 5m",
    false => "slack until replied repeat 3 times every 10m",
    false => "sms repeat 2 times every 5m",
    for &["a: sms nothing"]; true => "sms repeat 2 times every 5m",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    for place in context.analysis.places().iter().filter(|place| !place.used) {
        let Some(channel) = place.channel().filter(|channel| channel.repeat.is_some()) else { continue };
        if place.goal != Some(Confirmation::Accepted) {
            continue;
        }
        let word = channel.channel;
        let message = format!("`{word}` is reached as soon as it is accepted, so nothing is sent again");
        let at = modifier_of(context.source, place, "repeat");
        let run = leading_to(context, place.id, &|trial| trial, &|run| {
            run.has(place.id, Was::Reached) && !run.has(place.id, Was::Repeated)
        });
        found(
            Finding::new(at, message, "write `until replied` beside it, or leave the `repeat` out")
                .shown(run),
        );
    }
}
