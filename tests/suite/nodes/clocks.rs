//! The test clock, moved at any node.

use serde_json::{Value, json};

use super::cluster::Cluster;
use crate::stores::{Kind, on_each_store, within_a_second};

const HOUR_MS: i64 = 3_600_000;

fn advanced(cluster: &Cluster, node: usize) -> i64 {
    cluster.ask(node, "GET /test_clock", &Value::Null).body["advanced_by_ms"].as_i64().unwrap()
}

fn a_clock_that_is_moved_at_one_node_has_moved_at_the_others_with_all_that_was_due(on: Kind) {
    let cluster = Cluster::of(on, 2);
    let ids: Vec<String> =
        (0..6).map(|n| cluster.send(n % 2, "test", &json!({"strategy": "wait 1h then sms"}))).collect();
    let moved = cluster.ask(1, "POST /test_clock/advance", &json!({"by": "2h"}));
    assert_eq!(moved.status, 200, "{moved:?}");
    for id in &ids {
        assert_eq!(cluster.status(0, "test", id), "delivered");
    }
    assert_eq!(advanced(&cluster, 0), 2 * HOUR_MS);
    let later = cluster.send(0, "test", &json!({"strategy": "wait 1h then sms"}));
    let created = cluster.message(1, "test", &later)["created_at"].clone();
    assert_eq!(created, "2026-01-05T14:00:00.000Z");
    // And on, at the node that has just sent.
    assert_eq!(cluster.ask(0, "POST /test_clock/advance", &json!({"by": "2h"})).status, 200);
    assert_eq!(cluster.status(1, "test", &later), "delivered");
    assert_eq!(advanced(&cluster, 1), 4 * HOUR_MS);
}

fn an_advance_whose_node_dies_another_finishes_before_it_takes_anything_in(on: Kind) {
    let mut cluster = Cluster::of(on, 2);
    let id = cluster.send(0, "test", &json!({"strategy": "wait 1h then sms"}));
    // The record of the advance is written, and nothing after it.
    cluster.hold_changes(0, 1);
    let advance = "POST /test_clock/advance under k";
    let advancing = cluster.runtime.spawn(cluster.asking(0, advance, &json!({"by": "2h"})));
    cluster.until_held(0);
    let body =
        json!({"to": {"sms": "+4915112345678"}, "content": {"sms": {"body": "hi"}}, "strategy": "sms"});
    let waiting = cluster.runtime.spawn(cluster.asking(1, "POST /messages", &body));
    assert_eq!(cluster.status(1, "test", &id), "queued");
    cluster.kill(0);
    advancing.abort();
    cluster.later(14);
    let sent = cluster.come("an answer", waiting).unwrap();
    assert_eq!(sent.status, 202, "{sent:?}");
    assert_eq!(sent.body["created_at"].as_str().unwrap()[..13], "2026-01-05T14"[..13]);
    assert_eq!(cluster.status(1, "test", &id), "delivered");
    let again = cluster.ask(1, advance, &json!({"by": "2h"}));
    assert_eq!((again.status, again.headers["idempotent-replayed"].as_str()), (200, "true"));
    assert_eq!(advanced(&cluster, 1), 2 * HOUR_MS);
}

fn a_test_clock_that_its_node_could_not_let_go_is_free_a_moment_later(on: Kind) {
    let cluster = Cluster::of(on, 2);
    let advance = "POST /test_clock/advance";
    // Taking it passes.
    cluster.hold_duties(0, 1);
    let first = cluster.runtime.spawn(cluster.asking(0, advance, &json!({"by": "1h"})));
    cluster.until_held(0);
    cluster.refuse_what_is_held(0);
    assert_eq!(cluster.come("an answer", first).unwrap().status, 200);
    let mut second = cluster.runtime.spawn(cluster.asking(1, advance, &json!({"by": "1h"})));
    let second = loop {
        cluster.later(1);
        if let Some(second) = within_a_second(&cluster.runtime, &mut second) {
            break second.unwrap();
        }
    };
    assert_eq!(second.status, 200, "{second:?}");
    assert_eq!(advanced(&cluster, 0), 2 * HOUR_MS);
}

fn an_advance_takes_along_what_its_node_has_taken_over_and_not_heard_of(on: Kind) {
    let mut cluster = Cluster::of(on, 2);
    let id = cluster.send(0, "test", &json!({"strategy": "wait 1h then sms"}));
    cluster.hold_word_of_adoptions(1);
    cluster.kill(0);
    cluster.later(14);
    cluster.until_held(1);
    assert_eq!(cluster.ask(1, "POST /test_clock/advance", &json!({"by": "2h"})).status, 200);
    let message = cluster.message(1, "test", &id);
    assert_eq!(message["status"], "delivered");
    assert_eq!(message["stages"][0]["started_at"], "2026-01-05T13:00:00.000Z");
    cluster.let_go_on(1);
}

fn a_node_that_is_asked_while_another_moves_the_clock_waits_for_it(on: Kind) {
    let cluster = Cluster::of(on, 2);
    let id = cluster.send(0, "test", &json!({"strategy": "wait 1h then sms"}));
    cluster.hold_changes(1, 1);
    let advance = cluster.asking(1, "POST /test_clock/advance", &json!({"by": "2h"}));
    let advancing = cluster.runtime.spawn(advance);
    cluster.until_held(1);
    let cancel = cluster.asking(0, &format!("POST /messages/{id}/cancel"), &json!({}));
    let canceling = cluster.runtime.spawn(cancel);
    let moving = cluster.asking(0, "POST /test_clock/advance", &json!({"by": "1h"}));
    let moving = cluster.runtime.spawn(moving);
    cluster.let_go_on(1);
    assert_eq!(cluster.come("an answer", advancing).unwrap().status, 200);
    let late = cluster.come("an answer", canceling).unwrap();
    assert_eq!((late.status, late.body["code"].as_str()), (409, Some("message_ended")), "{late:?}");
    assert_eq!(cluster.come("an answer", moving).unwrap().status, 200);
    assert_eq!(advanced(&cluster, 1), 3 * HOUR_MS);
}

/// A receipt that comes long after its message has ended.
fn late() -> Value {
    json!({"strategy": "sms until accepted", "sandbox": {"sms": "accepted, delivered after 2m"}})
}

fn events_of(cluster: &Cluster, node: usize, id: &str) -> Vec<String> {
    let events = cluster.ask(node, &format!("GET /events?message_id={id}"), &Value::Null).body;
    let kinds = events["data"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap());
    kinds.map(str::to_owned).collect()
}

fn a_scripted_receipt_after_the_end_comes_though_its_node_died(on: Kind) {
    let mut cluster = Cluster::of(on, 2);
    let alone = cluster.send(1, "test", &late());
    let ids = [cluster.send(0, "test", &late()), cluster.send(0, "test", &late())];
    for id in &ids {
        cluster.until_status(1, "test", id, "sent");
    }
    // One is moved on by the clock of another node while its own lives, one by who goes on with it.
    let first = cluster.ask(1, "POST /test_clock/advance", &json!({"by": "1m"}));
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(cluster.status(1, "test", &ids[0]), "sent");
    cluster.kill(0);
    cluster.later(14);
    assert_eq!(cluster.status(1, "test", &ids[1]), "sent");
    assert_eq!(cluster.ask(1, "POST /test_clock/advance", &json!({"by": "1m"})).status, 200);
    for id in &ids {
        assert_eq!(cluster.status(1, "test", id), "delivered");
        assert_eq!(events_of(&cluster, 1, id), events_of(&cluster, 1, &alone));
    }
    assert_eq!(cluster.unsettled("test"), 0);
}

fn an_advance_takes_what_comes_late_at_another_node_as_well(on: Kind) {
    let cluster = Cluster::of(on, 2);
    let id = cluster.send(0, "test", &late());
    cluster.until_status(1, "test", &id, "sent");
    assert_eq!(cluster.ask(1, "POST /test_clock/advance", &json!({"by": "3m"})).status, 200);
    assert_eq!(cluster.status(0, "test", &id), "delivered");
    assert_eq!(cluster.unsettled("test"), 0);
}

fn what_is_overdue_comes_in_the_order_of_its_instants(on: Kind) {
    let mut cluster = Cluster::of(on, 2);
    // The send is written, and nothing after it: what its providers say at once is said by another node,
    // when a receipt of one of them is due as well.
    cluster.hold_changes(0, 1);
    let sandbox = json!({"sms": "accepted, delivered after 2s", "email": "recipient fault"});
    let id = cluster.send(0, "test", &json!({"strategy": "any of (sms, email)", "sandbox": sandbox}));
    cluster.until_held(0);
    cluster.kill(0);
    cluster.later(14);
    cluster.until_status(1, "test", &id, "delivered");
    let told = cluster.ask(1, &format!("GET /messages/{id}/transitions"), &Value::Null).body;
    let told: Vec<&str> =
        told["data"].as_array().unwrap().iter().map(|line| line["event"].as_str().unwrap()).collect();
    let place = |event: &str| told.iter().position(|told| *told == event).expect(event);
    assert!(place("attempt_refused") < place("receipt_delivered"), "{told:?}");
}

on_each_store!(
    a_clock_that_is_moved_at_one_node_has_moved_at_the_others_with_all_that_was_due,
    an_advance_whose_node_dies_another_finishes_before_it_takes_anything_in,
    a_test_clock_that_its_node_could_not_let_go_is_free_a_moment_later,
    an_advance_takes_along_what_its_node_has_taken_over_and_not_heard_of,
    a_node_that_is_asked_while_another_moves_the_clock_waits_for_it,
    a_scripted_receipt_after_the_end_comes_though_its_node_died,
    an_advance_takes_what_comes_late_at_another_node_as_well,
    what_is_overdue_comes_in_the_order_of_its_instants,
);
