//! The document is the validator: the schemas of the OpenAPI document, compiled, with every fault
//! at once, each at its place.

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::{Draft, PatternOptions, ValidationError, Validator, ValidatorMap};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::json::push_segment;
use super::problem::Fault;

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
        let mut faults = Vec::new();
        match validator {
            Some(validator) => {
                if validator.is_valid(value) {
                    return faults;
                }
                for error in validator.iter_errors(value) {
                    tell(&error, value, &mut faults);
                    if faults.len() >= FAULTS_MAX {
                        break;
                    }
                }
                faults.truncate(FAULTS_MAX);
            }
            None => faults.push(Fault::at("", "cannot be checked: its schema is missing")),
        }
        faults
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
    serde_path_to_error::deserialize(value).map_err(|e| {
        let mut pointer = String::new();
        for segment in e.path() {
            match segment {
                serde_path_to_error::Segment::Seq { index } => push_segment(&mut pointer, &index.to_string()),
                serde_path_to_error::Segment::Map { key } => push_segment(&mut pointer, key),
                _ => {}
            }
        }
        vec![Fault::at(pointer, "has a form that cannot be taken here")]
    })
}

fn child(error: &ValidationError<'_>, segment: &str) -> String {
    let mut pointer = error.instance_path().as_str().to_owned();
    push_segment(&mut pointer, segment);
    pointer
}

fn tell(error: &ValidationError<'_>, value: &Value, faults: &mut Vec<Fault>) {
    let at = || error.instance_path().as_str().to_owned();
    match error.kind() {
        Kind::Required { property } => {
            faults.push(Fault::at(child(error, property.as_str().unwrap_or_default()), "is required"));
        }
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            faults
                .extend(unexpected.iter().map(|name| Fault::at(child(error, name), "is not a known field")));
        }
        // An object that may hold nothing is told as a whole.
        Kind::FalseSchema => {
            let held = value.pointer(&at()).and_then(Value::as_object);
            let names = held.into_iter().flat_map(Map::keys);
            faults.extend(names.map(|name| Fault::at(child(error, name), "is not a known field")));
        }
        Kind::PropertyNames { error: inner } => {
            let name = inner.instance().as_str().unwrap_or_default();
            faults.push(Fault::at(
                child(error, name),
                format!("is a name that cannot stand here: {}", words(inner)),
            ));
        }
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            let depth = error.instance_path().as_str().len();
            match the_branch_that_was_meant(context, depth) {
                Some(branch) => branch.iter().for_each(|inner| tell(inner, value, faults)),
                None => faults.push(Fault::at(at(), one_of(context))),
            }
        }
        _ => faults.push(Fault::at(at(), words(error))),
    }
}

/// The one branch whose type and tag fit: that left without a fault of type at the place itself
/// and without a constant that differs there or one step below.
fn the_branch_that_was_meant<'a>(
    context: &'a [Vec<ValidationError<'static>>],
    depth: usize,
) -> Option<&'a Vec<ValidationError<'static>>> {
    let rules_out = |e: &ValidationError<'_>| {
        let path = e.instance_path().as_str();
        let below = path.get(depth..).unwrap_or_default();
        match e.kind() {
            Kind::Type { .. } | Kind::FalseSchema => below.is_empty(),
            Kind::Constant { .. } => below.matches('/').count() <= 1,
            _ => false,
        }
    };
    let mut left = context.iter().filter(|branch| !branch.iter().any(rules_out));
    match (left.next(), left.next()) {
        (Some(branch), None) => Some(branch),
        _ => None,
    }
}

fn one_of(context: &[Vec<ValidationError<'static>>]) -> String {
    let mut words: Vec<String> = Vec::new();
    for error in context.iter().flatten() {
        match error.kind() {
            Kind::Constant { expected_value } => words.push(plain(expected_value)),
            Kind::Enum { options } => words.extend(options.as_array().into_iter().flatten().map(plain)),
            _ => {}
        }
    }
    if words.is_empty() {
        // No branch is of its type. That a value may be left out needs no words.
        let kinds = context.iter().flatten().filter_map(|error| match error.kind() {
            Kind::Type { kind: TypeKind::Single(kind) } => Some(kind.to_string()),
            _ => None,
        });
        let mut kinds: Vec<_> = kinds.filter(|kind| kind != "null").map(|kind| with_article(&kind)).collect();
        kinds.dedup();
        match kinds.as_slice() {
            [] => "has none of the forms that can be taken here".into(),
            kinds => format!("must be {}", kinds.join(" or ")),
        }
    } else {
        format!("must be one of {}", words.join(", "))
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| format!("`{text}`"))
}

/// What is wrong, in our words, and never with the value, which may be private.
fn words(error: &ValidationError<'_>) -> String {
    let many = |n: u64, what: &str| if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") };
    match error.kind() {
        Kind::Type { kind } => match kind {
            TypeKind::Single(kind) => format!("must be {}", with_article(&kind.to_string())),
            TypeKind::Multiple(kinds) => {
                // That a value may be left out needs no words.
                let kinds = kinds.iter().map(|k| k.to_string()).filter(|kind| kind != "null");
                let kinds: Vec<String> = kinds.map(|kind| with_article(&kind)).collect();
                format!("must be {}", kinds.join(" or "))
            }
        },
        Kind::Enum { options } => {
            let words: Vec<String> = options.as_array().into_iter().flatten().map(plain).collect();
            format!("must be one of {}", words.join(", "))
        }
        Kind::Constant { expected_value } => format!("must be {}", plain(expected_value)),
        Kind::Format { format } => FORMATS
            .iter()
            .find(|(name, _)| name == format)
            .map_or_else(|| format!("is not a valid {format}"), |(_, text)| (*text).to_owned()),
        Kind::MaxItems { limit } => format!("must have at most {}", many(*limit, "item")),
        Kind::MinItems { limit } => format!("must have at least {}", many(*limit, "item")),
        Kind::MaxLength { limit } => format!("must have at most {}", many(*limit, "character")),
        Kind::MinLength { limit } => format!("must have at least {}", many(*limit, "character")),
        Kind::MaxProperties { limit } if *limit == 1 => "must have at most 1 entry".into(),
        Kind::MaxProperties { limit } => format!("must have at most {limit} entries"),
        Kind::MinProperties { limit } if *limit == 1 => "must have at least 1 entry".into(),
        Kind::MinProperties { limit } => format!("must have at least {limit} entries"),
        Kind::Maximum { limit } => format!("must be at most {limit}"),
        Kind::Minimum { limit } => format!("must be at least {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("must be more than {limit}"),
        Kind::Pattern { pattern } => format!("must match `{pattern}`"),
        Kind::UniqueItems => "must not have an item twice".into(),
        _ => error.masked_with("it").to_string(),
    }
}

/// What is said of a text that is not of its format.
const FORMATS: &[(&str, &str)] = &[
    ("span", "is not a duration; write for example `30s`, `5m`, `1h30m` or `2d`"),
    ("date-time", "is not a time; write for example `2026-01-05T12:00:00Z`"),
    ("uri", "is not an absolute address; write for example `https://example.org/hook`"),
    ("email", "is not an e-mail address"),
    ("timezone", "is not an IANA time zone; write for example `Europe/Vienna`"),
];

fn with_article(word: &str) -> String {
    match word {
        "null" => "null".into(),
        "array" | "integer" | "object" => format!("an {word}"),
        _ => format!("a {word}"),
    }
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
