//! What comes in at a node that does not own the message.

use serde_json::{Value, json};

use super::{Answer, Live, accepted, attempt_of, outcomes};
use crate::stores::{Kind, on_each_store};

/// What comes in at the other node, while a call is open and while none is.
enum Came {
    /// A callback, with the id of the provider's or the attempt's in it.
    Receipt(&'static str),
    Reply(&'static str),
    /// A caller's request.
    Asked(&'static str),
}

/// What comes in, the status that follows, and what is told of it beside that it was sent.
const CASES: &[(Came, &str, &[&str])] = &[
    (Came::Receipt("delivered"), "delivered", &["created", "delivered"]),
    (Came::Receipt("failed"), "failed", &["created", "failed"]),
    (Came::Reply("thanks"), "delivered", &["created", "replied", "delivered"]),
    (Came::Asked("cancel"), "canceled", &["created", "canceled"]),
    (Came::Asked("confirm"), "delivered", &["created", "delivered"]),
];

fn types(live: &Live, id: &str) -> Vec<String> {
    let told = live.cluster.ask(1, &format!("GET /events?message_id={id} as live"), &Value::Null);
    let told = told.body["data"].as_array().unwrap().iter().rev();
    let mut types: Vec<String> =
        told.map(|event| event["type"].as_str().unwrap().replace("message.", "")).collect();
    types.dedup();
    types
}

fn come(live: &Live, what: &Came, id: &str, attempt: &str) -> Answer {
    match what {
        Came::Receipt(status) => live.call_back(
            1,
            &json!({"type": "receipt", "attempt_id": attempt, "status": status, "at": "2026-01-05T12:00:00Z"}),
        ),
        Came::Reply(text) => live.call_back(
            1,
            &json!({"type": "reply", "id": "r1", "attempt_id": attempt, "from": "+4915112345678", "text": text}),
        ),
        Came::Asked(what) => {
            let body = if *what == "confirm" { json!({"goal": "delivered"}) } else { json!({}) };
            live.cluster.answered(live.cluster.asking(1, &format!("POST /messages/{id}/{what} as live"), &body))
        }
    }
}

fn what_comes_in_at_another_node_while_a_call_is_open_its_owner_carries_out(on: Kind) {
    for (what, status, told) in CASES {
        let mut live = Live::of(on, 2);
        let id = live.send(0, "sms until delivered");
        let call = live.call();
        let attempt = attempt_of(&call);
        let answer = come(&live, what, &id, &attempt);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(!answer.headers.contains_key("idempotent-replayed"), "it is the first answer: {answer:?}");
        live.until_status(1, &id, status);
        if let Came::Asked(_) = what {
            assert_eq!(answer.body["status"], *status);
        }
        accepted(call, "g1");
        live.cluster.idle(0);
        assert_eq!(live.status(0, &id), *status);
        let types = types(&live, &id);
        let told_of = types.iter().map(String::as_str).filter(|kind| *kind != "sent");
        assert_eq!(told_of.collect::<Vec<_>>(), *told, "{status}");
        live.cluster.until("an outcome", || (outcomes(&live.message(1, &id)) == ["accepted"]).then_some(()));
        assert_eq!(live.cluster.signals_waiting("live"), 0);
    }
}

fn what_comes_in_at_another_node_while_no_call_is_open_it_does_itself_and_owns_the_message(on: Kind) {
    for (what, status, _) in CASES {
        let mut live = Live::of(on, 2);
        let id = live.send(0, "sms until delivered then email after 5s");
        let call = live.call();
        let attempt = attempt_of(&call);
        accepted(call, "g1");
        live.until_status(1, &id, "sent");
        // Whoever owned it has no hand in it.
        live.cluster.idle(0);
        live.cluster.pause(0);
        let answer = come(&live, what, &id, &attempt);
        assert_eq!(answer.status, 200, "{answer:?}");
        let wanted = if *status == "failed" {
            // What follows from it follows there.
            accepted(live.call(), "g2");
            "sent"
        } else {
            status
        };
        live.cluster.idle(1);
        assert_eq!(live.status(1, &id), wanted, "{:?}", live.message(1, &id));
        live.cluster.come_back(0);
        live.cluster.later(6);
        live.cluster.idle(0);
        live.cluster.idle(1);
        assert!(live.gateway.waiting().is_none(), "a timer of the owner before changes nothing any more");
    }
}

fn a_receipt_that_came_to_another_node_before_the_answer_to_its_send_is_taken_up(on: Kind) {
    let mut live = Live::of(on, 2);
    let id = live.send(0, "sms until delivered");
    let call = live.call();
    let receipt = json!({"type": "receipt", "id": "g1", "status": "delivered", "at": "2026-01-05T12:00:00Z"});
    assert_eq!(live.call_back(1, &receipt).status, 200);
    assert_eq!(live.status(1, &id), "queued");
    accepted(call, "g1");
    live.until_status(1, &id, "delivered");
}

fn one_idempotency_key_is_one_message_also_at_two_nodes_at_once(on: Kind) {
    let live = Live::of(on, 2);
    let body = json!({"to": {"sms": "+4915112345678"}, "content": {"sms": {"body": "hi"}},
        "strategy": "wait 30s then sms"});
    live.cluster.hold_changes(0, 0);
    let first = live.cluster.asking(0, "POST /messages as live under k", &body);
    let first = live.cluster.runtime.spawn(first);
    live.cluster.until_held(0);
    let second = live.cluster.ask(1, "POST /messages as live under k", &body);
    live.cluster.let_go_on(0);
    let first = live.cluster.come("an answer", first).unwrap();
    assert_eq!((first.status, second.status), (202, 202));
    assert_eq!(first.body, second.body);
    assert_eq!(first.headers["idempotent-replayed"], "true");
    let all = live.cluster.ask(0, "GET /messages as live", &Value::Null);
    assert_eq!(all.body["data"].as_array().unwrap().len(), 1);
}

fn an_owner_that_does_not_come_to_a_cancel_has_its_caller_ask_again_under_the_same_key(on: Kind) {
    let mut live = Live::of(on, 2);
    let id = live.send(0, "sms");
    let call = live.call();
    live.cluster.hold_changes(0, 0);
    let cancel = format!("POST /messages/{id}/cancel as live under k");
    let asked = live.cluster.runtime.spawn(live.cluster.asking(1, &cancel, &json!({})));
    live.cluster.until_held(0);
    // When it began to wait is its own affair.
    while !asked.is_finished() {
        live.cluster.later(1);
    }
    let late = live.cluster.come("an answer", asked).unwrap();
    assert_eq!((late.status, late.headers["retry-after"].as_str()), (503, "1"), "{late:?}");
    live.cluster.let_go_on(0);
    live.until_status(1, &id, "canceled");
    let again = live.cluster.ask(1, &cancel, &json!({}));
    assert_eq!((again.status, again.body["status"].as_str()), (200, Some("canceled")), "{again:?}");
    accepted(call, "g1");
}

/// In memory alone: on a server the nodes hear of each other by polls in real time, so that what the test's clock shows
/// by then is not the test's to say, and a signed callback may be refused as too old. By whole nodes it is tested in
/// `postgres/nodes.rs`.
#[test]
fn what_comes_in_at_another_node_while_a_call_is_open_its_owner_carries_out_in_memory() {
    what_comes_in_at_another_node_while_a_call_is_open_its_owner_carries_out(Kind::Memory);
}

on_each_store!(
    what_comes_in_at_another_node_while_no_call_is_open_it_does_itself_and_owns_the_message,
    a_receipt_that_came_to_another_node_before_the_answer_to_its_send_is_taken_up,
    one_idempotency_key_is_one_message_also_at_two_nodes_at_once,
    an_owner_that_does_not_come_to_a_cancel_has_its_caller_ask_again_under_the_same_key,
);
