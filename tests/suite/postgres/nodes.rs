//! Several real nodes on one database: what comes to a node that has not the message in hand.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::cluster::cluster;
use super::serve::{MASTER_KEY, on};
use crate::process::{Caller, Server, spine, stderr, stdout};
use crate::receiver::Receiver;

const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
/// How long something may take to come. Reached only where a test fails, and well before a lease ends.
const WITHIN: Duration = Duration::from_secs(60);

/// A node whose lease outlives the test: what it had in hand goes on only where it hands it over.
async fn node(folder: &Path, name: &str, url: &str) -> Server {
    let file = folder.join(format!("{name}.yaml"));
    let text = format!(
        "database_url: {url}\nnode:\n  name: {name}\n  lease: 5m\noutbound:\n  allow_private_addresses: true\n"
    );
    std::fs::write(&file, text).unwrap();
    let mut command = spine();
    command.env("SPINE_MASTER_KEY", MASTER_KEY);
    command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(&file);
    Server::of(&mut command).await
}

/// Waits until an event of a message is told.
async fn until_told(events: &mut Receiver, event: &str, message: &Value) {
    loop {
        let told = tokio::time::timeout(WITHIN, events.next()).await.expect(event);
        let body = told.json();
        told.ok();
        if body["type"] == event && body["data"]["message_id"] == message["id"] {
            return;
        }
    }
}

/// The gateway takes the next call.
async fn take(gateway: &mut Receiver, id: &str) {
    let call = tokio::time::timeout(WITHIN, gateway.next()).await.expect("a call");
    call.answer(200, &[("content-type", "application/json")], json!({ "id": id }).to_string());
}

fn message(strategy: &str) -> Value {
    json!({"to": {"sms": "+4915112345678"}, "content": {"sms": {"body": "hello"}}, "strategy": strategy})
}

#[tokio::test]
async fn what_comes_to_another_node_reaches_the_one_that_has_the_message_and_a_stop_hands_over() {
    let database = cluster().database().await;
    let folder = tempfile::tempdir().unwrap();
    let (mut gateway, mut events) = (Receiver::start().await, Receiver::start().await);
    let first = node(folder.path(), "first", &database.url()).await;
    let second = node(folder.path(), "second", &database.url()).await;
    let made = on(&database, &["key", "create", "--tenant", "default", "--env", "live"]);
    assert!(made.status.success(), "{}", stderr(&made));
    let at = |server: &Server, key: &str| Caller::new(server, key);
    let (test_key, live_key) = (first.first_key(), stdout(&made));

    // The clock of the tests, moved where nothing was sent.
    let (here, there) = (at(&first, &test_key), at(&second, &test_key));
    let sent = here.post("waits", "/messages", &message("wait 1h then sms")).await;
    let path = format!("/messages/{}", sent["id"].as_str().unwrap());
    there.post("moves", "/test_clock/advance", &json!({"by": "2h"})).await;
    assert_eq!(here.get(&path).await.1["status"], "delivered");
    assert_eq!(here.get("/test_clock").await.1["advanced_by_ms"], 7_200_000);

    let (here, there) = (at(&first, &live_key), at(&second, &live_key));
    let provider = json!({"name": "gateway", "kind": "http", "channels": ["sms"],
        "settings": {"url": gateway.url("/send")}, "credentials": {"secret": SECRET}});
    let provider = here.post("p", "/providers", &provider).await;
    let endpoint = json!({"url": events.url("/"), "events": ["message.delivered", "message.canceled"]});
    there.post("e", "/webhook_endpoints", &endpoint).await;
    let receipt = |id: &str| json!({"type": "receipt", "id": id, "status": "delivered"});

    // A request once more, at the other node.
    let sent = here.post("once", "/messages", &message("sms until delivered")).await;
    take(&mut gateway, "g1").await;
    let again = there.post("once", "/messages", &message("sms until delivered")).await;
    assert_eq!(again, sent, "one key, two messages");

    // A receipt.
    assert_eq!(there.call_back(&provider, SECRET, "cb_1", &receipt("g1")).await, 200);
    until_told(&mut events, "message.delivered", &sent).await;

    // A cancel.
    let sent = here.post("long", "/messages", &message("wait 1h then sms")).await;
    let path = format!("/messages/{}", sent["id"].as_str().unwrap());
    let canceled = there.post("cancel", &format!("{path}/cancel"), &json!({})).await;
    assert_eq!(canceled["status"], "canceled", "{canceled}");
    assert_eq!(here.get(&path).await.1["status"], "canceled");
    until_told(&mut events, "message.canceled", &sent).await;

    // A node that stops hands over what it has in hand: what comes then is taken in at once.
    let left = here.post("left", "/messages", &message("sms until delivered")).await;
    take(&mut gateway, "g2").await;
    first.stop().await;
    assert_eq!(there.call_back(&provider, SECRET, "cb_2", &receipt("g2")).await, 200);
    until_told(&mut events, "message.delivered", &left).await;
    assert!(gateway.waiting().is_none(), "something was sent twice");
    let verified = on(&database, &["audit", "verify"]);
    assert!(verified.status.success(), "{}", stderr(&verified));
    second.stop().await;
}
