//! Windows: for how long they hold a stage, and for how long they let it run.

use crate::machine::plan::{Kind, StageId};
use crate::model::{Days, TimeOfDay, Window, Zone};

use super::Measure;

const DAY_MINUTES: usize = 1_440;
const WEEK_MINUTES: usize = 7 * DAY_MINUTES;
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
            (Some(window), None) | (None, Some(window)) => self.closed(id, &window.zone),
            (Some(between), Some(quiet)) if between.zone == quiet.zone => self.closed(id, &between.zone),
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

    /// The longest stretch for which windows on one clock hold a stage.
    fn closed(&self, id: StageId, zone: &Zone) -> i64 {
        let closed = self.stretches_of(id).into_iter().filter(|(open, _)| !open).map(|(_, ms)| ms);
        let longest = closed.max().unwrap_or(0);
        longest.saturating_add(if longest > 0 { shift(zone) } else { 0 })
    }

    /// The stretches of a week for which a stage's windows, on one clock, let it run or hold it.
    fn stretches_of(&self, id: StageId) -> Vec<(bool, i64)> {
        let (between, quiet) = self.windows(id);
        let windows = [between, quiet].into_iter().flatten();
        let times = windows.flat_map(|window| [window.from, window.to]);
        stretches(times, &|minute| {
            between.is_none_or(|w| w.holds_minute_of_week(minute))
                && !quiet.is_some_and(|w| w.holds_minute_of_week(minute))
        })
    }
}

/// The stretches of a week, around its end, in which `open` stays the same. It changes at none but these
/// times of day.
fn stretches(times: impl Iterator<Item = TimeOfDay>, open: &dyn Fn(usize) -> bool) -> Vec<(bool, i64)> {
    let mut of_day: Vec<usize> = times.map(|time| usize::from(time.minutes())).collect();
    of_day.sort_unstable();
    of_day.dedup();
    let days = (0..WEEK_MINUTES).step_by(DAY_MINUTES);
    let minutes: Vec<usize> = days.flat_map(|day| of_day.iter().map(move |time| day + time)).collect();
    let states: Vec<bool> = minutes.iter().map(|minute| open(*minute)).collect();
    let count = minutes.len();
    let Some(change) = (0..count).find(|n| states[*n] != states[(*n + count - 1) % count]) else {
        return vec![(states.first().copied().unwrap_or_else(|| open(0)), NEVER_OPEN_MS)];
    };
    let mut all: Vec<(bool, i64)> = Vec::new();
    for n in (change..change + count).map(|n| n % count) {
        let next = (n + 1) % count;
        let minutes = (minutes[next] + WEEK_MINUTES - minutes[n] - 1) % WEEK_MINUTES + 1;
        let lasts = i64::try_from(minutes).unwrap_or(i64::MAX).saturating_mul(MINUTE_MS);
        match all.last_mut() {
            Some((state, ms)) if *state == states[n] => *ms = ms.saturating_add(lasts),
            _ => all.push((states[n], lasts)),
        }
    }
    all
}

/// By how much a change of the clock can lengthen a stretch of local time.
fn shift(zone: &Zone) -> i64 {
    match zone {
        Zone::Named(name) if name == "UTC" || name.starts_with("Etc/") => 0,
        Zone::Named(_) | Zone::Contact { .. } => HOUR_MS,
    }
}

pub(super) fn longest_wait(time: TimeOfDay, days: Days, zone: &Zone) -> i64 {
    let minute = usize::from(time.minutes());
    let shows = |of_week: usize| days.has(of_week / DAY_MINUTES) && of_week % DAY_MINUTES == minute;
    // The minute that shows the time is over a moment after it began.
    let over = u16::try_from((minute + 1) % DAY_MINUTES).ok().and_then(TimeOfDay::from_minutes);
    let times = std::iter::once(time).chain(over);
    let closed = stretches(times, &shows).into_iter().filter(|(shows, _)| !shows).map(|(_, ms)| ms);
    let longest = closed.max().unwrap_or(0);
    longest.saturating_add(MINUTE_MS).saturating_add(shift(zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_those_that_a_look_at_each_minute_finds() {
        let zone = Zone::Named("UTC".into());
        let window = |from: &str, to: &str, days: Days| Window {
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            days,
            zone: zone.clone(),
        };
        let all = [
            window("21:00", "08:00", Days::ALL),
            window("09:00", "18:00", Days::WEEKDAYS),
            window("22:15", "06:30", Days::none().with(6)),
            window("00:00", "23:59", Days::WEEKENDS),
            window("23:59", "00:00", Days::none().with(0).with(3)),
            window("08:00", "21:00", Days::ALL),
            window("00:00", "12:00", Days::none()),
        ];
        for (one, other) in all.iter().flat_map(|one| all.iter().map(move |other| (one, other))) {
            let open = |m: usize| one.holds_minute_of_week(m) && !other.holds_minute_of_week(m);
            let found = stretches([one.from, one.to, other.from, other.to].into_iter(), &open);
            let is_change = |m: &usize| open(*m) != open((*m + WEEK_MINUTES - 1) % WEEK_MINUTES);
            let changes: Vec<usize> = (0..WEEK_MINUTES).filter(is_change).collect();
            let mut expected: Vec<(bool, i64)> = Vec::new();
            for (n, from) in changes.iter().enumerate() {
                let to = changes.get(n + 1).copied().unwrap_or(changes[0] + WEEK_MINUTES);
                expected.push((open(*from), i64::try_from(to - from).unwrap() * MINUTE_MS));
            }
            if expected.is_empty() {
                expected.push((open(0), NEVER_OPEN_MS));
            }
            assert_eq!(found, expected, "{one:?} {other:?}");
        }
    }
}
