//! What came of tests, for people and for programs.

mod human;
mod json;
mod junit;

use crate::language::Policy;

use super::coverage::{Coverage, Share};
use super::suite::{Case, CaseRun};

pub use human::human;
pub use json::json;
pub use junit::junit;

/// Everything that came of a run of tests.
#[derive(Debug, Default)]
pub struct Tested {
    /// By test file.
    pub files: Vec<TestedFile>,
    /// By policy, where coverage was asked for.
    pub coverage: Vec<CoveredPolicy>,
    /// Whether coverage was asked for.
    pub covers: bool,
    /// The least coverage, in percent.
    pub min: Option<usize>,
    /// How the program is called for one case: the catalog that was given.
    pub catalog: Option<String>,
}

/// What came of a test file.
#[derive(Debug)]
pub struct TestedFile {
    /// Its path.
    pub path: String,
    /// The policy that it is about.
    pub policy: String,
    /// The path of that policy.
    pub policy_path: String,
    /// Whether that file holds several.
    pub is_one_of_several: bool,
    /// Its cases that were run.
    pub cases: Vec<(Case, CaseRun)>,
}

/// What of a policy is covered.
#[derive(Debug)]
pub struct CoveredPolicy {
    /// The policy.
    pub policy: Policy,
    /// The path of its source.
    pub path: String,
    /// Its source.
    pub source: String,
    /// How much.
    pub coverage: Coverage,
}

impl Tested {
    /// Cases that hold, and cases that don't.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let cases = self.files.iter().flat_map(|file| &file.cases);
        let failed = cases.clone().filter(|(_, run)| !run.troubles.is_empty()).count();
        (cases.count() - failed, failed)
    }

    /// How much is covered of all policies together.
    #[must_use]
    pub fn covered(&self) -> Share {
        self.coverage.iter().fold(Share::default(), |all, one| all.plus(one.coverage.all()))
    }

    /// Whether less is covered than was asked for.
    #[must_use]
    pub fn is_below(&self) -> bool {
        self.covers && self.min.is_some_and(|min| self.covered().percent() < min)
    }

    /// Whether everything is as it should be.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.counts().1 == 0 && !self.is_below()
    }
}

impl TestedFile {
    /// The command that plays a case.
    fn command(&self, case: &Case, catalog: Option<&str>) -> String {
        let policy = self.is_one_of_several.then_some(self.policy.as_str());
        case.witness().command(&self.policy_path, policy, catalog)
    }
}
