//! Requests: the body and the query of every endpoint of the registry, as the server reads them.
//!
//! An input is a line `METHOD /path?query`, as the endpoint's path stands in the registry, and then
//! the body. Without such a line the endpoint is chosen by the text's length.

use std::sync::LazyLock;

use serde_json::Value;
use spine::api::checks::Checks;
use spine::api::conventions::cursor::Binding;
use spine::api::conventions::idempotency::canonical_request;
use spine::api::conventions::json;
use spine::api::conventions::keys::ApiKey;
use spine::api::conventions::problem::{Code, Problem};
use spine::api::endpoint::{Endpoint, Surroundings};
use spine::api::sizes::Sizes;
use spine::model::{Environment, Instant};

use super::pointer::leads_into;

static CHECKS: LazyLock<Checks> =
    LazyLock::new(|| Checks::new(&Sizes::default()).expect("the document of the server"));

/// Reads a request for its endpoint: it is taken, or every fault has its place.
pub fn look_at(bytes: &[u8]) {
    let checks = &*CHECKS;
    let (head, body) = match bytes.iter().position(|b| *b == b'\n') {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (&[][..], bytes),
    };
    let head = std::str::from_utf8(head).unwrap_or_default();
    let (path, query) = head.split_once('?').unwrap_or((head, ""));
    let named = |endpoint: &&Endpoint| {
        path.split_once(' ')
            .is_some_and(|(method, path)| endpoint.method.as_str() == method && endpoint.path == path)
    };
    let all = checks.endpoints();
    match all.iter().find(named) {
        Some(endpoint) => one(checks, endpoint, query, body),
        None => one(checks, &all[bytes.len() % all.len()], head, bytes),
    }
    let _ = ApiKey::parse(head);
    let binding = Binding { secret: &[7; 32], scope: 1, list: "/messages", filter: "" };
    assert!(binding.read(query).is_err(), "nobody gave this cursor");
}

fn one(checks: &Checks, endpoint: &Endpoint, query: &str, body: &[u8]) {
    match checks.query(endpoint, query) {
        Ok(query) => assert!(query.is_object()),
        Err(problem) => {
            shown(&problem);
            assert!(problem.errors.iter().all(|fault| fault.parameter.is_some()), "{problem:?}");
        }
    }
    for environment in [Environment::Test, Environment::Live] {
        let now = Instant::from_ms(1_767_614_400_000);
        match checks.body(endpoint, body, &Surroundings { environment, now }) {
            Ok(value) => taken(endpoint, query, &value),
            Err(problem) if problem.code == Code::MalformedJson => {
                shown(&problem);
                assert!(problem.errors.is_empty() && !problem.detail.is_empty(), "{problem:?}");
            }
            Err(problem) => {
                shown(&problem);
                assert!(!problem.errors.is_empty(), "refused without a word");
                let value = json::read(body).expect("what was told by places is JSON");
                for fault in &problem.errors {
                    let pointer = fault.pointer.as_ref().expect("a fault of a body has a place in it");
                    leads_into(&value, pointer);
                    assert!(!fault.message.is_empty());
                }
            }
        }
    }
}

/// What was taken is the same request when it comes again.
fn taken(endpoint: &Endpoint, query: &str, value: &Value) {
    let canonical = |value: &Value| {
        canonical_request(endpoint.method.as_str(), &endpoint.full_path(), query, Some(value))
    };
    let text = serde_json::to_vec(value).expect("a value is JSON");
    let again = json::read(&text).expect("what was read can be read again");
    assert_eq!(canonical(value), canonical(&again));
}

/// Every refusal can be written.
fn shown(problem: &Problem) {
    let body = serde_json::to_value(problem.body("req_0")).expect("a problem is JSON");
    assert!(body.get("status").is_some());
}
