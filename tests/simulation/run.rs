//! One run of a node: a runtime of its own with the program's engine and webhooks in it. A node whose
//! runtime is not driven is paused, and one whose runtime is dropped is dead.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use futures_util::future::BoxFuture;
use serde_json::Value;
use spine::engine::ids::RisingIds;
use spine::engine::{Beside, Clocks, Engine, RealTime, Settings, Setup, plain_data, read_event};
use spine::model::shapes::Event;
use spine::model::{Clock, Ids, Instant, ScopeId, Span};
use spine::providers::outbound::Outbound;
use spine::store::memory::MemoryNode;
use spine::store::rows::StoredEvent;
use spine::store::seal::{Randomness, Scope};
use spine::store::{Peers, Store, StoreError};
use spine::webhooks::{EventForm, Outside, Resting, Webhooks};
use tokio::runtime::{Builder, Runtime};

use super::core::{Core, NodeTime, RunNo, lock};
use super::gateway::{Gateway, Wire};
use super::random::Guessable;

/// For how long a node is taken to be alive after it was last heard.
pub(crate) const LEASE: Span = Span::from_s(10);

/// Tells when a runtime has nothing to do.
#[derive(Default)]
struct Idle {
    is_idle: AtomicBool,
    main: Mutex<Option<Waker>>,
}

impl Idle {
    /// Called before the runtime's thread would be parked.
    fn note(&self) {
        if let Some(waker) = lock(&self.main).take() {
            self.is_idle.store(true, Ordering::Relaxed);
            waker.wake();
        }
    }
}

/// The program in a node.
pub(crate) struct Program {
    pub(crate) engine: Arc<Engine>,
    pub(crate) node: Arc<MemoryNode>,
}

/// One run.
pub(crate) struct Run {
    pub(crate) no: RunNo,
    pub(crate) name: &'static str,
    /// Nothing of it runs, whatever the world's clock shows.
    pub(crate) paused: bool,
    /// How often in a row it was seen to take no requests.
    pub(crate) useless: u32,
    /// It has been told to stop, and takes nothing more.
    pub(crate) stopping: bool,
    program: Arc<Mutex<Option<Arc<Program>>>>,
    /// How it ended, where it could not start or has stopped.
    ended: Arc<Mutex<Option<Result<(), StoreError>>>>,
    runtime: Option<Runtime>,
    idle: Arc<Idle>,
}

impl Drop for Run {
    fn drop(&mut self) {
        // All its tasks are dropped; nothing of it is waited for.
        lock(&self.program).take();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// What a run is started with.
pub(crate) struct Start {
    pub(crate) core: Arc<Core>,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) node: Arc<MemoryNode>,
    pub(crate) no: RunNo,
    pub(crate) name: &'static str,
    pub(crate) seed: u64,
    pub(crate) ahead_ms: i64,
}

impl Run {
    pub(crate) fn start(start: Start) -> Run {
        let idle = Arc::new(Idle::default());
        let parked = Arc::clone(&idle);
        let runtime = Builder::new_current_thread().on_thread_park(move || parked.note()).build();
        let runtime = runtime.expect("a runtime without a thread of its own");
        let (program, ended) = (Arc::new(Mutex::new(None)), Arc::new(Mutex::new(None)));
        let (made, failed) = (Arc::clone(&program), Arc::clone(&ended));
        let (no, name) = (start.no, start.name);
        runtime.spawn(async move {
            match begin(start).await {
                Ok(program) => {
                    let program = Arc::new(program);
                    *lock(&made) = Some(Arc::clone(&program));
                    // Others go on with its work: the process ends.
                    program.engine.fenced().await;
                    *lock(&failed) = Some(Err(StoreError::Fenced));
                }
                Err(error) => *lock(&failed) = Some(Err(error)),
            }
        });
        Run {
            no,
            name,
            paused: false,
            useless: 0,
            stopping: false,
            program,
            ended,
            runtime: Some(runtime),
            idle,
        }
    }

    /// The program, once it has started.
    pub(crate) fn program(&self) -> Option<Arc<Program>> {
        lock(&self.program).clone()
    }

    /// Whether it has ended by itself, and how.
    pub(crate) fn ended(&self) -> Option<Result<(), StoreError>> {
        lock(&self.ended).clone()
    }

    /// Begins a task in it.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.runtime {
            runtime.spawn(task);
        }
    }

    /// Lets its tasks run until none of them can.
    pub(crate) fn drive(&self) {
        let Some(runtime) = self.runtime.as_ref().filter(|_| !self.paused) else { return };
        self.idle.is_idle.store(false, Ordering::Relaxed);
        runtime.block_on(std::future::poll_fn(|cx| {
            if self.idle.is_idle.load(Ordering::Relaxed) {
                return Poll::Ready(());
            }
            *lock(&self.idle.main) = Some(cx.waker().clone());
            Poll::Pending
        }));
    }

    /// Stops it as a signal from its operator does.
    pub(crate) fn stop(&mut self) {
        self.stopping = true;
        let (program, ended) = (Arc::clone(&self.program), Arc::clone(&self.ended));
        self.spawn(async move {
            let found = lock(&program).clone();
            if let Some(program) = found {
                program.engine.stop().await;
                let _ = program.node.close().await;
            }
            *lock(&ended) = Some(Ok(()));
        });
    }
}

async fn begin(start: Start) -> Result<Program, StoreError> {
    let Start { core, gateway, node, no, seed, ahead_ms, .. } = start;
    let time = Arc::new(NodeTime { core: Arc::clone(&core), run: no, ahead_ms });
    let clocks = Arc::new(Clocks::new(time as Arc<dyn RealTime>));
    let clock = Arc::clone(&clocks) as Arc<dyn Clock>;
    let random: Arc<dyn Randomness> = Arc::new(Guessable::new(seed));
    let ids = Arc::new(RisingIds::above(0, Arc::clone(&clock), random));
    let settings = spine::providers::outbound::Settings {
        allow_private_addresses: true,
        ..spine::providers::outbound::Settings::default()
    };
    let outbound = Outbound::through(Arc::new(Wire { core, gateway, run: no }), settings);
    let store = Arc::clone(&node) as Arc<dyn Store>;
    let peers = Arc::new(Peers::new(store.nodes().as_ref()));
    let outside = Outside {
        clock,
        ids: Arc::clone(&ids) as Arc<dyn Ids>,
        events: Arc::new(EngineEvents),
        outbound: outbound.clone(),
        peers: Arc::clone(&peers),
    };
    let webhooks = Arc::new(Webhooks::new(outside, spine::webhooks::Settings::default()));
    let beside = Arc::new(Workers(webhooks));
    let settings = Settings { lease: LEASE, ..Settings::default() };
    let engine = Engine::start(Setup { store, clocks, ids, outbound, settings, beside, peers }).await?;
    Ok(Program { engine, node })
}

/// The webhooks' workers beside the engine.
struct Workers(Arc<Webhooks>);

impl Beside for Workers {
    fn opened(&self, scope: &Arc<Scope>) {
        self.0.open(scope);
    }
    fn rests(&self, scope: ScopeId) -> Option<Option<Instant>> {
        match self.0.resting(scope) {
            Resting::No => None,
            Resting::Until(at) => Some(at),
        }
    }
    fn close(&self, scope: ScopeId) -> BoxFuture<'_, ()> {
        Box::pin(self.0.close(scope))
    }
}

/// Events as the engine writes them.
struct EngineEvents;

impl EventForm for EngineEvents {
    fn read<'a>(
        &'a self,
        scope: &'a Scope,
        event: &'a StoredEvent,
    ) -> BoxFuture<'a, Result<Event, StoreError>> {
        Box::pin(read_event(scope, event))
    }
    fn plain(&self, data: &Value) -> Vec<u8> {
        plain_data(data)
    }
}
