//! From a tenant's text to a checked policy.
//!
//! **Knows** the grammar, the tree with its spans, types, diagnostics and outcome scripts.
//! **Does not know** what runs a policy, any clock, any I/O.

pub mod condition;
mod diagnostic;
pub mod policy;

pub use diagnostic::{Diagnostic, Edit, Severity};
pub use policy::Policy;
