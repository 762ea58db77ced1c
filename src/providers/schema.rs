//! Settings and credentials against the schema of the type that reads them: all faults at once.

use std::marker::PhantomData;

use jsonschema::error::ValidationErrorKind as Kind;
use jsonschema::{ValidationError, Validator};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::model::Fault;

/// Reads values as a `T`. Made once a type: compiling a schema costs more than reading with it.
pub(super) struct Reader<T> {
    validator: Result<Validator, String>,
    reads: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned + JsonSchema> Reader<T> {
    /// Compiles the schema of the type.
    pub(super) fn new() -> Reader<T> {
        let settings = SchemaSettings::draft2020_12().for_deserialize();
        let schema = settings.into_generator().into_root_schema_for::<T>();
        let built = jsonschema::options().build(schema.as_value());
        Reader { validator: built.map_err(|error| error.masked_with("it").to_string()), reads: PhantomData }
    }

    /// The value as a `T`, or everything that is wrong with it; pointers start with `under`.
    pub(super) fn read(&self, value: &Value, under: &str) -> Result<T, Vec<Fault>> {
        let mut found = Vec::new();
        match &self.validator {
            Ok(validator) => validator.iter_errors(value).for_each(|error| faults(&error, value, &mut found)),
            Err(error) => found.push(Fault::new("", format!("cannot be checked: {error}"))),
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
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            out.extend(of_branches(context, value, at))
        }
        _ => out.push(Fault::new(at, error.masked_with("it").to_string())),
    }
}

/// What is wrong where one of several forms must stand: the faults of the one that is meant, by its
/// type and tag; else those that all forms have; else that the tag is none of those known.
fn of_branches(branches: &[Vec<ValidationError<'_>>], value: &Value, at: &str) -> Vec<Fault> {
    let told = |branch: &[ValidationError<'_>]| {
        let mut found = Vec::new();
        branch.iter().for_each(|inner| faults(inner, value, &mut found));
        found
    };
    let right_type = || branches.iter().filter(|branch| !branch.iter().any(|e| is_type_fault(e, at)));
    let meant: Vec<_> = right_type().filter(|branch| tag_fault(branch, at).is_none()).collect();
    if let [branch] = meant.as_slice() {
        return told(branch);
    }
    let tags: Vec<_> = right_type().filter_map(|branch| tag_fault(branch, at)).collect();
    if let (true, Some((pointer, _))) = (meant.is_empty(), tags.first()) {
        let known: Vec<String> = tags.iter().map(|(_, word)| word.to_string()).collect();
        return vec![Fault::new(*pointer, format!("is not one of {}", known.join(", ")))];
    }
    let mut all = branches.iter().map(|branch| told(branch));
    let mut common = all.next().unwrap_or_default();
    all.for_each(|other| common.retain(|fault| other.contains(fault)));
    if common.is_empty() {
        common.push(Fault::new(at, "is of none of the forms that may stand here"));
    }
    common
}

fn is_type_fault(error: &ValidationError<'_>, at: &str) -> bool {
    matches!(error.kind(), Kind::Type { .. }) && error.instance_path().as_str() == at
}

/// Where a branch wants another constant, at `at` or one step below, and which.
fn tag_fault<'e>(branch: &'e [ValidationError<'_>], at: &str) -> Option<(&'e str, &'e Value)> {
    branch.iter().find_map(|error| match error.kind() {
        Kind::Constant { expected_value } => {
            let pointer = error.instance_path().as_str();
            let below = pointer.strip_prefix(at)?;
            (below.matches('/').count() <= 1).then_some((pointer, expected_value.as_ref()))
        }
        _ => None,
    })
}
