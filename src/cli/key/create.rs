//! `spine key create`.

use std::process::ExitCode;

use super::Env;
use crate::api::endpoint::Permission;
use crate::cli::operator::{Where, block_on};
use crate::cli::{CliError, terminal};

/// Make an API key; the key is the only thing on stdout, and shown this once
///
/// Works beside a running server, which honours the key at the next request.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  export SPINE_KEY=$(spine key create --tenant default --env test)\n  \
    spine key create --tenant acme --env live --permissions send --name checkout")]
pub(crate) struct Args {
    /// Whose key
    #[arg(long, value_name = "NAME")]
    tenant: String,
    /// Which environment it opens
    #[arg(long, value_enum)]
    env: Env,
    /// What it may be used for; none implies another
    #[arg(long, value_enum, value_delimiter = ',', default_value = "send,read,manage")]
    permissions: Vec<Allowed>,
    /// What to call it
    #[arg(long, default_value = "cli")]
    name: String,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Allowed {
    /// Messages, contacts, consent, the test clock, test replies
    Send,
    /// Every GET but that of keys
    Read,
    /// All other changes, and keys
    Manage,
}

impl From<Allowed> for Permission {
    fn from(allowed: Allowed) -> Permission {
        match allowed {
            Allowed::Send => Permission::Send,
            Allowed::Read => Permission::Read,
            Allowed::Manage => Permission::Manage,
        }
    }
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let permissions: Vec<Permission> = self.permissions.into_iter().map(Permission::from).collect();
        let made = block_on(async {
            let operator = self.place.operator().await?;
            operator.make_key(&self.tenant, self.env.into(), &self.name, &permissions).await
        })?;
        terminal::print(&format!("{}\n", made.key.reveal()))?;
        terminal::tell(&format!("Made the key {}. It is shown this once.", made.row.id));
        Ok(ExitCode::SUCCESS)
    }
}
