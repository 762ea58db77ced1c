use crate::lint::Context;
use crate::lint::analysis::{Played, Strict, Table, Trial, quiet_begins};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// The `unless` of the quiet hours holds always or never.
    ///
    /// It is decided inside the quiet hours, so `unless quiet` lifts them always; and one that can hold in
    /// no case says nothing.
    ///
    /// Write for whom they do not count: `unless priority is urgent`.
    QuietGuard, "quiet-guard", Warning, check;
    true => "policy p { quiet 21:00 to 08:00 in UTC unless quiet sms }",
    true => "policy p { quiet 21:00 to 08:00 in UTC unless priority >= low sms }",
    true => "policy p { quiet 21:00 to 08:00 in UTC unless vars.n > 5 and vars.n < 3 sms }",
    false => "policy p { quiet 21:00 to 08:00 in UTC unless priority is urgent sms }",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let Some(quiet) = context.policy.headers.quiet.as_ref() else { return };
    let Some(condition) = &quiet.unless else { return };
    let scope = context.analysis.scope(None, Strict::Logic).inside_quiet_hours();
    let Some(table) = Table::of(&[&condition.expr], &scope) else { return };
    let weighed = table.weigh(&condition.expr);
    let message = match (weighed.can_hold, weighed.can_fail) {
        (true, false) => "this always holds inside the quiet hours, so they hold nothing back",
        (false, true) => "this never holds, so the quiet hours count for everybody",
        _ => return,
    };
    let help = "write for which messages they do not count: `unless priority is urgent`";
    // A message that is accepted when they begin: sent at once, or held like any other.
    let is_so = |run: &Played<'_>| match weighed.can_hold {
        true => !run.is_held_by_quiet() && run.first_send() == Some(0),
        false => run.is_held_by_quiet(),
    };
    let run = quiet_begins(quiet).and_then(|at| Trial::silent(context)?.accepted_at(at).shows(&is_so));
    found(Finding::new(condition.at.clone(), message, help).shown(run));
}
