use crate::lint::Context;
use crate::lint::analysis::{instant_of, leading_to, modifier_of};
use crate::model::{TimeOfDay, Window};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A window that opens in the morning closes only before the next one.
    ///
    /// `between 08:00 and 04:00` is open for twenty hours, through the night until four. Who counts the hours of the
    /// day twice to twelve means the afternoon by it.
    ///
    /// Write the hour as it is counted from midnight: `between 08:00 and 16:00`.
    WindowUntilMorning, "window-until-morning", Warning, check;
    true => "sms between 08:00 and 04:00 in UTC",
    true => "email then voice after 1h between 09:00 and 04:30 on weekdays in Europe/London",
    false => "sms between 08:00 and 16:00 in UTC",
    false => "sms between 10:00 and 02:00 in UTC",
    false => "sms between 18:00 and 04:00 in UTC",
    false => "policy p { quiet 21:00 to 07:00 in UTC sms between 08:00 and 04:00 in UTC }",
}

/// When a Tuesday begins, in minutes of the week.
const TUESDAY: usize = 1_440;

/// The same time of the afternoon, where a window opens in the morning and closes in the small hours.
fn in_the_afternoon(window: &Window) -> Option<TimeOfDay> {
    const MORNING: std::ops::RangeInclusive<u16> = 300..=720;
    const SMALL_HOURS: std::ops::RangeInclusive<u16> = 180..=360;
    let (from, to) = (window.from.minutes(), window.to.minutes());
    let fits = MORNING.contains(&from) && SMALL_HOURS.contains(&to) && to < from && from < to + 720;
    TimeOfDay::from_minutes(to + 720).filter(|_| fits)
}

fn check(context: &Context<'_>, found: Found<'_>) {
    for place in context.analysis.places().iter().filter(|place| !place.used) {
        let Some(window) = &place.stage.between else { continue };
        let Some(afternoon) = in_the_afternoon(window) else { continue };
        // The stage may have its turn hours after the message is accepted, and quiet hours may hold it.
        let last = TUESDAY + usize::from(window.to.minutes()) - 10;
        let run = (0..24).find_map(|hours| {
            let accepted = last - hours * 60;
            let is_in_the_night = |ms: i64| {
                let minute = usize::try_from(ms / 60_000).map_or(0, |ms| (accepted + ms) % 1_440);
                minute < usize::from(window.to.minutes())
            };
            let at = instant_of(accepted, &window.zone);
            leading_to(context, place.id, &|trial| trial.accepted_at(at), &|run| {
                run.sent(place.id).is_some_and(is_in_the_night)
            })
        });
        let Some(run) = run else { continue };
        let name = place.name();
        let message = format!("`{name}` may start in the night, until `{}` in the morning", window.to);
        let help = format!("was `between {} and {afternoon}` meant?", window.from);
        found(Finding::new(modifier_of(context.source, place, "between"), message, help).shown(Some(run)));
    }
}
