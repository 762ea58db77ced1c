//! Findings as they are written: for people on a terminal, and for programs.

mod human;
mod json;

pub use human::{Style, human, human_one};
pub use json::{Fix, Report, ReportedEdit, ReportedFinding, Summary};
