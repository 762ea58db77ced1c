//! The workbench from outside: what it writes into files, and what our own policies are held to.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn spine(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spine"));
    command.current_dir(folder).args(words).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn what_we_say_of_our_own_policies_is_proven() {
    let out = spine(Path::new(ROOT), &["policy", "prove", "policies", "--format", "json"]);
    assert!(out.status.success(), "{}\n{}", text(&out.stdout), text(&out.stderr));
    let report: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert!(report["summary"]["holds"].as_u64().unwrap() >= 12, "{report}");
}

const POLICY: &str = "policy reminder {\n  whatsapp then sms after 30s unless quota\n}\n";

#[test]
fn our_own_policies_are_tested_and_covered_whole() {
    let out = spine(Path::new(ROOT), &["policy", "test", "policies", "--min", "100", "--format", "json"]);
    assert!(out.status.success(), "{}\n{}", text(&out.stdout), text(&out.stderr));
    let report: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let covered = report["coverage"].as_array().unwrap();
    let files = fs::read_dir(Path::new(ROOT).join("policies")).unwrap();
    let files = files.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|e| e == "policy"));
    assert!(covered.len() >= files.count());
    for policy in covered {
        assert_eq!(policy["percent"], 100, "{policy}");
        // What counts for nothing is proven to be out of reach.
        assert_eq!(policy["complete"], true, "{policy}");
    }
    assert_eq!(report["summary"]["failed"], 0);
}

#[test]
fn generated_cases_cover_what_was_missing_and_leave_the_file_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (policy, tests) = (folder.path().join("reminder.policy"), folder.path().join("reminder.test.yaml"));
    fs::write(&policy, POLICY).unwrap();
    let own = "# Ours.\npolicy: reminder   # the one\ncases:\n  # The usual.\n  - name: silent\n    script: { whatsapp: accepted }\n    expect:\n      - 30s: send sms # late\n\n# Behind all.\n";
    fs::write(&tests, own).unwrap();
    let out = spine(folder.path(), &["policy", "test", "--generate", "--min", "100"]);
    assert!(out.status.success(), "{}\n{}", text(&out.stdout), text(&out.stderr));
    let written = fs::read_to_string(&tests).unwrap();
    let (head, tail) = own.split_once("\n\n# Behind").unwrap();
    assert!(written.starts_with(&format!("{head}\n  - name: ")), "{written}");
    assert!(written.ends_with(&format!("\n\n# Behind{tail}")), "{written}");
    // Nothing is left to write.
    let out = spine(folder.path(), &["policy", "test", "--generate", "."]);
    assert_eq!(text(&out.stderr), "");
    assert_eq!(fs::read_to_string(&tests).unwrap(), written);
}

#[test]
fn a_policy_without_tests_gets_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("two.policy");
    fs::write(&policy, "policy one { sms via b or a unless contact.plan in [\"a, b\", \"7\"] }\npolicy two { vars { n: number }\n push then email if vars.n > 2 }\n").unwrap();
    let out = spine(folder.path(), &["policy", "test", "--generate", "--min", "100", "two.policy"]);
    assert!(out.status.success(), "{}\n{}", text(&out.stdout), text(&out.stderr));
    for name in ["one", "two"] {
        let written = fs::read_to_string(folder.path().join(format!("{name}.test.yaml"))).unwrap();
        assert!(written.starts_with(&format!("policy: {name}\ncases:\n  - name: ")), "{written}");
    }
}

#[test]
fn generated_cases_are_plain_where_plain_ones_do() {
    let folder = tempfile::tempdir().unwrap();
    let policy = "policy late { sms until replied then email after 30s unless delivered }\n";
    fs::write(folder.path().join("late.policy"), policy).unwrap();
    let out = spine(folder.path(), &["policy", "test", "--generate", "--min", "100"]);
    assert!(out.status.success(), "{}\n{}", text(&out.stdout), text(&out.stderr));
    let written = fs::read_to_string(folder.path().join("late.test.yaml")).unwrap();
    assert!(!written.contains("facts:") && !written.contains("999ms"), "{written}");
    assert!(written.contains("sms: recipient fault\n"), "{written}");
}

#[test]
fn an_update_writes_what_happens_and_keeps_comments_and_what_holds() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("reminder.policy"), POLICY).unwrap();
    let before = "policy: reminder\n\
                  cases:\n\
                  \x20 - name: holds\n\
                  \x20   script: { whatsapp: accepted }\n\
                  \x20   expect: [ 30s: send sms ]\n\
                  \x20 - name: does not\n\
                  \x20   script: { whatsapp: accepted }\n\
                  \x20   expect: # as it should be\n\
                  \x20     # at once\n\
                  \x20     - 0s: send whatsapp # first\n\
                  \x20     - 40s: send sms\n\
                  \x20     - end: delivered by sms\n\
                  \x20     - never: send voice  # it is too loud\n\
                  \x20     - never: send sms\n\
                  \x20     - sends: 3  # no more\n\
                  \x20 - name: says nothing\n\
                  \x20   facts: quota.sms=used\n\
                  \x20 - name: stands on one line\n\
                  \x20   expect: [ 1s: send sms, never: send voice, sends: 2 ]\n";
    let tests = folder.path().join("reminder.test.yaml");
    fs::write(&tests, before).unwrap();
    let out = spine(folder.path(), &["policy", "test"]);
    assert_eq!(out.status.code(), Some(1));
    let out = spine(folder.path(), &["policy", "test", "--update"]);
    assert!(out.status.success(), "{}\n{}", text(&out.stdout), text(&out.stderr));
    assert_eq!(
        fs::read_to_string(&tests).unwrap(),
        "policy: reminder\n\
         cases:\n\
         \x20 - name: holds\n\
         \x20   script: { whatsapp: accepted }\n\
         \x20   expect: [ 30s: send sms ]\n\
         \x20 - name: does not\n\
         \x20   script: { whatsapp: accepted }\n\
         \x20   expect: # as it should be\n\
         \x20     # at once\n\
         \x20     - 0s: send whatsapp # first\n\
         \x20     - 30s: send sms\n\
         \x20     - 31s: delivered sms\n\
         \x20     - end: delivered by sms\n\
         \x20     - never: send voice  # it is too loud\n\
         \x20     - sends: 2  # no more\n\
         \x20 - name: says nothing\n\
         \x20   facts: quota.sms=used\n\
         \x20   expect:\n\
         \x20     - 0s: send whatsapp\n\
         \x20     - 1s: delivered whatsapp\n\
         \x20     - end: delivered by whatsapp\n\
         \x20 - name: stands on one line\n\
         \x20   expect:\n\
         \x20     - 0s: send whatsapp\n\
         \x20     - 1s: delivered whatsapp\n\
         \x20     - end: delivered by whatsapp\n\
         \x20     - never: send voice\n\
         \x20     - sends: 1\n"
    );
}

#[test]
fn a_case_on_one_line_is_not_touched_and_that_is_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("reminder.policy"), POLICY).unwrap();
    let before = "policy: reminder\ncases: [ { name: a, expect: [ 1s: send sms ] } ]\n";
    fs::write(folder.path().join("reminder.test.yaml"), before).unwrap();
    for word in ["--update", "--generate"] {
        let out = spine(folder.path(), &["policy", "test", word]);
        assert_eq!(out.status.code(), Some(2), "{}", text(&out.stdout));
        assert!(text(&out.stderr).contains("line 2"), "{}", text(&out.stderr));
        assert_eq!(fs::read_to_string(folder.path().join("reminder.test.yaml")).unwrap(), before);
    }
}
