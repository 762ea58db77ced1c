use crate::lint::Context;
use crate::lint::analysis::leading_to;
use crate::machine::Was;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A stage without `after` stands behind one that may stay silent.
    ///
    /// `sms then voice` calls where the sms fails, and never where it was accepted and nothing more is
    /// heard of it: a switched-off phone, a full mailbox, a provider without receipts. The message then
    /// ends as `sent` once the wait for a confirmation is over, a day later.
    ///
    /// Write `then voice after 10m` if silence shall lead on. If a fallback for failures alone is meant,
    /// all is well. Of two stages of which the conditions exclude each other nothing is said: the second is
    /// no fallback of the first.
    OnlyAfterFailure, "only-after-failure", Note, check;
    true => "sms then voice",
    true => "whatsapp then sms after 30s then email",
    true => "any of (push, email) then sms",
    true => "sms unless quota then voice",
    false => "sms if priority is high then voice if priority is low",
    false => "all of (email, sms) unless vars.known then push if vars.known",
    false => "sms then voice after 10m",
    false => "slack then sms",
    false => "sms then wait 10m then voice",
    false => "sms",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let places = context.analysis.places();
    for place in places {
        let Some(before) = place.before.and_then(|id| places.get(id)) else { continue };
        let leads_on = place.stage.after.is_some() || place.wait().is_some() || before.wait().is_some();
        // What another policy says is told where that policy is checked.
        if leads_on || place.used || !before.can_be_silent {
            continue;
        }
        if !context.analysis.both_may_start(before.id, place.id) {
            continue;
        }
        let (name, earlier) = (place.called(), before.called());
        let fails = if before.is_guarded() { "fails or is skipped" } else { "fails" };
        let message =
            format!("`{name}` starts only where `{earlier}` {fails}, not where nothing is heard of it");
        let help = format!("write `{name} … after 10m` if silence shall lead on too; else all is well");
        let before = before.id;
        let run = leading_to(context, before, &|trial| trial, &|run| {
            let is_silent = [Was::Reached, Was::Failed].into_iter().all(|was| !run.has(before, was));
            is_silent && run.has(before, Was::AttemptAccepted) && run.stops_at(before)
        });
        found(Finding::new(place.at.clone(), message, help).shown(run));
    }
}
