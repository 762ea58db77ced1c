//! Tests in the form that CI servers read.

use std::fmt::Write as _;

use crate::lint::report::Style;

use super::Tested;
use super::human::beside;

/// All of it, as one document.
#[must_use]
pub fn junit(tested: &Tested) -> String {
    let (passed, failed) = tested.counts();
    let covers = tested.covers && tested.min.is_some();
    let (extra, below) = (usize::from(covers), usize::from(tested.is_below()));
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    _ = writeln!(
        out,
        "<testsuites name=\"spine policy test\" tests=\"{}\" failures=\"{}\" errors=\"0\">",
        passed + failed + extra,
        failed + below
    );
    for file in &tested.files {
        let failed = file.cases.iter().filter(|(_, run)| !run.troubles.is_empty()).count();
        _ = writeln!(
            out,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\" errors=\"0\" skipped=\"0\">",
            escaped(&file.path),
            file.cases.len()
        );
        for (case, run) in &file.cases {
            let head = format!(
                "    <testcase classname=\"{}\" name=\"{}\" file=\"{}\" line=\"{}\"",
                escaped(&file.policy),
                escaped(&case.name),
                escaped(&file.path),
                case.at.line
            );
            let Some(first) = run.troubles.first() else {
                _ = writeln!(out, "{head}/>");
                continue;
            };
            let mut text = String::new();
            for trouble in &run.troubles {
                let (line, expected) = (trouble.at.line, &trouble.expected);
                _ = writeln!(text, "{}:{line}: {expected}: {}", file.path, trouble.message);
            }
            text.push('\n');
            beside(&run.pairs, Style::Plain, &mut text);
            _ = writeln!(text, "\n{}", file.command(case, tested.catalog.as_deref()));
            let message = format!("{}: {}", first.expected, first.message);
            _ = writeln!(out, "{head}>");
            _ = writeln!(
                out,
                "      <failure message=\"{}\">{}</failure>",
                escaped(&message),
                escaped(&text)
            );
            out.push_str("    </testcase>\n");
        }
        out.push_str("  </testsuite>\n");
    }
    if covers {
        let all = tested.covered();
        _ = writeln!(
            out,
            "  <testsuite name=\"coverage\" tests=\"1\" failures=\"{below}\" errors=\"0\" skipped=\"0\">"
        );
        let min = tested.min.unwrap_or_default();
        let head = format!("    <testcase classname=\"coverage\" name=\"at least {min} %\"");
        if below == 0 {
            _ = writeln!(out, "{head}/>");
        } else {
            _ = writeln!(
                out,
                "{head}>\n      <failure message=\"{} % is covered ({} of {})\"/>\n    </testcase>",
                all.percent(),
                all.covered,
                all.total
            );
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

/// A text as XML takes it; what XML cannot hold is left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => {}
            c => out.push(c),
        }
    }
    out
}
