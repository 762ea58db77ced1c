//! `spine audit verify`.

use std::process::ExitCode;
use std::sync::Arc;

use serde::Serialize;
use serde_json::json;

use super::chain::{Chain, of_registry, of_scope};
use crate::cli::operator::{Where, block_on};
use crate::cli::table::Format;
use crate::cli::{CliError, FOUND, terminal};
use crate::engine;
use crate::engine::journal::hex;
use crate::model::{Environment, Instant, ScopeId};
use crate::store::{Installation, Pruned, ScopeRow};

/// The chain of what belongs to no scope.
const INSTALLATION: ScopeId = ScopeId(0);

/// Check the audit: recompute every chain of hashes, and replay every message
///
/// Each change of state is hashed with the one before, and what decided it is on record: the same
/// step is taken again and must give the same transitions and the same state. Works beside a running
/// server, and writes nothing. Exit codes: 0 all is right, 1 something is not, 2 it could not be read.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  spine audit verify\n  spine audit verify --tenant acme --format json")]
pub(crate) struct Args {
    #[command(flatten)]
    place: Where,
    /// Of this tenant alone
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// How what was found is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What was found in one scope, or in the installation's own audit.
#[derive(Serialize)]
struct Found {
    tenant: Option<String>,
    environment: Option<Environment>,
    messages: u64,
    transitions: u64,
    not_replayed: u64,
    /// Messages that were dropped, whose chains were checked.
    dropped: u64,
    entries: u64,
    /// Where the chain of the other entries begins, if some were removed.
    entries_begin: Option<Begins>,
    /// What was removed of dropped messages' transitions.
    dropped_removed: Option<Begins>,
    faults: Vec<Fault>,
}

/// What the operator removed.
#[derive(Serialize)]
struct Begins {
    /// How many entries, or messages.
    removed: u64,
    /// Everything that was removed is older.
    before: Instant,
    /// The hash on which the rest hangs.
    hash: String,
}

impl Begins {
    fn of(pruned: Pruned) -> Begins {
        Begins { removed: pruned.entries, before: pruned.before, hash: hex(&pruned.hash) }
    }
}

/// The first row of a chain that is wrong.
#[derive(Serialize)]
struct Fault {
    message_id: Option<String>,
    seq: Option<u64>,
    audit_id: Option<String>,
    what: String,
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let found = block_on(self.look())?;
        let ok = found.iter().all(|scope| scope.faults.is_empty());
        match self.format {
            Format::Json => {
                let sum = |of: fn(&Found) -> u64| found.iter().map(of).sum::<u64>();
                let (messages, transitions) = (sum(|f| f.messages), sum(|f| f.transitions));
                let found = json!({
                    "ok": ok, "messages": messages, "transitions": transitions, "scopes": found,
                });
                terminal::print_json(&found)?;
            }
            Format::Human => terminal::print(&found.iter().map(told).collect::<String>())?,
        }
        Ok(if ok { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
    }

    async fn look(&self) -> Result<Vec<Found>, CliError> {
        // Tells where there is no such folder, and makes none.
        let beside = self.place.beside().await?;
        let registry = beside.registry();
        let scopes = registry.scopes().await?;
        if let Some(name) = self.tenant.as_ref().filter(|n| scopes.iter().all(|s| s.tenant_name != **n)) {
            return Err(CliError::Refused(format!("there is no tenant called `{name}`")));
        }
        let mut found = Vec::new();
        if self.tenant.is_none() {
            let mut own = Found::of(None);
            own.add_chain(of_registry(registry.as_ref(), INSTALLATION).await?);
            found.push(own);
        }
        for scope in scopes.iter().filter(|s| self.tenant.as_ref().is_none_or(|name| *name == s.tenant_name))
        {
            found.push(look_at(beside.as_ref(), scope).await?);
        }
        Ok(found)
    }
}

async fn look_at(beside: &dyn Installation, row: &ScopeRow) -> Result<Found, CliError> {
    let mut found = Found::of(Some(row));
    found.add_chain(of_registry(beside.registry().as_ref(), row.id).await?);
    let Some(scope) = beside.scope(row.id).await? else { return Ok(found) };
    found.add_chain(of_scope(&scope).await?);
    let verified = engine::verify(&Arc::clone(&scope)).await?;
    found.messages = verified.messages;
    found.transitions = verified.transitions;
    found.not_replayed = verified.not_replayed;
    found.dropped = verified.dropped;
    found.dropped_removed = scope.pruned().await?.journals.map(Begins::of);
    found.faults.extend(verified.faults.into_iter().map(|fault| Fault {
        message_id: fault.message.map(|id| id.to_string()),
        seq: Some(fault.seq),
        audit_id: None,
        what: fault.what,
    }));
    Ok(found)
}

impl Found {
    fn of(scope: Option<&ScopeRow>) -> Found {
        Found {
            tenant: scope.map(|scope| scope.tenant_name.clone()),
            environment: scope.map(|scope| scope.environment),
            messages: 0,
            transitions: 0,
            not_replayed: 0,
            dropped: 0,
            entries: 0,
            entries_begin: None,
            dropped_removed: None,
            faults: Vec::new(),
        }
    }

    fn add_chain(&mut self, chain: Chain) {
        self.entries += chain.entries;
        self.entries_begin = self.entries_begin.take().or(chain.begins.map(Begins::of));
        self.faults.extend(chain.fault.map(|(id, what)| Fault {
            message_id: None,
            seq: None,
            audit_id: Some(id),
            what: what.to_owned(),
        }));
    }
}

/// A line for a scope, and one for each fault.
fn told(found: &Found) -> String {
    let whose = match (&found.tenant, found.environment) {
        (Some(tenant), Some(environment)) => format!("{tenant} ({})", environment.word()),
        _ => "installation".to_owned(),
    };
    let state = if found.faults.is_empty() { "all right" } else { "WRONG" };
    let mut out = format!(
        "{whose}: {} messages, {} transitions, {} other entries: {state}\n",
        found.messages, found.transitions, found.entries
    );
    if found.not_replayed > 0 {
        out.push_str(&format!(
            "  {} messages were decided by another version of spine: their chains hold, their replay needs that version\n",
            found.not_replayed
        ));
    }
    if found.dropped > 0 {
        out.push_str(&format!(
            "  {} messages were dropped since: the chains of their transitions were checked\n",
            found.dropped
        ));
    }
    for (begins, of) in
        [(&found.entries_begin, "entries"), (&found.dropped_removed, "dropped messages' chains")]
    {
        if let Some(Begins { removed, before, hash }) = begins {
            out.push_str(&format!(
                "  {removed} {of} older than {before} were removed; the last hash is {hash}\n"
            ));
        }
    }
    for fault in &found.faults {
        let place = match (&fault.message_id, fault.seq, &fault.audit_id) {
            (Some(id), Some(seq), _) => format!("message {id}, transition {seq}"),
            (_, _, Some(id)) => format!("entry {id}"),
            (None, Some(seq), _) => format!("a dropped message, transition {seq}"),
            _ => "somewhere".to_owned(),
        };
        out.push_str(&format!("  {place}: {}\n", fault.what));
    }
    out
}
