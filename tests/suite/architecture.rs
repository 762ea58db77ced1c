//! The sources themselves: which room imports which, and what the core must not name.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The floors of `ARCHITECTURE.md`. A room imports rooms on lower floors alone.
const FLOORS: &[(&str, u32)] = &[
    ("model", 1),
    ("language", 2),
    ("machine", 3),
    ("lint", 4),
    ("store", 4),
    ("providers", 4),
    ("engine", 5),
    ("webhooks", 5),
    ("workbench", 5),
    ("lsp", 6),
    ("api", 6),
    ("cli", 7),
];

/// What a room could import by its floor, and says that it does not know.
const NOT_KNOWN: &[(&str, &[&str])] = &[
    ("store", &["language", "machine"]),
    ("providers", &["machine"]),
    ("webhooks", &["language", "machine", "lint"]),
    ("workbench", &["store", "providers"]),
    ("api", &["providers"]),
];

/// What the pure core does not name: the shell's libraries, clocks, randomness, I/O.
const NOT_IN_THE_CORE: &[&str] = &[
    "tokio",
    "sqlx",
    "axum",
    "reqwest",
    "hyper",
    "std::time",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
    "rand::",
    "getrandom",
    "ring::",
];

fn sources(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            out.push(path);
        }
    }
}

/// The files of a room, each with its text without comments.
fn room(name: &str) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(name), &mut files);
    let plain = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.collect::<Vec<_>>().join("\n")
    };
    files.into_iter().map(|path| (plain(&path), path)).map(|(text, path)| (path, text)).collect()
}

/// Whether a text names a path, not merely a longer word that ends in it.
fn names(text: &str, path: &str) -> bool {
    text.match_indices(path)
        .any(|(at, _)| !text[..at].ends_with(|before: char| before.is_ascii_alphanumeric() || before == '_'))
}

/// The rooms that a text imports: what follows `crate::`.
fn imports(text: &str) -> Vec<&str> {
    text.match_indices("crate::")
        .filter_map(|(at, found)| {
            let rest = &text[at + found.len()..];
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            Some(&rest[..end]).filter(|name| !name.is_empty())
        })
        .collect()
}

#[test]
fn a_room_imports_lower_floors_alone() {
    let floors: BTreeMap<_, _> = FLOORS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (name, floor) in FLOORS {
        for (path, text) in room(name) {
            assert!(
                !text.contains("crate::{"),
                "{}: one import a line, so that rooms are seen",
                path.display()
            );
            for import in imports(&text).into_iter().filter(|import| import != name) {
                let unknown = NOT_KNOWN.iter().any(|(room, not)| room == name && not.contains(&import));
                match floors.get(import) {
                    Some(other) if other < floor && !unknown => {}
                    Some(_) => wrong.push(format!("{}: `{name}` imports `{import}`", path.display())),
                    None => {}
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_folder_of_the_sources_is_a_room_with_a_floor_and_says_what_it_does_not_know() {
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_dir() {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(FLOORS.iter().any(|(room, _)| *room == name), "`{name}` is on no floor");
        let head = fs::read_to_string(path.join("mod.rs")).unwrap();
        let head: String = head.lines().take_while(|line| line.starts_with("//!")).collect();
        let folded = head.to_lowercase();
        assert!(
            folded.contains("knows") && folded.contains("not know"),
            "`{name}/mod.rs` does not say what it knows"
        );
    }
}

#[test]
fn the_core_names_no_shell_no_clock_and_no_randomness() {
    let mut wrong = Vec::new();
    for name in ["language", "machine", "workbench"] {
        for (path, text) in room(name) {
            let named = NOT_IN_THE_CORE.iter().filter(|word| names(&text, word));
            wrong.extend(named.map(|word| format!("{} names `{word}`", path.display())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_store_holds_sql_and_only_the_surface_and_its_callers_hold_http_servers() {
    let mut wrong = Vec::new();
    for (name, _) in FLOORS {
        for (path, text) in room(name) {
            if *name != "store" && text.contains("sqlx::") {
                wrong.push(format!("{} names `sqlx`", path.display()));
            }
            if !matches!(*name, "api" | "cli") && text.contains("axum::") {
                wrong.push(format!("{} names `axum`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
