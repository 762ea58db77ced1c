use crate::language::policy::Route;
use crate::lint::Context;
use crate::lint::analysis::leading_to;
use crate::model::Reason;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// No provider serves the channel of a stage.
    ///
    /// The catalog, or the scope, has none for it. The stage fails each time with `no_provider`, and the next
    /// one starts at once.
    ///
    /// Add a provider for the channel, or leave the stage out. Nothing is said where no catalog is given.
    NoProvider, "no-provider", Warning, check;
    for &["a: sms"]; true => "sms then voice after 5m",
    for &["a: sms"]; false => "sms",
    false => "sms then voice after 5m",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    if context.analysis.catalog().providers.is_none() {
        return;
    }
    for place in context.analysis.places() {
        // A route of names is another rule's.
        let Some(channel) = place.channel().filter(|channel| channel.route == Route::Default) else {
            continue;
        };
        if place.route.is_empty() {
            let word = channel.channel;
            let message = format!("no provider serves `{word}`, so this stage always fails");
            let run = leading_to(context, place.id, &|trial| trial, &|run| {
                run.fails(place.id, Reason::NoProvider).is_some()
            });
            let help = format!("add a provider for `{word}`, or leave the stage out");
            found(Finding::new(place.at.clone(), message, help).shown(run));
        }
    }
}
