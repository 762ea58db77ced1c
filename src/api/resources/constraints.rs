//! One bad value for each constraint of each body: a constraint that is dropped from the document,
//! which a schema does silently, fails here.

use serde_json::{Value, json};

use crate::api::conventions::validate::Validators;
use crate::api::openapi::{FORMATS, document};

/// The body's schema, a body without a fault, and what is put where to make one.
type Row = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const ROWS: &[Row] = &[
    (
        "SendMessage",
        r#"{"to": {}, "content": {}, "vars": {}, "metadata": {}, "sandbox": {}}"#,
        &[
            ("/contact_id", r#""ctc_1""#),
            ("/to/sms", r#""+0123456789""#),
            ("/to/whatsapp", r#""4915112345678""#),
            ("/to/voice", r#""+49151123456789012""#),
            ("/to/email", r#""nobody""#),
            ("/to/push", r#""a b""#),
            ("/to/slack", r#""""#),
            ("/to/telegram", r#""ä""#),
            ("/to/webhook", r#""ftp://example.org""#),
            ("/to/fax", r#""1""#),
            ("/template", r#""Appt""#),
            ("/template", r#""appt@0""#),
            ("/policy", r#""1appt""#),
            ("/strategy", r#""""#),
            ("/channels", "[]"),
            ("/channels/0", r#""fax""#),
            ("/fallback_after", r#""30""#),
            ("/send_at", r#""tomorrow""#),
            ("/expires_in", r#""1h1h""#),
            ("/locale", r#""german""#),
            ("/priority", r#""most""#),
            ("/category", r#""Trans""#),
            ("/content/sms", "{}"),
            ("/content/sms/body", r#""""#),
            ("/content/sms/subject", r#""""#),
            ("/content/fax", "{}"),
            ("/vars/1a", "1"),
            ("/metadata/", r#""empty name""#),
            ("/metadata/a", "1"),
            ("/sandbox/S", r#""accepted""#),
            ("/sandbox/sms", r#""""#),
            ("/nope", "1"),
        ],
    ),
    (
        "CreateContact",
        r#"{"addresses": {}, "metadata": {}, "attributes": {}, "consent": {}}"#,
        &[
            ("/external_id", r#""""#),
            ("/name", r#""""#),
            ("/timezone", r#""Mars/Base""#),
            ("/country", r#""Austria""#),
            ("/attributes/A", "1"),
            ("/consent/sms", r#""maybe""#),
            ("/consent/fax", r#""opted_in""#),
            ("/nope", "1"),
        ],
    ),
    ("PatchContact", r#"{"addresses": {}}"#, &[("/addresses/sms", r#""1""#), ("/id", r#""x""#)]),
    ("SetConsent", r#"{"state": "opted_in"}"#, &[("/state", r#""in""#), ("/nope", "1")]),
    (
        "PublishTemplate",
        r#"{"name": "a", "bodies": [{"channel": "sms", "body": "b"}]}"#,
        &[
            ("/name", r#""A""#),
            ("/bodies", "[]"),
            ("/bodies/0/channel", r#""fax""#),
            ("/bodies/0/body", r#""""#),
            ("/bodies/0/html", r#""""#),
            ("/bodies/0/subject", r#""""#),
            ("/bodies/0/locale", r#""x""#),
            ("/bodies/0/nope", "1"),
            ("/default_policy", r#""a@b""#),
            ("/category", r#""A""#),
        ],
    ),
    (
        "PublishPolicies",
        r#"{"source": "sms", "name": "a"}"#,
        &[("/source", r#""""#), ("/name", r#""A""#), ("/nope", "1")],
    ),
    ("CheckPolicies", r#"{"source": ""}"#, &[("/source", "1"), ("/name", r#""a""#)]),
    (
        "SimulatePolicy",
        r#"{"script": {}, "facts": {}}"#,
        &[("/policy", r#""a@""#), ("/script/S", r#""accepted""#), ("/facts", "[]"), ("/at", r#""now""#)],
    ),
    ("RenderTemplate", r#"{"channel": "sms", "vars": {}}"#, &[("/vars/a-b", "1"), ("/locale", r#""x""#)]),
    (
        "CreateProvider",
        r#"{"name": "a", "kind": "sandbox", "prices": {}, "confirms": {}, "horizon": {}}"#,
        &[
            ("/name", r#""a b""#),
            ("/kind", r#""""#),
            ("/channels", "[]"),
            ("/channels", r#"["sms", "sms"]"#),
            ("/prices/fax", r#"{"amount": "1", "currency": "EUR"}"#),
            ("/prices/sms", r#"{"amount": "1"}"#),
            ("/prices/sms/amount", r#""-1""#),
            ("/prices/sms/currency", r#""eur""#),
            ("/settings", "1"),
            ("/credentials", "[]"),
            ("/weight", "10001"),
            ("/weight", "-1"),
            ("/rate_per_second", "0"),
            ("/rate_per_second", "1000001"),
            ("/confirms/sms", r#"["read", "read"]"#),
            ("/confirms/sms/0", r#""accepted""#),
            ("/horizon/sms", r#""long""#),
        ],
    ),
    (
        "CreateWebhookEndpoint",
        r#"{"url": "https://example.org", "events": ["*"]}"#,
        &[
            ("/url", r#""example.org""#),
            ("/url", r#""file:///x""#),
            ("/events", "[]"),
            ("/events/0", r#""message""#),
            ("/description", r#""""#),
        ],
    ),
    ("PatchWebhookEndpoint", "{}", &[("/state", r#""off""#), ("/secret", r#""x""#)]),
    (
        "ReplayRange",
        r#"{"endpoint_id": "whe_00000000000000000000000000", "from": "2026-01-05T12:00:00Z", "to": "2026-01-05T12:00:00Z"}"#,
        &[
            ("/endpoint_id", r#""evt_00000000000000000000000000""#),
            ("/from", r#""2026-01-05""#),
            ("/to", "1"),
        ],
    ),
    ("SetQuota", "{}", &[("/day", "-1"), ("/month", "1000000000001"), ("/year", "1")]),
    (
        "CreateKey",
        r#"{"name": "a", "permissions": ["read"]}"#,
        &[
            ("/name", r#""""#),
            ("/permissions", "[]"),
            ("/permissions", r#"["read", "read"]"#),
            ("/permissions/0", r#""admin""#),
            ("/expires_at", r#""never""#),
        ],
    ),
    ("RollKey", "{}", &[("/overlap", "24")]),
    ("AdvanceClock", r#"{"by": "1s"}"#, &[("/by", r#""-1s""#)]),
    (
        "TestReply",
        r#"{"message_id": "msg_00000000000000000000000000", "channel": "sms", "text": "YES"}"#,
        &[("/message_id", r#""1""#), ("/channel", r#""fax""#), ("/text", r#""""#)],
    ),
    (
        "Confirm",
        r#"{"goal": "read", "channel": "sms"}"#,
        &[("/goal", r#""accepted""#), ("/channel", r#""fax""#)],
    ),
    (
        "MessageQuery",
        "{}",
        &[("/limit", "0"), ("/limit", "101"), ("/status", r#""lost""#), ("/template", r#""A""#)],
    ),
    ("EventQuery", "{}", &[("/type", r#""webhook.ping""#), ("/message_id", r#""1""#)]),
];

/// Texts that are one character too long, and objects that have one entry too many.
const TOO_LONG: &[(&str, &str, &str, usize)] = &[
    ("CreateContact", "{}", "/external_id", 255),
    ("CreateContact", "{}", "/name", 256),
    ("CreateKey", r#"{"permissions": ["read"]}"#, "/name", 256),
    ("CreateWebhookEndpoint", r#"{"url": "https://example.org", "events": ["*"]}"#, "/description", 256),
    ("CreateContact", r#"{"metadata": {}}"#, "/metadata/a", 500),
    ("SendMessage", r#"{"content": {"sms": {}}}"#, "/content/sms/body", 65_536),
    ("SendMessage", r#"{"content": {"sms": {"body": "b"}}}"#, "/content/sms/subject", 998),
    ("SendMessage", "{}", "/strategy", 262_144),
    ("SendMessage", r#"{"sandbox": {}}"#, "/sandbox/sms", 1_000),
    ("TestReply", r#"{"message_id": "msg_00000000000000000000000000", "channel": "sms"}"#, "/text", 4_096),
];

fn put(body: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let mut at = &mut *body;
    for segment in parent.split('/').skip(1) {
        at = match at {
            Value::Array(items) => &mut items[segment.parse::<usize>().unwrap()],
            other => other.as_object_mut().unwrap().entry(segment).or_insert_with(|| json!({})),
        };
    }
    match (at, name.parse::<usize>()) {
        (Value::Array(items), Ok(0)) if items.is_empty() => items.push(value),
        (Value::Array(items), Ok(index)) => items[index] = value,
        (at, Ok(0)) => *at = json!([value]),
        (at, _) => drop(at.as_object_mut().unwrap().insert(name.to_owned(), value)),
    }
}

fn validators() -> Validators {
    Validators::of(document(&super::all()).unwrap(), FORMATS).unwrap()
}

fn is_told(validators: &Validators, schema: &str, body: &Value, pointer: &str) {
    let faults = validators.faults(schema, body);
    let told = faults.iter().filter_map(|fault| fault.pointer.as_deref());
    assert!(
        told.clone()
            .any(|at| at == pointer || (at.starts_with(pointer) && at[pointer.len()..].starts_with('/'))),
        "{schema}: a bad {pointer} was not told there, but at {:?}",
        told.collect::<Vec<_>>()
    );
}

#[test]
fn each_constraint_refuses_one_bad_value() {
    let validators = validators();
    for (schema, good, rows) in ROWS {
        let good: Value = serde_json::from_str(good).unwrap();
        assert_eq!(validators.faults(schema, &good), [], "{schema}");
        for (pointer, bad) in *rows {
            let mut body = good.clone();
            put(&mut body, pointer, serde_json::from_str(bad).unwrap());
            is_told(&validators, schema, &body, pointer);
        }
    }
}

#[test]
fn each_text_has_its_longest() {
    let validators = validators();
    for (schema, good, pointer, length_max) in TOO_LONG {
        let good: Value = serde_json::from_str(good).unwrap();
        let with = |length: usize| {
            let mut body = good.clone();
            put(&mut body, pointer, "x".repeat(length).into());
            body
        };
        assert_eq!(validators.faults(schema, &with(*length_max)), [], "{schema} {pointer}");
        is_told(&validators, schema, &with(length_max + 1), pointer);
    }
}

#[test]
fn each_map_and_list_has_its_most_entries() {
    let validators = validators();
    let map = |n: usize| -> Value { (0..n).map(|i| (format!("k{i}"), json!("accepted"))).collect() };
    for (field, most) in [("metadata", 50), ("vars", 200), ("sandbox", 50)] {
        assert_eq!(validators.faults("SendMessage", &json!({field: map(most)})), [], "{field}");
        is_told(&validators, "SendMessage", &json!({field: map(most + 1)}), &format!("/{field}"));
    }
    is_told(&validators, "CreateContact", &json!({"attributes": map(101)}), "/attributes");
    is_told(&validators, "SendMessage", &json!({"channels": vec!["sms"; 17]}), "/channels");
    is_told(&validators, "SendMessage", &json!({"metadata": {"x".repeat(65): "v"}}), "/metadata");
    let bodies = vec![json!({"channel": "sms", "body": "b"}); 201];
    is_told(&validators, "PublishTemplate", &json!({"name": "a", "bodies": bodies}), "/bodies");
    let events = vec!["*"; 51];
    is_told(
        &validators,
        "CreateWebhookEndpoint",
        &json!({"url": "https://a.b", "events": events}),
        "/events",
    );
}
