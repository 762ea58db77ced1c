#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test says what is wrong by panicking")]
//! The one integration binary: it links once.

mod cases;
mod language;
mod meaning;
mod providers;
mod receiver;
