//! GitHub's workflow commands, which become annotations, and the summary of a job.

use crate::language::{Diagnostic, Severity};
use crate::lint::FileFindings;

use super::{Format, Found, Place, Summary, sentence};

pub(super) const FORMAT: Format = Format {
    name: "github",
    help: "GitHub's annotations; also a job summary where `GITHUB_STEP_SUMMARY` is set",
    is_success_once_written: false,
    write,
};

/// Annotations of a step that GitHub shows.
const SHOWN_MAX: usize = 10;
/// Rows of a job summary, which may have a megabyte in all.
const ROWS_MAX: usize = 500;

/// The errors first. Where there are more findings than are shown, each file is annotated once, by
/// its worst, and the others are plain lines of the log.
fn write(found: &Found<'_>) -> String {
    let all = worst_first(found);
    let mut out = String::new();
    if all.len() <= SHOWN_MAX {
        for (file, finding) in all {
            out.push_str(&command(found, file, finding, ""));
        }
        return out;
    }
    let mut rest = Vec::new();
    let mut annotated: Vec<&str> = Vec::new();
    for (file, finding) in all {
        if annotated.contains(&file.path.as_str()) {
            rest.push((file, finding));
            continue;
        }
        annotated.push(&file.path);
        let more = match file.findings.len() - 1 {
            0 => String::new(),
            n => format!("\n({n} more in this file; the log has all)"),
        };
        out.push_str(&command(found, file, finding, &more));
    }
    for (file, finding) in rest {
        let place = Place::of(&file.source, &finding.at);
        // A leading blank keeps a path from being read as a command.
        out.push_str(&format!(
            " {}:{}:{}: {}[{}]: {}\n",
            one_line(&found.root.path_of(&file.path)),
            place.line,
            place.column,
            finding.severity.word(),
            finding.rule,
            one_line(&sentence(finding))
        ));
    }
    out
}

fn worst_first<'a>(found: &Found<'a>) -> Vec<(&'a FileFindings, &'a Diagnostic)> {
    let all = found.files.iter().flat_map(|file| file.findings.iter().map(move |finding| (file, finding)));
    let mut all: Vec<_> = all.collect();
    // The order of files and lines is kept among equals.
    all.sort_by_key(|(_, finding)| finding.severity);
    all
}

fn command(found: &Found<'_>, file: &FileFindings, finding: &Diagnostic, more: &str) -> String {
    let place = Place::of(&file.source, &finding.at);
    let word = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    // Columns count only within one line.
    let columns = match place.line == place.end_line {
        true => format!(",col={},endColumn={}", place.column, place.end_column),
        false => format!(",col={}", place.column),
    };
    format!(
        "::{word} file={},line={},endLine={}{columns},title={}::{}\n",
        property(&found.root.path_of(&file.path)),
        place.line,
        place.end_line,
        property(finding.rule),
        data(&format!("{}{more}", sentence(finding)))
    )
}

/// What stands behind the second `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// What stands behind a name.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}

/// The summary of a job, in Markdown.
#[must_use]
pub fn summary(found: &Found<'_>) -> String {
    let counts = Summary::of(found.files);
    let allowed: usize = found.files.iter().map(|file| file.allowed.len()).sum();
    let mut out = format!(
        "### Policies\n\n{} in {}: **{}**, {}, {}{}.\n",
        many(counts.policies, "policy", "policies"),
        many(counts.files, "file", "files"),
        many(counts.errors, "error", "errors"),
        many(counts.warnings, "warning", "warnings"),
        many(counts.notes, "note", "notes"),
        if allowed == 0 { String::new() } else { format!(" ({allowed} allowed)") }
    );
    let all = worst_first(found);
    if all.is_empty() {
        return out;
    }
    out.push_str("\n| | rule | where | what |\n|---|---|---|---|\n");
    for (file, finding) in all.iter().take(ROWS_MAX) {
        let place = Place::of(&file.source, &finding.at);
        out.push_str(&format!(
            "| {} | `{}` | {}:{} | {} |\n",
            finding.severity.word(),
            finding.rule,
            cell(&found.root.path_of(&file.path)),
            place.line,
            cell(&sentence(finding))
        ));
    }
    if all.len() > ROWS_MAX {
        out.push_str(&format!("\nand {} more; the log has all.\n", all.len() - ROWS_MAX));
    }
    out
}

/// Text in a cell of a table: words in backticks stay so, and nothing else is markup.
fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut quoted = false;
    for c in one_line(text).chars() {
        match c {
            '`' => {
                quoted = !quoted;
                out.push(c);
            }
            '|' => out.push_str("\\|"),
            '<' | '>' | '&' | '*' | '_' | '[' | ']' | '#' | '~' | '\\' | '@' if !quoted => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

fn many(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}
