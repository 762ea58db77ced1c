//! Headers as people write them.

use crate::language::words::{HEADERS, near, plain_letters, quoted};
use crate::model::{Channel, Span};

use super::Meant;
use super::text::Around;

pub(super) const TYPES: [&str; 6] = ["string", "number", "boolean", "duration", "time", "list"];

/// `limit: 3 sends`, `category = marketing`: a sign behind a header's word.
pub(super) fn sign(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (at, sign) = match text {
        ":" | "=" => (around.at.clone(), text),
        _ => {
            let word = HEADERS.iter().find(|word| text == **word)?;
            around.word_from(around.at.start + word.len()).filter(|(_, sign)| [":", "="].contains(sign))?
        }
    };
    let (_, header) = around.word_before(at.start).filter(|(_, word)| HEADERS.contains(word))?;
    Some(without_sign(around, header, at.start..at.end, sign))
}

pub(super) fn without_sign(
    around: &Around<'_>,
    header: &str,
    at: std::ops::Range<usize>,
    sign: &str,
) -> Meant {
    let message = format!("`{header}` stands without `{sign}`");
    Meant::leave_out(around, at).saying(message).named("stray-text")
}

/// A header of vars with another word, sign or bracket.
pub(super) fn vars(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (at, word) = around.next()?;
    match (text, word) {
        ("vars", ":" | "=") => {
            around.word_from(at.end).filter(|(_, word)| *word == "{")?;
            Some(without_sign(around, "vars", at, word))
        }
        ("vars", "(" | "[") => {
            let close = around.closing(at.start)?;
            let message = format!("the vars stand between `{{` and `}}`, not behind `{word}`");
            let help = "write `{` and `}` around the vars";
            Some(Meant::write(at, "{").named("bad-var").saying(message).help(help).and(close, "}"))
        }
        ("vars", _) if at.start >= around.line_end(around.at.end) => {
            let meant = Meant::told(around.at.clone()).named("bad-var");
            Some(
                meant
                    .saying("behind `vars` nothing is said")
                    .help("write for example `vars { time: string }`"),
            )
        }
        ("vars", name) if name.starts_with(|c: char| c.is_ascii_lowercase()) => {
            let line = around.line_end(around.at.end);
            let declared = around.part(at.start..line).split(['#', '}']).next()?.trim_end();
            let message = "the vars stand between `{` and `}`";
            // The brace that ends them is there.
            if around.part(at.start..line).split('#').next()?.contains('}') {
                let meant = Meant::write(at.start..at.start, "{ ").named("bad-var").saying(message);
                return Some(meant.about(around.at.clone()).help("write `{` before them"));
            }
            let help = format!("write `vars {{ {declared} }}`");
            let end = at.start + declared.len();
            let meant = Meant::write(at.start..at.start, "{ ")
                .named("bad-var")
                .saying(message)
                .help(help)
                .about(around.at.start..end);
            Some(meant.and(end..end, " }"))
        }
        (_, "{") => Some(Meant::write(around.at.clone(), "vars"))
            .filter(|_| ["var", "variables", "variable", "params", "fields", "Vars", "VARS"].contains(&text)),
        _ => None,
    }
}

/// What is no category.
pub(super) fn category(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    if text == "category" {
        return None;
    }
    if let Some(first) = text.strip_suffix(',')
        && let Some((last, _)) = around.next_on_line()
    {
        let whole = around.at.start..last.end;
        let message = format!("a policy has one category, not {}", quoted(around.part(whole.clone())));
        let help = format!("write `category {first}`");
        return Some(Meant::write(whole, first).saying(message).help(help));
    }
    if let Some(sign) = ["=", ":"].into_iter().find(|sign| text.starts_with(*sign)) {
        let at = around.at.start..around.at.start + sign.len();
        return Some(without_sign(around, "category", at, sign));
    }
    let plain = plain_letters(text.trim_matches(['"', '\''])).to_lowercase();
    let meant: String = plain.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let usable = !meant.is_empty() && meant.len() <= 64 && meant.bytes().any(|b| b.is_ascii_alphanumeric());
    usable.then(|| Meant::write(around.at.clone(), meant.trim_end_matches('_')))
}

/// `expires` with another word than `after`.
pub(super) fn expires(around: &Around<'_>) -> Option<Meant> {
    let line = around.line_end(around.at.start);
    let (at, word) = around.word_from(around.at.start + "expires".len())?;
    if word.parse::<Span>().is_ok() {
        let message = "there is no `after` behind `expires`";
        let meant =
            Meant::write(at.clone(), &format!("after {word}")).saying(message).about(around.at.clone());
        return Some(meant.help(format!("write `expires after {word}`")));
    }
    if [":", "="].contains(&word) {
        return Some(without_sign(around, "expires", at, word));
    }
    if let Some((time, text)) = around.word_from(at.end).filter(|(_, text)| text.contains(':')) {
        let message = format!(
            "a message expires so long after it was accepted, not at the time of day {}",
            quoted(text)
        );
        let meant = Meant::told(around.at.start..time.end).saying(message);
        return Some(
            meant.help("write how long it is from then, for example `expires after 12h`").until(line),
        );
    }
    let (_, span) =
        around.word_from(at.end).filter(|(_, span)| span.starts_with(|c: char| c.is_ascii_digit()))?;
    let message = format!("`expires` is followed by `after`, not by {}", quoted(word));
    // `expires in 4 hours`
    let (number, _) = around.word_from(at.end)?;
    let named = around.word_from(number.end).filter(|(next, _)| next.start < line);
    if let Some((last, short)) = named.and_then(|(next, name)| Some((next, super::values::unit(name)?))) {
        let meant = format!("after {span}{short}");
        let meant = Meant::write(at.start..last.end, &meant).saying(message);
        return Some(meant.help(format!("write `expires after {span}{short}`")));
    }
    Some(Meant::write(at, "after").saying(message).help(format!("write `expires after {span}`")))
}

/// What is no declaration of a var.
pub(super) fn var(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    if text == ";" {
        let start = around.source.get(..around.at.start)?.trim_end().len();
        let meant = Meant::write(around.at.clone(), ",")
            .saying("the vars are joined by `,`, not by `;`")
            .changing(start..around.at.end, ",");
        return Some(meant);
    }
    // `items: []string`
    if around.part(around.at.start..around.source.len()).starts_with("[]") {
        let (at, kind) = around.word_from(around.at.start + "[]".len())?;
        let whole = around.at.start..at.end;
        let message = format!("{} is not how a type is named", quoted(around.part(whole.clone())));
        let meant = Meant::write(whole, "list").named("unknown-type").saying(message);
        return TYPES.contains(&kind).then_some(meant);
    }
    // `valid-days: number`
    let (_, written) = around.word_from(around.at.start)?;
    let name = written.trim_end_matches(':');
    if name.contains('-')
        && around.part(around.at.start + name.len()..around.source.len()).trim_start().starts_with(':')
    {
        let at = around.at.start..around.at.start + name.len();
        let at_end = around.at.end.max(at.end);
        let message = format!("a name has no `-`: {}", quoted(name));
        return Some(
            Meant::write(at, &name.replace('-', "_")).named("bad-name").saying(message).until(at_end),
        );
    }
    // `signers: list(string)`
    if text == "("
        && let (Some((_, "list")), Some(close)) = (around.before(), around.closing(around.at.start))
    {
        let whole = around.at.start..close.end;
        let message = format!("a `list` does not say what is in it: {}", quoted(around.part(whole.clone())));
        return Some(Meant::leave_out(around, whole).saying(message));
    }
    let words: Vec<&str> = text.split([' ', '\t', ':']).filter(|word| !word.is_empty()).collect();
    let meant = match words.as_slice() {
        [_, kind, word] if TYPES.contains(kind) && near(word, ["optional"]).is_some() => {
            let at = around.at.start + text.rfind(word)?;
            let message = format!("unknown word {}; did you mean `optional`?", quoted(word));
            return Some(Meant::write(at..at + word.len(), "optional").saying(message));
        }
        [name, "optional", kind] if TYPES.contains(kind) && text.contains(':') => {
            format!("{name}: {kind} optional")
        }
        [kind, name] if TYPES.contains(kind) && !TYPES.contains(name) && !text.contains(':') => {
            format!("{name}: {kind}")
        }
        [name, kind] if TYPES.contains(kind) && !text.contains(':') => format!("{name}: {kind}"),
        [name] if around.next().is_some_and(|(_, word)| ["=", "is", "as"].contains(&word)) => {
            let (sign, _) = around.next()?;
            let (kind_at, kind) = around.word_from(sign.end).filter(|(_, kind)| TYPES.contains(kind))?;
            let whole = around.at.start..kind_at.end;
            let message = format!("{} is not how a var is declared", quoted(around.part(whole.clone())));
            return Some(Meant::write(whole, &format!("{name}: {kind}")).saying(message));
        }
        [name] => {
            let (at, _) = around.next().filter(|(_, word)| *word == "?")?;
            let (colon, _) = around.word_from(at.end).filter(|(_, word)| *word == ":")?;
            let (kind_at, kind) = around.word_from(colon.end).filter(|(_, kind)| TYPES.contains(kind))?;
            let whole = around.at.start..kind_at.end;
            let message = format!("{} is not how a var is declared", quoted(around.part(whole.clone())));
            return Some(Meant::write(whole, &format!("{name}: {kind} optional")).saying(message));
        }
        _ => return None,
    };
    let message = format!("{} is not how a var is declared", quoted(text));
    Some(Meant::write(around.at.clone(), &meant).saying(message))
}

/// `after: 5m`, `on doubt = wait`: a sign behind any other word.
pub(super) fn sign_behind(around: &Around<'_>) -> Option<Meant> {
    let (at, sign) = around.next_on_line().filter(|(_, sign)| [":", "="].contains(sign))?;
    Some(without_sign(around, around.text(), at, sign))
}

/// `vars { a: string )`.
pub(super) fn other_brace(around: &Around<'_>) -> Option<Meant> {
    let (open, _) = around.next().filter(|(_, word)| around.text() == "vars" && *word == "{")?;
    let written = around.part(open.end..around.line_end(open.end));
    let place = open.end + written.trim_end().len();
    let sign = written.trim_end().chars().next_back().filter(|sign| [')', ']', '>'].contains(sign))?;
    let message = format!("the `{{` of `vars` is closed by `{sign}`");
    Some(Meant::write(place - 1..place, "}").saying(message))
}

/// `vars { a: string }}`: a brace too many ends the policy before its stages.
pub(super) fn closed_twice(around: &Around<'_>) -> Option<Meant> {
    let rest = around.source.get(around.at.start..)?;
    let (line, written) = rest
        .split_inclusive('\n')
        .scan(around.at.start, |start, line| {
            *start += line.len();
            Some((*start - line.len(), line))
        })
        .find(|(_, line)| line.trim_start().starts_with("vars"))?;
    let words = written.trim_end();
    let before = words.strip_suffix('}')?.trim_end();
    before.ends_with('}').then_some(())?;
    let at = line + words.len() - 1..line + words.len();
    let message = "`}` stands twice behind the vars";
    Some(Meant::leave_out(around, at).named("stray-text").saying(message))
}

/// A header with nothing behind it on its line: what stands on the next one was taken for it.
pub(super) fn alone(around: &Around<'_>) -> Option<Meant> {
    let mut start = around.at.start;
    for line in around.source.get(start..)?.split_inclusive('\n') {
        let written = line.split('#').next().unwrap_or_default();
        let at = start + (written.len() - written.trim_start().len());
        start += line.len();
        let word = written.trim();
        let (rule, help) = match word {
            "category" => ("bad-category", "write for example `category otp`"),
            "expires" => ("bad-expires", "write for example `expires after 2h`"),
            "quiet" => ("missing-time", "write for example `quiet 21:00 to 08:00 in contact.timezone`"),
            "limit" => ("bad-limit", "write for example `limit 3 sends`"),
            "vars" => ("bad-var", "write for example `vars { time: string }`"),
            _ => continue,
        };
        // The braces of vars may stand on lines of their own.
        let next = around.word_from(at + word.len()).map_or("", |(_, next)| next);
        if next == "{"
            || !(next.parse::<Channel>().is_ok() || ["wait", "use", "any", "all", "}"].contains(&next))
        {
            continue;
        }
        let message = format!("behind `{word}` nothing is said");
        let meant = Meant::told(at..at + word.len()).named(rule).saying(message).help(help);
        return Some(meant.until(around.source.len()));
    }
    None
}

/// `valid after 14h` among the headers: another word for one of them.
pub(super) fn other_word(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let behind =
        if rest.is_empty() { around.next_on_line().map_or("", |(_, next)| next) } else { rest.trim() };
    let fits = names_lifetime(word) && (behind.starts_with("after") || behind.parse::<Span>().is_ok());
    (fits && super::absent::is_among_headers(around)).then_some(())?;
    let at = around.at.start..around.at.start + word.len();
    let message = format!("{} is no header; did you mean `expires`?", quoted(word));
    let meant = if behind.starts_with("after") { "expires" } else { "expires after" };
    Some(Meant::write(at, meant).named("bad-expires").saying(message))
}

/// Words of others for how urgent something is.
pub(in super::super) const URGENCIES: [&str; 5] = ["severity", "urgency", "importance", "priority", "level"];

/// `severity critical` among the headers.
pub(super) fn urgency(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let word = text.split_whitespace().next().filter(|word| URGENCIES.contains(word))?;
    super::absent::is_among_headers(around).then_some(())?;
    let line = around.line_end(around.at.start);
    let rest = around.part(around.at.start..line).split('#').next()?.trim_end().len();
    let message = format!("`{word}` is no header: how urgent a message is, its sender says");
    let help = "leave the line out; what kind of message it is says `category`, and a condition asks for the \
                priority: `if priority is urgent`";
    let meant = Meant::told(around.at.start..around.at.start + rest).named("unknown-header").saying(message);
    Some(meant.help(help).until(line))
}

/// Words of others for how long something is worth anything.
const LIFETIMES: [&str; 9] =
    ["ttl", "lifetime", "validity", "expiry", "expiration", "expire", "max_age", "deadline", "timeout"];

/// Whether a word says how long a message lives, be it that of a stage.
pub(super) fn names_lifetime(word: &str) -> bool {
    word == "valid" || LIFETIMES.contains(&word)
}

/// `sms ttl 10m`: another word for `valid`, behind a stage.
pub(super) fn valid(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let fits = text == "expires" || LIFETIMES.contains(&text);
    around.next_on_line().filter(|(_, next)| next.parse::<Span>().is_ok() && fits)?;
    let message = format!("unknown word {}; did you mean `valid`?", quoted(text));
    Some(Meant::write(around.at.clone(), "valid").named("bad-valid").saying(message))
}

/// Whether a text begins with a header.
pub(in super::super) fn is_header(text: &str) -> bool {
    let mut words = text.split_whitespace();
    words.next().is_some_and(|word| ["category", "expires", "quiet", "limit"].contains(&word))
        && words.next().is_some()
}

/// `expires after 1d` above the policy that it belongs to, or in one of which the first line is lost.
pub(super) fn above(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    is_header(text).then_some(())?;
    let said = text.lines().next().unwrap_or(text).trim();
    let next = around.next_policy(around.at.end);
    if around.part(around.at.end..next).lines().any(|line| line.trim() == "}") {
        let message = format!("the line `policy NAME {{` above {} is missing", quoted(said));
        let meant = Meant::told(around.at.clone()).saying(message);
        return Some(meant.help("write it there").until(next));
    }
    let message = format!("{} stands outside of its policy", quoted(said));
    let meant = Meant::told(around.at.clone()).saying(message);
    Some(meant.help("write it into the braces of the policy, before the stages"))
}

/// `category transactionalexpires after 2d`: two headers on one line, without a blank between them.
pub(super) fn grown_together(around: &Around<'_>) -> Option<Meant> {
    around.text().starts_with("after").then_some(())?;
    let (at, word) = around.before()?;
    let first = word.strip_suffix("expires").filter(|first| !first.is_empty())?;
    around.word_before(at.start).filter(|(_, before)| *before == "category")?;
    let place = at.start + first.len();
    let message = format!("there is no blank between `{first}` and `expires`");
    let meant = Meant::write(place..place, " ").named("bad-category").saying(message).about(at);
    Some(meant.help(format!("write `{first} expires`")))
}
