//! `spine policy graph`: a policy's state machine.

use std::process::ExitCode;

use clap::ValueEnum;

use crate::cli::{CliError, terminal};
use crate::machine::draw;

use super::chosen::{Chosen, Which};

/// Draw a policy's state machine
///
/// Exit codes: 0 drawn; 1 the policy has faults; 2 could not run.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    spine policy graph policies/reminder.policy | dot -Tsvg > reminder.svg\n  \
    spine policy graph --format mermaid policies/reminder.policy")]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// How it is drawn
    #[arg(long, value_enum, default_value_t = Format::Dot)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For Graphviz
    Dot,
    /// For Mermaid, as in Markdown files
    Mermaid,
    /// One object of nodes and edges; its shape is kept
    Json,
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let machine = match self.which.choose()? {
            Chosen::Policy(machine, _) => machine,
            Chosen::Faults(code) => return Ok(code),
        };
        let drawing = draw(&machine);
        match self.format {
            Format::Dot => terminal::print(&drawing.to_dot(machine.name()))?,
            Format::Mermaid => terminal::print(&drawing.to_mermaid())?,
            Format::Json => terminal::print_json(&drawing)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
