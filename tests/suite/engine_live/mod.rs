//! Under a live key: the real engine, the `http` kind of provider, and gateways of the tests over real
//! sockets, whose every answer the test gives.

mod calls;
mod receipts;

use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use spine::providers::signature::{self, Secret};
use tokio::net::TcpListener;

use crate::engine::{json as read, message as shown};
use crate::names::Names;
use crate::receiver::{Received, Receiver};
use crate::world::{Answer, World};

const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODw==";

/// A world with a live key, and what is asked of it.
struct Live {
    world: World,
    names: Names,
    /// What was looked at, in few words.
    told: String,
}

impl Live {
    fn new() -> Live {
        Live { world: World::real(), names: Names::default(), told: String::new() }
    }

    fn gateway(&self) -> Receiver {
        self.world.runtime.block_on(Receiver::start())
    }

    fn next(&self, gateway: &mut Receiver) -> Received {
        self.world.runtime.block_on(gateway.next())
    }

    fn ask(&self, request: &str, body: &Value) -> Answer {
        self.world.ask(&format!("{request}\nas: live\n\n{}", body.to_string().replace('<', "\\u003c")))
    }

    fn provider(&self, name: &str, gateway: &Receiver, more: &Value) -> Value {
        let mut body = json!({"name": name, "kind": "http", "settings": {"url": gateway.url("/send")},
            "credentials": {"secret": SECRET}});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = self.ask("POST /providers", &body);
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
        read(&answer.body)
    }

    fn send(&self, body: &Value) -> String {
        let mut sent = json!({"to": {"sms": "+4915112345678", "email": "a@example.org"},
            "content": {"sms": {"body": "hi"}, "email": {"subject": "s", "body": "hi"}}});
        sent.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        let answer = self.ask("POST /messages", &sent);
        assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.body));
        read(&answer.body)["id"].as_str().unwrap().to_owned()
    }

    fn get(&self, path: &str) -> Value {
        let answer = self.world.ask(&format!("GET {path}\nas: live"));
        read(&answer.body)
    }

    /// Looks at a message, once nothing more goes on by itself.
    fn note(&mut self, id: &str) {
        self.world.settle();
        let message = self.get(&format!("/messages/{id}"));
        self.told.push_str(&shown(&message, &mut self.names));
    }

    fn types(&self, id: &str) -> Vec<String> {
        let told = self.get(&format!("/events?message_id={id}"));
        let types = told["data"].as_array().unwrap().iter().rev();
        types.map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }

    /// A callback, signed.
    fn call_back(&self, provider: &Value, body: &Value) -> u16 {
        self.call_back_with(provider["id"].as_str().unwrap(), body, SECRET).status
    }

    fn call_back_with(&self, id: &str, body: &Value, secret: &str) -> Answer {
        let text = body.to_string();
        let mut headers = HeaderMap::new();
        let now = spine::model::Instant::from_ms(self.world.real_now_ms());
        signature::sign(&mut headers, &[Secret::parse(secret).unwrap()], "cb_1", now, text.as_bytes());
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        self.world.ask(&format!(
            "POST /callbacks/{id}\nas: nobody\nIdempotency-Key: (none)\nwebhook-id: {}\nwebhook-timestamp: {}\nwebhook-signature: {}\n\n{text}",
            header("webhook-id"),
            header("webhook-timestamp"),
            header("webhook-signature")
        ))
    }
}

/// A gateway that reads a call and goes away without an answer: the call's idempotency key.
async fn taken_and_lost(listener: &TcpListener) -> String {
    crate::receiver::taken(listener).await.1
}

fn accepted(call: Received, id: &str) -> String {
    let attempt = call.json()["attempt_id"].as_str().unwrap().to_owned();
    call.answer(200, &[], json!({"id": id}).to_string());
    attempt
}
