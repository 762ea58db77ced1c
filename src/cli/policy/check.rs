//! `spine policy check`: the compiler's findings and those of the linter.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;

use crate::cli::{CliError, FOUND, terminal};
use crate::lint::report::{Report, Style, human};

use super::files::{Folder, load};

/// Check policies: what does not compile, and what is probably not meant
///
/// Exit codes: 0 nothing but notes and, without `--deny warnings`, warnings; 1 errors, or warnings
/// that are denied; 2 a path that cannot be read.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    spine policy check policies/\n  \
    echo 'whatsapp then sms after 30s unless quota' | spine policy check -\n  \
    spine policy check --format json --deny warnings policies/ > findings.json")]
pub(crate) struct Args {
    /// Files, folders (all `.policy` files below them) or `-` for the standard input
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,
    /// How findings are written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Findings that fail the check, besides errors
    #[arg(long, value_enum, value_name = "SEVERITY")]
    deny: Option<Deny>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Lines with what is meant marked in them
    Human,
    /// One object; its shape is kept
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Deny {
    /// Warnings too
    Warnings,
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let files = load(&self.paths)?;
        let found = crate::lint::check(&files, &Folder::around(&files));
        let report = Report::of(&found);
        match self.format {
            Format::Human => {
                let style = if terminal::stdout_has_colour() { Style::Colour } else { Style::Plain };
                terminal::print(&human(&found, style))?;
            }
            Format::Json => terminal::print_json(&report)?,
        }
        let denied = self.deny == Some(Deny::Warnings) && report.summary.warnings > 0;
        let fails = report.summary.errors > 0 || denied;
        Ok(if fails { ExitCode::from(FOUND) } else { ExitCode::SUCCESS })
    }
}
