//! One node: store, engine, webhooks and REST surface put together, from start to a clean stop.
//!
//! The composition root: the one place that knows all rooms, and the real clock, randomness and
//! network that they are handed.

mod beside;
mod listen;
mod opened;
mod settings;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::api::conventions::limit::Steady;
use crate::api::{Api, Parts};
use crate::engine::ids::RisingIds;
use crate::engine::{self, Clocks, Engine, Setup, SystemTime};
use crate::model::{Clock, Ids};
use crate::providers::outbound::Outbound;
use crate::store::seal::{Randomness, SystemRandom};
use crate::store::{Peers, Registry, Store, StoreError};
use crate::webhooks::{self, Webhooks};

use beside::{EngineEvents, WebhookWorkers};
use opened::Opened;
pub use settings::{Calls, DatabaseSettings, NodeSettings};

/// How often buckets are forgotten and the use of keys is written down.
const TIDY: Duration = Duration::from_secs(60);
/// How long a stop waits for requests under way, before the engine stops under them.
const REQUESTS_WITHIN: Duration = Duration::from_millis(1_000);
/// How long a stop waits for what still hangs on a connection once the engine has stopped.
const CONNECTIONS_WITHIN: Duration = Duration::from_millis(300);

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The store's failure: the folder, its lock, the operator's key.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing can listen there.
    #[error("cannot listen on `{listen}`: {why}")]
    Listen {
        /// Where.
        listen: String,
        /// Why, and what to do.
        why: String,
    },
    /// A fault of the program.
    #[error("the server cannot be put together: {0}")]
    Program(String),
}

/// A running node.
pub struct Node {
    address: SocketAddr,
    allows_private_addresses: bool,
    store: Arc<dyn Store>,
    place: String,
    engine: Arc<Engine>,
    server: JoinHandle<std::io::Result<()>>,
    tidying: JoinHandle<()>,
    stop: CancellationToken,
}

impl Node {
    /// Opens the store, takes up what was left, and serves.
    ///
    /// # Errors
    /// Each says what was wrong and what to do. The store is let go then.
    pub async fn start(settings: NodeSettings) -> Result<Node, NodeError> {
        let opened = opened::open(&settings).await?;
        let store = Arc::clone(&opened.store);
        match Node::on(opened, settings).await {
            Ok(node) => Ok(node),
            Err(error) => {
                // What is told is why the start failed.
                let _ = store.close().await;
                Err(error)
            }
        }
    }

    async fn on(opened: Opened, settings: NodeSettings) -> Result<Node, NodeError> {
        let Opened { store, place } = opened;
        let listener = listen::bind(&settings.listen).await?;
        let address = listener.local_addr().map_err(|error| listen::failed(&settings.listen, &error))?;
        // In front of a database loopback is where a proxy asks, and no trial on one machine.
        let is_trial = settings.database.is_none() && address.ip().is_loopback();
        let allows_private_addresses = settings.allow_private_addresses.unwrap_or(is_trial);
        let calls_out = |calls: &Calls| {
            Outbound::new(calls.outbound(allows_private_addresses))
                .map_err(|error| NodeError::Program(error.to_string()))
        };
        let random: Arc<dyn Randomness> = Arc::new(SystemRandom::new());
        let clocks = Arc::new(Clocks::new(Arc::new(SystemTime)));
        let clock = Arc::clone(&clocks) as Arc<dyn Clock>;
        let ids = Arc::new(RisingIds::above(0, Arc::clone(&clock), Arc::clone(&random)));
        let peers = Arc::new(Peers::new(store.nodes().as_ref()));
        let outside = webhooks::Outside {
            clock: Arc::clone(&clock),
            ids: Arc::clone(&ids) as Arc<dyn Ids>,
            events: Arc::new(EngineEvents),
            outbound: calls_out(&settings.webhook_calls)?,
            peers: Arc::clone(&peers),
        };
        let webhooks = Arc::new(Webhooks::new(outside, settings.webhooks));
        let engine = Engine::start(Setup {
            store: Arc::clone(&store),
            clocks,
            ids: Arc::clone(&ids),
            outbound: calls_out(&settings.provider_calls)?,
            settings: engine::Settings {
                public_url: settings.public_url.clone().unwrap_or_else(|| format!("http://{address}")),
                breaker: settings.breaker,
                retention: settings.retention,
                lease: settings.lease,
            },
            peers: Arc::clone(&peers),
            beside: Arc::new(WebhookWorkers(Arc::clone(&webhooks))),
        })
        .await?;
        let api = Api::new(Parts {
            store: Arc::clone(&store),
            front: Arc::clone(&engine) as Arc<dyn engine::front::Front>,
            webhooks: Arc::clone(&webhooks),
            clock,
            steady: steady(),
            ids,
            random,
            settings: settings.api,
            peers,
        })
        .map_err(NodeError::Program)?;
        let stop = CancellationToken::new();
        Ok(Node {
            address,
            allows_private_addresses,
            store,
            place,
            engine,
            server: listen::serve(listener, api.router(), stop.clone()),
            tidying: tokio::spawn(tidy(api, stop.clone())),
            stop,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether providers and webhook endpoints may lie inside the network.
    #[must_use]
    pub fn allows_private_addresses(&self) -> bool {
        self.allows_private_addresses
    }

    /// Where its store is, for people.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The installation's rows.
    #[must_use]
    pub fn registry(&self) -> Arc<dyn Registry> {
        self.store.registry()
    }

    /// Ends once others go on with this node's work, since its lease has ended while it still runs: it
    /// was paused, or could not reach the database. The process is to be ended then, and started anew.
    pub async fn fenced(&self) {
        self.engine.fenced().await;
    }

    /// Begins no new call of a provider from now on; requests are still answered, until [`Self::stop`].
    pub fn begin_stop(&self) {
        self.engine.begin_stop();
    }

    /// Takes nothing more in, finishes what is under way, and closes the store. Within ten seconds:
    /// what is not done by then goes on at the next start.
    ///
    /// # Errors
    /// Those of closing the store; what was answered is durable all the same.
    pub async fn stop(mut self) -> Result<(), StoreError> {
        self.stop.cancel();
        // Those who are being answered get their answer; those who wait for long hear of the stop
        // from the engine.
        let is_done = tokio::time::timeout(REQUESTS_WITHIN, &mut self.server).await.is_ok();
        // Its webhooks with it.
        self.engine.stop().await;
        if !is_done && tokio::time::timeout(CONNECTIONS_WITHIN, &mut self.server).await.is_err() {
            self.server.abort();
        }
        // Writes down when keys were last used, and ends by itself.
        let _ = self.tidying.await;
        self.store.close().await
    }
}

/// The time since the start, for rate limits.
fn steady() -> Steady {
    let start = Instant::now();
    Steady::new(move || start.elapsed())
}

/// What is done for the surface each minute, and once more at the end.
async fn tidy(api: Api, stop: CancellationToken) {
    loop {
        let stopped = tokio::time::timeout(TIDY, stop.cancelled()).await.is_ok();
        if let Err(error) = api.tidy().await {
            tracing::warn!(%error, "when keys were last used is not written down");
        }
        if stopped {
            return;
        }
    }
}
