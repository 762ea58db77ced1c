//! Where a setting stands in its file.
//!
//! The reader of YAML tells a place only with an error. So an error is made at the place that is
//! asked for: the file is read again up to it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Line and column, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Place {
    pub(super) fn of(error: &serde_yaml::Error) -> Option<Place> {
        error.location().map(|at| Place { line: at.line(), column: at.column() })
    }
}

/// The place of the last name on `path`, or of the value below it.
pub(super) fn find(text: &str, path: &[String], is_name: bool) -> Option<Place> {
    let walk = Walk { path, is_name };
    let error = walk.deserialize(serde_yaml::Deserializer::from_str(text)).err()?;
    Place::of(&error)
}

#[derive(Clone, Copy)]
struct Walk<'a> {
    path: &'a [String],
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
        let Some((first, rest)) = self.path.split_first() else { return Err(A::Error::custom("here")) };
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

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(A::Error::custom("here"))
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
        deserializer.deserialize_str(self)
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
}
