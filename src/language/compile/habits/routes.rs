//! Providers behind `via`, as people join and weigh them.

use crate::language::words::{ENDS, quoted};
use crate::model::Confirmation;

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
pub(super) fn slash(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
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
    let (mut parts, mut end) = (vec![format!("{own}% {name}")], at.end);
    while let Some((comma, ",")) = around.word_from(end)
        && let Some((provider, name)) = around.word_from(comma.end)
        && let Some((at, word)) = around.word_from(provider.end)
        && let Some(share) = share(word)
    {
        parts.push(format!("{share}% {name}"));
        end = at.end;
    }
    let message = "a share stands before its provider, not behind it";
    Some(Meant::write(first.start..end, &parts.join(", ")).named("bad-shares").saying(message))
}

/// `via 50% a 50% b`.
pub(super) fn comma(around: &Around<'_>) -> Option<Meant> {
    let (_, word) = around.next_on_line().filter(|(_, word)| share(word).is_some())?;
    let message = format!("there is no `,` before {}", quoted(word));
    let end = around.at.end;
    Some(Meant::write(end..end, ",").named("bad-route").saying(message).about(around.at.clone()))
}

/// `via 0.6 a, 0.4 b`.
pub(super) fn fractions(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
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

/// `via 80% ses, 20 mailgun`: a share without its sign, where it was taken for a provider.
pub(super) fn percent(around: &Around<'_>) -> Option<Meant> {
    let (first, line) = (around.at.start, around.line_end(around.at.start));
    let (mut end, mut bare, mut sum) = (first, None, 0_u32);
    while let Some((at, word)) = around.word_from(end).filter(|(at, _)| at.start < line) {
        let is_first = around.word_before(at.start).is_some_and(|(_, before)| ["via", ","].contains(&before));
        if let Some(own) = share(word).filter(|_| is_first) {
            sum += own.parse::<u32>().unwrap_or_default();
            if own == word {
                bare = bare.xor(Some(at.clone()));
            }
        } else if ENDS.contains(&word) && word != "via" || ["then", ")", "}", "#"].contains(&word) {
            break;
        }
        end = at.end;
    }
    let at = bare.filter(|_| sum == 100)?;
    let own = around.part(at.clone());
    let message = format!("the share `{own}` is not written with `%`");
    Some(Meant::write(at, &format!("{own}%")).named("bad-shares").saying(message).until(end))
}

/// The word behind which the names of a route stand, where a byte stands behind one of them.
fn leads(around: &Around<'_>, from: usize) -> bool {
    let mut end = from;
    while let Some((at, word)) = around.word_before(end).filter(|(at, _)| at.start >= around.line_start(from))
    {
        if word == "via" {
            return true;
        }
        if ENDS.contains(&word) || ["(", ")", "{", "}"].contains(&word) {
            return false;
        }
        end = at.start;
    }
    false
}

/// `via twilio vonage`, `via twilioor vonage`, `via mail gun`: a name behind a name.
pub(super) fn missing_joint(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b))
    };
    // What only stands in the place of another fault is no name of the user's.
    let is_own = |name: &str| is_name(name) && !name.starts_with("other_");
    let (before, name) = around.before().filter(|(_, name)| is_own(name) && is_name(text))?;
    let is_over =
        around.next_on_line().is_none_or(|next| super::stage::is_end(around, &next) || next.1 == "or");
    (is_over && leads(around, around.at.start)).then_some(())?;
    if ["or", "and"].contains(&name) {
        let message = format!("there is no provider before `{name}`");
        let meant = Meant::told(before).named("bad-route").saying(message);
        return Some(meant.help("write one, or leave the word out").until(around.at.end));
    }
    let whole = before.start..around.at.end;
    let is_known = |name: &str| stands_elsewhere(around, name);
    let written = |meant: &str, message: String| {
        Meant::write(whole.clone(), meant).named("bad-route").saying(message).about(around.at.clone())
    };
    // `via twilioor vonage`, `via twilio orvonage`
    for (first, second, grown) in
        [(name.strip_suffix("or"), Some(text), name), (Some(name), text.strip_prefix("or"), text)]
    {
        if let (Some(first), Some(second)) = (first, second)
            && first.len() > 1
            && second.len() > 1
            && [first, second].into_iter().filter(|name| is_known(name)).count()
                + usize::from(first.len() > 3 && second.len() > 3)
                > 0
        {
            let message = format!("there is no blank in {}", quoted(grown));
            let meant = format!("{first} or {second}");
            let sure = is_known(first) || is_known(second);
            let told = written(&meant, message).help(format!("write `{meant}`"));
            return Some(if sure { told } else { Meant { fix: Vec::new(), ..told } });
        }
    }
    let joined = format!("{name}{text}");
    let is_share = around.word_before(before.start).is_some_and(|(_, word)| word.ends_with('%'));
    if is_known(&joined) {
        let message = format!("the provider {} is one word", quoted(around.part(whole.clone())));
        return Some(written(&joined, message));
    }
    if is_share {
        let message = format!("{} is no name for a provider", quoted(around.part(whole.clone())));
        let meant = Meant::told(whole).named("bad-route").saying(message);
        return Some(meant.help(format!("write `{joined}`, or `{name}_{text}`: a name is one word")));
    }
    let message = format!("there is no `or` before {}", quoted(text));
    if is_known(name) && is_known(text) {
        return Some(written(&format!("{name} or {text}"), message).help(format!("write `or {text}`")));
    }
    let meant = Meant::told(around.at.clone()).named("bad-route").saying(message);
    Some(meant.help(format!("write `{name} or {text}`, or `{joined}` where it is one name")))
}

/// Whether a name stands somewhere else in the text.
fn stands_elsewhere(around: &Around<'_>, name: &str) -> bool {
    let line = around.line_start(around.at.start)..around.line_end(around.at.start);
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    around.source.match_indices(name).any(|(at, _)| {
        let (before, behind) = (around.part(0..at), around.part(at + name.len()..around.source.len()));
        !line.contains(&at) && !before.ends_with(is_part) && !behind.starts_with(is_part)
    })
}

/// `via 80% ses, mailgun`: the rest is the share of the one provider that has none.
pub(super) fn rest(around: &Around<'_>) -> Option<Meant> {
    let line = around.line_end(around.at.start);
    let (mut end, mut left, mut without) = (around.at.start + "via".len(), 100_u8, None);
    around.text().starts_with("via").then_some(())?;
    loop {
        let (at, word) = around.word_from(end).filter(|(at, _)| at.start < line)?;
        let (name, own) = match share(word).filter(|_| word.ends_with('%')) {
            Some(own) => (around.word_from(at.end)?, Some(own.parse::<u8>().ok()?)),
            None => ((at.clone(), word), None),
        };
        super::super::is_name(&name.1.replace('-', "_")).then_some(())?;
        match own {
            Some(own) => left = left.checked_sub(own)?,
            None if without.is_some() => return None,
            None => without = Some(name.clone()),
        }
        end = name.0.end;
        match around.word_from(end) {
            Some((comma, ",")) => end = comma.end,
            _ => break,
        }
    }
    let (at, name) = without.filter(|_| left > 0 && left < 100)?;
    let message = format!("the provider {} has no share", quoted(name));
    Some(Meant::write(at, &format!("{left}% {name}")).saying(message))
}

/// `sms via replied until twilio`: the goal and the provider in each other's place.
pub(super) fn turned(around: &Around<'_>) -> Option<Meant> {
    let provider = around.text();
    let (until, _) = around.before().filter(|(_, word)| *word == "until")?;
    let (goal_at, goal) = around.word_before(until.start)?;
    let (via, _) = around.word_before(goal_at.start).filter(|(_, word)| *word == "via")?;
    (goal.parse::<Confirmation>().is_ok() && super::super::is_name(provider)).then_some(())?;
    let whole = via.start..around.at.end;
    let message = format!("{} and {} stand in each other's place", quoted(goal), quoted(provider));
    Some(Meant::write(whole, &format!("via {provider} until {goal}")).named("bad-route").saying(message))
}
