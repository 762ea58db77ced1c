//! The store on PostgreSQL: all tenants' rows in one schema, for one node or several.
//!
//! **Knows** how the rows lie in PostgreSQL, its roles and policies, how a transaction is bound to a
//! scope, and what its errors mean. **Does not know** what the rows mean, and nothing above it names
//! PostgreSQL.
//!
//! A change goes through `writer` (a queue) into a batch, becomes arrays in `encode`, and is written
//! in one transaction by the `desk`: a round trip that begins and reads what the transaction depends
//! on, one statement that writes all tables, and the commit. `source` reads, as the role of requests.

mod beside;
mod bound;
mod column;
mod connect;
mod desk;
mod encode;
mod error;
mod follow;
mod fresh;
mod health;
mod install;
mod listening;
mod lost;
mod news;
mod nodes;
mod parts;
mod plans;
mod prune;
mod registry;
mod registry_rows;
mod retention;
mod scope;
mod shared;
mod source;
mod statement;
mod store;
#[cfg(test)]
mod tests;
mod verdict;
mod writer;

pub use beside::{Beside, open_beside};
pub use install::{LoginFor, grant, grant_sql, migrate, plan};
pub use store::{Options, PostgresStore, open, open_registry};
