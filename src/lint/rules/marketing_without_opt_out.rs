use crate::language::condition::{Expr, Word};
use crate::language::words::listed;
use crate::lint::Context;
use crate::lint::analysis::{Analysis, Place, is_marketing, leading_to};
use crate::model::Reason;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A marketing policy does not say what becomes of those who opted out.
    ///
    /// Nobody who opted out of a channel is written to on it, whatever the policy says. But a stage that cannot run
    /// counts as failed, and the next one starts at once: whoever opted out of e-mail gets the sms.
    ///
    /// Write `unless opted_out` on the stages, so that whoever reads the policy sees that it was thought of.
    MarketingWithoutOptOut, "marketing-without-opt-out", Note, check;
    true => "policy p { category marketing quiet 20:00 to 09:00 in UTC sms }",
    true => "policy p { category marketing quiet 20:00 to 09:00 in UTC email then sms after 1d unless opted_out }",
    false => "policy p { category marketing quiet 20:00 to 09:00 in UTC sms unless opted_out }",
    false => "policy p { category transactional sms }",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    if !is_marketing(context.policy.headers.category.as_deref()) {
        return;
    }
    let asks =
        |place: &Place<'_>| Analysis::guards(place).any(|(condition, _)| names_opt_out(&condition.expr));
    let places = context.analysis.places().iter();
    let silent: Vec<&Place<'_>> = places.filter(|place| place.channel().is_some() && !asks(place)).collect();
    if let Some(place) = silent.first() {
        let name = place.name();
        // The stages that another policy brings are told with the first of them.
        let mut more: Vec<&str> =
            silent.iter().filter(|other| !other.used).map(|other| other.name()).collect();
        more.dedup();
        let message = match more.as_slice() {
            [_, _, ..] if more.len() <= 4 => format!(
                "{} do not say what becomes of those who opted out, and the policy is `marketing`",
                listed(more.iter().copied(), "and")
            ),
            _ => format!(
                "`{name}` does not say what becomes of those who opted out, and the policy is `marketing`"
            ),
        };
        let run =
            leading_to(context, place.id, &|trial| trial.knowing(format!("opted_out.{name}=true")), &|run| {
                run.fails(place.id, Reason::OptedOut).is_some()
            });
        let help = match silent.len() {
            1 => format!("write `{name} … unless opted_out`"),
            _ => format!("write `{name} … unless opted_out`, and so for each stage of this policy"),
        };
        found(Finding::new(place.at.clone(), message, help).shown(run));
    }
}

fn names_opt_out(condition: &Expr) -> bool {
    condition.leaves().any(|leaf| matches!(leaf, Expr::Word(Word::OptedOut)))
}
