//! What the tests on a real PostgreSQL server share. The store's own cases run in its unit tests.

pub(crate) mod cluster;
mod isolation;
mod pooler;
mod serve;
