//! The store as its operator sees it, also beside a running server.

use std::sync::Arc;

use super::folder::Folder;
use super::registry::SqliteRegistry;
use super::scope::SqliteScope;
use super::store::{Options, registry_of};
use super::{health, prune};
use crate::model::{Instant, ScopeId};
use crate::store::seal::{Randomness, Scope, ScopeKeys};
use crate::store::{Answer, Finding, Installation, Registry, Removed, ScopeHealth, ScopeRows, StoreError};

/// A store whose folder is not held. A scope's rows refuse every change.
pub struct Beside {
    folder: Folder,
    registry: Arc<SqliteRegistry>,
    random: Arc<dyn Randomness>,
}

/// Opens a folder without holding it.
///
/// # Errors
/// As [`super::open`], but never [`StoreError::Locked`].
pub async fn open_beside(options: Options) -> Result<Beside, StoreError> {
    let folder = Folder::beside(&options.folder)?;
    let registry = Arc::new(registry_of(&folder, &options).await?);
    Ok(Beside { folder, registry, random: options.random })
}

impl Beside {
    async fn opened(&self, id: ScopeId) -> Result<Option<Arc<Scope>>, StoreError> {
        let path = self.folder.scope(id.0);
        if !path.exists() {
            return Ok(None);
        }
        let row = self.registry.scope(id).await?.ok_or(StoreError::NoScope(id.0))?;
        let keys = ScopeKeys::open(self.registry.master(), &row, Arc::clone(&self.random))?;
        let rows = Arc::new(SqliteScope::open_beside(&path).await?) as Arc<dyn ScopeRows>;
        Ok(Some(Arc::new(Scope::new(row, rows, keys))))
    }
}

impl Installation for Beside {
    fn registry(&self) -> Arc<dyn Registry> {
        Arc::clone(&self.registry) as Arc<dyn Registry>
    }

    fn scope(&self, id: ScopeId) -> Answer<'_, Option<Arc<Scope>>> {
        Box::pin(self.opened(id))
    }

    fn prune_audit(&self, id: ScopeId, before: Instant) -> Answer<'_, Removed> {
        Box::pin(async move { prune::prune(&self.folder.scope(id.0), before).await })
    }

    fn findings(&self, _now: Instant, deep: bool) -> Answer<'_, Vec<Finding>> {
        Box::pin(async move {
            let scopes: Vec<i64> = self.registry.scopes().await?.iter().map(|row| row.id.0).collect();
            health::folder(&self.folder, &scopes, deep).await
        })
    }

    fn health(&self, id: ScopeId, now: Instant, grace_ms: i64) -> Answer<'_, Option<ScopeHealth>> {
        Box::pin(async move { health::scope(&self.folder.scope(id.0), now, grace_ms).await })
    }
}
