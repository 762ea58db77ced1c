//! Names for what is different in every run: ids, cursors, secrets.

use serde_json::Value;

/// Names in the order in which things were first seen.
#[derive(Default)]
pub(crate) struct Names(Vec<(String, String)>);

impl Names {
    /// A request with real things in place of their names.
    pub(crate) fn meant(&self, text: &str) -> String {
        // Longer names first: `ctc#12` is not `ctc#1` and a 2.
        let mut names: Vec<_> = self.0.iter().collect();
        names.sort_by_key(|(_, name)| std::cmp::Reverse(name.len()));
        names.into_iter().fold(text.to_owned(), |text, (thing, name)| text.replace(name, thing))
    }

    fn name(&mut self, thing: &str, kind: &str) -> String {
        if let Some((_, name)) = self.0.iter().find(|(known, _)| known == thing) {
            return name.clone();
        }
        let count = self.0.iter().filter(|(_, name)| name.split('#').next() == Some(kind)).count();
        let name = format!("{kind}#{}", count + 1);
        self.0.push((thing.to_owned(), name.clone()));
        name
    }

    /// A field's value with names in place of things.
    pub(crate) fn shown(&mut self, field: &str, value: &Value) -> String {
        self.named(field, value).to_string()
    }

    fn named(&mut self, field: &str, value: &Value) -> Value {
        match value {
            Value::String(text) => self.of_text(field, text).into(),
            Value::Array(items) => items.iter().map(|item| self.named(field, item)).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(name, value)| (name.clone(), self.named(name, value))).collect()
            }
            other => other.clone(),
        }
    }

    fn of_text(&mut self, field: &str, text: &str) -> String {
        if field.ends_with("_cursor") {
            return self.name(text, "cursor");
        }
        if field == "hint" {
            return "hint".into();
        }
        if let Some(attempt) = text.strip_prefix("sandbox-att_") {
            return format!("sandbox-{}", self.name(&format!("att_{attempt}"), "att"));
        }
        for secret in ["sk_test_", "sk_live_", "whsec_"] {
            if text.starts_with(secret) {
                return self.name(text, secret.trim_end_matches('_'));
            }
        }
        match text.split_once('_') {
            Some((kind, rest))
                if kind.len() == 3 && rest.len() == 26 && rest.bytes().all(|b| b.is_ascii_alphanumeric()) =>
            {
                self.name(text, kind)
            }
            _ => text.to_owned(),
        }
    }
}
