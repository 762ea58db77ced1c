//! The built program with the client libraries of editors, and what `editors/` holds.
//!
//! What they need is installed once into `target/tmp/editors`, by lock files with hashes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const SPINE: &str = env!("CARGO_BIN_EXE_spine");

fn installed() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("editors")
}

/// Runs a command, which must succeed; gives what it prints.
fn run(command: &mut Command) -> String {
    let shown = format!("{command:?}");
    let output = command.output().unwrap_or_else(|error| {
        panic!("{shown}: {error}; install it: apt-get install nodejs npm python3 python3-venv")
    });
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{shown}:\n{out}\n{}", String::from_utf8_lossy(&output.stderr));
    out
}

/// Runs `install` in a folder of its own, unless it was done for the same lock file before.
fn once(name: &str, lock: &Path, install: impl FnOnce(&Path)) -> PathBuf {
    let folder = installed().join(name);
    let (done, wanted) = (folder.join("installed"), fs::read(lock).unwrap());
    if fs::read(&done).is_ok_and(|found| found == wanted) {
        return folder;
    }
    // What is left of another lock file is no help.
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    install(&folder);
    fs::write(done, wanted).unwrap();
    folder
}

fn npm_ci(folder: &Path) {
    let options = ["ci", "--ignore-scripts", "--omit=optional", "--omit=dev", "--no-audit", "--no-fund"];
    run(Command::new("npm").args(options).current_dir(folder));
}

/// The folder of the JavaScript libraries.
fn modules() -> &'static Path {
    static MODULES: OnceLock<PathBuf> = OnceLock::new();
    MODULES.get_or_init(|| {
        let from = Path::new(ROOT).join("tests/editors");
        once("node", &from.join("package-lock.json"), |folder| {
            for file in ["package.json", "package-lock.json"] {
                fs::copy(from.join(file), folder.join(file)).unwrap();
            }
            npm_ci(folder);
        })
    })
}

fn script(name: &str) -> PathBuf {
    Path::new(ROOT).join("tests/editors").join(name)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            if entry.file_name() != "node_modules" {
                copy(&entry.path(), &target);
            }
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_session_with_the_libraries_of_vs_code() {
    let said = run(Command::new("node").arg(script("session.mjs")).arg(SPINE).arg(modules()));
    assert_eq!(said, "session: ok\n");
}

#[test]
fn a_session_with_the_client_of_pygls() {
    let requirements = script("requirements.txt");
    let folder = once("python", &requirements, |folder| {
        run(Command::new("python3").args(["-m", "venv"]).arg(folder));
        let options = ["install", "--quiet", "--require-hashes", "--no-deps", "--only-binary", ":all:", "-r"];
        run(Command::new(folder.join("bin/pip")).args(options).arg(&requirements));
    });
    let said = run(Command::new(folder.join("bin/python")).arg(script("session.py")).arg(SPINE));
    assert_eq!(said, "session: ok\n");
}

#[test]
fn the_grammar_colours_every_word_as_the_server_does() {
    let grammar = Path::new(ROOT).join("editors/vscode/syntaxes/spine-policy.tmLanguage.json");
    let mut command = Command::new("node");
    command.arg(script("grammar.mjs")).arg(SPINE).arg(modules()).arg(grammar);
    let said = run(command.current_dir(ROOT).args(["policies", "tests/cases"]));
    assert!(said.starts_with("grammar: ok"), "{said}");
}

#[test]
fn the_vs_code_extension_is_packaged_and_starts_the_server() {
    let from = Path::new(ROOT).join("editors/vscode");
    let folder = once("vscode", &from.join("package-lock.json"), |folder| {
        copy(&from, folder);
        npm_ci(folder);
    });
    copy(&from, &folder);
    let mut command = Command::new("node");
    command.arg(script("package.mjs")).arg(modules()).arg(&folder).arg(installed().join("spine-policy.vsix"));
    let said = run(&mut command);
    assert!(said.contains("package: ok"), "{said}");
}

#[test]
fn the_set_ups_of_other_editors_start_the_server_for_policies() {
    let read = |path: &str| fs::read_to_string(Path::new(ROOT).join("editors").join(path)).unwrap();
    for path in
        ["neovim/README.md", "neovim/spine.lua", "helix/README.md", "helix/languages.toml", "zed/README.md"]
    {
        let text = read(path);
        assert!(text.contains("spine") && text.contains("lsp"), "{path}");
    }
    assert!(read("zed/languages/spine-policy/config.toml").contains("path_suffixes = [\"policy\"]"));
    assert!(read("zed/src/lib.rs").contains("\"lsp\""));
}
