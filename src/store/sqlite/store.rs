//! The whole store in one folder.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Mutex;

use super::folder::Folder;
use super::registry::SqliteRegistry;
use super::scope::SqliteScope;
use crate::model::{Instant, ScopeId};
use crate::store::seal::{MasterKey, Randomness, Scope, ScopeKeys};
use crate::store::{Answer, Registry, ScopeRows, Store, StoreError};

/// After how long an unused file is closed.
const IDLE_MS: i64 = 5 * 60 * 1_000;

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
    open: RwLock<Open>,
    /// Held by who opens or closes files, so that none is open twice.
    changing: Mutex<()>,
}

#[derive(Default)]
struct Open {
    scopes: HashMap<ScopeId, OpenScope>,
    closing: bool,
}

#[derive(Clone)]
struct OpenScope {
    scope: Arc<Scope>,
    rows: Arc<SqliteScope>,
    /// In real time, as of the last tidying; none before the first.
    last_used: Option<Instant>,
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
        open: RwLock::default(),
        changing: Mutex::default(),
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

    fn found(&self, id: ScopeId) -> Result<Option<Arc<Scope>>, StoreError> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        if open.closing {
            return Err(StoreError::Closing);
        }
        Ok(open.scopes.get(&id).map(|open| Arc::clone(&open.scope)))
    }

    async fn opened(&self, id: ScopeId) -> Result<Arc<Scope>, StoreError> {
        if let Some(scope) = self.found(id)? {
            return Ok(scope);
        }
        let _changing = self.changing.lock().await;
        if let Some(scope) = self.found(id)? {
            return Ok(scope);
        }
        let row = self.registry.scope(id).await?.ok_or(StoreError::NoScope(id.0))?;
        let keys = ScopeKeys::open(self.registry.master(), &row, Arc::clone(&self.random))?;
        let rows = Arc::new(SqliteScope::open(&self.folder.scope(id.0), id).await?);
        let scope = Arc::new(Scope::new(row, Arc::clone(&rows) as Arc<dyn ScopeRows>, keys));
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        open.scopes.insert(id, OpenScope { scope: Arc::clone(&scope), rows, last_used: None });
        Ok(scope)
    }

    /// Takes out the scopes that nobody holds and that were not used for a while.
    fn take_idle(&self, now: Instant) -> Vec<(ScopeId, OpenScope)> {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        for scope in open.scopes.values_mut() {
            let used = scope.rows.take_used() || scope.last_used.is_none_or(|at| at > now);
            if used || Arc::strong_count(&scope.scope) > 1 {
                scope.last_used = Some(now);
            }
        }
        let idle: Vec<ScopeId> = open
            .scopes
            .iter()
            .filter(|(_, scope)| scope.last_used.is_some_and(|at| now.ms() - at.ms() >= IDLE_MS))
            .map(|(id, _)| *id)
            .collect();
        idle.into_iter().filter_map(|id| open.scopes.remove(&id).map(|scope| (id, scope))).collect()
    }

    async fn close_scope(&self, id: ScopeId, open: &OpenScope) -> Result<(), StoreError> {
        let wake_at = open.rows.wake_at().await;
        open.rows.close().await;
        self.registry.set_wake_at(id, wake_at?).await
    }

    async fn tidied(&self, now: Instant) -> Result<(), StoreError> {
        {
            let _changing = self.changing.lock().await;
            for (id, scope) in self.take_idle(now) {
                self.close_scope(id, &scope).await?;
            }
        }
        let open: Vec<Arc<SqliteScope>> = {
            let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
            open.scopes.values().map(|scope| Arc::clone(&scope.rows)).collect()
        };
        for rows in open {
            match rows.tidy(now).await {
                // Closed in the meantime, or to be tried again when there is room.
                Ok(()) | Err(StoreError::Closing | StoreError::Full) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn closed(&self) -> Result<(), StoreError> {
        let _changing = self.changing.lock().await;
        let scopes: Vec<(ScopeId, OpenScope)> = {
            let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
            open.closing = true;
            open.scopes.drain().collect()
        };
        let mut clean = true;
        for (id, scope) in &scopes {
            clean &= !scope.rows.has_failed();
            if let Err(error) = self.close_scope(*id, scope).await {
                tracing::error!(%error, scope = %id, "a scope could not be closed cleanly");
                clean = false;
            }
        }
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
