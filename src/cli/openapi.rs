//! `spine openapi`.

use std::process::ExitCode;

use super::{CliError, terminal};

/// Print the OpenAPI document of the REST surface
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  spine openapi > openapi.json")]
pub(crate) struct Args {}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let text = crate::api::openapi_text().map_err(CliError::Refused)?;
        terminal::print(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}
