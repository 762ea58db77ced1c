//! Sentences about everything that can happen: `never: send sms when quota.sms is used`,
//! `always: send or end within 15m`.
//!
//! They are decided over every outcome and every choice of facts that can make a difference. One that
//! is broken comes with a shortest script that breaks it.

mod condition;
mod decide;
mod report;
mod sentence;

pub use decide::{Proof, Verdict, prove};
pub use report::{Proved, human, json};
pub use sentence::Sentence;
