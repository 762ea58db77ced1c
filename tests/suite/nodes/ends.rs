//! Nodes that die, pause, stop and come back.

use serde_json::{Value, json};

use super::{Live, accepted, attempt_of, outcomes};
use crate::stores::{Kind, on_each_store};

fn what_a_dead_node_left_another_finishes_with_its_call_in_doubt(on: Kind) {
    let mut live = Live::of(on, 2);
    let under_way = live.send(0, "sms");
    let waiting = live.send(0, "wait 20s then sms");
    let first = attempt_of(&live.call());
    live.cluster.kill(0);
    live.cluster.later(9);
    assert!(live.gateway.waiting().is_none(), "while the lease holds nobody else calls");
    live.cluster.later(4);
    // Where its first look fails, the next one takes it over.
    let again = live.call_within(5);
    assert_eq!(attempt_of(&again), first, "the same attempt, under the same key");
    accepted(again, "g1");
    live.until_status(1, &under_way, "sent");
    assert_eq!(live.status(1, &waiting), "queued");
    live.cluster.later(21);
    accepted(live.call(), "g2");
    live.until_status(1, &waiting, "sent");
}

fn what_was_taken_over_without_a_word_of_it_is_finished_all_the_same(on: Kind) {
    let mut live = Live::of(on, 2);
    let under_way = live.send(0, "sms");
    let waiting = live.send(0, "wait 20s then sms");
    let first = attempt_of(&live.call());
    live.cluster.hold_word_of_adoptions(1);
    live.cluster.kill(0);
    live.cluster.later(14);
    live.cluster.until_held(1);
    let own = live.send(1, "sms");
    let call = live.call();
    live.cluster.lose_what_is_held(1);
    let again = live.call_within(5);
    assert_eq!(attempt_of(&again), first, "the same attempt, under the same key");
    accepted(again, "g1");
    live.until_status(1, &under_way, "sent");
    assert!(live.gateway.waiting().is_none(), "what the node itself calls is in no doubt");
    accepted(call, "g2");
    live.until_status(1, &own, "sent");
    live.cluster.later(21);
    accepted(live.call(), "g3");
    live.until_status(1, &waiting, "sent");
}

fn a_node_that_is_not_told_who_else_is_alive_keeps_its_lease(on: Kind) {
    let mut live = Live::of(on, 2);
    live.cluster.hold_looks(1);
    live.cluster.later(25);
    assert!(!live.cluster.nodes[1].is_over(), "its lease has ended");
    let own = live.send(1, "sms");
    accepted(live.call(), "g1");
    live.until_status(1, &own, "sent");
    let left = live.send(0, "wait 20s then sms");
    live.cluster.let_go_on(1);
    live.cluster.kill(0);
    accepted(live.call_within(60), "g2");
    live.until_status(1, &left, "sent");
}

fn a_node_that_was_paused_for_too_long_writes_nothing_and_ends(on: Kind) {
    let mut live = Live::of(on, 2);
    let id = live.send(0, "sms");
    let first = live.call();
    live.cluster.pause(0);
    live.cluster.later(14);
    accepted(live.call_within(20), "g1");
    live.until_status(1, &id, "sent");
    let before = live.message(1, &id);
    // It hears the answer to its own call, and what it makes of it is refused.
    first.answer(400, &[], "{}");
    live.cluster.come_back(0);
    let node = &live.cluster.nodes[0];
    live.cluster.come("the end of its lease", node.engine.fenced());
    node.until_over();
    let refused = live.cluster.ask(0, &format!("GET /messages/{id} as live"), &Value::Null);
    assert_eq!((refused.status, refused.body["code"].as_str()), (503, Some("shutting_down")), "{refused:?}");
    assert_eq!(live.message(1, &id), before);
    assert_eq!(outcomes(&before), ["accepted"]);
}

fn a_node_that_stops_hands_over_at_once(on: Kind) {
    let mut live = Live::of(on, 2);
    let waiting = live.send(0, "wait 20s then sms");
    let under_way = live.send(0, "sms");
    let call = live.call();
    let node = &live.cluster.nodes[0];
    let stopping = {
        let engine = std::sync::Arc::clone(&node.engine);
        live.cluster.runtime.spawn(async move { engine.stop().await })
    };
    node.until_over();
    assert!(!stopping.is_finished(), "a stop waits for what is under way");
    accepted(call, "g1");
    live.cluster.come("an answer", stopping).unwrap();
    let message = live.message(1, &under_way);
    assert_eq!(message["status"], "sent", "a stop waits for what is under way: {message}");
    live.cluster.moment();
    let scope = live.cluster.scopes["live"];
    let rows = live.cluster.nodes[1].store.clone();
    live.cluster.until("a new owner", || {
        live.cluster.nodes[1].wait(async { rows.scope(scope).await.unwrap().next_due().await.unwrap() })
    });
    live.cluster.later(21);
    accepted(live.call(), "g2");
    live.until_status(1, &waiting, "sent");
}

fn a_node_that_comes_back_under_its_old_name_is_another_node(on: Kind) {
    let mut live = Live::of(on, 1);
    let id = live.send(0, "sms");
    let first = attempt_of(&live.call());
    live.cluster.kill(0);
    let again = live.cluster.join("one");
    assert_ne!(live.cluster.nodes[0].id, live.cluster.nodes[again].id);
    live.cluster.later(2);
    assert!(live.gateway.waiting().is_none(), "it has nothing in hand of what is not its own");
    live.cluster.later(12);
    let call = live.call_within(20);
    assert_eq!(attempt_of(&call), first);
    accepted(call, "g1");
    live.until_status(again, &id, "sent");
}

fn several_nodes_adopt_at_once_and_nothing_is_lost_or_called_twice(on: Kind) {
    let mut live = Live::of(on, 4);
    let ids: Vec<String> = (0..40).map(|n| live.send(n % 2, "sms")).collect();
    let mut attempts: Vec<String> = ids.iter().map(|_| attempt_of(&live.call())).collect();
    live.cluster.kill(0);
    live.cluster.kill(1);
    live.cluster.later(14);
    let mut again = Vec::new();
    for n in 0..ids.len() {
        let call = live.call_within(20);
        again.push(attempt_of(&call));
        accepted(call, &format!("g{n}"));
    }
    attempts.sort();
    again.sort();
    assert_eq!(attempts, again, "each once, under its own key");
    for id in &ids {
        live.until_status(2, id, "sent");
    }
    assert!(live.gateway.waiting().is_none());
}

fn a_call_open_where_its_message_ended_is_closed_by_whoever_goes_on(on: Kind) {
    let mut live = Live::of(on, 2);
    let id = live.send(0, "sms");
    let _call = live.call();
    let canceled = live.cluster.ask(0, &format!("POST /messages/{id}/cancel as live"), &Value::Null);
    assert_eq!(canceled.status, 200, "{canceled:?}");
    assert_eq!(outcomes(&live.message(1, &id)), ["none"]);
    live.cluster.kill(0);
    live.cluster.later(14);
    live.cluster.until("an outcome", || (outcomes(&live.message(1, &id)) == ["in_doubt"]).then_some(()));
    live.cluster.idle(1);
    assert_eq!(live.status(1, &id), "canceled");
    assert!(live.gateway.waiting().is_none(), "it was called again");
    assert_eq!(live.unsettled(), 0);
}

fn a_call_that_a_receipt_confirmed_before_its_node_died_counts_as_accepted(on: Kind) {
    let mut live = Live::of(on, 2);
    let id = live.send(0, "sms");
    let call = live.call();
    let receipt = json!({"type": "receipt", "attempt_id": attempt_of(&call), "id": "g1",
        "status": "delivered", "at": "2026-01-05T12:00:00Z"});
    assert_eq!(live.call_back(0, &receipt).status, 200);
    live.until_status(1, &id, "delivered");
    live.cluster.kill(0);
    live.cluster.later(14);
    live.cluster.until("an outcome", || (outcomes(&live.message(1, &id)) == ["accepted"]).then_some(()));
    assert!(live.gateway.waiting().is_none(), "it was called again");
    assert_eq!(live.unsettled(), 0);
}

fn what_comes_late_for_a_call_open_elsewhere_goes_to_its_owner(on: Kind) {
    let mut live = Live::of(on, 2);
    let id = live.send(0, "sms");
    let call = live.call();
    let canceled = live.cluster.ask(0, &format!("POST /messages/{id}/cancel as live"), &Value::Null);
    assert_eq!(canceled.status, 200, "{canceled:?}");
    let receipt = json!({"type": "receipt", "attempt_id": attempt_of(&call), "id": "g1",
        "status": "delivered", "at": "2026-01-05T12:00:00Z"});
    assert_eq!(live.call_back(1, &receipt).status, 200);
    accepted(call, "g1");
    live.cluster.moment();
    live.cluster.until("an outcome", || (outcomes(&live.message(1, &id)) == ["accepted"]).then_some(()));
    live.cluster.later(2);
    live.cluster.until("a receipt that was carried out", || {
        (live.cluster.signals_waiting("live") == 0).then_some(())
    });
    assert_eq!((live.status(1, &id).as_str(), live.unsettled()), ("canceled", 0));
}

on_each_store!(
    what_a_dead_node_left_another_finishes_with_its_call_in_doubt,
    what_was_taken_over_without_a_word_of_it_is_finished_all_the_same,
    a_node_that_is_not_told_who_else_is_alive_keeps_its_lease,
    a_node_that_was_paused_for_too_long_writes_nothing_and_ends,
    a_node_that_stops_hands_over_at_once,
    a_node_that_comes_back_under_its_old_name_is_another_node,
    several_nodes_adopt_at_once_and_nothing_is_lost_or_called_twice,
    a_call_open_where_its_message_ended_is_closed_by_whoever_goes_on,
    a_call_that_a_receipt_confirmed_before_its_node_died_counts_as_accepted,
    what_comes_late_for_a_call_open_elsewhere_goes_to_its_owner,
);
