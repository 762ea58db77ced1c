use crate::language::Counterexample;
use crate::language::condition::{Expr, Word};
use crate::language::policy::TextRange;
use crate::lint::Context;
use crate::lint::analysis::{Analysis, Place, Trial, guard_text, leading_to, quiet_begins, skipped};
use crate::machine::Was;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A stage is never sent, whatever providers say and whoever the message is for.
    ///
    /// `sms if quota` starts only where the quota is used up, and then the sms fails by the quota. The first stage of a
    /// policy never has its turn five minutes after the beginning, so `sms if elapsed > 5m` is always skipped. What is
    /// asked for by several guards around a stage may exclude each other.
    ///
    /// It is found by looking at everything that can happen. Where another finding says why, this one is left out.
    ///
    /// Write the condition that is meant, `unless quota` for example, or leave the stage out.
    NeverSent, "never-sent", Warning, check, gives_way;
    true => "sms if quota then email",
    true => "sms if opted_out then email",
    true => "sms unless contact has sms then email",
    true => "sms if elapsed > 5m then email",
    true => "sms then email after 5m if elapsed > 2d",
    true => "policy p { quiet 21:00 to 08:00 in UTC sms if quiet then email }",
    true => "policy p { use x if priority is low then email } policy x { sms if priority is high }",
    true => "policy p { vars { a: number, b: number } sms if vars.a > vars.b and vars.b > vars.a then email }",
    true => "sms repeat 3 times every 1m then voice after 5m if sends > 4",
    false => "sms unless quota then email",
    false => "sms if contact has sms unless opted_out then email",
    false => "sms then email after 5m if elapsed > 4m",
    false => "policy p { use x if priority is high then email } policy x { sms if priority >= high }",
    false => "sms repeat 3 times every 1m then voice after 5m if sends > 3",
    false => "push until read then sms if sends > 0",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    // What stands before it is not known here, and is looked at where it is used.
    if context.is_used() {
        return;
    }
    let analysis = context.analysis;
    let mut told = Vec::new();
    for place in analysis.places() {
        if let Some((at, message, help)) = turned_around(context, place) {
            told.push(place.id);
            found(Finding::new(at, message, help).shown(nearest(context, place)));
        }
    }
    // Of a guard that excludes itself that is told.
    let never_holds = |place: &Place<'_>| {
        Analysis::guards(place).any(|(guard, wanted)| analysis.always_skips(place.id, &guard.expr, wanted))
    };
    for place in analysis.never_sent() {
        if told.contains(&place.id) || (!place.used && never_holds(place)) {
            continue;
        }
        let name = place.name();
        let at = place.at.clone();
        let message = format!("`{name}` is never sent here, whatever happens and whoever it is for");
        let help = "write the condition that is meant, or leave the stage out";
        found(Finding::new(at, message, help).shown(nearest(context, place)));
    }
}

/// Where a guard lets the stage start just when it cannot: `if quota`, `unless contact has push`.
fn turned_around(context: &Context<'_>, place: &Place<'_>) -> Option<(TextRange, String, String)> {
    let name = place.name();
    let channel = place.channel_word().filter(|_| !place.used)?;
    let (condition, wanted) = Analysis::guards(place).next().filter(|_| !place.is_guarded_twice())?;
    let word = if wanted { "if" } else { "unless" };
    let (when, opposite) = match (&condition.expr, wanted) {
        (Expr::Word(Word::Quota), true) => ("the quota is used up", "unless quota".to_owned()),
        (Expr::Word(Word::OptedOut), true) => ("the person has opted out", "unless opted_out".to_owned()),
        (Expr::Word(Word::Tripped), true) => ("no provider can be called", "unless tripped".to_owned()),
        (Expr::HasAddress(of), false) if *of == channel => {
            ("there is no address for it", format!("if contact has {channel}"))
        }
        _ => return None,
    };
    let at = guard_text(context.source, word, &condition.at).map_or(condition.at.clone(), |whole| {
        condition.at.end - context.source[whole].trim_start().len()..condition.at.end
    });
    let message =
        format!("`{name}` is never sent here: it is tried only where {when}, and then it cannot be sent");
    Some((at, message, format!("write `{opposite}`, or leave the stage out")))
}

/// The run that comes nearest to sending it: its guards hold and it cannot run, or they hold for a while, else it is
/// skipped.
fn nearest<'a>(context: &Context<'a>, place: &Place<'_>) -> Option<Counterexample> {
    let mut asked: Vec<String> = Vec::new();
    for (guard, _) in context.analysis.around(place.id).flat_map(Analysis::guards) {
        for leaf in guard.expr.leaves() {
            match leaf {
                Expr::Word(Word::Quota) => asked.push(format!("quota.{}=used", place.name())),
                Expr::Word(Word::OptedOut) => asked.push(format!("opted_out.{}=true", place.name())),
                Expr::Word(Word::Tripped) => {
                    asked.extend(place.route.iter().map(|one| format!("breaker.{}=open", one.name)));
                }
                _ => {}
            }
        }
    }
    let knowing: &dyn Fn(Trial<'a>) -> Trial<'a> = &|trial| asked.iter().cloned().fold(trial, Trial::knowing);
    let cannot_run = leading_to(context, place.id, knowing, &|run| {
        run.has(place.id, Was::Failed) && run.sent(place.id).is_none()
    });
    let held = || {
        let quiet = context.policy.headers.quiet.as_ref()?;
        let at = quiet_begins(quiet)?;
        leading_to(context, place.id, &|trial| trial.accepted_at(at), &|run| {
            run.has(place.id, Was::Held) && run.skips(place.id)
        })
    };
    cannot_run.or_else(held).or_else(|| skipped(context, place.id))
}
