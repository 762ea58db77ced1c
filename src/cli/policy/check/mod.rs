//! `spine policy check`: the compiler's findings and those of the linter.

mod mending;
mod watch;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::cli::CliError;
use crate::lint::report::{FORMATS, Format};

/// Check policies: what does not compile, and what is probably not meant
///
/// Levels by rule and path and rules of the house stand in the `lint:` and `require:` of the `spine.yaml`
/// of the working folder or above; a comment `# spine: allow RULE -- REASON` sets a finding aside.
/// `spine policy rule NAME` prints a rule's page.
///
/// Exit codes: 0 nothing but notes and, without `--deny warnings`, warnings, and `--format sarif` once
/// it is written; 1 errors, warnings that are denied, or changes that `--fix --diff` shows; 2 could not
/// run.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    spine policy check policies/\n  \
    echo 'whatsapp then sms after 30s unless quota' | spine policy check -\n  \
    spine policy check --format json --deny warnings policies/ > findings.json\n  \
    spine policy check --fix --diff policies/\n  \
    spine policy check --fix policies/\n  \
    spine policy check --baseline baseline.json --write-baseline policies/\n  \
    spine policy check --baseline baseline.json policies/\n  \
    spine policy check --statistics policies/\n  \
    spine policy check --catalog spine.yaml --format sarif policies/ > findings.sarif\n  \
    spine policy check --watch policies/")]
pub(crate) struct Args {
    /// Files, folders (all `.policy` files below them) or `-` for the standard input
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,
    /// How findings are written
    #[arg(long, value_name = "FORMAT", default_value = "human", value_parser = formats())]
    format: &'static Format,
    /// Findings that fail the check, besides errors
    #[arg(long, value_enum, value_name = "SEVERITY")]
    deny: Option<Deny>,
    /// Make the changes that certainly mend a finding, and tell what is left
    ///
    /// Of the standard input the mended text goes to stdout and what is left to stderr.
    #[arg(long)]
    fix: bool,
    /// Show the changes instead of making them
    #[arg(long, requires = "fix")]
    diff: bool,
    /// The file whose `catalog:` says which providers there are
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
    /// The file whose `lint:` and `require:` hold, instead of the nearest `spine.yaml`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The file of findings that are known and not told again
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write what is found now into the file of the baseline
    #[arg(long, requires = "baseline", conflicts_with_all = ["fix", "watch"])]
    write_baseline: bool,
    /// Count what each rule found instead of telling it (`--format human` or `json`)
    #[arg(long, conflicts_with = "fix")]
    statistics: bool,
    /// Check again whenever a file changes, until Ctrl-C
    #[arg(long, conflicts_with = "fix")]
    watch: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Deny {
    /// Warnings too
    Warnings,
}

/// The formats by their names.
fn formats() -> impl TypedValueParser<Value = &'static Format> {
    let values = FORMATS.iter().map(|format| PossibleValue::new(format.name).help(format.help));
    // What is no name of a format was refused before.
    PossibleValuesParser::new(values.collect::<Vec<_>>())
        .map(|name| FORMATS.iter().find(|format| format.name == name).unwrap_or(&FORMATS[0]))
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        if self.statistics && !matches!(self.format.name, "human" | "json") {
            let message =
                format!("`--statistics` goes with `--format human` or `json`, not `{}`", self.format.name);
            return Err(CliError::Refused(message));
        }
        if self.diff && self.format.name != "human" {
            let message = format!(
                "`--fix --diff` shows changes, which have no `--format {}`; leave one of the two out",
                self.format.name
            );
            return Err(CliError::Refused(message));
        }
        match self.watch {
            true => self.watch(),
            false => self.once(),
        }
    }
}
