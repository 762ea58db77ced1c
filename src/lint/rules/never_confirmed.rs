use crate::language::Counterexample;
use crate::language::condition::{Condition, Expr, Word};
use crate::lint::Context;
use crate::lint::analysis::{Analysis, Place, Strict, Trial, out_of, skipped, tell_guards, word_in};
use crate::machine::Was;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A condition asks for `read`, `replied` or `delivered`, and when it is decided nothing can be so yet.
    ///
    /// The first stage of a policy has nothing before it. And a stage whose goal is confirmed ends the
    /// strategy, so that `sms then voice after 5m unless delivered` never sees a delivered sms: it is
    /// reached then, and no voice is left to be skipped.
    ///
    /// A policy that others use is looked at where it is used: there it is known what comes before it.
    ///
    /// Leave the condition out, or ask the stage before for more: `push until read`.
    NeverConfirmed, "never-confirmed", Warning, check;
    true => "sms unless read",
    true => "sms then voice after 5m unless delivered",
    true => "sms then email after 1h if read",
    true => "sms then voice after 5m unless opted_out or delivered",
    false => "email until read then voice after 1d unless opted_out or delivered",
    false => "email until read then voice after 1d unless delivered",
    false => "all of (email, telegram) then voice after 1h unless read",
    true => "policy a { sms then use b after 5m } policy b { voice if delivered }",
    false => "policy a { sms then use b after 5m } policy b { voice unless delivered }",
    false => "policy a { email until read then use b after 1d } policy b { voice if delivered }",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let verdict = |place: &Place<'_>, condition: &Condition| {
        let asks = asks_for_confirmations(&condition.expr);
        asks.then(|| out_of(context, place, condition, Strict::Confirmed)).flatten()
    };
    let said = |place: &Place<'_>, _, keeps_nothing_back: bool| {
        let message = match context.analysis.confirmed_before(place.id) {
            None => "nothing can be confirmed so when this is decided".to_owned(),
            Some(level) => format!("nothing can be confirmed beyond `{level}` when this is decided"),
        };
        if keeps_nothing_back {
            return (format!("{message}, so it keeps nothing back"), "leave the condition out".to_owned());
        }
        let help = "a stage that is reached ends its strategy; leave the condition out, or ask the stage before for more";
        (format!("{message}, so `{}` is always skipped", place.name()), help.to_owned())
    };
    tell_guards(context, &verdict, &said, &mut |told| {
        let run = match told.keeps_nothing_back {
            true => ends_before(context, told.id),
            false => skipped(context, told.id),
        };
        found(Finding::new(told.at, told.message, told.help).shown(run));
    });
    for place in context.analysis.places().iter().filter(|place| !place.used && !context.is_used()) {
        for (condition, wanted) in Analysis::guards(place) {
            let Expr::Or(parts) = &condition.expr else { continue };
            let never = |part: &&Expr| {
                matches!(part, Expr::Word(Word::Confirmed(level))
                    if context.analysis.confirmed_before(place.id).is_none_or(|most| most < *level))
            };
            // Where that makes all of it always the same, it is told.
            let is_whole = verdict(place, condition).is_some();
            let Some(Expr::Word(Word::Confirmed(level))) = parts.iter().find(never).filter(|_| !is_whole)
            else {
                continue;
            };
            let message = format!("nothing can be `{level}` when this is decided, so that part says nothing");
            let help = format!("leave `{level}` out, or ask the stage before for more");
            let at = word_in(context.source, &condition.at, level.word());
            let run = if wanted { skipped(context, place.id) } else { ends_before(context, place.id) };
            found(Finding::new(at, message, help).shown(run));
        }
    }
}

/// The run in which a stage before is confirmed, so that this one never has its turn.
fn ends_before(context: &Context<'_>, id: usize) -> Option<Counterexample> {
    Trial::silent(context)?.usual().shows(&|run| {
        let has_turn = [Was::Called, Was::Skipped, Was::Failed].into_iter().any(|was| run.has(id, was));
        run.has_any(Was::Delivered) && run.has_any(Was::Reached) && !has_turn
    })
}

fn asks_for_confirmations(condition: &Expr) -> bool {
    condition.leaves().any(|leaf| matches!(leaf, Expr::Word(Word::Confirmed(_))))
}
