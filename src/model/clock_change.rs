//! Changes of a zone's clock, by the table of zones: to summer time and back.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Instant;

/// One change: the clock leaves a stretch of local time out, or goes through one twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockChange {
    /// When the clock is put on or back.
    pub at: Instant,
    /// The day on which the stretch begins, `2026-03-29`.
    pub date: String,
    /// The same as days after Monday.
    pub weekday: usize,
    /// The first minute of the stretch, from that day's midnight.
    pub from: usize,
    /// The first minute after it.
    pub to: usize,
    /// Whether it is left out; else it comes twice.
    pub is_gap: bool,
}

impl ClockChange {
    /// The changes of a zone from one instant to another, in order.
    #[must_use]
    pub fn of(zone: &TimeZone, from: Instant, to: Instant) -> Vec<ClockChange> {
        let (from, to) = (from.timestamp(), to.timestamp());
        let transitions = zone.following(from).map(|transition| transition.timestamp());
        transitions.take_while(|at| *at < to).filter_map(|at| change(zone, at)).collect()
    }
}

fn change(zone: &TimeZone, at: Timestamp) -> Option<ClockChange> {
    let earlier = Timestamp::from_millisecond(at.as_millisecond() - 1).ok()?;
    let (before, after) = (zone.to_offset(earlier), zone.to_offset(at));
    let shift = i64::from(after.seconds()) - i64::from(before.seconds());
    let minutes = usize::try_from(shift.abs() / 60).ok().filter(|minutes| *minutes > 0)?;
    // Of the two local times of that instant the earlier one is where the stretch begins.
    let start = if shift > 0 { before } else { after }.to_datetime(at);
    let from = usize::try_from(i32::from(start.hour()) * 60 + i32::from(start.minute())).ok()?;
    Some(ClockChange {
        at: Instant::from_ms(at.as_millisecond()),
        date: start.date().to_string(),
        weekday: usize::try_from(start.weekday().to_monday_zero_offset()).ok()?,
        from,
        to: from + minutes,
        is_gap: shift > 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ZoneTable;

    fn shown(zone: &str) -> Vec<String> {
        let zone = ZoneTable.get(zone).unwrap();
        let (from, to) = ("2026-01-01T00:00:00Z".parse().unwrap(), "2027-01-01T00:00:00Z".parse().unwrap());
        let one = |change: ClockChange| {
            let kind = if change.is_gap { "left out" } else { "twice" };
            format!("{} {} {}-{} {kind}", change.date, change.weekday, change.from, change.to)
        };
        ClockChange::of(&zone, from, to).into_iter().map(one).collect()
    }

    #[test]
    fn the_changes_are_those_of_the_table_of_zones() {
        assert_eq!(shown("Europe/Vienna"), ["2026-03-29 6 120-180 left out", "2026-10-25 6 120-180 twice"]);
        assert_eq!(shown("America/New_York"), ["2026-03-08 6 120-180 left out", "2026-11-01 6 60-120 twice"]);
        // Half an hour only.
        assert_eq!(
            shown("Australia/Lord_Howe"),
            ["2026-04-05 6 90-120 twice", "2026-10-04 6 120-150 left out"]
        );
        assert!(shown("UTC").is_empty() && shown("Asia/Tokyo").is_empty());
    }
}
