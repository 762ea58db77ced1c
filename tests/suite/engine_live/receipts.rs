//! Receipts and replies of a gateway.

use reqwest::header::HeaderValue;
use serde_json::{Value, json};
use spine::model::Span;
use spine::providers::signature::{self, Secret};

use super::{Live, SECRET, accepted};

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

/// Nobody can tell what a reply without a send's id answers. To a call under way it counts once that call
/// was taken; where it was refused, the person has yet to be told.
#[test]
fn a_reply_that_names_no_send_counts_once_the_call_under_way_was_taken() {
    let mut live = Live::new();
    let mut gateway = live.gateway();
    let provider = live.provider("gw", &gateway, &json!({"channels": ["sms", "email"]}));
    let to = |number: &str| {
        json!({"to": {"sms": number, "email": "a@example.org"},
        "strategy": "sms until replied then email after 30s"})
    };
    let reply = |number: &str| json!({"type": "reply", "from": number, "text": "yes"});

    let taken = live.send(&to("+4915100000001"));
    let call = live.next(&mut gateway);
    for _ in 0..2 {
        assert_eq!(live.call_back(&provider, &reply("+4915100000001")), 200);
    }
    assert_eq!(live.get(&format!("/messages/{taken}"))["status"], "queued");
    assert_eq!(live.types(&taken), ["message.created", "message.replied"], "it is told at once, and once");
    accepted(call, "gw-1");
    live.note(&taken);
    assert_eq!(live.get(&format!("/messages/{taken}"))["status"], "delivered");
    let told = live.types(&taken);
    assert_eq!(told.iter().filter(|kind| *kind == "message.replied").count(), 1, "{told:?}");

    let refused = live.send(&to("+4915100000002"));
    let call = live.next(&mut gateway);
    assert_eq!(live.call_back(&provider, &reply("+4915100000002")), 200);
    call.answer(400, &[], json!({"outcome": "recipient_fault"}).to_string());
    // The next stage is to be heard.
    accepted(live.next(&mut gateway), "gw-2");
    live.note(&refused);
    assert_ne!(live.get(&format!("/messages/{refused}"))["status"], "delivered");
    insta::assert_snapshot!(live.told);
}
