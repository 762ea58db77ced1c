//! SARIF 2.1.0, as code scanning services read it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::language::{Diagnostic, Severity};
use crate::lint::{Allowed, AllowedBy, FileFindings, Settings, fingerprints, rules};

use super::{Format, Found, Place, Run};

pub(super) const FORMAT: Format = Format {
    name: "sarif",
    help: "SARIF 2.1.0, for code scanning; exit code 0 once written",
    is_success_once_written: true,
    write,
};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// The folder from which paths count, by the name that services give it.
const BASE: &str = "%SRCROOT%";

fn write(found: &Found<'_>) -> String {
    let rules = Rules::of(found);
    let mut results = Vec::new();
    for file in found.files {
        let path = found.root.path_of(&file.path);
        let prints = fingerprints(file, &path);
        let uri = uri(&path);
        for (finding, print) in file.findings.iter().zip(&prints.findings) {
            results.push(result(file, &uri, finding, print, &rules, None));
        }
        for (allowed, print) in file.allowed.iter().zip(&prints.allowed) {
            results.push(result(file, &uri, &allowed.finding, print, &rules, Some(allowed)));
        }
    }
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "spine policy check",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.all,
            }},
            "invocations": [{"executionSuccessful": true}],
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{}\n", serde_json::to_string_pretty(&log).unwrap_or_default())
}

/// The rules of a run, and where each stands among them.
struct Rules {
    all: Vec<Value>,
    places: BTreeMap<String, usize>,
}

impl Rules {
    /// All rules of the linter and of the house, and what else found something.
    fn of(found: &Found<'_>) -> Rules {
        let mut rules = Rules { all: Vec::new(), places: BTreeMap::new() };
        for rule in rules::ALL {
            rules.add(rule.name(), rule.severity(), rule.page());
        }
        let Settings { house, .. } = found.settings;
        for rule in house {
            rules.add(rule.name, rule.severity, &format!("A rule of the house: {}.", rule.says()));
        }
        let all = found
            .files
            .iter()
            .flat_map(|file| file.findings.iter().chain(file.allowed.iter().map(|allowed| &allowed.finding)));
        let others: BTreeMap<&str, Severity> = all.map(|f| (f.rule, f.severity)).collect();
        for (name, severity) in others {
            let page = match rules::pages().find(|page| page.name() == name) {
                Some(page) => page.page().to_owned(),
                None => format!("`{name}`: what is written here keeps the policy from compiling."),
            };
            rules.add(name, severity, &page);
        }
        rules
    }

    fn add(&mut self, name: &str, severity: Severity, page: &str) {
        if self.places.contains_key(name) {
            return;
        }
        self.places.insert(name.to_owned(), self.all.len());
        let page = page.trim();
        let first = page.split("\n\n").next().unwrap_or_default().split_whitespace();
        let short = first.collect::<Vec<_>>().join(" ");
        self.all.push(json!({
            "id": name,
            "name": name,
            "shortDescription": {"text": short},
            "fullDescription": {"text": short},
            "help": {"text": page, "markdown": page},
            "defaultConfiguration": {"level": severity.word()},
            "properties": {"tags": ["policy"], "problem.severity": match severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Note => "recommendation",
            }},
        }));
    }
}

fn result(
    file: &FileFindings,
    uri: &str,
    finding: &Diagnostic,
    print: &str,
    rules: &Rules,
    allowed: Option<&Allowed>,
) -> Value {
    let location =
        |at| json!({"physicalLocation": {"artifactLocation": artifact(uri), "region": region(file, at)}});
    let mut text = match &finding.help {
        Some(help) => format!("{}\n{help}", finding.message),
        None => finding.message.clone(),
    };
    if let Some(run) = Run::of(&file.path, &file.source, finding) {
        text.push_str(&format!("\n{}", run.text()));
    }
    let mut result = json!({
        "ruleId": finding.rule,
        "ruleIndex": rules.places.get(finding.rule),
        "level": finding.severity.word(),
        "message": {"text": text},
        "locations": [location(&finding.at)],
        // What GitHub compares, and the same under our own name, whose number is raised with its form.
        "partialFingerprints": {"primaryLocationLineHash": print, "spineFinding/v1": print},
        // Where one result has any, the others must say that they have none.
        "suppressions": allowed.map(|allowed| match &allowed.by {
            AllowedBy::Comment { at, reason } => json!({
                "kind": "inSource",
                "status": "accepted",
                "justification": reason.as_deref().unwrap_or("no reason is given"),
                "location": location(at),
            }),
            AllowedBy::Baseline => json!({
                "kind": "external",
                "status": "accepted",
                "justification": "it is in the baseline",
            }),
        }).into_iter().collect::<Vec<_>>(),
    });
    if !finding.fix.is_empty() {
        let replacements: Vec<Value> = finding
            .fix
            .iter()
            .map(|edit| json!({"deletedRegion": region(file, &edit.at), "insertedContent": {"text": edit.text}}))
            .collect();
        let help = finding.help.clone().unwrap_or_else(|| finding.message.clone());
        result["fixes"] = json!([{
            "description": {"text": help},
            "artifactChanges": [{"artifactLocation": artifact(uri), "replacements": replacements}],
        }]);
    }
    result
}

fn artifact(uri: &str) -> Value {
    match uri.starts_with('/') || uri.contains(':') {
        true => json!({"uri": uri}),
        false => json!({"uri": uri, "uriBaseId": BASE}),
    }
}

fn region(file: &FileFindings, at: &std::ops::Range<usize>) -> Value {
    let Place { line, column, end_line, end_column } = Place::of(&file.source, at);
    json!({"startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column})
}

/// A path as a URI: everything but plain letters, digits and some signs by its bytes.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte))
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    if path.starts_with('/') { format!("file://{out}") } else { out }
}
