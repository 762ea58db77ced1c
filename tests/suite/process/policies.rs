//! Policies to and from a running server, and its messages run again: by the program, over sockets.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use spine::model::canonical;
use tempfile::tempdir;

use super::{Caller, Server, run, spine, stderr, stdout};

fn spine_in(folder: &Path, key: &str, args: &[&str]) -> Output {
    spine().current_dir(folder).env("SPINE_KEY", key).args(args).output().unwrap()
}

fn read(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}{}", stdout(output), stderr(output)))
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
}

fn names(policies: &Value, what: &str) -> Vec<String> {
    let all = policies.as_array().unwrap().iter().filter(|policy| policy["what"] == what);
    all.map(|policy| policy["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn policies_are_pushed_compared_and_pulled() {
    let home = tempdir().unwrap();
    let server = Server::start(home.path()).await;
    let key = server.first_key();
    let here = tempdir().unwrap();
    let here = here.path();
    let url = server.base.trim_end_matches("/notifications/v1").to_owned();
    // `page` stands in another file than who uses it, which comes before it by name.
    write(
        here,
        &[
            ("alarm.policy", "policy alarm { use page otherwise fail \"nobody came\" }\n"),
            ("page.policy", "policy page { push until read then sms after 1m }\n"),
            ("bare.policy", "whatsapp then sms after 30s\n"),
        ],
    );
    let push = |more: &[&str]| {
        let args = [&["policy", "push", ".", "--url", &url], more].concat();
        spine_in(here, &key, &args)
    };

    let dry = push(&["--dry-run", "--format", "json"]);
    let told = read(&dry);
    assert_eq!((dry.status.code(), &told["dry_run"]), (Some(0), &json!(true)));
    assert_eq!(names(&told["policies"], "would_publish"), ["alarm", "bare", "page"]);
    assert_eq!(told["diff"]["policies"][0]["kind"], "added");
    let remote = spine_in(here, &key, &["policy", "pull", "--url", &url, "--dry-run"]);
    assert_eq!(stdout(&remote), "the server has no policy\n", "a dry run publishes nothing");

    let first = push(&["--format", "json"]);
    assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
    assert_eq!(names(&read(&first)["policies"], "published"), ["alarm", "bare", "page"]);
    let again = push(&[]);
    assert!(
        stdout(&again).ends_with(&format!("nothing to publish: {url} has all 3\n")),
        "{}",
        stdout(&again)
    );

    // What a used policy becomes, its user becomes too: both get a new version.
    write(here, &[("page.policy", "policy page { push until read then sms after 2m }\n")]);
    let refused = push(&["--allow", "wording"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stdout(&refused).contains("timing"), "{}", stdout(&refused));
    assert!(stderr(&refused).contains("nothing was published: `timing` is above `--allow wording`"));
    let second = read(&push(&["--allow", "timing", "--format", "json"]));
    assert_eq!(names(&second["policies"], "published"), ["alarm", "page"]);
    assert_eq!(names(&second["policies"], "as_it_was"), ["bare"]);
    let versions: Vec<_> =
        second["policies"].as_array().unwrap().iter().map(|p| p["version"].clone()).collect();
    assert_eq!(versions, [json!(2), json!(1), json!(2)]);

    // What the linter finds is told, and keeps from publishing where it is denied.
    let warned = tempdir().unwrap();
    write(warned.path(), &[("warned.policy", "policy warned { slack then sms after 30s }\n")]);
    let warn = |more: &[&str]| {
        let args = [&["policy", "push", ".", "--url", &url], more].concat();
        spine_in(warned.path(), &key, &args)
    };
    let denied = warn(&["--deny", "warnings", "--format", "json"]);
    let told = read(&denied);
    assert_eq!((denied.status.code(), &told["ok"]), (Some(1), &json!(false)));
    assert_eq!(told["findings"][0]["rule"], "lowered-goal");
    assert_eq!(names(&told["policies"], "would_publish"), ["warned"]);
    let dry = warn(&["--dry-run"]);
    assert_eq!(dry.status.code(), Some(0));
    assert!(stderr(&dry).contains("warning[lowered-goal]"), "{}", stderr(&dry));

    // What no file here holds is used as the server has it.
    let alone = tempdir().unwrap();
    write(alone.path(), &[("alarm.policy", "policy alarm { use page then voice after 10m }\n")]);
    let args = ["policy", "push", "alarm.policy", "--url", &url, "--format", "json"];
    let third = read(&spine_in(alone.path(), &key, &args));
    assert_eq!(names(&third["policies"], "published"), ["alarm"]);
    assert_eq!(third["diff"]["level"], "more-sends");

    // The server's side of a comparison, with commands that reproduce it.
    write(here, &[("page.policy", "policy page { push until read then sms after 3m }\n")]);
    let diff =
        spine_in(here, &key, &["policy", "diff", "page.policy", "--against", &url, "--format", "json"]);
    let told = read(&diff);
    let [page] = told["policies"].as_array().unwrap().as_slice() else { panic!("{told}") };
    assert_eq!((diff.status.code(), &page["level"]), (Some(1), &json!("timing")));
    let command = page["changes"][0]["commands"]["old"].as_str().unwrap();
    let program = env!("CARGO_BIN_EXE_spine");
    let shell = format!("spine() {{ '{program}' \"$@\"; }}; {command}");
    let seen = std::process::Command::new("sh")
        .args(["-c", &shell])
        .current_dir(here)
        .env("SPINE_KEY", &key)
        .output()
        .unwrap();
    assert!(stdout(&seen).contains("2m  sms"), "{command}: {}{}", stdout(&seen), stderr(&seen));

    // Files that somebody changed are left; those of an older version are brought up to date.
    let there = tempdir().unwrap();
    let there = there.path();
    write(
        there,
        &[
            ("page.policy", "policy page { push until read then sms after 1m }\n"),
            ("two.policy", "# Two in one file.\npolicy other { slack }\npolicy alarm { email }\n"),
        ],
    );
    let pull = |more: &[&str]| {
        let args = [&["policy", "pull", "--url", &url, "--format", "json"], more].concat();
        spine_in(there, &key, &args)
    };
    let first = pull(&[]);
    let told = read(&first);
    assert_eq!(first.status.code(), Some(1));
    for (what, name) in [("left", "alarm"), ("new", "bare"), ("updated", "page")] {
        assert_eq!(names(&told["policies"], what), [name]);
    }
    assert!(std::fs::read_to_string(there.join("two.policy")).unwrap().contains("alarm { email }"));
    assert!(std::fs::read_to_string(there.join("page.policy")).unwrap().contains("after 2m"));
    assert_eq!(pull(&["--force"]).status.code(), Some(0));
    let two = std::fs::read_to_string(there.join("two.policy")).unwrap();
    assert!(two.contains("other { slack }") && two.contains("use page"), "{two}");
    let third = read(&pull(&[]));
    assert_eq!(names(&third["policies"], "as_it_was").len(), 3);
    server.stop().await;
}

#[tokio::test]
async fn the_comment_above_a_policy_goes_with_it() {
    let home = tempdir().unwrap();
    let server = Server::start(home.path()).await;
    let key = server.first_key();
    let url = server.base.trim_end_matches("/notifications/v1").to_owned();
    let (here, there) = (tempdir().unwrap(), tempdir().unwrap());
    let file = |about: &str, after: &str| {
        format!(
            "{about}# spine: allow unsure-zone -- all have one\npolicy alpha {{ push then sms after {after} between \
             08:00 and 20:00 in contact.timezone }}\n\n# Of nothing.\n\npolicy beta {{ email }}\n"
        )
    };
    let first = file("# About alpha.\n", "1m");
    write(here.path(), &[("two.policy", &first)]);
    write(there.path(), &[("two.policy", &first)]);
    let push = || {
        let pushed = spine_in(here.path(), &key, &["policy", "push", "--url", &url, "--format", "json"]);
        assert_eq!(pushed.status.code(), Some(0), "{}", stderr(&pushed));
        read(&pushed)
    };
    assert_eq!(names(&push()["policies"], "published"), ["alpha", "beta"]);
    let pulled = |name: &str| {
        stdout(&spine_in(here.path(), &key, &["policy", "pull", name, "--url", &url, "--stdout"]))
    };
    assert_eq!(pulled("alpha"), first.split("\n\n").next().unwrap());
    assert_eq!(pulled("beta"), "policy beta { email }");
    let check = |folder: &Path| read(&spine_in(folder, &key, &["policy", "check", "--format", "json"]));
    assert_eq!(check(here.path())["findings"], json!([]));
    assert_eq!(names(&push()["policies"], "as_it_was"), ["alpha", "beta"]);

    // What is fetched of several in one file takes its comment along, and leaves what belongs to others.
    let second = file("# All about alpha.\n", "2m");
    write(here.path(), &[("two.policy", &second)]);
    assert_eq!(names(&push()["policies"], "published"), ["alpha"]);
    let args = ["policy", "pull", "--url", &url, "--format", "json"];
    assert_eq!(names(&read(&spine_in(there.path(), &key, &args))["policies"], "updated"), ["alpha"]);
    assert_eq!(std::fs::read_to_string(there.path().join("two.policy")).unwrap(), second);
    // Also where nothing but the comment is another one; a comment that was changed here is left.
    let third = file("# Nothing about alpha.\n", "2m");
    write(here.path(), &[("two.policy", &third)]);
    assert_eq!(names(&push()["policies"], "published"), ["alpha"]);
    assert_eq!(names(&read(&spine_in(there.path(), &key, &args))["policies"], "updated"), ["alpha"]);
    assert_eq!(std::fs::read_to_string(there.path().join("two.policy")).unwrap(), third);
    write(there.path(), &[("two.policy", &file("# Mine.\n", "2m"))]);
    assert_eq!(names(&read(&spine_in(there.path(), &key, &args))["policies"], "left"), ["alpha"]);
    server.stop().await;
}

#[tokio::test]
async fn what_a_server_or_the_network_refuses_is_told() {
    let home = tempdir().unwrap();
    let folder = home.path().to_str().unwrap();
    let server = Server::start(home.path()).await;
    let key = server.first_key();
    let here = tempdir().unwrap();
    let here = here.path();
    write(here, &[("a.policy", "sms\n")]);
    let url = server.base.trim_end_matches("/notifications/v1").to_owned();
    let made = run(&[
        "key",
        "create",
        "--tenant",
        "default",
        "--env",
        "test",
        "--permissions",
        "read",
        "--data",
        folder,
    ]);
    let reader = stdout(&made).trim().to_owned();
    let push = |key: &str, url: &str| {
        let output = spine_in(here, key, &["policy", "push", "a.policy", "--url", url]);
        (output.status.code(), stderr(&output))
    };
    let told = |(code, text): (Option<i32>, String), words: &str| {
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(words), "{words}: {text}");
    };
    told(push(&reader, &url), "needs `read`, to publish them `manage`");
    told(push("sk_test_oops", &url), "is no key: a character is missing or wrong");
    told(push(&key, "ftp://x"), "is no address of a server");
    // A key of its form that nobody made.
    let unknown =
        spine::api::conventions::keys::ApiKey::from_random(spine::model::Environment::Test, &[9; 25]);
    told(push(unknown.reveal(), &url), "does not know the key");
    // Nothing is asked, nor shown, for a strategy that nobody could name.
    let mut command = spine();
    command.args(["policy", "push", "-", "--url", "http://127.0.0.1:9"]).env("SPINE_KEY", &key);
    let nameless = command.stdin(std::fs::File::open(here.join("a.policy")).unwrap()).output().unwrap();
    told((nameless.status.code(), stderr(&nameless)), "write `policy NAME { … }` around it");
    assert_eq!(stdout(&nameless), "");
    // Nobody listens on this port any more.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    told(push(&key, &format!("http://{gone}")), "cannot be reached");
    let keyless = spine()
        .current_dir(here)
        .env_remove("SPINE_KEY")
        .args(["policy", "pull", "--url", &url])
        .output()
        .unwrap();
    told((keyless.status.code(), stderr(&keyless)), "put one into the variable `SPINE_KEY`");
    let missing = spine_in(here, &key, &["policy", "pull", "nope", "--url", &url]);
    told((missing.status.code(), stderr(&missing)), "has no policy `nope`");
    // Another server than ours.
    let other = wiremock::MockServer::start().await;
    told(push(&key, &other.uri()), "is no spine server");
    // What does not compile is not sent.
    write(here, &[("a.policy", "smss\n")]);
    let (code, text) = push(&key, &url);
    assert!(code == Some(1) && text.contains("a.policy"), "{text}");
    let faulty = spine_in(here, &key, &["policy", "push", "a.policy", "--url", &url, "--format", "json"]);
    assert_eq!((faulty.status.code(), stderr(&faulty).as_str()), (Some(1), ""));
    assert_eq!(read(&faulty)["findings"][0]["path"], "a.policy");
    server.stop().await;
}

#[test]
fn files_are_compared_with_a_revision() {
    let here = tempdir().unwrap();
    let here = here.path();
    let git = |args: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.arg("-C").arg(here).args(["-c", "user.name=a", "-c", "user.email=a@example.org"]);
        let output = command.args(args).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
    };
    let diff = |args: &[&str]| spine_in(here, "", &[&["policy", "diff"], args].concat());
    std::fs::create_dir(here.join("policies")).unwrap();
    write(
        here,
        &[
            ("policies/a.policy", "sms then use b after 1m\n"),
            ("policies/b.policy", "email\n"),
            ("policies/gone.policy", "push then voice after 5m\n"),
        ],
    );
    let alone = diff(&["policies", "--against", "git:main"]);
    assert!(alone.status.code() == Some(2) && stderr(&alone).contains("is in no git repository"));
    git(&["init", "-q", "-b", "main"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "one"]);
    let same = diff(&["policies", "--against", "git:main"]);
    assert_eq!((same.status.code(), stdout(&same).as_str()), (Some(0), "nothing changes for anybody\n"));

    write(here, &[("policies/b.policy", "email via ses\n"), ("policies/new.policy", "slack\n")]);
    std::fs::remove_file(here.join("policies/gone.policy")).unwrap();
    let whole = read(&diff(&["policies", "--against", "git:main", "--format", "json"]));
    let told: Vec<(String, String)> = whole["policies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| (p["name"].as_str().unwrap().to_owned(), p["kind"].as_str().unwrap().to_owned()))
        .collect();
    let pair = |name: &str, kind: &str| (name.to_owned(), kind.to_owned());
    assert_eq!(
        told,
        [pair("a", "changed"), pair("b", "changed"), pair("new", "added"), pair("gone", "removed")]
    );
    // One file: what it uses is that of the revision, too.
    let one = diff(&["policies/a.policy", "--against", "git:main", "--format", "json"]);
    let one = read(&one);
    assert_eq!((&one["level"], one["policies"].as_array().unwrap().len()), (&json!("routing"), 1));
    assert_eq!(one["policies"][0]["changes"][0]["commands"]["old"], Value::Null, "one text is not all of it");
    let command = whole["policies"][1]["changes"][0]["commands"]["old"].as_str().unwrap();
    assert!(
        command.starts_with("git -C policies show main:./b.policy | spine policy simulate -"),
        "{command}"
    );

    let unknown = diff(&["policies", "--against", "git:nope"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(stderr(&unknown).contains("git knows no revision `nope`"), "{}", stderr(&unknown));
    let option = diff(&["policies", "--against", "git:--help"]);
    assert!(option.status.code() == Some(2) && stderr(&option).contains("git knows no revision"));
}

/// Sends a message and lets everything about it happen.
async fn send(caller: &Caller, n: u32, more: Value) -> String {
    let mut body = json!({"to": {"whatsapp": "+4915112345678", "sms": "+4915112345678", "voice": "+4915112345678"},
        "content": {"whatsapp": {"body": "hello"}, "sms": {"body": "hello"}, "voice": {"body": "hello"}}});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let sent = caller.post(&format!("m{n}"), "/messages", &body).await;
    caller.post(&format!("t{n}"), "/test_clock/advance", &json!({"by": "25h"})).await;
    sent["id"].as_str().unwrap().to_owned()
}

fn lines(export: &str) -> Vec<Value> {
    export.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn the_audit_is_exported_and_its_messages_run_by_another_version() {
    let home = tempdir().unwrap();
    let folder = home.path().to_str().unwrap();
    let server = Server::start(home.path()).await;
    let caller = Caller::new(&server, &server.first_key());
    let source =
        "policy reminder { whatsapp then sms after 30s unless vars.amount < 5 otherwise fail \"no\" }";
    caller.post("p", "/policies", &json!({"source": source})).await;
    let by = |sandbox: Value, amount: u32| json!({"policy": "reminder", "sandbox": sandbox, "vars": {"amount": amount}});
    // By sms at 31 s; by WhatsApp at 2 s; refused, so by sms at 1 s; only WhatsApp, which is silent.
    let late = by(json!({"whatsapp": "accepted", "sms": "accepted, delivered after 1s"}), 9);
    let late = send(&caller, 1, late).await;
    let quick = send(&caller, 2, by(json!({"whatsapp": "accepted, delivered after 2s"}), 9)).await;
    let refused = by(json!({"whatsapp": "recipient fault", "sms": "accepted, delivered after 1s"}), 9);
    let refused = send(&caller, 3, refused).await;
    let silent = send(&caller, 4, by(json!({"whatsapp": "accepted"}), 1)).await;
    let own = json!({"strategy": "sms", "sandbox": {"sms": "accepted"}});
    let own = send(&caller, 5, own).await;

    let export = run(&["audit", "export", "--data", folder, "--tenant", "default", "--env", "test"]);
    assert_eq!(export.status.code(), Some(0), "{}", stderr(&export));
    let export = stdout(&export);
    let all = lines(&export);
    assert_eq!((&all[0]["type"], &all[0]["format"]), (&json!("export"), &json!(1)));
    let of = |kind: &str| all.iter().filter(|line| line["type"] == kind).cloned().collect::<Vec<_>>();
    let ids: Vec<_> = of("message").iter().map(|m| m["message_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, [late.clone(), quick.clone(), refused.clone(), silent.clone(), own.clone()]);
    let texts: Vec<_> = of("policy").iter().map(|p| p["source"].clone()).collect();
    assert_eq!(texts, [json!(source), json!("sms")], "a version's text stands once, before who needs it");
    assert!(of("entry").iter().any(|entry| entry["what"] == "policy.published"));
    let keys: Vec<_> = of("registry_entry").iter().map(|entry| entry["what"].clone()).collect();
    assert_eq!(keys, [json!("key.created")]);
    for personal in ["4915112345678", "hello"] {
        assert!(!export.contains(personal), "{personal} is personal");
    }
    // Each hash hangs on the one before, and the input on what stands beside it.
    let mut before: BTreeMap<String, String> = BTreeMap::new();
    for line in of("transition") {
        let id = line["message_id"].as_str().unwrap().to_owned();
        let last = before.entry(id).or_insert_with(|| "0".repeat(64));
        assert_eq!(line["prev_hash"], **last);
        let mut hashed = line.as_object().unwrap().clone();
        for beside in ["type", "prev_hash", "hash", "given"] {
            hashed.remove(beside);
        }
        let text = format!("{last}\n{}", canonical(&Value::Object(hashed)));
        *last = hex(&Sha256::digest(text.as_bytes()));
        assert_eq!(line["hash"], **last);
        if let Some(given) = line.get("given") {
            assert_eq!(line["input"], hex(&Sha256::digest(given.to_string().as_bytes())));
        }
    }
    // The same from the server itself, page by page.
    let key = server.first_key();
    let mut paged: Vec<Value> = Vec::new();
    let mut path = "/audit/export?limit=2".to_owned();
    loop {
        let (status, media, page) = caller.text(&path).await;
        assert_eq!((status, media.as_str()), (200, "application/x-ndjson"));
        paged.extend(lines(&page));
        match paged.pop_if(|line| line["type"] == "next") {
            Some(next) => path = format!("/audit/export?limit=2&after={}", next["after"].as_str().unwrap()),
            None => break,
        }
    }
    let told = |all: &[Value]| -> Vec<Value> {
        all.iter()
            .filter(|line| ["message", "transition", "entry"].contains(&line["type"].as_str().unwrap()))
            .cloned()
            .collect()
    };
    assert_eq!(told(&paged), told(&all));
    assert_eq!(caller.get("/audit/export?after=x").await.0, 400);
    let here = tempdir().unwrap();
    let here = here.path();
    write(
        here,
        &[("reminder.policy", "whatsapp then sms after 20s unless vars.amount < 5 otherwise fail \"no\"\n")],
    );
    let url = server.base.trim_end_matches("/notifications/v1");
    let live =
        spine_in(here, &key, &["policy", "replay", url, "--against", "reminder.policy", "--format", "json"]);
    let live = read(&live);
    assert_eq!((&live["messages"], &live["counts"]["sooner"]), (&json!(4), &json!(1)));
    server.stop().await;

    std::fs::write(here.join("audit.jsonl"), &export).unwrap();
    let replay = |text: &str, more: &[&str]| {
        write(here, &[("reminder.policy", text)]);
        let args = [&["policy", "replay", "audit.jsonl", "--against", "reminder.policy"], more].concat();
        let output = spine_in(here, "", &[&args[..], &["--format", "json"]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        read(&output)
    };
    let changes = |told: &Value, id: &str| {
        let found = told["changed"].as_array().unwrap().iter().find(|m| m["message_id"] == *id).cloned();
        found.map(|m| (m["changes"].clone(), m["moved_by_ms"].clone()))
    };
    let same = replay(source, &[]);
    assert_eq!((&same["messages"], &same["changed"], &same["assumed"]), (&json!(4), &json!([]), &json!([])));
    assert_eq!(same["not_as_recorded"], 0, "run again, its own version does what it did");
    assert!(same["left_out"][0]["why"].as_str().unwrap().contains("a strategy of its own"));

    let sooner = replay("whatsapp then sms after 20s unless vars.amount < 5", &[]);
    assert_eq!(changes(&sooner, &late), Some((json!(["sooner"]), json!(-10_000))));
    assert_eq!(changes(&sooner, &quick), None);
    assert_eq!(sooner["assumed"], json!([]), "all that it asks is on record");

    // The opposite of what was asked is known; what is now sent to the silent one is not.
    let unguarded = replay("whatsapp then sms after 30s if vars.amount >= 5 otherwise fail \"no\"", &[]);
    assert_eq!((&unguarded["changed"], &unguarded["assumed"]), (&json!([]), &json!([])));
    let all_sms = replay("whatsapp then sms after 30s", &[]);
    let (what, _) = changes(&all_sms, &silent).unwrap();
    assert_eq!(what, json!(["other_channel", "confirmed", "more_sends", "other_status"]));
    let assumed = all_sms["assumed"].to_string();
    assert!(
        assumed.contains("nothing was sent on `sms`: taken as accepted and delivered after 1s, the median"),
        "{assumed}"
    );
    assert!(assumed.contains("whether there was an address"), "{assumed}");

    let without = replay("whatsapp", &[]);
    let (what, _) = changes(&without, &refused).unwrap();
    assert_eq!(what, json!(["not_at_all", "fewer_sends", "other_status"]));

    let every = replay("sms", &["--policy", "reminder"]);
    assert_eq!(every["messages"], 5, "also those that had a strategy of their own");

    let table = spine_in(here, "", &["policy", "replay", "audit.jsonl", "--against", "reminder.policy"]);
    let table = stdout(&table);
    assert!(table.contains("told by another channel") && table.contains("whatsapp at 2s"), "{table}");
    let wrong = spine_in(here, "", &["policy", "replay", "reminder.policy", "--against", "reminder.policy"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(stderr(&wrong).contains("line 1 is no line of an audit export"), "{}", stderr(&wrong));
}
