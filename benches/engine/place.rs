//! A store with tenants, keys, policies, templates and contacts: a data folder, or a database.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use spine::api::conventions::keys::ApiKey;
use spine::api::conventions::limit::Rate;
use spine::api::endpoint::Permission;
use spine::cli::{DatabaseSettings, Node, NodeError, NodeSettings};
use spine::model::{Currency, Environment, Id, ScopeId};
use spine::store::seal::{Randomness as _, SystemRandom};
use spine::store::{KeyRow, RegistryChange, Store, StoreError, TenantRow, postgres, sqlite};
use sqlx::PgConnection;

use crate::client;
use crate::cluster::{Cluster, Database};

/// How many contacts each tenant writes to.
const CONTACTS: usize = 1_000;
/// How long to wait for the folder of a server that was stopped: its last task lets it go.
const LET_GO: Duration = Duration::from_millis(20);
/// The operator's key of a database.
const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// One tenant's test scope.
pub(crate) struct Scope {
    pub(crate) id: ScopeId,
    pub(crate) key: String,
    pub(crate) contacts: Vec<String>,
}

/// Of which store places are made.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Sqlite,
    Postgres(&'static Cluster),
}

/// Where the rows are; it goes with this.
pub(crate) enum Ground {
    Folder(tempfile::TempDir),
    Database(Database),
}

/// A store and who sends by it.
pub(crate) struct Place {
    pub(crate) ground: Ground,
    pub(crate) scopes: Vec<Scope>,
}

impl Place {
    /// With so many tenants, each with all that its messages name.
    pub(crate) async fn make(kind: Kind, tenants: usize) -> Place {
        let ground = match kind {
            Kind::Sqlite => Ground::Folder(tempfile::TempDir::new().unwrap()),
            Kind::Postgres(cluster) => Ground::Database(cluster.database().await),
        };
        let mut place = Place { ground, scopes: Vec::new() };
        let store = place.store().await;
        for tenant in 0..tenants {
            place.scopes.push(make_tenant(store.as_ref(), tenant).await);
        }
        store.close().await.unwrap();
        drop(store);
        let node = place.node().await;
        for scope in &mut place.scopes {
            set_up(&node, scope).await;
        }
        node.stop().await.unwrap();
        place
    }

    /// The data folder of a place that has one.
    pub(crate) fn data(&self) -> PathBuf {
        match &self.ground {
            Ground::Folder(folder) => folder.path().join("data"),
            Ground::Database(database) => panic!("{} is a database", database.name),
        }
    }

    /// The files of all scopes, where each has one.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let folder = self.data().join("scopes");
        self.scopes.iter().map(|scope| folder.join(format!("{}.db", scope.id.0))).collect()
    }

    /// Its store alone.
    pub(crate) async fn store(&self) -> Arc<dyn Store> {
        let random = Arc::new(SystemRandom::new());
        let url = match &self.ground {
            Ground::Database(database) => database.url(),
            Ground::Folder(_) => loop {
                let (folder, random) = (self.data(), Arc::clone(&random) as _);
                let options = sqlite::Options { folder, master_key: None, now: now(), random };
                match sqlite::open(options).await {
                    Err(StoreError::Locked { .. }) => tokio::time::sleep(LET_GO).await,
                    opened => return Arc::new(opened.unwrap()),
                }
            },
        };
        let options = postgres::Options::new(url, Some(MASTER_KEY.into()), random);
        Arc::new(postgres::open(options).await.unwrap())
    }

    /// A server on it, without a limit on requests.
    pub(crate) async fn node(&self) -> Node {
        match &self.ground {
            Ground::Folder(_) => node(NodeSettings::on_loopback(self.data())).await,
            Ground::Database(database) => {
                let mut settings = NodeSettings::on_loopback(".");
                settings.database = Some(DatabaseSettings::at(database.url()));
                settings.master_key = Some(MASTER_KEY.into());
                settings.allow_private_addresses = Some(true);
                node(settings).await
            }
        }
    }

    /// Switches row-level security off or on for the tables that a message is written to. Those have rows
    /// of one scope alone; of others the security picks the scope. The program does not start without.
    pub(crate) async fn secure(&self, is_secure: bool) {
        let Ground::Database(database) = &self.ground else { return };
        let word = if is_secure { "ENABLE" } else { "DISABLE" };
        let tables = [
            "message",
            "content",
            "live",
            "ended",
            "journal",
            "event",
            "attempt",
            "outcome",
            "idempotency",
            "subject",
            "usage",
        ];
        let sql: String =
            tables.iter().map(|of| format!("ALTER TABLE spine.{of} {word} ROW LEVEL SECURITY;")).collect();
        database.run(&sql).await;
    }
}

impl Ground {
    /// A connection to the database that may do everything, where it is one.
    pub(crate) async fn admin(&self) -> Option<PgConnection> {
        match self {
            Ground::Folder(_) => None,
            Ground::Database(database) => Some(database.admin().await),
        }
    }
}

pub(crate) async fn node(mut settings: NodeSettings) -> Node {
    let most = std::num::NonZeroU32::new(1_000_000).unwrap();
    settings.api.rate = Rate { requests_per_second: most, burst: most };
    loop {
        match Node::start(settings.clone()).await {
            Err(NodeError::Store(StoreError::Locked { .. })) => tokio::time::sleep(LET_GO).await,
            started => return started.unwrap(),
        }
    }
}

async fn make_tenant(store: &dyn Store, number: usize) -> Scope {
    let registry = store.registry();
    let row = TenantRow {
        id: Id::from_u128(fresh()),
        name: format!("tenant{number}"),
        timezone: "Europe/Vienna".into(),
        currency: Currency::EUR,
        created_at: now(),
    };
    let scopes = registry.make_tenant(row).await.unwrap();
    let scope = scopes.iter().find(|scope| scope.environment == Environment::Test).unwrap().id;
    let mut random = [0; 25];
    SystemRandom::new().fill(&mut random).unwrap();
    let key = ApiKey::from_random(Environment::Test, &random);
    let row = KeyRow {
        id: Id::from_u128(fresh()),
        scope,
        environment: Environment::Test,
        name: "bench".into(),
        hash: key.hash(),
        hint: key.hint(),
        permissions: Permission::ALL.iter().fold(0, |bits, permission| bits | permission.bit()),
        created_at: now(),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    };
    registry.commit(RegistryChange { keys: vec![row], ..RegistryChange::default() }).await.unwrap();
    Scope { id: scope, key: key.reveal().to_owned(), contacts: Vec::new() }
}

/// A policy with a fallback, a template with two bodies, and people.
async fn set_up(node: &Node, scope: &mut Scope) {
    let mut client = client::Client::connect(node.address(), &scope.key).await;
    let policy = json!({"source": "policy table_ready { whatsapp then sms after 30s unless quota }"});
    client.post("/policies", &policy).await;
    let template = json!({"name": "table_ready", "default_policy": "table_ready", "bodies": [
        {"channel": "whatsapp", "body": "{{ contact.name }}, your table for {{ guests }} is ready."},
        {"channel": "sms", "body": "Your table for {{ guests }} is ready."},
    ]});
    client.post("/templates", &template).await;
    for number in 0..CONTACTS {
        let phone = format!("+43664{number:07}");
        let contact =
            json!({"name": "Ada", "locale": "de-AT", "addresses": {"whatsapp": phone, "sms": phone}});
        let made: Value = client.post("/contacts", &contact).await;
        scope.contacts.push(made["id"].as_str().unwrap().to_owned());
    }
}

/// How long one fsync takes, in milliseconds.
pub(crate) fn fsync_ms() -> f64 {
    let mut file = tempfile::tempfile().unwrap();
    let mut times: Vec<f64> = (0..200)
        .map(|_| {
            file.write_all(&[7; 4096]).unwrap();
            let start = Instant::now();
            file.sync_data().unwrap();
            start.elapsed().as_secs_f64() * 1_000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

pub(crate) fn now() -> spine::model::Instant {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    spine::model::Instant::from_ms(i64::try_from(since.as_millis()).unwrap())
}

/// An id above all that came before.
pub(crate) fn fresh() -> u128 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static LAST: AtomicU64 = AtomicU64::new(0);
    let ms = u128::try_from(now().ms()).unwrap();
    let next = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    // Rises also where two are made in one millisecond, whatever order they are seen in.
    static BASE: std::sync::OnceLock<u128> = std::sync::OnceLock::new();
    (BASE.get_or_init(|| ms << 80)) + (u128::from(next) << 40)
}
