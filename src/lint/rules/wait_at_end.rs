use crate::lint::Context;
use crate::lint::analysis::Trial;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A `wait` is the last stage: it holds nothing back.
    ///
    /// A wait sends nothing and gives nobody time; confirmations are waited for anyway, as long as the
    /// provider may report one.
    ///
    /// Leave it out, or write what comes after it.
    WaitAtEnd, "wait-at-end", Warning, check;
    true => "sms then wait 10m",
    true => "policy p { sms until replied then wait 1h otherwise fail \"no answer\" }",
    false => "sms then wait 10m then voice",
    false => "any of (sms, wait 10m) then voice",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let places = context.analysis.places();
    let last = places.iter().rfind(|place| place.parent.is_none());
    if let Some(wait) = last.filter(|place| place.wait().is_some() && !context.is_used()) {
        let alone = wait.before.is_none();
        let message = if alone {
            "nothing is sent by a policy that only waits"
        } else {
            "nothing comes after this wait, so it holds nothing back"
        };
        // Where all before it fails, the message goes on until the wait is over, and nothing comes of that.
        let run = Trial::silent(context).and_then(|trial| {
            trial.all_say("recipient fault").shows(&|run| match run.first_send() {
                None => alone,
                Some(_) => run.timeline.timeline.iter().all(|entry| entry.at_ms < run.end()),
            })
        });
        let help = "leave it out, or write what comes after it";
        found(Finding::new(wait.at.clone(), message, help).shown(run));
    }
}
