//! What can be folded away: policies, groups, vars and comments of several lines.

use std::ops::Range;

use gen_lsp_types::{FoldingRange, FoldingRangeKind};

use super::reading::Header;
use super::world::Document;

pub(super) fn of_document(document: &Document) -> Vec<FoldingRange> {
    let mut out = Vec::new();
    for policy in &document.outline().policies {
        if !policy.bare {
            out.extend(fold(document, &policy.at, None));
        }
        let vars = policy.headers.iter().filter(|(header, _)| *header == Header::Vars);
        out.extend(vars.filter_map(|(_, at)| fold(document, at, None)));
        for stage in policy.every_stage().into_iter().filter(|stage| !stage.members.is_empty()) {
            let end = stage.modifiers.first().map_or(stage.at.end, |(_, at)| at.start);
            let source = document.text.source().get(..end).unwrap_or_default();
            out.extend(fold(document, &(stage.at.start..source.trim_end().len()), None));
        }
    }
    out.extend(
        comments(document).iter().filter_map(|at| fold(document, at, Some(FoldingRangeKind::Comment))),
    );
    out
}

/// Comments that stand alone on lines in a row, together.
fn comments(document: &Document) -> Vec<Range<usize>> {
    let mut blocks: Vec<Range<usize>> = Vec::new();
    for comment in &document.reading.comments {
        let line = document.text.line(document.text.line_of(comment.start));
        if !document.text.slice(&(line.start..comment.start)).trim().is_empty() {
            continue;
        }
        match blocks.last_mut() {
            Some(block) if document.text.line_of(block.end) + 1 == document.text.line_of(comment.start) => {
                block.end = comment.end;
            }
            _ => blocks.push(comment.clone()),
        }
    }
    blocks
}

fn fold(document: &Document, at: &Range<usize>, kind: Option<FoldingRangeKind>) -> Option<FoldingRange> {
    let line = |byte| u32::try_from(document.text.line_of(byte)).unwrap_or(u32::MAX);
    let (start_line, end_line) = (line(at.start), line(at.end));
    (start_line < end_line).then(|| FoldingRange { start_line, end_line, kind, ..FoldingRange::default() })
}
