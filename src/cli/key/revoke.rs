//! `spine key revoke ID`.

use std::process::ExitCode;

use crate::cli::operator::{Where, block_on};
use crate::cli::{CliError, terminal};
use crate::model::{Id, kinds};

/// Revoke an API key; it opens nothing from the next request on
///
/// Works beside a running server.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  spine key revoke key_01J8Z6Q4X5T0V9W3R2N1M7K6HD")]
pub(crate) struct Args {
    /// The key's id, as `spine key list` shows it
    id: Id<kinds::Key>,
    #[command(flatten)]
    place: Where,
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let was_active = block_on(async { self.place.operator().await?.revoke(self.id).await })?;
        terminal::tell(&match was_active {
            true => format!("Revoked {}.", self.id),
            false => format!("{} was revoked before.", self.id),
        });
        Ok(ExitCode::SUCCESS)
    }
}
