use crate::lint::Context;
use crate::lint::analysis::{Analysis, Strict, Table, Trial};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// The `if` and the `unless` of a stage exclude each other.
    ///
    /// Each can be so by itself, and both together in no case: `sms if vars.vip unless vars.vip` is always
    /// skipped.
    ///
    /// Leave one of the two out.
    ContradictoryGuards, "contradictory-guards", Warning, check;
    true => "sms if vars.vip unless vars.vip",
    true => "sms if vars.amount > 100 unless vars.amount > 50",
    true => "sms if quota unless quota",
    false => "sms if vars.amount > 50 unless vars.amount > 100",
    false => "sms if contact has sms unless quota",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    for place in context.analysis.places().iter().filter(|place| !place.used) {
        let (Some(only_if), Some(unless)) = (&place.stage.only_if, &place.stage.unless) else { continue };
        let scope = context.analysis.scope(Some(place.id), Strict::Logic);
        let Some(table) = Table::of(&[&only_if.expr, &unless.expr], &scope) else { continue };
        let each = table.weigh(&only_if.expr).can_hold && table.weigh(&unless.expr).can_fail;
        if each && !table.allows(&[(&only_if.expr, true), (&unless.expr, false)]) {
            let name = place.name();
            let message =
                format!("whenever the `if` holds, the `unless` does too: `{name}` is always skipped");
            let at = only_if.at.start.min(unless.at.start)..only_if.at.end.max(unless.at.end);
            // What is around it lets it start, and its own `if` does.
            let around = context.analysis.around(place.id).skip(1).flat_map(Analysis::guards);
            let around = around.map(|(condition, so)| (&condition.expr, so));
            let run = Trial::wanting(context, around.chain([(&only_if.expr, true)]));
            let run = run.and_then(|trial| trial.with_its_facts().shows(&|run| run.skips(place.id)));
            found(Finding::new(at, message, "leave one of the two out, or change one").shown(run));
        }
    }
}
