//! A clean stop.

use serde_json::json;
use tempfile::tempdir;

use super::{Caller, Server, make_key};
use crate::receiver::Receiver;

#[tokio::test]
async fn a_stop_waits_for_the_call_under_way_and_takes_nothing_more_in() {
    let home = tempdir().unwrap();
    let mut gateway = Receiver::start().await;
    let mut server = Server::start(home.path()).await;
    let caller = Caller::new(&server, &make_key(home.path(), "live"));
    let provider = json!({"name": "gateway", "kind": "http", "channels": ["sms"],
        "settings": {"url": gateway.url("/send")}, "credentials": {"token": "t"}});
    caller.post("p", "/providers", &provider).await;
    let message = json!({"to": {"sms": "+4915112345678"}, "content": {"sms": {"body": "hello"}},
        "strategy": "sms until accepted"});
    let sent = caller.post("m", "/messages", &message).await;
    let call = gateway.next().await;
    server.terminate();
    server.until("stopping on SIGTERM").await;
    call.answer(200, &[("content-type", "application/json")], r#"{"id": "g-1"}"#);
    server.until("stopped").await;
    assert!(server.ended().await.success());

    let server = Server::start(home.path()).await;
    let caller = Caller { base: server.base.clone(), ..caller };
    let (_, now) = caller.get(&format!("/messages/{}", sent["id"].as_str().unwrap())).await;
    assert_eq!((&now["status"], &now["sends"]), (&json!("sent"), &json!(1)));
    assert!(gateway.waiting().is_none(), "it was called once");
    server.stop().await;
}
