//! The cookbook: every policy on the page is clean, and every test on it passes.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::process::{run, stderr, stdout};

/// The blocks of a language, in order.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("\n```{language}\n");
    page.split(fence.as_str()).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect()
}

#[test]
fn twenty_situations_with_policies_that_are_clean_and_tests_that_pass() {
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cookbook.md")).unwrap();
    let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let numbers: Vec<_> =
        headings.iter().map(|heading| heading.split_once(". ").unwrap().0.to_owned()).collect();
    assert_eq!(numbers, (1..=20).map(|n| n.to_string()).collect::<Vec<_>>());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let (policies, tests) = (blocks(&page, "policy"), blocks(&page, "yaml"));
    assert!(policies.len() == 20 && tests.len() >= 20, "{} {}", policies.len(), tests.len());
    for (n, policy) in policies.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{n:02}.policy")), format!("{policy}\n")).unwrap();
    }
    let mut tested = BTreeSet::new();
    for (n, test) in tests.iter().enumerate() {
        tested.insert(test.lines().find_map(|line| line.strip_prefix("policy: ")).unwrap());
        std::fs::write(folder.path().join(format!("{n:02}.test.yaml")), format!("{test}\n")).unwrap();
    }
    assert!(tested.len() >= 20, "{tested:?}");
    let checked = run(&["policy", "check", "--deny", "warnings", path]);
    assert_eq!(checked.status.code(), Some(0), "{}{}", stdout(&checked), stderr(&checked));
    let ran = run(&["policy", "test", path, "--format", "json"]);
    assert_eq!(ran.status.code(), Some(0), "{}{}", stdout(&ran), stderr(&ran));
    let told: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert!(told.is_object(), "{told}");
}
