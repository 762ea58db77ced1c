//! `spine database grant`.

use std::process::ExitCode;

use crate::cli::operator::block_on;
use crate::cli::{CliError, terminal};
use crate::store::postgres;

/// Make the roles and the schema for a login role that may not make them itself
///
/// Run by an administrator, once. The server needs nothing further then: neither CREATEROLE nor CREATE
/// on the database. A login role with both makes everything itself at the first start.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  spine database grant --print --to spine_app | psql -d spine\n  \
    spine database grant --to spine_app --database-url postgres://postgres@db.example/spine")]
pub(crate) struct Args {
    /// The role with which the server logs in
    #[arg(long, value_name = "ROLE")]
    to: String,
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
        match self.database_url.filter(|_| !self.print) {
            None => terminal::print(&postgres::grant_sql(&self.to))?,
            Some(url) => {
                block_on(async { Ok(postgres::grant(&url, &self.to).await?) })?;
                terminal::tell(&format!("`{}` can work as spine_owner, spine_engine and spine_api", self.to));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
