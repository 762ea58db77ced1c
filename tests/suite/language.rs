//! The language: what compiles to what, and what is told about the rest.

use std::fmt::Write as _;

use spine::language::{NoLibrary, compile, line_column};

use crate::cases::check_folder;

/// Findings as `LINE:COLUMN-END_LINE:END_COLUMN rule: message`, with the help below.
fn findings(source: &str) -> String {
    let compiled = compile(source, None, &NoLibrary);
    let mut out = String::new();
    for d in &compiled.diagnostics {
        let (line, column) = line_column(source, d.at.start);
        let (end_line, end_column) = line_column(source, d.at.end);
        writeln!(out, "{line}:{column}-{end_line}:{end_column} {}: {}", d.rule, d.message).unwrap();
        if let Some(help) = &d.help {
            writeln!(out, "  help: {help}").unwrap();
        }
    }
    if out.is_empty() {
        let names: Vec<_> = compiled.policies.iter().map(|p| p.name.as_str()).collect();
        writeln!(out, "clean: {}", names.join(", ")).unwrap();
    }
    out
}

#[test]
fn each_text_has_the_findings_that_its_case_says() {
    check_folder("language", |_, source| findings(source));
}
