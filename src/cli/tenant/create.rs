//! `spine tenant create NAME`.

use std::process::ExitCode;

use super::Shown;
use crate::cli::operator::{Where, block_on};
use crate::cli::table::Format;
use crate::cli::{CliError, terminal};
use crate::model::{Currency, ZoneTable};

/// Make a tenant, with a test and a live environment that share nothing
///
/// Works beside a running server.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  spine tenant create acme --timezone Europe/Vienna --currency EUR")]
pub(crate) struct Args {
    /// What to call it
    name: String,
    /// The zone of contacts without one, an IANA name
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = zone)]
    timezone: String,
    /// The one currency of its prices, three letters
    #[arg(long, value_name = "CODE", default_value = "EUR")]
    currency: Currency,
    #[command(flatten)]
    place: Where,
    /// How the tenant is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

fn zone(text: &str) -> Result<String, String> {
    match ZoneTable.get(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err("no such zone; write an IANA name, such as `Europe/Vienna`".to_owned()),
    }
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let tenant = block_on(async {
            let operator = self.place.operator_of_new().await?;
            operator.make_tenant(&self.name, &self.timezone, self.currency).await
        })?;
        match self.format {
            Format::Json => terminal::print_json(&Shown::from(tenant))?,
            Format::Human => {
                terminal::print(&format!("{}\n", tenant.id))?;
                terminal::tell(&format!(
                    "Made the tenant `{name}`. For a key of it: spine key create --tenant '{name}' --env test",
                    name = tenant.name
                ));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
