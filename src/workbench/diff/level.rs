//! How much a change means to the people who are told.

use schemars::JsonSchema;
use serde::Serialize;

/// From nothing to what is noticed most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Nothing changes.
    None,
    /// People are told the same at the same time; what is said of it to the caller and in the audit
    /// differs: statuses, reasons, names, categories.
    Wording,
    /// People are told the same by the same ways, at another time.
    Timing,
    /// Somebody is told by another channel or provider, in fewer messages, not at all, or at last.
    Routing,
    /// Somebody is sent more messages than before.
    MoreSends,
}

impl Level {
    /// From the least.
    pub const ALL: [Level; 5] =
        [Level::None, Level::Wording, Level::Timing, Level::Routing, Level::MoreSends];

    /// As it is written.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Level::None => "none",
            Level::Wording => "wording",
            Level::Timing => "timing",
            Level::Routing => "routing",
            Level::MoreSends => "more-sends",
        }
    }

    /// What it means, in a line.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Level::None => "nothing changes for anybody",
            Level::Wording => {
                "people are told the same at the same time; what callers and the audit read differs"
            }
            Level::Timing => "people are told the same by the same ways, at another time",
            Level::Routing => "somebody is told by another way, less, or where nobody was",
            Level::MoreSends => "somebody is sent more messages than before",
        }
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

impl std::str::FromStr for Level {
    type Err = String;
    fn from_str(text: &str) -> Result<Level, String> {
        let known = Level::ALL.into_iter().find(|level| level.word() == text);
        known.ok_or_else(|| {
            "the levels are `none`, `wording`, `timing`, `routing` and `more-sends`".to_owned()
        })
    }
}
