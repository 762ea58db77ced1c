use crate::language::condition::{Comparison, Expr, Literal, Op, Operand};
use crate::lint::Context;
use crate::lint::analysis::{Analysis, Trial};
use crate::model::Span;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A stage waits for silence with `after`, and its condition asks for less time than that.
    ///
    /// In `push until read then sms after 20m if elapsed < 15m` the sms has its turn after twenty minutes where
    /// nothing is heard of the push, and is left out then. It is sent only where the push fails early.
    ///
    /// Compare `elapsed` with a longer time, or write a shorter `after`.
    SkippedOnSilence, "skipped-on-silence", Warning, check;
    true => "push until read then sms after 20m if elapsed < 15m",
    true => "push until read then sms after 20m unless elapsed >= 20m",
    false => "push until read then sms after 20m if elapsed < 30m",
    false => "push until read then sms if elapsed < 15m",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    for place in context.analysis.places().iter().filter(|place| !place.used && place.stage.after.is_some()) {
        let Some(silent) = place.silent else { continue };
        for (condition, wanted) in Analysis::guards(place) {
            let parts = match &condition.expr {
                Expr::And(parts) if wanted => parts.as_slice(),
                Expr::Or(parts) if !wanted => parts.as_slice(),
                one => std::slice::from_ref(one),
            };
            let late = parts.iter().find_map(|part| match part {
                Expr::Compare(comparison) => too_late(comparison, wanted, silent).then_some(comparison),
                _ => None,
            });
            // Where it is so in all runs, that is told.
            if late.is_none() || place.earliest >= silent {
                continue;
            }
            let (name, at) = (place.name(), Span::from_ms(silent));
            let message = format!(
                "where nothing is heard of the stages before, `{name}` has its turn at `{at}`, and is skipped then"
            );
            let help = "compare `elapsed` with a longer time, or write a shorter `after`";
            let run = Trial::silent(context).and_then(|trial| trial.shows(&|run| run.skips(place.id)));
            found(Finding::new(condition.at.clone(), message, help).shown(run));
        }
    }
}

/// Whether a comparison of `elapsed` is not as it should be from a time on.
fn too_late(comparison: &Comparison, wanted: bool, from_ms: i64) -> bool {
    let (Operand::Elapsed, Operand::Literal(Literal::Duration(limit))) =
        (&comparison.left, &comparison.right)
    else {
        return false;
    };
    match (comparison.op, wanted) {
        (Op::Less, true) | (Op::AtLeast, false) => from_ms >= limit.ms(),
        (Op::AtMost, true) | (Op::More, false) => from_ms > limit.ms(),
        _ => false,
    }
}
