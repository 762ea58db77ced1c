//! Bad input: what the fuzz targets look at, over the corpus that is committed with them.
//!
//! `fuzz/src` holds what must hold of a text from outside; the fuzzer makes texts up, and this test
//! takes those of `fuzz/corpus`, so that neither the targets nor what they once found is forgotten.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

#[expect(unreachable_pub, reason = "the same file is a library for the fuzzer")]
#[path = "../../fuzz/src/lib.rs"]
mod targets;

/// A target by the name of its folder and of its program.
const TARGETS: [(&str, fn(&[u8])); 4] = [
    ("api", targets::api::look_at),
    ("callback", targets::callback::look_at),
    ("policy", targets::policy::look_at),
    ("script", targets::script::look_at),
];

fn fuzz() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz"))
}

/// Looks at every text of a target's corpus, and names those of which something does not hold.
fn replay(target: &str, look_at: fn(&[u8])) {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for entry in fs::read_dir(fuzz().join("corpus").join(target)).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        seen += 1;
        if catch_unwind(AssertUnwindSafe(|| look_at(&bytes))).is_err() {
            wrong.push(path.display().to_string());
        }
    }
    assert!(seen >= 10, "the corpus of {target} holds {seen} texts");
    assert!(wrong.is_empty(), "{target}:\n{}", wrong.join("\n"));
}

#[test]
fn the_corpus_of_policies_finds_nothing() {
    replay("policy", targets::policy::look_at);
}

#[test]
fn the_corpus_of_scripts_finds_nothing() {
    replay("script", targets::script::look_at);
}

#[test]
fn the_corpus_of_requests_finds_nothing() {
    replay("api", targets::api::look_at);
}

#[test]
fn the_corpus_of_callbacks_finds_nothing() {
    replay("callback", targets::callback::look_at);
}

#[test]
fn every_target_has_a_program_a_corpus_and_a_dictionary() {
    let files = |folder: &str, ending: &str| {
        let names = fs::read_dir(fuzz().join(folder)).unwrap().map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.trim_end_matches(ending).to_owned()
        });
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    };
    let known: Vec<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(files("corpus", ""), known);
    assert_eq!(files("fuzz_targets", ".rs"), known);
    assert_eq!(files("dictionaries", ".dict"), known);
}

#[test]
fn every_endpoint_that_takes_a_body_has_a_text_in_the_corpus() {
    let checks = spine::api::checks::Checks::new(&spine::api::sizes::Sizes::default()).unwrap();
    let heads: Vec<String> = fs::read_dir(fuzz().join("corpus/api"))
        .unwrap()
        .map(|entry| String::from_utf8_lossy(&fs::read(entry.unwrap().path()).unwrap()).into_owned())
        .map(|text| text.lines().next().unwrap_or_default().to_owned())
        .collect();
    for endpoint in checks.endpoints().iter().filter(|endpoint| endpoint.takes.is_some()) {
        let head = format!("{} {}", endpoint.method, endpoint.path);
        let has = heads.iter().any(|line| line.split('?').next() == Some(head.as_str()));
        assert!(has, "no text for `{head}`");
    }
}
