//! The machine from outside: single steps, and properties that hold of every policy.

mod bounds;
mod doubt;
pub(crate) mod driver;
mod explain;
mod explore;
mod format;
pub(crate) mod generator;
mod picture;
pub(crate) mod properties;
mod steps;
