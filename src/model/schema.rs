//! What is wrong with a value by a JSON schema: every fault at once, each at its place, in our words
//! and never with the value, which may be private.

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::{ValidationError, Validator};
use serde_json::{Map, Value};

use super::Fault;

/// Every fault of `value`, in the order in which the schema finds them, `faults_max` of them at most.
#[must_use]
pub fn faults(validator: &Validator, value: &Value, faults_max: usize) -> Vec<Fault> {
    let mut faults = Vec::new();
    if validator.is_valid(value) {
        return faults;
    }
    for error in validator.iter_errors(value) {
        tell(&error, value, &mut faults);
        if faults.len() >= faults_max {
            break;
        }
    }
    faults.truncate(faults_max);
    faults
}

/// Where in a value a type could not be read.
#[must_use]
pub fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter().fold(String::new(), |at, segment| match segment {
        Segment::Seq { index } => Fault::child(&at, &index.to_string()),
        Segment::Map { key } => Fault::child(&at, key),
        Segment::Enum { .. } | Segment::Unknown => at,
    })
}

fn child(error: &ValidationError<'_>, segment: &str) -> String {
    Fault::child(error.instance_path().as_str(), segment)
}

fn tell(error: &ValidationError<'_>, value: &Value, faults: &mut Vec<Fault>) {
    let at = || error.instance_path().as_str().to_owned();
    match error.kind() {
        Kind::Required { property } => {
            faults.push(Fault::new(child(error, property.as_str().unwrap_or_default()), "is required"));
        }
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            let unknown = |name: &String| Fault::new(child(error, name), "is not a known field");
            faults.extend(unexpected.iter().map(unknown));
        }
        // An object that may hold nothing is told as a whole.
        Kind::FalseSchema => {
            let held = value.pointer(&at()).and_then(Value::as_object);
            let names = held.into_iter().flat_map(Map::keys);
            faults.extend(names.map(|name| Fault::new(child(error, name), "is not a known field")));
        }
        Kind::PropertyNames { error: inner } => {
            let name = inner.instance().as_str().unwrap_or_default();
            faults.push(Fault::new(
                child(error, name),
                format!("is a name that cannot stand here: {}", words(inner)),
            ));
        }
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            of_branches(context, value, error.instance_path().as_str(), faults);
        }
        _ => faults.push(Fault::new(at(), words(error))),
    }
}

/// What is wrong where one of several forms must stand: the faults of the one that is meant, by its
/// type and tag; else that the tag is none of those known; else the faults that all forms have; else
/// what could stand there.
fn of_branches(branches: &[Vec<ValidationError<'_>>], value: &Value, at: &str, faults: &mut Vec<Fault>) {
    let told = |branch: &[ValidationError<'_>]| {
        let mut found = Vec::new();
        branch.iter().for_each(|inner| tell(inner, value, &mut found));
        found
    };
    let right_type = || branches.iter().filter(|branch| !branch.iter().any(|e| is_type_fault(e, at)));
    let meant: Vec<_> = right_type().filter(|branch| tag_fault(branch, at).is_none()).collect();
    if let [branch] = meant.as_slice() {
        return faults.extend(told(branch));
    }
    let tags: Vec<_> = right_type().filter_map(|branch| tag_fault(branch, at)).collect();
    if let (true, Some((pointer, _))) = (meant.is_empty(), tags.first()) {
        let known: Vec<String> = tags.iter().map(|(_, word)| plain(word)).collect();
        return faults.push(Fault::new(*pointer, format!("must be one of {}", known.join(", "))));
    }
    let mut all = branches.iter().map(|branch| told(branch));
    let mut common = all.next().unwrap_or_default();
    all.for_each(|other| common.retain(|fault| other.contains(fault)));
    if common.is_empty() {
        common.push(Fault::new(at, one_of(branches)));
    }
    faults.extend(common);
}

/// Whether a branch is of another type at the place itself.
fn is_type_fault(error: &ValidationError<'_>, at: &str) -> bool {
    matches!(error.kind(), Kind::Type { .. } | Kind::FalseSchema) && error.instance_path().as_str() == at
}

/// Where a branch wants another constant, at the place itself or one step below, and which.
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

fn one_of(branches: &[Vec<ValidationError<'_>>]) -> String {
    let mut words: Vec<String> = Vec::new();
    for error in branches.iter().flatten() {
        match error.kind() {
            Kind::Constant { expected_value } => words.push(plain(expected_value)),
            Kind::Enum { options } => words.extend(options.as_array().into_iter().flatten().map(plain)),
            _ => {}
        }
    }
    if !words.is_empty() {
        return format!("must be one of {}", words.join(", "));
    }
    // No branch is of its type. That a value may be left out needs no words.
    let kinds = branches.iter().flatten().filter_map(|error| match error.kind() {
        Kind::Type { kind: TypeKind::Single(kind) } => Some(kind.to_string()),
        _ => None,
    });
    let mut kinds: Vec<_> = kinds.filter(|kind| kind != "null").map(|kind| with_article(&kind)).collect();
    kinds.dedup();
    match kinds.as_slice() {
        [] => "has none of the forms that can be taken here".into(),
        kinds => format!("must be {}", kinds.join(" or ")),
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
