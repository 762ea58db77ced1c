//! `spine audit export`.

use std::io::{BufWriter, Stdout, Write};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::chain::rows_of_registry;
use crate::cli::CliError;
use crate::cli::operator::{Where, block_on};
use crate::engine::{self, EXPORT_FORMAT, Lines};
use crate::model::Environment;
use crate::store::{Installation, ScopeRow};

/// Write the audit as lines of JSON
///
/// Each line has a `type`: `export` once at the beginning, `scope`, `policy` (a version with its text),
/// `message`, `transition` (with its hashes and, as `given`, what it was decided by), `entry` for
/// anything else that was done, and `registry_entry` for keys, which have a chain of their own. No
/// personal data is in it. Works beside a running server, and writes nothing to it. `spine policy replay`
/// reads it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    spine audit export --data ./spine-data > audit.jsonl\n  \
    spine audit export --tenant acme --env live | gzip > acme.jsonl.gz")]
pub(crate) struct Args {
    #[command(flatten)]
    place: Where,
    /// Of this tenant alone
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Of this environment alone
    #[arg(long, value_name = "ENVIRONMENT", value_parser = environment)]
    env: Option<Environment>,
}

fn environment(word: &str) -> Result<Environment, String> {
    let known = [Environment::Test, Environment::Live];
    known.into_iter().find(|env| env.word() == word).ok_or_else(|| "write `test` or `live`".to_owned())
}

/// Lines on their way to stdout.
struct Out {
    to: BufWriter<Stdout>,
    failed: Option<std::io::Error>,
}

impl Lines for Out {
    fn line(&mut self, line: Value) -> bool {
        if let Err(error) = writeln!(self.to, "{line}") {
            self.failed = Some(error);
        }
        self.failed.is_none()
    }
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let mut out = Out { to: BufWriter::new(std::io::stdout()), failed: None };
        block_on(self.write(&mut out))?;
        match out.failed.map_or_else(|| out.to.flush(), Err) {
            // A reader that has gone away has seen what it wanted.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
            other => Ok(other.map(|()| ExitCode::SUCCESS)?),
        }
    }

    async fn write(&self, out: &mut Out) -> Result<(), CliError> {
        let beside = self.place.beside().await?;
        let scopes = beside.registry().scopes().await?;
        if let Some(name) = self.tenant.as_ref().filter(|n| scopes.iter().all(|s| s.tenant_name != **n)) {
            return Err(CliError::Refused(format!("there is no tenant called `{name}`")));
        }
        let head = json!({"type": "export", "format": EXPORT_FORMAT, "spine": env!("CARGO_PKG_VERSION")});
        if !out.line(head) {
            return Ok(());
        }
        let wanted = |scope: &&ScopeRow| {
            self.tenant.as_ref().is_none_or(|name| *name == scope.tenant_name)
                && self.env.is_none_or(|env| env == scope.environment)
        };
        for scope in scopes.iter().filter(wanted) {
            if !of_scope(beside.as_ref(), scope, out).await? {
                break;
            }
        }
        Ok(())
    }
}

/// False where nobody reads on.
async fn of_scope(beside: &dyn Installation, row: &ScopeRow, out: &mut Out) -> Result<bool, CliError> {
    let line = json!({
        "type": "scope", "tenant": row.tenant_name, "environment": row.environment,
        "timezone": row.timezone, "currency": row.currency,
    });
    if !out.line(line) {
        return Ok(false);
    }
    if let Some(scope) = beside.scope(row.id).await? {
        engine::export(&scope, out).await?;
    }
    for row in &rows_of_registry(beside.registry().as_ref(), row.id).await? {
        if out.failed.is_some() || !out.line(engine::export_line("registry_entry", engine::export_entry(row)))
        {
            return Ok(false);
        }
    }
    Ok(out.failed.is_none())
}
