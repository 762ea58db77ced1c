//! `spine tenant …`.

mod create;
mod list;

use serde::Serialize;

use super::commands;
use crate::model::{Currency, Id, Instant, kinds};
use crate::store::TenantRow;

commands! {
    /// What can be done with tenants.
    TenantCommand {
        Create(create::Args),
        List(list::Args),
    }
}

/// Make and list tenants
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  spine tenant create acme --timezone Europe/Vienna --currency EUR")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: TenantCommand,
}

impl Args {
    pub(crate) fn run(self) -> Result<std::process::ExitCode, super::CliError> {
        self.command.run()
    }
}

/// A tenant, as it is shown.
#[derive(Serialize)]
struct Shown {
    id: Id<kinds::Tenant>,
    name: String,
    timezone: String,
    currency: Currency,
    created_at: Instant,
}

impl From<TenantRow> for Shown {
    fn from(row: TenantRow) -> Shown {
        Shown {
            id: row.id,
            name: row.name,
            timezone: row.timezone,
            currency: row.currency,
            created_at: row.created_at,
        }
    }
}
