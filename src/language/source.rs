//! A source as text: its comments and brackets before it is read, its lines and columns after.

use std::ops::Range;

use super::limits::BRACKETS_DEPTH_MAX;
use super::policy::TextRange;

/// What a text from the standard input is called where files have a path; a command takes it as `-`.
pub const STDIN: &str = "<stdin>";

/// What one linear look at a source finds, before the grammar reads it.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// The comments, in order.
    pub(super) comments: Vec<Range<usize>>,
    /// The first bracket that is nested deeper than [`BRACKETS_DEPTH_MAX`].
    pub(crate) too_deep: Option<usize>,
}

/// The comments of a source, each from its `#` to the end of its line, in order.
#[must_use]
pub fn comments(source: &str) -> Vec<TextRange> {
    Scan::of(source).comments
}

/// What belongs to a policy that stands `at` these bytes: they, and the comment right above, whose lines
/// hold nothing else.
#[must_use]
pub fn with_comment_above(source: &str, at: &TextRange) -> TextRange {
    let mut start = at.start;
    for comment in comments(source).into_iter().rev().filter(|comment| comment.end <= at.start) {
        let between = source.get(comment.end..start).unwrap_or_default();
        let before = source.get(..comment.start).unwrap_or_default();
        let line = before.rsplit(['\n', '\r']).next().unwrap_or_default();
        if between.matches('\n').count() > 1 || !between.trim().is_empty() || !line.trim().is_empty() {
            break;
        }
        start = comment.start;
    }
    start..at.end
}

impl Scan {
    pub(crate) fn of(source: &str) -> Scan {
        Scan::outside(source, |_, _| {})
    }

    /// Looks at a source, and calls `look` at each character outside of texts and comments, with the
    /// number of brackets that are open there.
    pub(crate) fn outside(source: &str, mut look: impl FnMut(usize, usize)) -> Scan {
        let bytes = source.as_bytes();
        let (mut scan, mut depth, mut i) = (Scan::default(), 0_usize, 0_usize);
        while i < bytes.len() {
            if bytes[i] != b'#' && source.is_char_boundary(i) {
                look(depth, i);
            }
            match bytes[i] {
                b'#' => {
                    let end = line_end(bytes, i);
                    let written = source[i..end].trim_end_matches('\r').len();
                    scan.comments.push(i..i + written);
                    i = end;
                }
                b'"' => i = string_end(bytes, i),
                b'\'' => i = closed_before_line_end(source, i, '\''),
                0xE2 if source[i..].starts_with('“') => i = closed_before_line_end(source, i, '”'),
                0xE2 if source[i..].starts_with('„') => i = closed_low_quote(source, i),
                0xC2 if source[i..].starts_with('«') => i = closed_before_line_end(source, i, '»'),
                b'(' | b'[' | b'{' => {
                    depth += 1;
                    if depth > BRACKETS_DEPTH_MAX && scan.too_deep.is_none() {
                        scan.too_deep = Some(i);
                    }
                    i += 1;
                }
                b')' | b']' | b'}' => {
                    depth = depth.saturating_sub(1);
                    i += 1;
                }
                _ => i += 1,
            }
        }
        scan
    }

    /// `range` without the blanks and comments at its end.
    pub(crate) fn tight(&self, source: &str, range: Range<usize>) -> TextRange {
        let mut end = range.end;
        loop {
            let text = source.get(range.start..end).unwrap_or_default();
            end = range.start + text.trim_end_matches(is_blank).len();
            // The blanks at the end of a comment, a carriage return too, are gone already.
            let last = self.comments.get(self.comments.partition_point(|c| c.end < end));
            match last.filter(|c| c.start >= range.start && c.start < end) {
                Some(comment) => end = comment.start,
                None => return range.start..end,
            }
        }
    }

    /// The text of `range` on one line, without comments, its white space folded.
    pub(crate) fn folded(&self, source: &str, range: &TextRange) -> String {
        let mut out = String::new();
        let mut at = range.start;
        let first = self.comments.partition_point(|c| c.end <= range.start);
        let inside = self.comments[first..].iter().take_while(|c| c.start < range.end);
        for (start, end) in inside.map(|c| (c.start, c.end)).chain([(range.end, range.end)]) {
            for word in source.get(at..start).unwrap_or_default().split(is_blank).filter(|w| !w.is_empty()) {
                if !out.is_empty() {
                    out.push(' ');
                }
                out.push_str(word);
            }
            at = end;
        }
        out
    }
}

/// What separates words.
pub(crate) fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\n' | '\t' | '\r' | '\u{A0}' | '\u{202F}' | '\u{FEFF}')
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    bytes[from..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |n| from + n)
}

/// Behind a string that begins at `from`, with `\` before any character but the end of the line.
fn string_end(bytes: &[u8], from: usize) -> usize {
    let mut i = from + 1;
    while i < bytes.len() {
        match bytes[i] {
            b'"' => return i + 1,
            b'\n' => return i,
            b'\\' if bytes.get(i + 1).is_some_and(|b| *b != b'\n') => i += 2,
            _ => i += 1,
        }
    }
    bytes.len()
}

/// Behind a text that `close` ends on the same line, before another one opens; else behind its first
/// character.
fn closed_before_line_end(source: &str, from: usize, close: char) -> usize {
    let mut chars = source[from..].chars();
    let Some(open) = chars.next() else { return from + 1 };
    let after_open = from + open.len_utf8();
    match source[after_open..].find([close, open, '\n']) {
        Some(n) if source[after_open + n..].starts_with(close) => after_open + n + close.len_utf8(),
        _ => after_open,
    }
}

/// Behind a text that begins low and is ended high, in one of two ways.
fn closed_low_quote(source: &str, from: usize) -> usize {
    let after_open = from + '„'.len_utf8();
    let rest = source[after_open..].split('\n').next().unwrap_or_default();
    match rest.find(['“', '”']) {
        Some(n) => after_open + n + '“'.len_utf8(),
        None => after_open,
    }
}

/// What some editors write before a text to tell the order of its bytes.
const MARK: char = '\u{feff}';

/// The line and the column of a byte, both from 1; columns count characters.
#[must_use]
pub fn line_column(source: &str, byte: usize) -> (usize, usize) {
    let before = source.get(..byte.min(source.len())).unwrap_or(source);
    // The mark of the byte order is no character of the first line.
    let mark = if source.starts_with(MARK) { MARK.len_utf8().min(before.len()) } else { 0 };
    let line_start = before.rfind('\n').map_or(mark, |n| n + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_from_one() {
        assert_eq!(line_column("", 0), (1, 1));
        assert_eq!(line_column("añb\nc", 3), (1, 3));
        assert_eq!(line_column("añb\nc", 5), (2, 1));
        assert_eq!(line_column("ab", 99), (1, 3));
        assert_eq!(line_column("\u{feff}ab\nc", 4), (1, 2));
        assert_eq!(line_column("\u{feff}ab", 0), (1, 1));
        assert_eq!(line_column("\u{feff}ab\nc", 6), (2, 1));
    }

    #[test]
    fn the_comment_right_above_a_policy_belongs_to_it() {
        for (above, own) in [
            ("# a\n# b\n", "# a\n# b\npolicy"),
            ("# of the file\n\n# a\r\n  # b\r\n  ", "# a\r\n  # b\r\n  policy"),
            ("# of the file\n\n", "policy"),
            ("policy other { sms } # behind it\n", "policy"),
            ("policy other { sms\n# inside\n} ", "policy"),
            ("", "policy"),
        ] {
            let source = format!("{above}policy p {{ sms }}");
            let range = with_comment_above(&source, &(above.len()..source.len()));
            assert_eq!(&source[range], format!("{own} p {{ sms }}"));
        }
    }

    #[test]
    fn blanks_at_the_end_of_a_comment_are_part_of_it() {
        for source in ["sms # one \t\n", "sms#one\r\n # two  \r\n", "sms # one  ", "sms #\n\n"] {
            assert_eq!(Scan::of(source).tight(source, 0..source.len()), 0..3, "{source:?}");
        }
    }

    #[test]
    fn a_range_is_cut_to_its_words_and_a_text_is_folded() {
        let source = "sms # one\n  # two\n then \"#\"   # three\n";
        let scan = Scan::of(source);
        let range = scan.tight(source, 0..source.len());
        assert_eq!(&source[range.clone()], "sms # one\n  # two\n then \"#\"");
        assert_eq!(scan.folded(source, &range), "sms then \"#\"");
        let source = "30sec  # of lines that end in two characters\r\n";
        assert_eq!(Scan::of(source).tight(source, 0..source.len()), 0..5);
    }
}
