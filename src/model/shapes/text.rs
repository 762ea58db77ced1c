//! Texts and maps with their limits, each a type of its own.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident { $($key:literal: $value:expr),+ })+) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// A text that is known to fit; nothing is checked.
            pub fn new(text: impl Into<String>) -> $name {
                $name(text.into())
            }
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
            /// The text itself.
            #[must_use]
            pub fn into_string(self) -> String {
                self.0
            }
        }

        impl fmt::Debug for $name {
            /// Never the text: some of these name a person.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", $($key: $value),+})
            }
        }
    )+};
}

texts! {
    /// The name of a policy, template or provider.
    ObjectName { "pattern": "^[a-z][a-z0-9_]{0,63}$", "example": "appt_reminder" }
    /// A name, or a name and its version.
    NameRef { "pattern": "^[a-z][a-z0-9_]{0,63}(@[1-9][0-9]{0,8})?$", "example": "appt_reminder@3" }
    /// A word that says what a message is for.
    Category { "pattern": "^[a-z0-9_]{1,64}$", "example": "transactional" }
    /// A BCP 47 tag.
    Locale { "pattern": "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$", "example": "de-AT" }
    /// An E.164 number.
    PhoneNumber { "pattern": "^\\+[1-9][0-9]{6,14}$", "example": "+4915112345678" }
    /// An e-mail address.
    EmailAddress { "format": "email", "maxLength": 254, "example": "a@example.org" }
    /// What a push, Slack or Telegram service calls a recipient.
    RecipientToken { "pattern": "^[!-~]{1,4096}$" }
    /// An address that is called.
    HttpUrl { "format": "uri", "pattern": "^https?://", "maxLength": 2048, "example": "https://example.org/hook" }
    /// The caller's own id of a person.
    ExternalId { "minLength": 1, "maxLength": 255 }
    /// A person's name.
    PersonName { "minLength": 1, "maxLength": 256 }
    /// An ISO 3166 alpha-2 code.
    Country { "pattern": "^[A-Z]{2}$", "example": "AT" }
    /// An IANA name.
    TimezoneName { "format": "timezone", "maxLength": 64, "example": "Europe/Vienna" }
    /// A value of `metadata`.
    MetadataValue { "maxLength": 500 }
    /// The text of a message, or a template for it.
    BodyText { "minLength": 1, "maxLength": 65536 }
    /// A subject, or a template for it.
    SubjectText { "minLength": 1, "maxLength": 998 }
    /// The text of policies.
    PolicySource { "minLength": 1, "maxLength": 262144 }
    /// A name or a description for people.
    Label { "minLength": 1, "maxLength": 256 }
    /// An outcome script.
    ScriptText { "minLength": 1, "maxLength": 1000, "example": "accepted, delivered after 1s" }
    /// What a person answered.
    ReplyText { "minLength": 1, "maxLength": 4096 }
}

impl NameRef {
    /// The name, and the version where one is given.
    #[must_use]
    pub fn parts(&self) -> (&str, Option<u32>) {
        match self.0.split_once('@') {
            Some((name, version)) => (name, version.parse().ok()),
            None => (&self.0, None),
        }
    }

    /// As [`NameRef::parts`], for a text that was not checked: `None` where it names nothing.
    #[must_use]
    pub fn parts_of_path(&self) -> Option<(String, Option<u32>)> {
        match self.0.split_once('@') {
            None => Some((self.0.clone(), None)),
            Some((name, version)) => {
                let plain = !version.starts_with('0') && version.bytes().all(|b| b.is_ascii_digit());
                version.parse().ok().filter(|_| plain).map(|version| (name.to_owned(), Some(version)))
            }
        }
    }
}

macro_rules! maps {
    ($($(#[$doc:meta])* $name:ident of $value:ty { $names:literal, $entries_max:literal })+) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub BTreeMap<String, $value>);

        impl fmt::Debug for $name {
            /// Never what is in it.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({} entries)"), self.0.len())
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let value = generator.subschema_for::<$value>();
                json_schema!({"type": "object", "maxProperties": $entries_max,
                    "propertyNames": {"pattern": $names}, "additionalProperties": value})
            }
        }
    )+};
}

maps! {
    /// The caller's own notes: 50 entries, names to 64 characters, values to 500.
    Metadata of MetadataValue { "^.{1,64}$", 50 }
    /// Values for templates and conditions.
    Vars of serde_json::Value { "^[A-Za-z_][A-Za-z0-9_]{0,63}$", 200 }
    /// What is known of a person beyond the named fields.
    Attributes of serde_json::Value { "^[a-z][a-z0-9_]{0,63}$", 100 }
    /// Outcome scripts by provider or channel.
    Scripts of ScriptText { "^[a-z][a-z0-9_]{0,63}$", 50 }
}
