//! The words around a finding.

use super::Edit;
use crate::language::policy::TextRange;
use crate::language::source::comments;

/// Bytes of a line on which habits in whole phrases are looked for.
const LINE_BYTES_MAX: usize = 1_000;

/// A place in a source.
pub(in super::super) struct Around<'s> {
    pub(in super::super) source: &'s str,
    pub(in super::super) at: TextRange,
}

/// A word with its bytes.
pub(in super::super) type Word<'s> = (TextRange, &'s str);

impl<'s> Around<'s> {
    /// The text of the finding.
    pub(in super::super) fn text(&self) -> &'s str {
        self.part(self.at.clone())
    }

    pub(in super::super) fn part(&self, at: TextRange) -> &'s str {
        self.source.get(at).unwrap_or_default()
    }

    /// Behind the blanks that stand at a byte, on its line.
    pub(in super::super) fn blanks_from(&self, from: usize) -> usize {
        let rest = self.source.get(from..).unwrap_or_default();
        from + rest.len() - rest.trim_start_matches([' ', '\t']).len()
    }

    /// The end of what stands before a byte, but for blanks and comments.
    pub(in super::super) fn end_before(&self, at: usize) -> usize {
        let comments = comments(self.source);
        let mut end = self.part(0..at).trim_end().len();
        while let Some(comment) = comments.iter().find(|comment| comment.start < end && end <= comment.end) {
            end = self.part(0..comment.start).trim_end().len();
        }
        end
    }

    /// Before the blanks that stand before a byte.
    pub(in super::super) fn blanks_before(&self, end: usize) -> usize {
        self.source.get(..end).unwrap_or_default().trim_end_matches([' ', '\t']).len()
    }

    /// The beginning of the line of a byte.
    pub(in super::super) fn line_start(&self, from: usize) -> usize {
        self.source.get(..from).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1)
    }

    /// What goes when a word is left out: the blanks behind it, at the end of a line those before it.
    pub(in super::super) fn left_out(&self, at: TextRange) -> TextRange {
        let end = self.blanks_from(at.end);
        let is_last = end == self.line_end(end);
        let start = if is_last { self.blanks_before(at.start) } else { at.start };
        start..end
    }

    /// The end of the line of a byte.
    pub(in super::super) fn line_end(&self, from: usize) -> usize {
        let rest = self.source.get(from..).unwrap_or_default();
        from + rest.find('\n').unwrap_or(rest.len())
    }

    /// Where the next policy begins on a line of its own, behind a byte; else the end.
    pub(super) fn next_policy(&self, from: usize) -> usize {
        let rest = self.source.get(from..).unwrap_or_default();
        from + rest.find("\npolicy ").unwrap_or(rest.len())
    }

    /// Whether the line of the finding is one that somebody wrote: what is looked for on it stays cheap.
    pub(in super::super) fn on_short_line(&self) -> bool {
        let before = self.source.get(..self.at.start).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        self.line_end(self.at.end) - start <= LINE_BYTES_MAX
    }

    /// The next word from a byte on; a bracket, a comma or a sign is a word of its own.
    pub(in super::super) fn word_from(&self, from: usize) -> Option<Word<'s>> {
        let rest = self.source.get(from..)?;
        let start = from + rest.len() - rest.trim_start().len();
        let rest = self.source.get(start..)?;
        let first = rest.chars().next()?;
        let length = if is_wordy(first) {
            rest.find(|c: char| !is_wordy(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        // A dot at the end ends a sentence, not a name.
        let word = rest.get(..length)?.trim_end_matches(['.', ':']);
        let word = if word.is_empty() { rest.get(..length)? } else { word };
        Some((start..start + word.len(), word))
    }

    /// Where some words, parted by blanks in `words`, stand from a byte on, in capital letters or not.
    pub(in super::super) fn words_from(&self, from: usize, words: &str) -> Option<TextRange> {
        let mut whole: Option<TextRange> = None;
        for word in words.split(' ') {
            let (at, found) = self.word_from(whole.as_ref().map_or(from, |whole| whole.end))?;
            if !found.eq_ignore_ascii_case(word) {
                return None;
            }
            whole = Some(whole.map_or(at.start, |whole| whole.start)..at.end);
        }
        whole
    }

    /// The change with the blanks that it needs: what a sign kept apart stays apart without it.
    pub(in super::super) fn kept_apart(&self, mut edit: Edit) -> Edit {
        let is_letter = |c: char| c.is_alphanumeric() || c == '_';
        let ends = |text: &str| text.ends_with(|c| is_letter(c) || matches!(c, '"' | ')' | ']' | '}'));
        let begins = |text: &str| text.starts_with(|c| is_letter(c) || matches!(c, '"' | '(' | '[' | '{'));
        let was = self.part(edit.at.clone());
        let before = ends(self.part(0..edit.at.start)) && was.starts_with(|c| !is_letter(c));
        let behind = begins(self.part(edit.at.end..self.source.len())) && was.ends_with(|c| !is_letter(c));
        if before && (edit.text.starts_with(is_letter) || edit.text.is_empty() && behind) {
            edit.text.insert(0, ' ');
        }
        if behind && edit.text.ends_with(is_letter) {
            edit.text.push(' ');
        }
        edit
    }

    /// The word behind the finding.
    pub(in super::super) fn next(&self) -> Option<Word<'s>> {
        self.word_from(self.at.end)
    }

    /// The word behind the finding, on its line.
    pub(in super::super) fn next_on_line(&self) -> Option<Word<'s>> {
        self.next().filter(|(at, _)| at.start < self.line_end(self.at.end))
    }

    /// The word before a byte.
    pub(in super::super) fn word_before(&self, end: usize) -> Option<Word<'s>> {
        let before = self.source.get(..end)?.trim_end();
        let last = before.chars().next_back()?;
        let start = if is_wordy(last) {
            before
                .rfind(|c: char| !is_wordy(c))
                .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8))
        } else {
            before.len() - last.len_utf8()
        };
        Some((start..before.len(), before.get(start..)?))
    }

    /// The word before the finding.
    pub(in super::super) fn before(&self) -> Option<Word<'s>> {
        self.word_before(self.at.start)
    }

    /// The bracket that closes the one at a byte.
    pub(in super::super) fn closing(&self, open: usize) -> Option<TextRange> {
        let (mut depth, mut quoted) = (0_usize, false);
        for (at, c) in self.source.get(open..)?.char_indices() {
            match c {
                '"' => quoted = !quoted,
                '(' | '[' | '{' if !quoted => depth += 1,
                ')' | ']' | '}' if !quoted => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return Some(open + at..open + at + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// Whether the finding stands between the parentheses of a group.
    pub(in super::super) fn in_group(&self) -> bool {
        let (mut depth, mut end) = (0_usize, self.at.start);
        while let Some((at, word)) = self.word_before(end) {
            end = at.start;
            match word {
                ")" => depth += 1,
                "(" if depth == 0 => {
                    let group = self.word_before(end);
                    return group.is_some_and(|(_, word)| ["of", "any", "all", "both"].contains(&word));
                }
                "(" => depth -= 1,
                "{" | "}" => return false,
                _ => {}
            }
        }
        false
    }
}

fn is_wordy(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | ':' | '/' | '@' | '-' | '%' | '\'' | '’')
}
