//! Windows: for how long they hold a stage, and for how long they let it run.

use crate::machine::plan::{Kind, StageId};
use crate::model::{Days, TimeOfDay, Window, Zone};

use super::Measure;

const WEEK_MINUTES: usize = 7 * 1_440;
pub(super) const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;
const NEVER_OPEN_MS: i64 = 8 * 24 * HOUR_MS;

impl Measure<'_> {
    fn windows(&self, id: StageId) -> (Option<&Window>, Option<&Window>) {
        let stage = self.machine.stage(id);
        let quiet = self.machine.headers().quiet.as_ref().map(|quiet| &quiet.window);
        (stage.between.as_ref(), quiet.filter(|_| matches!(stage.kind, Kind::Channel(_))))
    }

    /// The longest stretch for which a stage's windows hold it.
    pub(super) fn held(&self, id: StageId) -> i64 {
        match self.windows(id) {
            (None, None) => 0,
            (Some(between), None) => closed(&between.zone, |minute| between.holds_minute_of_week(minute)),
            (None, Some(quiet)) => closed(&quiet.zone, |minute| !quiet.holds_minute_of_week(minute)),
            (Some(between), Some(quiet)) if between.zone == quiet.zone => closed(&between.zone, |minute| {
                between.holds_minute_of_week(minute) && !quiet.holds_minute_of_week(minute)
            }),
            // On two clocks: it is looked for no further than this.
            (Some(_), Some(_)) => NEVER_OPEN_MS,
        }
    }

    /// The shortest stretch for which a stage's windows hold it; 0 where that cannot be said.
    pub(super) fn held_at_least(&self, id: StageId) -> i64 {
        let (between, quiet) = self.windows(id);
        let zones: Vec<&Zone> = [between, quiet].into_iter().flatten().map(|window| &window.zone).collect();
        let zone = match zones.as_slice() {
            [zone] => zone,
            [one, other] if one == other => one,
            _ => return 0,
        };
        let shortest = self.stretches_of(id).into_iter().filter(|(open, _)| !open).map(|(_, ms)| ms).min();
        shortest.map_or(0, |ms| ms.saturating_sub(shift(zone)))
    }

    /// The shortest stretch for which they let it run.
    pub(super) fn shortest_open(&self, id: StageId) -> i64 {
        self.stretches_of(id).into_iter().filter(|(open, _)| *open).map(|(_, ms)| ms).min().unwrap_or(0)
    }

    /// The stretches of a week for which a stage's windows, on one clock, let it run or hold it.
    fn stretches_of(&self, id: StageId) -> Vec<(bool, i64)> {
        let (between, quiet) = self.windows(id);
        stretches(&|minute| {
            between.is_none_or(|w| w.holds_minute_of_week(minute))
                && !quiet.is_some_and(|w| w.holds_minute_of_week(minute))
        })
    }
}

/// The stretches of a week, around its end, in which `open` stays the same.
fn stretches(open: &dyn Fn(usize) -> bool) -> Vec<(bool, i64)> {
    let Some(change) = (0..WEEK_MINUTES).find(|m| open(*m) != open((*m + WEEK_MINUTES - 1) % WEEK_MINUTES))
    else {
        return vec![(open(0), NEVER_OPEN_MS)];
    };
    let mut all: Vec<(bool, i64)> = Vec::new();
    for minute in (change..change + WEEK_MINUTES).map(|minute| minute % WEEK_MINUTES) {
        match all.last_mut() {
            Some((state, ms)) if *state == open(minute) => *ms += MINUTE_MS,
            _ => all.push((open(minute), MINUTE_MS)),
        }
    }
    all
}

fn closed(zone: &Zone, open: impl Fn(usize) -> bool) -> i64 {
    let longest = stretches(&open).into_iter().filter(|(open, _)| !open).map(|(_, ms)| ms).max().unwrap_or(0);
    longest.saturating_add(if longest > 0 { shift(zone) } else { 0 })
}

/// By how much a change of the clock can lengthen a stretch of local time.
fn shift(zone: &Zone) -> i64 {
    match zone {
        Zone::Named(name) if name == "UTC" || name.starts_with("Etc/") => 0,
        Zone::Named(_) | Zone::Contact { .. } => HOUR_MS,
    }
}

pub(super) fn longest_wait(time: TimeOfDay, days: Days, zone: &Zone) -> i64 {
    let shows = |minute: usize| days.has(minute / 1_440) && minute % 1_440 == usize::from(time.minutes());
    // The minute that shows the time is over a moment after it began.
    let longest =
        stretches(&shows).into_iter().filter(|(shows, _)| !shows).map(|(_, ms)| ms).max().unwrap_or(0);
    longest.saturating_add(MINUTE_MS).saturating_add(shift(zone))
}
