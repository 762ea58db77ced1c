//! The store on SQLite: a folder with a registry, and a file a scope.
//!
//! **Knows** how the rows lie in SQLite, how many of them are written in one statement and one
//! transaction, and what SQLite's errors mean. **Does not know** what the rows mean, and nothing
//! above it names SQLite.
//!
//! A change goes through `writer` (the queue) into a `batch`, is turned into arguments by `encode` and is written by the `desk`, which holds the one connection
//! that writes. `source` holds the other connections.

mod beside;
mod checkpoint;
mod connect;
mod desk;
mod encode;
mod error;
mod folder;
mod health;
mod merge;
mod migrate;
mod prune;
mod registry;
mod registry_rows;
mod retention;
mod scope;
mod shared;
mod source;
mod statement;
mod steps;
mod store;
#[cfg(test)]
mod tests;
mod wal_index;
mod writer;

pub use beside::{Beside, open_beside};
pub use steps::{migrate, plan};
pub use store::{Options, SqliteStore, open, open_registry};
