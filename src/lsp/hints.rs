//! Beside each stage, the time at which it can start.

use gen_lsp_types::{InlayHint, Label, MarkupContent, MarkupKind, Range, Tooltip};

use super::hover::when;
use super::stages;
use super::world::{Document, World};
use crate::language::policy::Action;
use crate::machine::Start;
use crate::model::Span;

pub(super) fn of_range(world: &World<'_>, document: &Document, range: Range) -> Vec<InlayHint> {
    let wanted = document.text.bytes(range, world.encoding);
    let catalog = &world.settings(document).catalog;
    let mut out = Vec::new();
    for policy in stages::compiled(world, document) {
        let starts = policy.starts(catalog);
        for placed in policy.stages() {
            let Some(start) = starts.get(usize::from(placed.id.0)) else { continue };
            let node = document.outline().stage_at(placed.at.start).filter(|node| node.at == placed.at);
            let word = node.map(|node| node.word.clone());
            let (Some(word), false) = (word, matches!(placed.stage.action, Action::Wait(_))) else {
                continue;
            };
            if word.end < wanted.start || wanted.end < word.end {
                continue;
            }
            let lines: Vec<String> =
                when(document, &policy, start).iter().map(|line| format!("- {line}")).collect();
            let tooltip = MarkupContent { kind: MarkupKind::Markdown, value: lines.join("\n") };
            out.push(InlayHint {
                position: document.text.position(word.end, world.encoding),
                label: Label::String(label(start)),
                kind: None,
                text_edits: None,
                tooltip: Some(Tooltip::MarkupContent(tooltip)),
                padding_left: Some(true),
                padding_right: None,
                data: None,
            });
        }
    }
    out.sort_by_key(|hint| (hint.position.line, hint.position.character));
    out
}

/// `30s`, or `on failure` where the clock alone does not lead there.
fn label(start: &Start) -> String {
    let behind = |what: &str, alone: &str, span: Span| match span.ms() {
        0 => alone.to_owned(),
        _ => format!("{what} + {span}"),
    };
    match (start.silent, start.behind, start.wait) {
        (Some(span), _, None) => span.to_string(),
        (Some(span), _, Some(_)) => behind("wait", "after the wait", span),
        (None, Some((_, span)), None) => behind("on failure", "on failure", span),
        (None, Some((_, span)), Some(_)) => behind("on failure, wait", "on failure, after the wait", span),
        (None, None, _) => "never".to_owned(),
    }
}
