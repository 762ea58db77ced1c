//! The store as one sees it who only reads, beside running nodes: no node itself.

use std::sync::Arc;

use sqlx::Connection as _;

use super::bound::Bound;
use super::connect::Connector;
use super::error::told;
use super::registry::PgRegistry;
use super::source::Reader;
use super::store::{Options, master_key};
use super::{health, install, listening, prune};
use crate::model::{Instant, ScopeId};
use crate::store::read::{Gathers, Source, reads};
use crate::store::seal::{Randomness, Scope, ScopeKeys};
use crate::store::{
    Answer, Change, Committed, Finding, Installation, NodeId, Position, Registry, Removed, ScopeHealth,
    ScopeRows, StoreError,
};

/// A store that is only read. A scope's rows refuse every change.
pub struct Beside {
    readers: sqlx::postgres::PgPool,
    prepares: bool,
    listens: bool,
    bound: Arc<Bound>,
    connector: Connector,
    registry: Arc<PgRegistry>,
    random: Arc<dyn Randomness>,
}

/// Opens a database for reading; makes nothing in it.
///
/// # Errors
/// As [`super::open`], and where the schema is not of this version.
pub async fn open_beside(options: Options) -> Result<Beside, StoreError> {
    let master = master_key(&options)?;
    let listens = options.listens;
    let connector = Connector::of(&options.url, options.prepares)?;
    install::require(&connector).await?;
    let random = Arc::clone(&options.random);
    let registry = PgRegistry::open(connector.pool(2), options.prepares, master, options.random).await?;
    let readers = connector.pool(2);
    let bound = Arc::new(Bound::new(readers.clone()));
    Ok(Beside {
        readers,
        prepares: options.prepares,
        listens,
        bound,
        connector,
        registry: Arc::new(registry),
        random,
    })
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
            // Nobody asks here what is due.
            has_unsettled: false,
            gathers: Gathers::default(),
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

    fn prune_audit(&self, id: ScopeId, before: Instant) -> Answer<'_, Removed> {
        Box::pin(async move {
            let mut conn = self.connector.connect().await?;
            let (taken, known) = install::steps(&mut conn, self.connector.known).await?;
            if taken < known {
                return Err(StoreError::Database(
                    "the schema is of an older version, in which nothing of the audit can be removed; run \
                     `spine migrate` first"
                        .into(),
                ));
            }
            prune::prune(&self.readers, id, before).await
        })
    }

    fn findings(&self, _now: Instant, _deep: bool) -> Answer<'_, Vec<Finding>> {
        Box::pin(async move {
            let mut conn = self.connector.connect().await?;
            let steps = install::steps(&mut conn, self.connector.known).await?;
            let mut tx = conn.begin().await.map_err(|error| told(&error))?;
            let mut findings = health::database(&mut tx, steps, health::Limits::DEFAULT).await?;
            tx.rollback().await.map_err(|error| told(&error))?;
            if self.listens {
                findings.extend(listening::look(&self.connector).await?);
            }
            Ok(findings)
        })
    }

    fn health(&self, id: ScopeId, now: Instant, grace_ms: i64) -> Answer<'_, Option<ScopeHealth>> {
        Box::pin(async move { health::scope(&self.readers, id, now, grace_ms).await })
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
