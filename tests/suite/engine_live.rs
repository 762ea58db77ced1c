//! Under a live key: the real engine, the `http` kind of provider, and gateways of the tests over real
//! sockets, whose every answer the test gives.

use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use spine::model::Span;
use spine::providers::signature::{self, Secret};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use crate::engine::{json as read, message as shown};
use crate::names::Names;
use crate::receiver::{Received, Receiver};
use crate::world::{Answer, World};

const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODw==";

/// A world with a live key, and what is asked of it.
struct Live {
    world: World,
    names: Names,
    /// What was looked at, in few words.
    told: String,
}

impl Live {
    fn new() -> Live {
        Live { world: World::real(), names: Names::default(), told: String::new() }
    }

    fn gateway(&self) -> Receiver {
        self.world.runtime.block_on(Receiver::start())
    }

    fn next(&self, gateway: &mut Receiver) -> Received {
        self.world.runtime.block_on(gateway.next())
    }

    fn ask(&self, request: &str, body: &Value) -> Answer {
        self.world.ask(&format!("{request}\nas: live\n\n{}", body.to_string().replace('<', "\\u003c")))
    }

    fn provider(&self, name: &str, gateway: &Receiver, more: &Value) -> Value {
        let mut body = json!({"name": name, "kind": "http", "settings": {"url": gateway.url("/send")},
            "credentials": {"secret": SECRET}});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = self.ask("POST /providers", &body);
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
        read(&answer.body)
    }

    fn send(&self, body: &Value) -> String {
        let mut sent = json!({"to": {"sms": "+4915112345678", "email": "a@example.org"},
            "content": {"sms": {"body": "hi"}, "email": {"subject": "s", "body": "hi"}}});
        sent.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        let answer = self.ask("POST /messages", &sent);
        assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.body));
        read(&answer.body)["id"].as_str().unwrap().to_owned()
    }

    fn get(&self, path: &str) -> Value {
        let answer = self.world.ask(&format!("GET {path}\nas: live"));
        read(&answer.body)
    }

    /// Looks at a message, once nothing more goes on by itself.
    fn note(&mut self, id: &str) {
        self.world.settle();
        let message = self.get(&format!("/messages/{id}"));
        self.told.push_str(&shown(&message, &mut self.names));
    }

    fn types(&self, id: &str) -> Vec<String> {
        let told = self.get(&format!("/events?message_id={id}"));
        let types = told["data"].as_array().unwrap().iter().rev();
        types.map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }

    /// A callback, signed.
    fn call_back(&self, provider: &Value, body: &Value) -> u16 {
        self.call_back_with(provider["id"].as_str().unwrap(), body, SECRET).status
    }

    fn call_back_with(&self, id: &str, body: &Value, secret: &str) -> Answer {
        let text = body.to_string();
        let mut headers = HeaderMap::new();
        let now = spine::model::Instant::from_ms(self.world.real_now_ms());
        signature::sign(&mut headers, &[Secret::parse(secret).unwrap()], "cb_1", now, text.as_bytes());
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        self.world.ask(&format!(
            "POST /callbacks/{id}\nas: nobody\nIdempotency-Key: (none)\nwebhook-id: {}\nwebhook-timestamp: {}\nwebhook-signature: {}\n\n{text}",
            header("webhook-id"),
            header("webhook-timestamp"),
            header("webhook-signature")
        ))
    }
}

/// A gateway that reads a call and goes away without an answer: the call's idempotency key.
async fn taken_and_lost(listener: &TcpListener) -> String {
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut text = String::new();
    while !text.ends_with('}') {
        let mut bytes = [0; 1 << 16];
        let n = socket.read(&mut bytes).await.unwrap();
        text.push_str(std::str::from_utf8(&bytes[..n]).unwrap());
    }
    let line = text.lines().find(|line| line.starts_with("idempotency-key: ")).unwrap();
    line.trim_start_matches("idempotency-key: ").to_owned()
}

fn accepted(call: Received, id: &str) -> String {
    let attempt = call.json()["attempt_id"].as_str().unwrap().to_owned();
    call.answer(200, &[], json!({"id": id}).to_string());
    attempt
}

#[test]
fn a_call_has_the_contracts_form_and_its_receipts_decide() {
    let mut live = Live::new();
    let mut gateway = live.gateway();
    let provider = live.provider("gw", &gateway, &json!({"credentials": {"secret": SECRET, "token": "tok"}}));
    let id = live.send(&json!({"strategy": "sms valid 10m until read then email after 1h",
        "metadata": {"order": "7"}, "category": "otp"}));
    let call = live.next(&mut gateway);
    let body = call.json();
    let attempt = body["attempt_id"].as_str().unwrap().to_owned();
    let callback = format!(
        "http://{}/notifications/v1/callbacks/{}",
        live.world.address,
        provider["id"].as_str().unwrap()
    );
    assert_eq!(
        body,
        json!({"attempt_id": attempt, "message_id": id, "channel": "sms", "to": "+4915112345678", "subject": null,
            "body": "hi", "category": "otp", "metadata": {"order": "7"}, "valid_until": "2026-01-05T12:10:00.000Z",
            "callback_url": callback})
    );
    assert_eq!(call.path, "/send");
    assert_eq!(call.headers["idempotency-key"], HeaderValue::from_str(&attempt).unwrap());
    assert_eq!(call.headers["authorization"], "Bearer tok");
    assert_eq!(call.headers["content-type"], "application/json");
    let now = spine::model::Instant::from_ms(live.world.real_now_ms());
    assert!(signature::verifies(&call.headers, &Secret::parse(SECRET).unwrap(), now, &call.body));
    let stored = live.get(&format!("/messages/{id}"));
    assert_eq!(stored["stages"][0]["attempts"][0]["id"], *attempt, "the intent is durable before the call");
    assert_eq!(stored["stages"][0]["state"], "sending");
    accepted(call, "gw-1");
    live.note(&id);

    let receipt = |status: &str| json!({"type": "receipt", "id": "gw-1", "status": status});
    assert_eq!(live.call_back(&provider, &receipt("delivered")), 200);
    let transitions = live.get(&format!("/messages/{id}/transitions?limit=100"));
    assert_eq!(live.call_back(&provider, &receipt("delivered")), 200, "twice");
    assert_eq!(live.get(&format!("/messages/{id}/transitions?limit=100")), transitions, "changes nothing");
    assert_eq!(live.call_back(&provider, &json!({"type": "receipt", "id": "nobody", "status": "read"})), 200);
    assert_eq!(
        live.call_back(
            &provider,
            &json!([receipt("read"), {"type": "receipt", "id": "x", "status": "lost"}])
        ),
        422
    );
    assert_eq!(live.get(&format!("/messages/{id}"))["status"], "delivered", "of a list all or none is taken");
    assert!(live.get(&format!("/messages/{id}"))["ended_at"].is_null());
    let by_attempt =
        json!({"type": "receipt", "attempt_id": attempt, "status": "read", "at": "2026-01-05T12:00:00Z"});
    assert_eq!(live.call_back(&provider, &by_attempt), 200);
    live.note(&id);
    assert_eq!(live.types(&id), ["message.created", "message.sent", "message.delivered", "message.read"]);

    let reply = json!({"type": "reply", "id": "r-1", "from": "+4915112345678", "text": "thanks"});
    assert_eq!(live.call_back(&provider, &reply), 200);
    assert_eq!(live.call_back(&provider, &reply), 200, "the same again");
    assert_eq!(
        live.call_back(&provider, &json!({"type": "reply", "from": "+4915112345678", "text": "stop"})),
        200
    );
    let told = live.get(&format!("/events?message_id={id}&type=message.replied"));
    let texts: Vec<&Value> =
        told["data"].as_array().unwrap().iter().map(|event| &event["data"]["text"]).collect();
    assert_eq!(texts, ["stop", "thanks"]);
    let refused = live.send(&json!({"strategy": "sms"}));
    live.note(&refused);

    for (id, secret) in [
        (provider["id"].as_str().unwrap(), "whsec_AQECAwQFBgcICQoLDA0ODw=="),
        ("prv_00000000000000000000000000", SECRET),
        ("nonsense", SECRET),
    ] {
        assert_eq!(live.call_back_with(id, &receipt("read"), secret).status, 401, "{id}");
    }
    let told = live.call_back_with(provider["id"].as_str().unwrap(), &json!([{"type": "receipt"}]), SECRET);
    assert_eq!(told.status, 422);
    assert!(String::from_utf8_lossy(&told.body).contains("/0/"), "{}", String::from_utf8_lossy(&told.body));
    assert!(gateway.waiting().is_none(), "no call more");
    insta::assert_snapshot!(live.told);
}

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
fn a_receipt_may_come_before_the_answer_to_its_send() {
    let mut live = Live::new();
    let mut gateway = live.gateway();
    let provider = live.provider("gw", &gateway, &json!({}));
    let id = live.send(&json!({"strategy": "sms"}));
    let call = live.next(&mut gateway);
    assert_eq!(
        live.call_back(&provider, &json!({"type": "receipt", "id": "early", "status": "delivered"})),
        200
    );
    assert_eq!(live.get(&format!("/messages/{id}"))["status"], "queued");
    accepted(call, "early");
    live.note(&id);
    assert_eq!(live.types(&id), ["message.created", "message.sent", "message.delivered"]);

    // A failure after acceptance, of the provider's fault or of nobody's.
    let id = live.send(&json!({"strategy": "sms then email"}));
    accepted(live.next(&mut gateway), "late");
    live.world.settle();
    assert_eq!(
        live.call_back(
            &provider,
            &json!({"type": "receipt", "id": "late", "status": "failed", "detail": "why"})
        ),
        200
    );
    accepted(live.next(&mut gateway), "mail");
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
fn a_receipt_by_the_attempts_id_may_come_before_any_answer() {
    let mut live = Live::new();
    let mut gateway = live.gateway();
    let provider = live.provider("gw", &gateway, &json!({}));
    let id = live.send(&json!({"strategy": "sms then email after 30s"}));
    let call = live.next(&mut gateway);
    let attempt = call.json()["attempt_id"].as_str().unwrap().to_owned();
    let receipt = json!({"type": "receipt", "attempt_id": attempt, "status": "delivered"});
    assert_eq!(live.call_back(&provider, &receipt), 200);
    accepted(call, "gw-1");
    live.note(&id);
    assert_eq!(live.types(&id), ["message.created", "message.sent", "message.delivered"]);
    insta::assert_snapshot!(live.told);
}

#[test]
fn a_person_who_wrote_stop_long_after_any_message_is_heard() {
    let mut live = Live::new();
    let mut gateway = live.gateway();
    let provider = live.provider("gw", &gateway, &json!({"channels": ["sms", "whatsapp"]}));
    let first = live.send(&json!({"strategy": "sms"}));
    accepted(live.next(&mut gateway), "gw-1");
    live.note(&first);
    live.world.later(Span::from_s(8 * 86_400));
    assert_eq!(
        live.call_back(&provider, &json!({"type": "reply", "from": "+4915112345678", "text": "STOP"})),
        200
    );
    assert_eq!(
        live.call_back(&provider, &json!({"type": "reply", "from": "+4915100000000", "text": "Quit"})),
        200
    );
    let second = live.send(&json!({"strategy": "sms"}));
    live.note(&second);
    let third = live.send(&json!({"to": {"sms": "+4915100000000"}, "strategy": "sms"}));
    live.note(&third);
    assert!(gateway.waiting().is_none(), "nothing is sent to who said stop");
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
fn a_receipt_by_the_attempts_id_may_come_before_the_answer_and_one_of_failure_counts_once() {
    let mut live = Live::new();
    let mut gateway = live.gateway();
    let provider = live.provider("gw", &gateway, &json!({"channels": ["sms"]}));
    let id = live.send(&json!({"strategy": "sms"}));
    let call = live.next(&mut gateway);
    let attempt = call.json()["attempt_id"].as_str().unwrap().to_owned();
    let receipt = json!({"type": "receipt", "id": "gw-1", "attempt_id": attempt, "status": "delivered"});
    assert_eq!(live.call_back(&provider, &receipt), 200);
    let message = live.get(&format!("/messages/{id}"));
    assert_eq!((&message["status"], &message["sends"]), (&json!("delivered"), &json!(1)));
    let told = live.get(&format!("/events?message_id={id}&type=message.sent"));
    assert_eq!(told["data"][0]["data"]["provider_message_id"], "gw-1");
    accepted(call, "gw-1");
    live.note(&id);
    assert_eq!(live.types(&id), ["message.created", "message.sent", "message.delivered"]);
    assert_eq!(live.get("/quotas")["data"][1]["day"]["used"], 1, "it counts once");

    let id = live.send(&json!({"strategy": "sms"}));
    accepted(live.next(&mut gateway), "gw-2");
    live.world.settle();
    let failed = json!({"type": "receipt", "id": "gw-2", "status": "failed"});
    for _ in 0..3 {
        assert_eq!(live.call_back(&provider, &failed), 200);
    }
    live.note(&id);
    let told = live.get(&format!("/messages/{id}/transitions?limit=100"));
    let receipts = told["data"].as_array().unwrap().iter().filter(|t| t["event"] == "receipt_failed");
    assert_eq!(receipts.count(), 1);
    insta::assert_snapshot!(live.told);
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
