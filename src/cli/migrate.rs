//! `spine migrate`.

use std::process::ExitCode;

use serde_json::json;

use super::operator::{Where, block_on};
use super::table::{Format, table};
use super::{CliError, terminal};
use crate::store::{SchemaStep, postgres, sqlite};

/// Bring the schema to this version of spine, or show what that would do
///
/// The server does the same when it starts. A schema that is newer, half-migrated or not spine's is
/// refused, and left as it is.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  spine migrate --plan\n  \
    spine migrate --database-url postgres://spine_app@db.example/spine")]
pub(crate) struct Args {
    #[command(flatten)]
    place: Where,
    /// Show the steps, and take none
    #[arg(long)]
    plan: bool,
    /// How the steps are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let (before, after) = block_on(self.work())?;
        // What is told of a step is what was found, and what was done about it.
        let state = |step: &SchemaStep| match (step.applied, self.plan) {
            (true, _) => "there",
            (false, true) => "to be taken",
            (false, false) => "taken",
        };
        match self.format {
            Format::Json => {
                let steps: Vec<_> = before
                    .iter()
                    .map(|s| json!({"part": s.part, "version": s.version, "state": state(s)}))
                    .collect();
                let complete = after.as_ref().unwrap_or(&before).iter().all(|step| step.applied);
                terminal::print_json(&json!({"steps": steps, "complete": complete}))?;
            }
            Format::Human => {
                let rows: Vec<Vec<String>> = before
                    .iter()
                    .map(|s| vec![s.part.clone(), s.version.to_string(), state(s).to_owned()])
                    .collect();
                terminal::print(&table(&["PART", "STEP", "STATE"], &rows))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What was there before, and after the work where some is done.
    async fn work(&self) -> Result<(Vec<SchemaStep>, Option<Vec<SchemaStep>>), CliError> {
        let config = self.place.settings()?;
        match &config.database_url {
            Some(url) => {
                let before = postgres::plan(url).await?;
                if self.plan {
                    return Ok((before, None));
                }
                postgres::migrate(url).await?;
                Ok((before, Some(postgres::plan(url).await?)))
            }
            None => {
                self.place.require_folder(&config)?;
                let before = sqlite::plan(&config.data).await?;
                if self.plan {
                    return Ok((before, None));
                }
                sqlite::migrate(&config.data).await?;
                Ok((before, Some(sqlite::plan(&config.data).await?)))
            }
        }
    }
}
