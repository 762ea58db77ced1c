//! What is done with a text from outside, and what must hold of it whatever it is.
//!
//! Each module has `look_at(bytes)`, which panics where something does not hold. The fuzzer calls it
//! with what it makes up; the tests of the project (`tests/suite/bad_input.rs`, which includes this
//! file) call it with the committed corpus.

pub mod api;
pub mod callback;
mod pointer;
pub mod policy;
pub mod script;
mod told;
