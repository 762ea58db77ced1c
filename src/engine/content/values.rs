//! The names that a template sees.

use std::sync::Arc;

use minijinja::value::{Enumerator, Object};
use minijinja::{Environment, Value};
use serde_json::Map;

/// The name under which the contact's fields stand; a var of that name is hidden by them.
pub(super) const CONTACT: &str = "contact";

/// The vars at the top, and the contact.
pub(super) fn context(
    absent: &Value,
    vars: &Map<String, serde_json::Value>,
    contact: Option<&Map<String, serde_json::Value>>,
) -> Value {
    let mut names: Vec<(String, Value)> = given(vars);
    names.retain(|(name, _)| name != CONTACT);
    let fields = contact.map(given).unwrap_or_default();
    let contact = Contact { fields, absent: absent.clone() };
    names.push((CONTACT.to_owned(), Value::from_object(contact)));
    Value::from_pairs(names)
}

/// What has a value: `null` is none.
fn given(object: &Map<String, serde_json::Value>) -> Vec<(String, Value)> {
    let present = object.iter().filter(|(_, value)| !value.is_null());
    present.map(|(name, value)| (name.clone(), Value::from(minijinja::value::Serde(value)))).collect()
}

/// For what a contact lacks: a value that prints as nothing and yet is not defined, so that `default` replaces it: what
/// MiniJinja gives for an `if` without `else`.
pub(super) fn absent(environment: &Environment<'_>) -> Value {
    let made = environment.compile_expression("'' if false").and_then(|expression| expression.eval(()));
    made.unwrap_or(Value::UNDEFINED)
}

/// A person's fields. One that is not there prints as nothing: who is known by a number only is
/// still told what there is to tell.
#[derive(Debug)]
struct Contact {
    fields: Vec<(String, Value)>,
    absent: Value,
}

impl Object for Contact {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        let found = self.fields.iter().find(|(name, _)| name == key);
        Some(found.map_or_else(|| self.absent.clone(), |(_, value)| value.clone()))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.fields.iter().map(|(name, _)| Value::from(name.as_str())).collect())
    }
}
