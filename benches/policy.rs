//! How long a policy takes from its text to its checked form, and `spine policy check` from its start
//! to its end. Goals: under 50 µs for a small policy; under 10 ms for one file; under half a second for
//! a folder of 10,000 on two cores.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run says so and ends")]

use std::path::Path;
use std::process::{Command, Stdio};

use divan::{Bencher, black_box};
use spine::language::{NoLibrary, compile};
use spine::lint::{SourceFile, check_one};

fn main() {
    divan::main();
}

/// A policy of three stages with every kind of header.
const REMINDER: &str = include_str!("../policies/appointment_reminder.policy");

#[divan::bench]
fn compile_one_line() {
    black_box(compile(black_box("whatsapp then sms after 30s unless quota"), None, &NoLibrary));
}

#[divan::bench]
fn compile_three_stages(bencher: Bencher<'_, '_>) {
    bencher.bench(|| compile(black_box(REMINDER), None, &NoLibrary));
}

#[divan::bench]
fn compile_and_check_three_stages(bencher: Bencher<'_, '_>) {
    let bare_name = Some("appointment_reminder".to_owned());
    let file = SourceFile { path: "appointment_reminder.policy".into(), text: REMINDER.into(), bare_name };
    bencher.bench(|| check_one(black_box(&file), &NoLibrary));
}

/// The policies of the folder, over and over, each in a file and under a name of its own.
fn write_folder(folder: &Path, files: usize) {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let mut texts: Vec<(String, String)> = std::fs::read_dir(own)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "policy"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    texts.sort();
    let names: Vec<String> = texts.iter().flat_map(|(_, text)| spine::language::names(text).names).collect();
    for n in 0..files {
        let (name, text) = &texts[n % texts.len()];
        // Those of one round use one another.
        let round = n / texts.len();
        let text = renamed(text, &names, round);
        let below = folder.join(format!("{:02}", n % 100));
        std::fs::create_dir_all(&below).unwrap();
        std::fs::write(below.join(format!("{name}_{round}.policy")), text).unwrap();
    }
}

/// The text with names of its round, where policies are declared and used.
fn renamed(text: &str, names: &[String], round: usize) -> String {
    let mut text = text.to_owned();
    for name in names {
        for (word, end) in [("policy", " "), ("use", " "), ("use", "\n"), ("use", ")"), ("use", ",")] {
            text = text.replace(&format!("{word} {name}{end}"), &format!("{word} {name}_{round}{end}"));
        }
    }
    text
}

fn check(path: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spine"));
    let status = command.args(["policy", "check"]).arg(path).stdout(Stdio::null()).status().unwrap();
    assert!(status.success());
}

#[divan::bench(sample_count = 50, sample_size = 1)]
fn check_one_file_from_start_to_exit() {
    check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/appointment_reminder.policy"));
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn check_a_folder_of_10_000_files_from_start_to_exit(bencher: Bencher<'_, '_>) {
    let home = tempfile::tempdir().unwrap();
    write_folder(home.path(), 10_000);
    bencher.bench_local(|| check(home.path()));
}
