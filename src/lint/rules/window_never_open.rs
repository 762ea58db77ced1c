use crate::lint::Context;
use crate::lint::analysis::{Shows, Week, modifier_of, shortest};
use crate::model::Reason;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// The quiet hours cover the whole window of a stage.
    ///
    /// `between 22:00 and 23:00` in a policy that is quiet from 21:00 to 08:00 leaves no instant at which the
    /// stage may start. It fails, each time, with `never_open`.
    ///
    /// Change one of the two.
    WindowNeverOpen, "window-never-open", Warning, check;
    true => "policy p { quiet 21:00 to 08:00 in UTC sms between 22:00 and 23:00 in UTC }",
    true => "policy p { quiet 00:00 to 23:59 on weekends in Europe/Berlin email then sms after 1h between 10:00 and 12:00 on sat in Europe/Berlin }",
    false => "policy p { quiet 21:00 to 08:00 in UTC sms between 07:00 and 09:00 in UTC }",
    false => "policy p { quiet 21:00 to 08:00 in UTC unless priority is urgent sms between 22:00 and 23:00 in UTC }",
    false => "policy p { quiet 21:00 to 08:00 in UTC sms between 22:00 and 23:00 in Asia/Tokyo }",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let Some(quiet) = context.policy.headers.quiet.as_ref().filter(|quiet| quiet.unless.is_none()) else {
        return;
    };
    for place in context.analysis.places() {
        let Some(window) = &place.stage.between else { continue };
        // Quiet hours hold channels, a group's window the group alone.
        if place.channel().is_none() || window.zone != quiet.window.zone {
            continue;
        }
        if Week::of(window).without(&Week::of(&quiet.window)).is_empty() {
            let name = place.name();
            let message = format!("the quiet hours cover this window, so `{name}` never starts");
            let at = modifier_of(context.source, place, "between");
            let help = match window.from > window.to {
                // Hours over midnight are mostly those in which nothing is to be sent.
                true => format!(
                    "was `between {} and {}` meant? Else change the quiet hours",
                    window.to, window.from
                ),
                false => "choose hours that are not quiet, or change the quiet hours".to_owned(),
            };
            found(
                Finding::new(at, message, help)
                    .shown(shortest(context, Shows::Fails(place.id, Reason::NeverOpen))),
            );
        }
    }
}
