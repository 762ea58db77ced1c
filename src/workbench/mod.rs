//! What tests, proves, compares and explains policies.
//!
//! **Knows** machines, their runs and what can be said about them for people: what was expected of a
//! run, what of a policy was never come by, sentences about everything that can happen, what changes between two versions, what would have
//! become of real messages under another one. **Does not know** files, the network, the terminal, any
//! clock: texts, timelines and records come in, and results go out as data and as text.

pub mod coverage;
pub mod diff;
pub mod explain;
pub mod generate;
mod places;
pub mod prove;
pub mod replay;
pub mod report;
pub mod suite;
