//! Where something stands in a YAML text.
//!
//! The reader of YAML tells a place only with an error. So an error is made at the place that is
//! asked for: the text is read again up to it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Line and column, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// One step on the way to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Below that name of a mapping.
    Name(String),
    /// The entry at that place of a list, from 0.
    Entry(usize),
}

impl From<&str> for Step {
    fn from(name: &str) -> Step {
        Step::Name(name.to_owned())
    }
}

impl From<usize> for Step {
    fn from(entry: usize) -> Step {
        Step::Entry(entry)
    }
}

impl Place {
    /// Where an error lies, if it says so.
    #[must_use]
    pub fn of(error: &serde_yaml::Error) -> Option<Place> {
        error.location().map(|at| Place { line: at.line(), column: at.column() })
    }

    /// The place of the last name on `path`, where `is_name`, or of the value that the path leads to.
    #[must_use]
    pub fn find(text: &str, path: &[Step], is_name: bool) -> Option<Place> {
        let walk = Walk { path, is_name };
        let error = walk.deserialize(serde_yaml::Deserializer::from_str(text)).err()?;
        Place::of(&error)
    }
}

#[derive(Clone, Copy)]
struct Walk<'a> {
    path: &'a [Step],
    is_name: bool,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything else")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((Step::Name(first), rest)) = self.path.split_first() else {
            return Err(A::Error::custom("here"));
        };
        let stop = self.is_name && rest.is_empty();
        while let Some(is_it) = map.next_key_seed(Name { name: first, stop })? {
            if is_it {
                map.next_value_seed(Walk { path: rest, is_name: self.is_name })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Some((Step::Entry(entry), rest)) = self.path.split_first() else {
            return Err(A::Error::custom("here"));
        };
        for _ in 0..*entry {
            list.next_element::<IgnoredAny>()?;
        }
        list.next_element_seed(Walk { path: rest, is_name: self.is_name })?;
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

/// A name of a mapping: whether it is the one that is looked for, at which to `stop`.
struct Name<'a> {
    name: &'a str,
    stop: bool,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = bool;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<bool, E> {
        match text == self.name {
            true if self.stop => Err(E::custom("here")),
            is_it => Ok(is_it),
        }
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }
    fn visit_i64<E: Error>(self, _: i64) -> Result<bool, E> {
        Ok(false)
    }
    fn visit_u64<E: Error>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }
    fn visit_f64<E: Error>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }
    fn visit_unit<E: Error>(self) -> Result<bool, E> {
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_found_in_mappings_and_lists() {
        let text = "a:\n  - x: 1\n    y: two\n  - {x: 3, z: [4, 5]}\n";
        let place =
            |path: &[Step], is_name| Place::find(text, path, is_name).map(|place| (place.line, place.column));
        assert_eq!(place(&["a".into()], true), Some((1, 1)));
        assert_eq!(place(&["a".into(), 0.into()], false), Some((2, 5)));
        assert_eq!(place(&["a".into(), 0.into(), "y".into()], true), Some((3, 5)));
        assert_eq!(place(&["a".into(), 0.into(), "y".into()], false), Some((3, 8)));
        assert_eq!(place(&["a".into(), 1.into(), "z".into(), 1.into()], false), Some((4, 19)));
        assert_eq!(place(&["b".into()], true), None);
    }
}
