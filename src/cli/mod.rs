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
mod demo;
mod error;
mod key;
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
pub use node::{Calls, Node, NodeError, NodeSettings};

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
        Tenant(tenant::Args),
        Key(key::Args),
        Audit(audit::Args),
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
