//! Whose rows they are.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One tenant in one environment. Every row of a tenant belongs to exactly one; nothing crosses
/// from one to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScopeId(pub i64);

impl fmt::Display for ScopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The two environments of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// Sandbox providers, and a clock that can be moved on.
    Test,
    /// The real world.
    Live,
}

impl Environment {
    /// `test` or `live`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Environment::Test => "test",
            Environment::Live => "live",
        }
    }
}
