//! Policy tests: `*.test.yaml` beside the policies.

mod edit;
mod expect;
mod read;
mod run;
mod sense;

use std::collections::BTreeMap;

use crate::language::facts_text::GivenFacts;
use crate::language::script::Scripts;
use crate::language::yaml::Place;
use crate::machine::Witness;
use crate::model::Instant;

pub use edit::{CannotEdit, NewCase, added, recorded};
pub use expect::{EventPattern, Expected, Row, end_line, entry_line};
pub(crate) use expect::{channel_of, event};
pub use read::{Fault, read};
pub use run::{CaseRun, Pair, Trouble, run};
pub(crate) use sense::unknown_provider;
pub use sense::{check, odd_facts};

/// A test file.
#[derive(Debug, Clone, PartialEq)]
pub struct Suite {
    /// How it is named.
    pub path: String,
    /// Its text.
    pub text: String,
    /// The policy that it is about.
    pub policy: String,
    /// Where that is named.
    pub policy_at: Place,
    /// Its cases, in order.
    pub cases: Vec<Case>,
    /// What must hold of everything that can happen, in order.
    pub invariants: Vec<Invariant>,
}

/// One run with what is expected of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Its name, unique in the file.
    pub name: String,
    /// Where it stands.
    pub at: Place,
    /// What is known.
    pub facts: GivenFacts,
    /// What providers say, read.
    pub scripts: Scripts,
    /// The same, as written, by key.
    pub script_texts: BTreeMap<String, String>,
    /// When the request is accepted.
    pub accepted_at: Instant,
    /// What is expected, in order; `None` where nothing is said.
    pub expect: Option<Vec<(Expected, Place)>>,
}

impl Case {
    /// The facts, the instant and the scripts.
    #[must_use]
    pub fn witness(&self) -> Witness {
        Witness { facts: self.facts.clone(), at: self.accepted_at, scripts: self.script_texts.clone() }
    }
}

/// A sentence that must hold of everything that can happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invariant {
    /// `never` or `always`.
    pub word: InvariantWord,
    /// What stands behind it.
    pub text: String,
    /// Where that stands.
    pub at: Place,
}

/// How an invariant begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvariantWord {
    /// It must not happen.
    Never,
    /// It must happen.
    Always,
}

impl InvariantWord {
    /// `never` or `always`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            InvariantWord::Never => "never",
            InvariantWord::Always => "always",
        }
    }
}
