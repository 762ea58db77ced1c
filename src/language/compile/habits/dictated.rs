//! Signs that were dictated and came out as words: `open bracket`, `comma`, `slash`.

use crate::language::words::quoted;

use super::Meant;
use super::text::Around;

/// A sign, and how it stands to the words around it.
struct Sign {
    words: &'static str,
    sign: &'static str,
    /// Whether it follows what is before it without a blank.
    joins_before: bool,
    /// Whether what is behind it follows without a blank.
    joins_behind: bool,
}

const fn sign(words: &'static str, sign: &'static str, joins_before: bool, joins_behind: bool) -> Sign {
    Sign { words, sign, joins_before, joins_behind }
}

const SIGNS: [Sign; 16] = [
    sign("open bracket", "(", false, true),
    sign("open parenthesis", "(", false, true),
    sign("left bracket", "(", false, true),
    sign("left parenthesis", "(", false, true),
    sign("close bracket", ")", true, false),
    sign("close parenthesis", ")", true, false),
    sign("closing bracket", ")", true, false),
    sign("right bracket", ")", true, false),
    sign("right parenthesis", ")", true, false),
    sign("open quote", "\"", false, true),
    sign("close quote", "\"", true, false),
    sign("percent sign", "%", true, false),
    sign("per cent", "%", true, false),
    sign("forward slash", "/", true, true),
    sign("slash", "/", true, true),
    sign("comma", ",", true, false),
];

/// Words of a finding, and behind it, among which a dictated sign is looked for.
const WORDS_MAX: usize = 24;
/// Those behind it.
const BEHIND_MAX: usize = 2;

/// A sign in words at a finding or right behind it.
pub(super) fn sign_in_words(around: &Around<'_>) -> Option<Meant> {
    let line = around.line_end(around.at.start);
    let (mut from, mut behind) = (around.at.start, 0);
    for _ in 0..WORDS_MAX {
        let (at, _) = around.word_from(from).filter(|(at, _)| at.end <= line)?;
        behind += usize::from(at.start >= around.at.end);
        (behind <= BEHIND_MAX).then_some(())?;
        let found = SIGNS.iter().find_map(|sign| Some((around.words_from(at.start, sign.words)?, sign)));
        if let Some((said, sign)) = found.filter(|(said, _)| said.end <= line) {
            let start = if sign.joins_before { around.blanks_before(said.start) } else { said.start };
            let end = if sign.joins_behind { around.blanks_from(said.end) } else { said.end };
            let message =
                format!("{} stands for the sign `{}`", quoted(around.part(said.clone())), sign.sign);
            let meant = Meant::told(said).named("stray-text").saying(message).changing(start..end, sign.sign);
            return Some(meant.help(format!("write `{}`", sign.sign)).until(line));
        }
        from = at.end;
    }
    None
}
