//! What compiles and is probably not what was meant.
//!
//! **Knows** rules, each in a file of its own with its page and its examples, and how findings are
//! written for people and for programs. **Does not know** the runtime, the store, any I/O: sources
//! come in as text, and what a server knows comes in as a [`Library`].

pub mod report;
pub mod rules;

use crate::language::{Compiled, Diagnostic, Library, Policy, Severity, compile};

/// What a rule looks at: one policy without faults.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The checked policy. Its ranges are bytes of `source`, but those inside a `use`.
    pub policy: &'a Policy,
    /// The text that it stands in.
    pub source: &'a str,
    /// What is known around it.
    pub known: &'a dyn Library,
}

/// A rule: one file, and one line in [`rules::ALL`].
pub trait Rule: Sync {
    /// Its stable, readable name.
    fn name(&self) -> &'static str;
    /// How bad what it finds is.
    fn severity(&self) -> Severity;
    /// Its page: what it finds, why that matters, what to do. Markdown, from its doc comment.
    fn page(&self) -> &'static str;
    /// Texts that it says something about, and texts that it leaves alone.
    fn examples(&self) -> &'static [Example];
    /// Looks at one policy.
    fn check(&self, context: &Context<'_>, out: &mut Vec<Diagnostic>);
}

/// A text on the page of a rule, held by a test.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// The policy text.
    pub source: &'static str,
    /// Whether the rule finds something in it.
    pub fires: bool,
    /// Names of providers that the example's scope has, each for `sms`; none: nothing is known.
    pub providers: &'static [&'static str],
}

/// A source to check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// How findings name it.
    pub path: String,
    /// Its text.
    pub text: String,
    /// The name of its policy, where it holds a bare strategy.
    pub bare_name: Option<String>,
}

/// What was found in a source.
#[derive(Debug, Clone, PartialEq)]
pub struct FileFindings {
    /// How the source is named.
    pub path: String,
    /// Its text.
    pub source: String,
    /// Policies that it holds, those with faults included.
    pub policies: usize,
    /// What was found, in the order of the text.
    pub findings: Vec<Diagnostic>,
}

impl FileFindings {
    /// Whether one is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|f| f.severity == Severity::Error)
    }
}

/// Compiles and lints sources, each by itself.
#[must_use]
pub fn check(sources: &[SourceFile], library: &dyn Library) -> Vec<FileFindings> {
    sources.iter().map(|file| check_one(file, library).1).collect()
}

/// Compiles and lints one source; gives its policies too.
#[must_use]
pub fn check_one(file: &SourceFile, library: &dyn Library) -> (Compiled, FileFindings) {
    let compiled = compile(&file.text, file.bare_name.as_deref(), library);
    let findings = findings(&compiled, &file.text, library);
    let (path, source) = (file.path.clone(), file.text.clone());
    let found = FileFindings { path, source, policies: compiled.found, findings };
    (compiled, found)
}

/// The compiler's findings and those of every rule, in the order of the text.
#[must_use]
pub fn findings(compiled: &Compiled, source: &str, library: &dyn Library) -> Vec<Diagnostic> {
    let mut out = compiled.diagnostics.clone();
    for policy in &compiled.policies {
        let context = Context { policy, source, known: library };
        for rule in rules::ALL {
            rule.check(&context, &mut out);
        }
    }
    out.sort_by(|a, b| (a.at.start, a.at.end, a.rule).cmp(&(b.at.start, b.at.end, b.rule)));
    out
}
