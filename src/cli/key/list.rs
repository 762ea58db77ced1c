//! `spine key list`.

use std::process::ExitCode;

use serde::Serialize;
use serde_json::json;

use super::Env;
use crate::api::endpoint::Permission;
use crate::cli::operator::{Where, block_on, now};
use crate::cli::table::{Format, table};
use crate::cli::{CliError, terminal};
use crate::model::{Environment, Id, Instant, kinds};
use crate::store::{KeyRow, ScopeRow};

/// List API keys, without the keys themselves
///
/// Works beside a running server.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  spine key list --tenant default --env test")]
pub(crate) struct Args {
    /// Of this tenant alone
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Of this environment alone
    #[arg(long, value_enum)]
    env: Option<Env>,
    #[command(flatten)]
    place: Where,
    /// How the list is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// A key, as it is shown.
#[derive(Serialize)]
struct Shown {
    id: Id<kinds::Key>,
    tenant: String,
    name: String,
    environment: Environment,
    permissions: Vec<Permission>,
    hint: String,
    created_at: Instant,
    last_used_at: Option<Instant>,
    expires_at: Option<Instant>,
    revoked_at: Option<Instant>,
}

impl Shown {
    fn of(scope: &ScopeRow, row: KeyRow) -> Shown {
        Shown {
            id: row.id,
            tenant: scope.tenant_name.clone(),
            name: row.name,
            environment: row.environment,
            permissions: Permission::of_bits(row.permissions).collect(),
            hint: row.hint,
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
        }
    }

    fn state(&self, now: Instant) -> &'static str {
        match (self.revoked_at, self.expires_at) {
            (Some(_), _) => "revoked",
            (None, Some(at)) if at <= now => "expired",
            _ => "active",
        }
    }

    fn row(self) -> Vec<String> {
        let permissions: Vec<&str> = self.permissions.iter().map(|p| p.word()).collect();
        let state = self.state(now()).to_owned();
        vec![
            self.id.to_string(),
            self.tenant,
            self.environment.word().to_owned(),
            self.name,
            permissions.join(","),
            format!("…{}", self.hint),
            self.created_at.to_string(),
            self.last_used_at.map_or_else(|| "never".to_owned(), |at| at.to_string()),
            state,
        ]
    }
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let shown = block_on(self.keys())?;
        match self.format {
            Format::Json => terminal::print_json(&json!({"data": shown}))?,
            Format::Human => {
                let heads =
                    ["ID", "TENANT", "ENV", "NAME", "PERMISSIONS", "KEY", "CREATED", "LAST USED", "STATE"];
                let rows: Vec<Vec<String>> = shown.into_iter().map(Shown::row).collect();
                terminal::print(&table(&heads, &rows))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn keys(&self) -> Result<Vec<Shown>, CliError> {
        let operator = self.place.operator().await?;
        if let Some(tenant) = &self.tenant {
            // A name that nobody has is told, and not taken for a tenant without keys.
            operator.scope(tenant, Environment::Test).await?;
        }
        let mut shown = Vec::new();
        for scope in operator.registry.scopes().await? {
            let is_asked = self.tenant.as_ref().is_none_or(|name| *name == scope.tenant_name)
                && self.env.is_none_or(|env| Environment::from(env) == scope.environment);
            if is_asked {
                let keys = operator.keys(scope.id).await?;
                shown.extend(keys.into_iter().map(|row| Shown::of(&scope, row)));
            }
        }
        Ok(shown)
    }
}
