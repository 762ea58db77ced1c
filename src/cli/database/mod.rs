//! `spine database …`.

mod grant;

use super::commands;

commands! {
    /// What can be done with a database.
    DatabaseCommand {
        Grant(grant::Args),
    }
}

/// Prepare a PostgreSQL database
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  spine database grant --print --to spine_app | psql -d spine")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: DatabaseCommand,
}

impl Args {
    pub(crate) fn run(self) -> Result<std::process::ExitCode, super::CliError> {
        self.command.run()
    }
}
