//! A clean stop.

use serde_json::json;
use tempfile::tempdir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use super::{Caller, Server, make_key};
use crate::receiver::{Receiver, taken};

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

#[tokio::test]
async fn a_server_that_stops_begins_no_call_and_the_next_one_does() {
    let home = tempdir().unwrap();
    let (mut first, mut second) = (Receiver::start().await, Receiver::start().await);
    let mut server = Server::start(home.path()).await;
    let caller = Caller::new(&server, &make_key(home.path(), "live"));
    let raw = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let raw_url = format!("http://{}", raw.local_addr().unwrap());
    for (name, url) in [("first", first.url("/send")), ("second", second.url("/send")), ("raw", raw_url)] {
        let provider = json!({"name": name, "kind": "http", "channels": ["sms"],
            "settings": {"url": url}, "credentials": {"token": "t"}});
        caller.post(name, "/providers", &provider).await;
    }
    let message = |strategy: &str| json!({"to": {"sms": "+4915112345678"}, "content": {"sms": {"body": "hello"}}, "strategy": strategy});
    let refused = caller.post("r", "/messages", &message("sms via first or second until accepted")).await;
    let call = first.next().await;
    let doubtful = caller.post("d", "/messages", &message("sms via raw until accepted")).await;
    let (lost, key) = taken(&raw).await;
    server.terminate();
    server.until("stopping on SIGTERM").await;
    // The one is to be tried by the second provider, the other once more by its own: at once.
    call.answer(503, &[], "");
    drop(lost);
    server.until("stopped").await;
    assert!(server.ended().await.success());
    assert!(first.waiting().is_none() && second.waiting().is_none(), "a call while it stopped");
    // Without waiting: what came has come.
    let raw = raw.into_std().unwrap();
    assert!(raw.accept().is_err(), "a call while it stopped");
    let raw = TcpListener::from_std(raw).unwrap();

    let server = Server::start(home.path()).await;
    let caller = Caller { base: server.base.clone(), ..caller };
    let ((mut again, same), next) = (taken(&raw).await, second.next().await);
    assert_eq!(same, key, "the same attempt");
    assert_eq!(next.json()["message_id"], refused["id"]);
    next.answer(200, &[("content-type", "application/json")], r#"{"id": "g"}"#);
    again.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
    server.stop().await;
    let server = Server::start(home.path()).await;
    let caller = Caller { base: server.base.clone(), ..caller };
    for sent in [&refused, &doubtful] {
        let (_, now) = caller.get(&format!("/messages/{}", sent["id"].as_str().unwrap())).await;
        assert_eq!((&now["status"], &now["sends"]), (&json!("sent"), &json!(1)), "{now}");
    }
    server.stop().await;
}
