//! Machines of policies, compiled once and held.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use super::journal::hex;
use super::records::PolicyRecord;
use crate::language::{Compiled, Library, Used, compile, compile_version};
use crate::machine::Machine;
use crate::model::{Currency, Span};
use crate::store::StoreError;
use crate::store::rows::{Names, VersionKind};
use crate::store::seal::Scope;

/// A machine, and how an instance names it.
#[derive(Clone)]
pub(super) struct Plan {
    /// `name@version`, or a digest of an inline strategy.
    pub(super) name: String,
    /// The machine.
    pub(super) machine: Arc<Machine>,
}

/// An inline strategy with what its `use`s meant when it was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Inline {
    /// The text.
    pub(super) source: String,
    /// The `name@version` of each used policy.
    pub(super) uses: Vec<String>,
}

/// How many machines are held.
const MACHINES_MAX: usize = 512;

/// The machines that were used lately, and the newest versions of names.
#[derive(Default)]
pub(super) struct Policies {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    machines: HashMap<String, Plan>,
    inline: HashMap<String, (Plan, Inline)>,
    newest: HashMap<String, u32>,
    /// How often a name was published or deleted: what was read before is not kept after it.
    changes: u64,
}

impl Policies {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A policy of this name was published or deleted.
    pub(super) fn changed(&self, name: &str) {
        let mut held = self.held();
        held.changes += 1;
        held.newest.remove(name);
        // An inline strategy may use it.
        held.inline.clear();
    }

    /// Any name may have been published or deleted, by another node.
    pub(super) fn all_changed(&self) {
        let mut held = self.held();
        held.changes += 1;
        held.newest.clear();
        held.inline.clear();
    }

    /// The version that a name means; the newest without one. `None` where there is none, or it is
    /// gone for callers.
    pub(super) async fn resolve(
        &self,
        scope: &Scope,
        name: &str,
        version: Option<u32>,
    ) -> Result<Option<Names>, StoreError> {
        if version.is_none()
            && let Some(newest) = self.held().newest.get(name)
        {
            return Ok(Some(Names { name: name.to_owned(), version: *newest }));
        }
        let changes = self.held().changes;
        let Some(known) = scope.version_name(VersionKind::Policy, name).await? else { return Ok(None) };
        let wanted = version.unwrap_or(known.newest);
        if wanted <= known.deleted || wanted > known.newest {
            return Ok(None);
        }
        let mut held = self.held();
        if version.is_none() && held.changes == changes {
            held.newest.insert(name.to_owned(), wanted);
        }
        drop(held);
        Ok(Some(Names { name: name.to_owned(), version: wanted }))
    }

    /// The machine of a version that was published; also of one that is gone for callers.
    pub(super) async fn version(&self, scope: &Scope, names: &Names) -> Result<Plan, StoreError> {
        let name = format!("{}@{}", names.name, names.version);
        if let Some(plan) = self.held().machines.get(&name) {
            return Ok(plan.clone());
        }
        let missing = || StoreError::Io { what: "reading a policy", detail: format!("{name} is not there") };
        let row = scope.version(VersionKind::Policy, &names.name, Some(names.version)).await?;
        let record = PolicyRecord::read(&row.ok_or_else(missing)?.doc)?;
        let used = Used {
            name_at_version: name.clone(),
            source: record.source.clone(),
            policy_name: names.name.clone(),
            uses: record.uses.clone(),
        };
        let library = Kept::of(scope, &record.uses).await?;
        let compiled = compile_version(&used, &library);
        let policy = compiled.policies.iter().find(|policy| policy.name == names.name);
        let policy = policy.ok_or_else(|| StoreError::Io {
            what: "compiling a policy",
            detail: format!("{name} does not compile any more"),
        })?;
        let plan = Plan { name: name.clone(), machine: Arc::new(crate::machine::compile(policy)) };
        let mut held = self.held();
        if held.machines.len() >= MACHINES_MAX {
            held.machines.clear();
        }
        held.machines.insert(name, plan.clone());
        Ok(plan)
    }

    /// The machine of an inline strategy that is accepted now, or what is wrong with it.
    pub(super) async fn accept(
        &self,
        scope: &Scope,
        source: &str,
    ) -> Result<Result<(Plan, Inline), Box<Compiled>>, StoreError> {
        if let Some(found) = self.held().inline.get(source) {
            return Ok(Ok(found.clone()));
        }
        let changes = self.held().changes;
        let mut library = Kept { currency: Some(scope.row().currency), ..Kept::default() };
        let compiled = loop {
            let compiled = compile(source, None, &library);
            let missing = library.missing.take();
            if missing.is_empty() {
                break compiled;
            }
            for reference in missing {
                let found = load(scope, &reference).await?;
                library.add(&reference, found);
            }
        };
        let [policy] = compiled.policies.as_slice() else { return Ok(Err(Box::new(compiled))) };
        if !compiled.is_clean() || compiled.found != 1 {
            return Ok(Err(Box::new(compiled)));
        }
        let inline = Inline { source: source.to_owned(), uses: policy.uses.clone() };
        let plan = plan(&inline, policy);
        let mut held = self.held();
        if held.inline.len() >= MACHINES_MAX {
            held.inline.clear();
        }
        if held.changes == changes {
            held.inline.insert(source.to_owned(), (plan.clone(), inline.clone()));
        }
        Ok(Ok((plan, inline)))
    }

    /// The machine that a message was accepted with.
    pub(super) async fn of_message(
        &self,
        scope: &Scope,
        policy: Option<&Names>,
        clear: &super::doc::Clear,
    ) -> Result<Plan, StoreError> {
        if let Some(names) = policy {
            return self.version(scope, names).await;
        }
        let source = match (&clear.strategy, &clear.channels) {
            (Some(strategy), _) => strategy.as_str().to_owned(),
            (None, Some(channels)) => of_channels(&channels.0, clear.fallback_after),
            (None, None) => return Err(super::records::unreadable()),
        };
        self.again(scope, &Inline { source, uses: clear.uses.clone() }).await
    }

    /// The machine of an inline strategy that was accepted before.
    pub(super) async fn again(&self, scope: &Scope, inline: &Inline) -> Result<Plan, StoreError> {
        let name = digest(inline);
        if let Some(plan) = self.held().machines.get(&name) {
            return Ok(plan.clone());
        }
        let used = Used {
            name_at_version: crate::language::BARE_NAME.to_owned(),
            source: inline.source.clone(),
            policy_name: crate::language::BARE_NAME.to_owned(),
            uses: inline.uses.clone(),
        };
        let compiled = compile_version(&used, &Kept::of(scope, &inline.uses).await?);
        let policy = compiled.policies.first().ok_or_else(|| StoreError::Io {
            what: "compiling a strategy",
            detail: "a message's strategy does not compile any more".into(),
        })?;
        let plan = plan(inline, policy);
        let mut held = self.held();
        if held.machines.len() >= MACHINES_MAX {
            held.machines.clear();
        }
        held.machines.insert(name, plan.clone());
        Ok(plan)
    }
}

fn digest(inline: &Inline) -> String {
    let mut hash = Sha256::new();
    for part in std::iter::once(&inline.source).chain(&inline.uses) {
        hash.update(part.len().to_le_bytes());
        hash.update(part.as_bytes());
    }
    format!("inline:{}", &hex(&hash.finalize())[..32])
}

fn plan(inline: &Inline, policy: &crate::language::Policy) -> Plan {
    Plan { name: digest(inline), machine: Arc::new(crate::machine::compile(policy)) }
}

/// Reads the policy that a `use` means, with all that it uses.
async fn load(scope: &Scope, reference: &str) -> Result<Option<(Names, PolicyRecord)>, StoreError> {
    let (name, version) = match reference.split_once('@') {
        Some((name, version)) => (name, version.parse().ok()),
        None => (reference, None),
    };
    let Some(known) = scope.version_name(VersionKind::Policy, name).await? else { return Ok(None) };
    let wanted = version.unwrap_or(known.newest);
    // A version that is named stays for those who mean it, whatever became of its name.
    if version.is_none() && wanted <= known.deleted {
        return Ok(None);
    }
    let Some(row) = scope.version(VersionKind::Policy, name, Some(wanted)).await? else { return Ok(None) };
    Ok(Some((Names { name: name.to_owned(), version: wanted }, PolicyRecord::read(&row.doc)?)))
}

/// A library of what was read, which notes what is asked for and not there yet.
#[derive(Default)]
struct Kept {
    known: BTreeMap<String, Option<Used>>,
    missing: RefCell<Vec<String>>,
    currency: Option<Currency>,
}

impl Kept {
    /// The versions that a published policy, or an accepted strategy, means.
    async fn of(scope: &Scope, uses: &[String]) -> Result<Kept, StoreError> {
        let mut kept = Kept::default();
        for name_at_version in uses {
            let found = load(scope, name_at_version).await?;
            kept.add(name_at_version, found);
        }
        Ok(kept)
    }

    fn add(&mut self, reference: &str, found: Option<(Names, PolicyRecord)>) {
        let Some((names, record)) = found else {
            self.known.insert(reference.to_owned(), None);
            return;
        };
        let name_at_version = format!("{}@{}", names.name, names.version);
        let used = Used {
            name_at_version: name_at_version.clone(),
            source: record.source,
            policy_name: names.name,
            uses: record.uses,
        };
        self.known.insert(reference.to_owned(), Some(used.clone()));
        self.known.insert(name_at_version, Some(used));
    }
}

impl Library for Kept {
    fn policy(&self, reference: &str) -> Option<Used> {
        match self.known.get(reference) {
            Some(known) => known.clone(),
            None => {
                self.missing.borrow_mut().push(reference.to_owned());
                None
            }
        }
    }

    fn currency(&self) -> Option<Currency> {
        self.currency
    }
}

/// The strategy that a list of channels stands for: `whatsapp then sms after 30s`.
pub(super) fn of_channels(channels: &[crate::model::Channel], fallback_after: Option<Span>) -> String {
    let after = fallback_after.map(|span| format!(" after {span}")).unwrap_or_default();
    let mut text = String::new();
    for (place, channel) in channels.iter().enumerate() {
        if place > 0 {
            text.push_str(" then ");
        }
        text.push_str(channel.word());
        if place > 0 {
            text.push_str(&after);
        }
    }
    text
}
