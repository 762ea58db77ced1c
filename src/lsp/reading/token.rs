//! Words, texts and signs of a source, as the grammar cuts them.

use std::ops::Range;

/// What a piece of a source is by its letters alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `sms`, `12.5`, `1h30m`, `Europe/Berlin`, `vars.time`.
    Word,
    /// In quotes; `closed` where they are.
    Text { closed: bool },
    /// `(`, `==`, `->`.
    Sign,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) at: Range<usize>,
}

/// Whether a letter belongs into words.
pub(crate) fn is_letter(c: char) -> bool {
    c == '_' || c != '\u{A0}' && c.is_alphanumeric()
}

/// Signs that join the parts of one word.
pub(crate) fn joins(c: char) -> bool {
    matches!(c, '.' | ':' | '/' | '@' | '-' | '+')
}

const SIGNS: [&str; 10] = ["==", "!=", "<=", ">=", "=>", "=<", "<>", "->", "&&", "||"];

/// Behind the blanks and comments that begin at `from`; comments are told.
pub(super) fn skip(source: &str, from: usize, comment: &mut dyn FnMut(Range<usize>)) -> usize {
    let mut at = from;
    while let Some(c) = source.get(at..).and_then(|rest| rest.chars().next()) {
        if crate::language::is_blank(c) {
            at += c.len_utf8();
        } else if c == '#' {
            let end = source[at..].find('\n').map_or(source.len(), |n| at + n);
            comment(at..end);
            at = end;
        } else {
            break;
        }
    }
    at
}

/// What begins at `from`, where no blank stands; `plain` words end before the signs that join.
pub(super) fn token(source: &str, from: usize, plain: bool) -> Option<Token> {
    let rest = source.get(from..)?;
    let first = rest.chars().next()?;
    let to = |length: usize| from..from + length;
    let negative = first == '-' && rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
    if is_letter(first) || negative {
        return Some(Token { kind: Kind::Word, at: to(word_length(rest, usize::from(negative), plain)) });
    }
    let text = |length, closed| Some(Token { kind: Kind::Text { closed }, at: to(length) });
    match first {
        '"' => {
            let (length, closed) = text_length(rest);
            return text(length, closed);
        }
        '\'' | '“' => {
            let close = if first == '“' { '”' } else { '\'' };
            let inner = &rest[first.len_utf8()..];
            let end = inner.find([close, first, '\n']).filter(|end| inner[*end..].starts_with(close));
            if let Some(end) = end {
                return text(first.len_utf8() + end + close.len_utf8(), true);
            }
        }
        _ => {}
    }
    let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign)).map_or(first.len_utf8(), |sign| sign.len());
    Some(Token { kind: Kind::Sign, at: to(sign) })
}

fn word_length(text: &str, from: usize, plain: bool) -> usize {
    let mut at = from;
    loop {
        let rest = &text[at..];
        at += rest.find(|c| !is_letter(c)).unwrap_or(rest.len());
        let mut next = text[at..].chars();
        match (next.next(), next.next()) {
            (Some(sign), Some(letter)) if !plain && joins(sign) && is_letter(letter) => at += 1,
            _ => return at,
        }
    }
}

/// The length of a text in double quotes, up to the end of its line where it is not closed.
fn text_length(text: &str) -> (usize, bool) {
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (at + 1, true),
            '\n' => return (at, false),
            '\\' => match chars.next() {
                Some((at, '\n')) => return (at, false),
                Some(_) => {}
                None => break,
            },
            _ => {}
        }
    }
    (text.len(), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(source: &str) -> Vec<&str> {
        let (mut at, mut out) = (skip(source, 0, &mut |_| {}), Vec::new());
        while let Some(token) = token(source, at, false) {
            out.push(&source[token.at.clone()]);
            at = skip(source, token.at.end, &mut |_| {});
        }
        out
    }

    #[test]
    fn a_source_is_cut_as_the_grammar_cuts_it() {
        assert_eq!(
            cut("sms(a,b) # c\n\"x\\\" y\" -5 - 'q'"),
            ["sms", "(", "a", ",", "b", ")", "\"x\\\" y\"", "-5", "-", "'q'"]
        );
        assert_eq!(
            cut("vars.a>=1h30m in Europe/Berlin."),
            ["vars.a", ">=", "1h30m", "in", "Europe/Berlin", "."]
        );
        assert_eq!(cut("\"open\nsms 'open\n“ä” ö"), ["\"open", "sms", "'", "open", "“ä”", "ö"]);
    }
}
