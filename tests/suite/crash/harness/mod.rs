//! What the tests of crashes are made of: a place where the real program runs, the outside that counts,
//! load, and what is counted at the end. The examples `crashes` and `power_cuts` are made of the same.

pub(crate) mod counted;
pub(crate) mod crashes;
pub(crate) mod cuts;
pub(crate) mod database;
pub(crate) mod disk;
pub(crate) mod gateway;
pub(crate) mod load;
pub(crate) mod log;
pub(crate) mod proxy;
pub(crate) mod server;
pub(crate) mod shim;

use std::time::Duration;

/// A limit for a fault; nothing takes nearly as long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(400);

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Runs a test that ends.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    runtime().block_on(async { tokio::time::timeout(PATIENCE, test).await.expect("a run that ends") })
}
