use crate::language::condition::{Expr, Word};
use crate::lint::Context;
use crate::lint::analysis::{Analysis, Played, Trial, quiet_begins};
use crate::machine::Was;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A message that comes in the quiet hours is sent nowhere, because every stage is left out then.
    ///
    /// The header `quiet` holds what would be sent until the quiet hours are over. `unless quiet` does not hold: it
    /// leaves the stage out for good. In `policy p { quiet 21:00 to 08:00 in UTC sms unless quiet }` what comes at
    /// night is lost.
    ///
    /// Leave `unless quiet` out, and the message is sent in the morning.
    DroppedInQuietHours, "dropped-in-quiet-hours", Warning, check;
    true => "policy p { quiet 21:00 to 08:00 in UTC sms unless quiet }",
    true => "policy p { quiet 21:00 to 08:00 in UTC sms unless quiet then voice after 5m unless quiet }",
    false => "policy p { quiet 21:00 to 08:00 in UTC email then sms after 5m unless quiet }",
    false => "policy p { quiet 21:00 to 08:00 in UTC sms }",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let Some(quiet) = context.policy.headers.quiet.as_ref() else { return };
    let asks = |expr: &Expr| match expr {
        Expr::Word(Word::Quiet) => true,
        Expr::Or(parts) => parts.contains(&Expr::Word(Word::Quiet)),
        _ => false,
    };
    let places = context.analysis.places();
    let Some((place, condition)) = places
        .iter()
        .filter(|place| !place.used)
        .find_map(|place| Some((place, place.stage.unless.as_ref().filter(|guard| asks(&guard.expr))?)))
    else {
        return;
    };
    let is_lost =
        |run: &Played<'_>| run.first_send().is_none() && !run.has_any(Was::Held) && run.skips(place.id);
    let guards = || {
        let others = places.iter().flat_map(Analysis::guards);
        others.filter(|(guard, wanted)| *wanted || !asks(&guard.expr)).map(|(guard, so)| (&guard.expr, so))
    };
    let run =
        quiet_begins(quiet).and_then(|at| Trial::wanting(context, guards())?.accepted_at(at).shows(&is_lost));
    if run.is_some() {
        let message = "a message that comes in the quiet hours is not sent at all, not even later";
        let help = "leave `quiet` out here: the header holds the message until the quiet hours are over";
        found(Finding::new(condition.at.clone(), message, help).shown(run));
    }
}
