//! A server that has no room for what is written.

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::cluster::cluster;
use super::serve::{on, serve};
use crate::process::{Caller, stderr};

/// What a server answers whose disk is full, at each new message.
const FULL: &str = "CREATE FUNCTION spine.no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
       RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$; \
     CREATE TRIGGER no_room BEFORE INSERT ON spine.message FOR EACH ROW EXECUTE FUNCTION spine.no_room()";
const ROOM: &str = "DROP TRIGGER no_room ON spine.message; DROP FUNCTION spine.no_room";

/// How many rows there are that a message brings along.
async fn rows(conn: &mut PgConnection) -> i64 {
    let tables = [
        "message",
        "content",
        "live",
        "ended",
        "journal",
        "event",
        "attempt",
        "outcome",
        "idempotency",
        "subject",
        "usage",
    ];
    let counts: Vec<String> = tables.iter().map(|of| format!("(SELECT count(*) FROM spine.{of})")).collect();
    let sql = sqlx::AssertSqlSafe(format!("SELECT {}", counts.join(" + ")));
    sqlx::query_scalar(sql).fetch_one(conn).await.unwrap()
}

#[tokio::test]
async fn a_full_disk_is_503_and_the_same_request_succeeds_once_there_is_room() {
    let database = cluster().database().await;
    let server = serve(&database).await;
    let caller = Caller::new(&server, &server.first_key());
    let mut admin = database.admin().await;
    let before = rows(&mut admin).await;
    database.run(FULL).await;
    let message = json!({"to": {"sms": "+4915112345678"}, "content": {"sms": {"body": "hello"}},
        "strategy": "sms until accepted"});
    for _ in 0..3 {
        let refused = caller.answer("one", "/messages", &message).await.unwrap();
        assert_eq!(
            (refused.status().as_u16(), &refused.headers()["retry-after"]),
            (503, &"1".parse().unwrap())
        );
        let problem: Value = refused.json().await.unwrap();
        assert_eq!(problem["code"], "overloaded", "{problem}");
    }
    assert_eq!(rows(&mut admin).await, before, "something was written");
    // What needs no room is answered meanwhile.
    let (status, listed) = caller.get("/messages").await;
    assert_eq!((status, &listed["data"]), (200, &json!([])));

    database.run(ROOM).await;
    let sent = caller.post("one", "/messages", &message).await;
    assert_eq!(caller.post("one", "/messages", &message).await["id"], sent["id"], "one key, two messages");
    let (_, listed) = caller.get("/messages").await;
    assert_eq!(listed["data"].as_array().unwrap().len(), 1, "{listed}");
    let verified = on(&database, &["audit", "verify"]);
    assert!(verified.status.success(), "{}", stderr(&verified));
    server.stop().await;
}
