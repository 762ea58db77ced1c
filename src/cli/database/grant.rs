//! `spine database grant`.

use std::process::ExitCode;

use crate::cli::operator::block_on;
use crate::cli::{CliError, terminal};
use crate::store::postgres::{self, LoginFor};

/// Make the roles and the schema for a login role that may not make them itself
///
/// Run by an administrator, once. The server needs nothing further then: neither CREATEROLE nor CREATE
/// on the database. A login role with both makes everything itself at the first start. With `--serve-only` the
/// schema's owner stays out of the server's hands: another role, granted without it, runs `spine migrate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  spine database grant --print --to spine_app | psql -d spine\n  \
    spine database grant --to spine_app --database-url postgres://postgres@db.example/spine")]
pub(crate) struct Args {
    /// The role with which the server logs in
    #[arg(long, value_name = "ROLE")]
    to: String,
    /// Only what serving takes: no part in the role that owns the schema
    #[arg(long)]
    serve_only: bool,
    /// Print the statements, and run none
    #[arg(long)]
    print: bool,
    /// The database, as its administrator: `postgres://…`
    #[arg(
        long,
        value_name = "URL",
        env = "SPINE_DATABASE_URL",
        hide_env_values = true,
        required_unless_present = "print"
    )]
    database_url: Option<String>,
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let login_for = if self.serve_only { LoginFor::Serving } else { LoginFor::Everything };
        match self.database_url.filter(|_| !self.print) {
            None => terminal::print(&postgres::grant_sql(&self.to, login_for))?,
            Some(url) => {
                block_on(async { Ok(postgres::grant(&url, &self.to, login_for).await?) })?;
                let roles = if self.serve_only { "" } else { "spine_owner, " };
                terminal::tell(&format!("`{}` can work as {roles}spine_engine and spine_api", self.to));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
