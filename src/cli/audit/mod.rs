//! `spine audit …`.

mod chain;
mod export;
mod prune;
mod verify;

use super::commands;

commands! {
    /// What can be done with the audit.
    AuditCommand {
        Verify(verify::Args),
        Export(export::Args),
        Prune(prune::Args),
    }
}

/// Check the audit, hand it over, and remove its beginning
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  spine audit verify --data ./spine-data")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: AuditCommand,
}

impl Args {
    pub(crate) fn run(self) -> Result<std::process::ExitCode, super::CliError> {
        self.command.run()
    }
}
