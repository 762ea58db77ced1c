//! Settings and credentials against the schema of the type that reads them: all faults at once.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::model::Fault;

/// Reads `value` as a `T`, or gives everything that is wrong with it; pointers start with `under`.
pub(super) fn read<T: DeserializeOwned + JsonSchema>(value: &Value, under: &str) -> Result<T, Vec<Fault>> {
    let schema =
        SchemaSettings::draft2020_12().for_deserialize().into_generator().into_root_schema_for::<T>();
    let mut found = Vec::new();
    match jsonschema::options().build(schema.as_value()) {
        Ok(validator) => validator.iter_errors(value).for_each(|error| faults(&error, value, &mut found)),
        Err(error) => found.push(Fault::new("", format!("cannot be checked: {}", error.masked_with("it")))),
    }
    if found.is_empty() {
        match serde_path_to_error::deserialize(value) {
            Ok(read) => return Ok(read),
            Err(error) => found.push(Fault::new(pointer(error.path()), error.inner().to_string())),
        }
    }
    found.sort();
    found.dedup();
    Err(found.into_iter().map(|fault| fault.under(under)).collect())
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter().fold(String::new(), |at, segment| match segment {
        Segment::Seq { index } => Fault::child(&at, &index.to_string()),
        Segment::Map { key } => Fault::child(&at, key),
        Segment::Enum { .. } | Segment::Unknown => at,
    })
}

fn faults(error: &ValidationError<'_>, value: &Value, out: &mut Vec<Fault>) {
    let at = error.instance_path().as_str();
    match error.kind() {
        Kind::Required { property } => {
            out.push(Fault::new(Fault::child(at, property.as_str().unwrap_or_default()), "is required"));
        }
        Kind::AdditionalProperties { unexpected } => {
            out.extend(
                unexpected.iter().map(|name| Fault::new(Fault::child(at, name), "is not a known field")),
            );
        }
        // An object that may hold nothing is told as a whole.
        Kind::FalseSchema => {
            let held = value.pointer(at).and_then(Value::as_object);
            let names = held.into_iter().flat_map(|object| object.keys());
            out.extend(names.map(|name| Fault::new(Fault::child(at, name), "is not a known field")));
        }
        // An optional field of ours: what its one branch that is not `null` says.
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            match context.iter().filter(|branch| !wrong_type(branch, at)).collect::<Vec<_>>().as_slice() {
                [branch] => branch.iter().for_each(|inner| faults(inner, value, out)),
                _ => out.push(Fault::new(at, "is of none of the forms that may stand here")),
            }
        }
        _ => out.push(Fault::new(at, error.masked_with("it").to_string())),
    }
}

fn wrong_type(branch: &[ValidationError<'_>], at: &str) -> bool {
    branch.iter().any(|e| matches!(e.kind(), Kind::Type { .. }) && e.instance_path().as_str() == at)
}
