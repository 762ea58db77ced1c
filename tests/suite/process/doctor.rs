//! `spine doctor` over a data folder to which something was done.

use std::path::Path;

use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};
use tempfile::tempdir;

use super::{Caller, Server, run, stderr, stdout};

/// What is done to the folder, and what is found then: its exit code and the names of the findings.
struct Case {
    file: &'static str,
    sql: &'static [&'static str],
    code: i32,
    found: &'static [&'static str],
}

const fn case(
    file: &'static str,
    sql: &'static [&'static str],
    code: i32,
    found: &'static [&'static str],
) -> Case {
    Case { file, sql, code, found }
}

const SCOPE: &str = "scopes/1.db";
const CASES: &[Case] = &[
    case(SCOPE, &[], 0, &[]),
    case(
        SCOPE,
        &["INSERT INTO ended(n, status, at, version, state) SELECT n, status, 5, version, state FROM live"],
        1,
        &["two-states"],
    ),
    case(SCOPE, &["DELETE FROM ended"], 1, &["audit-broken", "no-state"]),
    case(SCOPE, &["DELETE FROM outcome"], 0, &["unfinished-call"]),
    case(SCOPE, &["UPDATE live SET due_at = NULL"], 1, &["stuck"]),
    case(
        SCOPE,
        &[
            "UPDATE live SET due_at = NULL",
            "INSERT INTO attempt(n, id, message, provider, channel, at, doc) \
        SELECT 900, randomblob(16), n, 'sms', 0, 5, x'00' FROM live",
        ],
        0,
        &[],
    ),
    case(SCOPE, &["UPDATE live SET due_at = due_at - 7200000"], 1, &["overdue-timers"]),
    case(SCOPE, &["DELETE FROM message WHERE n = (SELECT max(n) FROM message)"], 1, &["orphaned-rows"]),
    case(
        SCOPE,
        &["DROP TRIGGER journal_no_update", "UPDATE journal SET hash = randomblob(32) WHERE n = 2"],
        1,
        &["audit-broken"],
    ),
    case(
        SCOPE,
        &["DROP TRIGGER journal_no_delete", "DELETE FROM journal WHERE n = (SELECT max(n) FROM journal)"],
        1,
        &["audit-broken"],
    ),
    case(
        SCOPE,
        &[
            "INSERT INTO endpoint(id, version, created_at, enabled, position, doc, secrets) \
           VALUES (zeroblob(16), 1, 5, 0, 0, x'00', x'00')",
            "INSERT INTO delivery(id, event, event_id, event_at, endpoint, version, state, next_try_at, tries) \
           VALUES (randomblob(16), 1, randomblob(16), 5, zeroblob(16), 1, 0, 5, x'00'), \
                  (randomblob(16), 2, randomblob(16), 5, zeroblob(16), 1, 2, NULL, x'00')",
        ],
        1,
        &["dead-letters", "late-deliveries"],
    ),
    case(
        SCOPE,
        &["INSERT INTO provider_state(provider, doc) VALUES ('gateway', \
           CAST('{\"breaker\":{\"opened_at_ms\":1,\"until_ms\":253402300799999}}' AS BLOB))"],
        1,
        &["breaker-open"],
    ),
    case("registry.db", &["UPDATE state SET clean = 0"], 1, &["unclean-stop"]),
    case(SCOPE, &["PRAGMA user_version = 99", "UPDATE schema SET needs = 99"], 1, &["unreadable"]),
    case(SCOPE, &["PRAGMA user_version = 99"], 0, &["newer-schema"]),
];

/// The exit code, and the names of what was found, of the disk's room nothing.
fn doctor(folder: &Path, deep: bool) -> (Option<i32>, Vec<String>, Value) {
    let mut args = vec!["doctor", "--data", folder.to_str().unwrap(), "--format", "json"];
    args.extend(deep.then_some("--deep"));
    let ended = run(&args);
    assert!(!ended.stdout.is_empty(), "{}", stderr(&ended));
    let told: Value = serde_json::from_str(&stdout(&ended)).unwrap();
    let all = told["findings"].as_array().unwrap();
    for finding in all {
        for field in ["name", "place", "message", "help", "severity"] {
            assert!(!finding[field].as_str().unwrap().is_empty(), "{finding}");
        }
    }
    let mut names: Vec<String> =
        all.iter().map(|finding| finding["name"].as_str().unwrap().to_owned()).collect();
    // How much room this machine has is not what is tried here.
    let is_bad = |finding: &&Value| finding["name"] != "disk-room" && finding["severity"] != "note";
    let code = i32::from(all.iter().any(|finding| is_bad(&finding)));
    let room = all.iter().any(|finding| finding["name"] == "disk-room" && finding["severity"] != "note");
    assert!(room || ended.status.code() == Some(code), "{told}");
    names.retain(|name| name != "disk-room");
    names.sort();
    names.dedup();
    (Some(code), names, told)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to)
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[tokio::test]
async fn the_doctor_names_what_is_wrong_and_finds_nothing_where_all_is_well() {
    let home = tempdir().unwrap();
    let well = home.path().join("well");
    let server = Server::start(&well).await;
    let caller = Caller::new(&server, &server.first_key());
    let body = |strategy: &str| json!({"to": {"sms": "+4915112345678"}, "content": {"sms": {"body": "hello"}}, "strategy": strategy});
    for n in 0..3 {
        caller.post(&format!("m{n}"), "/messages", &body("sms")).await;
    }
    caller.post("a", "/test_clock/advance", &json!({"by": "1m"})).await;
    caller.post("w", "/messages", &body("wait 1h then sms")).await;
    // Beside the running server, which has stopped uncleanly as far as the registry knows.
    let (code, found, told) = doctor(&well, false);
    assert_eq!((code, found.as_slice()), (Some(0), [].as_slice()), "{told}");
    assert_eq!(told["messages_checked"], json!(4));
    server.stop().await;

    for (n, Case { file, sql, code, found }) in CASES.iter().enumerate() {
        let folder = home.path().join(n.to_string());
        copy(&well, &folder);
        let mut conn =
            sqlx::sqlite::SqliteConnectOptions::new().filename(folder.join(file)).connect().await.unwrap();
        for sql in *sql {
            sqlx::query(*sql).execute(&mut conn).await.unwrap();
        }
        conn.close().await.unwrap();
        for deep in [false, true] {
            let (ended, names, told) = doctor(&folder, deep);
            assert_eq!(
                (ended, names),
                (Some(*code), found.iter().map(|name| (*name).to_owned()).collect()),
                "{sql:?}: {told}"
            );
        }
    }

    // A page of an index that was written over, which nobody reads as a rule.
    let folder = home.path().join("damaged");
    copy(&well, &folder);
    let path = folder.join(SCOPE);
    let mut conn = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'ended_status'";
    let page: i64 = sqlx::query(sql).fetch_one(&mut conn).await.unwrap().get(0);
    conn.close().await.unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let page = usize::try_from(page).unwrap();
    bytes[(page - 1) * 4096..page * 4096].fill(7);
    std::fs::write(&path, bytes).unwrap();
    for (deep, names) in [(false, &["unreadable"][..]), (true, &["damaged", "unreadable"])] {
        let (code, found, told) = doctor(&folder, deep);
        assert_eq!((code, found), (Some(1), names.iter().map(|name| (*name).to_owned()).collect()), "{told}");
    }
    // And no folder at all.
    let ended = run(&["doctor", "--data", "/nowhere/at/all"]);
    assert_eq!(ended.status.code(), Some(2));
    let told = stdout(&run(&["doctor", "--data", well.to_str().unwrap()]));
    assert!(told.contains("2 scopes, 4 messages checked: "), "{told}");
}
