//! The document is the validator: the schemas of the OpenAPI document, compiled, with every fault
//! at once, each at its place.

use jsonschema::{Draft, PatternOptions, Validator, ValidatorMap};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::problem::Fault;
use crate::model::schema;

/// What a format of our own asks of a text.
pub type FormatCheck = fn(&str) -> bool;

/// The faults told of one request at most, so that an answer stays small.
pub const FAULTS_MAX: usize = 100;

/// The validators of a document.
#[derive(Debug)]
pub struct Validators {
    map: ValidatorMap,
    document: Value,
}

impl Validators {
    /// Compiles every schema of an OpenAPI 3.1 document.
    ///
    /// # Errors
    /// A schema that is none.
    pub fn of(document: Value, formats: &[(&'static str, FormatCheck)]) -> Result<Validators, String> {
        let mut options = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true)
            .with_pattern_options(PatternOptions::regex());
        for (name, check) in formats {
            let check = *check;
            options = options.with_format(*name, check);
        }
        let map = options.build_map(&document).map_err(|e| e.to_string())?;
        Ok(Validators { map, document })
    }

    /// The validator of a schema by its name under `components/schemas`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Validator> {
        self.map.get(&format!("#/components/schemas/{name}"))
    }

    /// Every fault of `value`, in the order in which the schema finds them.
    #[must_use]
    pub fn faults(&self, schema: &str, value: &Value) -> Vec<Fault> {
        Validators::told(self.get(schema), value)
    }

    /// As [`Validators::faults`], by the schema's whole pointer, which saves putting it together.
    #[must_use]
    pub fn faults_at(&self, pointer: &str, value: &Value) -> Vec<Fault> {
        Validators::told(self.map.get(pointer), value)
    }

    fn told(validator: Option<&Validator>, value: &Value) -> Vec<Fault> {
        match validator {
            Some(validator) => {
                schema::faults(validator, value, FAULTS_MAX).into_iter().map(Fault::from).collect()
            }
            None => vec![Fault::at("", "cannot be checked: its schema is missing")],
        }
    }

    /// Makes an object of the parameters of a query, by the types of the schema, and checks it.
    ///
    /// # Errors
    /// Every parameter that is unknown, given twice, or has a value that it cannot take.
    pub fn query(&self, schema: &str, text: &str) -> Result<Value, Vec<Fault>> {
        if text.is_empty() {
            return Ok(Value::Object(Map::new()));
        }
        let properties = self.document.pointer(&format!("/components/schemas/{schema}/properties"));
        let mut given: Map<String, Value> = Map::new();
        let mut faults = Vec::new();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            if given.contains_key(name.as_ref()) {
                faults.push(Fault::parameter(name, "is given twice"));
                continue;
            }
            let typed = typed(properties.and_then(|p| p.get(name.as_ref())), &value);
            given.insert(name.into_owned(), typed);
        }
        let given = Value::Object(given);
        faults.extend(self.faults(schema, &given).into_iter().map(|fault| {
            let pointer = fault.pointer.unwrap_or_default();
            let name = pointer.trim_start_matches('/').split('/').next().unwrap_or_default();
            Fault::parameter(name.replace("~1", "/").replace("~0", "~"), fault.message)
        }));
        if faults.is_empty() { Ok(given) } else { Err(faults) }
    }
}

/// The text of a parameter as the type that its schema asks for, where it can be read as one.
fn typed(schema: Option<&Value>, text: &str) -> Value {
    let wants = |word: &str| match schema.and_then(|s| s.get("type")) {
        Some(Value::String(kind)) => kind == word,
        Some(Value::Array(kinds)) => kinds.iter().any(|k| k == word),
        _ => false,
    };
    if wants("integer") {
        // Not what Rust reads beyond digits: no sign, no leading zeros.
        let plain = text == "0" || (!text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit()));
        if let (true, Ok(number)) = (plain, text.parse::<u64>()) {
            return number.into();
        }
    }
    if wants("boolean")
        && let Ok(flag) = text.parse::<bool>()
    {
        return flag.into();
    }
    Value::String(text.to_owned())
}

/// Turns a checked value into its type.
///
/// # Errors
/// One fault, for the little that a schema lets through and the type does not, `1.0` for a whole
/// number for example.
pub fn into_type<T: DeserializeOwned>(value: Value) -> Result<T, Vec<Fault>> {
    serde_path_to_error::deserialize(value)
        .map_err(|e| vec![Fault::at(schema::pointer(e.path()), "has a form that cannot be taken here")])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::HashMap;

    fn validators() -> Validators {
        let document = json!({"openapi": "3.1.0", "components": {"schemas": {
            "Thing": {"type": "object", "additionalProperties": false, "required": ["name"], "properties": {
                "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 3},
                "tries": {"type": ["integer", "null"], "minimum": 1, "maximum": 9},
                "pause": {"anyOf": [{"$ref": "#/components/schemas/Pause"}, {"type": "null"}]},
                "kind": {"oneOf": [{"const": "a"}, {"const": "b"}]},
                "map": {"type": "object", "propertyNames": {"pattern": "^[a-z]+$"}, "maxProperties": 1}
            }},
            "Pause": {"type": "string", "format": "span"},
            "Nothing": {"type": "object", "additionalProperties": false},
            "Page": {"type": "object", "additionalProperties": false, "properties": {
                "limit": {"type": ["integer", "null"], "minimum": 1, "maximum": 100}, "type": {"type": "string"},
                "ended": {"type": "boolean"}
            }}
        }}});
        Validators::of(document, &[("span", |s| s.ends_with('s'))]).unwrap()
    }

    fn told(value: Value) -> Vec<String> {
        let mut told: Vec<_> = validators()
            .faults("Thing", &value)
            .into_iter()
            .map(|f| format!("{} {}", f.pointer.unwrap_or_default(), f.message))
            .collect();
        told.sort();
        told
    }

    #[test]
    fn every_fault_is_told_at_once_at_its_place_and_without_the_value() {
        assert_eq!(
            told(
                json!({"name": "Secret", "tries": 0, "nope/x": 1, "pause": "later", "kind": "c", "map": {"A": 1, "b": 2}})
            ),
            [
                "/kind must be one of `a`, `b`",
                "/map must have at most 1 entry",
                "/map/A is a name that cannot stand here: must match `^[a-z]+$`",
                "/name must have at most 3 characters",
                "/name must match `^[a-z]+$`",
                "/nope~1x is not a known field",
                "/pause is not a duration; write for example `30s`, `5m`, `1h30m` or `2d`",
                "/tries must be at least 1",
            ]
        );
        assert_eq!(told(json!({"tries": "x"})), ["/name is required", "/tries must be an integer"]);
        assert_eq!(told(json!([])), [" must be an object"]);
        assert_eq!(told(json!({"name": "abc", "pause": null})), Vec::<String>::new());
    }

    #[test]
    fn query_parameters_are_read_by_their_types() {
        let all = validators();
        assert_eq!(
            all.query("Page", "limit=20&type=a%2Bb&ended=true"),
            Ok(json!({"limit": 20, "type": "a+b", "ended": true}))
        );
        let faults = all.query("Page", "limit=0&limit=3&nope=1&ended=yes").unwrap_err();
        let mut told: Vec<_> = faults
            .into_iter()
            .map(|f| format!("{} {}", f.parameter.unwrap_or_default(), f.message))
            .collect();
        told.sort();
        assert_eq!(
            told,
            [
                "ended must be a boolean",
                "limit is given twice",
                "limit must be at least 1",
                "nope is not a known field"
            ]
        );
        let surplus = all.query("Nothing", "x=1").unwrap_err();
        assert_eq!(surplus, [Fault::parameter("x", "is not a known field")]);
        for bad in ["limit=+5", "limit=05", "limit=5.0", "limit=", "limit=101"] {
            assert!(all.query("Page", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_the_schema_lets_through_and_the_type_does_not_is_one_fault() {
        #[derive(Debug, serde::Deserialize)]
        struct Inner {
            #[expect(dead_code, reason = "only read for its type")]
            n: u32,
        }
        let faults = into_type::<HashMap<String, Vec<Inner>>>(json!({"a/b": [{"n": 1.0}]})).unwrap_err();
        assert_eq!(faults[0].pointer.as_deref(), Some("/a~1b/0/n"));
    }
}
