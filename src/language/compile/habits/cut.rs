//! Lines of which the end is missing, so that the next one was taken for it.

use crate::language::words::quoted;

use super::Meant;
use super::stage::is_end;
use super::text::Around;

/// Words behind which something must stand, with the rule that is broken where nothing does, and an example.
const EXPECTING: [(&str, &str, &str); 13] = [
    ("after", "missing-duration", "after 30s"),
    ("every", "missing-duration", "every 5m"),
    ("valid", "missing-duration", "valid 10m"),
    ("wait", "missing-duration", "wait 10m"),
    ("until", "unknown-goal", "until read"),
    ("doubt", "bad-doubt", "on doubt wait"),
    ("via", "bad-route", "via twilio"),
    ("use", "unknown-policy", "use NAME"),
    ("backoff", "bad-retry", "backoff 1s to 30s"),
    ("in", "missing-zone", "in contact.timezone"),
    ("else", "missing-zone", "else Europe/Berlin"),
    ("if", "missing-condition", "if priority is high"),
    ("unless", "missing-condition", "unless quota"),
];

/// `expires after`, `push on doubt` at the end of a line: the first word of the next line was taken for what
/// is missing.
pub(super) fn value(around: &Around<'_>) -> Option<Meant> {
    let start = around.line_start(around.at.start);
    around.part(start..around.at.start).trim().is_empty().then_some(())?;
    let (at, word) = around.word_before(around.end_before(around.at.start))?;
    (at.end < start).then_some(())?;
    let (_, rule, example) = EXPECTING.into_iter().find(|(known, ..)| *known == word)?;
    let before =
        around.word_before(at.start).filter(|(before, _)| before.start >= around.line_start(at.start));
    let leading = before.filter(|(_, before)| {
        matches!((*before, word), ("expires", "after") | ("on", "doubt") | ("wait", "until"))
    });
    let whole = leading.map_or(at.start, |(before, _)| before.start)..at.end;
    let words: Vec<&str> = around.part(whole.clone()).split_whitespace().collect();
    let said = words.join(" ");
    let example = match said.split_whitespace().next() {
        Some("expires") => "expires after 2h",
        Some("wait") if word == "until" => "wait until 09:00 in contact.timezone",
        _ => example,
    };
    let message = format!("behind {} nothing is said", quoted(&said));
    let meant = Meant::told(whole).named(rule).saying(message);
    let help = match word {
        "else" => {
            "write the zone for those without one, for example `else Europe/Berlin`, or leave `else` out"
                .to_owned()
        }
        _ => format!("write for example `{example}`"),
    };
    Some(meant.help(help).until(around.at.end))
}

/// `between 09:00 and`, `quiet 20:30 to in UTC`: the second time is missing.
pub(super) fn second_time(around: &Around<'_>) -> Option<Meant> {
    let line = around.line_end(around.at.start);
    let (at, word) = around.word_from(around.at.start)?;
    if word == "between" && around.text() == word {
        let message = "behind `between` nothing is said";
        let help = "write for example `between 09:00 and 17:00 in contact.timezone`";
        return Some(Meant::told(at).named("missing-time").saying(message).help(help));
    }
    let (joint, word) = around.word_from(at.end).filter(|(at, _)| at.start < line)?;
    let first = super::values::time_meant(around.part(at)).filter(|_| ["and", "to"].contains(&word))?;
    let next = around.word_from(joint.end).filter(|(at, _)| at.start < line);
    let has_zone = next.as_ref().is_some_and(|(_, next)| ["in", "on"].contains(next));
    (has_zone || next.is_none_or(|next| is_end(around, &next))).then_some(())?;
    let others = if word == "to" { ["07:00", "08:00"] } else { ["17:00", "18:00"] };
    let second = others.into_iter().find(|other| *other != first.to_string())?;
    let zone = if has_zone { "" } else { " in contact.timezone" };
    let message = format!("the time behind `{word}` is missing");
    let help = format!("write for example `{first} {word} {second}{zone}`");
    Some(Meant::told(joint).named("missing-time").saying(message).help(help))
}

/// `via 80% ses,`: the other provider is missing.
pub(super) fn share(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (comma, _) = around.next().filter(|(_, word)| *word == ",")?;
    let next = around.word_from(comma.end);
    next.as_ref().is_none_or(|next| next.1 == "then" || is_end(around, next)).then_some(())?;
    let shares =
        text.split(|c: char| c.is_whitespace() || c == ',').filter_map(|word| word.strip_suffix('%'));
    let left = 100_u32.checked_sub(shares.filter_map(|share| share.parse::<u32>().ok()).sum())?;
    (left > 0).then_some(())?;
    let message = format!("behind `,` the provider for the other {left}% is missing");
    let help = format!("write it, for example `{text}, {left}% NAME`");
    let until = next.map_or(comma.end, |(at, _)| at.end);
    Some(Meant::told(comma).named("bad-shares").saying(message).help(help).until(until))
}

/// `vars { code:` at the end of a line.
pub(super) fn vars(around: &Around<'_>) -> Option<Meant> {
    let rest = around.source.get(around.at.start..)?;
    let vars = around.at.start + rest.find("vars")?;
    let line = around.line_end(vars);
    let written = around.part(vars..line).split('#').next()?.trim_end();
    let open = written.find('{')?;
    let last = written.get(open + 1..)?.rsplit(',').next()?.trim();
    // `vars { code`
    let name = last.strip_suffix(':').unwrap_or(last).trim_end();
    let next = around.word_from(line).map_or("", |(_, next)| next);
    let goes_on = [":", "}"].contains(&next) || around.part(line..around.line_end(line + 1)).contains(": ");
    let is_alone = super::super::is_name(name) && !written.contains('}');
    (is_alone && (name != last || !goes_on)).then_some(())?;
    let end = vars + written.len();
    let message = format!("the type behind {} is missing, and the `}}` of `vars`", quoted(last));
    let help = format!("write for example `{name}: string }}`");
    let meant = Meant::told(end - last.len()..end).named("bad-var").saying(message).help(help);
    Some(meant.until(around.next_policy(around.at.end)))
}

/// The same where `vars` itself is what was not closed.
pub(super) fn vars_alone(around: &Around<'_>) -> Option<Meant> {
    vars(around).filter(|_| around.text() == "vars")
}

/// `vars { a: string` without its brace, where that of the policy was taken for it.
pub(super) fn unclosed_vars(around: &Around<'_>) -> Option<Meant> {
    let from = around.at.start;
    let is_opened = |at: usize| around.word_from(at + "vars".len()).is_some_and(|(_, next)| next == "{");
    let mut places = around.source.get(from..)?.match_indices("vars").map(|(at, _)| from + at);
    let vars = places.find(|at| is_opened(*at))?;
    let open = vars + around.source.get(vars..)?.find('{')? + 1;
    // `vars { a: string # }`
    let (first, comment) = around.part(open..around.line_end(open)).split_once('#').unwrap_or(("", ""));
    if comment.contains('}') && !first.contains('}') {
        let start = open + first.len();
        let message = "the `}` of `vars` stands in the comment, where it closes nothing";
        let meant =
            Meant::told(start..around.line_end(open)).saying(message).help("write `}` before the `#`");
        return Some(meant.until(around.next_policy(around.at.end)));
    }
    let is_declared =
        |text: &str| text.split_once(':').is_some_and(|(name, _)| super::super::is_name(name.trim()));
    // Behind the last of the lines on which something is declared.
    let (mut last, mut from) = (None, open);
    while from < around.source.len() {
        let line = around.part(from..around.line_end(from)).split('#').next()?;
        let text = line.trim().trim_end_matches(',').trim_end();
        match text.is_empty() {
            true => {}
            false if text.contains('}') => return None,
            false if from > open && !is_declared(text) => break,
            false => last = Some((from, from + line.find(text)? + text.len(), from + line.trim_end().len())),
        }
        from = around.line_end(from) + 1;
    }
    let (line, end, whole) = last?;
    let indent = vars - around.line_start(vars);
    let close = if line == open { " }".to_owned() } else { format!("\n{}}}", " ".repeat(indent)) };
    let meant = Meant::write(end..whole, &close)
        .about(vars..vars + "vars".len())
        .until(around.next_policy(around.at.end));
    Some(meant.saying("the `{` of `vars` is never closed").help("end the vars with `}`"))
}

/// `vars 7 a: string }`: the sign of the key without shift.
pub(super) fn vars_beside_the_key(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let is_key = |digit: &str| ["7", "8", "9", "("].contains(&digit);
    let (at, _) = around.next_on_line().filter(|(_, digit)| text == "vars" && is_key(digit))?;
    let rest = around.part(at.end..around.line_end(at.end));
    (rest.contains(':') && rest.contains('}')).then_some(())?;
    let message = format!("`{}` stands for the `{{` of `vars`", around.part(at.clone()));
    Some(Meant::write(at, "{").saying(message).until(around.next_policy(around.at.end)))
}

/// `any of (push,` before a line that begins with `then`: the rest of the group is gone.
pub(super) fn group(around: &Around<'_>) -> Option<Meant> {
    let group = around.text();
    ["any", "all"].contains(&group).then_some(())?;
    let line = around.line_end(around.at.start);
    let written = around.part(around.at.start..line).trim_end();
    let behind = around.word_from(line).map_or("", |(_, word)| word);
    let is_cut = written.ends_with(',') && written.contains('(') && !written.contains([')', '#']);
    (is_cut && ["then", "otherwise", "}"].contains(&behind)).then_some(())?;
    let end = around.at.start + written.len();
    let message = format!("the group `{group} of` breaks off behind the last `,`");
    let meant = Meant::told(end - 1..end).saying(message);
    Some(meant.help("write the member that is missing, and `)` behind it").until(end))
}

/// The same where a remark stands in its middle.
pub(super) fn group_by_remark(around: &Around<'_>) -> Option<Meant> {
    let group = around.text();
    ["any", "all"].contains(&group).then_some(())?;
    let line = around.line_end(around.at.start);
    let (before, comment) = around.part(around.at.start..line).split_once('#')?;
    (before.trim_end().ends_with(',') && comment.contains(')')).then_some(())?;
    let at = around.at.start + before.len()..line;
    let message = "behind `#` all is a remark, so the rest of the group is one too";
    let meant = Meant::told(at).saying(message);
    Some(meant.help("write the remark at the end of the line, behind `)`").until(line))
}

/// `policy NAME {` as the last line of a file.
pub(super) fn policy(around: &Around<'_>) -> Option<Meant> {
    let line = around.line_end(around.at.start);
    let written = around.part(around.at.start..line).trim_end();
    let is_first = around.part(0..around.at.start).trim().is_empty();
    let is_last = around.part(line..around.source.len()).trim().is_empty();
    (written.starts_with("policy ") && written.ends_with('{') && is_last && !is_first).then_some(())?;
    let whole = around.at.start..around.at.start + written.len();
    let message = format!("nothing stands behind {}", quoted(written));
    let meant = Meant::told(whole).saying(message);
    Some(meant.help("leave the line out, or write the policy and `}`"))
}

/// A text that was broken at the end of its line.
pub(super) fn text(around: &Around<'_>) -> Option<Meant> {
    let line = around.line_end(around.at.start);
    let next = around.part(line + 1..around.line_end(line + 1)).trim_end();
    let rest = next.strip_suffix('"').filter(|rest| !rest.contains(['"', '#', '{', '}']))?.trim_start();
    (!rest.is_empty() && !["then", "otherwise"].contains(&rest.split(' ').next()?)).then_some(())?;
    let first = around.text().trim_end();
    let gap = around.at.start + first.len()..line + 1 + next.len() - rest.len() - 1;
    let meant = Meant::write(gap, " ").about(around.at.clone());
    let meant = meant.saying("a text ends on the line on which it begins");
    Some(meant.help("write it on one line").until(line + 1 + next.len()))
}

/// `any of ()`.
pub(super) fn empty_group(around: &Around<'_>) -> Option<Meant> {
    let group = around.text();
    let (of, _) = around.next().filter(|(_, word)| *word == "of" && ["any", "all"].contains(&group))?;
    let (open, _) = around.word_from(of.end).filter(|(_, word)| *word == "(")?;
    let (close, _) = around.word_from(open.end).filter(|(_, word)| *word == ")")?;
    let meant = Meant::told(around.at.start..close.end).named("bad-group");
    let meant = meant.saying(format!("`{group} of` has no members"));
    Some(meant.help(format!("write for example `{group} of (sms, email)`")))
}

/// `contact has unless quota`: the channel is missing.
pub(super) fn channel(around: &Around<'_>) -> Option<Meant> {
    let (contact, _) = around.before().filter(|(_, word)| *word == "contact" && around.text() == "has")?;
    let meant =
        Meant::told(contact.start..around.at.end).saying("behind `contact has` the channel is missing");
    Some(meant.help("write for example `contact has sms`"))
}
