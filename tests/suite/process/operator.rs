//! The audit from the command line, and the commands that a README names.

use serde_json::json;
use sqlx::{ConnectOptions as _, Connection as _, Row as _};
use tempfile::tempdir;

use super::{Caller, Server, run, stdout};

#[tokio::test]
async fn the_audit_is_verified_beside_a_running_server_and_the_first_wrong_row_is_named() {
    let home = tempdir().unwrap();
    let folder = home.path().to_str().unwrap();
    let server = Server::start(home.path()).await;
    let caller = Caller::new(&server, &server.first_key());
    let message = json!({"to": {"whatsapp": "+4915112345678", "sms": "+4915112345678"},
        "content": {"whatsapp": {"body": "hello"}, "sms": {"body": "hello"}},
        "sandbox": {"whatsapp": "accepted", "sms": "accepted, delivered after 1s"},
        "strategy": "whatsapp then sms after 30s"});
    let sent = caller.post("m", "/messages", &message).await;
    caller.post("a", "/test_clock/advance", &json!({"by": "1m"})).await;
    let verified = run(&["audit", "verify", "--data", folder, "--format", "json"]);
    let found: serde_json::Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!(
        (verified.status.code(), &found["ok"], &found["messages"]),
        (Some(0), &json!(true), &json!(1))
    );
    server.stop().await;

    // Someone with the file in their hands changes what a transition says.
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(home.path().join("scopes/1.db"));
    let mut file = options.connect().await.unwrap();
    sqlx::query("DROP TRIGGER journal_no_update").execute(&mut file).await.unwrap();
    let rows = sqlx::query("SELECT n, body FROM journal ORDER BY n").fetch_all(&mut file).await.unwrap();
    let changed = rows.iter().find_map(|row| {
        let mut body: Vec<u8> = row.get("body");
        let at = body.windows(9).position(|word| word == b"overtaken")?;
        body[at..at + 9].copy_from_slice(b"forgotten");
        Some((row.get::<i64, _>("n"), body))
    });
    let (n, body) = changed.unwrap();
    sqlx::query("UPDATE journal SET body = $2 WHERE n = $1")
        .bind(n)
        .bind(body)
        .execute(&mut file)
        .await
        .unwrap();
    file.close().await.unwrap();
    let verified = run(&["audit", "verify", "--data", folder]);
    let told = stdout(&verified);
    assert_eq!(verified.status.code(), Some(1), "{told}");
    assert!(told.contains(&format!("message {}, transition", sent["id"].as_str().unwrap())), "{told}");
}

#[tokio::test]
async fn the_beginning_of_the_audit_is_removed_beside_a_running_server_and_the_rest_is_verified() {
    let home = tempdir().unwrap();
    let folder = home.path().to_str().unwrap();
    let server = Server::start(home.path()).await;
    let key = server.first_key();
    let caller = Caller::new(&server, &key);
    for name in ["ada", "bob", "eve"] {
        caller.post(name, "/contacts", &json!({"name": name, "addresses": {"sms": "+4915112345678"}})).await;
    }
    let message =
        json!({"to": {"sms": "+4915112345678"}, "content": {"sms": {"body": "hello"}}, "strategy": "sms"});
    caller.post("m", "/messages", &message).await;
    caller.post("a", "/test_clock/advance", &json!({"by": "1m"})).await;

    let refused = run(&["audit", "prune", "--data", folder]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--before"));
    let prune = |before: &str| {
        let pruned = run(&["audit", "prune", "--before", before, "--data", folder, "--format", "json"]);
        assert_eq!(pruned.status.code(), Some(0), "{}", String::from_utf8_lossy(&pruned.stderr));
        let told: serde_json::Value = serde_json::from_slice(&pruned.stdout).unwrap();
        let sum =
            |field: &str| told["scopes"].as_array().unwrap().iter().map(|s| s[field].as_u64().unwrap()).sum();
        (sum("entries"), sum("messages"))
    };
    let verify = || {
        let verified = run(&["audit", "verify", "--data", folder, "--format", "json"]);
        let found: serde_json::Value = serde_json::from_slice(&verified.stdout).unwrap();
        (verified.status.code(), found)
    };
    assert_eq!(prune("30d"), (0, 0), "nothing is so old");
    // Entries go; the transitions of a message that is there do not.
    let (entries, messages): (u64, u64) = prune("2100-01-01T00:00:00Z");
    assert!(entries >= 3 && messages == 0, "{entries} {messages}");
    caller.post("zoe", "/contacts", &json!({"name": "zoe", "addresses": {"sms": "+4915112345678"}})).await;
    let (code, found) = verify();
    assert_eq!((code, &found["messages"]), (Some(0), &json!(1)), "{found}");
    let begins = |found: &serde_json::Value, what: &str| {
        let scopes = found["scopes"].as_array().unwrap();
        scopes.iter().map(|scope| scope[what]["removed"].as_u64().unwrap_or(0)).sum::<u64>()
    };
    assert_eq!(begins(&found, "entries_begin"), entries);
    server.stop().await;

    // The message is dropped: its transitions stay until they are removed as well.
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(home.path().join("scopes/1.db"));
    let mut file = options.connect().await.unwrap();
    for table in ["message", "content", "ended"] {
        let sql = sqlx::AssertSqlSafe(format!("DELETE FROM {table}"));
        sqlx::query(sql).execute(&mut file).await.unwrap();
    }
    let (code, found) = verify();
    assert_eq!((code, &found["messages"], dropped(&found)), (Some(0), &json!(0), 1), "{found}");
    assert_eq!(prune("2100-01-01T00:00:00Z"), (1, 1));
    let (code, found) = verify();
    assert_eq!((code, dropped(&found), begins(&found, "dropped_removed")), (Some(0), 0, 1), "{found}");

    // The server goes on with the chain where it was left, and who cuts it is found out.
    let server = Server::start(home.path()).await;
    let caller = Caller::new(&server, &key);
    for name in ["kim", "lea", "max"] {
        caller.post(name, "/contacts", &json!({"name": name, "addresses": {"sms": "+4915112345678"}})).await;
    }
    assert_eq!(verify().0, Some(0));
    server.stop().await;
    sqlx::query("DROP TRIGGER audit_no_delete").execute(&mut file).await.unwrap();
    sqlx::query("DELETE FROM audit WHERE n = (SELECT min(n) FROM audit)").execute(&mut file).await.unwrap();
    file.close().await.unwrap();
    assert_eq!(verify().0, Some(1), "an entry is missing at the beginning");
}

fn dropped(found: &serde_json::Value) -> u64 {
    found["scopes"].as_array().unwrap().iter().map(|scope| scope["dropped"].as_u64().unwrap()).sum()
}

#[test]
fn keys_of_a_tenant_that_is_not_there_are_not_an_empty_list() {
    let home = tempdir().unwrap();
    let folder = home.path().to_str().unwrap();
    assert_eq!(run(&["tenant", "create", "ada", "--data", folder]).status.code(), Some(0));
    assert_eq!(run(&["key", "list", "--tenant", "ada", "--data", folder]).status.code(), Some(0));
    let refused = run(&["key", "list", "--tenant", "eve", "--data", folder]);
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(2), 0));
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("no tenant called `eve`") && told.contains("`ada`"), "{told}");
}

#[test]
fn a_folder_and_a_database_cannot_both_be_named() {
    let home = tempdir().unwrap();
    let folder = home.path().to_str().unwrap();
    let both = ["--data", folder, "--database-url", "postgres://nobody@127.0.0.1:1/nothing"];
    for command in [&["serve"][..], &["tenant", "list"], &["audit", "verify"]] {
        let refused = run(&[command, &both].concat());
        assert_eq!(refused.status.code(), Some(2), "{command:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains("cannot both be given"), "{command:?}");
    }
}

#[test]
fn an_audit_that_is_not_there_is_exit_2() {
    let ended = run(&["audit", "verify", "--data", "/nowhere/at/all"]);
    assert_eq!(ended.status.code(), Some(2));
}

#[test]
fn the_committed_document_is_what_openapi_prints() {
    let printed = run(&["openapi"]);
    let committed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json")).unwrap();
    assert!(stdout(&printed) == committed, "cargo run -- openapi > openapi.json");
}

#[test]
fn config_prints_a_file_that_serve_would_take_and_completions_name_the_commands() {
    let printed = stdout(&run(&["config"]));
    for setting in ["requests_per_second: 1000", "body_bytes_max: 256 KiB", "allow_private_addresses: null"] {
        assert!(printed.contains(setting), "{setting}");
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(stdout(&run(&["completions", shell])).contains("serve"), "{shell}");
    }
}

#[test]
fn every_command_has_a_help_text_with_an_example() {
    let mut todo: Vec<Vec<String>> = vec![Vec::new()];
    let mut seen = 0;
    while let Some(path) = todo.pop() {
        let words: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let help = stdout(&run(&words));
        assert!(help.contains("Example"), "`spine {}` shows no example", path.join(" "));
        seen += 1;
        let below = help.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next());
        // What is indented further goes on with the line before.
        let is_name = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
        for line in below.into_iter().flat_map(str::lines).filter(is_name) {
            if let Some(name) = line.split_whitespace().next().filter(|name| *name != "help") {
                todo.push(path.iter().cloned().chain([name.to_owned()]).collect());
            }
        }
    }
    assert!(seen > 10, "only {seen} commands");
}
