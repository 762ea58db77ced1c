use crate::language::policy::{TextRange, Wait};
use crate::lint::Context;
use crate::lint::analysis::{header_of, modifier_of, word_in};
use crate::model::Zone;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A zone is written as a fixed distance from UTC, and the sign of `Etc/GMT` is turned around.
    ///
    /// `Etc/GMT-2` is two hours *ahead* of UTC, where most people read it as two behind. And a fixed distance
    /// knows no summer time: for half of the year the hours are an hour off.
    ///
    /// Name a place: `Europe/Berlin`, `America/New_York`.
    OddZone, "odd-zone", Warning, check;
    true => "sms between 08:00 and 20:00 in Etc/GMT-2",
    true => "policy p { quiet 21:00 to 08:00 in Etc/GMT+5 sms }",
    true => "sms then wait until 09:00 in EST then voice",
    false => "sms between 08:00 and 20:00 in Europe/Berlin",
    false => "sms between 08:00 and 20:00 in UTC",
    false => "sms between 08:00 and 20:00 in Etc/UTC",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    // The place is looked for only where something is told.
    let mut tell = |range: &dyn Fn() -> TextRange, zone: &Zone| {
        let (Zone::Named(name) | Zone::Contact { otherwise: Some(name) }) = zone else { return };
        let message = match name.strip_prefix("Etc/GMT").and_then(|sign| sign.parse::<i32>().ok()) {
            Some(hours) if hours != 0 => {
                let side = if hours > 0 { "behind" } else { "ahead of" };
                let unit = if hours.abs() == 1 { "hour" } else { "hours" };
                format!("`{name}` is {} {unit} {side} UTC, in summer as in winter", hours.abs())
            }
            _ if ["EST", "MST", "HST"].contains(&name.as_str()) => {
                format!("`{name}` knows no summer time")
            }
            _ => return,
        };
        let at = word_in(context.source, &range(), name);
        found(Finding::new(at, message, "name a place, for example `Europe/Berlin` or `America/New_York`"));
    };
    if let Some(quiet) = &context.policy.headers.quiet {
        tell(&|| header_of(context, "quiet"), &quiet.window.zone);
    }
    for place in context.analysis.places().iter().filter(|place| !place.used) {
        if let Some(window) = &place.stage.between {
            tell(&|| modifier_of(context.source, place, "between"), &window.zone);
        }
        if let Some(Wait::Until { zone, .. }) = place.wait() {
            tell(&|| place.at.clone(), zone);
        }
    }
}
