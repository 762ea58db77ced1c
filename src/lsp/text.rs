//! A document's text, and places in it as editors count them.

use std::ops::Range as Bytes;

use gen_lsp_types::{Position, PositionEncodingKind, Range, TextDocumentContentChangeEvent};

/// In what a client counts the characters of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Encoding {
    Utf8,
    /// What holds where nothing is agreed on.
    #[default]
    Utf16,
    Utf32,
}

impl Encoding {
    /// The first of the client's that is known here.
    pub(super) fn agreed(offered: Option<&[PositionEncodingKind]>) -> Encoding {
        let known = |kind: &PositionEncodingKind| match kind {
            PositionEncodingKind::UTF8 => Some(Encoding::Utf8),
            PositionEncodingKind::UTF16 => Some(Encoding::Utf16),
            PositionEncodingKind::UTF32 => Some(Encoding::Utf32),
            PositionEncodingKind::Custom(_) => None,
        };
        offered.into_iter().flatten().find_map(known).unwrap_or_default()
    }

    pub(super) fn kind(self) -> PositionEncodingKind {
        match self {
            Encoding::Utf8 => PositionEncodingKind::UTF8,
            Encoding::Utf16 => PositionEncodingKind::UTF16,
            Encoding::Utf32 => PositionEncodingKind::UTF32,
        }
    }

    fn units(self, c: char) -> usize {
        match self {
            Encoding::Utf8 => c.len_utf8(),
            Encoding::Utf16 => c.len_utf16(),
            Encoding::Utf32 => 1,
        }
    }

    /// How long a text is for the client.
    pub(super) fn length(self, text: &str) -> u32 {
        saturated(text.chars().map(|c| self.units(c)).sum())
    }
}

fn saturated(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// A text with the beginnings of its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    source: String,
    lines: Vec<usize>,
}

impl Text {
    pub(super) fn new(source: String) -> Text {
        let bytes = source.as_bytes();
        let ends_line = |i: usize| match bytes[i] {
            b'\n' => true,
            b'\r' => bytes.get(i + 1) != Some(&b'\n'),
            _ => false,
        };
        let lines = std::iter::once(0).chain((0..bytes.len()).filter(|i| ends_line(*i)).map(|i| i + 1));
        Text { lines: lines.collect(), source }
    }

    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// The bytes of a range that is known to be the text's own; what lies beyond it is cut off.
    pub(super) fn slice(&self, at: &Bytes<usize>) -> &str {
        self.source.get(at.clone()).unwrap_or_default()
    }

    /// The line of a byte, from 0.
    pub(super) fn line_of(&self, byte: usize) -> usize {
        self.lines.partition_point(|start| *start <= byte).saturating_sub(1)
    }

    /// The bytes of a line without its end; of a line that is not there, the end of the text.
    pub(super) fn line(&self, line: usize) -> Bytes<usize> {
        let Some(start) = self.lines.get(line).copied() else {
            return self.source.len()..self.source.len();
        };
        let end = self.lines.get(line + 1).copied().unwrap_or(self.source.len());
        let text = self.source.get(start..end).unwrap_or_default();
        start..start + text.trim_end_matches(['\n', '\r']).len()
    }

    /// The byte of a position. One behind the end of its line is the end of the line; one inside a
    /// character is its beginning.
    pub(super) fn byte(&self, position: Position, encoding: Encoding) -> usize {
        let line = self.line(usize::try_from(position.line).unwrap_or(usize::MAX));
        let wanted = usize::try_from(position.character).unwrap_or(usize::MAX);
        let (mut units, mut byte) = (0, line.start);
        for c in self.slice(&line).chars() {
            units += encoding.units(c);
            if units > wanted {
                break;
            }
            byte += c.len_utf8();
        }
        byte
    }

    pub(super) fn position(&self, byte: usize, encoding: Encoding) -> Position {
        let byte = byte.min(self.source.len());
        let line = self.line_of(byte);
        let start = self.lines.get(line).copied().unwrap_or_default();
        let before = self.source.char_indices_from(start).take_while(|(at, _)| *at < byte);
        let character = before.map(|(_, c)| encoding.units(c)).sum();
        Position { line: saturated(line), character: saturated(character) }
    }

    pub(super) fn range(&self, at: &Bytes<usize>, encoding: Encoding) -> Range {
        Range { start: self.position(at.start, encoding), end: self.position(at.end.max(at.start), encoding) }
    }

    pub(super) fn bytes(&self, range: Range, encoding: Encoding) -> Bytes<usize> {
        let (start, end) = (self.byte(range.start, encoding), self.byte(range.end, encoding));
        start.min(end)..start.max(end)
    }

    /// The text after what a client has changed, in the client's order.
    pub(super) fn changed(&self, changes: &[TextDocumentContentChangeEvent], encoding: Encoding) -> Text {
        changes.iter().fold(self.clone(), |text, change| match change {
            TextDocumentContentChangeEvent::TextDocumentContentChangePartial(part) => {
                let at = text.bytes(part.range, encoding);
                let mut source = text.source;
                source.replace_range(at, &part.text);
                Text::new(source)
            }
            TextDocumentContentChangeEvent::TextDocumentContentChangeWholeDocument(whole) => {
                Text::new(whole.text.clone())
            }
        })
    }
}

trait FromByte {
    fn char_indices_from(&self, start: usize) -> impl Iterator<Item = (usize, char)>;
}

impl FromByte for str {
    fn char_indices_from(&self, start: usize) -> impl Iterator<Item = (usize, char)> {
        self.get(start..).unwrap_or_default().char_indices().map(move |(at, c)| (start + at, c))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a\u{1F600}ä\r\nsms\rvoice\n";

    fn at(line: u32, character: u32) -> Position {
        Position { line, character }
    }

    #[test]
    fn a_character_counts_as_the_client_counts_it() {
        let text = Text::new(TEXT.to_owned());
        let ends = [(Encoding::Utf8, 5), (Encoding::Utf16, 3), (Encoding::Utf32, 2)];
        for (encoding, behind_the_face) in ends {
            assert_eq!(text.byte(at(0, behind_the_face), encoding), 5, "{encoding:?}");
            assert_eq!(text.position(5, encoding), at(0, behind_the_face));
        }
    }

    #[test]
    fn each_byte_that_begins_a_character_comes_back_from_its_position() {
        let text = Text::new(TEXT.to_owned());
        for encoding in [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32] {
            for (byte, c) in TEXT.char_indices().filter(|(_, c)| !matches!(c, '\n' | '\r')) {
                assert_eq!(text.byte(text.position(byte, encoding), encoding), byte, "{c} {encoding:?}");
            }
        }
    }

    #[test]
    fn a_position_that_is_not_there_is_the_nearest_before_it() {
        let text = Text::new(TEXT.to_owned());
        assert_eq!(text.byte(at(0, 99), Encoding::Utf16), 7, "the end of the line, before its end");
        assert_eq!(text.byte(at(0, 2), Encoding::Utf16), 1, "half of the face");
        assert_eq!(text.byte(at(99, 0), Encoding::Utf16), TEXT.len());
        assert_eq!(text.byte(at(u32::MAX, u32::MAX), Encoding::Utf16), TEXT.len());
        assert_eq!(text.line(2), 13..18);
    }

    #[test]
    fn changes_are_made_one_after_the_other() {
        let change = |from, to, text: &str| {
            TextDocumentContentChangeEvent::TextDocumentContentChangePartial(
                gen_lsp_types::TextDocumentContentChangePartial {
                    range: Range { start: from, end: to },
                    text: text.to_owned(),
                    ..Default::default()
                },
            )
        };
        let text = Text::new(TEXT.to_owned());
        let changes = [change(at(0, 1), at(0, 3), "b"), change(at(0, 2), at(1, 1), "\n")];
        assert_eq!(text.changed(&changes, Encoding::Utf16).source(), "ab\nms\rvoice\n");
    }
}
