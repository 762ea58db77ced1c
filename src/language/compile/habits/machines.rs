//! Forms of programs and data where the language has words: `vars["amount"]`, `PT5M`, `retry=3`.

use crate::language::words::quoted;
use crate::model::{Channel, Span};

use super::Meant;
use super::conditions::{STATES, is_name};
use super::text::Around;

/// What begins a piece of a program as `policy` begins one of the language.
const HEADS: [&str; 14] = [
    "def",
    "function",
    "func",
    "fn",
    "fun",
    "proc",
    "sub",
    "class",
    "workflow",
    "rule",
    "template",
    "macro",
    "policies",
    "procedure",
];

/// `def reach_team {`, `function reach_team() {`.
pub(super) fn head(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (name_at, name) = around.next_on_line().filter(|_| HEADS.contains(&text))?;
    let empty = around.words_from(name_at.end, "( )");
    let end = empty.clone().map_or(name_at.end, |at| at.end);
    let fits = super::super::is_name(name) && around.word_from(end).is_some_and(|(_, sign)| sign == "{");
    let message = format!("unknown word {}; did you mean `policy`?", quoted(text));
    let whole = around.at.start..end;
    let meant = match empty.is_some() {
        true => Meant::write(whole, &format!("policy {name}")).about(around.at.clone()),
        false => Meant::write(around.at.clone(), "policy"),
    };
    fits.then(|| meant.named("bad-policy").saying(message))
}

/// What is named by `vars["amount"]`, `contact["voice"]`, `int(vars.amount)`, `${vars.amount}`, from a byte
/// on, and where it ends.
fn named(around: &Around<'_>, from: usize) -> Option<(usize, String)> {
    let rest = around.part(from..around.line_end(from));
    let name_of = |owner: &str, name: &str| {
        let is_word = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !is_word || name.is_empty() {
            return None;
        }
        let is_address = owner == "contact" && name.parse::<Channel>().is_ok();
        Some(if is_address { format!("contact has {name}") } else { format!("{owner}.{name}") })
    };
    for owner in ["vars", "contact"] {
        let Some(inner) = rest.strip_prefix(owner).and_then(|rest| rest.strip_prefix('[')) else { continue };
        let close = inner.find(']')?;
        let name = inner.get(..close)?.trim_matches(['"', '\'']);
        return Some((from + owner.len() + close + 2, name_of(owner, name)?));
    }
    for (open, close) in
        [("\"${", "}\""), ("${", "}"), ("int(", ")"), ("float(", ")"), ("number(", ")"), ("str(", ")")]
    {
        let Some(inner) = rest.strip_prefix(open) else { continue };
        let end = inner.find(close)?;
        let name = inner.get(..end)?.trim();
        let (owner, name) = name.split_once('.').unwrap_or(("vars", name));
        let fits = ["vars", "contact"].contains(&owner);
        return Some((from + open.len() + end + close.len(), name_of(owner, name).filter(|_| fits)?));
    }
    None
}

/// A name in a condition, as programs have it.
pub(super) fn name(around: &Around<'_>) -> Option<Meant> {
    let line = around.line_start(around.at.start);
    let starts = ["\"${", "${", "vars[", "contact[", "int(", "float(", "number(", "str("];
    let behind = around.part(around.at.start..around.line_end(around.at.start));
    let before = around.part(line..around.at.end);
    let from = match starts.iter().any(|start| behind.starts_with(start)) {
        true => around.at.start,
        false => line + starts.iter().filter_map(|start| before.rfind(start)).max()?,
    };
    // `"${vars.amount}"`
    let in_quotes = from > line && around.part(from - 1..from) == "\"" && around.part(from..from + 1) == "$";
    named_at(around, if in_quotes { from - 1 } else { from })
}

/// `if ${vars.delay} >= 1h`: the condition was taken for missing.
pub(super) fn name_behind(around: &Around<'_>) -> Option<Meant> {
    let (at, _) = around.next_on_line().filter(|(_, sign)| *sign == "$")?;
    named_at(around, at.start)
}

fn named_at(around: &Around<'_>, from: usize) -> Option<Meant> {
    let (end, meant) = named(around, from)?;
    let whole = from..end;
    let message =
        format!("{} is not how a name is written in a condition", quoted(around.part(whole.clone())));
    Some(Meant::write(whole, &meant).named("unknown-condition").saying(message).until(around.line_end(end)))
}

/// `PT5M`, `00:20:00`, `600_000ms`.
pub(super) fn duration(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    // `1:30h`
    let of_hours = || {
        let (hours, minutes) = text.strip_suffix('h')?.split_once([':', '.'])?;
        (minutes.len() == 2 && minutes < "60").then(|| format!("{hours}h{minutes}m"))
    };
    let meant = of_letters(text).or_else(|| of_clock(text)).or_else(of_hours).or_else(|| {
        let bare = text.replace('_', "");
        (bare != text).then_some(bare)
    })?;
    let span = meant.parse::<Span>().ok().filter(|span| *span > Span::ZERO)?;
    let message = format!("{} is not written as durations are", quoted(text));
    Some(Meant::write(around.at.clone(), &span.to_string()).saying(message))
}

/// `PT1H30M`, `P2D`.
fn of_letters(text: &str) -> Option<String> {
    let rest = text.strip_prefix('P')?;
    let (days, times) = rest.split_once('T').unwrap_or((rest, ""));
    // A month is no duration of a fixed length.
    (!days.contains('M') && !days.contains('Y') && !days.contains('W')).then_some(())?;
    Some(format!("{days}{times}").to_lowercase())
}

/// `00:20:00`, hours, minutes and seconds.
fn of_clock(text: &str) -> Option<String> {
    let parts: Vec<u32> = text.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [hours, minutes, seconds] = parts.as_slice() else { return None };
    let mut all = String::new();
    for (count, unit) in [(hours, "h"), (minutes, "m"), (seconds, "s")] {
        if *count > 0 {
            all.push_str(&format!("{count}{unit}"));
        }
    }
    Some(all)
}

/// `retry=3 every 20s`, `repeat every 30m x2`, `backoff exponential 2s to 1m`, `backoff 2s..1m`.
pub(super) fn again(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let line = around.line_end(around.at.start);
    let word = text.split_whitespace().next()?;
    let word = word.split(['=', ':']).next()?;
    if ["retry", "repeat"].contains(&word) {
        let after = around.at.start + word.len();
        // `retry=3 every 20s`
        if let Some((sign, "=" | ":")) = around.word_from(after)
            && let Some((count_at, count)) = around.word_from(sign.end)
            && count.bytes().all(|b| b.is_ascii_digit())
        {
            let whole = around.at.start..count_at.end;
            let message = format!("{} is not how `{word}` is written", quoted(around.part(whole.clone())));
            return Some(Meant::write(whole, &format!("{word} {count} times")).saying(message));
        }
        // `repeat every 30m x2`
        if let Some((every, "every")) = around.word_from(after)
            && let Some((pause_at, pause)) = around.word_from(every.end)
            && let Some((last, count)) = around.word_from(pause_at.end).filter(|(at, _)| at.start < line)
            && let Some(count) = count.strip_prefix('x').or_else(|| count.strip_suffix('x'))
            && count.parse::<u32>().is_ok()
        {
            let whole = around.at.start..last.end;
            let message = format!("{} does not say how often", quoted(around.part(whole.clone())));
            return Some(Meant::write(whole, &format!("{word} {count} times every {pause}")).saying(message));
        }
    }
    let start = around.line_start(around.at.start);
    let backoff = start + around.part(start..line).find("backoff ")? + "backoff ".len();
    for word in ["exponential", "exponentially", "linear", "of"] {
        if let Some(at) = around.words_from(backoff, word) {
            let message = format!("{} is not needed behind `backoff`", quoted(word));
            return Some(Meant::leave_out(around, at).named("bad-retry").saying(message).until(line));
        }
    }
    let written = around.part(backoff..line).split_whitespace().next()?;
    let (first, last) = written.split_once("..").or_else(|| written.split_once('-'))?;
    let meant = format!("{first} to {last}");
    let fits = [first, last].iter().all(|span| span.parse::<Span>().is_ok());
    let message = "the pauses of `backoff` are joined by `to`";
    fits.then(|| Meant::write(backoff..backoff + written.len(), &meant).named("bad-retry").saying(message))
}

/// `on error resend`.
pub(super) fn on_error(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (at, word) = around.next_on_line().filter(|_| text == "on")?;
    let (_, choice) = around.word_from(at.end)?;
    let fits = ["error", "failure", "timeout", "unknown", "uncertain", "uncertainty", "problem", "unsure"];
    let known = ["wait", "move", "resend"].contains(&choice);
    let message = format!("behind `on` stands `doubt`, not {}", quoted(word));
    let meant = Meant::write(at, "doubt").named("bad-doubt").saying(message);
    (fits.contains(&word) && known).then(|| meant.help(format!("write `on doubt {choice}`")))
}

/// `contact.timezone ?? Europe/Berlin`, `contact.timezone || Europe/Berlin`.
pub(super) fn other_zone(around: &Around<'_>) -> Option<Meant> {
    let (mut first, mut sign) = (around.at.clone(), around.text());
    let (before, mut word) = around.before()?;
    if word == "?" {
        (first, sign) = (before.clone(), "?");
        word = around.word_before(before.start)?.1;
    }
    if word != "contact.timezone" || !sign.starts_with(['?', '|', '/', ':', ',', ';']) {
        return None;
    }
    let line = around.part(first.start..around.line_end(first.start));
    let signs = line.len() - line.trim_start_matches(['?', '|', '/', ':', ',', ';']).len();
    let (_, zone) = around.word_from(first.start + signs)?;
    let whole = first.start..first.start + signs;
    let message = format!(
        "the zone for those without one stands behind `else`, not behind {}",
        quoted(around.part(whole.clone()))
    );
    let fits = zone.contains('/') || zone == "UTC";
    fits.then(|| {
        Meant::write(whole, "else").named("unknown-zone").saying(message).help(format!("write `else {zone}`"))
    })
}

/// `quiet between 21:00 and 08:00`.
pub(super) fn quiet_between(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let word = around.at.start + "quiet".len();
    let (between, _) =
        around.word_from(word).filter(|(_, word)| text.starts_with("quiet") && *word == "between")?;
    let (first, from) = around.word_from(between.end)?;
    let (joint, _) = around.word_from(first.end)?;
    let (last, to) = around.word_from(joint.end)?;
    let times = from.contains(':') && to.contains(':');
    let whole = between.start..last.end;
    let message = format!("the times of `quiet` stand without {}", quoted("between"));
    times.then(|| {
        Meant::write(whole, &format!("{from} to {to}")).saying(message).until(around.line_end(last.end))
    })
}

/// `via [twilio, vonage]`, `sms(twilio, vonage)`.
pub(super) fn providers(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let open = if text.starts_with(['(', '[']) { around.at.clone() } else { around.next()?.0 };
    let sign = around.part(open.start..open.start + 1);
    let close = around.closing(open.start).filter(|_| ["(", "[", "{"].contains(&sign))?;
    let inner = around.part(open.start + 1..close.start);
    let names: Vec<&str> = inner.split([',', '|']).map(str::trim).collect();
    let is_provider = |name: &&str| {
        name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b))
            && name.parse::<Channel>().is_err()
    };
    let (_, before) = around.word_before(open.start)?;
    let glued = before.parse::<Channel>().is_ok() && around.part(0..open.start).ends_with(before);
    if names.len() < 2 || !names.iter().all(is_provider) || !(before == "via" || glued) {
        return None;
    }
    let meant = names.join(" or ");
    let meant = if glued { format!("via {meant}") } else { meant };
    let message = "the providers of `via` are joined by `or`, without brackets";
    let whole = open.start..close.end;
    Some(Meant::write(whole, &meant).named("bad-route").saying(message).until(around.line_end(close.end)))
}

/// `any(quota, opted_out)`, `not(quota)`.
pub(super) fn any_state(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let joint = match text.to_lowercase().as_str() {
        "any" | "or" => " or ",
        "all" | "and" => " and ",
        _ => return None,
    };
    let (open, _) = around.next().filter(|(_, sign)| *sign == "(")?;
    let close = around.closing(open.start)?;
    let words: Vec<&str> = around.part(open.end..close.start).split(',').map(str::trim).collect();
    let fits = words.len() > 1 && words.iter().all(|word| STATES.contains(word));
    let whole = around.at.start..close.end;
    let message = format!("{} is not how conditions are joined", quoted(around.part(whole.clone())));
    let meant = Meant::write(whole, &words.join(joint)).named("bad-condition").saying(message);
    fits.then(|| meant.until(around.line_end(close.end)))
}

/// `vars.left between 0 and 10`.
pub(super) fn between(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (between, _) = around.next_on_line().filter(|(_, word)| is_name(text) && *word == "between")?;
    let (low_at, low) = around.word_from(between.end)?;
    let (and, _) = around.word_from(low_at.end).filter(|(_, word)| ["and", "to"].contains(word))?;
    let (high_at, high) = around.word_from(and.end)?;
    let are_numbers = [low, high].iter().all(|word| word.parse::<f64>().is_ok());
    let whole = around.at.start..high_at.end;
    let meant = format!("{text} >= {low} and {text} <= {high}");
    let message = "`between` is for times of day";
    are_numbers.then(|| {
        Meant::write(whole, &meant)
            .named("bad-comparison")
            .saying(message)
            .until(around.line_end(high_at.end))
    })
}

/// `fail "no " + vars.host`: a text to which something is joined.
pub(super) fn joined_text(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    if text == "\"" || text.is_empty() && around.part(around.at.start..around.at.end + 1) == "\"" {
        let before = around.part(0..around.at.start).ends_with('"');
        let message = "the quote at the end of the text stands twice";
        return before.then(|| Meant::leave_out(around, around.at.clone()).named("bad-text").saying(message));
    }
    let line = around.line_end(around.at.start);
    let (at, name) = around
        .next_on_line()
        .filter(|(_, name)| ["+", "&", ".", "%", "~"].contains(&text) && is_name(name))?;
    let message = format!("the reason is one text, to which {} cannot be joined", quoted(name));
    let meant = Meant::told(around.at.start..at.end).saying(message).help("leave it out");
    Some(meant.until(line))
}

/// `string?`, `optional note: string`.
pub(super) fn optional(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    if text == "?" {
        let (kind_at, kind) = around.before()?;
        let known = ["string", "number", "boolean", "duration", "time", "list"].contains(&kind);
        let whole = kind_at.start..around.at.end;
        let message = format!("{} is not how a var is declared", quoted(around.part(whole.clone())));
        return known.then(|| Meant::write(whole, &format!("{kind} optional")).saying(message));
    }
    if text == "=" {
        let (value, said) = around.next_on_line()?;
        let whole = around.at.start..value.end;
        let message =
            format!("a var has no value of its own, so {} says nothing", quoted(around.part(whole.clone())));
        let fits = !["string", "number", "boolean", "{"].contains(&said);
        let help = "leave it out, or write `optional` behind the type";
        return fits.then(|| Meant::told(whole).saying(message).help(help).until(around.line_end(value.end)));
    }
    let rest = around.part(around.at.start..around.line_end(around.at.start));
    let entry = rest.split([',', '}']).next()?.trim_end().strip_prefix("optional ")?;
    let (name, kind) = entry.split_once(':')?;
    let whole = around.at.start..around.at.start + "optional ".len() + entry.len();
    let meant = format!("{}: {} optional", name.trim(), kind.trim());
    let message = "`optional` stands behind the type of its var";
    let fits = super::super::is_name(name.trim()) && !kind.contains("optional");
    fits.then(|| Meant::write(whole.clone(), &meant).saying(message).until(whole.end))
}

/// `limit 3 sends, EUR0.25`.
pub(super) fn currency_first(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let line = around.line_end(around.at.start);
    let rest = around.part(around.at.start..line);
    let place = ["EUR", "USD", "GBP", "CHF", "€", "$", "£"].iter().find_map(|sign| {
        let at = rest.find(sign)?;
        let digits = rest.get(at + sign.len()..)?;
        let length = digits.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
        let amount =
            digits.get(..length).filter(|amount| crate::model::Money::parse_amount(amount).is_ok())?;
        Some((around.at.start + at..around.at.start + at + sign.len() + length, *sign, amount))
    });
    let (at, sign, amount) = place.filter(|_| text.starts_with("limit"))?;
    let currency = match sign {
        "€" => "EUR",
        "$" => "USD",
        "£" => "GBP",
        sign => sign,
    };
    let message = format!("{} is not written as money is", quoted(around.part(at.clone())));
    Some(Meant::write(at, &format!("{amount} {currency}")).named("bad-money").saying(message).until(line))
}
