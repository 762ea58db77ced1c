use crate::language::policy::{TextRange, Wait};
use crate::lint::Context;
use crate::lint::analysis::{Shows, Week, header_of, instant_of, lasting, modifier_of, moment, sought};
use crate::model::{TimeOfDay, Window, Zone};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A message can expire while a stage waits for its window.
    ///
    /// `between 09:00 and 18:00 on weekdays` is closed from Friday evening to Monday morning. In a policy that
    /// expires after a day, the stage is not sent where its turn comes at the weekend. The same holds of
    /// `wait until`, and of quiet hours that count for some messages only.
    ///
    /// That may be meant. Otherwise let the message live longer, or open the window on more days.
    ExpiryBeforeWindow, "expiry-before-window", Note, check;
    true => "policy p { expires after 1d sms then voice after 8h between 09:00 and 18:00 on weekdays in UTC }",
    true => "policy p { expires after 2h quiet 21:00 to 08:00 in UTC unless priority is urgent sms }",
    true => "policy p { expires after 12h sms then wait until 09:00 in UTC then voice }",
    // Whoever is sent anything is not held by the quiet hours.
    false => "policy p { expires after 2h quiet 21:00 to 08:00 in UTC unless priority is urgent sms if priority is urgent }",
    false => "policy p { expires after 7d sms then voice after 8h between 09:00 and 18:00 on weekdays in UTC }",
    false => "policy p { expires after 2d sms then wait until 09:00 in UTC then voice }",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    // That is told of the expiry itself.
    if context.analysis.expires_before_all() {
        return;
    }
    let headers = &context.policy.headers;
    let Some(expires) = headers.expires else { return };
    // Where a stage comes too late anyway, that is told, and may be the slip.
    let is_told =
        context.analysis.places().iter().any(|place| place.silent.is_some_and(|ms| ms >= expires.ms()));
    if let Some(quiet) = headers.quiet.as_ref().filter(|quiet| quiet.unless.is_some() && !is_told) {
        let open = Week::whole().without(&Week::of(&quiet.window));
        let at = || header_of(context, "expires");
        let first = context.analysis.places().iter().find(|place| place.channel().is_some());
        closed(
            context,
            found,
            &at,
            (&open, &quiet.window.zone),
            ("sending", first.map_or(0, |place| place.id)),
        );
    }
    for place in context.analysis.places() {
        if let Some(window) = &place.stage.between {
            let at = || modifier_of(context.source, place, "between");
            closed(context, found, &at, (&Week::of(window), &window.zone), ("the window", place.id));
        }
        let Some(Wait::Until { time, days, zone }) = place.wait() else { continue };
        let Some(to) = TimeOfDay::from_minutes((time.minutes() + 1) % 1_440) else { continue };
        let moment = Window { from: *time, to, days: *days, zone: zone.clone() };
        let (missed, longest) = Week::of(&moment).longest_gap().unwrap_or_default();
        if expires <= lasting(longest)
            && let Some(next) = place.next
            && let Some(run) = sought(context, Shows::Expires(next), instant_of(missed, zone)).run()
        {
            let message = format!(
                "this waits for `{}` where the time has just passed, and the message expires after `{expires}`",
                lasting(longest + 1)
            );
            found(
                Finding::new(
                    place.at.clone(),
                    message,
                    "write a longer `expires after`, if those messages are to be sent",
                )
                .shown(run),
            );
        }
    }
}

/// Tells of hours that are closed for longer than a message lives.
fn closed(
    context: &Context<'_>,
    found: Found<'_>,
    at: &dyn Fn() -> TextRange,
    hours: (&Week, &Zone),
    of: (&str, usize),
) {
    let ((open, zone), (what, id)) = (hours, of);
    let (Some(expires), Some((start, minutes))) = (context.policy.headers.expires, open.longest_gap()) else {
        return;
    };
    if expires > lasting(minutes) {
        return;
    }
    let Some(run) = sought(context, Shows::Expires(id), instant_of(start, zone)).run() else { return };
    let (length, start_at) = (lasting(minutes), moment(start));
    let message = format!(
        "{what} is closed for `{length}` from {start_at} on, and the message expires after `{expires}`"
    );
    let help = match what {
        "sending" => {
            "write a longer `expires after`, or shorter quiet hours, if those messages are to be sent"
        }
        _ => "write a longer `expires after`, or open it on more days, if those messages are to be sent",
    };
    found(Finding::new(at(), message, help).shown(run));
}
