//! The language server: what it answers, how it keeps to the protocol, and what it survives.

mod cases;
mod client;
mod editors;
mod protocol;
mod random;
