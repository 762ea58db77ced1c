//! What the engine holds in memory, with real time in the test's hand: messages that wait for long
//! leave it, and so does a scope that nobody uses.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::json;
use spine::engine::front::{Claim, Front as _, Taken};
use spine::engine::ids::RisingIds;
use spine::engine::{Beside, Clocks, Engine, RealTime, Settings, Setup};
use spine::model::{Clock, Currency, Environment, Id, Ids, Instant, ScopeId};
use spine::providers::outbound::Outbound;
use spine::store::rows::IdempotencyKey;
use spine::store::seal::{Randomness, Scope, SystemRandom};
use spine::store::sqlite::{Options, open};
use spine::store::{Store, TenantRow};
use tokio::sync::watch;

/// Real time that stands still until the test moves it.
pub(crate) struct Still {
    now_ms: AtomicI64,
    moved: watch::Sender<()>,
}

impl RealTime for Still {
    fn now(&self) -> Instant {
        Instant::from_ms(self.now_ms.load(Ordering::Relaxed))
    }
    fn sleep_until(&self, at: Instant) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let mut moved = self.moved.subscribe();
        Box::pin(async move { while self.now() < at && moved.changed().await.is_ok() {} })
    }
}

impl Still {
    pub(crate) fn later(&self, seconds: i64) {
        self.now_ms.fetch_add(seconds * 1_000, Ordering::Relaxed);
        self.moved.send_replace(());
    }
}

/// Nothing works on scopes beside the engine.
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

/// A limit for a fault; nothing takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(100);
/// More than are read back at once.
const MESSAGES: u32 = 600;

#[test]
fn what_waits_for_long_leaves_memory_and_comes_back_in_time_and_an_idle_scope_is_closed() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE, waiting()).await.expect("a run that ends");
    });
}

/// An engine over a store of its own, with a tenant.
pub(crate) struct Running {
    pub(crate) real: Arc<Still>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) engine: Arc<Engine>,
    /// The tenant's test scope.
    pub(crate) scope: ScopeId,
    _folder: tempfile::TempDir,
}

impl Running {
    pub(crate) async fn start(settings: Settings) -> Running {
        let folder = tempfile::TempDir::new().unwrap();
        let real =
            Arc::new(Still { now_ms: AtomicI64::new(1_767_614_400_000), moved: watch::Sender::new(()) });
        let random: Arc<dyn Randomness> = Arc::new(SystemRandom::new());
        let options = Options {
            folder: folder.path().join("data"),
            master_key: None,
            now: real.now(),
            random: Arc::clone(&random),
        };
        let store: Arc<dyn Store> = Arc::new(open(options).await.unwrap());
        let clocks = Arc::new(Clocks::new(Arc::clone(&real) as Arc<dyn RealTime>));
        let ids = Arc::new(RisingIds::above(0, Arc::clone(&clocks) as Arc<dyn Clock>, random));
        let tenant = TenantRow {
            id: (ids.as_ref() as &dyn Ids).mint(),
            name: "acme".into(),
            timezone: "UTC".into(),
            currency: Currency::EUR,
            created_at: real.now(),
        };
        let scopes = store.registry().make_tenant(tenant).await.unwrap();
        let scope = scopes.iter().find(|scope| scope.environment == Environment::Test).unwrap().id;
        let engine = Engine::start(Setup {
            store: Arc::clone(&store),
            clocks,
            ids: Arc::clone(&ids),
            outbound: Outbound::new(spine::providers::outbound::Settings::default()).unwrap(),
            settings,
            peers: Arc::new(spine::store::Peers::none()),
            beside: Arc::new(Nobody),
        })
        .await
        .unwrap();
        Running { real, store, engine, scope, _folder: folder }
    }

    /// Sends an SMS by a strategy, under an idempotency key of that number.
    pub(crate) async fn send(&self, scope: &Arc<Scope>, n: u32, strategy: &str) {
        let request = serde_json::from_value(json!({"to": {"sms": "+4366412345678"},
            "content": {"sms": {"body": "now"}}, "strategy": strategy}))
        .unwrap();
        let claim = Claim {
            key: IdempotencyKey(u128::from(n).to_be_bytes()),
            request: [0; 32],
            at: self.real.now(),
            who: Id::from_u128(1),
            request_id: Id::from_u128(1),
        };
        let taken = self.engine.send(Arc::clone(scope), Box::new(request), claim).await;
        assert!(matches!(taken, Ok(Taken::Done(_))));
    }
}

async fn waiting() {
    let running = Running::start(Settings::default()).await;
    let (real, store, engine, id) = (&running.real, &running.store, &running.engine, running.scope);
    let scope = engine.open(id).await.unwrap();
    for n in 0..MESSAGES {
        running.send(&scope, n, "wait 1h then sms").await;
    }
    real.later(76);
    until(|| engine.held() == 0).await;

    real.later(3_600);
    // Sent now, and delivered a second later.
    while !scope.live(0, 1).await.unwrap().is_empty() {
        real.later(1);
        let mut turns = 0;
        until(|| {
            turns += 1;
            turns > 2
        })
        .await;
    }
    let weak = Arc::downgrade(&scope);
    drop(scope);
    until(|| {
        real.later(31);
        weak.upgrade().is_none()
    })
    .await;
    assert_eq!(engine.held(), 0);
    // And it is opened again for who asks.
    assert!(engine.open(id).await.is_ok());
    engine.stop().await;
    store.close().await.unwrap();
}

/// Lets others work until something holds.
pub(crate) async fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
}
