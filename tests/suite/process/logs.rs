//! Logs tell what happened, and neither secrets nor whom it was told.

use serde_json::json;
use tempfile::tempdir;

use super::{Caller, Server, make_key, spine};
use crate::receiver::Receiver;

#[tokio::test]
async fn the_most_talkative_log_holds_no_secret_no_recipient_and_no_content() {
    let home = tempdir().unwrap();
    let (mut gateway, mut events) = (Receiver::start().await, Receiver::start().await);
    let mut command = spine();
    command.args(["serve", "--listen", "127.0.0.1:0", "--log", "trace", "--data"]).arg(home.path());
    let mut server = Server::of(&mut command).await;
    let caller = Caller::new(&server, &make_key(home.path(), "live"));
    let provider = json!({"name": "gateway", "kind": "http", "channels": ["sms"],
        "settings": {"url": gateway.url("/hidden-path")}, "credentials": {"token": "gateway-token"}});
    caller.post("p", "/providers", &provider).await;
    let endpoint = json!({"url": events.url("/"), "events": ["message.failed"]});
    let endpoint = caller.post("e", "/webhook_endpoints", &endpoint).await;
    let contact = json!({"name": "Ada Lovelace", "addresses": {"sms": "+4915112345678"}});
    let contact = caller.post("c", "/contacts", &contact).await;
    let message = json!({"contact_id": contact["id"], "vars": {"code": "424242"},
        "content": {"sms": {"body": "the body of it"}}, "strategy": "sms"});
    caller.post("m", "/messages", &message).await;
    // A refusal with words of the gateway's, which name the person.
    let words = r#"{"outcome": "recipient_fault", "detail": "no such number +4915112345678"}"#;
    gateway.next().await.answer(400, &[("content-type", "application/json")], words);
    events.next().await.answer(500, &[], "an answer that nobody reads");
    // Faults are told, their values are not.
    caller.try_post("f", "/contacts", &json!({"name": "Ada Lovelace", "shoe": 38})).await.unwrap();
    let _ = Caller { key: "sk_test_mistyped".to_owned(), ..caller.clone() }.get("/messages").await;
    server.terminate();
    server.until("stopped").await;
    let secret = endpoint["secret"].as_str().unwrap();
    let said = server.said.join("\n");
    for hidden in [
        "+4915112345678",
        "4915112345678",
        "Ada",
        "424242",
        "the body of it",
        "gateway-token",
        "hidden-path",
        secret,
        &caller.key,
        "mistyped",
    ] {
        assert!(!said.contains(hidden), "`{hidden}` is in the log:\n{said}");
    }
    assert!(!said.contains('\u{1b}'), "no colours in a pipe");
}
