//! `spine key …`.

mod create;
mod list;
mod revoke;

use super::commands;
use crate::model::Environment;

commands! {
    /// What can be done with keys.
    KeyCommand {
        Create(create::Args),
        List(list::Args),
        Revoke(revoke::Args),
    }
}

/// Make, list and revoke API keys
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  spine key create --tenant default --env test")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: KeyCommand,
}

impl Args {
    pub(crate) fn run(self) -> Result<std::process::ExitCode, super::CliError> {
        self.command.run()
    }
}

/// An environment, as a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Env {
    /// Sandbox providers, and a clock that can be moved on
    Test,
    /// The real world
    Live,
}

impl From<Env> for Environment {
    fn from(env: Env) -> Environment {
        match env {
            Env::Test => Environment::Test,
            Env::Live => Environment::Live,
        }
    }
}
