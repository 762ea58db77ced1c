use crate::language::condition::{Comparison, Expr, Op, Operand};
use crate::language::words::quoted;
use crate::lint::Context;
use crate::lint::analysis::Analysis;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// Two `is not` about one name are joined by `or`, so one of them always holds.
    ///
    /// Nobody is in Austria and in Germany at once: `contact.country is not "AT" or contact.country is not "DE"` holds
    /// for everybody whose country is known.
    ///
    /// Join them by `and` where neither of the two is meant.
    IsNotJoinedByOr, "is-not-joined-by-or", Warning, check, gives_way;
    true => "sms if contact.country is not \"AT\" or contact.country is not \"DE\"",
    true => "sms unless contact.country is not \"AT\" or contact.country is not \"DE\"",
    true => "sms unless vars.a != 1 or vars.b or vars.a != 2",
    false => "sms if contact.country is not \"AT\" and contact.country is not \"DE\"",
    false => "sms if contact.country is not \"AT\" or contact.locale is not \"de\"",
    false => "sms if contact.country is \"AT\" or contact.country is \"DE\"",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    for place in context.analysis.places().iter().filter(|place| !place.used) {
        for (condition, wanted) in Analysis::guards(place) {
            let Some((one, other)) = excluding(&condition.expr) else { continue };
            let name = place.name();
            let comes_of_it = match wanted {
                true => "so this keeps nobody back whose value is known".to_owned(),
                false => format!("so `{name}` is skipped for everybody whose value is known"),
            };
            let message = format!(
                "one of {} and {} always holds, {comes_of_it}",
                quoted(&one.text),
                quoted(&other.text)
            );
            let help = "join them by `and`, if neither of the two is meant";
            found(Finding::new(condition.at.clone(), message, help));
        }
    }
}

/// Two parts of an `or` that say of one name that it is not this, and not that.
fn excluding(condition: &Expr) -> Option<(&Comparison, &Comparison)> {
    let parts = match condition {
        Expr::Or(parts) => parts,
        Expr::And(parts) => return parts.iter().find_map(excluding),
        _ => return None,
    };
    let denied = parts.iter().filter_map(|part| match part {
        Expr::Compare(comparison) => {
            let is_literal = matches!(comparison.right, Operand::Literal(_));
            (comparison.op == Op::IsNot && is_literal).then_some(comparison)
        }
        _ => None,
    });
    let denied: Vec<&Comparison> = denied.collect();
    denied.iter().enumerate().find_map(|(n, one)| {
        let other = denied[..n].iter().find(|other| other.left == one.left && other.right != one.right)?;
        Some((*other, *one))
    })
}
