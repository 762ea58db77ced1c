//! What somebody set for the linter: levels by rule and path, and rules of the house.

mod glob;
mod names;
mod paths;

use std::collections::BTreeMap;

use crate::language::{Diagnostic, Severity};
use crate::machine::catalog::Catalog;

use super::house::HouseRule;

pub use glob::{Glob, GlobError};
pub use names::held_name;
pub(super) use names::is_held;
pub use paths::Root;

/// How a rule's findings count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// Not told.
    Off,
    /// Told as this.
    At(Severity),
}

impl Level {
    /// The words for levels.
    pub const WORDS: [&'static str; 4] = ["off", "note", "warning", "error"];

    /// The level of a word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Level> {
        Some(match word {
            "off" => Level::Off,
            "note" => Level::At(Severity::Note),
            "warning" => Level::At(Severity::Warning),
            "error" => Level::At(Severity::Error),
            _ => return None,
        })
    }
}

/// Levels for some paths.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Override {
    /// Where they hold.
    pub paths: Vec<Glob>,
    /// By the name of the rule.
    pub rules: BTreeMap<String, Level>,
}

/// All that somebody set.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Levels that hold everywhere.
    pub rules: BTreeMap<String, Level>,
    /// Levels that hold somewhere; of several the last counts.
    pub overrides: Vec<Override>,
    /// The rules of the house.
    pub house: Vec<HouseRule>,
    /// Whether the rules of the house were looked for, so that a name that is none of them is wrong.
    pub house_is_known: bool,
    /// The providers by which they are decided.
    pub catalog: Catalog,
    /// From where paths count.
    pub root: Root,
}

impl Settings {
    /// The levels that hold for a path.
    #[must_use]
    pub fn levels_of(&self, path: &str) -> Levels<'_> {
        if self.rules.is_empty() && self.overrides.is_empty() {
            return Levels::default();
        }
        let path = self.root.path_of(path);
        let hold = |o: &&Override| o.paths.iter().any(|glob| glob.matches(&path));
        Levels { everywhere: Some(&self.rules), here: self.overrides.iter().filter(hold).collect() }
    }
}

/// The levels of one path.
#[derive(Debug, Clone, Default)]
pub struct Levels<'a> {
    everywhere: Option<&'a BTreeMap<String, Level>>,
    here: Vec<&'a Override>,
}

impl Levels<'_> {
    /// The level of a rule, where one was set.
    #[must_use]
    pub fn of(&self, rule: &str) -> Option<Level> {
        let here = self.here.iter().rev().find_map(|o| o.rules.get(rule));
        here.or_else(|| self.everywhere?.get(rule)).copied()
    }

    /// Gives findings their levels; those that are off go. What keeps a policy from compiling stays.
    pub(super) fn apply(&self, findings: &mut Vec<Diagnostic>, compiles: impl Fn(&Diagnostic) -> bool) {
        if self.everywhere.is_none() {
            return;
        }
        findings.retain_mut(|finding| match self.of(finding.rule).filter(|_| compiles(finding)) {
            Some(Level::Off) => false,
            Some(Level::At(severity)) => {
                finding.severity = severity;
                true
            }
            None => true,
        });
    }
}
