//! The store as one sees it who only reads, beside running nodes: no node itself.

use std::sync::Arc;

use super::bound::Bound;
use super::connect::Connector;
use super::install;
use super::registry::PgRegistry;
use super::source::Reader;
use super::store::{Options, master_key};
use crate::model::{Instant, ScopeId};
use crate::store::read::{Source, reads};
use crate::store::seal::{Randomness, Scope, ScopeKeys};
use crate::store::{
    Answer, Change, Committed, Finding, Installation, NodeId, Position, Registry, Removed, ScopeHealth,
    ScopeRows, Severity, StoreError,
};

/// A store that is only read. A scope's rows refuse every change.
pub struct Beside {
    readers: sqlx::postgres::PgPool,
    prepares: bool,
    bound: Arc<Bound>,
    registry: Arc<PgRegistry>,
    random: Arc<dyn Randomness>,
}

/// Opens a database for reading; makes nothing in it.
///
/// # Errors
/// As [`super::open`], and where the schema is not of this version.
pub async fn open_beside(options: Options) -> Result<Beside, StoreError> {
    let master = master_key(&options)?;
    let connector = Connector::of(&options.url, options.prepares)?;
    install::require(&connector).await?;
    let random = Arc::clone(&options.random);
    let registry = PgRegistry::open(connector.pool(2), options.prepares, master, options.random).await?;
    let readers = connector.pool(2);
    let bound = Arc::new(Bound::new(readers.clone()));
    Ok(Beside { readers, prepares: options.prepares, bound, registry: Arc::new(registry), random })
}

impl Beside {
    async fn opened(&self, id: ScopeId) -> Result<Option<Arc<Scope>>, StoreError> {
        let row = self.registry.scope(id).await?.ok_or(StoreError::NoScope(id.0))?;
        let keys = ScopeKeys::open(self.registry.master(), &row, Arc::clone(&self.random))?;
        let reader = Reader {
            pool: self.readers.clone(),
            prepares: self.prepares,
            scope: id,
            node: NodeId::ONLY,
            bound: Arc::clone(&self.bound),
        };
        let rows = Arc::new(ReadScope { reader, newest: tokio::sync::watch::Sender::new(0) });
        Ok(Some(Arc::new(Scope::new(row, rows as Arc<dyn ScopeRows>, keys))))
    }
}

impl Installation for Beside {
    fn registry(&self) -> Arc<dyn Registry> {
        Arc::clone(&self.registry) as Arc<dyn Registry>
    }

    fn scope(&self, id: ScopeId) -> Answer<'_, Option<Arc<Scope>>> {
        Box::pin(self.opened(id))
    }

    fn prune_audit(&self, _id: ScopeId, _before: Instant) -> Answer<'_, Removed> {
        Box::pin(async {
            Err(StoreError::Database(
                "on PostgreSQL the audit is only added to, by whoever logs in; its beginning is not removed"
                    .into(),
            ))
        })
    }

    /// That the schema and its roles are as they must be was looked at when this was opened.
    fn findings(&self, _now: Instant, _deep: bool) -> Answer<'_, Vec<Finding>> {
        Box::pin(async {
            Ok(vec![Finding {
                severity: Severity::Note,
                name: "rows-not-looked-at",
                place: "the database".into(),
                message: "roles, row-level security and schema are as they must be; rows were not looked at"
                    .into(),
                help: "watch the server by its own means, and check the audit with `spine audit verify`"
                    .into(),
            }])
        })
    }

    fn health(&self, _id: ScopeId, _now: Instant, _grace_ms: i64) -> Answer<'_, Option<ScopeHealth>> {
        Box::pin(async { Ok(None) })
    }
}

/// A scope that is only read.
struct ReadScope {
    reader: Reader,
    newest: tokio::sync::watch::Sender<Position>,
}

impl ReadScope {
    fn source(&self) -> &dyn Source {
        &self.reader
    }
}

impl ScopeRows for ReadScope {
    fn commit(&self, _change: Change) -> Answer<'_, Committed> {
        Box::pin(std::future::ready(Err(StoreError::Closing)))
    }

    fn newest_event(&self) -> tokio::sync::watch::Receiver<Position> {
        self.newest.subscribe()
    }

    fn has_failed(&self) -> bool {
        false
    }

    fn merge_lookups(&self) -> Answer<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    reads!();
}
