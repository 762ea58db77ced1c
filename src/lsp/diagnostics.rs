//! Findings, as an editor shows them.

use gen_lsp_types::{
    Code, CodeDescription, Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, DiagnosticTag,
    Message, Uri,
};

use super::navigate;
use super::world::{Document, World};
use crate::language::{self, Severity};
use crate::lint::pages::Page;
use crate::lint::{self, report::Run};

/// The scheme of the addresses of rules' pages, which the server itself gives out.
pub(super) const SCHEME: &str = "spine-rule";
/// What findings are told under.
pub(super) const SOURCE: &str = "spine";

/// The findings of a document.
pub(super) fn of_document(world: &World<'_>, document: &Document) -> Vec<Diagnostic> {
    world.checked(document).findings.iter().map(|found| of_finding(world, document, found)).collect()
}

/// One finding.
pub(super) fn of_finding(world: &World<'_>, document: &Document, found: &language::Diagnostic) -> Diagnostic {
    let message = match &found.help {
        Some(help) => format!("{}\n{help}", found.message),
        None => found.message.clone(),
    };
    Diagnostic {
        range: world.range(document, &shown(document, found)),
        severity: Some(match found.severity {
            Severity::Error => DiagnosticSeverity::Error,
            Severity::Warning => DiagnosticSeverity::Warning,
            Severity::Note => DiagnosticSeverity::Information,
        }),
        code: Some(Code::String(found.rule.to_owned())),
        code_description: page_of(world, found.rule).map(|_| CodeDescription { href: address(found.rule) }),
        source: Some(SOURCE.to_owned()),
        message: Message::String(message),
        tags: is_unused(found.rule).then(|| vec![DiagnosticTag::Unnecessary]),
        related_information: Some(all_related(world, document, found)).filter(|all| !all.is_empty()),
        data: None,
    }
}

/// The bytes of a finding; of one without any, the word that it stands at.
fn shown(document: &Document, found: &language::Diagnostic) -> std::ops::Range<usize> {
    if !found.at.is_empty() {
        return found.at.clone();
    }
    let mark = document.reading.mark_at(found.at.start);
    mark.map_or(found.at.clone(), |mark| mark.at.clone())
}

/// Whether what a rule finds could as well not be there.
fn is_unused(rule: &str) -> bool {
    rule.starts_with("unused-")
}

/// What else is shown of a finding: a run that shows it, and what the names in it stand for.
fn all_related(
    world: &World<'_>,
    document: &Document,
    found: &language::Diagnostic,
) -> Vec<DiagnosticRelatedInformation> {
    let path = document.path.as_ref().map_or_else(|| "-".to_owned(), |path| path.display().to_string());
    let run = Run::of(&path, document.text.source(), found).map(|run| DiagnosticRelatedInformation {
        location: world.location(document, &shown(document, found)),
        message: run.text(),
    });
    run.into_iter().chain(related(world, document, found)).collect()
}

/// What the names in a finding stand for, where it is about two places.
fn related(
    world: &World<'_>,
    document: &Document,
    found: &language::Diagnostic,
) -> Vec<DiagnosticRelatedInformation> {
    let about_two =
        ["faulty-use", "recursive-use", "vars-differ", "policy-twice", "types-differ", "unused-var"];
    if !about_two.contains(&found.rule) {
        return Vec::new();
    }
    let inside = |at: &std::ops::Range<usize>| found.at.start <= at.start && at.end <= found.at.end;
    let marks = document.reading.marks.iter().filter(|mark| inside(&mark.at));
    let mut all: Vec<DiagnosticRelatedInformation> = Vec::new();
    for mark in marks {
        for (home, at) in navigate::definitions(world, document, mark.at.start) {
            let name = home.text.slice(&at);
            let location = world.location(home, &at);
            let here = home.uri == document.uri && inside(&at);
            if !here && !all.iter().any(|told| told.location == location) {
                all.push(DiagnosticRelatedInformation {
                    location,
                    message: format!("`{name}` is declared here"),
                });
            }
        }
    }
    all
}

/// The address of a rule's page.
pub(super) fn address(rule: &str) -> Uri {
    Uri::from(format!("{SCHEME}:/{rule}.md"))
}

/// The page of a rule, of what the compiler finds, or of a rule of the house.
fn page_of(world: &World<'_>, rule: &str) -> Option<Page> {
    let known = lint::rules::pages().find(|known| known.name() == rule);
    known.map(Page::of).or_else(|| world.house_rule(rule))
}

/// The page at an address, in Markdown.
pub(super) fn page(world: &World<'_>, address: &str) -> Option<String> {
    let rule =
        address.strip_prefix(SCHEME)?.strip_prefix(':')?.trim_start_matches('/').strip_suffix(".md")?;
    Some(page_of(world, rule)?.markdown())
}
