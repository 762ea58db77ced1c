//! The one style of policies.
//!
//! What is written depends on the words, the comments, and the blank lines between paragraphs alone:
//! two texts that differ in their other blanks come out alike. Only blanks change, so nothing that a
//! policy means can; a test of every output against its input holds that on each run.
//!
//! `layout` reads the tree of a text into stages, groups and headers, each a row of words with their
//! places in the source; `print` writes them, and each comment behind the word or before the line at
//! which it stood.

mod layout;
mod print;

use super::compile::{NoLibrary, compile};
use super::diagnostic::{Diagnostic, Severity};
use super::source::Scan;

use layout::Layout;
use print::Printer;

/// A line is broken where it would be longer, if it can be.
const LINE_CHARS_MAX: usize = 100;
/// A bare strategy, or a group, that ends within this stays on its line.
const SHORT_CHARS_MAX: usize = 80;

/// Formats a source.
///
/// # Errors
/// The first fault of a source that does not compile; that a `use` names a policy of another source
/// is none.
pub fn format(source: &str) -> Result<String, Diagnostic> {
    format_or_faults(source).map_err(|mut faults| faults.swap_remove(0))
}

/// Formats a source, or tells all its faults.
///
/// # Errors
/// The faults, at least one, in the order of the text.
pub fn format_or_faults(source: &str) -> Result<String, Vec<Diagnostic>> {
    let faults = faults(source);
    if !faults.is_empty() {
        return Err(faults);
    }
    let scan = Scan::of(source);
    let formatted = Layout::read(source, &scan).map(|layout| Printer::new(source, &scan).print(&layout));
    match formatted {
        Some(text) if bare(&text) == bare(source) => Ok(with_line_ends_of(source, text)),
        _ => Err(vec![Diagnostic {
            rule: "unreadable",
            severity: Severity::Error,
            at: 0..0,
            message: "the text cannot be formatted without a change of its words".to_owned(),
            help: Some("leave it as it is, and report it".to_owned()),
            fix: Vec::new(),
            counterexample: None,
        }]),
    }
}

/// What keeps a text from being formatted. What stands in other sources is not asked about, nor the
/// names that a policy of another source may declare.
fn faults(source: &str) -> Vec<Diagnostic> {
    let mut found = compile(source, None, &NoLibrary).diagnostics;
    let uses_others = found.iter().any(|d| d.rule == "unknown-policy");
    let elsewhere = |d: &Diagnostic| uses_others && matches!(d.rule, "unknown-policy" | "unknown-var");
    found.retain(|d| d.severity == Severity::Error && !elsewhere(d));
    found
}

/// The words of a text without what separates them, and its comments without the blanks behind them.
fn bare(source: &str) -> (String, Vec<&str>) {
    let scan = Scan::of(source);
    let comments = scan.comments.iter().map(|c| source.get(c.clone()).unwrap_or_default().trim_end());
    let words = scan.folded(source, &(0..source.len()));
    (words.replace(' ', ""), comments.collect())
}

/// The lines of a text end as the first line of the source does.
fn with_line_ends_of(source: &str, text: String) -> String {
    let first = source.find('\n').unwrap_or_default();
    if source[..first].ends_with('\r') { text.replace('\n', "\r\n") } else { text }
}
