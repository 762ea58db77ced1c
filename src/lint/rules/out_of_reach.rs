use crate::language::condition::{Condition, Expr};
use crate::lint::Context;
use crate::lint::analysis::{Place, Strict, changes_over_time, out_of, skipped, tell_guards};
use crate::model::Span;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A condition compares `elapsed`, `sends` or `cost` with what they cannot be when the stage starts.
    ///
    /// In `sms then wait 10m then voice if elapsed < 5m` ten minutes are always over when the voice has its
    /// turn; before the first stage nothing has been sent.
    ///
    /// Both count from the beginning of the message, also in a policy that others use, which is looked at where
    /// it is used.
    ///
    /// Compare with what can be, or leave the condition out.
    OutOfReach, "out-of-reach", Warning, check;
    true => "sms then wait 10m then voice if elapsed < 5m",
    true => "sms if sends > 0",
    true => "policy p { expires after 5m sms then voice after 1m unless elapsed > 10m }",
    true => "sms then voice after 1m if sends > 50",
    true => "policy a { sms then wait 1h then use b } policy b { voice if elapsed < 30m }",
    false => "policy a { sms then use b after 5m } policy b { voice if elapsed > 1m }",
    false => "sms then voice after 1m if elapsed < 5m",
    false => "sms then voice after 1m if sends > 1",
    false => "sms if vars.amount > 10",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let verdict = |place: &Place<'_>, condition: &Condition| {
        let counts = counts(&condition.expr);
        counts.then(|| out_of(context, place, condition, Strict::Counters)).flatten()
    };
    let said = |place: &Place<'_>, holds: bool, keeps_nothing_back: bool| {
        let (name, earliest) = (place.name(), Span::from_ms(place.earliest));
        let what = match keeps_nothing_back {
            true => "it keeps nothing back".to_owned(),
            false => format!("`{name}` is always skipped"),
        };
        let word = if holds { "always" } else { "never" };
        let message = format!("this {word} holds when `{name}` has its turn, so {what}");
        let help = format!(
            "`{name}` has its turn `{earliest}` after the beginning at the earliest; compare with what can be"
        );
        (message, help)
    };
    tell_guards(context, &verdict, &said, &mut |told| {
        // That nothing is kept back, no one run shows.
        let run = if told.keeps_nothing_back { None } else { skipped(context, told.id) };
        found(Finding::new(told.at, told.message, told.help).shown(run));
    });
}

/// Whether a condition looks at `elapsed`, `sends` or `cost`.
fn counts(condition: &Expr) -> bool {
    condition.leaves().any(|leaf| matches!(leaf, Expr::Compare(_)) && changes_over_time(leaf))
}
