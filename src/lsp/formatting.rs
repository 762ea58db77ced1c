//! The one style, as edits.

use gen_lsp_types::{Range, TextEdit};

use super::world::{Document, World};

/// The edits that give a document its style; none where it has it, or cannot be read.
pub(super) fn document(world: &World<'_>, document: &Document) -> Vec<TextEdit> {
    edits(world, document, None)
}

/// The same, of the lines of a range.
pub(super) fn range(world: &World<'_>, document: &Document, range: Range) -> Vec<TextEdit> {
    edits(world, document, Some(range))
}

fn edits(_world: &World<'_>, _document: &Document, _range: Option<Range>) -> Vec<TextEdit> {
    Vec::new()
}
