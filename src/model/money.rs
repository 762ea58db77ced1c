//! Money: whole millionths of a currency's unit, so that sums are exact.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeStruct};

use super::quoted;

/// What is wrong with a text that should be money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not three capital letters.
    #[error("{} is not a currency; write three capital letters, for example `EUR`", quoted(.0))]
    Currency(String),
    /// Not a decimal number.
    #[error("{} is not an amount; write for example `0.25`", quoted(.0))]
    Amount(String),
    /// More digits after the point than can be kept.
    #[error("{} has more than six digits after the point", quoted(.0))]
    Precision(String),
    /// Larger than can be kept.
    #[error("{} is too large an amount; at most 1000000000", quoted(.0))]
    Large(String),
}

/// Three capital letters (ISO 4217).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The currency of a scope that names none.
    pub const EUR: Currency = Currency(*b"EUR");

    /// The three letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("EUR")
    }
}

impl FromStr for Currency {
    type Err = MoneyError;
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        match text.as_bytes() {
            [a, b, c] if [a, b, c].iter().all(|l| l.is_ascii_uppercase()) => Ok(Currency([*a, *b, *c])),
            _ => Err(MoneyError::Currency(text.to_owned())),
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(de::Error::custom)
    }
}

/// An amount in one currency. Never negative. In JSON `{"amount": "0.05", "currency": "EUR"}`;
/// in policies and configuration `0.05 EUR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    /// Millionths of the currency's unit.
    pub micros: i64,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// The largest amount: 10^9 units, so that no sum of a message's attempts overflows.
    pub const MICROS_MAX: i64 = 1_000_000_000 * 1_000_000;

    /// The amount as a decimal text with at least two digits after the point.
    #[must_use]
    pub fn amount(&self) -> String {
        let (units, rest) = (self.micros / 1_000_000, self.micros % 1_000_000);
        let digits = format!("{rest:06}");
        let kept = digits.trim_end_matches('0').len().max(2);
        format!("{units}.{}", &digits[..kept])
    }

    /// Parses the amount alone, `0.25`.
    ///
    /// # Errors
    /// What is no decimal number, has more than six decimals, or is larger than
    /// [`Self::MICROS_MAX`].
    pub fn parse_amount(text: &str) -> Result<i64, MoneyError> {
        let (units, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !digits(units) || !digits(decimals) {
            return Err(MoneyError::Amount(text.to_owned()));
        }
        if decimals.len() > 6 {
            return Err(MoneyError::Precision(text.to_owned()));
        }
        let large = || MoneyError::Large(text.to_owned());
        let units: i64 = units.parse().map_err(|_| large())?;
        let micros: i64 = format!("{decimals:0<6}").parse().map_err(|_| large())?;
        units
            .checked_mul(1_000_000)
            .and_then(|u| u.checked_add(micros))
            .filter(|total| *total <= Self::MICROS_MAX)
            .ok_or_else(large)
    }
}

impl FromStr for Money {
    type Err = MoneyError;
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let (amount, currency) =
            text.trim().split_once(char::is_whitespace).ok_or_else(|| MoneyError::Amount(text.to_owned()))?;
        Ok(Money { micros: Self::parse_amount(amount)?, currency: currency.trim().parse()? })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount(), self.currency)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut out = s.serialize_struct("Money", 2)?;
        out.serialize_field("amount", &self.amount())?;
        out.serialize_field("currency", &self.currency)?;
        out.end()
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Shape {
            amount: String,
            currency: Currency,
        }
        let shape = Shape::deserialize(d)?;
        let micros = Money::parse_amount(&shape.amount).map_err(de::Error::custom)?;
        Ok(Money { micros, currency: shape.currency })
    }
}

impl JsonSchema for Money {
    fn schema_name() -> Cow<'static, str> {
        "Money".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "additionalProperties": false,
            "required": ["amount", "currency"],
            "properties": {
                "amount": {"type": "string", "pattern": "^[0-9]{1,10}(\\.[0-9]{1,6})?$", "example": "0.05"},
                "currency": {"type": "string", "pattern": "^[A-Z]{3}$", "example": "EUR"}
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_both_ways() {
        for (text, micros, shown) in [
            ("0.05", 50_000, "0.05"),
            ("1", 1_000_000, "1.00"),
            ("0.000001", 1, "0.000001"),
            ("12.5", 12_500_000, "12.50"),
        ] {
            assert_eq!(Money::parse_amount(text), Ok(micros));
            assert_eq!(Money { micros, currency: Currency::EUR }.amount(), shown);
        }
    }

    #[test]
    fn what_is_no_amount_is_refused_with_the_word_given() {
        for text in ["", ".5", "1.", "-1", "1e3", "0.0000001", "99999999999999999999", "1000000001"] {
            assert!(Money::parse_amount(text).is_err(), "{text} was taken");
        }
        assert!("0.05".parse::<Money>().is_err());
        assert!("0.05 eur".parse::<Money>().is_err());
    }
}
