//! The one style, as edits of lines.

use std::ops::Range as Lines;

use gen_lsp_types::{Position, Range, TextEdit};

use super::world::{Document, World};

/// Pairs of lines that are compared to find what stays; where there are more, all that lies between
/// is replaced at once.
const COMPARED_MAX: usize = 4_000_000;

/// The edits that give a document its style; none where it has it, or has faults.
pub(super) fn document(_: &World<'_>, document: &Document) -> Vec<TextEdit> {
    edits(document, &(0..usize::MAX))
}

/// Those of them that touch the lines of a range.
pub(super) fn range(_: &World<'_>, document: &Document, range: Range) -> Vec<TextEdit> {
    let line = |position: Position| usize::try_from(position.line).unwrap_or(usize::MAX);
    edits(document, &(line(range.start)..line(range.end).saturating_add(1)))
}

fn edits(document: &Document, wanted: &Lines<usize>) -> Vec<TextEdit> {
    let source = document.text.source();
    let Ok(formatted) = crate::language::format(source) else { return Vec::new() };
    let (old, new) = (lines(source), lines(&formatted));
    let touches = |hunk: &Hunk| hunk.old.start < wanted.end && wanted.start <= hunk.old.end;
    let edit = |hunk: Hunk| TextEdit {
        range: Range {
            start: begin(&old, hunk.old.start, document),
            end: begin(&old, hunk.old.end, document),
        },
        new_text: new.get(hunk.new).unwrap_or_default().concat(),
    };
    hunks(&old, &new).into_iter().filter(touches).map(edit).collect()
}

/// The lines of a text with their ends, as editors see lines.
fn lines(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = match rest.find(['\n', '\r']) {
            Some(at) if rest.get(at..).is_some_and(|rest| rest.starts_with("\r\n")) => at + 2,
            Some(at) => at + 1,
            None => rest.len(),
        };
        let (line, behind) = rest.split_at(end);
        out.push(line);
        rest = behind;
    }
    out
}

/// The beginning of a line; behind the last one, the end of the text.
fn begin(old: &[&str], line: usize, document: &Document) -> Position {
    let ends_open = old.last().is_some_and(|last| !last.ends_with(['\n', '\r']));
    if line >= old.len() && ends_open {
        // The end of the last line, counted so far that every encoding cuts it back.
        let last = u32::try_from(old.len().saturating_sub(1)).unwrap_or(u32::MAX);
        return Position {
            line: last,
            character: u32::try_from(document.text.source().len()).unwrap_or(u32::MAX),
        };
    }
    Position { line: u32::try_from(line).unwrap_or(u32::MAX), character: 0 }
}

#[derive(Debug, PartialEq, Eq)]
struct Hunk {
    old: Lines<usize>,
    new: Lines<usize>,
}

/// Where two lists of lines differ.
fn hunks(old: &[&str], new: &[&str]) -> Vec<Hunk> {
    let start = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (old.get(start..).unwrap_or_default(), new.get(start..).unwrap_or_default());
    let end = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let old_rest = old_rest.get(..old_rest.len() - end).unwrap_or_default();
    let new_rest = new_rest.get(..new_rest.len() - end).unwrap_or_default();
    let mut out: Vec<Hunk> = Vec::new();
    let (mut i, mut j) = (0, 0);
    for (a, b) in kept(old_rest, new_rest).into_iter().chain([(old_rest.len(), new_rest.len())]) {
        if i < a || j < b {
            out.push(Hunk { old: start + i..start + a, new: start + j..start + b });
        }
        (i, j) = (a + 1, b + 1);
    }
    out
}

/// The lines that both have, in the order of both: a longest common part.
fn kept(old: &[&str], new: &[&str]) -> Vec<(usize, usize)> {
    if old.len().saturating_mul(new.len()) > COMPARED_MAX {
        return Vec::new();
    }
    let width = new.len() + 1;
    let mut longest = vec![0_u32; (old.len() + 1) * width];
    for (i, a) in old.iter().enumerate().rev() {
        for (j, b) in new.iter().enumerate().rev() {
            longest[i * width + j] = if a == b {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut out) = (0, 0, Vec::new());
    while i < old.len() && j < new.len() {
        if old[i] == new[j] {
            out.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if longest[(i + 1) * width + j] >= longest[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hunks_of_two_texts_make_one_from_the_other() {
        let texts = ["", "a\n", "a\nb\nc\n", "b\nc\nd\n", "a\nx\nc\ny\n", "a\r\nb\rc", "a\n\n\nb"];
        for (from, to) in texts.iter().flat_map(|from| texts.map(|to| (*from, to))) {
            let (old, new) = (lines(from), lines(to));
            let (mut made, mut at) = (String::new(), 0);
            for hunk in hunks(&old, &new) {
                made.push_str(&old[at..hunk.old.start].concat());
                made.push_str(&new[hunk.new].concat());
                at = hunk.old.end;
            }
            made.push_str(&old[at..].concat());
            assert_eq!(made, to, "from {from:?}");
        }
        assert_eq!(hunks(&lines("a\nb\nc\n"), &lines("a\nc\n")), [Hunk { old: 1..2, new: 1..1 }]);
    }
}
