//! Spine: a notification spine.
//!
//! `ARCHITECTURE.md` draws the rooms of this crate and says of each what it does not know.

#[macro_use]
mod crash;

pub mod api;
pub mod cli;
pub mod engine;
pub mod language;
pub mod lint;
pub mod lsp;
pub mod machine;
pub mod model;
pub mod providers;
pub mod store;
pub mod webhooks;
pub mod workbench;
