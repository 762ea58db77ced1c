//! One node: its runtime, engine, REST surface and clock.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use spine::api::conventions::limit::{Rate, Steady};
use spine::api::{Api, Parts};
use spine::engine::front::Front;
use spine::engine::ids::RisingIds;
use spine::engine::{Beside, Clocks, Engine, RealTime, Settings, Setup};
use spine::model::{Clock, Ids, Instant, ScopeId, Span};
use spine::providers::outbound::{self, Outbound};
use spine::store::seal::{Randomness, Scope, SystemRandom};
use spine::store::{NodeId, Peers, Store};
use spine::webhooks::{Outside, Webhooks};
use tokio::runtime::Runtime;

use super::cluster::{LEASE_S, PATIENCE};
use crate::stores::Still;
use crate::world::EngineEvents;

/// Who waits for something asks for it often.
const MANY: Rate = match NonZeroU32::new(1_000_000) {
    Some(many) => Rate { requests_per_second: many, burst: many },
    None => Rate::DEFAULT,
};

struct Nobody;

impl Beside for Nobody {
    fn opened(&self, _: &Arc<Scope>) {}
    fn rests(&self, _: ScopeId) -> Option<Option<Instant>> {
        Some(None)
    }
    fn close(&self, _: ScopeId) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// A running node.
pub(crate) struct Node {
    pub(super) runtime: Option<Runtime>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) id: NodeId,
    pub(super) address: std::net::SocketAddr,
    pub(super) clock: Arc<Still>,
    pub(super) is_paused: std::sync::atomic::AtomicBool,
}

impl Node {
    /// Waits for something at this node.
    pub(crate) fn wait<T>(&self, what: impl Future<Output = T>) -> T {
        let runtime = self.runtime.as_ref().expect("a node that runs");
        runtime.block_on(async { tokio::time::timeout(PATIENCE, what).await.expect("an end") })
    }

    /// Neither killed nor paused.
    pub(super) fn has_time(&self) -> bool {
        self.runtime.is_some() && !self.is_paused.load(Ordering::Acquire)
    }

    pub(super) fn goes_on(&self) -> bool {
        self.has_time() && !self.is_over()
    }

    /// Whether its lease has ended for good.
    pub(super) fn is_fenced(&self) -> bool {
        self.engine.fenced().now_or_never().is_some()
    }

    /// Waits until it takes no more work, which is no work of the store's.
    pub(crate) fn until_over(&self) {
        let begun = std::time::Instant::now();
        while !self.is_over() {
            assert!(begun.elapsed() < PATIENCE, "a node that is not over");
            std::thread::yield_now();
        }
    }

    /// Whether it takes no more work.
    pub(crate) fn is_over(&self) -> bool {
        !self.engine.is_ready()
    }
}

/// As each node and the test itself have one.
pub(super) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// An engine and its REST surface.
pub(super) async fn start(store: Arc<dyn Store>, clock: Arc<Still>) -> (Arc<Engine>, std::net::SocketAddr) {
    let random: Arc<dyn Randomness> = Arc::new(SystemRandom::new());
    let clocks = Arc::new(Clocks::new(Arc::clone(&clock) as Arc<dyn RealTime>));
    let shared = Arc::clone(&clocks) as Arc<dyn Clock>;
    let rising = Arc::new(RisingIds::above(0, Arc::clone(&shared), Arc::clone(&random)));
    let ids = Arc::clone(&rising) as Arc<dyn Ids>;
    let outbound = outbound::Settings { allow_private_addresses: true, ..outbound::Settings::default() };
    let outbound = Outbound::new(outbound).unwrap();
    let peers = Arc::new(Peers::new(store.nodes().as_ref()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let outside = Outside {
        clock: Arc::clone(&shared),
        ids: Arc::clone(&ids),
        events: Arc::new(EngineEvents),
        outbound: outbound.clone(),
        peers: Arc::clone(&peers),
    };
    let webhooks = Arc::new(Webhooks::new(outside, spine::webhooks::Settings::default()));
    let engine = Engine::start(Setup {
        store: Arc::clone(&store),
        clocks,
        ids: rising,
        outbound,
        settings: Settings {
            public_url: format!("http://{address}"),
            lease: Span::from_s(LEASE_S),
            ..Settings::default()
        },
        beside: Arc::new(Nobody),
        peers: Arc::clone(&peers),
    })
    .await
    .unwrap();
    let api = Api::new(Parts {
        store,
        front: Arc::clone(&engine) as Arc<dyn Front>,
        webhooks,
        clock: shared,
        steady: Steady::new(|| Duration::ZERO),
        ids,
        random,
        settings: spine::api::Settings { rate: MANY, ..spine::api::Settings::default() },
        peers,
    })
    .unwrap();
    tokio::spawn(async move { axum::serve(listener, api.router()).await.unwrap() });
    (engine, address)
}
