//! From a source to its policies and to everything that is wrong with it, in one pass.

mod comparison;
mod condition;
mod habits;
mod headers;
mod operand;
mod route;
mod stage;
mod strategy;
mod trial;
mod types;
mod unit;
mod value;
mod zone;

use std::collections::BTreeMap;

use crate::model::{Channel, Confirmation, Currency, Money, Span};

use super::diagnostic::{Diagnostic, Edit, Severity};
use super::grammar::{Node, Rule};
use super::policy::{Policy, TextRange};
use super::source::Scan;
use super::{limits, words};

pub(crate) use trial::keeps_comments;
pub(crate) use unit::bad_name;
use unit::{Session, Text, Unit};

/// Whether a policy can have this name.
pub(super) fn is_name(name: &str) -> bool {
    unit::bad_name(name).is_none()
}

/// What the compiler may ask about the world around a source. A policy of the same source wins over
/// the library's.
pub trait Library {
    /// The policy that `use REFERENCE` names: a name, for its newest version, or `name@version`.
    fn policy(&self, reference: &str) -> Option<Used>;

    /// The one currency of the scope, where it is known.
    fn currency(&self) -> Option<Currency> {
        None
    }

    /// The scope's providers, where they are known. The compiler takes every name; the linter asks.
    fn providers(&self) -> Option<Vec<KnownProvider>> {
        None
    }

    /// The scope's templates, where they are known.
    fn templates(&self) -> Option<Vec<KnownTemplate>> {
        None
    }

    /// Whether another policy uses the one of this name, as far as that is known: then nobody knows what
    /// stands before it.
    fn is_used(&self, _name: &str) -> bool {
        false
    }
}

/// Knows nothing: no other policy, no currency, no providers.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLibrary;

impl Library for NoLibrary {
    fn policy(&self, _: &str) -> Option<Used> {
        None
    }
}

/// A policy of the library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// `name@version`, or the bare name where versions are not known.
    pub name_at_version: String,
    /// The source that holds it.
    pub source: String,
    /// Its name in that source; for a bare strategy the name that it was given.
    pub policy_name: String,
    /// [`Policy::uses`] of this version, as they were found when it was published: a `use` in its
    /// source means these versions for ever. Empty where versions are not known.
    pub uses: Vec<String>,
}

/// A provider of the scope.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KnownProvider {
    /// Its name.
    pub name: String,
    /// What it serves, and on each channel what it can confirm beyond acceptance.
    pub channels: Vec<(Channel, Vec<Confirmation>)>,
    /// What an attempt costs, by channel, where that is told.
    pub prices: BTreeMap<Channel, Money>,
    /// How long a confirmation is waited for, where that is told.
    pub horizons: BTreeMap<Channel, Span>,
    /// What it can be told of how long a message is worth delivering, where that is told.
    pub validity: BTreeMap<Channel, Validity>,
}

/// What a provider can be told of how long a message is worth delivering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// Nothing: it delivers whenever it can.
    Untold,
    /// A time of this length at least.
    AtLeast(Span),
}

/// A template of the scope.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KnownTemplate {
    /// Its name.
    pub name: String,
    /// The channels for which it has a body, where that is told.
    pub channels: Option<Vec<Channel>>,
    /// The vars that its bodies use, where that is told.
    pub vars: Option<Vec<String>>,
    /// The policy that it is sent by where a message names none.
    pub policy: Option<String>,
}

/// What came of a source.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Compiled {
    /// The policies without a fault, in the order of the text.
    pub policies: Vec<Policy>,
    /// What is wrong, in the order of the text; at most [`limits::FINDINGS_MAX`].
    pub diagnostics: Vec<Diagnostic>,
    /// Whether the source is a bare strategy.
    pub bare: bool,
    /// Policies that the source holds, those with faults included.
    pub found: usize,
}

impl Compiled {
    /// Whether nothing in the source has a fault.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        !self.diagnostics.iter().any(|d| d.severity == Severity::Error)
    }
}

/// The names in a source, without a check of anything else.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parsed {
    /// The named policies, in the order of the text.
    pub names: Vec<String>,
    /// Whether the source is a bare strategy.
    pub bare: bool,
}

/// The name of a bare strategy to which the caller gives none.
pub const BARE_NAME: &str = "inline";

/// Compiles a source. A bare strategy gets the name `bare_name`, or [`BARE_NAME`].
#[must_use]
pub fn compile(source: &str, bare_name: Option<&str>, library: &dyn Library) -> Compiled {
    compile_pinned(source, bare_name, &[], library)
}

/// Compiles a version that was published, by the versions that its `use`s meant then.
#[must_use]
pub fn compile_version(version: &Used, library: &dyn Library) -> Compiled {
    compile_pinned(&version.source, Some(&version.policy_name), &version.uses, library)
}

fn compile_pinned(source: &str, bare_name: Option<&str>, pins: &[String], library: &dyn Library) -> Compiled {
    let mut compiled = look(source, bare_name, pins, library);
    if !compiled.diagnostics.is_empty() {
        let again = |text: &str| look(text, bare_name, pins, library).diagnostics;
        let plain = |text: &str| checked(text, bare_name, pins, library).diagnostics;
        compiled.diagnostics = trial::told(source, compiled.diagnostics, &again, &plain);
        cut(&mut compiled.diagnostics);
    }
    compiled
}

/// One look at a source: what it tells is right, and what stands behind it may be hidden.
fn look(source: &str, bare_name: Option<&str>, pins: &[String], library: &dyn Library) -> Compiled {
    let mut compiled = checked(source, bare_name, pins, library);
    compiled.diagnostics = habits::understood(source, compiled.diagnostics);
    compiled
}

/// What the checker alone says.
fn checked(source: &str, bare_name: Option<&str>, pins: &[String], library: &dyn Library) -> Compiled {
    let mut session = Session::new(library);
    match Text::read(source) {
        Ok(text) => {
            let mut unit = Unit::of(&text, bare_name, pins);
            let policies = unit.compile_all(&mut session);
            let mut diagnostics = unit.into_diagnostics();
            diagnostics.sort_by_key(|d| (d.at.start, d.at.end));
            let (bare, found) = (policies.bare, policies.found);
            cut(&mut diagnostics);
            Compiled { policies: policies.clean, diagnostics, bare, found }
        }
        Err(fault) => Compiled { diagnostics: vec![fault], ..Compiled::default() },
    }
}

/// The names in a source; empty where it is too large, too deep or no text of the language.
#[must_use]
pub fn parse(source: &str) -> Parsed {
    Text::read(source).map(|text| Unit::of(&text, None, &[]).names()).unwrap_or_default()
}

fn cut(diagnostics: &mut Vec<Diagnostic>) {
    if diagnostics.len() > limits::FINDINGS_MAX {
        diagnostics.truncate(limits::FINDINGS_MAX);
        if let Some(last) = diagnostics.last_mut() {
            *last = Diagnostic {
                rule: "too-many-findings",
                severity: Severity::Error,
                at: last.at.clone(),
                message: format!(
                    "from here on there are more findings than the {} that are told",
                    limits::FINDINGS_MAX
                ),
                help: Some("mend those above and check again".to_owned()),
                fix: Vec::new(),
                counterexample: None,
            };
        }
    }
}

/// Where faults are gathered.
struct Faults<'s> {
    source: &'s str,
    scan: &'s Scan,
    found: Vec<Diagnostic>,
}

impl<'s> Faults<'s> {
    /// Whether a bracket was told that is opened behind a byte and never closed.
    fn has_unclosed_since(&self, start: usize) -> bool {
        self.found.iter().any(|found| found.rule == "unclosed-bracket" && found.at.start >= start)
    }

    fn tell(&mut self, rule: &'static str, at: TextRange, message: String, help: impl Into<String>) {
        self.tell_fix(rule, at, message, help, Vec::new());
    }

    fn tell_fix(
        &mut self,
        rule: &'static str,
        at: TextRange,
        message: String,
        help: impl Into<String>,
        fix: Vec<Edit>,
    ) {
        let help = Some(help.into()).filter(|h| !h.is_empty());
        let at = self.scan.tight(self.source, at);
        self.found.push(Diagnostic {
            rule,
            severity: Severity::Error,
            at,
            message,
            help,
            fix,
            counterexample: None,
        });
    }

    /// A fault that is mended by writing `text` in its place.
    fn tell_replace(&mut self, rule: &'static str, at: TextRange, message: String, text: &str) {
        let at = self.scan.tight(self.source, at);
        let fix = vec![Edit { at: at.clone(), text: text.to_owned() }];
        self.tell_fix(rule, at, message, format!("write `{text}`"), fix);
    }

    fn count(&self) -> usize {
        self.found.len()
    }

    fn text(&self, at: &TextRange) -> &'s str {
        self.source.get(at.clone()).unwrap_or_default()
    }

    /// A node without the blanks and comments behind it.
    fn range(&self, pair: &Node<'_>) -> TextRange {
        self.scan.tight(self.source, pair.start()..pair.end())
    }

    fn quoted(&self, pair: &Node<'_>) -> String {
        words::quoted(&self.scan.folded(self.source, &self.range(pair)))
    }
}
