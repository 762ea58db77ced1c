use crate::language::condition::{Condition, Expr};
use crate::lint::Context;
use crate::lint::analysis::{Analysis, Scope, Strict, Table, last_of, written};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A part of a condition changes nothing.
    ///
    /// In `unless quota or quota` it stands twice; in `if vars.amount > 100 and vars.amount > 50` one part
    /// follows from the other. Mostly another word was meant in its place.
    ///
    /// Write what is meant, or leave the part out.
    RedundantCondition, "redundant-condition", Warning, check;
    true => "sms unless quota or quota",
    true => "sms if vars.amount > 100 and vars.amount > 50",
    true => "sms if vars.vip and (vars.vip or quota)",
    true => "sms unless delivered or read",
    false => "sms unless quota or opted_out",
    false => "sms if vars.amount > 50 and vars.amount < 100",
    false => "sms if contact.plan is \"gold\" or contact.plan is \"silver\"",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let analysis = context.analysis;
    let scope = analysis.scope(None, Strict::Logic);
    let mut look = |condition: &Condition, scope: &Scope<'_>| {
        let (Expr::And(_) | Expr::Or(_) | Expr::Not(_)) = &condition.expr else { return };
        let Some(table) = Table::of(&[&condition.expr], scope) else { return };
        let weighed = table.weigh(&condition.expr);
        if !weighed.can_hold || !weighed.can_fail {
            return;
        }
        let Some((part, left)) = without_a_part(&condition.expr, &table, &mut |left| left) else { return };
        let (part, left) = (written(&part), written(&left));
        let message = format!("`{part}` changes nothing here");
        let at = last_of(context.source, &condition.at, &part);
        let finding =
            Finding::new(at, message, format!("`{left}` says the same; or write what is meant instead"));
        let plain = !context.source.get(condition.at.clone()).is_none_or(|text| text.contains('#'));
        found(if plain { finding.fixed(condition.at.clone(), left) } else { finding });
    };
    for place in analysis.places().iter().filter(|place| !place.used) {
        Analysis::guards(place).for_each(|(condition, _)| look(condition, &scope));
    }
    let quiet = context.policy.headers.quiet.as_ref().and_then(|quiet| quiet.unless.as_ref());
    if let Some(condition) = quiet {
        look(condition, &analysis.scope(None, Strict::Logic).inside_quiet_hours());
    }
}

/// A part that changes nothing, and the whole without it.
fn without_a_part(
    whole: &Expr,
    table: &Table<'_>,
    around: &mut dyn FnMut(Expr) -> Expr,
) -> Option<(Expr, Expr)> {
    let (parts, join): (_, fn(Vec<Expr>) -> Expr) = match whole {
        Expr::And(parts) => (parts, Expr::And),
        Expr::Or(parts) => (parts, Expr::Or),
        Expr::Not(inner) => {
            return without_a_part(inner, table, &mut |left| around(Expr::Not(Box::new(left))));
        }
        Expr::Word(_) | Expr::HasAddress(_) | Expr::Compare(_) => return None,
    };
    let with = |place: usize, part: Option<Expr>| {
        let others = parts.iter().enumerate();
        let mut all: Vec<Expr> =
            others.filter_map(|(n, own)| if n == place { part.clone() } else { Some(own.clone()) }).collect();
        match all.pop() {
            Some(only) if all.is_empty() => only,
            last => join(all.into_iter().chain(last).collect()),
        }
    };
    // From the last: what stands twice is told where it stands for the second time.
    for (place, part) in parts.iter().enumerate().rev() {
        let left = with(place, None);
        let mut alike = true;
        table.rows(&mut |row| {
            alike = row.holds(whole) == row.holds(&left);
            !alike
        });
        if alike {
            return Some((part.clone(), around(left)));
        }
    }
    let mut inside = parts.iter().enumerate();
    inside.find_map(|(place, part)| without_a_part(part, table, &mut |left| around(with(place, Some(left)))))
}
