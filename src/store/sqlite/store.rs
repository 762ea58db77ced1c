//! The whole store in one folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::folder::Folder;
use super::registry::SqliteRegistry;
use super::scope::SqliteScope;
use crate::model::{Instant, ScopeId};
use crate::store::open::OpenScopes;
use crate::store::seal::{MasterKey, Randomness, Scope, ScopeKeys};
use crate::store::{Answer, Registry, ScopeRows, Store, StoreError};

/// How a store is opened.
pub struct Options {
    /// The data folder; made if it is not there.
    pub folder: PathBuf,
    /// `SPINE_MASTER_KEY`, if it is set; else the key is in a file in the folder.
    pub master_key: Option<String>,
    /// The present instant, for the lock file.
    pub now: Instant,
    /// Where keys and nonces come from.
    pub random: Arc<dyn Randomness>,
}

/// The store on SQLite.
pub struct SqliteStore {
    folder: Folder,
    registry: Arc<SqliteRegistry>,
    random: Arc<dyn Randomness>,
    was_clean: bool,
    open: OpenScopes<SqliteScope>,
}

/// Opens the store and holds its folder.
///
/// # Errors
/// [`StoreError::Locked`], [`StoreError::Foreign`], [`StoreError::NewerSchema`],
/// [`StoreError::ReadOnly`], [`StoreError::MasterKey`], [`StoreError::Corrupt`],
/// [`StoreError::Io`]: each says what to do.
pub async fn open(options: Options) -> Result<SqliteStore, StoreError> {
    let holder = format!("process {} on {}, started {}", std::process::id(), host(), options.now);
    let folder = Folder::hold(&options.folder, &holder)?;
    let registry = registry_of(&folder, &options).await?;
    let was_clean = registry.begin().await?;
    Ok(SqliteStore {
        folder,
        registry: Arc::new(registry),
        random: options.random,
        was_clean,
        open: OpenScopes::default(),
    })
}

/// Opens the registry alone, also beside a running server.
///
/// # Errors
/// As [`open`], but never [`StoreError::Locked`].
pub async fn open_registry(options: Options) -> Result<Arc<dyn Registry>, StoreError> {
    let folder = Folder::beside(&options.folder)?;
    Ok(Arc::new(registry_of(&folder, &options).await?))
}

pub(super) async fn registry_of(folder: &Folder, options: &Options) -> Result<SqliteRegistry, StoreError> {
    let random = Arc::clone(&options.random);
    let find_master = |may_make: bool| match &options.master_key {
        Some(text) => MasterKey::from_base64(text),
        None => MasterKey::from_folder(folder.path(), may_make, options.random.as_ref()),
    };
    SqliteRegistry::open(&folder.registry(), &find_master, random).await
}

fn host() -> String {
    let from_kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    from_kernel
        .map(|name| name.trim().to_owned())
        .or_else(|| std::env::var("HOSTNAME").ok())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "this host".into())
}

impl SqliteStore {
    /// The folder that holds it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    async fn opened(&self, id: ScopeId) -> Result<Arc<Scope>, StoreError> {
        self.open.get(id, self.made(id)).await
    }

    async fn made(&self, id: ScopeId) -> Result<(Arc<Scope>, Arc<SqliteScope>), StoreError> {
        let row = self.registry.scope(id).await?.ok_or(StoreError::NoScope(id.0))?;
        let keys = ScopeKeys::open(self.registry.master(), &row, Arc::clone(&self.random))?;
        let rows = Arc::new(SqliteScope::open(&self.folder.scope(id.0), id).await?);
        let scope = Arc::new(Scope::new(row, Arc::clone(&rows) as Arc<dyn ScopeRows>, keys));
        Ok((scope, rows))
    }

    async fn tidied(&self, now: Instant) -> Result<(), StoreError> {
        self.open.tidy(now, self.registry.as_ref()).await
    }

    async fn closed(&self) -> Result<(), StoreError> {
        let clean = self.open.close(self.registry.as_ref()).await;
        self.registry.close(clean).await
    }
}

impl Store for SqliteStore {
    fn registry(&self) -> Arc<dyn Registry> {
        Arc::clone(&self.registry) as Arc<dyn Registry>
    }

    fn scope(&self, id: ScopeId) -> Answer<'_, Arc<Scope>> {
        Box::pin(self.opened(id))
    }

    fn was_clean(&self) -> bool {
        self.was_clean
    }

    fn tidy(&self, now: Instant) -> Answer<'_, ()> {
        Box::pin(self.tidied(now))
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(self.closed())
    }
}
