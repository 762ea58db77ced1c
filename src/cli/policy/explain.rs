//! `spine policy explain`: a policy in plain English.

use std::process::ExitCode;

use clap::ValueEnum;

use crate::cli::{CliError, terminal};
use crate::workbench::explain::explain;

use super::chosen::{Chosen, Which};

/// Say in plain English what a policy does, at most, and when everything stays silent
///
/// Exit codes: 0 explained; 1 the policy has faults; 2 could not run.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    spine policy explain policies/reminder.policy\n  \
    spine policy explain --catalog spine.yaml --policy page policies/")]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// How it is told
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A text
    Human,
    /// One object; its shape is kept
    Json,
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let (machine, catalog) = match self.which.choose(self.format == Format::Json)? {
            Chosen::Policy(machine, catalog) => (machine, catalog),
            Chosen::Faults(code) => return Ok(code),
        };
        let explained = explain(&machine, &catalog);
        match self.format {
            Format::Human => terminal::print(&explained.text)?,
            Format::Json => terminal::print_json(&explained)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
