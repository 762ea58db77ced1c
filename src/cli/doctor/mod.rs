//! `spine doctor`.

mod rows;

use std::process::ExitCode;

use serde_json::json;

use super::operator::{Where, block_on, now};
use super::table::Format;
use super::{CliError, FOUND, terminal};
use crate::store::{Finding, Severity};

/// Look an installation over: what must hold, what is late, what is short
///
/// Works beside running servers and changes nothing. Checked are, from the rows: that every message is in
/// one state and can reach its end, the chains and the replay of some messages (of all with --deep),
/// what is overdue, dead letters and open breakers; and of the place where they are: room, logs,
/// schemas, how the last server was stopped. Each finding says what is wrong, where, and what to do.
/// Exit codes: 0 nothing but notes, 1 a warning or an error, 2 it could not look.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  spine doctor\n  spine doctor --data /var/lib/spine --deep --format json"
)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Where,
    /// Look at every row, however long that takes
    #[arg(long)]
    deep: bool,
    /// How the findings are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What was looked at, and what was found.
struct Looked {
    scopes: u64,
    messages_checked: u64,
    findings: Vec<Finding>,
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let mut looked = block_on(self.look())?;
        looked.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        match self.format {
            Format::Json => terminal::print_json(&json!({
                "ok": looked.is_well(), "scopes": looked.scopes, "messages_checked": looked.messages_checked,
                "findings": looked.findings,
            }))?,
            Format::Human => terminal::print(&looked.told())?,
        }
        Ok(if looked.is_well() { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
    }

    async fn look(&self) -> Result<Looked, CliError> {
        let installation = self.place.beside().await?;
        let mut findings = installation.findings(now(), self.deep).await?;
        let scopes = installation.registry().scopes().await?;
        let mut messages_checked = 0;
        for row in &scopes {
            messages_checked += rows::look(installation.as_ref(), row, now(), self.deep, &mut findings).await;
        }
        Ok(Looked { scopes: scopes.len() as u64, messages_checked, findings })
    }
}

impl Looked {
    fn is_well(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity == Severity::Note)
    }

    fn told(&self) -> String {
        let mut out = String::new();
        for Finding { severity, name, place, message, help } in &self.findings {
            let word = match severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Note => "note",
            };
            out.push_str(&format!("{word}[{name}] {place}\n  {message}\n  help: {help}\n"));
        }
        let count = |of| self.findings.iter().filter(|finding| finding.severity == of).count();
        out.push_str(&format!(
            "{} scopes, {} messages checked: {} errors, {} warnings, {} notes\n",
            self.scopes,
            self.messages_checked,
            count(Severity::Error),
            count(Severity::Warning),
            count(Severity::Note)
        ));
        out
    }
}
