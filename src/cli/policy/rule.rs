//! `spine policy rule`: a lint rule's page, or all of them.

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use crate::cli::table::{Format, table};
use crate::cli::{CliError, terminal};
use crate::language::words::{near, quoted};
use crate::lint::house::HouseRule;
use crate::lint::pages::{Page, pages};

use super::settings;

/// Print a lint rule's page, or list all rules
///
/// Rules of the house stand in the `require:` of the `spine.yaml` of the working folder or above.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    spine policy rule\n  \
    spine policy rule lowered-goal\n  \
    spine policy rule --format json > rules.json")]
pub(crate) struct Args {
    /// The rule; without it all are listed
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// How it is shown
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// The file whose `require:` holds, instead of the nearest `spine.yaml`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// A list of rules.
#[derive(Debug, Serialize)]
struct Rules<'a> {
    rules: &'a [Page],
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let house = settings::load(self.config.as_deref(), None)?.house;
        let mut all = pages();
        all.extend(house.iter().map(HouseRule::page));
        all.sort_by(|a, b| a.name.cmp(&b.name));
        match (&self.name, self.format) {
            (None, Format::Json) => terminal::print_json(&Rules { rules: &all })?,
            (None, Format::Human) => terminal::print(&listed(&all))?,
            (Some(name), format) => {
                let Some(page) = all.iter().find(|page| page.name == *name) else {
                    return Err(CliError::Refused(unknown(name, &all)));
                };
                match format {
                    Format::Json => terminal::print_json(page)?,
                    Format::Human => terminal::print(&page.text())?,
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn listed(all: &[Page]) -> String {
    let row = |page: &Page| vec![page.name.clone(), page.severity.word().to_owned(), page.summary.clone()];
    let rows: Vec<Vec<String>> = all.iter().map(row).collect();
    table(&["RULE", "LEVEL", "WHAT IT FINDS"], &rows)
}

fn unknown(name: &str, all: &[Page]) -> String {
    match near(name, all.iter().map(|page| page.name.as_str())) {
        Some(meant) => format!("no rule is named {}; did you mean `{meant}`?", quoted(name)),
        None => format!("no rule is named {}; `spine policy rule` lists all", quoted(name)),
    }
}
