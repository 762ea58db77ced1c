//! The OpenAPI 3.1 document, made from the registry of endpoints and the types of their bodies.

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::conventions::idempotency::KEY_CHARS_MAX;
use super::conventions::problem::{Code, PROBLEM_JSON, ProblemBody};
use super::conventions::validate::FormatCheck;
use super::endpoint::{Access, Endpoint, Gives, Idempotency};
use crate::machine::Was;
use crate::model::{Instant, Span, ZoneTable};

/// The formats of our own types.
pub const FORMATS: &[(&str, FormatCheck)] = &[
    ("span", |text| text.parse::<Span>().is_ok()),
    ("date-time", |text| text.parse::<Instant>().is_ok()),
    ("timezone", |text| ZoneTable.get(text).is_some()),
];

/// The document of these endpoints.
///
/// # Errors
/// Two types of one name with different schemas.
pub fn document(endpoints: &[Endpoint]) -> Result<Value, String> {
    let settings = || {
        SchemaSettings::draft2020_12().with(|s| {
            s.definitions_path = "/components/schemas".into();
            s.meta_schema = None;
        })
    };
    let mut takes = settings().for_deserialize().into_generator();
    let mut gives = settings().for_serialize().into_generator();
    let problem = gives.subschema_for::<ProblemBody>();
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in endpoints {
        let operation = operation(endpoint, &mut takes, &mut gives, &problem);
        let path = paths.entry(endpoint.full_path()).or_insert_with(|| json!({}));
        if let Some(methods) = path.as_object_mut() {
            methods.insert(endpoint.method.as_str().to_ascii_lowercase(), operation);
        }
    }
    let mut schemas = merged(takes.take_definitions(true), gives.take_definitions(true))?;
    // The list of the machine's own words stands on a higher floor than the shapes.
    if let Some(event) = schemas.get_mut("TransitionEvent").and_then(Value::as_object_mut) {
        event.insert("enum".into(), Was::WORDS.into());
    }
    Ok(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Spine",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Notifications by policies that tenants write. Every mutation needs an `Idempotency-Key`; every answer carries `X-Request-Id`.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"}
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key, `sk_test_…` or `sk_live_…`."}
            },
            "schemas": schemas
        }
    }))
}

/// The part of a document that requests are checked against: the schemas of their bodies and
/// queries, and what those refer to. A validator is compiled for every schema that stands in a
/// document, so that this part alone takes a third of the memory of the whole.
pub fn of_requests(document: &Value, endpoints: &[Endpoint]) -> Value {
    let mut wanted: Vec<String> =
        endpoints.iter().flat_map(|e| e.takes.iter().chain([&e.query])).map(|t| t.name.clone()).collect();
    let mut kept: Map<String, Value> = Map::new();
    while let Some(name) = wanted.pop() {
        if kept.contains_key(&name) {
            continue;
        }
        if let Some(schema) = document.pointer(&format!("/components/schemas/{name}")) {
            references(schema, &mut wanted);
            kept.insert(name, schema.clone());
        }
    }
    json!({"components": {"schemas": kept}})
}

/// Adds the names of the schemas that a schema refers to.
fn references(schema: &Value, out: &mut Vec<String>) {
    match schema {
        Value::Object(fields) => {
            let name = fields.get("$ref").and_then(Value::as_str);
            out.extend(name.and_then(|r| r.strip_prefix("#/components/schemas/")).map(str::to_owned));
            fields.values().for_each(|field| references(field, out));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, out)),
        _ => {}
    }
}

fn merged(mut one: Map<String, Value>, other: Map<String, Value>) -> Result<Map<String, Value>, String> {
    for (name, schema) in other {
        match one.get(&name) {
            Some(standing) if *standing != schema => {
                return Err(format!(
                    "two types are called `{name}` in the document: {standing} and {schema}"
                ));
            }
            _ => {
                one.insert(name, schema);
            }
        }
    }
    one.sort_keys();
    Ok(one)
}

fn operation(
    endpoint: &Endpoint,
    takes: &mut SchemaGenerator,
    gives: &mut SchemaGenerator,
    problem: &Schema,
) -> Value {
    let mut parameters: Vec<Value> = Vec::new();
    for name in variables(endpoint.path) {
        parameters.push(json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}));
    }
    let _ = (endpoint.query.schema)(takes);
    let query = takes
        .definitions()
        .get(&endpoint.query.name)
        .and_then(|s| s.get("properties"))
        .and_then(Value::as_object);
    for (name, schema) in query.into_iter().flatten() {
        let mut schema = schema.clone();
        let about = schema.as_object_mut().and_then(|s| s.shift_remove("description"));
        without_null(&mut schema);
        let mut parameter = json!({"name": name, "in": "query", "required": false, "schema": schema});
        if let (Some(about), Some(parameter)) = (about, parameter.as_object_mut()) {
            parameter.insert("description".into(), about);
        }
        parameters.push(parameter);
    }
    if endpoint.idempotency != Idempotency::None {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": true,
            "description": "The same key and the same request give the first answer again.",
            "schema": {"type": "string", "minLength": 1, "maxLength": KEY_CHARS_MAX, "pattern": "^[!-~]+$"}
        }));
    }
    let mut operation = json!({
        "operationId": operation_id(endpoint),
        "summary": endpoint.summary,
        "tags": [endpoint.tag],
    });
    let Some(fields) = operation.as_object_mut() else { return operation };
    if let Access::Permission(permission) = endpoint.access {
        let test = if endpoint.test_only { " For test keys alone." } else { "" };
        fields.insert(
            "description".into(),
            format!("Needs the permission `{}`.{test}", permission.word()).into(),
        );
    }
    if endpoint.access == Access::Open {
        fields.insert("security".into(), json!([]));
    }
    if !parameters.is_empty() {
        fields.insert("parameters".into(), parameters.into());
    }
    if let Some(body) = &endpoint.takes {
        let schema = (body.schema)(takes);
        fields.insert(
            "requestBody".into(),
            json!({"required": !body.may_be_empty, "content": {"application/json": {"schema": schema}}}),
        );
    }
    fields.insert("responses".into(), responses(endpoint, gives, problem));
    operation
}

/// A parameter is given or left out; it is never null.
fn without_null(schema: &mut Value) {
    let Some(fields) = schema.as_object_mut() else { return };
    if let Some(Value::Array(kinds)) = fields.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [kind] = kinds.as_slice() {
            let kind = kind.clone();
            fields.insert("type".into(), kind);
        }
    }
    if let Some(Value::Array(branches)) = fields.get_mut("anyOf") {
        branches.retain(|branch| branch.get("type").is_none_or(|kind| kind != "null"));
        if let [branch] = branches.as_slice() {
            *schema = branch.clone();
        }
    }
}

fn responses(endpoint: &Endpoint, gives: &mut SchemaGenerator, problem: &Schema) -> Value {
    let mut responses = Map::new();
    for Gives { status, about, schema } in &endpoint.gives {
        let answer = match schema {
            Some(schema) => {
                json!({"description": about, "content": {"application/json": {"schema": schema(gives)}}})
            }
            None => json!({"description": about}),
        };
        responses.insert(status.to_string(), answer);
    }
    let codes = problems(endpoint);
    let mut statuses: Vec<u16> = codes.iter().map(|c| c.status()).collect();
    statuses.sort_unstable();
    statuses.dedup();
    for status in statuses {
        let words: Vec<String> =
            codes.iter().filter(|c| c.status() == status).map(|c| format!("`{}`", c.word())).collect();
        responses.insert(
            status.to_string(),
            json!({"description": words.join(", "), "content": {PROBLEM_JSON: {"schema": problem}}}),
        );
    }
    responses.into()
}

/// Every problem that an endpoint can answer with: those of the conventions, by what it takes, and
/// its own.
#[must_use]
pub fn problems(endpoint: &Endpoint) -> Vec<Code> {
    let mut codes = vec![Code::Internal, Code::Overloaded, Code::ShuttingDown];
    if endpoint.access != Access::Open {
        codes.extend([Code::ParameterInvalid, Code::KeyMissing, Code::KeyMalformed, Code::KeyUnknown]);
        codes.extend([Code::KeyRevoked, Code::KeyExpired, Code::RateLimited]);
    }
    if matches!(endpoint.access, Access::Permission(_)) {
        codes.push(Code::PermissionMissing);
    }
    if endpoint.test_only {
        codes.push(Code::TestKeyNeeded);
    }
    if endpoint.takes.is_some() {
        codes.extend([Code::MalformedJson, Code::BodyTooLarge, Code::ContentTypeUnsupported, Code::Invalid]);
    }
    if endpoint.idempotency != Idempotency::None {
        codes.extend([Code::IdempotencyKeyMissing, Code::IdempotencyKeyInvalid, Code::IdempotencyConflict]);
    }
    if variables(endpoint.path).next().is_some() {
        codes.push(Code::NotFound);
    }
    codes.extend(&endpoint.problems);
    // In the order of the table, each once.
    Code::ALL.iter().copied().filter(|code| codes.contains(code)).collect()
}

fn variables(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

/// `post_messages_id_cancel`: unique, since method and path are.
fn operation_id(endpoint: &Endpoint) -> String {
    let words = endpoint.path.split(['/', '.']).filter(|s| !s.is_empty()).map(|s| s.trim_matches(['{', '}']));
    let words: Vec<&str> = words.collect();
    format!("{}_{}", endpoint.method.as_str().to_ascii_lowercase(), words.join("_"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::api::conventions::validate::Validators;
    use crate::api::{openapi_text, resources};

    /// Write it anew with `UPDATE_OPENAPI=1 cargo test --lib openapi`.
    #[test]
    fn the_committed_document_is_the_one_that_the_code_makes() {
        let made = openapi_text().unwrap();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        if std::env::var_os("UPDATE_OPENAPI").is_some() {
            std::fs::write(path, &made).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == made,
            "openapi.json is not what the code makes; run `UPDATE_OPENAPI=1 cargo test --lib openapi` and look at the difference"
        );
    }

    #[test]
    fn every_endpoint_is_described_and_stands_once() {
        let (mut places, mut ids) = (HashSet::new(), HashSet::new());
        for endpoint in resources::all() {
            assert!(
                places.insert((endpoint.method.clone(), endpoint.full_path())),
                "{endpoint:?} stands twice"
            );
            assert!(ids.insert(operation_id(&endpoint)), "{endpoint:?} has the operation id of another");
            assert!(
                !endpoint.summary.is_empty() && !endpoint.tag.is_empty(),
                "{endpoint:?} is not described"
            );
            assert!(!endpoint.gives.is_empty(), "{endpoint:?} gives nothing");
        }
    }

    #[test]
    fn the_idempotency_key_stands_exactly_where_it_is_needed() {
        let asking =
            ["/policies/check", "/policies/simulate", "/templates/{name}/render", "/callbacks/{provider_id}"];
        for endpoint in resources::all() {
            let needed = endpoint.method != axum::http::Method::GET && !asking.contains(&endpoint.path);
            assert_eq!(endpoint.idempotency != Idempotency::None, needed, "{endpoint:?}");
        }
    }

    #[test]
    fn the_document_compiles_to_validators() {
        let document = document(&resources::all()).unwrap();
        let validators = Validators::of(of_requests(&document, &resources::all()), FORMATS).unwrap();
        for endpoint in resources::all() {
            for takes in endpoint.takes.iter().chain([&endpoint.query]) {
                assert!(
                    validators.get(&takes.name).is_some(),
                    "{endpoint:?}: no schema is called {}",
                    takes.name
                );
            }
        }
    }
}
