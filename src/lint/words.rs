//! The names that a comment may allow and a level may be set for.

use crate::language::Diagnostic;
use crate::language::words::near;

use super::allow::Known;
use super::settings::is_held;
use super::{Settings, keeps_from_compiling, rules};

/// Whether a name is that of a rule of the linter or of the house, rather than one of the compiler's.
pub(super) fn is_of_the_linter(name: &str) -> bool {
    is_rule(name) || is_held(name)
}

/// Whether a name is that of a rule of the linter; what the compiler finds has pages, and is none.
fn is_rule(name: &str) -> bool {
    rules::ALL.iter().any(|rule| rule.name() == name)
}

/// The names under some settings.
pub(super) struct Names<'a> {
    pub(super) settings: &'a Settings,
    pub(super) has_providers: bool,
}

impl Known for Names<'_> {
    fn has(&self, name: &str) -> bool {
        is_rule(name) || self.settings.house.iter().any(|rule| rule.name == name)
    }

    fn is_of_the_compiler(&self, name: &str) -> bool {
        !self.has(name) && rules::find(name).is_some()
    }

    fn near(&self, name: &str) -> Option<&str> {
        let all = rules::ALL.iter().map(|rule| rule.name());
        near(name, all.chain(self.settings.house.iter().map(|rule| rule.name)))
    }

    fn is_whole(&self) -> bool {
        self.settings.house_is_known
    }

    fn could_find(&self, name: &str) -> bool {
        // A rule whose every example needs providers finds nothing where none are known.
        self.has_providers
            || rules::find(name).is_none_or(|rule| {
                rule.examples().iter().any(|example| example.fires && example.providers.is_empty())
            })
    }

    fn keeps_from_compiling(&self, finding: &Diagnostic) -> bool {
        keeps_from_compiling(finding)
    }
}
