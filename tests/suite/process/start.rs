//! Starts that cannot be: each says what is wrong and what to do, and ends with 2.

use tempfile::tempdir;

use super::{Caller, Server, make_key, run, spine, stderr};

/// The one line that a start ends with.
fn refusal(args: &[&str]) -> String {
    let ended = run(args);
    assert_eq!(ended.status.code(), Some(2), "{}", stderr(&ended));
    stderr(&ended)
}

#[tokio::test]
async fn a_first_start_makes_a_tenant_and_prints_a_key_once() {
    let home = tempdir().unwrap();
    let server = Server::start(home.path()).await;
    let (status, _) = Caller::new(&server, &server.first_key()).get("/messages").await;
    assert_eq!(status, 200);
    assert!(server.said.iter().any(|line| line.contains("tenant `default`")));
    server.stop().await;
    let again = Server::start(home.path()).await;
    assert!(again.said.iter().all(|line| !line.contains("sk_test_")), "{:?}", again.said);
    again.stop().await;
}

#[tokio::test]
async fn a_second_process_is_told_who_holds_the_folder_and_a_port_in_use_is_told_too() {
    let (home, other) = (tempdir().unwrap(), tempdir().unwrap());
    let server = Server::start(home.path()).await;
    let folder = home.path().to_str().unwrap();
    let told = refusal(&["serve", "--data", folder, "--listen", "127.0.0.1:0"]);
    assert!(told.contains(&format!("is in use by process {}", server.child.id())), "{told}");
    let address = server.base.trim_start_matches("http://").split('/').next().unwrap();
    let told = refusal(&["serve", "--data", other.path().to_str().unwrap(), "--listen", address]);
    assert!(told.contains("another process uses the port") && told.contains("--listen"), "{told}");
    server.stop().await;
}

#[tokio::test]
async fn tenants_and_keys_are_made_beside_a_running_server_which_honours_them_at_once() {
    let home = tempdir().unwrap();
    let server = Server::start(home.path()).await;
    let key = make_key(home.path(), "live");
    let caller = Caller::new(&server, &key);
    assert_eq!(caller.get("/messages").await.0, 200);
    let folder = home.path().to_str().unwrap();
    let listed = run(&["key", "list", "--env", "live", "--format", "json", "--data", folder]);
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let id = listed["data"][0]["id"].as_str().unwrap();
    assert!(run(&["key", "revoke", id, "--data", folder]).status.success());
    let (status, problem) = caller.get("/messages").await;
    assert_eq!((status, &problem["code"]), (401, &"key_revoked".into()));
    server.stop().await;
}

#[test]
fn a_folder_that_is_not_ours_is_left_alone() {
    let home = tempdir().unwrap();
    std::fs::write(home.path().join("thesis.tex"), "years of work").unwrap();
    let told = refusal(&["serve", "--data", home.path().to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    assert!(told.contains("is not a data folder of spine") && told.contains("thesis.tex"), "{told}");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1, "nothing was added");
}

#[test]
fn a_folder_that_cannot_be_made_is_told() {
    let told = refusal(&["serve", "--data", "/proc/spine", "--listen", "127.0.0.1:0"]);
    assert!(told.contains("/proc/spine"), "{told}");
}

#[tokio::test]
async fn the_operators_key_must_be_one_and_the_one_that_sealed_the_data() {
    let home = tempdir().unwrap();
    let folder = home.path().to_str().unwrap();
    Server::start(home.path()).await.stop().await;
    let other = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    for (key, told) in [("short", "32 bytes in base64"), (other, "does not open what is stored")] {
        let ended = spine()
            .args(["serve", "--data", folder, "--listen", "127.0.0.1:0"])
            .env("SPINE_MASTER_KEY", key)
            .output()
            .unwrap();
        assert_eq!(ended.status.code(), Some(2));
        assert!(stderr(&ended).contains(told), "{}", stderr(&ended));
        assert!(!stderr(&ended).contains(key), "a key is never shown");
    }
    // The folder's own key still opens it.
    Server::start(home.path()).await.stop().await;
}

#[test]
fn a_broken_configuration_is_told_whole_with_its_lines() {
    let home = tempdir().unwrap();
    let file = home.path().join("spine.yaml");
    let settings = "server:\n  listen: here\nlimits:\n  bursts: 5\nproviders:\n  call_timeout: 15 sec\n";
    std::fs::write(&file, settings).unwrap();
    let told = refusal(&["serve", "--config", file.to_str().unwrap()]);
    for line in
        ["2:11: server.listen", "4:3: limits: unknown setting `bursts`", "6:17: providers.call_timeout"]
    {
        assert!(told.contains(line), "{line} in {told}");
    }
    let told = refusal(&["serve", "--config", "/nowhere/spine.yaml"]);
    assert!(told.contains("cannot read `/nowhere/spine.yaml`"), "{told}");
}

#[tokio::test]
async fn a_file_of_settings_is_heeded_and_flags_win_over_it() {
    let home = tempdir().unwrap();
    let file = home.path().join("settings.yaml");
    let data = home.path().join("data");
    let settings = format!(
        "server: {{ listen: 127.0.0.1:1 }}\ndata: {}\noutbound: {{ allow_private_addresses: false }}\n\
         limits: {{ body_bytes_max: 1 KiB, person_name_chars_max: 5 }}\n",
        data.display()
    );
    std::fs::write(&file, settings).unwrap();
    let mut command = spine();
    command.args(["serve", "--config", file.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    let server = Server::of(&mut command).await;
    let caller = Caller::new(&server, &server.first_key());
    let large = serde_json::json!({"name": "x".repeat(2_000)});
    assert_eq!(caller.try_post("k1", "/contacts", &large).await.unwrap().0, 413);
    let long = serde_json::json!({"name": "Ada Lovelace"});
    assert_eq!(caller.try_post("k3", "/contacts", &long).await.unwrap().0, 422);
    let inside = serde_json::json!({"url": "http://127.0.0.1:9/", "events": ["*"]});
    assert_eq!(caller.try_post("k2", "/webhook_endpoints", &inside).await.unwrap().0, 422);
    assert!(server.said.iter().all(|line| !line.contains("private addresses")), "{:?}", server.said);
    server.stop().await;
}
