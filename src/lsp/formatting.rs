//! The one style, as edits of lines.

use std::ops::Range as Lines;

use gen_lsp_types::{Position, Range, TextEdit};

use super::world::{Document, World};

/// The edits that give a document its style; none where it has it, or has faults.
pub(super) fn document(_: &World<'_>, document: &Document) -> Vec<TextEdit> {
    edits(document, &(0..usize::MAX))
}

/// Those of them that touch the lines of a range; a line before whose first character it ends is none.
pub(super) fn range(_: &World<'_>, document: &Document, range: Range) -> Vec<TextEdit> {
    let line = |position: Position| usize::try_from(position.line).unwrap_or(usize::MAX);
    let (first, last) = (line(range.start), line(range.end));
    let ends_before = range.end.character == 0 && first < last;
    edits(document, &(first..if ends_before { last } else { last.saturating_add(1) }))
}

fn edits(document: &Document, wanted: &Lines<usize>) -> Vec<TextEdit> {
    let source = document.text.source();
    let Ok(formatted) = crate::language::format(source) else { return Vec::new() };
    let (old, new) = (lines(source), lines(&formatted));
    // What only adds lines touches the one before which it does.
    let touches = |hunk: &Hunk| {
        hunk.old.start < wanted.end && wanted.start < hunk.old.end.max(hunk.old.start.saturating_add(1))
    };
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

/// Where two lists of lines differ, in as many parts as there are. A part ends where a line of each
/// does with the same letters before it: a style changes blanks, and on which side of a word a comment
/// stands.
fn hunks(old: &[&str], new: &[&str]) -> Vec<Hunk> {
    let letters = |line: &str| line.chars().filter(|c| !c.is_whitespace()).collect::<Vec<char>>();
    let mut out = Vec::new();
    let (mut begun, mut i, mut j) = ((0, 0), 0, 0);
    let (mut before, mut after) = (Vec::new(), Vec::new());
    while i < old.len() || j < new.len() {
        if j == new.len() || i < old.len() && before.len() <= after.len() {
            before.extend(letters(old[i]));
            i += 1;
        } else {
            after.extend(letters(new[j]));
            j += 1;
        }
        let same = |before: &mut Vec<char>, after: &mut Vec<char>| {
            before.sort_unstable();
            after.sort_unstable();
            before == after
        };
        let ends = (i, j) == (old.len(), new.len());
        if ends || !before.is_empty() && before.len() == after.len() && same(&mut before, &mut after) {
            out.extend(differing(old, new, Hunk { old: begun.0..i, new: begun.1..j }));
            begun = (i, j);
            before.clear();
            after.clear();
        }
    }
    out
}

/// A part without the lines at its ends that both have.
fn differing(old: &[&str], new: &[&str], part: Hunk) -> Option<Hunk> {
    let (ours, theirs) = (old.get(part.old.clone())?, new.get(part.new.clone())?);
    let start = ours.iter().zip(theirs).take_while(|(a, b)| a == b).count();
    let (ours, theirs) = (ours.get(start..)?, theirs.get(start..)?);
    let end = ours.iter().rev().zip(theirs.iter().rev()).take_while(|(a, b)| a == b).count();
    let part = Hunk {
        old: part.old.start + start..part.old.end - end,
        new: part.new.start + start..part.new.end - end,
    };
    Some(part).filter(|part| !part.old.is_empty() || !part.new.is_empty())
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
