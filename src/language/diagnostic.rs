//! Faults of a text as data: what, where, and what to write instead.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::policy::TextRange;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It does not compile.
    Error,
    /// It compiles and very likely is not what was meant.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    /// `error`, `warning` or `note`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

/// A change of the text that mends a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The bytes that are replaced.
    pub at: TextRange,
    /// By what.
    pub text: String,
}

/// A run that shows what a finding says, in the words that `spine policy simulate` takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counterexample {
    /// What is known of the message and its person, for `--facts`; empty where all is ordinary.
    pub facts: String,
    /// When the message is accepted, for `--at`.
    pub at: String,
    /// What the providers say, for `--script`.
    pub script: String,
    /// What happens, a line an entry: `30s: send sms`.
    pub timeline: Vec<String>,
    /// The file of the providers and prices that it rests on, for `--catalog`; empty where none was given.
    pub catalog: String,
}

/// One finding about a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// A stable, readable name, `unknown-channel`.
    pub rule: &'static str,
    /// How bad.
    pub severity: Severity,
    /// The bytes of the source that it is about.
    pub at: TextRange,
    /// What is wrong: lower case, the user's words in backticks, no line breaks.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Changes that mend it, where they are certain.
    pub fix: Vec<Edit>,
    /// A run that shows it, where it is about what happens.
    pub counterexample: Option<Box<Counterexample>>,
}
