//! Load through REST, and a book of what was asked for and answered.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use tokio::process::Child;

use super::gateway::{Gateway, SECRET};
use super::server::Place;

pub(crate) const SENDERS: u32 = 6;

/// An answer that was given.
pub(crate) struct Answered {
    pub(crate) body: Vec<u8>,
    /// How far the log of the disk went when it was there.
    pub(crate) by: u64,
}

/// What was asked for, and what was answered, by idempotency key.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) requests: BTreeMap<String, Value>,
    pub(crate) answers: BTreeMap<String, Answered>,
    /// How many requests were answered by 503.
    pub(crate) refused: u32,
}

/// A tenant with a key, a provider and an endpoint of webhooks.
pub(crate) struct Tenant {
    pub(crate) key: String,
    pub(crate) book: Mutex<Book>,
    sent: AtomicU32,
}

pub(crate) fn request(n: u32) -> Value {
    let strategy = ["sms", "sms then email after 1s", "sms until accepted"][(n % 3) as usize];
    json!({
        "to": {"sms": "+4366412345678", "email": "ada@example.org"},
        "content": {"sms": {"body": "now"}, "email": {"subject": "now", "body": "now"}},
        "strategy": strategy,
        "metadata": {"n": n.to_string()},
    })
}

impl Tenant {
    /// Made in an empty place, whose program runs when this ends.
    pub(crate) async fn new(place: &Place, gateway: &Gateway) -> (Tenant, Child) {
        place.command(&["tenant", "create", "acme"]).await;
        let key = place.command(&["key", "create", "--tenant", "acme", "--env", "live"]).await;
        let child = place.serve(None).await.unwrap();
        (Tenant::with(place, gateway, key).await, child)
    }

    /// Made where the program runs already, with a key.
    async fn with(place: &Place, gateway: &Gateway, key: String) -> Tenant {
        let provider = json!({"name": "gateway", "kind": "http", "channels": ["sms", "email"],
            "settings": {"url": gateway.url("/send")}, "credentials": {"secret": SECRET}});
        place.must(&key, "POST /providers", Some("p"), Some(&provider), 201).await;
        let endpoint = json!({"url": gateway.url("/hook"), "events": ["*"]});
        place.must(&key, "POST /webhook_endpoints", Some("w"), Some(&endpoint), 201).await;
        Tenant { key, book: Mutex::default(), sent: AtomicU32::new(0) }
    }

    /// The ids of the messages that were accepted.
    pub(crate) fn accepted(&self) -> Vec<String> {
        let id = |answered: &Answered| {
            let body: Value = serde_json::from_slice(&answered.body).unwrap();
            body["id"].as_str().unwrap().to_owned()
        };
        self.book().answers.values().map(id).collect()
    }

    pub(crate) fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap()
    }

    /// Sends so many messages more, by several senders, or until the server is gone.
    pub(crate) async fn sends(&self, place: &Place, messages: u32) {
        let until = self.sent.load(Ordering::Relaxed) + messages;
        let senders = (0..SENDERS).map(|_| self.sender(place, until));
        futures_util::future::join_all(senders).await;
    }

    async fn sender(&self, place: &Place, until: u32) {
        loop {
            let n = self.sent.fetch_add(1, Ordering::Relaxed);
            if n >= until {
                self.sent.fetch_sub(1, Ordering::Relaxed);
                return;
            }
            let (name, body) = (format!("send-{n}"), request(n));
            self.book().requests.insert(name.clone(), body);
            if self.send(place, &name).await.is_err() {
                return;
            }
        }
    }

    /// Asks for a message of the book: whether it was taken, or refused for now.
    pub(crate) async fn send(&self, place: &Place, name: &str) -> std::io::Result<bool> {
        let body = self.book().requests[name].clone();
        let answer = place.ask(&self.key, "POST /messages", Some(name), Some(&body)).await?;
        let by = place.disk.as_ref().map_or(0, |disk| disk.position());
        let mut book = self.book();
        match answer.status {
            202 => {
                book.answers.insert(name.to_owned(), Answered { body: answer.body, by });
                Ok(true)
            }
            503 => {
                book.refused += 1;
                Ok(false)
            }
            status => panic!("{status}: {}", String::from_utf8_lossy(&answer.body)),
        }
    }
}
