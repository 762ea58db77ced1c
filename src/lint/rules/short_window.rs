use crate::lint::Context;
use crate::lint::analysis::{DAY_MINUTES, Week, closing, lasting, leading_to, modifier_of};
use crate::model::Span;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A window is open for less than a quarter of an hour.
    ///
    /// `between 08:00 and 08:05` sends everything in five minutes of the day, and a stage that comes a moment
    /// too late waits for a day.
    ///
    /// Check the two times; for one moment, `wait until 08:00` says it plainly.
    ShortWindow, "short-window", Warning, check;
    true => "sms between 08:00 and 08:05 in UTC",
    false => "sms between 08:00 and 09:00 in UTC",
    false => "sms between 23:50 and 00:10 in UTC",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    for place in context.analysis.places().iter().filter(|place| !place.used) {
        let Some(window) = &place.stage.between else { continue };
        let (from, to) = (usize::from(window.from.minutes()), usize::from(window.to.minutes()));
        let minutes = (to + DAY_MINUTES - from) % DAY_MINUTES;
        if minutes < 15 {
            let message = format!("this window is open for `{}` a day", lasting(minutes));
            let help = format!(
                "check the two times; for one moment, write `wait until {}` before the stage",
                window.from
            );
            // Accepted just when it has closed.
            let run = closing(&Week::of(window), &window.zone).and_then(|at| {
                leading_to(context, place.id, &|trial| trial.accepted_at(at), &|run| {
                    run.is_held_for(place.id, Span::from_s(12 * 3_600))
                })
            });
            found(Finding::new(modifier_of(context.source, place, "between"), message, help).shown(run));
        }
    }
}
