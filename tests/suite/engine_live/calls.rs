//! Calls of a gateway: what it answers, when it is called, and what becomes of its provider.

use serde_json::json;
use spine::model::Span;
use tokio::net::TcpListener;

use super::{Live, accepted, taken_and_lost};

#[test]
fn what_a_gateway_answers_decides_what_comes_next() {
    let mut live = Live::new();
    let (mut first, mut second) = (live.gateway(), live.gateway());
    live.provider("a", &first, &json!({}));
    live.provider("b", &second, &json!({}));
    let route = json!({"strategy": "sms via a or b until accepted retry 1 times every 10s"});

    // 5xx: the next, at once.
    let id = live.send(&route);
    live.next(&mut first).answer(503, &[], "down");
    accepted(live.next(&mut second), "b-1");
    live.note(&id);

    // A 2xx with an outcome in it, a redirect, then garbage, which is accepted.
    let id = live.send(&route);
    live.next(&mut first).answer(200, &[], r#"{"outcome": "account_fault", "detail": "no funds"}"#);
    live.next(&mut second).answer(302, &[("location", "/elsewhere")], "");
    live.note(&id);
    let id = live.send(&route);
    live.next(&mut first).answer(200, &[], "garbage");
    live.note(&id);

    // 400 is the content's fault, 404 the recipient's: nobody else is tried.
    let id = live.send(&route);
    live.next(&mut first).answer(400, &[], "");
    live.note(&id);
    let id = live.send(&route);
    live.next(&mut first).answer(410, &[], "");
    live.note(&id);
    let gone = live.get("/events?type=contact.address_invalid");
    assert_eq!(gone["data"][0]["data"], json!({"contact_id": null, "channel": "sms"}));

    // 429 pauses the provider for everyone; when all are paused, the stage waits for the first.
    let id = live.send(&route);
    live.next(&mut first).answer(429, &[("retry-after", "20")], "");
    live.next(&mut second).answer(429, &[], r#"{"retry_after_s": 5}"#);
    live.note(&id);
    live.world.later(Span::from_s(5));
    accepted(live.next(&mut second), "b-2");
    live.note(&id);
    let id = live.send(&route);
    accepted(live.next(&mut second), "b-3");
    live.note(&id);
    assert!(first.waiting().is_none() && second.waiting().is_none(), "no call more");
    insta::assert_snapshot!(live.told);
}

#[test]
fn a_call_without_an_answer_is_repeated_three_times_under_its_key() {
    let mut live = Live::new();
    let listener = live.world.runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let gateway = live.gateway();
    live.provider("gw", &gateway, &json!({"settings": {"url": url}}));
    let id = live.send(&json!({"strategy": "sms"}));
    let mut keys = Vec::new();
    for call in 0..4 {
        keys.push(live.world.runtime.block_on(taken_and_lost(&listener)));
        // The first repetition comes at once, the others by the backoff.
        if call > 0 {
            live.world.settle();
            live.world.later(Span::from_s(60));
        }
    }
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    live.note(&id);
    insta::assert_snapshot!(live.told);
}

#[test]
fn what_is_over_a_providers_rate_waits_by_priority_and_then_by_age() {
    let mut live = Live::new();
    let mut gateway = live.gateway();
    live.provider("gw", &gateway, &json!({"rate_per_second": 1}));
    let send = |live: &Live, priority: &str| live.send(&json!({"strategy": "sms", "priority": priority}));
    let first = send(&live, "low");
    let call = live.next(&mut gateway);
    assert_eq!(call.json()["message_id"], *first);
    accepted(call, "id");
    let waiting = [send(&live, "low"), send(&live, "normal"), send(&live, "urgent"), send(&live, "normal")];
    live.world.settle();
    assert!(gateway.waiting().is_none(), "over the rate");
    live.note(&waiting[0]);
    for place in [2, 1, 3, 0] {
        live.world.later(Span::from_s(1));
        let call = live.next(&mut gateway);
        assert_eq!(call.json()["message_id"], *waiting[place]);
        accepted(call, &format!("id-{place}"));
    }
    live.note(&waiting[0]);
    insta::assert_snapshot!(live.told);
}

#[test]
fn a_provider_that_goes_or_changes_does_so_for_the_next_request() {
    let mut live = Live::new();
    let (mut first, mut second) = (live.gateway(), live.gateway());
    let none = live.send(&json!({"strategy": "sms via nobody then email"}));
    live.note(&none);
    live.provider(
        "a",
        &first,
        &json!({"channels": ["sms"], "prices": {"sms": {"amount": "0.05", "currency": "EUR"}}}),
    );
    // Without a `via`: every provider of the channel, by weight.
    live.provider("b", &second, &json!({"channels": ["sms"], "weight": 200}));
    let id = live.send(&json!({"strategy": "sms then email"}));
    live.next(&mut second).answer(500, &[], "");
    accepted(live.next(&mut first), "a-1");
    live.note(&id);
    let patched =
        live.ask("PATCH /providers/a", &json!({"settings": {"url": first.url("/new")}, "weight": 300}));
    assert_eq!(patched.status, 200, "{}", String::from_utf8_lossy(&patched.body));
    let id = live.send(&json!({"strategy": "sms until read then sms via b after 1m"}));
    let call = live.next(&mut first);
    assert_eq!(call.path, "/new");
    accepted(call, "a-2");
    assert_eq!(live.ask("DELETE /providers/b", &json!({})).status, 204);
    live.world.settle();
    live.world.later(Span::from_s(60));
    while live.get(&format!("/messages/{id}"))["stages"][1]["state"] == "pending" {}
    live.note(&id);
    let id = live.send(&json!({"strategy": "sms via b or a"}));
    accepted(live.next(&mut first), "a-3");
    live.note(&id);
    insta::assert_snapshot!(live.told);
}

#[test]
fn a_breaker_opens_for_all_messages_and_lets_one_probe_pass_at_a_time() {
    let live = Live::new();
    let (mut bad, mut good) = (live.gateway(), live.gateway());
    live.provider("bad", &bad, &json!({}));
    live.provider("good", &good, &json!({}));
    let route = json!({"strategy": "sms via bad or good"});
    for n in 0..5 {
        live.send(&route);
        live.next(&mut bad).answer(500, &[], "");
        accepted(live.next(&mut good), &format!("good-{n}"));
        live.world.settle();
    }
    assert_eq!(live.get("/providers/bad/breaker")["state"], "open");
    live.send(&route);
    accepted(live.next(&mut good), "good-5");
    live.world.settle();
    live.world.later(Span::from_s(30));
    assert_eq!(live.get("/providers/bad/breaker")["state"], "half_open");
    live.send(&route);
    let probe = live.next(&mut bad);
    live.send(&route);
    accepted(live.next(&mut good), "good-6");
    accepted(probe, "bad-1");
    live.world.settle();
    for n in 2..4 {
        live.send(&route);
        accepted(live.next(&mut bad), &format!("bad-{n}"));
        live.world.settle();
    }
    assert_eq!(live.get("/providers/bad")["breaker"], "closed");
    let told = live.get("/events?type=provider.*");
    let told: Vec<&str> =
        told["data"].as_array().unwrap().iter().map(|e| e["type"].as_str().unwrap()).collect();
    assert_eq!(told, ["provider.circuit_closed", "provider.circuit_opened"]);
    assert!(bad.waiting().is_none() && good.waiting().is_none(), "no call more");
}

#[test]
fn a_stage_that_waits_for_the_rate_of_a_provider_that_goes_is_not_left_waiting() {
    let live = Live::new();
    let mut gateway = live.gateway();
    live.provider("gw", &gateway, &json!({"rate_per_second": 1}));
    live.send(&json!({"strategy": "sms via gw"}));
    accepted(live.next(&mut gateway), "gw-1");
    let waiting = live.send(&json!({"strategy": "sms via gw"}));
    live.world.settle();
    assert_eq!(live.ask("DELETE /providers/gw", &json!({})).status, 204);
    live.world.later(Span::from_s(1));
    while live.get(&format!("/messages/{waiting}"))["ended_at"].is_null() {}
    // Whether its turn came with the deletion or with the clock is the engine's to choose.
    let message = live.get(&format!("/messages/{waiting}"));
    let attempt = &message["stages"][0]["attempts"][0];
    assert_eq!(message["status"], "failed");
    assert_eq!(message["reasons"][0]["reason"], "account_fault");
    assert_eq!(
        (&attempt["outcome"], &attempt["detail"]),
        (&json!("account_fault"), &json!("the provider is gone"))
    );
}

#[test]
fn a_call_in_doubt_stays_in_doubt_when_its_provider_goes() {
    let mut live = Live::new();
    let listener = live.world.runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let gateway = live.gateway();
    live.provider("gw", &gateway, &json!({"settings": {"url": url}}));
    let id = live.send(&json!({"strategy": "sms"}));
    for _ in 0..2 {
        live.world.runtime.block_on(taken_and_lost(&listener));
    }
    live.world.settle();
    assert_eq!(live.ask("DELETE /providers/gw", &json!({})).status, 204);
    for _ in 0..3 {
        live.world.later(Span::from_s(60));
        while live.get(&format!("/messages/{id}"))["stages"][0]["state"] == "sending"
            && live.get(&format!("/messages/{id}/transitions?limit=100"))["data"].as_array().unwrap().len()
                < 5
        {}
        live.world.settle();
    }
    live.note(&id);
    insta::assert_snapshot!(live.told);
}

#[test]
fn what_left_memory_and_a_scope_that_was_closed_go_on_in_time() {
    let mut live = Live::new();
    let mut gateway = live.gateway();
    let provider = live.provider("gw", &gateway, &json!({}));
    let id = live.send(&json!({"strategy": "sms then email after 2h"}));
    accepted(live.next(&mut gateway), "gw-1");
    live.world.settle();
    for _ in 0..60 {
        live.world.later(Span::from_s(60));
        live.world.settle();
        live.world.runtime.block_on(tokio::task::yield_now());
    }
    live.note(&id);
    for _ in 0..60 {
        live.world.later(Span::from_s(60));
        live.world.settle();
    }
    accepted(live.next(&mut gateway), "gw-2");
    live.note(&id);
    assert_eq!(
        live.call_back(&provider, &json!({"type": "receipt", "id": "gw-1", "status": "delivered"})),
        200
    );
    live.note(&id);
    insta::assert_snapshot!(live.told);
}
