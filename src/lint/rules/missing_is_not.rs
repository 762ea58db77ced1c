use crate::language::condition::{Expr, Op, Operand};
use crate::lint::Context;
use crate::lint::analysis::{Analysis, Trial};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// `is not` asks for what may be missing, and does not hold for those who lack it.
    ///
    /// A comparison with a value that is not there is false, that of `is not` too: `sms if contact.plan is not "gold"`
    /// leaves out everybody who has no plan.
    ///
    /// Write `unless contact.plan is "gold"`: that holds for those too.
    MissingIsNot, "missing-is-not", Note, check;
    true => "sms if contact.plan is not \"gold\"",
    true => "policy p { vars { tier: string optional } sms if vars.tier != \"a\" }",
    false => "sms unless contact.plan is \"gold\"",
    false => "policy p { vars { tier: string } sms if vars.tier is not \"a\" }",
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
            let Expr::Compare(comparison) = &condition.expr else { continue };
            let literal = matches!(comparison.right, Operand::Literal(_));
            if !wanted || comparison.op != Op::IsNot || !literal || !may_lack(&comparison.left) {
                continue;
            }
            let name = place.name();
            let message =
                "this leaves out everybody who lacks the value, not only those of whom it is another";
            let positive = comparison.text.replace("is not", "is").replace("!=", "is");
            let help = format!("write `{name} … unless {positive}`, if those who lack it are meant too");
            // Nothing is said of the value, and all else lets the stage start.
            let others = context.analysis.around(place.id).flat_map(Analysis::guards);
            let others = others.filter(|(other, _)| !std::ptr::eq(*other, condition));
            let run = Trial::wanting(context, others.map(|(other, so)| (&other.expr, so)));
            let lacks =
                |trial: &Trial<'_>| comparison.text.split(' ').next().is_some_and(|name| !trial.knows(name));
            let run = run.filter(lacks).and_then(|trial| trial.shows(&|run| run.skips(place.id)));
            found(Finding::new(condition.at.clone(), message, help).shown(run));
        }
    }
}
