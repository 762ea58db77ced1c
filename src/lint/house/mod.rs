//! Rules of the house: what policies must be, written in settings instead of code, and decided by the
//! machine's own bounds.

mod kinds;
mod look;

use crate::language::policy::TextRange;
use crate::language::{Counterexample, Diagnostic, Policy, Severity};
use crate::machine::DEFAULT_CATEGORY;
use crate::machine::catalog::Catalog;

use super::settings::Glob;

pub use kinds::KINDS;
pub use look::Look;

/// A kind of requirement: one file, and one line in [`KINDS`].
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// How it is written: `cost_max`.
    pub name: &'static str,
    /// What may stand behind it, for those who wrote something else: ``an amount, such as `0.30 EUR` ``.
    pub takes: &'static str,
    /// What it asks for, on the page.
    pub means: &'static str,
    /// An example of what may stand behind it.
    pub example: &'static str,
    /// Reads what stands behind it.
    pub read: fn(&Given) -> Demanded,
}

/// What is asked for; on a failure, which word is wrong and why, where that can be said.
pub type Demanded = Result<Box<dyn Demand>, Option<String>>;

/// What stands behind the name of a requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// A number.
    Number(u64),
    /// A word, an amount, a duration.
    Text(String),
    /// Several.
    List(Vec<String>),
    /// Something else.
    Other,
}

impl Given {
    /// Words: several, or one.
    #[must_use]
    pub fn words(&self) -> Option<Vec<&str>> {
        match self {
            Given::Text(text) => Some(vec![text.as_str()]),
            Given::List(list) if !list.is_empty() => Some(list.iter().map(String::as_str).collect()),
            Given::List(_) | Given::Number(_) | Given::Other => None,
        }
    }
}

/// What is asked of a policy.
pub trait Demand: std::fmt::Debug + Send + Sync {
    /// Looks at a policy; what is wrong with it, if anything is.
    fn check(&self, look: &Look<'_>) -> Option<Broken>;
    /// The demand in words: ``must cost at most `0.30 EUR` ``.
    fn says(&self) -> String;
    /// Why it cannot be decided by this catalog, if it cannot.
    fn lacks(&self, _: &Catalog) -> Option<String> {
        None
    }
    /// Another of the same.
    fn again(&self) -> Box<dyn Demand>;
}

impl Clone for Box<dyn Demand> {
    fn clone(&self) -> Self {
        self.again()
    }
}

/// A policy that is not what it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Where.
    pub at: TextRange,
    /// What it is instead: ``it can cost `0.45 EUR` ``.
    pub is: String,
    /// What to write.
    pub advice: String,
    /// A run that shows it.
    pub run: Option<Counterexample>,
}

impl Broken {
    /// What is wrong where, without a run.
    #[must_use]
    pub fn new(at: TextRange, is: impl Into<String>) -> Broken {
        Broken { at, is: is.into(), advice: "mend the policy".to_owned(), run: None }
    }

    /// With what to write.
    #[must_use]
    pub fn advised(mut self, advice: impl Into<String>) -> Broken {
        self.advice = advice.into();
        self
    }

    /// With a run that shows it.
    #[must_use]
    pub fn shown(mut self, run: Option<Counterexample>) -> Broken {
        self.run = run;
        self
    }
}

/// A rule of the house.
#[derive(Debug, Clone)]
pub struct HouseRule {
    /// Its name, by which it is allowed and set to a level.
    pub name: &'static str,
    /// What is told where it is broken; else what is asked.
    pub message: Option<String>,
    /// How bad that is.
    pub severity: Severity,
    /// The categories for which it holds; none: for all.
    pub categories: Vec<String>,
    /// The paths for which it holds; none: for all.
    pub paths: Vec<Glob>,
    /// What is asked, all of it.
    pub demands: Vec<Box<dyn Demand>>,
}

impl HouseRule {
    /// What it asks, in words.
    #[must_use]
    pub fn says(&self) -> String {
        let who = match self.categories.as_slice() {
            [] => "every policy".to_owned(),
            some => format!("every {} policy", some.join(" or ")),
        };
        let asked: Vec<String> = self.demands.iter().map(|demand| demand.says()).collect();
        format!("{who} {}", asked.join(", and "))
    }

    /// Whether it holds for a policy at a path, counted from the settings' folder.
    fn holds_for(&self, policy: &Policy, path: &str) -> bool {
        // What says none is of the ordinary one, unless a message's template has another.
        let category = policy.headers.category.as_deref().unwrap_or(DEFAULT_CATEGORY);
        let of_category = self.categories.is_empty() || self.categories.iter().any(|known| known == category);
        of_category && (self.paths.is_empty() || self.paths.iter().any(|glob| glob.matches(path)))
    }

    /// Looks at a policy.
    pub(super) fn check(&self, look: &Look<'_>, path: &str, out: &mut Vec<Diagnostic>) {
        if !self.holds_for(look.policy, path) {
            return;
        }
        for demand in &self.demands {
            let Some(broken) = demand.check(look) else { continue };
            let asked = demand.says();
            let message = match &self.message {
                Some(message) => message.clone(),
                None => format!("`{}` {asked}, and {}", look.policy.name, broken.is),
            };
            let help = match &self.message {
                Some(_) => format!("it {asked}, and {}", broken.is),
                None => format!("{}: this is the rule `{}` of the house", broken.advice, self.name),
            };
            out.push(Diagnostic {
                rule: self.name,
                severity: self.severity,
                at: broken.at,
                message,
                help: Some(help),
                fix: Vec::new(),
                counterexample: broken.run.map(Box::new),
            });
        }
    }
}
