//! Providers behind `via`, as people join and weigh them.

use crate::language::words::quoted;

use super::Meant;
use super::text::Around;

/// Whether a byte stands behind a provider of a `via`.
pub(super) fn is_in_route(around: &Around<'_>, from: usize) -> bool {
    let Some((provider, _)) = around.word_before(from) else { return false };
    around.word_before(provider.start).is_some_and(|(_, word)| word == "via")
}

/// `via a + b`, `via a else b`.
pub(super) fn joint(around: &Around<'_>) -> Option<Meant> {
    around.next().filter(|_| is_in_route(around, around.at.start))?;
    let message = format!("the providers of `via` are joined by `or`, not by {}", quoted(around.text()));
    Some(Meant::write(around.at.clone(), "or").named("bad-route").saying(message))
}

/// `via a/b`.
pub(super) fn slash(around: &Around<'_>, text: &str) -> Option<Meant> {
    let (before, _) = around.before().filter(|(_, word)| *word == "via" || *word == "or")?;
    let names: Vec<&str> = text.split('/').collect();
    let plain = |name: &&str| {
        name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b))
    };
    let fits = names.len() > 1 && names.iter().all(plain) && before.end <= around.at.start;
    let message = "the providers of `via` are joined by `or`, not by `/`";
    fits.then(|| Meant::write(around.at.clone(), &names.join(" or ")).named("bad-route").saying(message))
}

/// A share of 1 to 100, with its sign or without.
fn share(word: &str) -> Option<&str> {
    let digits = word.strip_suffix('%').unwrap_or(word);
    digits.parse::<u8>().ok().filter(|share| (1..=100).contains(share)).map(|_| digits)
}

/// `via a 70%, b 30%`.
pub(super) fn share_behind(around: &Around<'_>) -> Option<Meant> {
    if !is_in_route(around, around.at.start) {
        return None;
    }
    let (first, name) = around.before()?;
    let (at, word) = around.word_from(around.at.start)?;
    let own = share(word)?;
    let message = format!("the share {} stands before its provider", quoted(word));
    let whole = first.start..at.end;
    let mut meant = Meant::write(whole, &format!("{own}% {name}")).named("bad-shares").saying(message);
    let mut end = at.end;
    while let Some((comma, ",")) = around.word_from(end)
        && let Some((provider, name)) = around.word_from(comma.end)
        && let Some((at, word)) = around.word_from(provider.end)
        && let Some(share) = share(word)
    {
        meant = meant.and(provider.start..at.end, &format!("{share}% {name}"));
        end = at.end;
    }
    Some(meant)
}

/// `via 50% a 50% b`.
pub(super) fn comma(around: &Around<'_>) -> Option<Meant> {
    let (_, word) = around.next_on_line().filter(|(_, word)| share(word).is_some())?;
    let message = format!("there is no `,` before {}", quoted(word));
    let end = around.at.end;
    Some(Meant::write(end..end, ",").named("bad-route").saying(message).about(around.at.clone()))
}

/// `via 0.6 a, 0.4 b`.
pub(super) fn fractions(around: &Around<'_>, text: &str) -> Option<Meant> {
    around.before().filter(|(_, word)| *word == "via")?;
    let percent = |text: &str| {
        let digits = text.strip_prefix("0.").or_else(|| text.strip_prefix('.'))?;
        let share = match digits.len() {
            1 => digits.parse::<u8>().ok()? * 10,
            2 => digits.parse::<u8>().ok()?,
            _ => return None,
        };
        (share > 0).then(|| format!("{share}%"))
    };
    let message = format!("the share {} is not written with `%`", quoted(text));
    let mut meant = Meant::write(around.at.clone(), &percent(text)?).named("bad-shares").saying(message);
    let (mut end, _) = around.next()?;
    while let Some((comma, ",")) = around.word_from(end.end)
        && let Some((share, word)) = around.word_from(comma.end)
        && let Some((provider, _)) = around.word_from(share.end)
    {
        meant = meant.and(share, &percent(word)?);
        end = provider;
    }
    Some(meant)
}
