//! What is the same for every endpoint, written once and without a word of what the endpoints are
//! about, so that another product can use it too.

pub mod cursor;
pub mod idempotency;
pub mod json;
pub mod keys;
pub mod limit;
pub mod problem;
pub mod routes;
pub mod validate;
