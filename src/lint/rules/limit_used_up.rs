use crate::lint::Context;
use crate::lint::analysis::{Place, Trial};
use crate::model::Money;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// Where nothing is heard of the stages before it, the limit is used up when a stage has its turn.
    ///
    /// Every attempt that a provider took counts, repetitions too. `limit 1 sends` with `sms then voice after 5m`
    /// leaves no call after a silent sms: the voice fails with `limit`. So it is with a limit of money, by the
    /// prices of the catalog.
    ///
    /// Raise the limit, or leave the stage out.
    LimitUsedUp, "limit-used-up", Warning, check;
    true => "policy p { limit 1 sends sms then voice after 5m }",
    true => "policy p { limit 2 sends any of (push, email) then sms after 5m }",
    true => "policy p { limit 2 sends sms then whatsapp after 5m then voice after 5m then email after 1h }",
    true => "policy p { limit 3 sends sms repeat 2 times every 5m then email after 20m }",
    true => "policy p { limit 2 sends use a then voice after 5m } policy a { sms then email after 5m }",
    true => "policy p { limit 2 sends any of (sms, email, push) }",
    true => "policy p { limit 2 sends sms then all of (email, push) after 5m }",
    for &["a: sms 0.07 EUR", "b: whatsapp 0.05 EUR"]; true => "policy p { limit 0.10 EUR sms then whatsapp after 5m }",
    false => "policy p { limit 2 sends sms then voice after 5m }",
    false => "policy p { limit 4 sends sms repeat 2 times every 5m then email after 20m }",
    false => "policy p { limit 1 sends sms then voice }",
    false => "policy p { limit 1 sends push if contact has push then sms after 5m }",
    false => "policy p { limit 1 sends push if vars.vip is true then sms after 5m }",
    for &["a: sms 0.07 EUR", "b: whatsapp 0.05 EUR"]; false => "policy p { limit 0.12 EUR sms then whatsapp after 5m }",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let (headers, analysis) = (&context.policy.headers, context.analysis);
    let is_limited = headers.limit_sends.is_some() || headers.limit_cost.is_some();
    if !is_limited || !analysis.is_cut_in_silence() {
        return;
    }
    // One run in which a stage is sent is found sooner than all are looked at.
    let is_sent = |place: &Place<'_>| {
        Trial::alone(context, place.id)
            .is_some_and(|trial| trial.comes_to(&|run| run.sent(place.id).is_some()))
    };
    let mut cut = analysis
        .places()
        .iter()
        .filter(|place| place.channel().is_some() && !is_told(context, place) && !is_sent(place));
    // What follows a stage that is cut is cut too, and is told with the first.
    let Some((place, cut_at)) = cut.find_map(|place| Some((place, analysis.silence().always_cut(place.id)?)))
    else {
        return;
    };
    let last = cut.filter(|place| analysis.silence().always_cut(place.id).is_some()).last();
    let (limit, help) = match (headers.limit_sends.filter(|limit| *limit <= cut_at.sends), headers.limit_cost)
    {
        (None, Some(limit)) => {
            (format!("`{limit}`"), "write a higher limit, or leave the stage out".to_owned())
        }
        (limit, _) => {
            let before = |place: &Place<'_>| analysis.silence_without_limits().sends_before(place.id);
            let needed = before(place).unwrap_or(cut_at.sends).saturating_add(1);
            let for_all = last.and_then(before).map(|before| before.saturating_add(1));
            let help = match for_all.filter(|for_all| *for_all > needed) {
                Some(for_all) => format!(
                    "write `limit {for_all} sends`, so that it and all that follow can be sent, or leave them out"
                ),
                None => format!("write `limit {needed} sends`, or leave the stage out"),
            };
            (limit.unwrap_or(cut_at.sends).to_string(), help)
        }
    };
    let name = place.name();
    let message = format!(
        "where nothing is heard of the stages before, the limit of {limit} is used up when `{name}` has its turn"
    );
    found(Finding::new(place.at.clone(), message, help).shown(Some(cut_at.run.clone())));
}

/// Whether the limit is told of already: as less than one price, or as too low for a group.
fn is_told(context: &Context<'_>, place: &Place<'_>) -> bool {
    let (headers, analysis) = (&context.policy.headers, context.analysis);
    let costs_more = |limit: Money| place.route.iter().all(|provider| provider.price > limit.micros);
    let cuts_group = |limit: u32| {
        let mut groups = analysis.around(place.id).filter(|around| around.is_all_of());
        groups.any(|group| analysis.cut_in_group(group.id, limit).is_some())
    };
    headers.limit_cost.is_some_and(costs_more) || headers.limit_sends.is_some_and(cuts_group)
}
