//! What the tests on a real PostgreSQL server share. The store's own cases run in its unit tests.

#[expect(dead_code, reason = "the unit tests of the store use the rest")]
mod cluster;
mod isolation;
mod serve;
