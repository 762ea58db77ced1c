use crate::language::policy::Action;
use crate::language::words::listed;
use crate::lint::Context;
use crate::lint::analysis::{leading_to, quiet_begins};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A policy that is used has quiet hours or a limit, and the one that uses it has none.
    ///
    /// Of the headers of a used policy only `vars` come along. What `quiet` holds back there is sent at night here,
    /// and its `limit` bounds nothing.
    ///
    /// Write the header into this policy too, if it is to hold here.
    HeadersLeftBehind, "headers-left-behind", Note, check;
    true => "policy a { use b } policy b { quiet 21:00 to 08:00 in UTC sms }",
    true => "policy a { push until read then use b after 5m } policy b { limit 2 sends, 0.20 EUR sms then voice after 5m }",
    false => "policy a { quiet 22:00 to 07:00 in UTC use b } policy b { quiet 21:00 to 08:00 in UTC sms }",
    false => "policy a { use b } policy b { expires after 1h category service sms }",
}

/// What surely is inside quiet hours that have just begun, in milliseconds.
const HOUR: i64 = 3_600_000;

fn check(context: &Context<'_>, found: Found<'_>) {
    // Who uses this one is told.
    if context.is_used() {
        return;
    }
    let headers = &context.policy.headers;
    let has_limit = headers.limit_sends.is_some() || headers.limit_cost.is_some();
    for place in context.analysis.places().iter().filter(|place| !place.used) {
        let Action::Use { policy, headers: theirs, .. } = &place.stage.action else { continue };
        let limit = theirs.limit_sends.is_some() || theirs.limit_cost.is_some();
        let left =
            [("quiet", theirs.quiet.is_some() && headers.quiet.is_none()), ("limit", limit && !has_limit)];
        let left: Vec<&str> = left.into_iter().filter(|(_, left)| *left).map(|(word, _)| word).collect();
        if left.is_empty() {
            continue;
        }
        let (do_not, it) = if left.len() == 1 { ("does", "it is") } else { ("do", "they are") };
        let left = listed(left, "and");
        let message = format!("{left} of `{policy}` {do_not} not come along with `use`");
        let help = format!("write {left} into this policy too, if {it} to hold here");
        // A message that is accepted when those hours begin is sent in them.
        let run = theirs.quiet.as_ref().filter(|_| headers.quiet.is_none()).and_then(|quiet| {
            let at = quiet_begins(quiet)?;
            leading_to(context, place.id, &|trial| trial.accepted_at(at), &|run| {
                run.sent(place.id).is_some_and(|sent| sent <= HOUR)
            })
        });
        found(Finding::new(place.at.clone(), message, help).shown(run));
    }
}
