//! The scopes that are open, and when they are closed.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Mutex;

use crate::model::{Instant, ScopeId};

use super::seal::Scope;
use super::{Answer, Registry, StoreError};

/// After how long an unused scope is closed.
const IDLE_MS: i64 = 5 * 60 * 1_000;

/// A scope's rows as one sees them who opens and closes scopes.
pub(super) trait Opened: Send + Sync {
    /// Whether it was used since this was last asked.
    fn take_used(&self) -> bool;
    /// Drops what is old.
    fn tidy(&self, now: Instant) -> Answer<'_, ()>;
    /// Takes no change any more, writes what waits, and lets go of what is held for it. Tells the earliest
    /// instant at which something is to be done, in real time: of all that was ever taken.
    fn close(&self) -> Answer<'_, Option<Instant>>;
    /// Whether no change is taken any more.
    fn failed(&self) -> bool;
}

/// The open scopes of a store.
pub(super) struct OpenScopes<R> {
    open: RwLock<Open<R>>,
    /// Held by who opens or closes, so that none is open twice.
    changing: Mutex<()>,
}

struct Open<R> {
    scopes: HashMap<ScopeId, OpenScope<R>>,
    closing: bool,
}

struct OpenScope<R> {
    scope: Arc<Scope>,
    rows: Arc<R>,
    /// In real time, as of the last tidying; none before the first.
    last_used: Option<Instant>,
}

impl<R> Clone for OpenScope<R> {
    fn clone(&self) -> OpenScope<R> {
        let OpenScope { scope, rows, last_used } = self;
        OpenScope { scope: Arc::clone(scope), rows: Arc::clone(rows), last_used: *last_used }
    }
}

impl<R> Default for OpenScopes<R> {
    fn default() -> OpenScopes<R> {
        let open = Open { scopes: HashMap::new(), closing: false };
        OpenScopes { open: RwLock::new(open), changing: Mutex::default() }
    }
}

impl<R: Opened> OpenScopes<R> {
    fn found(&self, id: ScopeId) -> Result<Option<Arc<Scope>>, StoreError> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        if open.closing {
            return Err(StoreError::Closing);
        }
        Ok(open.scopes.get(&id).map(|open| Arc::clone(&open.scope)))
    }

    /// The scope that is open, or the one that `make` opens.
    pub(super) async fn get<F>(&self, id: ScopeId, make: F) -> Result<Arc<Scope>, StoreError>
    where
        F: Future<Output = Result<(Arc<Scope>, Arc<R>), StoreError>> + Send,
    {
        if let Some(scope) = self.found(id)? {
            return Ok(scope);
        }
        let _changing = self.changing.lock().await;
        if let Some(scope) = self.found(id)? {
            return Ok(scope);
        }
        let (scope, rows) = make.await?;
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        open.scopes.insert(id, OpenScope { scope: Arc::clone(&scope), rows, last_used: None });
        Ok(scope)
    }

    /// The rows of all that are open.
    pub(super) fn rows(&self) -> Vec<(ScopeId, Arc<R>)> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.scopes.iter().map(|(id, scope)| (*id, Arc::clone(&scope.rows))).collect()
    }

    /// The rows of one, if it is open.
    pub(super) fn rows_of(&self, id: ScopeId) -> Option<Arc<R>> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.scopes.get(&id).map(|scope| Arc::clone(&scope.rows))
    }

    /// Takes out the scopes that nobody holds and that were not used for a while.
    fn take_idle(&self, now: Instant) -> Vec<(ScopeId, OpenScope<R>)> {
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

    /// Closes those that were not used for long, leaving word in the registry; tidies the others.
    pub(super) async fn tidy(&self, now: Instant, registry: &dyn Registry) -> Result<(), StoreError> {
        {
            let _changing = self.changing.lock().await;
            for (id, scope) in self.take_idle(now) {
                close(id, scope.rows.as_ref(), registry).await?;
            }
        }
        for (_, rows) in self.rows() {
            match rows.tidy(now).await {
                // Closed in the meantime, or to be tried again when there is room.
                Ok(()) | Err(StoreError::Closing | StoreError::Full) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Closes all, and opens none any more. Whether everything was closed cleanly.
    pub(super) async fn close(&self, registry: &dyn Registry) -> bool {
        let _changing = self.changing.lock().await;
        let scopes: Vec<(ScopeId, OpenScope<R>)> = {
            let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
            open.closing = true;
            open.scopes.drain().collect()
        };
        let mut clean = true;
        for (id, scope) in &scopes {
            clean &= !scope.rows.failed();
            if let Err(error) = close(*id, scope.rows.as_ref(), registry).await {
                tracing::error!(%error, scope = %id, "a scope could not be closed cleanly");
                clean = false;
            }
        }
        clean
    }
}

async fn close<R: Opened>(id: ScopeId, rows: &R, registry: &dyn Registry) -> Result<(), StoreError> {
    let wake_at = rows.close().await?;
    registry.set_wake_at(id, wake_at).await
}
