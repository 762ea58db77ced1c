//! `spine serve`.

mod first;
mod logs;
mod signals;

use std::process::ExitCode;

use super::config::{Config, Listen, LogLevel};
use super::node::{Node, NodeSettings};
use super::operator::{Operator, Where};
use super::{CliError, terminal};
use crate::api::BASE_PATH;
use crate::store::StoreError;

/// Run the server: the API, the engine and the webhooks
///
/// At a first start it makes a tenant called `default` and prints a test key, once. Stops cleanly
/// within ten seconds on SIGTERM and on Ctrl-C.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  spine serve\n  \
    SPINE_MASTER_KEY=… spine serve --database-url postgres://spine_app@db.example/spine\n  \
    spine serve --config spine.yaml --data /var/lib/spine --listen 0.0.0.0:8080")]
pub(crate) struct Args {
    #[command(flatten)]
    place: Where,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", env = "SPINE_LISTEN")]
    listen: Option<Listen>,
    /// How much is logged: `error`, `warn`, `info`, `debug` or `trace`
    #[arg(long, value_name = "LEVEL", env = "SPINE_LOG")]
    log: Option<LogLevel>,
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let mut config = self.place.settings()?;
        if let Some(listen) = self.listen {
            config.server.listen = listen;
        }
        if let Some(level) = self.log {
            config.log.level = level;
        }
        logs::start(&config.log);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(serve(&config))?;
        // What hangs on beyond the stop was told that it is not waited for.
        runtime.shutdown_background();
        Ok(ExitCode::SUCCESS)
    }
}

async fn serve(config: &Config) -> Result<(), CliError> {
    // From the first moment on: a stop that comes while the store is opened is a clean one too.
    let mut signals = signals::Signals::listen()?;
    let node = Node::start(node_settings(config)).await?;
    first::greet(&Operator::of(node.registry())).await?;
    tell_start(config, &node);
    let why = tokio::select! {
        why = signals.next() => why,
        () = node.fenced() => return Err(StoreError::Fenced.into()),
    };
    node.begin_stop();
    terminal::tell(&format!("spine: stopping on {why}"));
    tokio::select! {
        stopped = node.stop() => stopped?,
        why = signals.next() => {
            return Err(CliError::Refused(format!("stopped at once on a second {why}")));
        }
    }
    terminal::tell("spine: stopped");
    Ok(())
}

fn tell_start(config: &Config, node: &Node) {
    let address = node.address();
    terminal::tell(&format!(
        "spine {} serves http://{address}{BASE_PATH} from {}",
        env!("CARGO_PKG_VERSION"),
        node.place()
    ));
    if node.allows_private_addresses() && config.outbound.allow_private_addresses.is_none() {
        terminal::tell(
            "Webhook endpoints and providers may lie on private addresses, since the embedded store is served on loopback; \
             `outbound.allow_private_addresses: false` refuses them.",
        );
    }
    if address.ip().is_unspecified() && config.server.public_url.is_none() {
        terminal::tell(
            "Providers cannot reach this server for their receipts before `server.public_url` is set.",
        );
    }
}

/// The settings of the file, as a node takes them.
fn node_settings(config: &Config) -> NodeSettings {
    NodeSettings {
        folder: config.data.clone(),
        database: config.database(),
        master_key: std::env::var("SPINE_MASTER_KEY").ok(),
        listen: config.server.listen.0.clone(),
        public_url: config.server.public_url.as_ref().map(|url| url.0.clone()),
        allow_private_addresses: config.outbound.allow_private_addresses,
        provider_calls: config.providers.calls(),
        webhook_calls: config.webhooks.calls.calls(),
        webhooks: config.webhooks.settings(),
        breaker: config.breaker.settings(),
        retention: config.retention.settings(),
        lease: config.node.lease(),
        api: config.limits.settings(),
    }
}
