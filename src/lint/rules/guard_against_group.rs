use crate::language::condition::Expr;
use crate::lint::Context;
use crate::lint::analysis::{Analysis, Place, Strict, Table, Trial, changes_over_time};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// The condition of a stage excludes that of the group around it.
    ///
    /// In `any of (sms if priority is low, email) if priority >= high` the group starts for high
    /// priorities alone, and the sms in it for low ones: it is never sent.
    ///
    /// Change one of the two, or take the stage out of the group.
    GuardAgainstGroup, "guard-against-group", Warning, check;
    true => "any of (sms if priority is low, email) if priority >= high",
    true => "all of (email, any of (sms if contact.country is \"DE\", push)) unless contact.country is \"DE\"",
    false => "any of (sms if priority is urgent, email) if priority >= high",
    false => "any of (sms unless quota, email) if elapsed < 5m",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let analysis = context.analysis;
    for place in analysis.places().iter().filter(|place| !place.used && place.is_guarded()) {
        let own = steady(place);
        let outer: Vec<_> = analysis.around(place.id).skip(1).flat_map(steady).collect();
        if own.is_empty() || outer.is_empty() {
            continue;
        }
        let all: Vec<_> = own.iter().chain(&outer).copied().collect();
        let exprs: Vec<&Expr> = all.iter().map(|(condition, _)| *condition).collect();
        let Some(table) = Table::of(&exprs, &analysis.scope(Some(place.id), Strict::Logic)) else { continue };
        if table.allows(&own) && table.allows(&outer) && !table.allows(&all) {
            let name = place.name();
            let message = format!(
                "this and the condition of the group around it exclude each other: `{name}` is always skipped"
            );
            let at = Analysis::guards(place).map(|(condition, _)| condition.at.clone()).next();
            let help = "change one of the two conditions, or take the stage out of the group";
            let run = Trial::wanting(context, outer.iter().copied());
            let run = run.and_then(|trial| trial.shows(&|run| run.skips(place.id)));
            found(Finding::new(at.unwrap_or_else(|| place.at.clone()), message, help).shown(run));
        }
    }
}

/// The conditions of a stage that do not change while the message runs.
fn steady<'a>(place: &Place<'a>) -> Vec<(&'a Expr, bool)> {
    let guards = Analysis::guards(place).map(|(condition, wanted)| (&condition.expr, wanted));
    guards.filter(|(condition, _)| !changes_over_time(condition)).collect()
}
