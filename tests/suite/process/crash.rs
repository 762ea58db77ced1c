//! `kill -9` in the middle: nothing that was answered is lost, and nothing is sent twice.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tempfile::tempdir;

use super::{Caller, Server, make_key, run, stdout};
use crate::receiver::{Received, Receiver};

/// Messages that are sent.
const MESSAGES: usize = 30;

/// When the crash comes.
#[derive(Clone, Copy)]
struct Moment {
    /// Calls that the gateway has seen.
    seen: usize,
    /// Those of them that it has answered.
    answered: usize,
}

/// What reached the gateway: by message, the idempotency keys under which it was called.
#[derive(Default)]
struct Calls(BTreeMap<String, BTreeSet<String>>);

impl Calls {
    fn note(&mut self, call: &Received) {
        let (body, key) = (call.json(), call.headers["idempotency-key"].to_str().unwrap());
        assert_eq!(body["attempt_id"], key, "the attempt's id is the idempotency key");
        self.0.entry(body["message_id"].as_str().unwrap().to_owned()).or_default().insert(key.to_owned());
    }
}

fn accept(call: Received) {
    let id = json!({"id": format!("g-{}", call.json()["attempt_id"].as_str().unwrap())});
    call.answer(200, &[("content-type", "application/json")], id.to_string());
}

fn message() -> Value {
    json!({"to": {"sms": "+4915112345678"}, "content": {"sms": {"body": "hello"}},
        "strategy": "sms until accepted"})
}

/// Sends all messages at once, each under its own idempotency key; what was answered with 202.
async fn send_all(caller: &Caller) -> BTreeMap<usize, Value> {
    let mut sends = tokio::task::JoinSet::new();
    for n in 0..MESSAGES {
        let caller = caller.clone();
        sends.spawn(async move { (n, caller.try_post(&format!("m{n}"), "/messages", &message()).await) });
    }
    let mut answered = BTreeMap::new();
    while let Some(sent) = sends.join_next().await {
        if let (n, Ok((status, body))) = sent.unwrap() {
            assert_eq!(status, 202, "{body}");
            answered.insert(n, body);
        }
    }
    answered
}

#[tokio::test]
async fn killed_at_the_first_call() {
    killed(Moment { seen: 1, answered: 0 }).await;
}

#[tokio::test]
async fn killed_with_some_calls_answered_and_some_under_way() {
    killed(Moment { seen: 20, answered: 8 }).await;
}

#[tokio::test]
async fn killed_once_all_calls_are_answered_and_before_all_answers_are_on_record() {
    killed(Moment { seen: MESSAGES, answered: MESSAGES }).await;
}

/// A killed server loses nothing that was answered, and sends nothing twice.
async fn killed(moment: Moment) {
    let home = tempdir().unwrap();
    let (mut gateway, mut events) = (Receiver::start().await, Receiver::start().await);
    let server = Server::start(home.path()).await;
    let caller = Caller::new(&server, &make_key(home.path(), "live"));
    let provider = json!({"name": "gateway", "kind": "http", "channels": ["sms"],
        "settings": {"url": gateway.url("/send")}, "credentials": {"token": "t"}});
    caller.post("p", "/providers", &provider).await;
    let endpoint = json!({"url": events.url("/"), "events": ["message.sent"]});
    caller.post("e", "/webhook_endpoints", &endpoint).await;

    // The crash: some calls are answered, some are under way, some messages not yet taken in.
    let mut calls = Calls::default();
    let sending = {
        let caller = caller.clone();
        tokio::spawn(async move { send_all(&caller).await })
    };
    let mut held = Vec::new();
    for n in 0..moment.seen {
        let call = gateway.next().await;
        calls.note(&call);
        if n < moment.answered { accept(call) } else { held.push(call) }
    }
    server.kill();
    drop(held);
    let answered = sending.await.unwrap();
    while let Some(call) = gateway.waiting() {
        calls.note(&call);
    }

    // The restart: what was not answered is asked for again, under the same keys.
    let server = Server::start(home.path()).await;
    let caller = Caller { base: server.base.clone(), ..caller };
    let again = tokio::spawn({
        let caller = caller.clone();
        async move { send_all(&caller).await }
    });
    let mut told: BTreeSet<String> = BTreeSet::new();
    while told.len() < MESSAGES {
        tokio::select! {
            call = gateway.next() => {
                calls.note(&call);
                accept(call);
            }
            event = events.next() => {
                told.insert(event.json()["data"]["message_id"].as_str().unwrap().to_owned());
                event.ok();
            }
        }
    }
    let all = again.await.unwrap();
    assert_eq!(all.len(), MESSAGES);
    for (n, body) in &answered {
        assert_eq!(all[n], *body, "the answer from before the crash stands");
    }
    let ids: BTreeSet<&str> = all.values().map(|body| body["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), MESSAGES, "a message a key");
    for id in ids {
        let attempts = &calls.0[id];
        assert_eq!(attempts.len(), 1, "{id} was sent under {attempts:?}");
        let (_, now) = caller.get(&format!("/messages/{id}")).await;
        assert_eq!((&now["status"], &now["sends"]), (&json!("sent"), &json!(1)), "{now}");
    }
    server.stop().await;
    let verified = run(&["audit", "verify", "--data", home.path().to_str().unwrap()]);
    assert!(verified.status.success(), "{}", stdout(&verified));
    assert!(stdout(&verified).contains(&format!("default (live): {MESSAGES} messages")));
}

/// What a script says after its message has ended comes after a crash as it would have come without one.
#[tokio::test]
async fn killed_between_a_messages_end_and_its_last_receipt() {
    let home = tempdir().unwrap();
    let server = Server::start(home.path()).await;
    let caller = Caller::new(&server, &make_key(home.path(), "test"));
    let mut late = message();
    late["sandbox"] = json!({"sms": "accepted, delivered after 2h"});
    let sent = caller.post("late", "/messages", &late).await;
    let path = format!("/messages/{}", sent["id"].as_str().unwrap());
    caller.post("a", "/test_clock/advance", &json!({"by": "1h"})).await;
    assert_eq!(caller.get(&path).await.1["status"], "sent");
    server.kill();
    let server = Server::start(home.path()).await;
    let caller = Caller { base: server.base.clone(), ..caller };
    caller.post("b", "/test_clock/advance", &json!({"by": "30m"})).await;
    assert_eq!(caller.get(&path).await.1["status"], "sent", "before its time");
    // Not even a clean stop loses it.
    server.stop().await;
    let server = Server::start(home.path()).await;
    let caller = Caller { base: server.base.clone(), ..caller };
    caller.post("c", "/test_clock/advance", &json!({"by": "30m"})).await;
    assert_eq!(caller.get(&path).await.1["status"], "delivered");
    server.stop().await;
    let verified = run(&["audit", "verify", "--data", home.path().to_str().unwrap()]);
    assert!(verified.status.success(), "{}", stdout(&verified));
}

/// A call that was open when its message ended, and whose process died, is closed and not made again.
#[tokio::test]
async fn killed_while_a_call_of_a_canceled_message_is_open() {
    let home = tempdir().unwrap();
    let mut gateway = Receiver::start().await;
    let server = Server::start(home.path()).await;
    let caller = Caller::new(&server, &make_key(home.path(), "live"));
    let provider = json!({"name": "gateway", "kind": "http", "channels": ["sms"],
        "settings": {"url": gateway.url("/send")}, "credentials": {"token": "t"}});
    caller.post("p", "/providers", &provider).await;
    let sent = caller.post("m", "/messages", &message()).await;
    let path = format!("/messages/{}", sent["id"].as_str().unwrap());
    let _open = gateway.next().await;
    caller.post("c", &format!("{path}/cancel"), &json!({})).await;
    server.kill();
    let server = Server::start(home.path()).await;
    let caller = Caller { base: server.base.clone(), ..caller };
    // A further message is called, and comes behind whatever the start had to do.
    caller.post("n", "/messages", &message()).await;
    let next = gateway.next().await;
    assert_ne!(next.json()["message_id"], sent["id"], "it was called again");
    accept(next);
    // A clean stop waits for whatever the start had begun.
    server.stop().await;
    let server = Server::start(home.path()).await;
    let (_, now) = Caller { base: server.base.clone(), ..caller }.get(&path).await;
    assert_eq!(
        (&now["status"], &now["stages"][0]["attempts"][0]["outcome"]),
        (&json!("canceled"), &json!("in_doubt"))
    );
    server.stop().await;
    let looked = run(&["doctor", "--data", home.path().to_str().unwrap(), "--format", "json"]);
    let looked: Value = serde_json::from_str(&stdout(&looked)).unwrap();
    assert!(!looked.to_string().contains("unfinished-call"), "{looked}");
}
