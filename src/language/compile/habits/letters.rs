//! Letters that look like digits, and keys that give another sign on another keyboard.

use crate::language::words::{ENDS, quoted};
use crate::model::{Channel, Span, TimeOfDay};

use super::Meant;
use super::text::Around;

/// `>0 7`: a `0` for the `=` that stands on the same key.
pub(super) fn shifted_equals(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    text.starts_with(|c: char| c.is_ascii_digit()).then_some(())?;
    let (zero, _) = around.before().filter(|(_, word)| *word == "0")?;
    let (sign, word) = around.word_before(zero.start).filter(|(at, _)| at.end == zero.start)?;
    [">", "<"].contains(&word).then_some(())?;
    let message = format!("`{word}0` stands where `{word}=` is meant, which is on the same key");
    Some(
        Meant::write(sign.start..around.at.end, &format!("{word}= {text}"))
            .named("bad-comparison")
            .saying(message),
    )
}

/// `3O` for 30, `l5m` for 15m: with the digits that were meant, where every letter but those of a unit is one
/// that looks like a digit and stands beside one.
pub(super) fn digits(word: &str) -> Option<String> {
    let letters: Vec<char> = word.chars().collect();
    let mut meant: Vec<char> = letters.clone();
    let is_digit = |c: Option<&char>| c.is_some_and(char::is_ascii_digit);
    // From both sides, since `1OO` has two of them in a row.
    for places in [(0..letters.len()).collect::<Vec<_>>(), (0..letters.len()).rev().collect()] {
        for n in places {
            // `o.25`
            let is_whole = n == 0 && meant.get(1) == Some(&'.') && is_digit(meant.get(2));
            let stands_beside = n > 0 && is_digit(meant.get(n - 1)) || is_digit(meant.get(n + 1)) || is_whole;
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

/// `limit 3 sends, o.25 EUR`: a part of a limit that was not read as one.
pub(super) fn in_limit(around: &Around<'_>) -> Option<Meant> {
    let (at, word) = around.next_on_line().filter(|_| around.text().starts_with("limit"))?;
    let meant = digits(word).filter(|meant| meant.parse::<f64>().is_ok())?;
    let letter = word.chars().find(|c| ['O', 'o', 'l', 'I'].contains(c))?;
    let message = format!("the letter `{letter}` stands in {} for a digit", quoted(word));
    Some(Meant::write(at, &meant).named("bad-number").saying(message))
}

/// The signs above the digits 1 to 9 and 0 of a keyboard, or those that it gives without shift.
const ROWS: [&str; 2] = ["!@#$%^&*()", "&é\"'(-è_çà"];

/// `after #0s`, `after éàm`: a number with the shift key held, or not held.
pub(super) fn by_shift(around: &Around<'_>) -> Option<Meant> {
    let line = around.line_end(around.at.end);
    // The sign may have been taken for another word, or for a comment.
    let is_before = around.text().bytes().all(|b| b.is_ascii_lowercase() || b == b' ');
    let start = if is_before { around.blanks_from(around.at.end) } else { around.at.start };
    let rest = around.part(start..line);
    let word = rest.split([' ', ',', ')', '}']).next()?;
    // `via 70ù twilio`
    let share = word.strip_suffix('ù').filter(|share| share.parse::<u8>().is_ok());
    // Signs that are more often written for themselves.
    (!word.contains(['-', '(', '"', '\'', '_'])).then_some(())?;
    let mut meant = ROWS.iter().filter_map(|row| {
        let digit = |c: char| match row.chars().position(|sign| sign == c) {
            Some(9) => '0',
            Some(place) => char::from(b'1' + u8::try_from(place).unwrap_or_default()),
            None => c,
        };
        let meant: String = word.chars().map(digit).collect();
        let is_count = meant.parse::<u32>().is_ok() && word.chars().all(|c| row.contains(c));
        let fits = is_count || meant.parse::<Span>().is_ok() || meant.parse::<TimeOfDay>().is_ok();
        (meant != word && fits).then_some(meant)
    });
    let at = start..start + word.len();
    let (first, second) = (meant.next().or_else(|| Some(format!("{}%", share?)))?, meant.next());
    // `&` stands above the 7 on one keyboard, and is the 1 of another.
    if let Some(second) = second {
        let message = format!("{} is a number with the shift key held or let go", quoted(word));
        let help = format!("write `{second}` or `{first}`, whichever key it was");
        return Some(Meant::told(at).saying(message).help(help).until(line));
    }
    let meant = first;
    let message = format!("{} is `{meant}` with the shift key held or let go", quoted(word));
    // What stands behind a `#` was a comment, and no change takes one away.
    if word.contains('#') {
        return Some(Meant::told(at).saying(message).help(format!("write `{meant}`")).until(line));
    }
    Some(Meant::write(at, &meant).saying(message).until(line))
}

/// `any of (push, sms°`: the `)` of some keyboards with the shift key held.
pub(super) fn degree(around: &Around<'_>) -> Option<Meant> {
    let line = around.line_end(around.at.start);
    let rest = around.part(around.at.start..line).split('#').next()?;
    let at = around.at.start + rest.find('°')?;
    let at = at..at + '°'.len_utf8();
    let message = "`°` is `)` with the shift key held or let go";
    Some(Meant::write(at, ")").named("unclosed-bracket").saying(message).until(line))
}

/// The keys of three layouts in the same order.
const LAYOUTS: [&str; 3] =
    ["qwertyuiopasdfghjkl;zxcvbnm,./", "azertyuiopqsdfghjklmwxcvbn,;:!", "qwertzuiopasdfghjklöyxcvbnm,.-"];

/// The word of the language that a word is on another keyboard: `email` of `e;qil`.
pub(in super::super) fn on_other_keyboard(word: &str) -> Option<String> {
    let known = |word: &str| {
        let words = ENDS.into_iter().chain(super::super::trial::WORDS);
        word.parse::<Channel>().is_ok() || words.into_iter().any(|known| known == word)
    };
    let pairs = LAYOUTS.iter().flat_map(|typed| LAYOUTS.iter().map(move |meant| (typed, meant)));
    pairs.filter(|(typed, meant)| typed != meant).find_map(|(typed, meant)| {
        let key = |c: char| typed.chars().position(|key| key == c).and_then(|place| meant.chars().nth(place));
        let meant: String = word.chars().map(key).collect::<Option<_>>()?;
        (meant.chars().count() > 2 && meant != word && known(&meant)).then_some(meant)
    })
}

/// `e;qil via ses`: a word typed as if on another keyboard.
pub(super) fn other_layout(around: &Around<'_>) -> Option<Meant> {
    let start = around.at.start;
    let rest = around.part(start..around.line_end(start));
    let word = rest.split([' ', '\t', ')', '}']).next()?;
    let meant = on_other_keyboard(word)?;
    let message = format!("{} is `{meant}` on another keyboard", quoted(word));
    Some(Meant::write(start..start + word.len(), &meant).saying(message))
}

/// `via 8O% ses`: a share.
pub(super) fn in_share(around: &Around<'_>) -> Option<Meant> {
    around.source.get(around.at.end..).filter(|rest| rest.starts_with('%'))?;
    in_number(around)
}
