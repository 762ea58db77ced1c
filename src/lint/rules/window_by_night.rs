use crate::lint::Context;
use crate::lint::analysis::{instant_of, leading_to, modifier_of};
use crate::model::Span;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A window lets a stage start at night and holds it by day.
    ///
    /// `between 21:00 and 08:00` names the hours in which the stage may start. Mostly it was written as the
    /// hours in which it may not.
    ///
    /// Turn the times around: `between 08:00 and 21:00`.
    WindowByNight, "window-by-night", Warning, check, gives_way;
    true => "sms between 21:00 and 08:00 in UTC",
    true => "any of (sms, push) between 22:00 and 07:00 in contact.timezone else UTC",
    false => "sms between 08:00 and 21:00 in UTC",
    false => "sms between 23:00 and 01:00 in UTC",
    false => "sms between 02:00 and 04:00 in UTC",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    for place in context.analysis.places().iter().filter(|place| !place.used) {
        let Some(window) = &place.stage.between else { continue };
        let (from, to) = (window.from.minutes(), window.to.minutes());
        let long = from > to && to + 1_440 - from >= 480;
        // It holds three in the morning and not noon.
        if !long || to <= 180 || from <= 720 || to > 720 {
            continue;
        }
        let name = place.name();
        let message = format!(
            "`{name}` may start at night, from `{}` to `{}`, and never by day",
            window.from, window.to
        );
        let help = format!("was `between {} and {}` meant?", window.to, window.from);
        let noon = instant_of(720, &window.zone);
        let run = leading_to(context, place.id, &|trial| trial.accepted_at(noon), &|run| {
            run.is_held_for(place.id, Span::from_s(3_600))
        });
        found(Finding::new(modifier_of(context.source, place, "between"), message, help).shown(run));
    }
}
