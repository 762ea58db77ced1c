//! Policies that do not compile, for the commands that work on those that do.

use std::process::ExitCode;

use crate::cli::{CliError, FOUND, terminal};
use crate::lint::FileFindings;
use crate::lint::report::{Report, Style, human};

/// Tells the faults, to programs as `spine policy check` does; gives the exit code.
pub(super) fn faulty(found: &[FileFindings], for_programs: bool) -> Result<ExitCode, CliError> {
    match for_programs {
        true => terminal::print_json(&Report::of(found))?,
        false => terminal::tell(human(found, Style::Plain).trim_end()),
    }
    Ok(ExitCode::from(FOUND))
}
