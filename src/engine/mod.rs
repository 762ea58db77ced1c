//! The engine.

pub mod content;
