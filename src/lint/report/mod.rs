//! Findings as they are written: for people on a terminal, and for programs. A format is a file here
//! and one line in [`FORMATS`].

mod checkstyle;
mod github;
mod gitlab;
mod human;
mod json;
mod junit;
mod run;
mod sarif;
mod statistics;
mod xml;

use crate::language::{Diagnostic, Severity, line_column};

use super::settings::Root;
use super::{FileFindings, Settings};

pub use github::summary as github_summary;
pub use human::{Style, human, human_one, human_report};
pub use json::{Fix, Report, ReportedAllowed, ReportedEdit, ReportedFinding, Summary};
pub use run::Run;
pub use statistics::{Statistic, statistics};

/// A format for programs: one file, and one line in [`FORMATS`].
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// How it is asked for.
    pub name: &'static str,
    /// What it is for.
    pub help: &'static str,
    /// Whether findings are no failure once they are written, so that the step that uploads them runs.
    pub is_success_once_written: bool,
    /// Writes it.
    pub write: fn(&Found<'_>) -> String,
}

/// All formats, in the order in which they are listed.
pub const FORMATS: &[Format] = &[
    human::FORMAT,
    json::FORMAT,
    sarif::FORMAT,
    github::FORMAT,
    gitlab::FORMAT,
    junit::FORMAT,
    checkstyle::FORMAT,
];

/// Everything that a report is about.
#[derive(Debug, Clone)]
pub struct Found<'a> {
    /// What was found, file by file.
    pub files: &'a [FileFindings],
    /// By what settings.
    pub settings: &'a Settings,
    /// From where the paths of reports count: the folder that a service shows.
    pub root: Root,
    /// Whether warnings fail the check too.
    pub denies_warnings: bool,
    /// Findings that were mended before, where that was asked for.
    pub mended: Option<usize>,
    /// How findings look to people.
    pub style: Style,
    /// Whether people are told what `--fix` would mend.
    pub tells_of_fixes: bool,
}

impl<'a> Found<'a> {
    /// What was found, with nothing set.
    #[must_use]
    pub fn of(files: &'a [FileFindings], settings: &'a Settings) -> Found<'a> {
        let root = Root::default();
        Found {
            files,
            settings,
            root,
            denies_warnings: false,
            mended: None,
            style: Style::Plain,
            tells_of_fixes: false,
        }
    }

    /// Whether a finding fails the check.
    #[must_use]
    pub fn fails(&self, finding: &Diagnostic) -> bool {
        match finding.severity {
            Severity::Error => true,
            Severity::Warning => self.denies_warnings,
            Severity::Note => false,
        }
    }
}

/// Where a finding is: lines and columns from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
}

impl Place {
    fn of(source: &str, at: &std::ops::Range<usize>) -> Place {
        let (line, column) = line_column(source, at.start);
        let (end_line, end_column) = line_column(source, at.end);
        Place { line, column, end_line, end_column }
    }
}

/// What was found and what to do, as one sentence after the other.
fn sentence(finding: &Diagnostic) -> String {
    let Diagnostic { message, help, .. } = finding;
    let pause = if message.ends_with(['?', '.', '!']) { " " } else { "; " };
    help.as_ref().map_or_else(|| message.clone(), |help| format!("{message}{pause}{help}"))
}

#[cfg(test)]
mod tests;
