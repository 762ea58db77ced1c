//! What compiles and is probably not what was meant.
//!
//! **Knows** rules, each in a file of its own with its page and its examples, and how findings are
//! written for people and for programs. **Does not know** the runtime, the store, any I/O: sources
//! come in as text, and what a server knows comes in as a [`Library`].

pub mod allow;
pub mod analysis;
pub mod baseline;
pub mod faults;
mod fingerprint;
mod fix;
pub mod house;
pub mod pages;
pub mod report;
pub mod rules;
pub mod settings;
pub mod twice;
mod words;

use crate::language::policy::TextRange;
use analysis::{Analysis, catalog_of};

use crate::language::{Compiled, Diagnostic, Library, Policy, Severity, compile};

pub use fingerprint::{Fingerprints, fingerprints};
pub use fix::{Mended, mend};
pub use settings::Settings;

/// What a rule looks at: one policy without faults.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The checked policy. Its ranges are bytes of `source`, but those inside a `use`.
    pub policy: &'a Policy,
    /// The text that it stands in.
    pub source: &'a str,
    /// What is known around it.
    pub known: &'a dyn Library,
    /// What all rules share about it: computed once, and only as far as a rule asks.
    pub analysis: &'a Analysis<'a>,
    /// Whether another policy of the same text uses this one.
    pub used_here: bool,
}

impl Context<'_> {
    /// Whether another policy uses this one, in the same text or elsewhere: then what stands before it is
    /// not known here, and is looked at where it is used.
    #[must_use]
    pub fn is_used(&self) -> bool {
        self.used_here || self.known.is_used(&self.policy.name)
    }
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
    /// Whether what it finds is left out where another rule, with a warning at that place, says why.
    fn gives_way(&self) -> bool {
        false
    }
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
    /// The providers that the example's scope has, `meta: whatsapp 0.05 EUR delivered read`: a name,
    /// a channel (else `sms`), a price, and what it confirms (else what the channel can; `nothing`).
    /// None: nothing is known.
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
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FileFindings {
    /// How the source is named.
    pub path: String,
    /// Its text.
    pub source: String,
    /// Policies that it holds, those with faults included.
    pub policies: usize,
    /// What was found, in the order of the text.
    pub findings: Vec<Diagnostic>,
    /// What was found and set aside, with who did it.
    pub allowed: Vec<Allowed>,
}

/// A finding that was set aside.
#[derive(Debug, Clone, PartialEq)]
pub struct Allowed {
    /// What was found.
    pub finding: Diagnostic,
    /// Who set it aside.
    pub by: AllowedBy,
}

/// Who set a finding aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedBy {
    /// A comment in the text.
    Comment {
        /// The comment.
        at: TextRange,
        /// What it says why.
        reason: Option<String>,
    },
    /// A baseline: it stood when the rule was adopted.
    Baseline,
}

impl FileFindings {
    /// Whether one is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|f| f.severity == Severity::Error)
    }
}

/// Whether a finding is one of the compiler's that keep a policy from being one: no comment allows
/// it, no level and no baseline sets it aside.
#[must_use]
pub fn keeps_from_compiling(finding: &Diagnostic) -> bool {
    finding.severity == Severity::Error && !words::is_of_the_linter(finding.rule)
}

/// Compiles and lints sources, each by itself.
#[must_use]
pub fn check(sources: &[SourceFile], library: &dyn Library) -> Vec<FileFindings> {
    sources.iter().map(|file| check_one(file, library).1).collect()
}

/// Compiles and lints one source; gives its policies too.
#[must_use]
pub fn check_one(file: &SourceFile, library: &dyn Library) -> (Compiled, FileFindings) {
    check_by(file, library, &Settings::default())
}

/// The same, by what somebody set.
#[must_use]
pub fn check_by(file: &SourceFile, library: &dyn Library, settings: &Settings) -> (Compiled, FileFindings) {
    let compiled = compile(&file.text, file.bare_name.as_deref(), library);
    let (findings, allowed) = sifted(&compiled, &file.text, &file.path, library, settings);
    let (path, source) = (file.path.clone(), file.text.clone());
    let found = FileFindings { path, source, policies: compiled.found, findings, allowed };
    (compiled, found)
}

/// The compiler's findings and those of every rule, in the order of the text, without those that the
/// text allows.
#[must_use]
pub fn findings(compiled: &Compiled, source: &str, library: &dyn Library) -> Vec<Diagnostic> {
    sifted(compiled, source, "", library, &Settings::default()).0
}

fn sifted(
    compiled: &Compiled,
    source: &str,
    path: &str,
    library: &dyn Library,
    settings: &Settings,
) -> (Vec<Diagnostic>, Vec<Allowed>) {
    let mut out = compiled.diagnostics.clone();
    let house_path = if settings.house.is_empty() { String::new() } else { settings.root.path_of(path) };
    let catalog = catalog_of(library);
    // A `use` that names no policy may mean each of them.
    let has_unknown = compiled.diagnostics.iter().any(|found| found.rule == "unknown-policy");
    for policy in &compiled.policies {
        let analysis = Analysis::of(policy, &catalog);
        let used_here =
            has_unknown || compiled.policies.iter().any(|other| other.uses.contains(&policy.name));
        let context = Context { policy, source, known: library, analysis: &analysis, used_here };
        for rule in rules::ALL {
            rule.check(&context, &mut out);
        }
        give_way(&mut out);
        if !settings.house.is_empty() {
            let look = house::Look::new(policy, source, &settings.catalog);
            settings.house.iter().for_each(|rule| rule.check(&look, &house_path, &mut out));
        }
    }
    let known = words::Names { settings, has_providers: library.providers().is_some() };
    let mut allowed = allow::apply(source, &compiled.policies, compiled.is_clean(), &known, &mut out);
    let levels = settings.levels_of(path);
    levels.apply(&mut out, |finding| !keeps_from_compiling(finding));
    out.sort_by(|a, b| (a.at.start, a.at.end, a.rule).cmp(&(b.at.start, b.at.end, b.rule)));
    allowed.sort_by(|a, b| {
        let key = |a: &Allowed| (a.finding.at.start, a.finding.at.end, a.finding.rule);
        key(a).cmp(&key(b))
    });
    (out, allowed)
}

/// Leaves out the findings of rules that give way to what another says of the same place.
fn give_way(out: &mut Vec<Diagnostic>) {
    let gives_way = |finding: &Diagnostic| rules::find(finding.rule).is_some_and(Rule::gives_way);
    let (mut weak, strong): (Vec<_>, Vec<_>) = std::mem::take(out).into_iter().partition(gives_way);
    weak.retain(|finding| {
        !strong.iter().any(|other| {
            other.severity <= Severity::Warning
                && other.at.start < finding.at.end
                && finding.at.start < other.at.end
        })
    });
    *out = strong;
    out.append(&mut weak);
}

#[cfg(test)]
mod tests {
    use super::settings::{Level, Settings};
    use super::*;
    use crate::language::NoLibrary;

    #[test]
    fn what_keeps_a_policy_from_compiling_is_neither_allowed_nor_off() {
        let text = "sms then watsapp # spine: allow unknown-channel -- we like it".to_owned();
        let file = SourceFile { path: "a.policy".into(), text, bare_name: None };
        let rules = [("unknown-channel".to_owned(), Level::Off)].into();
        let found = check_by(&file, &NoLibrary, &Settings { rules, ..Settings::default() }).1;
        let told: Vec<&str> = found.findings.iter().map(|finding| finding.rule).collect();
        assert_eq!(told, ["unknown-channel", "malformed-allow"]);
        assert!(found.allowed.is_empty() && keeps_from_compiling(&found.findings[0]));
    }
}
