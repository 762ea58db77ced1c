use crate::language::policy::{TextRange, Wait};
use crate::lint::Context;
use crate::lint::analysis::{Trial, header_of, modifier_of};
use crate::machine::Was;
use crate::model::{ClockChange as Change, Days, Instant, Span, TimeOfDay, Window, Zone, ZoneTable};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A time of day is one that the clock leaves out, or shows twice, on the day of a change of the clock.
    ///
    /// In Berlin the clock goes from 02:00 to 03:00 on the last Sunday of March, and from 03:00 back to 02:00 on
    /// the last Sunday of October. `between 02:00 and 03:00` never opens on the one day and opens for two hours
    /// on the other; `quiet 22:00 to 02:30` ends twice, and in between it is quiet again. `wait until 02:30` is
    /// over at 03:00 where there is no 02:30. What is told is decided by the changes of the zone in 2026; of
    /// `contact.timezone` by the zone behind its `else`, for others are not known here.
    ///
    /// Choose a time outside of that stretch; most zones change their clocks between 00:00 and 03:00.
    ClockChange, "clock-change", Note, check;
    true => "sms between 02:00 and 03:00 in Europe/Berlin",
    true => "policy p { quiet 22:00 to 02:30 in Europe/Berlin sms }",
    true => "sms then wait until 02:30 in America/New_York then voice",
    true => "sms between 01:30 and 06:00 in contact.timezone else America/New_York",
    false => "sms between 02:00 and 06:00 in Europe/Berlin",
    false => "sms between 02:00 and 03:00 on weekdays in Europe/Berlin",
    false => "sms between 02:00 and 03:00 in UTC",
    false => "sms between 02:30 and 03:30 in contact.timezone",
}

/// The beginning of 2026, and how far from it changes are looked for.
const YEAR: (Instant, Span) = (Instant::from_ms(1_767_225_600_000), Span::from_s(365 * 86_400));

fn check(context: &Context<'_>, found: Found<'_>) {
    if let Some(quiet) = &context.policy.headers.quiet {
        window(context, &quiet.window, &|| header_of(context, "quiet"), found);
    }
    for place in context.analysis.places() {
        if let Some(between) = &place.stage.between {
            window(context, between, &|| modifier_of(context.source, place, "between"), found);
        }
        if let Some(Wait::Until { time, days, zone }) = place.wait() {
            let changes = changes(zone, &|change| is_within(*time, change) && days.has(change.weekday));
            tell(context, &changes, &format!("`{time}`"), zone, place.at.clone(), found);
        }
    }
}

fn window(context: &Context<'_>, window: &Window, at: &dyn Fn() -> TextRange, found: Found<'_>) {
    let zone = &window.zone;
    let minutes = |time: TimeOfDay| usize::from(time.minutes());
    let (from, to) = (minutes(window.from), minutes(window.to));
    let over_midnight = from > to;
    let days = window.days;
    let inside = |change: &Change| {
        !over_midnight && change.from <= from && to <= change.to && days.has(change.weekday)
    };
    let whole = changes(zone, &inside);
    if !whole.is_empty() {
        return tell(context, &whole, "the whole window", zone, at(), found);
    }
    // A window over midnight belongs to the day on which it began.
    let ends_on = if over_midnight { 6 } else { 0 };
    for (time, shift) in [(window.from, 0), (window.to, ends_on)] {
        let begins = |change: &Change, days: Days| days.has(change.weekday + shift);
        let changes = changes(zone, &|change| is_within(time, change) && begins(change, days));
        if !changes.is_empty() {
            tell(context, &changes, &format!("`{time}`"), zone, at(), found);
        }
    }
}

/// Whether a time is within the stretch of a change: at its very beginning it is like any other.
fn is_within(time: TimeOfDay, change: &Change) -> bool {
    let minute = usize::from(time.minutes());
    // A stretch over midnight goes on at the next day's beginning.
    [minute, minute + 1_440].iter().any(|minute| change.from < *minute && *minute < change.to)
}

fn changes(zone: &Zone, wanted: &dyn Fn(&Change) -> bool) -> Vec<Change> {
    let (Zone::Named(name) | Zone::Contact { otherwise: Some(name) }) = zone else { return Vec::new() };
    let Some(clock) = ZoneTable.get(name) else { return Vec::new() };
    let mut all = Change::of(&clock, YEAR.0, YEAR.0.plus(YEAR.1));
    all.retain(wanted);
    all
}

fn tell(context: &Context<'_>, changes: &[Change], what: &str, zone: &Zone, at: TextRange, found: Found<'_>) {
    let (Some(first), Zone::Named(name) | Zone::Contact { otherwise: Some(name) }) = (changes.first(), zone)
    else {
        return;
    };
    let one = |change: &Change| match change.is_gap {
        true => format!("leaves out {what} on {}", change.date),
        false => format!("shows {what} twice on {}", change.date),
    };
    let said: Vec<String> = changes.iter().map(one).collect();
    let message = format!("the clock of `{name}` {}", said.join(" and "));
    let time = |minutes: usize| format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60);
    let help = format!("choose a time outside of `{}` to `{}`", time(first.from), time(first.to));
    // What a message comes to that is accepted when the clock changes.
    let run = Trial::silent(context).and_then(|trial| {
        trial.accepted_at(first.at).shows(&|run| run.has_any(Was::Called) || run.has_any(Was::Held))
    });
    found(Finding::new(at, message, help).shown(run));
}
