#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what is wrong by panicking"
)]
//! The one integration binary: it links once.

mod advice;
mod api;
mod architecture;
mod bad_input;
mod cases;
mod check;
mod cli;
mod corpus;
mod crash;
mod engine;
mod engine_hooks;
mod engine_live;
mod engine_whole;
mod front;
mod held;
mod histories;
mod invariants;
mod language;
mod lsp;
mod machine;
mod meaning;
mod memory;
mod names;
mod nodes;
mod postgres;
mod process;
mod providers;
mod receiver;
mod reference;
mod retention;
mod shares;
mod stores;
mod webhooks;
mod workbench;
mod world;
