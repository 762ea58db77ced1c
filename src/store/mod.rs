//! Rows, one write path, and queries.
//!
//! **Knows** which rows there are, that a [`Change`] is written whole or not at all, how a scope's
//! rows are kept apart from every other scope's, and how personal data is sealed.
//! **Does not know** policies, providers, HTTP and what the bytes in its rows mean: an instance, a
//! journal body and an answer are bytes with a version to it. It has no clock: an instant is
//! always handed in.
//!
//! The way in is [`Store`]: it opens a [`Registry`] and, for each scope, a [`Scope`]. All writing
//! goes through [`ScopeRows::commit`]; concurrent changes share one transaction.

mod change;
#[cfg(test)]
mod conformance;
mod error;
mod forms;
mod group;
mod installation;
mod lookup;
#[cfg(feature = "simulation")]
pub mod memory;
mod nodes;
mod open;
mod page;
mod peers;
pub mod postgres;
mod rare;
mod read;
mod registry;
mod retention;
pub mod rows;
mod schema;
mod scope;
pub mod seal;
pub mod sqlite;

use crate::model::Span;

pub use change::{
    Applied, Change, Committed, ConsentChange, ContactChange, EndpointChange, KeepAnswer, MessageChange,
    MessageStep, ProviderChange, Put, Unsettled, UsageDelta, VersionChange,
};
pub use error::StoreError;
pub use installation::{Finding, Found, Installation, Late, ScopeHealth, Severity};
pub use nodes::{Alone, Company, Generation, NodeId, Nodes, Seen};
pub use page::{Listed, Page, PageStart, Positioned};
pub use peers::{Known, Part, Peers};
pub use registry::{
    KeyRow, NewScope, Registry, RegistryAudit, RegistryChange, RegistryCommitted, ScopeRow, TenantRow,
};
pub use retention::{Dropped, Old, Pruned, PrunedAudit, Removed};
pub use schema::SchemaStep;
pub use scope::{Answer, ScopeRows, Store};

/// How long after its beginning the counter of a quota's window is kept: longer than any window that
/// still counts.
pub const USAGE_KEPT: Span = Span::from_s(62 * 24 * 60 * 60);

/// The place of a row in its table, given in the commit that wrote it. Strictly rising within a
/// table, so that one who reads on from a position misses no row.
pub type Position = i64;
