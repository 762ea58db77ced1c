//! What must always hold, by the numbers of `ARCHITECTURE.md`, tried on the program itself.
//!
//! 1, 3 and 6 are held by `crash`; each test says how it was seen to fail.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use spine::model::Instant;
use spine::store::Store as _;
use sqlx::{Connection as _, Row as _, SqliteConnection};
use tokio::process::Child;

use crate::crash::harness::gateway::{Gateway, SECRET};
use crate::crash::harness::server::{Place, open_store, terminate};

/// A limit for a fault; nothing takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(180);
/// How many requests are answered while a commit is held up.
const OTHER_REQUESTS: u32 = 100;

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, test).await.expect("a run that ends") });
}

/// A server with a tenant, and a key of it.
async fn served(place: &Place, environment: &str) -> (Child, String) {
    place.command(&["tenant", "create", "acme"]).await;
    let key = place.command(&["key", "create", "--tenant", "acme", "--env", environment]).await;
    (place.serve(None).await.unwrap(), key)
}

async fn with_gateway(place: &Place, key: &str, gateway: &Gateway) {
    let provider = json!({"name": "gateway", "kind": "http", "channels": ["sms"],
        "settings": {"url": gateway.url("/send")}, "credentials": {"secret": SECRET}});
    place.must(key, "POST /providers", Some("p"), Some(&provider), 201).await;
}

fn message(strategy: &str, sandbox: Value) -> Value {
    let mut message = json!({
        "to": {"sms": "+4366412345678", "email": "ada@example.org"},
        "content": {"sms": {"body": "now"}, "email": {"subject": "now", "body": "now"}},
        "strategy": strategy,
    });
    if sandbox != Value::Null {
        message["sandbox"] = sandbox;
    }
    message
}

async fn send(place: &Place, key: &str, name: &str, body: &Value) -> String {
    let sent = place.must(key, "POST /messages", Some(name), Some(body), 202).await;
    sent["id"].as_str().unwrap().to_owned()
}

async fn advance(place: &Place, key: &str, name: &str, by: &str) {
    let by = json!({ "by": by });
    place.must(key, "POST /test_clock/advance", Some(name), Some(&by), 200).await;
}

async fn shown(place: &Place, key: &str, id: &str) -> Value {
    place.must(key, &format!("GET /messages/{id}"), None, None, 200).await
}

/// 2. Seen to fail with a call made before the commit.
#[test]
fn no_provider_is_called_before_the_intent_is_durable() {
    run(async {
        let place = Place::new();
        let gateway = Gateway::that_looks_for_intents(&place).await;
        let (mut child, key) = served(&place, "live").await;
        with_gateway(&place, &key, &gateway).await;
        let first = message("sms until accepted", Value::Null);
        send(&place, &key, "first", &first).await;
        gateway.called.notified().await;

        // Nothing can be committed while another has the file.
        let mut locks = Vec::new();
        for file in place.scope_files() {
            let mut lock = SqliteConnection::connect(&file).await.unwrap();
            sqlx::query("BEGIN IMMEDIATE").execute(&mut lock).await.unwrap();
            locks.push(lock);
        }
        let sending = place.ask(&key, "POST /messages", Some("second"), Some(&first));
        tokio::pin!(sending);
        // The server goes on with everything else meanwhile, so what it would do wrongly it has done.
        let others = async {
            for _ in 0..OTHER_REQUESTS {
                place.must(&key, "GET /messages", None, None, 200).await;
            }
        };
        tokio::select! {
            answer = &mut sending => panic!("an answer without a commit: {answer:?}"),
            () = gateway.called.notified() => panic!("a call without a commit"),
            () = others => {}
        }
        for mut lock in locks {
            sqlx::query("ROLLBACK").execute(&mut lock).await.unwrap();
            lock.close().await.unwrap();
        }
        assert_eq!(sending.await.unwrap().status, 202);
        gateway.called.notified().await;
        assert_eq!(gateway.seen.lock().unwrap().faults, Vec::<String>::new());
        terminate(&mut child).await;
    });
}

/// 4. Seen to fail with a store that finds no key again.
#[test]
fn one_idempotency_key_is_one_mutation() {
    run(async {
        let place = Place::new();
        let gateway = Gateway::start(&place).await;
        let (mut child, key) = served(&place, "live").await;
        with_gateway(&place, &key, &gateway).await;
        let body = message("sms until accepted", Value::Null);
        let ask = || place.ask(&key, "POST /messages", Some("one"), Some(&body));
        let answers = futures_util::future::join_all((0..16).map(|_| ask())).await;
        let answers: Vec<_> = answers.into_iter().map(|answer| answer.unwrap()).collect();
        assert!(answers.iter().all(|answer| answer.status == 202 && *answer == answers[0]));
        assert_eq!(place.list(&key, "/messages").await.len(), 1);
        // Nor is it another one after a restart.
        assert!(terminate(&mut child).await);
        let mut child = place.serve(None).await.unwrap();
        assert_eq!(ask().await.unwrap(), answers[0]);
        let other = message("sms", Value::Null);
        let other = place.ask(&key, "POST /messages", Some("one"), Some(&other)).await.unwrap();
        assert_eq!(other.status, 409, "another request under the same key");
        assert_eq!(place.list(&key, "/messages").await.len(), 1);
        terminate(&mut child).await;
        assert!(gateway.seen.lock().unwrap().accepted.values().all(|keys| keys.len() == 1));
    });
}

/// 5. Seen to fail with timers that fire five seconds early.
#[test]
fn no_stage_starts_before_its_time_or_after_the_end_of_its_message() {
    run(async {
        let place = Place::new();
        let (mut child, key) = served(&place, "test").await;
        let body = message("sms then email after 30s", json!({"sms": "accepted", "email": "accepted"}));
        let waits = send(&place, &key, "waits", &body).await;
        let canceled = send(&place, &key, "canceled", &body).await;
        let path = format!("POST /messages/{canceled}/cancel");
        place.must(&key, &path, Some("cancel"), None, 200).await;
        advance(&place, &key, "a1", "27s").await;
        assert_eq!(shown(&place, &key, &waits).await["sends"], 1);
        advance(&place, &key, "a2", "1h").await;
        assert_eq!(shown(&place, &key, &waits).await["sends"], 2);
        assert_eq!(shown(&place, &key, &canceled).await["sends"], 1);
        let path = format!("GET /messages/{waits}/transitions?limit=100");
        let transitions = place.must(&key, &path, None, None, 200).await;
        let at = |value: &Value| value.as_str().unwrap().parse::<Instant>().unwrap().ms();
        let accepted = at(&transitions["data"][0]["at"]);
        let emails: Vec<i64> = transitions["data"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|transition| transition["channel"] == "email")
            .map(|transition| at(&transition["at"]) - accepted)
            .collect();
        assert!(!emails.is_empty() && emails.iter().all(|after| *after >= 30_000), "{emails:?}");
        terminate(&mut child).await;
    });
}

/// 7. Seen to fail with an engine that opened one tenant's scope for another's key.
#[test]
fn what_is_anothers_is_not_there() {
    run(async {
        let place = Place::new();
        let (mut child, key) = served(&place, "test").await;
        place.command(&["tenant", "create", "other"]).await;
        let others = place.command(&["key", "create", "--tenant", "other", "--env", "test"]).await;
        let live = place.command(&["key", "create", "--tenant", "acme", "--env", "live"]).await;
        let id = send(&place, &key, "send", &message("sms", Value::Null)).await;
        let contact = json!({"name": "Ada", "addresses": {"sms": "+4366412345678"}});
        let contact = place.must(&key, "POST /contacts", Some("c"), Some(&contact), 201).await;
        let endpoint = json!({"url": "http://127.0.0.1:9/", "events": ["*"]});
        let endpoint = place.must(&key, "POST /webhook_endpoints", Some("w"), Some(&endpoint), 201).await;
        let events = place.list(&key, "/events").await;
        let id_of = |value: &Value| value["id"].as_str().unwrap().to_owned();
        let reads = [
            format!("GET /messages/{id}"),
            format!("GET /messages/{id}/transitions"),
            format!("GET /contacts/{}", id_of(&contact)),
            format!("GET /webhook_endpoints/{}", id_of(&endpoint)),
            format!("GET /events/{}", id_of(&events[0])),
        ];
        for stranger in [&others, &live] {
            for read in &reads {
                let own = place.ask(&key, read, None, None).await.unwrap();
                assert_eq!(own.status, 200, "{read}");
                let answer = place.ask(stranger, read, None, None).await.unwrap();
                assert_eq!(answer.status, 404, "{read}");
            }
            for list in ["/messages", "/contacts", "/webhook_endpoints", "/events"] {
                assert!(place.list(stranger, list).await.is_empty(), "{list}");
            }
            let writes = [
                (format!("POST /messages/{id}/cancel"), None),
                (format!("DELETE /contacts/{}", id_of(&contact)), None),
                (format!("DELETE /webhook_endpoints/{}", id_of(&endpoint)), None),
            ];
            for (n, (write, body)) in writes.iter().enumerate() {
                let name = format!("w{n}");
                let answer = place.ask(stranger, write, Some(&name), body.as_ref()).await.unwrap();
                assert_eq!(answer.status, 404, "{write}");
            }
            let mut borrowed = message("sms", Value::Null);
            borrowed.as_object_mut().unwrap().remove("to");
            borrowed["contact_id"] = contact["id"].clone();
            let answer = place.ask(stranger, "POST /messages", Some("b"), Some(&borrowed)).await.unwrap();
            assert_eq!(answer.status, 422);
        }
        assert_ne!(shown(&place, &key, &id).await["status"], "canceled");
        assert!(terminate(&mut child).await);
        // One file is one scope's, and is taken for no other's.
        let files = place.scope_files();
        std::fs::copy(&files[0], files.last().unwrap()).unwrap();
        let store = open_store(&place.data()).await;
        let mut refused = 0;
        for scope in store.registry().scopes().await.unwrap() {
            refused += u32::from(store.scope(scope.id).await.is_err());
        }
        assert_eq!(refused, 1);
    });
}

/// 8. Seen to fail with a machine that let receipts past any end.
#[test]
fn an_end_changes_no_more_but_from_sent_to_delivered() {
    run(async {
        let place = Place::new();
        let (mut child, key) = served(&place, "test").await;
        let late = json!({"sms": "accepted, delivered after 40s"});
        let canceled = send(&place, &key, "canceled", &message("sms", late.clone())).await;
        place.must(&key, &format!("POST /messages/{canceled}/cancel"), Some("c"), None, 200).await;
        let mut expiring = message("wait 1m then sms", late);
        expiring["expires_in"] = json!("10s");
        let expired = send(&place, &key, "expired", &expiring).await;
        let failed = send(&place, &key, "failed", &message("sms", json!({"sms": "recipient fault"}))).await;
        let read = json!({"email": "accepted, delivered after 1s"});
        let delivered = send(&place, &key, "delivered", &message("email", read)).await;
        let slow = json!({"sms": "accepted, delivered after 25h"});
        let sent = send(&place, &key, "sent", &message("sms", slow)).await;
        advance(&place, &key, "a1", "20s").await;
        let mut ends = Vec::new();
        for id in [&canceled, &expired, &failed, &delivered] {
            let end = shown(&place, &key, id).await;
            assert!(end["ended_at"].is_string(), "{end}");
            ends.push((id, end["status"].clone(), end["ended_at"].clone()));
        }
        let statuses: BTreeSet<_> = ends.iter().map(|(_, status, _)| status.as_str().unwrap()).collect();
        assert_eq!(statuses, BTreeSet::from(["canceled", "delivered", "expired", "failed"]));
        advance(&place, &key, "a2", "24h").await;
        let before = shown(&place, &key, &sent).await;
        assert_eq!(before["status"], "sent");
        assert!(before["ended_at"].is_string());
        advance(&place, &key, "a3", "3h").await;
        let after = shown(&place, &key, &sent).await;
        assert_eq!((&after["status"], &after["ended_at"]), (&json!("delivered"), &before["ended_at"]));
        for (n, (id, status, ended_at)) in ends.iter().enumerate() {
            let cancel = format!("POST /messages/{id}/cancel");
            let answer = place.ask(&key, &cancel, Some(&format!("late{n}")), None).await.unwrap();
            assert_eq!(answer.status, 409);
            let end = shown(&place, &key, id).await;
            assert_eq!((&end["status"], &end["ended_at"]), (status, ended_at));
        }
        terminate(&mut child).await;
    });
}

/// 9. Seen to fail without the triggers of the journal.
#[test]
fn the_audit_is_only_added_to_and_a_row_that_was_changed_is_named() {
    run(async {
        let place = Place::new();
        let (mut child, key) = served(&place, "test").await;
        let mut ids = Vec::new();
        for n in 0..3 {
            ids.push(send(&place, &key, &format!("s{n}"), &message("sms", Value::Null)).await);
        }
        advance(&place, &key, "a", "10s").await;
        assert!(terminate(&mut child).await);
        let mut changed = None;
        for file in place.scope_files() {
            let mut conn = SqliteConnection::connect(&file).await.unwrap();
            for table in ["journal", "audit"] {
                for sql in [format!("UPDATE {table} SET at = at"), format!("DELETE FROM {table}")] {
                    let rows = sqlx::query(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}")));
                    let rows: i64 = rows.fetch_one(&mut conn).await.unwrap().get(0);
                    let done = sqlx::query(sqlx::AssertSqlSafe(sql.clone())).execute(&mut conn).await;
                    assert!(rows == 0 || done.is_err(), "{sql}");
                }
            }
            // Who has the file can do more; then it shows.
            let row = "SELECT j.n, j.seq, j.body, m.id FROM journal j JOIN message m ON m.n = j.message \
                       WHERE m.n = 2 ORDER BY j.n DESC LIMIT 1";
            let Some(row) = sqlx::query(row).fetch_optional(&mut conn).await.unwrap() else { continue };
            let (n, seq, mut body, id): (i64, i64, Vec<u8>, Vec<u8>) =
                (row.get(0), row.get(1), row.get(2), row.get(3));
            let place_of = |body: &[u8]| body.windows(9).rposition(|part| part == b"delivered");
            let start = place_of(&body).unwrap();
            body[start..start + 9].copy_from_slice(b"forgotten");
            sqlx::query("DROP TRIGGER journal_no_update").execute(&mut conn).await.unwrap();
            let update = sqlx::query("UPDATE journal SET body = $1 WHERE n = $2").bind(body).bind(n);
            update.execute(&mut conn).await.unwrap();
            changed = Some((id, u64::try_from(seq).unwrap()));
            conn.close().await.unwrap();
        }
        let (id, seq) = changed.unwrap();
        let store = open_store(&place.data()).await;
        let mut faults = Vec::new();
        for row in store.registry().scopes().await.unwrap() {
            let scope = store.scope(row.id).await.unwrap();
            faults.extend(spine::engine::verify(&scope).await.unwrap().faults);
        }
        assert_eq!(faults.len(), 1, "{faults:?}");
        let message = faults[0].message.unwrap();
        assert_eq!((message.to_bytes().to_vec(), faults[0].seq), (id, seq));
        assert_eq!(message.to_string(), ids[1]);
    });
}
