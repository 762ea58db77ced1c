//! Letters that look like digits.

use crate::language::words::quoted;
use crate::model::{Span, TimeOfDay};

use super::Meant;
use super::text::Around;

/// `3O` for 30, `l5m` for 15m: with the digits that were meant, where every letter but those of a unit is one
/// that looks like a digit and stands beside one.
pub(super) fn digits(word: &str) -> Option<String> {
    let letters: Vec<char> = word.chars().collect();
    let mut meant: Vec<char> = letters.clone();
    let is_digit = |c: Option<&char>| c.is_some_and(char::is_ascii_digit);
    // From both sides, since `1OO` has two of them in a row.
    for places in [(0..letters.len()).collect::<Vec<_>>(), (0..letters.len()).rev().collect()] {
        for n in places {
            let stands_beside = n > 0 && is_digit(meant.get(n - 1)) || is_digit(meant.get(n + 1));
            match letters[n] {
                'O' | 'o' if stands_beside => meant[n] = '0',
                'l' | 'I' if stands_beside => meant[n] = '1',
                _ => {}
            }
        }
    }
    let meant: String = meant.into_iter().collect();
    (meant != word).then_some(meant)
}

/// A number, a duration or a time with a letter for a digit.
pub(super) fn in_number(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let word = text.split_whitespace().next()?;
    let digits = digits(word)?;
    let rest: String = text.get(word.len()..)?.split_whitespace().collect();
    let before = around.before().map_or("", |(_, before)| before);
    let is_compared = ["<", ">", "=", "is", "not"].contains(&before);
    let is_count = around.next().is_some_and(|(_, next)| ["times", "sends"].contains(&next));
    let is_number = digits.parse::<f64>().is_ok();
    let both = format!("{digits}{rest}");
    // `3O s` is a duration in two words.
    let (end, meant) = if both.parse::<Span>().is_ok() {
        (around.at.start + text.len(), both)
    } else if digits.parse::<TimeOfDay>().is_ok() || is_number && (is_compared || is_count || rest.is_empty())
    {
        (around.at.start + word.len(), digits)
    } else {
        return None;
    };
    let letter = word.chars().find(|c| ['O', 'o', 'l', 'I'].contains(c))?;
    let message = format!("the letter `{letter}` stands in {} for a digit", quoted(word));
    Some(Meant::write(around.at.start..end, &meant).named("bad-number").saying(message))
}

/// `via 8O% ses`: a share.
pub(super) fn in_share(around: &Around<'_>) -> Option<Meant> {
    around.source.get(around.at.end..).filter(|rest| rest.starts_with('%'))?;
    in_number(around)
}
