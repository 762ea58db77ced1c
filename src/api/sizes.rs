//! How large may be what callers send: limits that stand in the document and that an operator may
//! set. The document is the validator, so that a limit that is set is told, too.

use std::num::NonZeroU32;

use serde_json::Value;

/// One limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// The name of its setting, with its unit last.
    pub setting: &'static str,
    /// The schema under `components/schemas` that holds it.
    schema: &'static str,
    /// The keyword by which it holds it.
    keyword: &'static str,
}

const fn chars(setting: &'static str, schema: &'static str) -> Size {
    Size { setting, schema, keyword: "maxLength" }
}

const fn entries(setting: &'static str, schema: &'static str) -> Size {
    Size { setting, schema, keyword: "maxProperties" }
}

const fn items(setting: &'static str, schema: &'static str) -> Size {
    Size { setting, schema, keyword: "maxItems" }
}

/// All of them.
pub const SIZES: [Size; 16] = [
    chars("label_chars_max", "Label"),
    chars("person_name_chars_max", "PersonName"),
    chars("external_id_chars_max", "ExternalId"),
    chars("email_chars_max", "EmailAddress"),
    chars("url_chars_max", "HttpUrl"),
    chars("body_chars_max", "BodyText"),
    chars("subject_chars_max", "SubjectText"),
    chars("policy_source_chars_max", "PolicySource"),
    chars("reply_chars_max", "ReplyText"),
    chars("metadata_value_chars_max", "MetadataValue"),
    entries("metadata_entries_max", "Metadata"),
    entries("attributes_entries_max", "Attributes"),
    entries("vars_entries_max", "Vars"),
    items("template_bodies_max", "Bodies"),
    items("endpoint_patterns_max", "Patterns"),
    items("channels_max", "Channels"),
];

/// What an operator set, in the order of [`SIZES`]; what is not set stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sizes(pub [Option<NonZeroU32>; SIZES.len()]);

impl Sizes {
    /// Writes them into a document.
    pub(super) fn write(&self, document: &mut Value) {
        for (size, max) in SIZES.iter().zip(self.0) {
            let schema = document.pointer_mut(&format!("/components/schemas/{}", size.schema));
            if let (Some(max), Some(Value::Object(schema))) = (max, schema) {
                schema.insert(size.keyword.to_owned(), max.get().into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{openapi, resources};

    #[test]
    fn every_size_stands_in_the_document_and_is_written_where_it_stands() {
        let mut document = openapi::document(&resources::all()).unwrap();
        let at = |document: &Value, size: &Size| {
            document.pointer(&format!("/components/schemas/{}/{}", size.schema, size.keyword)).cloned()
        };
        for size in SIZES {
            assert!(at(&document, &size).is_some(), "{size:?} is not in the document");
        }
        let mut sizes = Sizes::default();
        sizes.0[0] = NonZeroU32::new(7);
        let subject = at(&document, &SIZES[6]);
        sizes.write(&mut document);
        assert_eq!(at(&document, &SIZES[0]), Some(7.into()));
        assert_eq!(at(&document, &SIZES[6]), subject, "what is not set stays");
    }
}
