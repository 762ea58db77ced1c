//! JUnit's XML: a suite for each file, and in it a case for each finding. What fails the check is a
//! failure, what was set aside is skipped, and a file without findings is one case that passes.

use crate::language::Diagnostic;
use crate::lint::{AllowedBy, FileFindings};

use super::xml::escaped;
use super::{Format, Found, Place, sentence};

pub(super) const FORMAT: Format = Format {
    name: "junit",
    help: "JUnit's XML, for the test reports of a CI service",
    is_success_once_written: false,
    write,
};

fn write(found: &Found<'_>) -> String {
    let suites: Vec<Suite> = found.files.iter().map(|file| Suite::of(found, file)).collect();
    let sum = |of: fn(&Suite) -> usize| suites.iter().map(of).sum::<usize>();
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"spine policy check\" tests=\"{}\" \
         failures=\"{}\" errors=\"0\" skipped=\"{}\">\n",
        sum(|s| s.tests),
        sum(|s| s.failures),
        sum(|s| s.skipped)
    );
    for suite in suites {
        out.push_str(&format!(
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\">\n{}  </testsuite>\n",
            suite.name, suite.tests, suite.failures, suite.skipped, suite.cases
        ));
    }
    out.push_str("</testsuites>\n");
    out
}

/// A file's cases.
#[derive(Debug, Default)]
struct Suite {
    name: String,
    tests: usize,
    failures: usize,
    skipped: usize,
    cases: String,
}

impl Suite {
    fn of(found: &Found<'_>, file: &FileFindings) -> Suite {
        let mut suite = Suite { name: escaped(&found.root.path_of(&file.path)), ..Suite::default() };
        for finding in &file.findings {
            let text = told(file, &suite.name, finding);
            let body = match found.fails(finding) {
                true => {
                    suite.failures += 1;
                    let message = escaped(&finding.message);
                    let kind = finding.severity.word();
                    format!("<failure type=\"{kind}\" message=\"{message}\">{text}</failure>")
                }
                false => format!("<system-out>{text}</system-out>"),
            };
            suite.case(&named(file, finding), &body);
        }
        for allowed in &file.allowed {
            let why = match &allowed.by {
                AllowedBy::Comment { reason, .. } => reason.as_deref().unwrap_or("allowed by a comment"),
                AllowedBy::Baseline => "in the baseline",
            };
            suite.skipped += 1;
            let body = format!("<skipped message=\"{}\"/>", escaped(why));
            suite.case(&named(file, &allowed.finding), &body);
        }
        if suite.tests == 0 {
            suite.tests = 1;
            suite.cases = format!("    <testcase classname=\"{}\" name=\"nothing found\"/>\n", suite.name);
        }
        suite
    }

    fn case(&mut self, name: &str, body: &str) {
        self.tests += 1;
        let class = &self.name;
        self.cases.push_str(&format!(
            "    <testcase classname=\"{class}\" name=\"{}\">\n      {body}\n    </testcase>\n",
            escaped(name)
        ));
    }
}

/// The rule and the place, which tell two cases of a file apart.
fn named(file: &FileFindings, finding: &Diagnostic) -> String {
    let place = Place::of(&file.source, &finding.at);
    format!("{} at {}:{}", finding.rule, place.line, place.column)
}

fn told(file: &FileFindings, path: &str, finding: &Diagnostic) -> String {
    let place = Place::of(&file.source, &finding.at);
    let word = finding.severity.word();
    format!("{path}:{}:{}: {word}: {}", place.line, place.column, escaped(&sentence(finding)))
}
