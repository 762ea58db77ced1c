//! The JSON of `spine policy check` and of `POST /policies/check`. Other tools read it: fields are
//! added, never changed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::language::{Diagnostic, Severity, line_column};
use crate::lint::settings::Root;
use crate::lint::{AllowedBy, FileFindings, Fingerprints, fingerprints};

use super::{Format, Found, Run};

pub(super) const FORMAT: Format = Format {
    name: "json",
    help: "One object; its shape is kept",
    is_success_once_written: false,
    write: |found| {
        let text = serde_json::to_string_pretty(&Report::whole(found)).unwrap_or_default();
        format!("{text}\n")
    },
};

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// In the order of the files, and in each in the order of the text.
    pub findings: Vec<ReportedFinding>,
    /// How much there is of it.
    pub summary: Summary,
    /// What was found and set aside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<ReportedAllowed>,
    /// Findings that were mended before, where that was asked for; only on the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub mended: Option<usize>,
}

/// A finding that was set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReportedAllowed {
    /// What was found.
    #[serde(flatten)]
    pub finding: ReportedFinding,
    /// `comment` or `baseline`.
    pub allowed_by: String,
    /// What the comment says why.
    pub reason: Option<String>,
}

/// One finding. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReportedFinding {
    /// The file.
    pub path: String,
    /// Where it begins.
    pub line: usize,
    /// Where it begins.
    pub column: usize,
    /// Where it ends.
    pub end_line: usize,
    /// The first column behind it.
    pub end_column: usize,
    /// The stable name of the rule.
    pub rule: String,
    /// `error`, `warning` or `note`.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// A change that mends it.
    pub fix: Fix,
    /// What stays the same when lines move; only on the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub fingerprint: Option<String>,
    /// A run that shows it; only on the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub counterexample: Option<Run>,
}

/// A change of the text; without edits where none is certain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fix {
    /// All of them together mend the finding.
    pub edits: Vec<ReportedEdit>,
}

/// A piece of text that is replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReportedEdit {
    /// Where it begins.
    pub line: usize,
    /// Where it begins.
    pub column: usize,
    /// Where it ends.
    pub end_line: usize,
    /// The first column behind it.
    pub end_column: usize,
    /// What is written there instead.
    pub text: String,
}

/// Counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Files that were looked at.
    pub files: usize,
    /// Policies in them.
    pub policies: usize,
    /// Findings that keep a policy from compiling.
    pub errors: usize,
    /// Findings that are very likely not what was meant.
    pub warnings: usize,
    /// Findings worth knowing.
    pub notes: usize,
}

impl Report {
    /// The report on these files.
    #[must_use]
    pub fn of(files: &[FileFindings]) -> Report {
        Report::made(files, None)
    }

    /// The same, with fingerprints, and with what was mended.
    #[must_use]
    pub fn whole(found: &Found<'_>) -> Report {
        Report { mended: found.mended, ..Report::made(found.files, Some(&found.root)) }
    }

    fn made(files: &[FileFindings], root: Option<&Root>) -> Report {
        let (mut findings, mut allowed) = (Vec::new(), Vec::new());
        for file in files {
            if file.findings.is_empty() && file.allowed.is_empty() {
                continue;
            }
            let prints = root.map(|root| fingerprints(file, &root.path_of(&file.path)));
            let print = |of: fn(&Fingerprints) -> &Vec<String>, place: usize| {
                of(prints.as_ref()?).get(place).cloned()
            };
            for (place, finding) in file.findings.iter().enumerate() {
                let fingerprint = print(|prints| &prints.findings, place);
                let counterexample = root.and_then(|_| Run::of(&file.path, &file.source, finding));
                findings.push(ReportedFinding {
                    fingerprint,
                    counterexample,
                    ..ReportedFinding::of(&file.path, &file.source, finding)
                });
            }
            for (place, aside) in file.allowed.iter().enumerate() {
                let fingerprint = print(|prints| &prints.allowed, place);
                let (by, reason) = match &aside.by {
                    AllowedBy::Comment { reason, .. } => ("comment", reason.clone()),
                    AllowedBy::Baseline => ("baseline", None),
                };
                let of = ReportedFinding::of(&file.path, &file.source, &aside.finding);
                let finding = ReportedFinding { fingerprint, ..of };
                allowed.push(ReportedAllowed { finding, allowed_by: by.to_owned(), reason });
            }
        }
        Report { findings, summary: Summary::of(files), allowed, mended: None }
    }
}

impl Summary {
    /// The counts of these files.
    #[must_use]
    pub fn of(files: &[FileFindings]) -> Summary {
        let mut summary = Summary { files: files.len(), ..Summary::default() };
        for file in files {
            summary.policies += file.policies;
            for finding in &file.findings {
                *match finding.severity {
                    Severity::Error => &mut summary.errors,
                    Severity::Warning => &mut summary.warnings,
                    Severity::Note => &mut summary.notes,
                } += 1;
            }
        }
        summary
    }
}

impl ReportedFinding {
    /// One finding in a source.
    #[must_use]
    pub fn of(path: &str, source: &str, finding: &Diagnostic) -> ReportedFinding {
        let (line, column) = line_column(source, finding.at.start);
        let (end_line, end_column) = line_column(source, finding.at.end);
        let edit = |edit: &crate::language::Edit| {
            let (line, column) = line_column(source, edit.at.start);
            let (end_line, end_column) = line_column(source, edit.at.end);
            ReportedEdit { line, column, end_line, end_column, text: edit.text.clone() }
        };
        ReportedFinding {
            path: path.to_owned(),
            line,
            column,
            end_line,
            end_column,
            rule: finding.rule.to_owned(),
            severity: finding.severity,
            message: finding.message.clone(),
            help: finding.help.clone(),
            fix: Fix { edits: finding.fix.iter().map(edit).collect() },
            fingerprint: None,
            counterexample: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::NoLibrary;
    use crate::lint::{SourceFile, check};

    #[test]
    fn the_shape_is_the_one_that_is_kept() {
        let text = "# größer\nsms then watsapp".to_owned();
        let file = SourceFile { path: "policies/a.policy".into(), text, bare_name: None };
        let report = serde_json::to_value(Report::of(&check(&[file], &NoLibrary))).unwrap();
        assert_eq!(
            report["findings"][0],
            serde_json::json!({
                "path": "policies/a.policy", "line": 2, "column": 10, "end_line": 2, "end_column": 17,
                "rule": "unknown-channel", "severity": "error",
                "message": "unknown channel `watsapp`; did you mean `whatsapp`?",
                "help": report["findings"][0]["help"],
                "fix": {"edits": [{"line": 2, "column": 10, "end_line": 2, "end_column": 17, "text": "whatsapp"}]}
            })
        );
        assert_eq!(
            report["summary"],
            serde_json::json!({"files": 1, "policies": 1, "errors": 1, "warnings": 0, "notes": 0})
        );
    }
}
