//! What is counted at the end of a run, each of it to be zero.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use spine::store::Store as _;
use tokio::process::Child;

use super::gateway::Gateway;
use super::load::Tenant;
use super::server::{Place, open_store, terminate};

/// For how long an end or an event is waited for before it is taken for lost. Nothing takes nearly as
/// long.
const WITHIN: Duration = Duration::from_secs(60);

/// What was not as it must be.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Counted {
    /// Messages that were answered with 202 and are not there, are there twice, or never reached an
    /// end.
    pub(crate) lost: u64,
    /// Requests that were answered otherwise when they were asked again.
    pub(crate) answered_otherwise: u64,
    /// Messages whose transitions have a gap, a broken chain, or a replay that gives another state.
    pub(crate) transitions_wrong: u64,
    /// Sends that a provider's idempotency key does not make one.
    pub(crate) double_sends: u64,
    /// Messages that ended as sent and of which the gateway knows nothing.
    pub(crate) never_sent: u64,
    /// Events that were neither delivered nor are dead letters.
    pub(crate) events_undelivered: u64,
    /// What each was.
    pub(crate) told: Vec<String>,
}

impl Counted {
    pub(crate) fn is_nothing(&self) -> bool {
        *self == Counted::default()
    }

    pub(crate) fn note(&mut self, of: fn(&mut Counted) -> &mut u64, what: String) {
        *of(self) += 1;
        if self.told.len() < 20 {
            self.told.push(what);
        }
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = [
            ("messages lost", self.lost),
            ("answers that changed", self.answered_otherwise),
            ("messages with wrong transitions", self.transitions_wrong),
            ("double sends", self.double_sends),
            ("messages never sent", self.never_sent),
            ("events not delivered", self.events_undelivered),
        ];
        for (what, count) in rows {
            writeln!(f, "  {what:<34}{count:>8}")?;
        }
        self.told.iter().try_for_each(|told| writeln!(f, "    {told}"))
    }
}

/// Asks for everything again, waits for every end and every event, and counts what is wrong. The
/// server runs, and is stopped.
pub(crate) async fn count(
    place: &Place,
    tenant: &Tenant,
    gateway: &Gateway,
    children: Vec<Child>,
) -> Counted {
    let mut counted = Counted::default();
    every_key_gets_the_same_answer(place, tenant, &mut counted).await;
    let messages = ended(place, tenant, gateway, &mut counted).await;
    let wanted = tenant.book().requests.len();
    for _ in 0..wanted.abs_diff(messages.len()) {
        let what = format!("{} messages for {wanted} keys", messages.len());
        counted.note(|counted| &mut counted.lost, what);
    }
    sent_once(gateway, &messages, &mut counted);
    every_event_came(place, tenant, gateway, &mut counted).await;
    for mut child in children {
        assert!(terminate(&mut child).await, "a clean stop");
    }
    if place.is_on_database() {
        the_audit_says_so(place, messages.len(), &mut counted).await;
    } else {
        the_audit_is_whole(&place.data(), messages.len(), &mut counted).await;
    }
    counted
}

/// What was answered before is answered again, byte for byte; what was not is taken in now.
async fn every_key_gets_the_same_answer(place: &Place, tenant: &Tenant, counted: &mut Counted) {
    let requests = tenant.book().requests.clone();
    for (name, body) in &requests {
        let again = place.ask(&tenant.key, "POST /messages", Some(name), Some(body)).await.unwrap();
        let was = tenant.book().answers.get(name).map(|answered| answered.body.clone());
        if again.status != 202 || was.is_some_and(|was| was != again.body) {
            let what = format!("{name}: {} {}", again.status, String::from_utf8_lossy(&again.body));
            counted.note(|counted| &mut counted.answered_otherwise, what);
        }
    }
}

/// Waits until every message has come to its end, of which the gateway is told by an event.
async fn ended(place: &Place, tenant: &Tenant, gateway: &Gateway, counted: &mut Counted) -> Vec<Value> {
    let wait = async {
        loop {
            if place.list(&tenant.key, "/messages?ended=false").await.is_empty() {
                return place.list(&tenant.key, "/messages").await;
            }
            gateway.told.notified().await;
        }
    };
    if let Ok(messages) = tokio::time::timeout(WITHIN, wait).await {
        return messages;
    }
    let messages = place.list(&tenant.key, "/messages").await;
    for message in messages.iter().filter(|message| !has_ended(message)) {
        counted.note(|counted| &mut counted.lost, format!("never ended: {message}"));
    }
    messages
}

fn has_ended(message: &Value) -> bool {
    message["ended_at"].is_string()
}

/// No attempt under two keys, and no message accepted under two of them on one channel.
fn sent_once(gateway: &Gateway, messages: &[Value], counted: &mut Counted) {
    let seen = gateway.seen.lock().unwrap();
    for fault in &seen.faults {
        counted.note(|counted| &mut counted.double_sends, fault.clone());
    }
    for ((message, channel), keys) in &seen.accepted {
        for _ in 1..keys.len() {
            counted.note(|counted| &mut counted.double_sends, format!("{message} by {channel}: {keys:?}"));
        }
    }
    for message in messages {
        let id = message["id"].as_str().unwrap();
        let reached = seen.accepted.keys().any(|(of, _)| of == id);
        if !reached && message["status"] != "failed" {
            counted.note(|counted| &mut counted.never_sent, message.to_string());
        }
    }
}

/// Waits until every event of the list came to the receiver, or is a dead letter.
async fn every_event_came(place: &Place, tenant: &Tenant, gateway: &Gateway, counted: &mut Counted) {
    let events = place.list(&tenant.key, "/events").await;
    assert!(!events.is_empty());
    let id = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let missing = || {
        let seen = gateway.seen.lock().unwrap();
        let missing = events.iter().filter(|event| !seen.events.contains_key(&id(&event["id"])));
        missing.cloned().collect::<Vec<Value>>()
    };
    let wait = async {
        while !missing().is_empty() {
            gateway.told.notified().await;
        }
    };
    if tokio::time::timeout(WITHIN, wait).await.is_ok() {
        return;
    }
    let dead = place.list(&tenant.key, "/dead_letters").await;
    for event in missing() {
        if !dead.iter().any(|letter| id(&letter["event_id"]) == id(&event["id"])) {
            counted.note(|counted| &mut counted.events_undelivered, format!("never came: {event}"));
        }
    }
}

/// The same, as the program itself finds it.
async fn the_audit_says_so(place: &Place, messages: usize, counted: &mut Counted) {
    let told = place.output(&["audit", "verify", "--format", "json"]).await;
    let verified: Value = serde_json::from_str(&told).unwrap_or_default();
    if verified["ok"] != true {
        counted.note(|counted| &mut counted.transitions_wrong, told);
    }
    let found = usize::try_from(verified["messages"].as_u64().unwrap_or_default()).unwrap();
    for _ in 0..found.abs_diff(messages) {
        let what = format!("{found} messages in the rows, {messages} in the list");
        counted.note(|counted| &mut counted.lost, what);
    }
}

/// Transitions without gaps, chains unbroken, and a replay of each message that gives its state.
pub(crate) async fn the_audit_is_whole(data: &Path, messages: usize, counted: &mut Counted) {
    let store = open_store(data).await;
    assert!(store.was_clean());
    let mut found = 0;
    for row in store.registry().scopes().await.unwrap() {
        let scope = store.scope(row.id).await.unwrap();
        let verified = spine::engine::verify(&scope).await.unwrap();
        for fault in &verified.faults {
            counted.note(|counted| &mut counted.transitions_wrong, format!("scope {}: {fault:?}", row.id));
        }
        assert_eq!(verified.not_replayed, 0);
        found += verified.messages;
    }
    for _ in 0..found.abs_diff(messages as u64) {
        let what = format!("{found} messages in the files, {messages} in the list");
        counted.note(|counted| &mut counted.lost, what);
    }
    store.close().await.unwrap();
}
