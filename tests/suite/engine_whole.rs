//! The real engine beside webhooks, under many requests at once, with a clock that goes back, and to its
//! stop.

use serde_json::{Value, json};
use spine::model::Span;
use spine::providers::signature::{self, Secret};

use crate::engine::json as read;
use crate::receiver::Receiver;
use crate::world::World;

fn send(more: &Value) -> String {
    let mut body = json!({"to": {"sms": "+4915112345678", "email": "a@example.org"},
        "content": {"sms": {"body": "hi"}, "email": {"subject": "s", "body": "hi"}}});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body.to_string()
}

fn ask(world: &World, request: &str) -> Value {
    let answer = world.ask(request);
    assert!((200..300).contains(&answer.status), "{request}: {}", String::from_utf8_lossy(&answer.body));
    read(&answer.body)
}

#[test]
fn every_event_of_a_message_is_delivered_signed_and_as_it_is_shown() {
    let world = World::real();
    let mut receiver = world.runtime.block_on(Receiver::start());
    let endpoint = json!({"url": receiver.url("/hook"), "events": ["message.*"]});
    let endpoint = ask(&world, &format!("POST /webhook_endpoints\n\n{endpoint}"));
    let secret = Secret::parse(endpoint["secret"].as_str().unwrap()).unwrap();
    let sandbox = json!({"sms": "accepted, delivered after 1s, replied \"a ferret\" after 2s"});
    let sent = send(&json!({"strategy": "sms until replied", "sandbox": sandbox}));
    let message = ask(&world, &format!("POST /messages\n\n{sent}"));
    ask(&world, "POST /test_clock/advance\n\n{\"by\": \"10s\"}");
    let mut seen = Vec::new();
    for _ in 0..4 {
        let call = world.runtime.block_on(receiver.next());
        let now = spine::model::Instant::from_ms(world.real_now_ms());
        assert!(signature::verifies(&call.headers, &secret, now, &call.body));
        let event = call.json();
        assert_eq!(call.headers["webhook-id"], *event["id"].as_str().unwrap());
        assert_eq!(event["data"]["message_id"], message["id"]);
        let shown = ask(&world, &format!("GET /events/{}", event["id"].as_str().unwrap()));
        assert_eq!(event, shown, "the body is the event");
        seen.push((event["sequence"].as_u64().unwrap(), event["type"].as_str().unwrap().to_owned()));
        call.ok();
    }
    seen.sort();
    let expected = ["message.created", "message.sent", "message.delivered", "message.replied"];
    let expected: Vec<(u64, String)> = (1..).zip(expected.map(str::to_owned)).collect();
    assert_eq!(seen, expected);
    let disk = world.bytes_on_disk();
    for text in ["a ferret", "+4915112345678", "4915112345678", "a@example.org"] {
        assert!(!disk.windows(text.len()).any(|w| w == text.as_bytes()), "{text} is on the disk in clear");
    }
}

#[test]
fn no_more_than_the_limit_pass_however_many_come_at_once() {
    let world = World::real();
    ask(&world, "PUT /quotas/messages\n\n{\"day\": 30}");
    ask(&world, "PUT /quotas/sms\n\n{\"day\": 10}");
    let body = send(&json!({"strategy": "sms unless quota then email"}));
    let all: Vec<_> =
        (0..50).map(|_| world.runtime.spawn(world.asking(&format!("POST /messages\n\n{body}")))).collect();
    let statuses: Vec<u16> =
        all.into_iter().map(|sent| world.runtime.block_on(sent).unwrap().status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 202).count(), 30, "{statuses:?}");
    assert!(statuses.iter().all(|status| [202, 429].contains(status)), "{statuses:?}");
    world.settle();
    let quotas = ask(&world, "GET /quotas");
    let used = |name: &str| {
        let quota = quotas["data"].as_array().unwrap().iter().find(|quota| quota["name"] == name).unwrap();
        quota["day"]["used"].as_u64().unwrap()
    };
    assert_eq!((used("messages"), used("sms"), used("email")), (30, 10, 20));
    let told = ask(&world, "GET /events?type=quota.threshold");
    let mut told: Vec<(String, u64)> = told["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["data"]["quota"].as_str().unwrap().to_owned(), e["data"]["percent"].as_u64().unwrap()))
        .collect();
    told.sort();
    let expected = [("messages", 80), ("messages", 100), ("sms", 80), ("sms", 100)];
    assert_eq!(told, expected.map(|(name, percent)| (name.to_owned(), percent)));
}

#[test]
fn one_idempotency_key_is_one_message_also_when_ten_come_at_once() {
    let world = World::real();
    let request = format!("POST /messages\nIdempotency-Key: same\n\n{}", send(&json!({"strategy": "sms"})));
    let all: Vec<_> = (0..10).map(|_| world.runtime.spawn(world.asking(&request))).collect();
    let answers: Vec<_> = all.into_iter().map(|sent| world.runtime.block_on(sent).unwrap()).collect();
    assert!(answers.iter().all(|answer| answer.status == 202 && answer.body == answers[0].body));
    assert_eq!(ask(&world, "GET /messages")["data"].as_array().unwrap().len(), 1);
    let fresh = answers.iter().filter(|answer| answer.header("idempotent-replayed").is_none()).count();
    assert_eq!(fresh, 1);

    let id = read(&answers[0].body)["id"].as_str().unwrap().to_owned();
    let cancel = |key: &str| format!("POST /messages/{id}/cancel\nIdempotency-Key: {key}");
    let all: Vec<_> =
        (0..10).map(|n| world.runtime.spawn(world.asking(&cancel(&format!("{}", n / 5))))).collect();
    let statuses: Vec<u16> =
        all.into_iter().map(|sent| world.runtime.block_on(sent).unwrap().status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 5, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 5, "{statuses:?}");
}

#[test]
fn a_clock_that_is_set_back_stands_still_until_real_time_has_caught_up() {
    let world = World::real();
    let first =
        ask(&world, &format!("POST /messages\n\n{}", send(&json!({"strategy": "wait 10s then sms"}))));
    world.set_back_or_on(-5_000);
    let clock = || ask(&world, "GET /test_clock")["now"].as_str().unwrap().to_owned();
    assert_eq!(clock(), "2026-01-05T12:00:00.000Z");
    let second = ask(&world, &format!("POST /messages\n\n{}", send(&json!({"strategy": "sms"}))));
    assert_eq!(second["created_at"], first["created_at"]);
    assert!(second["id"].as_str().unwrap() > first["id"].as_str().unwrap(), "ids rise");
    world.later(Span::from_s(4));
    assert_eq!(clock(), "2026-01-05T12:00:00.000Z");
    world.later(Span::from_s(2));
    assert_eq!(clock(), "2026-01-05T12:00:01.000Z");
    let advanced = ask(&world, "POST /test_clock/advance\n\n{\"by\": \"30s\"}");
    assert_eq!(advanced["now"], "2026-01-05T12:00:31.000Z");
    let id = first["id"].as_str().unwrap();
    let shown = ask(&world, &format!("GET /messages/{id}"));
    assert_eq!(
        (&shown["status"], &shown["ended_at"]),
        (&json!("delivered"), &json!("2026-01-05T12:00:11.000Z"))
    );
}

#[test]
fn an_engine_that_stops_takes_nothing_in_and_its_messages_go_on_at_the_next_start() {
    let world = World::real();
    ask(&world, &format!("POST /messages\n\n{}", send(&json!({"strategy": "wait 10s then sms"}))));
    let engine = world.engine.clone().unwrap();
    world.runtime.block_on(engine.stop());
    let refused = world.ask(&format!("POST /messages\n\n{}", send(&json!({"strategy": "sms"}))));
    assert_eq!((refused.status, read(&refused.body)["code"].as_str()), (503, Some("shutting_down")));
    assert_eq!(refused.header("retry-after"), Some("1"));
    let ready = world.ask("GET //readyz\nas: nobody");
    assert_eq!(ready.status, 503);
}

/// A page is read while its messages go on: each is shown as it was at one instant.
#[test]
fn a_message_in_a_list_is_shown_as_it_was_at_one_instant() {
    let world = World::real();
    let body = send(&json!({"strategy": "sms until read then email"}));
    let sends: Vec<_> =
        (0..60).map(|_| world.runtime.spawn(world.asking(&format!("POST /messages\n\n{body}")))).collect();
    let lists: Vec<_> =
        (0..30).map(|_| world.runtime.spawn(world.asking("GET /messages?limit=100"))).collect();
    for list in lists {
        let page = read(&world.runtime.block_on(list).unwrap().body);
        for message in page["data"].as_array().unwrap() {
            let stage = &message["stages"][0];
            let under_way =
                stage["attempts"].as_array().unwrap().iter().any(|attempt| attempt["outcome"].is_null());
            assert_eq!(under_way, stage["state"] == "sending", "{message}");
        }
    }
    for sent in sends {
        assert_eq!(world.runtime.block_on(sent).unwrap().status, 202);
    }
    world.settle();
}
