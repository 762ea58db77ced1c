//! What belongs to the whole installation.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Shared;
use super::read::paged;
use super::schedule::Ask;
use super::tables::Tables;
use super::write::{chained, conflict};
use crate::model::{Environment, Id, Instant, ScopeId, kinds};
use crate::store::registry::{KeyRow, Registry, RegistryChange, RegistryCommitted, ScopeRow, TenantRow};
use crate::store::rows::{AuditRow, IdempotencyKey, Kept, SubjectId};
use crate::store::{Answer, Listed, NodeId, Page, Position, Positioned, StoreError};

/// The installation's rows.
#[derive(Clone, Default)]
pub(super) struct RegistryTables {
    tenants: Vec<TenantRow>,
    scopes: BTreeMap<ScopeId, ScopeRow>,
    keys: BTreeMap<Position, KeyRow>,
    providers: BTreeMap<Id<kinds::Provider>, ScopeId>,
    kept: BTreeMap<(ScopeId, IdempotencyKey), Kept>,
    erased: BTreeMap<(ScopeId, SubjectId), Instant>,
    audit: BTreeMap<Position, (Option<ScopeId>, AuditRow)>,
}

impl RegistryTables {
    fn write(&mut self, change: &RegistryChange) -> Result<RegistryCommitted, StoreError> {
        if let Some((scope, kept)) = &change.keep {
            if let Some(known) = self.kept.get(&(*scope, kept.key)) {
                return Ok(RegistryCommitted::Replayed(Box::new(known.clone())));
            }
            self.kept.insert((*scope, kept.key), kept.clone());
        }
        for key in &change.keys {
            if self.keys.values().any(|other| other.id == key.id || other.hash == key.hash) {
                return Err(conflict("a key"));
            }
            let n = self.keys.last_key_value().map_or(1, |(n, _)| n + 1);
            self.keys.insert(n, key.clone());
        }
        for (id, scope, at) in &change.keys_revoked {
            self.usable_key(*id, *scope)?.revoked_at = Some(*at);
        }
        for (id, scope, at) in &change.keys_expire {
            let key = self.usable_key(*id, *scope)?;
            key.expires_at = Some(key.expires_at.map_or(*at, |before| before.min(*at)));
        }
        for (provider, scope) in &change.providers {
            self.providers.entry(*provider).or_insert(*scope);
        }
        for provider in &change.providers_gone {
            self.providers.remove(provider);
        }
        for (scope, subject, at) in &change.erased {
            self.erased.insert((*scope, *subject), *at);
        }
        for audit in &change.audit {
            let before = self.audit.values().rev().find(|(scope, _)| *scope == audit.scope);
            let prev_hash = before.map_or([0; 32], |(_, row)| row.hash);
            let hash = chained(prev_hash, &audit.entry.canonical);
            let n = self.audit.last_key_value().map_or(1, |(n, _)| n + 1);
            self.audit.insert(n, (audit.scope, AuditRow { entry: audit.entry.clone(), prev_hash, hash }));
        }
        Ok(RegistryCommitted::Applied)
    }

    fn usable_key(&mut self, id: Id<kinds::Key>, scope: ScopeId) -> Result<&mut KeyRow, StoreError> {
        let mut keys = self.keys.values_mut();
        let key = keys.find(|key| key.id == id && key.scope == scope && key.revoked_at.is_none());
        key.ok_or(conflict("a key"))
    }

    /// A key with the environment of its scope.
    fn shown(&self, key: &KeyRow) -> KeyRow {
        let environment = self.scopes.get(&key.scope).map_or(key.environment, |scope| scope.environment);
        KeyRow { environment, ..key.clone() }
    }
}

/// The registry, as one node reaches it.
pub(super) struct MemoryRegistry {
    pub(super) shared: Arc<Shared>,
    pub(super) node: NodeId,
}

impl MemoryRegistry {
    fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&RegistryTables) -> T + Send + 'static,
    ) -> Answer<'_, T> {
        self.shared.ask(self.node, Ask::Read, move |shared| Ok(work(&shared.rows().registry)))
    }

    fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut RegistryTables) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        self.shared.ask(self.node, Ask::Commit, move |shared| {
            let mut rows = shared.rows();
            let before = rows.registry.clone();
            let done = work(&mut rows.registry);
            if done.is_err() {
                rows.registry = before;
            }
            done
        })
    }
}

impl Registry for MemoryRegistry {
    fn make_tenant(&self, tenant: TenantRow) -> Answer<'_, Vec<ScopeRow>> {
        let (master, random) = (Arc::clone(&self.shared.master), Arc::clone(&self.shared.random));
        self.shared.ask(self.node, Ask::Commit, move |shared| {
            let mut rows = shared.rows();
            if rows.registry.tenants.iter().any(|other| other.name == tenant.name || other.id == tenant.id) {
                return Err(conflict("a tenant"));
            }
            let mut made = Vec::new();
            for environment in [Environment::Test, Environment::Live] {
                let last = rows.registry.scopes.last_key_value().map_or(0, |(id, _)| id.0);
                let id = ScopeId(last + 1);
                let row = ScopeRow {
                    id,
                    tenant: tenant.id,
                    tenant_name: tenant.name.clone(),
                    timezone: tenant.timezone.clone(),
                    currency: tenant.currency,
                    environment,
                    sealed_key: master.make_scope_key(id, random.as_ref())?,
                    wake_at: None,
                };
                rows.registry.scopes.insert(id, row.clone());
                rows.scopes.insert(id, Tables::default());
                made.push(row);
            }
            rows.registry.tenants.push(tenant);
            Ok(made)
        })
    }

    fn tenants(&self) -> Answer<'_, Vec<TenantRow>> {
        self.read(|tables| tables.tenants.clone())
    }

    fn scopes(&self) -> Answer<'_, Vec<ScopeRow>> {
        self.read(|tables| tables.scopes.values().cloned().collect())
    }

    fn scope(&self, id: ScopeId) -> Answer<'_, Option<ScopeRow>> {
        self.read(move |tables| tables.scopes.get(&id).cloned())
    }

    fn commit(&self, change: RegistryChange) -> Answer<'_, RegistryCommitted> {
        self.write(move |tables| tables.write(&change))
    }

    fn key_by_hash(&self, hash: [u8; 32]) -> Answer<'_, Option<KeyRow>> {
        self.read(move |tables| {
            tables.keys.values().find(|key| key.hash == hash).map(|key| tables.shown(key))
        })
    }

    fn key(&self, scope: ScopeId, id: Id<kinds::Key>) -> Answer<'_, Option<KeyRow>> {
        self.read(move |tables| {
            let found = tables.keys.values().find(|key| key.id == id && key.scope == scope);
            found.map(|key| tables.shown(key))
        })
    }

    fn keys(&self, scope: ScopeId, page: Page) -> Answer<'_, Listed<KeyRow>> {
        self.read(move |tables| {
            let found = tables.keys.iter().filter(|(_, key)| key.scope == scope);
            paged(found.map(|(n, key)| Positioned { n: *n, row: tables.shown(key) }), page)
        })
    }

    fn keys_used(&self, used: Vec<(Id<kinds::Key>, Instant)>) -> Answer<'_, ()> {
        self.write(move |tables| {
            for (id, at) in used {
                if let Some(key) = tables.keys.values_mut().find(|key| key.id == id) {
                    key.last_used_at = Some(key.last_used_at.map_or(at, |before| before.max(at)));
                }
            }
            Ok(())
        })
    }

    fn provider_scope(&self, id: Id<kinds::Provider>) -> Answer<'_, Option<ScopeId>> {
        self.read(move |tables| tables.providers.get(&id).copied())
    }

    fn idempotency(&self, scope: ScopeId, key: IdempotencyKey) -> Answer<'_, Option<Kept>> {
        self.read(move |tables| tables.kept.get(&(scope, key)).cloned())
    }

    fn audit(&self, scope: ScopeId, page: Page) -> Answer<'_, Listed<AuditRow>> {
        self.read(move |tables| {
            let found = tables.audit.iter().filter(|(_, (of, _))| *of == Some(scope));
            paged(found.map(|(n, (_, row))| Positioned { n: *n, row: row.clone() }), page)
        })
    }

    fn erased(&self, scope: ScopeId) -> Answer<'_, Vec<SubjectId>> {
        self.read(move |tables| {
            tables.erased.keys().filter(|(of, _)| *of == scope).map(|(_, subject)| *subject).collect()
        })
    }

    fn drop_kept(&self, before: Instant) -> Answer<'_, ()> {
        self.write(move |tables| {
            tables.kept.retain(|_, kept| kept.at >= before);
            Ok(())
        })
    }

    fn set_wake_at(&self, scope: ScopeId, at: Option<Instant>) -> Answer<'_, ()> {
        self.write(move |tables| {
            if let Some(scope) = tables.scopes.get_mut(&scope) {
                scope.wake_at = at;
            }
            Ok(())
        })
    }
}
