use crate::language::condition::{Expr, Word};
use crate::lint::Context;
use crate::lint::analysis::{Analysis, Strict, out_of};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A condition asks for `read`, `replied` or `delivered`, and when it is decided nothing can be so yet.
    ///
    /// The first stage of a policy has nothing before it. And a stage whose goal is confirmed ends the
    /// strategy, so that `sms then voice after 5m unless delivered` never sees a delivered sms: it is
    /// reached then, and no voice is left to be skipped.
    ///
    /// Leave the condition out, or ask the stage before for more: `push until read`.
    NeverConfirmed, "never-confirmed", Warning, check;
    true => "sms unless read",
    true => "sms then voice after 5m unless delivered",
    true => "sms then email after 1h if read",
    false => "email until read then voice after 1d unless delivered",
    false => "all of (email, telegram) then voice after 1h unless read",
    false => "policy a { sms then use b after 5m } policy b { voice unless delivered }",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    if context.is_used {
        return;
    }
    for place in context.analysis.places().iter().filter(|place| !place.used) {
        for (condition, wanted) in Analysis::guards(place) {
            if !asks_for_confirmations(&condition.expr) {
                continue;
            }
            let Some(verdict) = out_of(context, place, condition, Strict::Confirmed) else { continue };
            let message = match context.analysis.confirmed_before(place.id) {
                None => "nothing can be confirmed so when this is decided".to_owned(),
                Some(level) => format!("nothing can be confirmed beyond `{level}` when this is decided"),
            };
            let name = place.name();
            let (message, help) = match verdict == wanted {
                true => (format!("{message}, so it keeps nothing back"), "leave the condition out"),
                false => (
                    format!("{message}, so `{name}` is always skipped"),
                    "a stage that is reached ends its strategy; leave the condition out, or ask the stage before for more",
                ),
            };
            found(Finding::new(condition.at.clone(), message, help));
        }
    }
}

fn asks_for_confirmations(condition: &Expr) -> bool {
    match condition {
        Expr::And(parts) | Expr::Or(parts) => parts.iter().any(asks_for_confirmations),
        Expr::Not(part) => asks_for_confirmations(part),
        Expr::Word(word) => matches!(word, Word::Confirmed(_)),
        Expr::HasAddress(_) | Expr::Compare(_) => false,
    }
}
