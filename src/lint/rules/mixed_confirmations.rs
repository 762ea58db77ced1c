use crate::lint::Context;
use crate::lint::analysis::{Trial, leading_to, word_in};
use crate::machine::Was;
use crate::machine::facts::RouteProvider;
use crate::model::Confirmation;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// Some providers of a route confirm the stage's goal, and one cannot.
    ///
    /// What that provider takes is never confirmed: the stage stays unreached, and what follows with
    /// `after` is sent although the message may have arrived.
    ///
    /// Leave the provider out, put it last, or ask for a goal that all of them confirm.
    MixedConfirmations, "mixed-confirmations", Note, check;
    for &["a: sms delivered", "b: sms nothing"]; true => "sms via a or b then voice after 5m",
    for &["a: sms delivered replied", "b: sms delivered"]; true => "sms until replied via a or b",
    for &["a: sms delivered", "b: sms delivered replied"]; false => "sms via a or b",
    false => "sms via a or b",
    for &["a: sms delivered", "b: sms nothing"]; false => "sms until accepted via a or b",
}

fn check<'a>(context: &Context<'a>, found: Found<'_>) {
    for place in context.analysis.places() {
        let (Some(channel), Some(goal)) = (place.channel(), place.goal) else { continue };
        let able = |provider: &&RouteProvider| provider.confirms.iter().any(|level| *level >= goal);
        if goal == Confirmation::Accepted || !place.route.iter().any(|one| able(&one)) {
            continue;
        }
        for provider in place.route.iter().filter(|one| !able(one)) {
            let name = &provider.name;
            let at = if place.used { place.at.clone() } else { word_in(context.source, &place.at, name) };
            let message = format!("`{name}` never confirms `{goal}` for `{}`", channel.channel);
            let help = "what it takes stays unconfirmed; leave it out, or ask for what all providers confirm";
            // The others refuse it for reasons of their own, so that this one has it.
            let made: &dyn Fn(Trial<'a>) -> Trial<'a> = &|trial| {
                let others = place.route.iter().filter(|one| one.name != *name);
                let trial = others.fold(trial, |trial, one| trial.says(&one.name, "account fault"));
                trial.says(name, "accepted")
            };
            let run = leading_to(context, place.id, made, &|run| {
                run.is_accepted_by(place.id, name) && !run.has(place.id, Was::Reached)
            });
            found(Finding::new(at, message, help).shown(run));
        }
    }
}
