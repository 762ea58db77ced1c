use crate::language::condition::{Comparison, Expr, Op, Operand};
use crate::lint::Context;
use crate::lint::analysis::{Analysis, skipped};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A condition lets a stage start in no case at all.
    ///
    /// The comparisons of an `if` contradict one another, as in `if vars.amount > 100 and vars.amount < 50`,
    /// or those of an `unless` leave nothing over, as in `unless priority >= low`. The stage is always skipped.
    ///
    /// Two conditions that exclude each other are joined by `or`; what is meant for all is left without a
    /// condition.
    GuardNeverHolds, "guard-never-holds", Warning, check, gives_way;
    true => "sms if vars.amount > 100 and vars.amount < 50",
    true => "sms unless priority >= low",
    true => "sms if contact.country is \"AT\" and contact.country is \"DE\"",
    true => "sms unless quota or not quota",
    true => "sms if elapsed > 5m and elapsed < 1m",
    true => "sms if priority > urgent",
    false => "sms if vars.amount > 50 and vars.amount < 100",
    false => "sms if contact.country is \"AT\" or contact.country is \"DE\"",
    false => "sms unless quota",
    false => "sms if vars.tags has \"a\" and vars.tags has \"b\"",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    for place in context.analysis.places().iter().filter(|place| !place.used) {
        for (condition, wanted) in Analysis::guards(place) {
            if context.analysis.always_skips(place.id, &condition.expr, wanted) {
                let name = place.name();
                let message = match wanted {
                    true => format!("this can never hold, so `{name}` is always skipped"),
                    false => format!("this always holds, so `{name}` is always skipped"),
                };
                let help = match (&condition.expr, wanted) {
                    (_, false) => "leave the stage out, or narrow the condition".to_owned(),
                    (Expr::Compare(_), true) => {
                        "write the comparison that is meant, or leave the stage out".to_owned()
                    }
                    (expr, true) => both(expr).or_else(|| between(expr)).unwrap_or_else(|| {
                        "look for two parts that exclude each other; `or` may be meant instead of `and`"
                            .to_owned()
                    }),
                };
                let run = skipped(context, place.id);
                found(Finding::new(condition.at.clone(), message, help).shown(run));
            }
        }
    }
}

/// What helps with `x > 500 and x < 100`: the range that its two ends make the other way round.
fn between(condition: &Expr) -> Option<String> {
    let Expr::And(parts) = condition else { return None };
    let [Expr::Compare(one), Expr::Compare(other)] = parts.as_slice() else { return None };
    let up = |op: Op| matches!(op, Op::More | Op::AtLeast);
    let down = |op: Op| matches!(op, Op::Less | Op::AtMost);
    let (above, below) = match (one.op, other.op) {
        (a, b) if up(a) && down(b) => (one, other),
        (a, b) if down(a) && up(b) => (other, one),
        _ => return None,
    };
    let literal = |side: &Comparison| matches!(side.right, Operand::Literal(_));
    (above.left == below.left && literal(above) && literal(below)).then_some(())?;
    let value = |of: &Comparison| of.text.rsplit(' ').next().map(str::to_owned);
    let (low, high) = (value(below)?, value(above)?);
    let with =
        |of: &Comparison, own: &str, value: &str| Some(format!("{}{value}", of.text.strip_suffix(own)?));
    let range = format!("{} and {}", with(above, &high, &low)?, with(below, &low, &high)?);
    Some(format!(
        "write `{range}` for what lies between the two, if no number is mistyped, or `or` for `and` for what lies outside"
    ))
}

/// What helps with `x is "a" and x is "b"`: the list of which it may be one.
fn both(condition: &Expr) -> Option<String> {
    let Expr::And(parts) = condition else { return None };
    let [Expr::Compare(one), Expr::Compare(other)] = parts.as_slice() else { return None };
    let is = |side: &Comparison| side.op == Op::Is && matches!(side.right, Operand::Literal(_));
    (is(one) && is(other) && one.left == other.left && one.right != other.right).then_some(())?;
    let value = |of: &Comparison| {
        let (name, rest) = of.text.split_once(' ')?;
        let value = rest.strip_prefix("is ").or_else(|| rest.strip_prefix("== "))?;
        Some((name.to_owned(), value.to_owned()))
    };
    let ((name, first), (_, second)) = (value(one)?, value(other)?);
    Some(format!("it cannot be both: write `{name} in [{first}, {second}]`, if one of them is meant"))
}
