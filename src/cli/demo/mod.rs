//! `spine demo`: everything once, over HTTP, against a server of its own on a temporary folder.

mod audit;
mod client;
mod paint;
mod receiver;
mod story;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::node::{Node, NodeSettings};
use super::operator::Operator;
use super::{CliError, FOUND, terminal};
use crate::api::endpoint::Permission;
use crate::model::{Currency, Environment};
use crate::store::seal::{Randomness as _, SystemRandom};
use client::Client;
use paint::Paint;
use receiver::Receiver;
use story::Story;

/// The whole of it, at most.
const WITHIN: Duration = Duration::from_secs(60);
const TENANT: &str = "demo";

/// Run everything once, on a temporary database: a message, its fallback, its webhooks, its audit
///
/// A tenant, a policy with a fallback, a template, a contact, and a webhook receiver that verifies
/// signatures. WhatsApp stays silent, the test clock moves on, and the SMS goes out. Nothing to
/// configure, and nothing is left behind. Exit codes: 0 all went as told, 1 something did not.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  spine demo")]
pub(crate) struct Args {}

/// Why the demo ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// It could not run.
    #[error(transparent)]
    Cli(#[from] CliError),
    /// Something was not as it should be.
    #[error("not as expected: {0}")]
    Unexpected(String),
}

impl From<super::NodeError> for DemoError {
    fn from(error: super::NodeError) -> DemoError {
        DemoError::Cli(error.into())
    }
}

impl From<crate::store::StoreError> for DemoError {
    fn from(error: crate::store::StoreError) -> DemoError {
        DemoError::Cli(error.into())
    }
}

impl From<std::io::Error> for DemoError {
    fn from(error: std::io::Error) -> DemoError {
        DemoError::Cli(error.into())
    }
}

/// Something that should hold, told where it does not.
fn expect(holds: bool, what: impl FnOnce() -> String) -> Result<(), DemoError> {
    if holds { Ok(()) } else { Err(DemoError::Unexpected(what())) }
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let done = runtime.block_on(async {
            let told = || DemoError::Unexpected(format!("it took longer than {} s", WITHIN.as_secs()));
            tokio::time::timeout(WITHIN, run()).await.unwrap_or_else(|_| Err(told()))
        });
        runtime.shutdown_background();
        match done {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(DemoError::Cli(error)) => Err(error),
            Err(error) => {
                terminal::tell(&format!("spine demo: {error}"));
                Ok(ExitCode::from(FOUND))
            }
        }
    }
}

async fn run() -> Result<(), DemoError> {
    let folder = Folder::make()?;
    let node = Node::start(NodeSettings::on_loopback(folder.0.clone())).await?;
    let told = tell(&node).await;
    // What the story found comes first; a stop that fails after it is told as well.
    let stopped = node.stop().await;
    told?;
    Ok(stopped?)
}

async fn tell(node: &Node) -> Result<(), DemoError> {
    let operator = Operator::of(node.registry());
    operator.make_tenant(TENANT, "Europe/Vienna", Currency::EUR).await?;
    let made = operator.make_key(TENANT, Environment::Test, "demo", &Permission::ALL).await?;
    let story = Story {
        client: Client::new(node.address(), made.key)?,
        receiver: Receiver::start().await?,
        paint: Paint { colour: terminal::stdout_has_colour() },
    };
    story.tell().await
}

/// A folder that goes when this goes.
struct Folder(PathBuf);

impl Folder {
    fn make() -> Result<Folder, DemoError> {
        let mut random = [0; 8];
        SystemRandom::new().fill(&mut random)?;
        let path = std::env::temp_dir().join(format!("spine-demo-{:016x}", u64::from_ne_bytes(random)));
        std::fs::create_dir(&path)?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
