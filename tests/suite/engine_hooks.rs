//! What tenants are told over real sockets of what the real engine does, and again where it did not arrive.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use spine::model::Instant;
use spine::providers::signature::{self, Secret};

use crate::engine::json as read;
use crate::receiver::{Received, Receiver};
use crate::world::World;

const SEND: &str =
    r#"{"to": {"sms": "+4915112345678"}, "content": {"sms": {"body": "hi"}}, "channels": ["sms"]}"#;

fn send(world: &World) -> String {
    let answer = world.ask(&format!("POST /messages\n\n{SEND}"));
    assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.body));
    world.settle();
    read(&answer.body)["id"].as_str().unwrap().to_owned()
}

fn get(world: &World, path: &str) -> Value {
    read(&world.ask(&format!("GET {path}")).body)
}

fn endpoint(world: &World, receiver: &Receiver, events: &Value) -> Value {
    let body = json!({"url": receiver.url("/hook"), "events": events});
    let answer = world.ask(&format!("POST /webhook_endpoints\n\n{body}"));
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    read(&answer.body)
}

fn next(world: &World, receiver: &mut Receiver) -> Received {
    world.runtime.block_on(receiver.next())
}

fn advance(world: &World, by: &str) {
    let answer = world.ask(&format!("POST /test_clock/advance\n\n{{\"by\": {by:?}}}"));
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
}

/// Asks until a page says so; nothing is waited for but the server itself.
fn until(world: &World, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..2_000 {
        let page = get(world, path);
        if holds(&page) {
            return page;
        }
    }
    panic!("{path} never came to it: {}", get(world, path));
}

#[test]
fn an_endpoint_is_told_each_event_as_the_list_shows_it_signed_and_again_where_it_failed() {
    let world = World::real();
    let mut receiver = world.runtime.block_on(Receiver::start());
    send(&world);
    let made = endpoint(&world, &receiver, &json!(["message.*"]));
    let (id, secret) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    let secret = Secret::parse(secret).unwrap();
    let message = send(&world);
    advance(&world, "1s");
    let mut told = BTreeSet::new();
    while told.len() < 3 {
        let call = next(&world, &mut receiver);
        let event = call.json();
        let event_id = event["id"].as_str().unwrap();
        assert_eq!(call.headers["webhook-id"], event_id);
        let now = Instant::from_ms(world.real_now_ms());
        assert!(signature::verifies(&call.headers, &secret, now, &call.body), "on real time");
        assert_eq!(event, get(&world, &format!("/events/{event_id}")));
        if event["data"]["message_id"] == *message {
            told.insert((event["sequence"].as_u64().unwrap(), event["type"].as_str().unwrap().to_owned()));
        } else {
            assert_eq!(event["type"], "message.delivered", "only what came after the endpoint was made");
        }
        call.ok();
    }
    let types: Vec<&str> = told.iter().map(|(_, kind)| kind.as_str()).collect();
    assert_eq!(types, ["message.created", "message.sent", "message.delivered"]);

    // A failure is tried again after five seconds of the scope's clock, under the same id.
    let patched =
        world.ask(&format!("PATCH /webhook_endpoints/{id}\n\n{{\"events\": [\"message.created\"]}}"));
    assert_eq!(patched.status, 200);
    send(&world);
    let first = next(&world, &mut receiver);
    let (event, stamp) = (first.headers["webhook-id"].clone(), first.headers["webhook-timestamp"].clone());
    first.answer(500, &[], "");
    let deliveries = format!("/webhook_endpoints/{id}/deliveries?limit=1");
    let page = until(&world, &deliveries, |page| page["data"][0]["tries"][0]["status_code"] == 500);
    assert_eq!(page["data"][0]["state"], "pending");
    advance(&world, "4s");
    assert!(receiver.waiting().is_none(), "tried before its time");
    advance(&world, "1s");
    let second = next(&world, &mut receiver);
    assert_eq!(second.headers["webhook-id"], event);
    assert_eq!(second.headers["webhook-timestamp"], stamp, "real time stood still");
    second.ok();
    let page = until(&world, &deliveries, |page| page["data"][0]["state"] == "delivered");
    assert_eq!(page["data"][0]["tries"].as_array().unwrap().len(), 2);

    // Gone: disabled, and told in the list of events.
    send(&world);
    next(&world, &mut receiver).answer(410, &[], "");
    until(&world, &format!("/webhook_endpoints/{id}"), |endpoint| endpoint["state"] == "disabled");
    let page = until(&world, "/events?type=webhook_endpoint.disabled", |page| page["data"][0].is_object());
    assert_eq!(page["data"][0]["data"]["endpoint_id"], *id);
    assert_eq!(until(&world, &deliveries, |page| page["data"][0]["state"] == "dead")["has_more"], true);
    send(&world);
    let letters = get(&world, "/dead_letters");
    let dead = letters["data"][0]["id"].as_str().unwrap().to_owned();
    let replay = world.ask(&format!("POST /dead_letters/{dead}/replay"));
    assert_eq!((replay.status, read(&replay.body)["code"].as_str()), (409, Some("endpoint_disabled")));
    let patched = world.ask(&format!("PATCH /webhook_endpoints/{id}\n\n{{\"state\": \"enabled\"}}"));
    assert_eq!(patched.status, 200, "{}", String::from_utf8_lossy(&patched.body));
    let replay = world.ask(&format!("POST /dead_letters/{dead}/replay"));
    assert_eq!((replay.status, read(&replay.body)["state"].as_str()), (202, Some("pending")));
    next(&world, &mut receiver).ok();
    until(&world, &deliveries, |page| page["data"][0]["state"] == "delivered");
}

#[test]
fn no_more_than_a_channels_quota_are_sent_however_many_come_at_once() {
    let world = World::real();
    assert_eq!(world.ask("PUT /quotas/sms\n\n{\"month\": 20}").status, 200);
    let asked: Vec<_> =
        (0..50).map(|_| world.runtime.spawn(world.asking(&format!("POST /messages\n\n{SEND}")))).collect();
    for answer in asked {
        assert_eq!(world.runtime.block_on(answer).unwrap().status, 202);
    }
    world.settle();
    let page = get(&world, "/messages?limit=100");
    let messages = page["data"].as_array().unwrap();
    let sent = messages.iter().filter(|message| message["sends"] == 1).count();
    let refused = messages.iter().filter(|message| message["reasons"][0]["reason"] == "quota").count();
    assert_eq!((sent, refused), (20, 30));
    assert_eq!(get(&world, "/quotas")["data"][1]["month"]["used"], 20);
}
