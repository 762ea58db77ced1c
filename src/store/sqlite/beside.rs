//! The store as one sees it who only reads, also beside a running server.

use std::sync::Arc;

use super::folder::Folder;
use super::registry::SqliteRegistry;
use super::scope::SqliteScope;
use super::store::{Options, registry_of};
use crate::model::{Instant, ScopeId};
use crate::store::seal::{Randomness, Scope, ScopeKeys};
use crate::store::{Registry, Removed, ScopeRows, StoreError};

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
    /// The installation's rows.
    #[must_use]
    pub fn registry(&self) -> Arc<dyn Registry> {
        Arc::clone(&self.registry) as Arc<dyn Registry>
    }

    /// A scope's rows for reading; `None` where nothing was ever written.
    ///
    /// # Errors
    /// Where its file cannot be read, is of another schema, or its key does not open.
    pub async fn scope(&self, id: ScopeId) -> Result<Option<Arc<Scope>>, StoreError> {
        let path = self.folder.scope(id.0);
        if !path.exists() {
            return Ok(None);
        }
        let row = self.registry.scope(id).await?.ok_or(StoreError::NoScope(id.0))?;
        let keys = ScopeKeys::open(self.registry.master(), &row, Arc::clone(&self.random))?;
        let rows = Arc::new(SqliteScope::open_beside(&path).await?) as Arc<dyn ScopeRows>;
        Ok(Some(Arc::new(Scope::new(row, rows, keys))))
    }

    /// Removes the beginning of a scope's audit: entries and whole journals of dropped messages that are
    /// older than `before`, on the scope's clock. Where the rest begins is kept.
    ///
    /// # Errors
    /// Where the file cannot be written, or is of an older schema.
    pub async fn prune_audit(&self, id: ScopeId, before: Instant) -> Result<Removed, StoreError> {
        super::prune::prune(&self.folder.scope(id.0), before).await
    }
}
