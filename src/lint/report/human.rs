//! Findings for people: the line, what is meant in it, and what to write.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::language::{Diagnostic, Severity};
use crate::lint::{FileFindings, Settings};

use super::{Format, Found, Run, Summary};

/// How findings look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// ASCII without colour, for pipes and logs.
    Plain,
    /// With colour, for terminals.
    Colour,
}

pub(super) const FORMAT: Format = Format {
    name: "human",
    help: "Lines with what is meant marked in them",
    is_success_once_written: false,
    write: human_report,
};

/// All findings, and a line that counts them.
#[must_use]
pub fn human(files: &[FileFindings], style: Style) -> String {
    human_report(&Found { style, ..Found::of(files, &Settings::default()) })
}

/// The same, with what was mended and set aside.
#[must_use]
pub fn human_report(found: &Found<'_>) -> String {
    let mut out = String::new();
    for file in found.files {
        for finding in &file.findings {
            out.push_str(&human_one(&file.path, &file.source, finding, found.style));
            out.push_str("\n\n");
        }
    }
    let summary = Summary::of(found.files);
    if let Some(mended) = found.mended {
        out.push_str(&format!("mended: {}\n", count(mended, "finding", "findings")));
    }
    let looked_at = format!(
        "{} in {}",
        count(summary.policies, "policy", "policies"),
        count(summary.files, "file", "files")
    );
    let told = match (summary.errors, summary.warnings, summary.notes) {
        (0, 0, 0) => "nothing found".to_owned(),
        (errors, warnings, notes) => format!(
            "{}, {}, {}",
            count(errors, "error", "errors"),
            count(warnings, "warning", "warnings"),
            count(notes, "note", "notes")
        ),
    };
    let allowed = match found.files.iter().map(|file| file.allowed.len()).sum() {
        0_usize => String::new(),
        n => format!(" ({n} allowed)"),
    };
    out.push_str(&format!("{looked_at}: {told}{allowed}\n"));
    let fixable = found.files.iter().flat_map(|file| &file.findings).filter(|f| !f.fix.is_empty()).count();
    if fixable > 0 && found.mended.is_none() && found.tells_of_fixes {
        out.push_str(&format!("{} can be mended by `--fix`\n", count(fixable, "finding", "findings")));
    }
    out
}

/// `1 error`, `2 errors`.
fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// One finding, without a line break at its end.
#[must_use]
pub fn human_one(path: &str, source: &str, finding: &Diagnostic, style: Style) -> String {
    let run = Run::of(path, source, finding).map(|run| run.text());
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let span = finding.at.start.min(source.len())..finding.at.end.min(source.len());
    let snippet =
        Snippet::source(source).path(path).fold(true).annotation(AnnotationKind::Primary.span(span));
    let mut group = level.primary_title(finding.message.as_str()).id(finding.rule).element(snippet);
    if let Some(help) = &finding.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    if let Some(run) = &run {
        group = group.element(Level::NOTE.message(run.as_str()));
    }
    let renderer = match style {
        Style::Plain => Renderer::plain().decor_style(DecorStyle::Ascii),
        Style::Colour => Renderer::styled().decor_style(DecorStyle::Unicode),
    };
    renderer.render(&[group])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::NoLibrary;
    use crate::lint::{SourceFile, check};

    #[test]
    fn a_finding_shows_the_line_the_word_and_the_help() {
        let text = "sms\n  then watsapp after 30s\n".to_owned();
        let file = SourceFile { path: "a.policy".into(), text, bare_name: None };
        let shown = human(&check(&[file], &NoLibrary), Style::Plain);
        insta::assert_snapshot!(shown, @r"
        error[unknown-channel]: unknown channel `watsapp`; did you mean `whatsapp`?
         --> a.policy:2:8
          |
        2 |   then watsapp after 30s
          |        ^^^^^^^
          |
          = help: write `whatsapp`

        1 policy in 1 file: 1 error, 0 warnings, 0 notes
        ");
    }

    #[test]
    fn an_empty_source_and_a_finding_at_its_end_are_shown() {
        for text in ["", "# ä", "policy p { sms", "sms then"] {
            let file = SourceFile { path: "a.policy".into(), text: text.into(), bare_name: None };
            let shown = human(&check(&[file], &NoLibrary), Style::Colour);
            assert!(shown.contains("a.policy"), "{shown}");
        }
    }
}
