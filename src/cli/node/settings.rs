//! What a node is started with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::api;
use crate::engine::{self, BreakerSettings, Retention};
use crate::model::{Instant, Span};
use crate::providers::outbound;
use crate::store::postgres;
use crate::store::seal::SystemRandom;
use crate::store::sqlite::Options;
use crate::webhooks;

/// What a node is started with.
#[derive(Clone)]
pub struct NodeSettings {
    /// The folder of the embedded store.
    pub folder: PathBuf,
    /// The database that is used instead.
    pub database: Option<DatabaseSettings>,
    /// The operator's key in base64; a file in the folder, where there is none.
    pub master_key: Option<String>,
    /// Where to listen: an address or a name, and a port; port 0 takes a free one.
    pub listen: String,
    /// How it is reached from outside, without a slash at its end.
    pub public_url: Option<String>,
    /// Whether providers and webhook endpoints may lie inside the network; where nothing is said,
    /// they may where the embedded store is served on loopback.
    pub allow_private_addresses: Option<bool>,
    /// Times of calls to providers.
    pub provider_calls: Calls,
    /// Times of calls to webhook endpoints.
    pub webhook_calls: Calls,
    /// How many tries go on at once.
    pub webhooks: webhooks::Settings,
    /// The figures of the breakers.
    pub breaker: BreakerSettings,
    /// How long what is done with is kept.
    pub retention: Retention,
    /// For how long this node is taken to be alive after it was last heard, where it is one of several.
    pub lease: Span,
    /// Limits of the REST surface.
    pub api: api::Settings,
}

/// A PostgreSQL database, shared by any number of nodes.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseSettings {
    /// `postgres://user:password@host:5432/database`.
    pub url: String,
    /// What this node is called; the name of the host where nothing is said.
    pub node_name: Option<String>,
    /// The most connections that write, and as many that read.
    pub connections_max: u32,
    /// Whether nodes hear of each other by LISTEN.
    pub listens: bool,
    /// Whether statements stay prepared.
    pub prepares: bool,
}

impl std::fmt::Debug for DatabaseSettings {
    /// Never the URL: it may hold the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatabaseSettings").field("node_name", &self.node_name).finish_non_exhaustive()
    }
}

impl DatabaseSettings {
    /// All but the URL by default.
    #[must_use]
    pub fn at(url: impl Into<String>) -> DatabaseSettings {
        DatabaseSettings {
            url: url.into(),
            node_name: None,
            connections_max: 8,
            listens: true,
            prepares: true,
        }
    }

    /// As the store is opened with it.
    #[must_use]
    pub fn options(&self, master_key: Option<String>) -> postgres::Options {
        let random = Arc::new(SystemRandom::new());
        let options = postgres::Options::new(self.url.clone(), master_key, random);
        postgres::Options {
            node_name: self.node_name.clone().unwrap_or_else(host),
            connections_max: (self.connections_max, self.connections_max),
            listens: self.listens,
            prepares: self.prepares,
            ..options
        }
    }
}

fn host() -> String {
    let from_kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let named = from_kernel.or_else(|| std::env::var("HOSTNAME").ok());
    named
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "spine".to_owned())
}

/// Times of calls that leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calls {
    /// From the name's resolution to the end of the TLS handshake.
    pub connect_time_max: Duration,
    /// The whole call.
    pub call_time_max: Duration,
}

impl Default for Calls {
    fn default() -> Calls {
        let outbound::Settings { connect_time_max, call_time_max, .. } = outbound::Settings::default();
        Calls { connect_time_max, call_time_max }
    }
}

impl Calls {
    pub(super) fn outbound(self, allow_private_addresses: bool) -> outbound::Settings {
        let Calls { connect_time_max, call_time_max } = self;
        outbound::Settings { allow_private_addresses, connect_time_max, call_time_max }
    }
}

impl NodeSettings {
    /// A node on a folder, on a free port of loopback, all else by default.
    #[must_use]
    pub fn on_loopback(folder: impl Into<PathBuf>) -> NodeSettings {
        NodeSettings {
            folder: folder.into(),
            database: None,
            master_key: None,
            listen: "127.0.0.1:0".to_owned(),
            public_url: None,
            allow_private_addresses: None,
            provider_calls: Calls::default(),
            webhook_calls: Calls::default(),
            webhooks: webhooks::Settings::default(),
            breaker: BreakerSettings::default(),
            retention: Retention::default(),
            lease: engine::Settings::default().lease,
            api: api::Settings::default(),
        }
    }

    /// The database, where one is named.
    pub(super) fn database_options(&self) -> Option<postgres::Options> {
        let options = self.database.as_ref()?.options(self.master_key.clone());
        Some(postgres::Options { lease: self.lease, ..options })
    }

    pub(super) fn folder_options(&self) -> Options {
        Options {
            folder: self.folder.clone(),
            master_key: self.master_key.clone(),
            now: now(),
            random: Arc::new(SystemRandom::new()),
        }
    }
}

/// The operating system's clock.
fn now() -> Instant {
    use crate::engine::RealTime as _;
    crate::engine::SystemTime.now()
}
