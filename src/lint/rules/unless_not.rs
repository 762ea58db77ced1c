use crate::language::condition::Expr;
use crate::lint::Context;
use crate::lint::analysis::{Analysis, guard_text, written};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// `unless not` says `if` in two words.
    ///
    /// `sms unless not contact has push` has to be turned over twice in the head by whoever reads it.
    ///
    /// Write `sms if contact has push`; the two mean the same.
    UnlessNot, "unless-not", Note, check;
    true => "sms unless not contact has push",
    true => "sms if not (not vars.vip)",
    false => "sms if contact has push",
    false => "sms unless not quota if vars.vip",
    false => "sms if not quota",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    for place in context.analysis.places().iter().filter(|place| !place.used) {
        if place.stage.only_if.is_some() == place.stage.unless.is_some() {
            continue;
        }
        for (condition, wanted) in Analysis::guards(place) {
            let Expr::Not(inner) = &condition.expr else { continue };
            let (word, meant) = match (wanted, inner.as_ref()) {
                (false, inner) => ("unless", written(inner)),
                (true, Expr::Not(inner)) => ("if", written(inner)),
                (true, _) => continue,
            };
            let at = condition.at.clone();
            let message = format!("`{word} {}` can be said without `not`", condition.text);
            let finding = Finding::new(at.clone(), message, format!("write `if {meant}`"));
            let whole = guard_text(context.source, word, &at);
            found(match whole.filter(|_| !condition.text.contains('#')) {
                Some(whole) => finding.fixed(whole, format!(" if {meant}")),
                None => finding,
            });
        }
    }
}
