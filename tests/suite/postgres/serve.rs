//! The program as a process on a database.

use serde_json::json;

use super::cluster::{Database, cluster};
use crate::process::{Caller, Server, run, spine, stderr, stdout};

/// The operator's key of the tests.
pub(super) const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

pub(super) fn on(database: &Database, args: &[&str]) -> std::process::Output {
    let mut command = spine();
    command.env("SPINE_DATABASE_URL", database.url()).env("SPINE_MASTER_KEY", MASTER_KEY);
    command.args(args).output().unwrap()
}

pub(super) async fn serve(database: &Database) -> Server {
    let mut command = spine();
    command.env("SPINE_MASTER_KEY", MASTER_KEY);
    command.args(["serve", "--listen", "127.0.0.1:0", "--database-url", &database.url()]);
    Server::of(&mut command).await
}

#[tokio::test]
async fn a_first_start_makes_the_schema_a_tenant_and_a_key_and_messages_are_sent() {
    let database = cluster().database().await;
    let planned = on(&database, &["migrate", "--plan", "--format", "json"]);
    let planned: serde_json::Value = serde_json::from_slice(&planned.stdout).unwrap();
    assert_eq!(planned["complete"], false);
    assert_eq!(planned["steps"][0]["state"], "to be taken");

    let server = serve(&database).await;
    assert!(server.said.iter().any(|line| line.contains("from the database")), "{:?}", server.said);
    assert!(server.said.iter().all(|line| !line.contains("of-the-tests")), "the password is told");
    let caller = Caller::new(&server, &server.first_key());
    // Loopback in front of a database may be a proxy's: nothing private is called.
    assert!(server.said.iter().all(|line| !line.contains("private addresses")), "{:?}", server.said);
    let inside = json!({"url": "http://127.0.0.1:9/", "events": ["*"]});
    let (status, refused) = caller.try_post("inside", "/webhook_endpoints", &inside).await.unwrap();
    assert_eq!(status, 422, "{refused}");
    let sent = caller
        .post("one", "/messages", &json!({"to": {"sms": "+4915112345678"}, "content": {"sms": {"body": "hello"}}, "strategy": "sms until accepted"}))
        .await;
    let again = caller
        .post("one", "/messages", &json!({"to": {"sms": "+4915112345678"}, "content": {"sms": {"body": "hello"}}, "strategy": "sms until accepted"}))
        .await;
    assert_eq!(sent, again, "one key, two messages");
    let path = format!("/messages/{}", sent["id"].as_str().unwrap());
    let (status, read) = caller.get(&path).await;
    assert_eq!((status, &read["id"]), (200, &sent["id"]));

    // Keys are made and revoked beside the server, and honoured at the next request.
    let made = on(&database, &["key", "create", "--tenant", "default", "--env", "live"]);
    assert!(made.status.success(), "{}", stderr(&made));
    let live = Caller::new(&server, &stdout(&made));
    assert_eq!(live.get("/messages").await.0, 200);
    let listed = on(&database, &["key", "list", "--env", "live", "--format", "json"]);
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let id = listed["data"][0]["id"].as_str().unwrap();
    assert!(on(&database, &["key", "revoke", id]).status.success());
    let (status, problem) = live.get("/messages").await;
    assert_eq!((status, &problem["code"]), (401, &"key_revoked".into()));

    let verified = on(&database, &["audit", "verify", "--format", "json"]);
    assert!(verified.status.success(), "{}{}", stdout(&verified), stderr(&verified));
    let verified: serde_json::Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!((&verified["ok"], &verified["messages"]), (&true.into(), &1.into()));

    let exported = stdout(&on(&database, &["audit", "export", "--tenant", "default"]));
    let of_message = exported.lines().filter(|line| line.contains(sent["id"].as_str().unwrap()));
    assert!(of_message.count() > 3 && exported.contains("key.revoked"), "{exported}");

    // The operator removes the beginning of the audit and looks the installation over, beside it. Of a
    // server of the tests, which does not sync, that is told.
    let looked = || -> Vec<String> {
        let looked = on(&database, &["doctor", "--deep", "--format", "json"]);
        let told: serde_json::Value =
            serde_json::from_slice(&looked.stdout).unwrap_or_else(|_| panic!("{}", stderr(&looked)));
        assert_eq!(told["messages_checked"], 1, "{told}");
        let names = told["findings"].as_array().unwrap().iter();
        let names = names.map(|finding| finding["name"].as_str().unwrap().to_owned());
        names.filter(|name| name != "setting").collect()
    };
    assert_eq!(looked(), [""; 0]);
    let contact = json!({"name": "Ada", "addresses": {"sms": "+4915112345678"}});
    caller.post("ada", "/contacts", &contact).await;
    let pruned = on(&database, &["audit", "prune", "--before", "2100-01-01T00:00:00Z", "--format", "json"]);
    assert!(pruned.status.success(), "{}", stderr(&pruned));
    let pruned: serde_json::Value = serde_json::from_slice(&pruned.stdout).unwrap();
    let entries = pruned["scopes"].as_array().unwrap().iter().map(|scope| scope["entries"].as_u64().unwrap());
    assert_eq!(entries.sum::<u64>(), 1, "{pruned}");
    caller.post("eve", "/contacts", &contact).await;
    assert!(on(&database, &["audit", "verify"]).status.success());
    server.stop().await;
    assert_eq!(looked(), ["no-node"]);

    // A second start finds what the first left, and makes nothing again.
    let server = serve(&database).await;
    assert!(server.said.iter().all(|line| !line.contains("sk_test_")), "{:?}", server.said);
    let mut caller = caller;
    caller.base = server.base.clone();
    assert_eq!(caller.get(&path).await.1["id"], sent["id"]);
    server.stop().await;
    let planned = on(&database, &["migrate", "--plan", "--format", "json"]);
    assert!(stdout(&planned).contains("\"complete\": true"), "{}", stdout(&planned));
}

#[tokio::test]
async fn a_start_that_cannot_be_says_why_and_what_to_do() {
    let database = cluster().database().await;
    let refused = |command: &mut std::process::Command| {
        let ended = command.output().unwrap();
        assert_eq!(ended.status.code(), Some(2), "{}", stderr(&ended));
        stderr(&ended)
    };
    let without_key = refused(spine().args(["serve", "--database-url", &database.url()]));
    assert!(without_key.contains("SPINE_MASTER_KEY") && without_key.contains("base64"), "{without_key}");
    database
        .run(&format!("CREATE ROLE strong_{} LOGIN SUPERUSER PASSWORD 'of-the-tests'", database.name))
        .await;
    let url = database.url_as(&format!("strong_{}", database.name));
    let strong = refused(spine().env("SPINE_MASTER_KEY", MASTER_KEY).args(["serve", "--database-url", &url]));
    assert!(strong.contains("is a superuser") && strong.contains("CREATE ROLE spine_app"), "{strong}");
    database.run(&format!("DROP ROLE strong_{}", database.name)).await;
    let away = "postgres://nobody@127.0.0.1:1/nothing";
    let away = refused(spine().env("SPINE_MASTER_KEY", MASTER_KEY).args(["serve", "--database-url", away]));
    assert!(away.contains("the database cannot be reached"), "{away}");
}

#[test]
fn what_an_administrator_has_to_run_is_printed() {
    let printed = run(&["database", "grant", "--print", "--to", "app"]);
    let sql = stdout(&printed);
    for words in ["CREATE ROLE spine_owner NOLOGIN", "TO \"app\"", "CREATE SCHEMA IF NOT EXISTS spine"] {
        assert!(sql.contains(words), "{sql}");
    }
    assert_eq!(run(&["database", "grant", "--to", "app"]).status.code(), Some(2));
}
