//! What the tests on a real PostgreSQL server share. The store's own cases run in its unit tests.

pub(crate) mod cluster;
mod full;
mod isolation;
mod nodes;
mod pooler;
mod serve;
