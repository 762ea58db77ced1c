use crate::language::condition::Expr;
use crate::lint::Context;
use crate::lint::analysis::{Analysis, Strict, changes_over_time, out_of};
use crate::model::Span;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A condition compares `elapsed`, `sends` or `cost` with what they cannot be when the stage starts.
    ///
    /// In `sms then wait 10m then voice if elapsed < 5m` ten minutes are always over when the voice has its
    /// turn; before the first stage nothing has been sent.
    ///
    /// Compare with what can be, or leave the condition out.
    OutOfReach, "out-of-reach", Warning, check;
    true => "sms then wait 10m then voice if elapsed < 5m",
    true => "sms if sends > 0",
    true => "policy p { expires after 5m sms then voice after 1m unless elapsed > 10m }",
    true => "sms then voice after 1m if sends > 50",
    false => "sms then voice after 1m if elapsed < 5m",
    false => "sms then voice after 1m if sends > 1",
    false => "sms if vars.amount > 10",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    if context.is_used {
        return;
    }
    for place in context.analysis.places().iter().filter(|place| !place.used) {
        for (condition, wanted) in Analysis::guards(place) {
            if !counts(&condition.expr) {
                continue;
            }
            let Some(verdict) = out_of(context, place, condition, Strict::Counters) else { continue };
            let name = place.name();
            let word = if verdict { "always" } else { "never" };
            let message = match verdict == wanted {
                true => format!("this {word} holds when `{name}` has its turn, so it keeps nothing back"),
                false => {
                    format!("this {word} holds when `{name}` has its turn, so `{name}` is always skipped")
                }
            };
            let earliest = Span::from_ms(place.earliest);
            let help = format!(
                "`{name}` has its turn `{earliest}` after the beginning at the earliest; compare with what can be"
            );
            found(Finding::new(condition.at.clone(), message, help));
        }
    }
}

/// Whether a condition looks at `elapsed`, `sends` or `cost`.
fn counts(condition: &Expr) -> bool {
    match condition {
        Expr::And(parts) | Expr::Or(parts) => parts.iter().any(counts),
        Expr::Not(part) => counts(part),
        Expr::Word(_) | Expr::HasAddress(_) => false,
        Expr::Compare(_) => changes_over_time(condition),
    }
}
