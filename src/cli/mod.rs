//! The command line.
//!
//! **Knows** arguments, files, the terminal, exit codes. **Does not know** how anything is done: a
//! command asks the room that does.
//!
//! A command is one file with its arguments and its `run`, and one line in a [`commands`] list.
//! stdout is for data, stderr for the rest. Exit codes: 0 clean, 1 findings or a failed check, 2
//! could not run.

mod audit;
mod completions;
mod config;
mod database;
mod demo;
mod doctor;
mod error;
mod key;
mod lsp;
mod migrate;
mod node;
mod openapi;
mod operator;
mod policy;
mod serve;
mod table;
mod tenant;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

pub use config::Fault as ConfigFault;
pub use error::CliError;
pub use node::{Calls, DatabaseSettings, Node, NodeError, NodeSettings};

/// Declares commands: the enum that clap reads, and the call of each `run`.
macro_rules! commands {
    ($(#[$meta:meta])* $name:ident { $($variant:ident($args:path),)+ }) => {
        $(#[$meta])*
        #[derive(Debug, clap::Subcommand)]
        pub(crate) enum $name { $($variant($args),)+ }

        impl $name {
            /// Runs the command that was given.
            pub(crate) fn run(self) -> Result<std::process::ExitCode, $crate::cli::CliError> {
                match self { $($name::$variant(args) => args.run(),)+ }
            }
        }
    };
}
use commands;

commands! {
    /// What `spine` can do.
    Command {
        Demo(demo::Args),
        Serve(serve::Args),
        Policy(policy::Args),
        Lsp(lsp::Args),
        Tenant(tenant::Args),
        Key(key::Args),
        Audit(audit::Args),
        Doctor(doctor::Args),
        Migrate(migrate::Args),
        Database(database::Args),
        Openapi(openapi::Args),
        Config(config::Args),
        Completions(completions::Args),
    }
}

/// A notification spine: policies that tenants write, run durably against real providers.
#[derive(Debug, Parser)]
#[command(name = "spine", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Example:\n  spine policy check policies/")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Exit code where something was found or a check failed.
const FOUND: u8 = 1;
/// Exit code where the command could not run.
const COULD_NOT_RUN: u8 = 2;

/// Runs the program with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    match Cli::parse().command.run() {
        Ok(code) => code,
        Err(error) => {
            terminal::tell(&format!("spine: {error}"));
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = env!("CARGO_MANIFEST_DIR");

    /// The lines of the shell blocks of a page, those that go on joined.
    fn shell_lines(page: &str) -> Vec<String> {
        let text = std::fs::read_to_string(format!("{ROOT}/{page}")).unwrap().replace("\\\n", " ");
        let mut lines = Vec::new();
        let mut inside = false;
        for line in text.lines() {
            match line.trim() {
                "```sh" => inside = true,
                "```" => inside = false,
                line if inside => lines.push(line.to_owned()),
                _ => {}
            }
        }
        lines
    }

    /// The words with which a line calls `spine`, if it does.
    fn call(line: &str) -> Option<Vec<String>> {
        let line = line.split('#').next()?;
        let line =
            line.split([" < ", " > "].iter().find(|sign| line.contains(**sign)).unwrap_or(&"#")).next()?;
        let line = line.split_once("$(").map_or(line, |(_, inner)| inner.trim_end_matches(')'));
        let rest =
            line.trim().strip_prefix("spine ").or_else(|| line.trim().strip_prefix("cargo run -- "))?;
        Some(rest.split_whitespace().map(|word| word.trim_matches('\'').to_owned()).collect())
    }

    #[test]
    fn the_commands_of_the_readme_are_there() {
        let mut calls = 0;
        for page in ["README.md", "CONTRIBUTING.md", "docs/operations.md", "docs/linting.md"] {
            for line in shell_lines(page) {
                if let Some(words) = call(&line) {
                    calls += 1;
                    let words = ["spine".to_owned()].into_iter().chain(words);
                    assert!(Cli::try_parse_from(words).is_ok(), "{page}: {line}");
                }
                for word in line.split_whitespace().filter(|word| word.starts_with("./")) {
                    assert!(std::path::Path::new(ROOT).join(word).exists(), "{page}: {word}");
                }
            }
        }
        assert!(calls >= 6, "only {calls} calls were seen");
    }

    #[test]
    fn the_paths_of_the_readme_are_in_the_document() {
        let document = crate::api::openapi_text().unwrap();
        let curls: Vec<String> =
            shell_lines("README.md").into_iter().filter(|line| line.starts_with("curl ")).collect();
        assert_eq!(curls.len(), 2);
        for curl in curls {
            let path = curl.split_once(":8080").and_then(|(_, rest)| rest.split_whitespace().next()).unwrap();
            assert!(document.contains(&format!("\"{path}\": {{")), "{path}");
            assert!(curl.contains("Idempotency-Key: "), "{curl}");
        }
    }
}
