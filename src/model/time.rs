//! Instants, times of day, days of the week, windows and zones.
//!
//! Whoever asks hands the instant in, and the table of zones too: nothing here reads a clock.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Span;

/// A moment, in whole milliseconds since 1970-01-01T00:00:00Z. In JSON RFC 3339, UTC, with
/// milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(i64);

impl Instant {
    /// The earliest and the latest moment that is kept: the years 1970 to 9999.
    pub const RANGE_MS: (i64, i64) = (0, 253_402_300_799_999);

    /// From milliseconds since 1970, cut to [`Self::RANGE_MS`].
    #[must_use]
    pub const fn from_ms(ms: i64) -> Instant {
        if ms < Self::RANGE_MS.0 {
            Instant(Self::RANGE_MS.0)
        } else if ms > Self::RANGE_MS.1 {
            Instant(Self::RANGE_MS.1)
        } else {
            Instant(ms)
        }
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// The moment `span` later.
    #[must_use]
    pub const fn plus(self, span: Span) -> Instant {
        Self::from_ms(self.0.saturating_add(span.ms()))
    }

    /// How long after `earlier` this is; none where it is not after it.
    #[must_use]
    pub const fn since(self, earlier: Instant) -> Span {
        Span::from_ms(self.0 - earlier.0)
    }

    pub(super) fn timestamp(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The library counts, and its words for any precision are not needed: a message has some twenty.
        let at = EPOCH.saturating_add(SignedDuration::from_millis(self.0));
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let mut put = |from: usize, digits: usize, mut number: u16| {
            for place in (from..from + digits).rev() {
                text[place] = b'0' + (number % 10) as u8;
                number /= 10;
            }
        };
        put(0, 4, at.year().unsigned_abs());
        put(5, 2, at.month().unsigned_abs().into());
        put(8, 2, at.day().unsigned_abs().into());
        put(11, 2, at.hour().unsigned_abs().into());
        put(14, 2, at.minute().unsigned_abs().into());
        put(17, 2, at.second().unsigned_abs().into());
        put(20, 3, at.millisecond().unsigned_abs());
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

impl FromStr for Instant {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let refuse =
            || format!("{} is not a time; write for example `2026-01-05T12:00:00Z`", super::quoted(text));
        let time: jiff::Timestamp = text.parse().map_err(|_| refuse())?;
        let ms = time.as_millisecond();
        if ms < Self::RANGE_MS.0 || ms > Self::RANGE_MS.1 {
            return Err(refuse());
        }
        Ok(Instant(ms))
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Instant {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time", "example": "2026-01-05T12:00:00.000Z"})
    }
}

/// A time of day to the minute, 00:00 to 23:59.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOfDay(u16);

impl TimeOfDay {
    /// From minutes since midnight; `None` from 24:00 on.
    #[must_use]
    pub const fn from_minutes(minutes: u16) -> Option<TimeOfDay> {
        if minutes < 1_440 { Some(TimeOfDay(minutes)) } else { None }
    }

    /// Minutes since midnight.
    #[must_use]
    pub const fn minutes(self) -> u16 {
        self.0
    }
}

impl FromStr for TimeOfDay {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let refuse =
            || format!("{} is not a time of day; write for example `08:00` or `21:30`", super::quoted(text));
        let (hours, minutes) = text.split_once(':').ok_or_else(refuse)?;
        let number = |s: &str, most: u16| {
            Some(s)
                .filter(|s| matches!(s.len(), 1 | 2) && s.bytes().all(|b| b.is_ascii_digit()))
                .and_then(|s| s.parse::<u16>().ok())
                .filter(|n| *n <= most)
        };
        match (number(hours, 23), number(minutes, 59).filter(|_| minutes.len() == 2)) {
            (Some(h), Some(m)) => Ok(TimeOfDay(h * 60 + m)),
            _ => Err(refuse()),
        }
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

/// A set of days of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Days(u8);

impl Days {
    /// Every day.
    pub const ALL: Days = Days(0b111_1111);
    /// Monday to Friday.
    pub const WEEKDAYS: Days = Days(0b001_1111);
    /// Saturday and Sunday.
    pub const WEEKENDS: Days = Days(0b110_0000);
    /// The words of the single days, from Monday.
    pub const WORDS: [&'static str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

    /// No day yet.
    #[must_use]
    pub const fn none() -> Days {
        Days(0)
    }

    /// With the day that is `index` days after Monday.
    #[must_use]
    pub const fn with(self, index: usize) -> Days {
        Days(self.0 | 1 << (index % 7))
    }

    /// Whether the day that is `index` days after Monday is one of them.
    #[must_use]
    pub const fn has(self, index: usize) -> bool {
        self.0 & 1 << (index % 7) != 0
    }

    fn on(self, day: Weekday) -> bool {
        self.has(usize::try_from(day.to_monday_zero_offset()).unwrap_or_default())
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Days::WEEKDAYS => f.write_str("weekdays"),
            Days::WEEKENDS => f.write_str("weekends"),
            days => {
                let words: Vec<_> = (0..7).filter(|i| days.has(*i)).map(|i| Days::WORDS[i]).collect();
                f.write_str(&words.join(", "))
            }
        }
    }
}

/// Whose clock a time of day is read on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Zone {
    /// An IANA name.
    Named(String),
    /// The contact's; where that is missing or unknown, the one named, else the tenant's default.
    Contact {
        /// `contact.timezone else THIS`.
        otherwise: Option<String>,
    },
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Zone::Named(name) => f.write_str(name),
            Zone::Contact { otherwise: None } => f.write_str("contact.timezone"),
            Zone::Contact { otherwise: Some(name) } => write!(f, "contact.timezone else {name}"),
        }
    }
}

/// A table of zones: the one bundled with this program.
#[derive(Debug, Clone, Copy, Default)]
pub struct ZoneTable;

impl ZoneTable {
    /// The zone of an IANA name.
    #[must_use]
    pub fn get(self, name: &str) -> Option<TimeZone> {
        // An IANA name only: jiff also reads POSIX rules and offsets, which no page of ours names.
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-' | b'+'));
        if name.is_empty() || !plain {
            return None;
        }
        TimeZone::get(name).ok()
    }
}

/// From FROM (in it) to TO (not in it) by the local clock, on the days on which it begins; over
/// midnight where FROM is later than TO.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Window {
    /// The first minute in it.
    pub from: TimeOfDay,
    /// The first minute after it. Never equal to `from`.
    pub to: TimeOfDay,
    /// The days on which it begins.
    pub days: Days,
    /// Whose clock.
    pub zone: Zone,
}

/// How far ahead an opening is looked for (language page: "no instant of the coming 8 days").
const SEARCH_DAYS: i64 = 8;

impl Window {
    /// Whether the window holds `at`, its clock being that of `zone`.
    #[must_use]
    pub fn holds(&self, at: Instant, zone: &TimeZone) -> bool {
        let local = zone.to_datetime(at.timestamp());
        let minute =
            u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute())).unwrap_or_default();
        self.holds_local(local.weekday(), minute)
    }

    fn holds_local(&self, day: Weekday, minute: u16) -> bool {
        if self.from < self.to {
            self.days.on(day) && (self.from.0..self.to.0).contains(&minute)
        } else {
            (minute >= self.from.0 && self.days.on(day))
                || (minute < self.to.0 && self.days.on(day.previous()))
        }
    }

    /// The instants at which the window may open or close, from a day before `at` to nine days
    /// after it.
    fn edges(&self, at: Instant, zone: &TimeZone, out: &mut Vec<Instant>) {
        let today = zone.to_datetime(at.timestamp()).date();
        for date in (-1..=SEARCH_DAYS + 1).filter_map(|ahead| day_after(today, ahead)) {
            for time in [self.from, self.to] {
                instants_of(date, time, zone, out);
            }
        }
    }

    /// Whether the minute `of_week` (from Monday 00:00, local clock) is in the window.
    #[must_use]
    pub fn holds_minute_of_week(&self, of_week: usize) -> bool {
        let (day, minute) = ((of_week / 1_440) % 7, u16::try_from(of_week % 1_440).unwrap_or_default());
        if self.from < self.to {
            self.days.has(day) && (self.from.0..self.to.0).contains(&minute)
        } else {
            (minute >= self.from.0 && self.days.has(day)) || (minute < self.to.0 && self.days.has(day + 6))
        }
    }

    /// The first instant, not before `at` and within 8 days, at which every window of `inside` and
    /// none of `outside` holds the local clock; `None` where there is none.
    #[must_use]
    pub fn first_open(
        at: Instant,
        inside: &[(&Window, &TimeZone)],
        outside: &[(&Window, &TimeZone)],
    ) -> Option<Instant> {
        let open = |t: Instant| {
            inside.iter().all(|(w, z)| w.holds(t, z)) && !outside.iter().any(|(w, z)| w.holds(t, z))
        };
        if open(at) {
            return Some(at);
        }
        let mut edges = Vec::new();
        for (window, zone) in inside.iter().chain(outside) {
            window.edges(at, zone, &mut edges);
            edges.extend(changes(at, zone));
        }
        edges.sort_unstable();
        let last = at.plus(Span::from_s(SEARCH_DAYS * 86_400));
        edges.into_iter().filter(|t| *t > at && *t <= last).find(|t| open(*t))
    }
}

/// The first instant, not before `at`, at which the clock of `zone` shows `time` on one of `days`;
/// where a change of the clock leaves it out, the first instant after the gap. `None` where `days`
/// is empty.
fn next_time(at: Instant, time: TimeOfDay, days: Days, zone: &TimeZone) -> Option<Instant> {
    let today = zone.to_datetime(at.timestamp()).date();
    (-1..=SEARCH_DAYS).find_map(|ahead| {
        let date = day_after(today, ahead)?;
        if !days.on(date.weekday()) {
            return None;
        }
        let mut shown = Vec::new();
        instants_of(date, time, zone, &mut shown);
        shown.into_iter().find(|t| *t >= at)
    })
}

impl TimeOfDay {
    /// The first instant, not before `at`, at which the clock of `zone` shows this time on one of
    /// `days`; where a change of the clock leaves it out, the first instant after the gap. `None`
    /// where `days` is empty.
    #[must_use]
    pub fn next(self, at: Instant, days: Days, zone: &TimeZone) -> Option<Instant> {
        next_time(at, self, days, zone)
    }
}

fn day_after(date: Date, days: i64) -> Option<Date> {
    date.checked_add(jiff::Span::new().try_days(days).ok()?).ok()
}

/// The instants at which the clock shows `time` on `date`, in order: one, two where the clock is
/// set back over it, the first after the gap where it is set forward over it.
fn instants_of(date: Date, time: TimeOfDay, zone: &TimeZone, out: &mut Vec<Instant>) {
    let hour = i8::try_from(time.0 / 60).unwrap_or_default();
    let minute = i8::try_from(time.0 % 60).unwrap_or_default();
    let local: DateTime = date.at(hour, minute, 0, 0);
    let ambiguous = zone.to_ambiguous_timestamp(local);
    let mut push = |t: Result<jiff::Timestamp, jiff::Error>| {
        if let Ok(t) = t {
            out.push(Instant::from_ms(t.as_millisecond()));
        }
    };
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } => push(ambiguous.compatible()),
        AmbiguousOffset::Fold { .. } => {
            push(ambiguous.earlier());
            push(ambiguous.later());
        }
        AmbiguousOffset::Gap { .. } => {
            // The gap's end is the change of the clock that lies just before the later reading.
            let after = ambiguous.later();
            push(after.map(|late| zone.preceding(late).next().map_or(late, |change| change.timestamp())));
        }
    }
}

/// The changes of the clock from a day before `at` to nine days after it.
fn changes(at: Instant, zone: &TimeZone) -> Vec<Instant> {
    let last = at.plus(Span::from_s((SEARCH_DAYS + 1) * 86_400));
    zone.following(at.timestamp())
        .map(|change| Instant::from_ms(change.timestamp().as_millisecond()))
        .take_while(|t| *t <= last)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        text.parse().unwrap()
    }
    fn window(from: &str, to: &str, days: Days) -> Window {
        Window { from: from.parse().unwrap(), to: to.parse().unwrap(), days, zone: Zone::Named("UTC".into()) }
    }

    #[test]
    fn an_instant_is_written_as_the_calendar_says() {
        // A step that meets every month, day and hour of the years.
        for ms in (0..=jiff::Timestamp::MAX.as_millisecond()).step_by(1_234_567_891) {
            let at = Instant(ms);
            assert_eq!(at.to_string(), format!("{:.3}", at.timestamp()));
        }
        // The calendar library ends a day earlier.
        assert_eq!(Instant(Instant::RANGE_MS.1).to_string(), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn an_instant_is_written_with_milliseconds_and_read_back() {
        assert_eq!(at("2026-01-05T12:00:00Z").to_string(), "2026-01-05T12:00:00.000Z");
        assert_eq!(at("2026-01-05T13:00:00.5+01:00").to_string(), "2026-01-05T12:00:00.500Z");
        assert!("yesterday".parse::<Instant>().is_err());
        assert!("1969-12-31T23:59:59Z".parse::<Instant>().is_err());
    }

    #[test]
    fn a_window_holds_from_and_not_to_and_belongs_to_the_day_on_which_it_began() {
        let utc = TimeZone::UTC;
        let friday_night = window("21:00", "08:00", Days::none().with(4));
        for (time, held) in [
            ("2026-01-09T20:59:59.999Z", false),
            ("2026-01-09T21:00:00Z", true),
            ("2026-01-10T07:59:59.999Z", true),
            ("2026-01-10T08:00:00Z", false),
            ("2026-01-10T21:00:00Z", false),
            ("2026-01-09T07:00:00Z", false),
        ] {
            assert_eq!(friday_night.holds(at(time), &utc), held, "{time}");
        }
    }

    #[test]
    fn the_first_opening_is_found_over_a_weekend_and_over_two_windows() {
        let utc = TimeZone::UTC;
        let office = window("09:00", "18:00", Days::WEEKDAYS);
        let quiet = window("21:00", "10:00", Days::ALL);
        let open =
            |t| Window::first_open(at(t), &[(&office, &utc)], &[(&quiet, &utc)]).map(|t| t.to_string());
        assert_eq!(open("2026-01-09T19:00:00Z").as_deref(), Some("2026-01-12T10:00:00.000Z"));
        assert_eq!(open("2026-01-12T17:59:59Z").as_deref(), Some("2026-01-12T17:59:59.000Z"));
        let never = window("22:00", "23:00", Days::ALL);
        assert_eq!(
            Window::first_open(at("2026-01-09T19:00:00Z"), &[(&never, &utc)], &[(&quiet, &utc)]),
            None
        );
    }

    #[test]
    fn a_change_of_the_clock_moves_what_it_leaves_out_to_the_end_of_the_gap() {
        let vienna = ZoneTable.get("Europe/Vienna").unwrap();
        // 2026-03-29: 02:00 becomes 03:00 (01:00Z). 2026-10-25: 03:00 becomes 02:00 (01:00Z).
        let half_past_two: TimeOfDay = "02:30".parse().unwrap();
        let next = |t| half_past_two.next(at(t), Days::ALL, &vienna).unwrap().to_string();
        assert_eq!(next("2026-03-28T23:30:00Z"), "2026-03-29T01:00:00.000Z");
        assert_eq!(next("2026-03-29T01:00:00.001Z"), "2026-03-30T00:30:00.000Z");
        assert_eq!(next("2026-10-24T23:30:00Z"), "2026-10-25T00:30:00.000Z");
        assert_eq!(next("2026-10-25T00:30:00Z"), "2026-10-25T00:30:00.000Z");
        assert_eq!(next("2026-10-25T00:30:00.001Z"), "2026-10-25T01:30:00.000Z");
        let window = window("02:30", "04:00", Days::ALL);
        let open = Window::first_open(at("2026-03-29T00:30:00Z"), &[(&window, &vienna)], &[]).unwrap();
        assert_eq!(open.to_string(), "2026-03-29T01:00:00.000Z");
    }
}
