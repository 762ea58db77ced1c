//! GitLab's code quality report.

use serde_json::json;

use crate::language::Severity;
use crate::lint::fingerprints;

use super::{Format, Found, Place, sentence};

pub(super) const FORMAT: Format = Format {
    name: "gitlab",
    help: "GitLab's code quality report, shown in merge requests",
    is_success_once_written: false,
    write,
};

fn write(found: &Found<'_>) -> String {
    let mut issues = Vec::new();
    for file in found.files {
        let path = found.root.path_of(&file.path);
        let prints = fingerprints(file, &path).findings;
        for (finding, fingerprint) in file.findings.iter().zip(prints) {
            let place = Place::of(&file.source, &finding.at);
            let severity = match finding.severity {
                Severity::Error => "critical",
                Severity::Warning => "major",
                Severity::Note => "info",
            };
            issues.push(json!({
                "type": "issue",
                "check_name": finding.rule,
                "description": sentence(finding),
                "categories": ["Bug Risk"],
                "severity": severity,
                "fingerprint": fingerprint,
                "location": {"path": path, "lines": {"begin": place.line, "end": place.end_line}},
            }));
        }
    }
    let text = serde_json::to_string_pretty(&issues).unwrap_or_default();
    format!("{text}\n")
}
