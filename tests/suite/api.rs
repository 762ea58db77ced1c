//! The REST surface over a real socket, on a real folder, with an engine that only answers.
//!
//! Cases are sessions in `tests/cases/api`: a block `world` begins anew, a block `http` is a request,
//! and what is expected is the answer with ids, cursors and secrets named in the order in which they
//! were first seen: `ctc#1`, `cursor#2`. A request may use these names.

use std::cell::RefCell;
use std::sync::Arc;

use serde_json::Value;
use spine::api::conventions::limit::Rate;
use spine::model::{Id, Span};
use tokio::sync::Semaphore;

use crate::names::Names;
use crate::world::World;

#[test]
fn the_conventions_hold_for_every_session() {
    let world: RefCell<Option<(World, Names)>> = RefCell::new(None);
    crate::cases::check_folder("api", |kind, input| {
        let mut world = world.borrow_mut();
        if kind == "world" {
            let rate = match input.trim() {
                "" => Rate::DEFAULT,
                burst => Rate { requests_per_second: 1.try_into().unwrap(), burst: burst.parse().unwrap() },
            };
            *world = Some((World::new(rate), Names::default()));
            return String::new();
        }
        let (world, names) = world.as_mut().expect("a block `world` at the top of each file");
        if kind == "later" {
            world.later(input.trim().parse().unwrap());
            return String::new();
        }
        world.ask(&names.meant(input)).shown(names)
    });
}

#[test]
fn the_second_of_two_requests_under_way_waits_for_the_first_and_is_told_the_same() {
    let world = World::new(Rate::DEFAULT);
    let send = "POST /messages\nIdempotency-Key: twice\n\n{\"to\": {\"sms\": \"+4915112345678\"}, \"content\": {\"sms\": {\"body\": \"hi\"}}, \"channels\": [\"sms\"]}";
    world.front.hold(Arc::new(Semaphore::new(0)));
    let first = world.runtime.spawn(world.asking(send));
    world.runtime.block_on(world.front.entered());
    let second = world.runtime.spawn(world.asking(send));
    world.front.let_go();
    let (first, second) = world.runtime.block_on(async { (first.await.unwrap(), second.await.unwrap()) });
    assert_eq!((first.status, second.status), (202, 202));
    assert_eq!(first.body, second.body);
    assert_eq!(world.front.sends(), 1, "one key, one mutation");
    assert_eq!(first.header("idempotent-replayed"), None);
    assert_eq!(second.header("idempotent-replayed"), Some("true"));
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
}

#[test]
fn every_answer_with_a_key_shows_the_bucket_and_none_without() {
    let world = World::new(Rate::DEFAULT);
    let shown = |request: &str| {
        let answer = world.ask(request);
        (answer.header("ratelimit-policy").map(str::to_owned), answer.header("ratelimit").map(str::to_owned))
    };
    let with = |r: u32| (Some("\"default\";q=2000;w=2".to_owned()), Some(format!("\"default\";r={r};t=1")));
    assert_eq!(shown("GET /contacts"), with(1_999));
    assert_eq!(shown("GET /nowhere"), with(1_998));
    assert_eq!(shown("POST /contacts"), with(1_997));
    assert_eq!(shown("GET /contacts\nas: nobody"), (None, None));
    assert_eq!(shown("GET //healthz\nas: nobody"), (None, None));
}

#[test]
fn a_body_as_large_as_it_may_be_is_taken() {
    let world = World::new(Rate::DEFAULT);
    let body = |n: usize| format!("POST /contacts\n\n{{\"metadata\": {{\"a\": \"x\"}}}}<{}*{n}>", ' ');
    assert_eq!(world.ask(&body(256 * 1024 - 24)).status, 201);
    assert_eq!(world.ask(&body(256 * 1024 - 23)).status, 413);
}

#[test]
fn a_walk_over_a_list_that_grows_repeats_and_skips_nothing() {
    let world = World::new(Rate::DEFAULT);
    let make = |n: usize| {
        let answer = world.ask(&format!("POST /contacts\n\n{{\"external_id\": \"{n}\"}}"));
        assert_eq!(answer.status, 201);
    };
    let page = |query: &str| -> (Vec<String>, Option<String>, String) {
        let answer = world.ask(&format!("GET /contacts?limit=3{query}"));
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        let ids =
            body["data"].as_array().unwrap().iter().map(|c| c["external_id"].as_str().unwrap().to_owned());
        let cursor = |name: &str| body[name].as_str().map(str::to_owned);
        (ids.collect(), cursor("next_cursor"), cursor("prev_cursor").unwrap())
    };
    let (ids, next, before_all) = page("");
    assert_eq!((ids.len(), next), (0, None));
    (0..7).for_each(make);
    let (mut seen, mut next, first) = page("");
    (7..9).for_each(make);
    while let Some(cursor) = next {
        let (ids, after, _) = page(&format!("&after={cursor}"));
        seen.extend(ids);
        next = after;
    }
    assert_eq!(seen, ["6", "5", "4", "3", "2", "1", "0"]);
    let (new, _, last) = page(&format!("&before={first}"));
    assert_eq!(new, ["8", "7"]);
    assert_eq!(page(&format!("&before={last}")).0, Vec::<String>::new());
    let (oldest, none, _) = page(&format!("&before={before_all}"));
    assert_eq!((oldest, none), (vec!["2".to_owned(), "1".to_owned(), "0".to_owned()], None));
}

#[test]
fn an_id_of_another_scope_is_told_as_one_that_never_was() {
    let world = World::new(Rate::DEFAULT);
    let made = world.ask("POST /contacts\n\n{}");
    let made: Value = serde_json::from_slice(&made.body).unwrap();
    let id = made["id"].as_str().unwrap();
    let never = Id::<spine::model::kinds::Contact>::from_u128(7).to_string();
    for (method, rest, body) in [
        ("GET", "", ""),
        ("PATCH", "", "\n\n{}"),
        ("DELETE", "", ""),
        ("PUT", "/consent/sms", "\n\n{\"state\": \"opted_in\"}"),
    ] {
        let told = |id: &str, key: &str| {
            let answer = world.ask(&format!("{method} /contacts/{id}{rest}\nas: {key}{body}"));
            let mut body: Value = serde_json::from_slice(&answer.body).unwrap();
            body["request_id"] = Value::Null;
            let names: Vec<String> = answer.headers.iter().map(|(name, _)| name.clone()).collect();
            (answer.status, names, body)
        };
        let (foreign, live, absent, none) =
            (told(id, "other"), told(id, "live"), told(&never, "other"), told("ctc_nonsense", "other"));
        assert_eq!(foreign.0, 404, "{method}");
        assert_eq!(foreign, absent, "{method}");
        assert_eq!(live, absent, "{method}");
        assert_eq!(none, absent, "{method}");
    }
}

/// One request that is wrong in every way, mended step by step.
#[test]
fn the_checks_are_made_in_their_order() {
    let one = 1.try_into().unwrap();
    let world = World::new(Rate { requests_per_second: one, burst: one });
    let code = |request: &str| {
        let answer = world.ask(request);
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        body["code"].as_str().unwrap_or("none").to_owned()
    };
    let later = || world.later(Span::from_s(1));
    assert_eq!(code("POST /contacts\nIdempotency-Key: used\n\n{}"), "none");
    let bad = "Content-Type: text/plain\nIdempotency-Key: (none)\n\n<x*300000>";
    assert_eq!(code(&format!("PUT /nowhere\nas: nobody\n{bad}")), "key_missing");
    assert_eq!(code(&format!("PUT /nowhere\nas: reader\n{bad}")), "not_found");
    assert_eq!(code(&format!("PUT /contacts\nas: reader\n{bad}")), "method_not_allowed");
    assert_eq!(code(&format!("POST /contacts\nas: reader\n{bad}")), "rate_limited");
    later();
    assert_eq!(code(&format!("POST /contacts\nas: reader\n{bad}")), "permission_missing");
    later();
    assert_eq!(code(&format!("POST /contacts\n{bad}")), "content_type_unsupported");
    later();
    assert_eq!(code("POST /contacts\nIdempotency-Key: (none)\n\n<x*300000>"), "body_too_large");
    later();
    assert_eq!(code("POST /contacts\nIdempotency-Key: (none)\n\n{"), "idempotency_key_missing");
    later();
    assert_eq!(code("POST /contacts\nIdempotency-Key: used\n\n{"), "malformed_json");
    later();
    let absent = "PATCH /contacts/ctc_00000000000000000000000000";
    assert_eq!(code(&format!("{absent}?a=1\nIdempotency-Key: used\n\n{{\"a\": 1}}")), "idempotency_conflict");
    later();
    assert_eq!(code(&format!("{absent}?a=1\n\n{{\"a\": 1}}")), "parameter_invalid");
    later();
    assert_eq!(code(&format!("{absent}\n\n{{\"a\": 1}}")), "invalid");
    later();
    assert_eq!(code(&format!("{absent}\n\n{{}}")), "not_found");
    later();
    assert_eq!(code(&format!("{absent}\nas: nobody\n\n{{}}")), "key_missing");
}

/// Who did what stands in the scope's chain, in the change that did it, and nothing of a person.
#[test]
fn every_mutation_outside_messages_stands_in_the_audit() {
    let world = World::new(Rate::DEFAULT);
    let asked = |request: &str| {
        let answer = world.ask(request);
        assert!((200..300).contains(&answer.status), "{request}: {}", String::from_utf8_lossy(&answer.body));
        let request_id = answer.header("x-request-id").unwrap().to_owned();
        (serde_json::from_slice::<Value>(&answer.body).unwrap_or_default(), request_id)
    };
    let (contact, _) =
        asked("POST /contacts\n\n{\"name\": \"Ann Onymous\", \"addresses\": {\"sms\": \"+4915112345678\"}}");
    let contact = contact["id"].as_str().unwrap().to_owned();
    asked(&format!("PUT /contacts/{contact}/consent/sms\n\n{{\"state\": \"opted_in\"}}"));
    asked("PUT /quotas/sms\n\n{\"day\": 3}");
    asked("POST /policies\n\n{\"source\": \"policy a { sms }\\npolicy b { use a }\"}");
    // A publication that changes nothing, and a repeated request, are no deeds.
    asked("POST /policies\n\n{\"source\": \"policy a { sms }\\npolicy b { use a }\"}");
    let (_, last) = asked(&format!("DELETE /contacts/{contact}\nIdempotency-Key: gone"));
    asked(&format!("DELETE /contacts/{contact}\nIdempotency-Key: gone"));

    let scope = world.test_scope();
    let rows = world.runtime.block_on(async { scope.audit_after(0, 100).await.unwrap() });
    let what: Vec<&str> = rows.iter().map(|row| row.row.entry.what.as_str()).collect();
    assert_eq!(
        what,
        [
            "contact.created",
            "contact.consent_set",
            "quota.set",
            "policy.published",
            "policy.published",
            "contact.deleted"
        ]
    );
    let deleted = &rows.last().unwrap().row.entry;
    assert_eq!(deleted.object_id.as_deref(), Some(contact.as_str()));
    assert_eq!(deleted.request_id.as_deref(), Some(last.as_str()));
    assert!(deleted.who.starts_with("key_"));
    let mut before = [0; 32];
    for row in rows {
        assert_eq!(row.row.prev_hash, before, "the chain is broken");
        before = row.row.hash;
        let entry: Value = serde_json::from_slice(&row.row.entry.canonical).unwrap();
        assert_eq!(spine::model::canonical(&entry).into_bytes(), row.row.entry.canonical);
        assert!(!entry.to_string().contains("Ann") && !entry.to_string().contains("4915"), "{entry}");
    }
}

/// What is secret or personal is in no file in clear, the kept answers included.
#[test]
fn secrets_and_people_are_in_no_file_in_clear() {
    let world = World::new(Rate::DEFAULT);
    let field = |request: &str, name: &str| {
        let answer = world.ask(request);
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        body[name].as_str().unwrap_or_default().to_owned()
    };
    let key = field("POST /keys\n\n{\"name\": \"ci\", \"permissions\": [\"read\"]}", "key");
    let endpoint = "POST /webhook_endpoints\n\n{\"url\": \"https://example.org\", \"events\": [\"*\"]}";
    let secret = field(endpoint, "secret");
    let provider = "{\"name\": \"gw\", \"kind\": \"http\", \"settings\": {\"url\": \"https://example.org\"}, \"credentials\": {\"token\": \"tok-123456789\"}}";
    field(&format!("POST /providers\n\n{provider}"), "id");
    let contact = "{\"name\": \"Ann Onymous\", \"addresses\": {\"email\": \"ann@example.org\"}, \"attributes\": {\"pet\": \"ferret\"}, \"metadata\": {\"plan\": \"in-clear\"}}";
    field(&format!("POST /contacts\n\n{contact}"), "id");
    let disk = world.bytes_on_disk();
    let stands = |text: &str| disk.windows(text.len()).any(|w| w == text.as_bytes());
    assert!(stands("in-clear"), "what may stand in clear is not found either");
    for text in [
        key.as_str(),
        &key[8..],
        &secret,
        &secret[6..],
        "tok-123456789",
        "Ann Onymous",
        "ann@example.org",
        "ferret",
    ] {
        assert!(!stands(text), "{text} is on the disk in clear");
    }
}

#[test]
fn a_scope_has_no_more_endpoints_than_are_set() {
    let world = World::new(Rate::DEFAULT);
    let made = "POST /webhook_endpoints\n\n{\"url\": \"https://example.org/hook\", \"events\": [\"*\"]}";
    let max = spine::webhooks::Settings::default().endpoints_max;
    let first = world.ask(made);
    for _ in 1..max {
        assert_eq!(world.ask(made).status, 201);
    }
    let refused = world.ask(made);
    let problem: Value = serde_json::from_slice(&refused.body).unwrap();
    assert_eq!((refused.status, problem["code"].as_str()), (422, Some("invalid")));
    let told = problem["errors"][0]["message"].as_str().unwrap();
    assert!(told.starts_with(&format!("there are {max} endpoints")), "{told}");
    let id: Value = serde_json::from_slice(&first.body).unwrap();
    assert_eq!(world.ask(&format!("DELETE /webhook_endpoints/{}", id["id"].as_str().unwrap())).status, 204);
    assert_eq!(world.ask(made).status, 201);
}
