//! `# spine: allow RULE -- REASON` in a text: what it covers, and what is wrong with it.

mod apply;
mod read;
pub mod rules;

use crate::language::policy::TextRange;

pub(super) use apply::{Known, apply};
pub use read::{Allow, AllowName, Instruction, instructions};

/// What a comparison of two versions takes instead of a rule's name: how much a change may change.
/// The linter leaves these to it.
pub const CHANGES: [&str; 4] = ["wording", "timing", "routing", "more-sends"];

/// The most names that one comment lists.
const NAMES_MAX: usize = 20;

/// The instruction, as it is written.
const SHAPE: &str = "# spine: allow RULE -- REASON";

/// What a comment covers.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Covers {
    /// It stands behind something: what touches its line.
    Line(TextRange),
    /// It stands alone: what begins in the line or the statement after it.
    Next(TextRange),
}

impl Covers {
    fn has(&self, at: &TextRange) -> bool {
        match self {
            Covers::Line(line) => at.start < line.end && (at.end > line.start || at.start >= line.start),
            Covers::Next(range) => at.start >= range.start && at.start < range.end.max(range.start + 1),
        }
    }
}
