use crate::language::condition::{Literal, Operand};
use crate::lint::Context;
use crate::lint::analysis::{Analysis, names, word_in};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A policy compares vars and declares none.
    ///
    /// Without the header `vars` a typing error in a name is found by nobody: the comparison is then false for every
    /// message. With it the compiler checks names and types, and a message that lacks a var is refused at once.
    ///
    /// Declare them: `vars { amount: number }`.
    UndeclaredVars, "undeclared-vars", Note, check;
    true => "policy p { sms if vars.amount > 100 }",
    false => "policy p { vars { amount: number } sms if vars.amount > 100 }",
    false => "sms if vars.amount > 100",
    false => "policy p { sms }",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let bare = !context.source.get(context.policy.at.clone()).is_some_and(|text| text.starts_with("policy"));
    if bare || context.policy.headers.vars.is_some() {
        return;
    }
    for place in context.analysis.places().iter().filter(|place| !place.used) {
        for (condition, _) in Analysis::guards(place) {
            let mut vars = Vec::new();
            names(&condition.expr, &mut |operand, other| {
                if let Operand::Var(name) = operand {
                    vars.push((name.clone(), type_of(other)));
                }
            });
            if let Some((name, kind)) = vars.into_iter().next() {
                let at = word_in(context.source, &condition.at, &format!("vars.{name}"));
                let message = format!("`vars.{name}` is declared nowhere, so nobody checks the name");
                let help = format!("declare it before the stages: `vars {{ {name}: {kind} }}`");
                found(Finding::new(at, message, help));
                return;
            }
        }
    }
}

fn type_of(other: &Operand) -> &'static str {
    match other {
        Operand::Literal(Literal::Number(_)) => "number",
        Operand::Literal(Literal::Boolean(_)) => "boolean",
        Operand::Literal(Literal::Duration(_)) | Operand::Elapsed => "duration",
        Operand::Literal(Literal::Time(_)) => "time",
        _ => "string",
    }
}
