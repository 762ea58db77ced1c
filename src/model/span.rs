//! Durations, in whole milliseconds, as policies and JSON write them: `30s`, `1h30m`, `2d`.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::quoted;

/// What is wrong with a text that should be a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// No number with a unit.
    #[error("{} is not a duration; write for example `30s`, `5m`, `1h30m` or `2d`", quoted(.0))]
    Shape(String),
    /// A unit that does not exist.
    #[error("{} in {} is not a unit of time; write `ms`, `s`, `m`, `h` or `d`", quoted(.unit), quoted(.text))]
    Unit {
        /// The whole text.
        text: String,
        /// The unknown unit.
        unit: String,
    },
    /// A unit that stands twice, or after a smaller one.
    #[error("the units in {} must go from large to small, each at most once, as in `1d2h30m`", quoted(.0))]
    Order(String),
    /// Longer than [`Span::MAX`].
    #[error("{} is too long; at most `3660d`", quoted(.0))]
    Long(String),
}

/// A duration: 0 to 3,660 days, in whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(i64);

impl Span {
    /// The longest: about ten years.
    pub const MAX: Span = Span(3_660 * 86_400_000);
    /// None.
    pub const ZERO: Span = Span(0);

    /// From milliseconds, cut to the range.
    #[must_use]
    pub const fn from_ms(ms: i64) -> Span {
        match ms {
            ..0 => Span(0),
            ms if ms > Self::MAX.0 => Self::MAX,
            ms => Span(ms),
        }
    }

    /// From seconds, cut to the range.
    #[must_use]
    pub const fn from_s(s: i64) -> Span {
        Self::from_ms(s.saturating_mul(1_000))
    }

    /// Whole milliseconds.
    #[must_use]
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// Written without days: `24h`, as times of waiting are spoken of.
    #[must_use]
    pub fn in_hours(self) -> String {
        self.text(&UNITS[1..])
    }

    fn text(self, units: &[(&str, i64)]) -> String {
        if self.0 == 0 {
            return "0s".to_owned();
        }
        let (mut rest, mut text) = (self.0, String::new());
        for (name, ms) in units {
            if rest >= *ms {
                _ = write!(text, "{}{name}", rest / ms);
                rest %= ms;
            }
        }
        text
    }
}

const UNITS: [(&str, i64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl FromStr for Span {
    type Err = SpanError;
    fn from_str(text: &str) -> Result<Self, SpanError> {
        let shape = || SpanError::Shape(text.to_owned());
        let (mut rest, mut total, mut next) = (text, 0_i64, 0);
        if rest.is_empty() {
            return Err(shape());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let letters = rest[digits..].find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len() - digits);
            if digits == 0 || letters == 0 {
                return Err(shape());
            }
            let (number, unit) = (&rest[..digits], &rest[digits..digits + letters]);
            let at = UNITS
                .iter()
                .position(|(name, _)| *name == unit)
                .ok_or_else(|| SpanError::Unit { text: text.to_owned(), unit: unit.to_owned() })?;
            if at < next {
                return Err(SpanError::Order(text.to_owned()));
            }
            next = at + 1;
            total = number
                .parse::<i64>()
                .ok()
                .and_then(|n| n.checked_mul(UNITS[at].1))
                .and_then(|ms| ms.checked_add(total))
                .filter(|ms| *ms <= Self::MAX.0)
                .ok_or_else(|| SpanError::Long(text.to_owned()))?;
            rest = &rest[digits + letters..];
        }
        Ok(Span(total))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(&UNITS))
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "span", "example": "30s"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_written_alike() {
        for (text, ms) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("2d", 172_800_000),
            ("1m1ms", 60_001),
        ] {
            assert_eq!(text.parse::<Span>().map(Span::ms), Ok(ms));
            assert_eq!(Span::from_ms(ms).to_string(), text);
        }
    }

    #[test]
    fn hours_are_written_without_days() {
        for (text, hours) in
            [("1d", "24h"), ("3d12h", "84h"), ("1h30m", "1h30m"), ("500ms", "500ms"), ("0s", "0s")]
        {
            assert_eq!(text.parse::<Span>().unwrap().in_hours(), hours);
        }
    }

    #[test]
    fn what_is_no_duration_says_why() {
        assert!(matches!("30".parse::<Span>(), Err(SpanError::Shape(_))));
        assert!(matches!("s".parse::<Span>(), Err(SpanError::Shape(_))));
        assert!(matches!("".parse::<Span>(), Err(SpanError::Shape(_))));
        assert!(matches!("30sec".parse::<Span>(), Err(SpanError::Unit { .. })));
        assert!(matches!("30m1h".parse::<Span>(), Err(SpanError::Order(_))));
        assert!(matches!("1h1h".parse::<Span>(), Err(SpanError::Order(_))));
        assert!(matches!("9999d".parse::<Span>(), Err(SpanError::Long(_))));
        assert!(matches!("99999999999999999999s".parse::<Span>(), Err(SpanError::Long(_))));
    }
}
