use crate::language::condition::{Comparison, Expr, Literal, Op, Operand};
use crate::lint::Context;
use crate::lint::analysis::{Analysis, Place, Trial, word_in};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// `is not` asks for what may be missing, and does not hold for those who lack it.
    ///
    /// A comparison with a value that is not there is false, that of `is not` too: `sms if contact.plan is not "gold"`
    /// leaves out everybody who has no plan.
    ///
    /// Write `unless contact.plan is "gold"`: that holds for those too. Inside a longer condition, write
    /// `not contact.plan is "gold"`. Whether there is any value is asked by `is not ""`.
    MissingIsNot, "missing-is-not", Note, check;
    true => "sms if contact.plan is not \"gold\"",
    true => "policy p { vars { tier: string optional } sms if vars.tier != \"a\" }",
    false => "sms unless contact.plan is \"gold\"",
    false => "policy p { vars { tier: string } sms if vars.tier is not \"a\" }",
    true => "sms if contact.plan is not \"gold\" and priority is high",
    true => "sms if (vars.nights > 1 or contact.member != true) and priority is high",
    false => "sms if contact.plan is not \"\"",
    false => "sms if priority is not low",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let vars = context.policy.headers.vars.as_ref();
    let may_lack = |operand: &Operand| match operand {
        Operand::Var(name) => vars.and_then(|vars| vars.get(name)).is_some_and(|declared| declared.optional),
        Operand::Attribute(_) | Operand::Contact(_) => true,
        _ => false,
    };
    for place in context.analysis.places().iter().filter(|place| !place.used) {
        for (condition, wanted) in Analysis::guards(place) {
            // In an `unless` the missing value lets the stage start.
            let mut all = Vec::new();
            if wanted {
                needed(&condition.expr, &mut Vec::new(), &mut all);
            }
            for (comparison, beside) in all {
                let asks = match &comparison.right {
                    // Whether there is any text is asked so.
                    Operand::Literal(Literal::String(text)) => !text.is_empty(),
                    right => matches!(right, Operand::Literal(_)),
                };
                if comparison.op != Op::IsNot || !asks || !may_lack(&comparison.left) {
                    continue;
                }
                let whole = matches!(condition.expr, Expr::Compare(_));
                let at = match whole {
                    true => condition.at.clone(),
                    false => word_in(context.source, &condition.at, &comparison.text),
                };
                let message =
                    "this leaves out everybody who lacks the value, not only those of whom it is another";
                let help = instead(place, comparison, whole);
                // Nothing is said of the value, and all else lets the stage start.
                let others = context.analysis.around(place.id).flat_map(Analysis::guards);
                let others = others
                    .filter(|(other, _)| !std::ptr::eq(*other, condition))
                    .map(|(other, so)| (&other.expr, so));
                let run = Trial::wanting(context, others.chain(beside));
                let lacks = |trial: &Trial<'_>| {
                    comparison.text.split(' ').next().is_some_and(|name| !trial.knows(name))
                };
                let run = run.filter(lacks).and_then(|trial| trial.shows(&|run| run.skips(place.id)));
                // Beside another value that is asked for it may be that all is as it should be.
                if whole || run.is_some() {
                    found(Finding::new(at, message, help).shown(run));
                }
            }
        }
    }
}

/// The comparisons on which a condition stands or falls, each with what else of it is so then.
fn needed<'a>(
    condition: &'a Expr,
    beside: &mut Vec<(&'a Expr, bool)>,
    out: &mut Vec<(&'a Comparison, Vec<(&'a Expr, bool)>)>,
) {
    let (parts, so) = match condition {
        Expr::And(parts) => (parts, true),
        Expr::Or(parts) => (parts, false),
        Expr::Compare(comparison) => return out.push((comparison, beside.clone())),
        Expr::Not(_) | Expr::Word(_) | Expr::HasAddress(_) => return,
    };
    for (n, part) in parts.iter().enumerate() {
        let others = parts.iter().enumerate().filter(|(other, _)| *other != n).map(|(_, part)| (part, so));
        let kept = beside.len();
        beside.extend(others);
        needed(part, beside, out);
        beside.truncate(kept);
    }
}

/// What to write, if those who lack the value are meant too.
fn instead(place: &Place<'_>, comparison: &Comparison, whole: bool) -> String {
    let positive = comparison.text.replace("is not", "is").replace("!=", "is");
    let written = match (&place.stage.unless, whole) {
        (_, false) => format!("not {positive}"),
        (None, true) => format!("{} … unless {positive}", place.name()),
        (Some(unless), true) if matches!(unless.expr, Expr::And(_)) => {
            format!("unless ({}) or {positive}", unless.text)
        }
        (Some(unless), true) => format!("unless {} or {positive}", unless.text),
    };
    format!("write `{written}`, if those who lack it are meant too")
}
