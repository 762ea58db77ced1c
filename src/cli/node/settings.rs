//! What a node is started with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::api;
use crate::engine::{self, BreakerSettings, Retention};
use crate::model::{Instant, Span};
use crate::providers::outbound;
use crate::store::seal::SystemRandom;
use crate::store::sqlite::Options;
use crate::webhooks;

/// What a node is started with.
#[derive(Clone)]
pub struct NodeSettings {
    /// The folder of the embedded store.
    pub folder: PathBuf,
    /// The operator's key in base64; a file in the folder, where there is none.
    pub master_key: Option<String>,
    /// Where to listen: an address or a name, and a port; port 0 takes a free one.
    pub listen: String,
    /// How it is reached from outside, without a slash at its end.
    pub public_url: Option<String>,
    /// Whether providers and webhook endpoints may lie inside the network; where nothing is said,
    /// they may on a node that listens on loopback.
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

    pub(super) fn store_options(&self) -> Options {
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
