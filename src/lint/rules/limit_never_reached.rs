use crate::language::policy::TextRange;
use crate::lint::Context;
use crate::lint::analysis::{Trial, header_of, words};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// The policy can never send as much as its limit allows.
    ///
    /// `limit 10 sends` on a policy of two stages bounds nothing. It reads as if it did, and mostly another
    /// number was meant.
    ///
    /// Write the number that is meant, or leave the limit out.
    LimitNeverReached, "limit-never-reached", Note, check;
    true => "policy p { limit 10 sends sms then voice after 5m }",
    for &["a: sms 0.05 EUR"]; true => "policy p { limit 3 sends, 9.00 EUR sms }",
    false => "policy p { limit 2 sends sms then voice after 5m }",
    false => "policy p { limit 3 sends voice until replied repeat 2 times every 5m }",
    for &["a: sms 0.05 EUR"]; false => "policy p { limit 0.05 EUR sms }",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let headers = &context.policy.headers;
    let is_known = headers.limit_cost.is_some() && context.analysis.has_prices();
    if headers.limit_sends.is_none() && !is_known {
        return;
    }
    let bounds = context.analysis.bounds();
    if let Some(limit) = headers.limit_sends.filter(|limit| bounds.sends_max < *limit) {
        let most = bounds.sends_max;
        let message =
            format!("the policy sends {most} messages at most, so the limit of {limit} bounds nothing");
        let help = match headers.limit_cost {
            Some(_) => format!("write `{most} sends`, or leave that part of the limit out"),
            None => format!("write `limit {most} sends`, or leave it out"),
        };
        let run = Trial::silent(context)
            .and_then(|trial| trial.shows(&|run| run.timeline.sends == bounds.sends_max));
        found(Finding::new(part_of(context, true), message, help).shown(run));
    }
    let cost = bounds.cost_max.filter(|cost| cost.micros > 0);
    if let (Some(limit), Some(most)) = (headers.limit_cost, cost)
        && most.micros < limit.micros
        && most.currency == limit.currency
    {
        let message = format!("the policy costs `{most}` at most, so the limit of `{limit}` bounds nothing");
        let help = match headers.limit_sends {
            Some(_) => format!("write `{most}`, or leave that part of the limit out"),
            None => format!("write `limit {most}`, or leave it out"),
        };
        let run =
            Trial::silent(context).and_then(|trial| trial.shows(&|run| run.timeline.cost == Some(most)));
        found(Finding::new(part_of(context, false), message, help).shown(run));
    }
}

/// Where the header says how many sends, or how much money; all of it where it says one of the two.
fn part_of(context: &Context<'_>, sends: bool) -> TextRange {
    let header = header_of(context, "limit");
    let headers = &context.policy.headers;
    if headers.limit_sends.is_none() || headers.limit_cost.is_none() {
        return header;
    }
    let all: Vec<(TextRange, &str)> = words(context.source, header.clone()).skip(1).collect();
    let of_sends = |part: &&[(TextRange, &str)]| part.iter().any(|(_, word)| word.starts_with("send"));
    let part = all.split(|(_, word)| *word == ",").find(|part| of_sends(part) == sends);
    match part {
        Some([(first, _), .., (last, _)]) => first.start..last.end,
        _ => header,
    }
}
