//! `spine audit prune`.

use std::process::ExitCode;

use serde::Serialize;
use serde_json::json;

use crate::cli::operator::{Operator, Where, block_on, now};
use crate::cli::table::Format;
use crate::cli::{CliError, terminal};
use crate::model::{Environment, Instant, Span};

/// Remove the beginning of the audit
///
/// The server never removes any of it; this is the operator's to do. What goes is older than --before (or
/// than `retention.audit` of the settings): entries of the audit from its beginning on, and the transitions
/// of messages that were dropped. The hash of the last entry that went is kept, and the chain begins
/// there: `spine audit verify` checks on from it, and says so. Works beside a running server.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  spine audit prune --before 730d\n  spine audit prune --before 2026-01-01T00:00:00Z --tenant acme"
)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Where,
    /// An age, such as `730d`, or a time: what is older goes
    #[arg(long, value_name = "AGE|TIME")]
    before: Option<Before>,
    /// Of this tenant alone
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// How what was removed is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// From when on something stays.
#[derive(Debug, Clone, Copy)]
enum Before {
    Age(Span),
    Time(Instant),
}

impl std::str::FromStr for Before {
    type Err = String;
    fn from_str(text: &str) -> Result<Before, String> {
        let age = text.parse::<Span>();
        match (text.parse::<Instant>(), age) {
            (Ok(time), _) => Ok(Before::Time(time)),
            (_, Ok(age)) => Ok(Before::Age(age)),
            (Err(_), Err(error)) => {
                Err(format!("{error}; write an age such as `730d`, or a time such as `2026-01-05T12:00:00Z`"))
            }
        }
    }
}

/// What went in one scope.
#[derive(Serialize)]
struct Went {
    tenant: String,
    environment: Environment,
    before: Instant,
    entries: u64,
    messages: u64,
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let went = block_on(self.prune())?;
        match self.format {
            Format::Json => terminal::print_json(&json!({ "scopes": went }))?,
            Format::Human => terminal::print(&went.iter().map(told).collect::<String>())?,
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn prune(&self) -> Result<Vec<Went>, CliError> {
        let config = self.place.settings()?;
        let before = self.before.or(config.retention.audit.span().map(Before::Age)).ok_or_else(|| {
            CliError::Refused(
                "nothing is removed: the setting `retention.audit` is `never`; say what goes with --before"
                    .to_owned(),
            )
        })?;
        let beside = self.place.beside().await?;
        let operator = Operator::of(beside.registry());
        let scopes = operator.registry.scopes().await?;
        if let Some(name) = self.tenant.as_ref().filter(|n| scopes.iter().all(|s| s.tenant_name != **n)) {
            return Err(CliError::Refused(format!("there is no tenant called `{name}`")));
        }
        let mut went = Vec::new();
        for row in scopes.iter().filter(|s| self.tenant.as_ref().is_none_or(|name| *name == s.tenant_name)) {
            let Some(scope) = beside.scope(row.id).await? else { continue };
            let before = match before {
                Before::Time(time) => time,
                // A test scope's clock may be ahead.
                Before::Age(age) => {
                    let ahead = scope.clock().await?.advanced_by_ms;
                    Instant::from_ms(now().ms().saturating_add(ahead).saturating_sub(age.ms()))
                }
            };
            drop(scope);
            let removed = beside.prune_audit(row.id, before).await?;
            if removed.entries > 0 || removed.messages > 0 {
                operator.note(Some(row.id), "audit.pruned", before.to_string()).await?;
            }
            went.push(Went {
                tenant: row.tenant_name.clone(),
                environment: row.environment,
                before,
                entries: removed.entries,
                messages: removed.messages,
            });
        }
        Ok(went)
    }
}

fn told(went: &Went) -> String {
    let Went { tenant, environment, before, entries, messages } = went;
    format!(
        "{tenant} ({}): removed {entries} entries, and the transitions of {messages} dropped messages, older \
         than {before}\n",
        environment.word()
    )
}
