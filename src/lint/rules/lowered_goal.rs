use crate::lint::Context;
use crate::lint::analysis::{Place, leading_to};
use crate::machine::Was;
use crate::model::Confirmation;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A stage without `until` is reached as soon as it is accepted, because nobody can confirm its
    /// delivery, and a stage stands after it.
    ///
    /// The goal of a stage is `delivered` where a provider of its route can confirm that, and
    /// otherwise `accepted`. Behind `slack then sms after 30s` the sms therefore goes out only
    /// where slack refuses the message: once accepted, the stage is reached and nothing follows.
    ///
    /// Say what you mean: `until replied` where the next stage shall follow silence, `until
    /// accepted` where acceptance is enough.
    LoweredGoal, "lowered-goal", Warning, check;
    true => "slack then sms after 30s",
    true => "policy a { slack } policy b { use a then sms }",
    true => "any of (telegram, email) then voice after 10m",
    false => "slack until replied then sms after 30s",
    false => "slack until accepted then sms after 30s",
    false => "all of (push, webhook) then sms after 5m",
    false => "sms then slack after 30s",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    for place in context.analysis.places() {
        let Some(stage) = place.channel() else { continue };
        // What another policy says by itself is told where that policy is checked.
        if place.used && place.followed_where_written {
            continue;
        }
        // A route without a provider fails at once: that is another rule's.
        if place.route.is_empty() {
            continue;
        }
        if stage.until.is_some() || !place.followed || place.goal != Some(Confirmation::Accepted) {
            continue;
        }
        // Of an `all of` that waits for others it ends nothing.
        if context.analysis.around(place.id).skip(1).any(Place::is_all_of) {
            continue;
        }
        let channel = stage.channel;
        let message = format!(
            "nobody confirms the delivery by `{channel}`, so it counts as reached once it is accepted"
        );
        let accepted = format!("`{channel} until accepted` if they are for a refusal alone");
        let help = match place.confirms().filter(|level| *level > Confirmation::Accepted).min() {
            Some(level) => format!(
                "the stages after it start only where it fails; write `{channel} until {level}` if they shall follow silence too, or {accepted}"
            ),
            None => format!("the stages after it start only where it fails; write {accepted}"),
        };
        let run = leading_to(context, place.id, &|trial| trial, &|run| {
            run.has(place.id, Was::Reached) && run.stops_at(place.id)
        });
        found(Finding::new(place.at.clone(), message, help).shown(run));
    }
}
