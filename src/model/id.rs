//! Prefixed ULIDs: 16 bytes in rows, `msg_01J…` at the edge.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use ulid::Ulid;

/// A type of thing that has ids.
pub trait IdKind: Send + Sync + 'static {
    /// The prefix with its underscore, `msg_`.
    const PREFIX: &'static str;
    /// The thing, for messages to a reader.
    const NAME: &'static str;
}

/// What is wrong with a text that should be an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} is not the id of a {name}; it should look like `{prefix}01J…`, 26 characters after the prefix",
    super::quoted(.text)
)]
pub struct IdError {
    text: String,
    name: &'static str,
    prefix: &'static str,
}

/// The id of a `K`.
pub struct Id<K>(Ulid, PhantomData<fn() -> K>);

impl<K> Id<K> {
    /// From its number, which holds the milliseconds of its making in the upper 48 bits.
    #[must_use]
    pub const fn from_u128(number: u128) -> Self {
        Id(Ulid(number), PhantomData)
    }

    /// Its number; ids minted by one process rise strictly.
    #[must_use]
    pub const fn as_u128(self) -> u128 {
        self.0.0
    }

    /// The 16 bytes that rows keep, in the order of the number.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.0.to_be_bytes()
    }

    /// From the 16 bytes of a row.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self::from_u128(u128::from_be_bytes(bytes))
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<K: IdKind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut buffer = [0_u8; ulid::ULID_LEN];
        write!(f, "{}{}", K::PREFIX, self.0.array_to_str(&mut buffer))
    }
}

impl<K: IdKind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<K: IdKind> FromStr for Id<K> {
    type Err = IdError;
    /// Takes exactly what [`fmt::Display`] writes: the prefix and 26 upper-case characters.
    fn from_str(text: &str) -> Result<Self, IdError> {
        text.strip_prefix(K::PREFIX)
            .filter(|rest| {
                rest.len() == ulid::ULID_LEN
                    && rest.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
            })
            .filter(|rest| rest.as_bytes()[0] <= b'7')
            .and_then(|rest| Ulid::from_string(rest).ok())
            .map(|ulid| Id(ulid, PhantomData))
            .filter(|id| id.to_string() == text)
            .ok_or_else(|| IdError { text: text.to_owned(), name: K::NAME, prefix: K::PREFIX })
    }
}

impl<K: IdKind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de, K: IdKind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(de::Error::custom)
    }
}

impl<K: IdKind> JsonSchema for Id<K> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("{}id", K::PREFIX).into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": format!("^{}[0-7][0-9A-HJKMNP-TV-Z]{{25}}$", K::PREFIX)})
    }
}

/// The kinds of ids, a marker type each.
pub mod kinds {
    use super::IdKind;

    macro_rules! kinds {
        ($($(#[$doc:meta])* $kind:ident = $prefix:literal, $name:literal;)+) => {
            $($(#[$doc])* #[derive(Debug)] pub enum $kind {}
              impl IdKind for $kind { const PREFIX: &'static str = $prefix; const NAME: &'static str = $name; })+
        };
    }

    kinds! {
        /// A message.
        Message = "msg_", "message";
        /// One call of a provider.
        Attempt = "att_", "attempt";
        /// A person.
        Contact = "ctc_", "contact";
        /// A version of a template.
        Template = "tpl_", "template";
        /// A version of a policy.
        Policy = "pol_", "policy";
        /// A provider.
        Provider = "prv_", "provider";
        /// An address that receives events.
        Endpoint = "whe_", "webhook endpoint";
        /// Something that happened.
        Event = "evt_", "event";
        /// An event on its way to an endpoint.
        Delivery = "dlv_", "delivery";
        /// An API key.
        Key = "key_", "key";
        /// A request.
        Request = "req_", "request";
        /// An entry of a scope's audit.
        Audit = "aud_", "audit entry";
        /// A tenant.
        Tenant = "ten_", "tenant";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written_and_not_otherwise() {
        let id = Id::<kinds::Message>::from_u128(u128::MAX);
        let text = id.to_string();
        assert_eq!(text, "msg_7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(Id::<kinds::Message>::from_bytes(id.to_bytes()), id);
        for bad in [
            "",
            "msg_",
            "evt_7ZZZZZZZZZZZZZZZZZZZZZZZZZ",
            "msg_7zzzzzzzzzzzzzzzzzzzzzzzzz",
            "msg_8ZZZZZZZZZZZZZZZZZZZZZZZZZ",
            "msg_ILOU0000000000000000000000",
        ] {
            assert!(bad.parse::<Id<kinds::Message>>().is_err(), "{bad} was taken");
        }
    }
}
