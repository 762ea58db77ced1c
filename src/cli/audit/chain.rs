//! The chains of what was done besides messages: keys, contacts, policies and the rest.

use crate::engine::journal::chained;
use crate::model::ScopeId;
use crate::store::rows::{AuditRow, NewAudit};
use crate::store::seal::Scope;
use crate::store::{Page, PageStart, Pruned, Registry, StoreError};

/// Rows that are read at once.
const PAGE_ROWS: u32 = 500;

/// What was found in a chain.
#[derive(Default)]
pub(super) struct Chain {
    /// How many entries it has.
    pub(super) entries: u64,
    /// Where it begins, if the operator removed what was before.
    pub(super) begins: Option<Pruned>,
    /// The first that is wrong: its id, and what is.
    pub(super) fault: Option<(String, &'static str)>,
}

/// The chain of a scope's own audit.
pub(super) async fn of_scope(scope: &Scope) -> Result<Chain, StoreError> {
    // Read before and after: the operator may be removing entries meanwhile.
    loop {
        let begins = scope.pruned().await?.audit;
        let chain = entries_of(scope, begins.clone()).await?;
        if scope.pruned().await?.audit == begins {
            return Ok(chain);
        }
    }
}

async fn entries_of(scope: &Scope, begins: Option<Pruned>) -> Result<Chain, StoreError> {
    let mut before = begins.as_ref().map_or([0; 32], |begins| begins.hash);
    let (mut chain, mut after) = (Chain { begins, ..Chain::default() }, 0);
    loop {
        let rows = scope.audit_after(after, PAGE_ROWS).await?;
        let is_last = rows.len() < usize::try_from(PAGE_ROWS).unwrap_or(usize::MAX);
        for row in rows {
            after = row.n;
            chain.add(&row.row, &mut before);
        }
        if is_last {
            return Ok(chain);
        }
    }
}

/// The chain of the registry's audit of a scope, or, for scope 0, of the installation.
pub(super) async fn of_registry(registry: &dyn Registry, scope: ScopeId) -> Result<Chain, StoreError> {
    let (mut chain, mut before) = (Chain::default(), [0; 32]);
    for row in &rows_of_registry(registry, scope).await? {
        chain.add(row, &mut before);
    }
    Ok(chain)
}

/// Its rows, oldest first.
pub(super) async fn rows_of_registry(
    registry: &dyn Registry,
    scope: ScopeId,
) -> Result<Vec<AuditRow>, StoreError> {
    let (mut rows, mut start) = (Vec::new(), PageStart::Newest);
    loop {
        let page = registry.audit(scope, Page { start, limit: PAGE_ROWS }).await?;
        let last = page.rows.last().map(|row| row.n);
        rows.extend(page.rows.into_iter().map(|row| row.row));
        match last {
            Some(n) if page.has_more => start = PageStart::After(n),
            _ => break,
        }
    }
    rows.reverse();
    Ok(rows)
}

impl Chain {
    /// Takes the next entry, which hangs on the hash `before` it.
    fn add(&mut self, row: &AuditRow, before: &mut [u8; 32]) {
        self.entries += 1;
        if self.fault.is_none() {
            self.fault = fault(row, *before).map(|what| (row.entry.id.to_string(), what));
        }
        *before = row.hash;
    }
}

fn fault(row: &AuditRow, before: [u8; 32]) -> Option<&'static str> {
    let entry = &row.entry;
    let (object_id, request_id) = (entry.object_id.clone(), entry.request_id.clone());
    let again = NewAudit::new(entry.id, entry.at, &entry.who, &entry.what, object_id, request_id);
    if again.canonical != entry.canonical {
        return Some("the entry says something else than what was hashed");
    }
    if row.prev_hash != before {
        return Some("the entry before it is missing");
    }
    let hashed = chained(before, &String::from_utf8_lossy(&entry.canonical));
    (hashed != row.hash).then_some("the chain of hashes breaks here")
}
