//! What an editor can mend by itself.

use gen_lsp_types::{CodeAction, CodeActionKind, CodeActionParams, TextEdit, WorkspaceEdit};
use serde_json::json;

use super::diagnostics::of_finding;
use super::server::Client;
use super::world::{Document, World};
use crate::language::Diagnostic;
use crate::lint::allow::rules::is_about_comments;

/// What can be done about the findings of a range.
pub(super) fn of_range(
    world: &World<'_>,
    document: &Document,
    params: &CodeActionParams,
    client: Client,
) -> Vec<CodeAction> {
    let range = document.text.bytes(params.range, world.encoding);
    let wants = |kind: &CodeActionKind| {
        let only = params.context.only.as_deref();
        only.is_none_or(|only| only.iter().any(|wanted| holds(wanted, kind)))
    };
    let checked = world.checked(document);
    let mut actions = Vec::new();
    let touched = |found: &&Diagnostic| found.at.start <= range.end && range.start <= found.at.end;
    if wants(&CodeActionKind::QuickFix) {
        for found in checked.findings.iter().filter(touched) {
            actions.extend(fix(world, document, found, client));
        }
        for found in checked.findings.iter().filter(touched) {
            actions.extend(allow(world, document, found, client));
        }
    }
    if wants(&CodeActionKind::SourceFixAll) {
        actions.extend(fix_all(world, document, &checked.findings, client));
    }
    actions
}

/// Whether a kind of actions is of the wanted kind, or below it.
fn holds(wanted: &CodeActionKind, kind: &CodeActionKind) -> bool {
    let text =
        |kind: &CodeActionKind| serde_json::to_value(kind).ok().and_then(|v| v.as_str().map(str::to_owned));
    let (wanted, kind) = (text(wanted).unwrap_or_default(), text(kind).unwrap_or_default());
    wanted.is_empty()
        || kind == wanted
        || kind.strip_prefix(wanted.as_str()).is_some_and(|rest| rest.starts_with('.'))
}

fn fix(world: &World<'_>, document: &Document, found: &Diagnostic, client: Client) -> Option<CodeAction> {
    if found.fix.is_empty() {
        return None;
    }
    let edits = edits(world, document, std::slice::from_ref(found));
    let title = match found.fix.as_slice() {
        [one] if one.text.is_empty() => format!("Leave out `{}`", folded(document.text.slice(&one.at))),
        [one] if one.at.is_empty() => format!("Write `{}`", folded(&one.text)),
        [one] => format!("Replace `{}` by `{}`", folded(document.text.slice(&one.at)), folded(&one.text)),
        _ => format!("Mend: {}", found.message),
    };
    Some(CodeAction {
        title,
        kind: Some(CodeActionKind::QuickFix),
        diagnostics: Some(vec![of_finding(world, document, found)]),
        is_preferred: Some(true),
        edit: Some(workspace_edit(document, edits, client)),
        ..CodeAction::default()
    })
}

/// A comment that says that the finding is meant. What keeps a policy from compiling cannot be allowed.
fn allow(world: &World<'_>, document: &Document, found: &Diagnostic, client: Client) -> Option<CodeAction> {
    if crate::lint::keeps_from_compiling(found) || is_about_comments(found.rule) {
        return None;
    }
    let line = document.text.line(document.text.line_of(found.at.start));
    let text = document.text.slice(&line);
    let indent: String = text.chars().take_while(|c| matches!(c, ' ' | '\t')).collect();
    let comment = format!("{indent}# spine: allow {} -- reason\n", found.rule);
    let edit = TextEdit { range: world.range(document, &(line.start..line.start)), new_text: comment };
    Some(CodeAction {
        title: format!("Allow `{}` here, with a reason", found.rule),
        kind: Some(CodeActionKind::QuickFix),
        diagnostics: Some(vec![of_finding(world, document, found)]),
        is_preferred: Some(false),
        edit: Some(workspace_edit(document, vec![edit], client)),
        ..CodeAction::default()
    })
}

fn fix_all(
    world: &World<'_>,
    document: &Document,
    findings: &[Diagnostic],
    client: Client,
) -> Option<CodeAction> {
    let edits = edits(world, document, findings);
    if edits.is_empty() {
        return None;
    }
    Some(CodeAction {
        title: "Mend everything that can be mended safely".to_owned(),
        kind: Some(CodeActionKind::SourceFixAll),
        edit: Some(workspace_edit(document, edits, client)),
        ..CodeAction::default()
    })
}

/// The edits of findings; of those that touch one another, the first finding's.
fn edits(world: &World<'_>, document: &Document, findings: &[Diagnostic]) -> Vec<TextEdit> {
    let mut taken: Vec<&crate::language::Edit> = Vec::new();
    for found in findings {
        let free = |edit: &crate::language::Edit| {
            !taken.iter().any(|known| edit.at.start <= known.at.end && known.at.start <= edit.at.end)
        };
        if found.fix.iter().all(free) {
            taken.extend(&found.fix);
        }
    }
    taken.sort_by_key(|edit| edit.at.start);
    let edit = |edit: &&crate::language::Edit| TextEdit {
        range: world.range(document, &edit.at),
        new_text: edit.text.clone(),
    };
    taken.iter().map(edit).collect()
}

fn workspace_edit(document: &Document, edits: Vec<TextEdit>, client: Client) -> WorkspaceEdit {
    let whole = if client.versioned_edits {
        let document = json!({"uri": document.uri, "version": document.version});
        json!({"documentChanges": [{"textDocument": document, "edits": edits}]})
    } else {
        json!({"changes": {document.uri.as_ref(): edits}})
    };
    serde_json::from_value(whole).unwrap_or_default()
}

fn folded(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= 40 { text } else { text.chars().take(39).chain(['…']).collect() }
}
