use crate::language::condition::Condition;
use crate::lint::Context;
use crate::lint::analysis::{Place, Strict, instant_of, leading_to, out_of, skipped, tell_guards};
use crate::model::Zone;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A condition asks whether it is `quiet`, and the policy has no quiet hours.
    ///
    /// Without the header `quiet` it is never quiet: `unless quiet` keeps nothing back.
    ///
    /// The hours are those of the policy that a message is sent by: of one that others use, they are looked
    /// for where it is used.
    ///
    /// Declare the hours: `quiet 21:00 to 08:00 in contact.timezone else Europe/Berlin`.
    NoQuietHours, "no-quiet-hours", Warning, check;
    true => "sms unless quiet",
    true => "policy p { sms then voice after 5m if quiet }",
    true => "sms unless quiet and priority is low",
    false => "policy p { quiet 21:00 to 08:00 in UTC push then sms unless quiet }",
    true => "policy a { use b } policy b { push then sms after 5m if quiet }",
    false => "policy a { use b } policy b { sms unless quiet }",
    false => "policy a { quiet 21:00 to 08:00 in UTC use b } policy b { push then sms after 5m if quiet }",
}

/// Three in the morning of a Monday, and what still is night from then on.
const THREE: usize = 180;
const HOUR: i64 = 3_600_000;

fn check(context: &Context<'_>, found: Found<'_>) {
    if context.policy.headers.quiet.is_some() {
        return;
    }
    let verdict = |place: &Place<'_>, condition: &Condition| out_of(context, place, condition, Strict::Quiet);
    let said = |place: &Place<'_>, _, keeps_nothing_back: bool| {
        let what = match keeps_nothing_back {
            true => "this keeps nothing back".to_owned(),
            false => format!("`{}` is always skipped", place.name()),
        };
        let help = "declare them in the policy: `quiet 21:00 to 08:00 in Europe/Berlin`";
        (format!("the policy has no quiet hours, so {what}"), help.to_owned())
    };
    tell_guards(context, &verdict, &said, &mut |told| {
        let at_night = instant_of(THREE, &Zone::Named("UTC".to_owned()));
        let run = match told.keeps_nothing_back {
            true => leading_to(context, told.id, &|trial| trial.accepted_at(at_night), &|run| {
                run.sent(told.id).is_some_and(|sent| sent <= HOUR)
            }),
            false => skipped(context, told.id),
        };
        found(Finding::new(told.at, told.message, told.help).shown(run));
    });
}
