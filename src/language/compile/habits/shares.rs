//! The shares of a route as people say them: `50/50`, `the rest`, `half`.

use crate::language::words::{ENDS, quoted};

use super::Meant;
use super::text::Around;

/// Words around shares that say nothing.
const FILLING: [&str; 19] = [
    "percent", "pct", "per", "cent", "the", "of", "to", "by", "with", "goes", "go", "for", "each", "them",
    "/", ":", "-", "and", "or",
];
const REST: [&str; 7] = ["rest", "remaining", "remainder", "others", "other", "else", "otherwise"];
const EVENLY: [&str; 6] = ["evenly", "equally", "equal", "even", "halves", "fifty-fifty"];

/// A part of a route.
enum Part<'s> {
    Share(u32),
    Rest,
    Evenly,
    Name(&'s str),
}

/// `via 50/50 ses, mailgun`, `via 70% ses, the rest mailgun`, `via half ses, half mailgun`.
pub(super) fn everyday(around: &Around<'_>, rule: &str) -> Option<Meant> {
    let line = around.line_start(around.at.start);
    let before = around.part(line..around.at.end);
    let via = line + before.rfind("via ")?;
    let start = around.blanks_from(via + "via ".len());
    let (mut parts, mut end, mut in_words) = (Vec::new(), start, false);
    let stop = around.line_end(start);
    while let Some((at, word)) = around.word_from(end).filter(|(at, _)| at.start < stop) {
        if ENDS.contains(&word) && word != "otherwise" || ["on", "#", "}", ")"].contains(&word) {
            break;
        }
        end = at.end;
        let said = part(word)?;
        // What stands in figures, each before or behind its provider, is told where it is.
        in_words |= match said.as_slice() {
            [] => word.chars().any(char::is_alphabetic) && !["and", "or"].contains(&word) || word == "/",
            [Part::Share(_)] => word.chars().any(char::is_alphabetic),
            [Part::Name(_)] => false,
            _ => true,
        };
        parts.extend(said);
    }
    let whole = start..end;
    let meant = meant(&parts, in_words)?;
    let said = around.part(whole.clone());
    let message = format!("{} is not how shares are written", quoted(said));
    let is_other = !said.split_whitespace().eq(meant.split_whitespace());
    let fits =
        in_words || rule == "bad-shares" && super::routes::comma(around).is_none() && parts.len() % 2 == 0;
    (is_other && fits).then(|| Meant::write(whole, &meant).named("bad-shares").saying(message))
}

/// `split (whatsapp 60%, sms 40%)`: shares are those of the providers of one channel.
pub(super) fn of_channels(around: &Around<'_>) -> Option<Meant> {
    const SPLITS: [&str; 9] =
        ["split", "random", "balance", "share", "distribute", "weighted", "rotate", "mix", "ab"];
    let lower = around.text().to_lowercase();
    let line = around.line_end(around.at.start);
    let rest = around.part(around.at.end..line);
    let words = || rest.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let channels = words().filter(|word| word.parse::<crate::model::Channel>().is_ok()).count();
    let has_numbers = words().any(|word| word.bytes().any(|b| b.is_ascii_digit()));
    (SPLITS.contains(&lower.as_str()) && channels > 1 && has_numbers).then_some(())?;
    let message = "shares part the messages of one channel among its providers, not channels among messages";
    let help = "write the channels one behind the other, joined by `then`, or the shares of one channel: \
                `sms via 60% twilio, 40% vonage`";
    let meant = Meant::told(around.at.start..around.at.end + rest.trim_end().len());
    Some(meant.named("bad-shares").saying(message).help(help).until(line))
}

/// What a word is in a route; a list, since `50/50` is two shares. None where it belongs into no route.
fn part(word: &str) -> Option<Vec<Part<'_>>> {
    let lower = word.to_lowercase();
    let share =
        |text: &str| text.trim_end_matches('%').parse::<u32>().ok().filter(|share| (1..100).contains(share));
    if word == "," || word == "%" || word == "+" || word == "&" || FILLING.contains(&lower.as_str()) {
        return Some(Vec::new());
    }
    if let Some(share) = share(word) {
        return Some(vec![Part::Share(share)]);
    }
    // `0.3`
    if let Some(tenths) =
        word.strip_prefix("0.").and_then(|digits| format!("{digits:0<2}").parse::<u32>().ok())
    {
        return (1..100).contains(&tenths).then(|| vec![Part::Share(tenths)]);
    }
    let pair = ['/', ':', '-'].iter().find_map(|sign| word.split_once(*sign));
    if let Some((one, other)) = pair
        && let (Some(one), Some(other)) = (share(one), share(other))
    {
        return Some(vec![Part::Share(one), Part::Share(other)]);
    }
    Some(vec![match lower.as_str() {
        "half" | "fifty" | "halb" => Part::Share(50),
        "quarter" => Part::Share(25),
        rest if REST.contains(&rest) => Part::Rest,
        even if EVENLY.contains(&even) => Part::Evenly,
        _ => {
            let is_name = word.starts_with(|c: char| c.is_ascii_lowercase())
                && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b));
            Part::Name(is_name.then_some(word)?)
        }
    }])
}

/// The route with a share before each provider; none where the shares are not sure.
fn meant(parts: &[Part<'_>], in_words: bool) -> Option<String> {
    let names: Vec<&str> = parts
        .iter()
        .filter_map(|part| if let Part::Name(name) = part { Some(*name) } else { None })
        .collect();
    let mut shares: Vec<Option<u32>> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Share(share) => Some(Some(*share)),
            Part::Rest => Some(None),
            _ => None,
        })
        .collect();
    let even = u32::try_from(names.len())
        .ok()
        .filter(|count| *count > 1 && 100 % count == 0)
        .map(|count| 100 / count);
    if parts.iter().any(|part| matches!(part, Part::Evenly)) && shares.is_empty() {
        shares = vec![Some(even?); names.len()];
    }
    // `the remaining 30%`
    let said = |at: usize| matches!(shares.get(at), Some(Some(_)));
    let kept: Vec<bool> = (0..shares.len()).map(|at| shares[at].is_some() || !said(at + 1)).collect();
    let mut keep = kept.into_iter();
    if shares.len() > names.len() {
        shares.retain(|_| keep.next().unwrap_or(true));
    }
    let told: u32 = shares.iter().flatten().sum();
    // `50% each`
    if shares.len() == 1 && parts.len() == names.len() + 1 && in_words && Some(told) == even {
        shares = vec![even; names.len()];
    }
    // `70% a, b`: what is left is the last one's.
    let rests = shares.iter().filter(|share| share.is_none()).count();
    let left = 100_u32.checked_sub(shares.iter().flatten().sum())?;
    let is_whole = rests == 0 && left == 0 || rests == 1 && left > 0;
    if !is_whole || shares.len() != names.len() || names.len() < 2 {
        return None;
    }
    let pairs =
        shares.into_iter().zip(names).map(|(share, name)| format!("{}% {name}", share.unwrap_or(left)));
    Some(pairs.collect::<Vec<_>>().join(", "))
}
