//! The whole store in one database.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinHandle;

use super::connect::Connector;
use super::follow::{self, Follower};
use super::install;
use super::news::{self, Teller};
use super::nodes::{self, PgNodes};
use super::registry::PgRegistry;
use super::scope::PgScope;
use super::shared::Base;
use crate::model::{Instant, ScopeId, Span};
use crate::store::open::OpenScopes;
use crate::store::seal::{MasterKey, Randomness, Scope, ScopeKeys};
use crate::store::{Answer, Nodes, Registry, ScopeRows, Store, StoreError};

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    /// `postgres://user:password@host:5432/database`. The role is neither a superuser nor the owner of
    /// the tables.
    pub url: String,
    /// `SPINE_MASTER_KEY`: the same on all nodes.
    pub master_key: Option<String>,
    /// Where keys and nonces come from.
    pub random: Arc<dyn Randomness>,
    /// What this node is called in the table of nodes.
    pub node_name: String,
    /// How long this node's first lease holds.
    pub lease: Span,
    /// The most connections that write, and that read.
    pub connections_max: (u32, u32),
    /// Whether nodes tell each other by NOTIFY; false behind a pooler that gives a connection for a
    /// transaction alone. They ask each second either way.
    pub listens: bool,
    /// Whether statements stay prepared; false behind a pooler that does not keep them.
    pub prepares: bool,
}

impl Options {
    /// A node on a database, all else by default.
    #[must_use]
    pub fn new(url: impl Into<String>, master_key: Option<String>, random: Arc<dyn Randomness>) -> Options {
        Options {
            url: url.into(),
            master_key,
            random,
            node_name: "spine".into(),
            lease: Span::from_s(30),
            connections_max: (8, 8),
            listens: true,
            prepares: true,
        }
    }
}

/// The store on PostgreSQL.
pub struct PostgresStore {
    inner: Arc<Inner>,
    nodes: Arc<PgNodes>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    place: String,
}

/// What the tasks of a store look at.
pub(super) struct Inner {
    pub(super) base: Arc<Base>,
    pub(super) scopes: Arc<OpenScopes<PgScope>>,
    registry: Arc<PgRegistry>,
    random: Arc<dyn Randomness>,
    closing: AtomicBool,
}

impl Inner {
    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }
}

/// The operator's key. On a shared database it comes from the environment alone: a file would be
/// another one on each node.
pub(super) fn master_key(options: &Options) -> Result<MasterKey, StoreError> {
    match &options.master_key {
        Some(text) => MasterKey::from_base64(text),
        None => Err(StoreError::MasterKey(
            "SPINE_MASTER_KEY is not set; on PostgreSQL it must be, and the same on all nodes: make it once with \
             `head -c 32 /dev/urandom | base64`, and keep it"
                .into(),
        )),
    }
}

/// Opens the store as a node of its own.
///
/// # Errors
/// [`StoreError::Database`], [`StoreError::MasterKey`], [`StoreError::Unavailable`],
/// [`StoreError::Io`]: each says what to do.
pub async fn open(options: Options) -> Result<PostgresStore, StoreError> {
    let connector = Connector::of(&options.url, options.prepares)?;
    open_by(connector, options).await
}

/// Opens it by these connections, and with the migrations that go with them.
pub(super) async fn open_by(connector: Connector, options: Options) -> Result<PostgresStore, StoreError> {
    let master = master_key(&options)?;
    install::prepare(&connector).await?;
    let (writers_max, readers_max) = options.connections_max;
    let (writers, readers) = (connector.pool(writers_max.max(2)), connector.pool(readers_max.max(2)));
    let registry =
        PgRegistry::open(connector.pool(4), options.prepares, master, Arc::clone(&options.random)).await?;
    let me = nodes::join(&writers, &options.node_name, options.lease).await?;
    let (follower, reached) = Follower::new();
    let (teller, to_tell) = Teller::new();
    let base = Arc::new(Base::new(connector.clone(), (writers, readers), me, follower, teller));
    let told = base.bound.block().await?;
    let scopes: Arc<OpenScopes<PgScope>> = Arc::default();
    let nodes = Arc::new(PgNodes::new(Arc::clone(&base), Arc::downgrade(&scopes), told));
    let place = connector.place();
    let inner = Arc::new(Inner {
        base: Arc::clone(&base),
        scopes,
        registry: Arc::new(registry),
        random: options.random,
        closing: AtomicBool::new(false),
    });
    let mut tasks = vec![
        tokio::spawn(follow::run(Arc::downgrade(&base), reached)),
        tokio::spawn(news::tell(Arc::downgrade(&base), to_tell, options.listens)),
        tokio::spawn(news::ask(Arc::downgrade(&inner))),
    ];
    if options.listens {
        tasks.push(tokio::spawn(news::listen(Arc::downgrade(&inner), connector)));
    }
    // Others learn that there is one more.
    base.teller.ring();
    Ok(PostgresStore { inner, nodes, tasks: Mutex::new(tasks), place })
}

/// Opens the registry alone, beside running nodes; makes the schema where it is not there.
///
/// # Errors
/// As [`open`].
pub async fn open_registry(options: Options) -> Result<Arc<dyn Registry>, StoreError> {
    let master = master_key(&options)?;
    let connector = Connector::of(&options.url, options.prepares)?;
    install::prepare(&connector).await?;
    let registry = PgRegistry::open(connector.pool(2), options.prepares, master, options.random).await?;
    Ok(Arc::new(registry))
}

impl PostgresStore {
    /// Where it is, for people.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    async fn opened(&self, id: ScopeId) -> Result<Arc<Scope>, StoreError> {
        self.inner.scopes.get(id, self.made(id)).await
    }

    async fn made(&self, id: ScopeId) -> Result<(Arc<Scope>, Arc<PgScope>), StoreError> {
        let inner = &self.inner;
        let row = inner.registry.scope(id).await?.ok_or(StoreError::NoScope(id.0))?;
        let keys = ScopeKeys::open(inner.registry.master(), &row, Arc::clone(&inner.random))?;
        let rows = Arc::new(PgScope::open(Arc::clone(&inner.base), id).await?);
        let scope = Arc::new(Scope::new(row, Arc::clone(&rows) as Arc<dyn ScopeRows>, keys));
        Ok((scope, rows))
    }

    async fn tidied(&self, now: Instant) -> Result<(), StoreError> {
        let inner = &self.inner;
        inner.scopes.tidy(now, inner.registry.as_ref()).await
    }

    async fn closed(&self) -> Result<(), StoreError> {
        let inner = &self.inner;
        inner.scopes.close(inner.registry.as_ref()).await;
        inner.closing.store(true, Ordering::Release);
        let left = self.nodes.leave().await;
        for task in std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner)) {
            task.abort();
        }
        inner.registry.close().await;
        tokio::join!(inner.base.writers.close(), inner.base.readers.close());
        left
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        for task in std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner)) {
            task.abort();
        }
    }
}

impl Store for PostgresStore {
    fn registry(&self) -> Arc<dyn Registry> {
        Arc::clone(&self.inner.registry) as Arc<dyn Registry>
    }

    fn scope(&self, id: ScopeId) -> Answer<'_, Arc<Scope>> {
        Box::pin(self.opened(id))
    }

    fn nodes(&self) -> Arc<dyn Nodes> {
        Arc::clone(&self.nodes) as Arc<dyn Nodes>
    }

    /// What wakes a scope is known to the node that closed it alone, so a fresh one opens all once.
    fn was_clean(&self) -> bool {
        false
    }

    fn tidy(&self, now: Instant) -> Answer<'_, ()> {
        Box::pin(self.tidied(now))
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(self.closed())
    }
}
