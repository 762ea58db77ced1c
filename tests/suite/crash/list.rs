//! A list of receipts in one callback is taken as a whole, or not at all.

use serde_json::{Value, json};

use super::harness::counted::{Counted, the_audit_is_whole};
use super::harness::gateway::{SECRET, callback_request};
use super::harness::run;
use super::harness::server::{Place, exchange, terminate};
use crate::receiver::Receiver;

const MESSAGES: usize = 5;

/// Seen to fail with a list that was committed message by message: the process died at the second of its
/// commits.
#[test]
fn a_list_of_receipts_that_was_cut_off_leaves_nothing_of_itself() {
    run(cut_off_lists());
}

async fn cut_off_lists() {
    let place = Place::new();
    let mut gateway = Receiver::start().await;
    place.command(&["tenant", "create", "acme"]).await;
    let key = place.command(&["key", "create", "--tenant", "acme", "--env", "live"]).await;
    let mut child = place.serve(None).await.unwrap();
    let provider = json!({"name": "gateway", "kind": "http", "channels": ["sms"],
        "settings": {"url": gateway.url("/send")}, "credentials": {"secret": SECRET}});
    let provider = place.must(&key, "POST /providers", Some("p"), Some(&provider), 201).await;
    let callback = format!("/callbacks/{}", provider["id"].as_str().unwrap());
    let body =
        json!({"to": {"sms": "+4366412345678"}, "content": {"sms": {"body": "now"}}, "strategy": "sms"});
    let mut receipts = Vec::new();
    for n in 0..MESSAGES {
        place.must(&key, "POST /messages", Some(&format!("m{n}")), Some(&body), 202).await;
        let call = gateway.next().await;
        let id = format!("g-{n}");
        call.answer(200, &[], json!({"id": id}).to_string());
        receipts.push(json!({"type": "receipt", "id": id, "status": "delivered"}));
    }
    assert!(terminate(&mut child).await, "a clean stop");
    let request = callback_request(&callback, &Value::from(receipts).to_string());

    // Before its commit, and before another one, which there must not be.
    for (crash_at, answered, delivered) in
        [("change.before-commit:1", false, 0), ("change.before-commit:2", true, MESSAGES)]
    {
        let mut child = place.serve(Some(crash_at)).await.unwrap();
        let answer = exchange(place.address, request.clone().into_bytes()).await;
        assert_eq!(answer.is_ok_and(|answer| answer.status == 200), answered, "{crash_at}");
        if answered {
            assert!(terminate(&mut child).await, "a clean stop");
        } else {
            assert!(!child.wait().await.unwrap().success());
        }
        let mut child = place.serve(None).await.unwrap();
        let messages = place.list(&key, "/messages").await;
        assert_eq!(messages.len(), MESSAGES);
        let reached = messages.iter().filter(|message| message["status"] == "delivered").count();
        assert_eq!(reached, delivered, "{crash_at}");
        assert!(terminate(&mut child).await, "a clean stop");
    }
    let mut counted = Counted::default();
    the_audit_is_whole(&place.data(), MESSAGES, &mut counted).await;
    assert!(counted.is_nothing(), "{counted}");
}
