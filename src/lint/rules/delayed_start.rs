use crate::lint::Context;
use crate::lint::analysis::{Trial, modifier_of};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// The first stage of a policy has an `after`.
    ///
    /// `after` mostly means patience with the stage before. There is none before the first, so the time counts
    /// from the beginning: `sms after 5m then email` sends nothing for five minutes.
    ///
    /// If that is meant, `wait 5m then sms` says it plainly.
    DelayedStart, "delayed-start", Note, check;
    true => "sms after 5m then email",
    false => "any of (push, sms after 5m)",
    false => "wait 5m then sms",
    false => "sms then email after 5m",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let Some(first) = context.analysis.places().first() else { return };
    if let Some(after) = first.stage.after.filter(|_| !context.is_used()) {
        let name = first.name();
        let message = format!("nothing stands before `{name}`, so nothing is sent for `{after}`");
        let at = modifier_of(context.source, first, "after");
        let help = format!("leave the `after` out, or write `wait {after} then {name}` if that is meant");
        let run = Trial::silent(context)
            .and_then(|trial| trial.shows(&|run| run.first_send().is_some_and(|first| first >= after.ms())));
        found(Finding::new(at, message, help).shown(run));
    }
}
