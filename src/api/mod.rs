//! The REST surface.
//!
//! **Knows** HTTP, JSON, keys and permissions, idempotency, cursors, problems, and the shape of
//! each request and answer. **Does not know** SQL, providers, and what a policy means.

pub mod conventions;
