//! `spine tenant list`.

use std::process::ExitCode;

use serde_json::json;

use super::Shown;
use crate::cli::operator::{Where, block_on};
use crate::cli::table::{Format, table};
use crate::cli::{CliError, terminal};

/// List all tenants
///
/// Works beside a running server.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  spine tenant list --data ./spine-data")]
pub(crate) struct Args {
    #[command(flatten)]
    place: Where,
    /// How the list is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let tenants = block_on(async { Ok(self.place.operator().await?.registry.tenants().await?) })?;
        let shown = tenants.into_iter().map(Shown::from);
        match self.format {
            Format::Json => terminal::print_json(&json!({"data": shown.collect::<Vec<_>>()}))?,
            Format::Human => {
                let rows: Vec<Vec<String>> = shown
                    .map(|t| {
                        vec![
                            t.id.to_string(),
                            t.name,
                            t.timezone,
                            t.currency.to_string(),
                            t.created_at.to_string(),
                        ]
                    })
                    .collect();
                terminal::print(&table(&["ID", "NAME", "TIMEZONE", "CURRENCY", "CREATED"], &rows))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
