//! Lines that were moved, and brackets that went with them or stayed behind.

use crate::language::words::{HEADERS, quoted};
use crate::model::Channel;

use super::Meant;
use super::text::Around;

/// The bytes of the line of a byte, and its text without blanks around it and without a comment.
fn line<'s>(around: &Around<'s>, at: usize) -> (std::ops::Range<usize>, &'s str) {
    let whole = around.line_start(at)..around.line_end(at);
    let text = around.part(whole.clone());
    (whole, text.split('#').next().unwrap_or(text).trim())
}

/// The first line with something on it behind a byte's own.
fn next_line<'s>(around: &Around<'s>, at: usize) -> Option<(std::ops::Range<usize>, &'s str)> {
    let (next, _) = around.word_from(around.line_end(at))?;
    Some(line(around, next.start))
}

/// The first word of a line: what else is wrong with it is told beside.
fn told_at(around: &Around<'_>, line: &std::ops::Range<usize>) -> std::ops::Range<usize> {
    around.word_from(line.start).map_or(line.clone(), |(at, _)| at)
}

fn first_word(text: &str) -> &str {
    text.split(|c: char| c.is_whitespace() || c == '(').next().unwrap_or_default()
}

fn begins_stage(text: &str) -> bool {
    let word = first_word(text);
    word.parse::<Channel>().is_ok() || ["use", "any", "all", "wait"].contains(&word)
}

/// `then sms after 2h` above the first stage, which stands on a line below without a `then`.
pub(super) fn first_stage(around: &Around<'_>) -> Option<Meant> {
    let (own, text) = line(around, around.at.start);
    text.starts_with("then ").then_some(())?;
    let (mut at, mut passed) = (own.clone(), 0);
    let (first, said) = loop {
        let (next, said) = next_line(around, at.start)?;
        if begins_stage(said) {
            break (next, said);
        }
        passed += 1;
        (said.starts_with("then ") && passed < 8).then_some(())?;
        at = next;
    };
    // Up to the end of its modifiers on lines of their own nobody can tell whose they are.
    let behind = next_line(around, first.start).map_or("", |(_, text)| text);
    (behind.is_empty() || behind.starts_with(['}']) || ["then", "otherwise"].contains(&first_word(behind)))
        .then_some(())?;
    let whole = around.part(first.clone());
    let message = format!("the first stage {} stands below {}", quoted(said), quoted(text));
    let at = told_at(around, &first);
    let meant = Meant::told(at).named("missing-stage").saying(message);
    let meant = meant.changing(own.start..own.start, &format!("{whole}\n"));
    let gone = first.start.saturating_sub(1)..first.end;
    Some(meant.help("move it up, before the line that begins with `then`").and(gone, "").until(first.end))
}

/// `then sms after 10m` at the beginning of a policy, above its headers: a line of another one.
pub(super) fn above_headers(around: &Around<'_>) -> Option<Meant> {
    let (own, text) = line(around, around.at.start);
    text.starts_with("then ").then_some(())?;
    let (_, next) = next_line(around, own.start)?;
    HEADERS.contains(&first_word(next)).then_some(())?;
    let end = around.next_policy(own.end);
    let message = format!("{} stands above the headers, where no stage is before it", quoted(text));
    let meant = Meant::told(own.end - around.part(own.clone()).trim_start().len()..own.end);
    let meant = meant.named("missing-stage").saying(message);
    Some(meant.help("move it behind the stage that it follows").until(end))
}

/// `push until read` above the headers, of which the first is told.
pub(super) fn stage_above(around: &Around<'_>) -> Option<Meant> {
    let (header, text) = line(around, around.at.start);
    HEADERS.contains(&first_word(text)).then_some(())?;
    let (before, _) = around.word_before(header.start)?;
    let (stage, said) = line(around, before.start);
    let above = around.word_before(stage.start).map(|(at, _)| line(around, at.start).1);
    (begins_stage(said) && above.is_some_and(|above| above.ends_with('{'))).then_some(())?;
    // The last of the headers, behind which the strategy goes on.
    let mut last = header.clone();
    let behind = loop {
        let (next, text) = next_line(around, last.start)?;
        if !HEADERS.contains(&first_word(text)) {
            break text;
        }
        last = next;
    };
    ["then", "otherwise", "}"].contains(&first_word(behind)).then_some(())?;
    // The headers are moved, so that what is wrong with the stage is told beside.
    let headers = format!("{}\n", around.part(header.start..last.end));
    let message = format!("{} stands above the headers", quoted(said));
    let at = told_at(around, &stage);
    let meant = Meant::told(at).saying(message).help("move it behind them");
    let meant = meant.changing(stage.start..stage.start, &headers);
    let meant = meant.and(header.start.saturating_sub(1)..last.end, "");
    Some(meant.until(last.end))
}

/// `expires after 2h` behind `otherwise fail`.
pub(super) fn header_below(around: &Around<'_>) -> Option<Meant> {
    let (own, said) = line(around, around.at.start);
    let word = first_word(said);
    HEADERS.contains(&word).then_some(())?;
    let start = around.part(0..own.start).rfind("policy ")?;
    let open = start + around.part(start..own.start).find('{')?;
    let message = format!("the header `{word}` stands behind the stages");
    let whole = around.line_start(own.start)..(own.end + 1).min(around.source.len());
    let at = own.end - around.part(own.clone()).trim_start().len()..own.end;
    let meant = Meant::told(at).named("misplaced-header").saying(message).changing(whole, "");
    let meant = meant.and(open + 1..open + 1, &format!("\n  {said}"));
    Some(meant.help("move it up, before the first stage").until(own.end))
}

/// `otherwise fail "why"` above the first stage.
pub(super) fn otherwise_above(around: &Around<'_>) -> Option<Meant> {
    let (own, _) = line(around, around.at.start);
    let (before, _) =
        around.word_before(around.line_start(own.start)).filter(|(at, _)| at.end <= own.start)?;
    let (otherwise, said) = line(around, before.start);
    (first_word(said) == "otherwise" && said.ends_with('"')).then_some(())?;
    let above = around.word_before(otherwise.start).map(|(at, _)| line(around, at.start).1)?;
    let is_first = above.ends_with('{') || HEADERS.contains(&first_word(above));
    let rest = around.part(around.at.start..around.next_policy(around.at.end));
    let close = around.at.start + rest.rfind('}')?;
    let end = around.end_before(close);
    let goes_on = first_word(line(around, own.start).1) == "then";
    ((is_first || goes_on) && end > own.start).then_some(())?;
    let message = format!("{} stands above stages", quoted(said));
    let at = otherwise.end - around.part(otherwise.clone()).trim_start().len()..otherwise.end;
    // The stages are moved, since a text in quotes is left where it is.
    let stages = format!("{}\n", around.part(own.start..end));
    let meant = Meant::told(at).named("misplaced-otherwise").saying(message);
    let meant = meant.changing(otherwise.start..otherwise.start, &stages).and(otherwise.end..end, "");
    Some(meant.help("move it to the end of the policy").until(close))
}

/// `)` a line above the last member of its group.
pub(super) fn early_parenthesis(around: &Around<'_>) -> Option<Meant> {
    let (of, _) = around.next().filter(|(_, word)| *word == "of")?;
    let (open, _) = around.word_from(of.end).filter(|(_, word)| *word == "(")?;
    let close = around.closing(open.start)?;
    around.word_before(close.start).filter(|(_, word)| *word == ",")?;
    let (own, text) = line(around, close.start);
    (text == ")").then_some(())?;
    let (member, said) = next_line(around, own.start)?;
    begins_stage(said).then_some(())?;
    let behind = next_line(around, member.start).map_or("", |(_, text)| text);
    ["then", "otherwise", "}"].contains(&first_word(behind)).then_some(())?;
    let message = format!("the `)` stands before the last member of its group, {}", quoted(said));
    let meant = Meant::told(close).named("bad-group").saying(message);
    let meant = meant.changing(own.start.saturating_sub(1)..own.end, "");
    let text = format!("\n{}", around.part(own));
    Some(meant.and(member.end..member.end, &text).help("move it behind that line").until(member.end))
}

/// `then …` or `otherwise fail …` behind the `}` of its policy.
pub(super) fn behind_brace(around: &Around<'_>) -> Option<Meant> {
    let (brace, _) = around.before().filter(|(_, word)| *word == "}")?;
    let (own, whole) = line(around, around.at.start);
    // A line that was moved too far, between two policies that are whole.
    let is_apart = around.part(brace.end..around.at.start).contains("\n\n");
    if is_apart && first_word(whole) == "then" && around.text().trim().lines().count() == 1 {
        let message = format!("{} stands outside of its policy", quoted(whole));
        let at = around.at.start..own.end;
        let meant = Meant::told(at).named("outside-policy").saying(message);
        return Some(meant.help("move it into the braces of the policy to which it belongs"));
    }
    let said = around.text().lines().next()?.trim();
    (["then", "otherwise"].contains(&first_word(said)) && said.contains(' ')).then_some(())?;
    let (own, text) = line(around, brace.start);
    let whole = if text == "}" { own.start..own.end + 1 } else { brace.clone() };
    let whole = if text == "}" { whole } else { around.blanks_before(brace.start)..brace.end };
    let end = around.at.start + around.text().trim_end().len();
    // Where another `}` stands at the end the first is one too many; else it belongs there.
    let is_closed = around.word_from(end).is_some_and(|(_, word)| word == "}") || said.ends_with('}');
    let message = format!("the `}}` stands before {}, which is of its policy", quoted(said));
    let meant = Meant::told(brace).named("outside-policy").saying(message).changing(whole, "");
    let until = around.next_policy(end);
    Some(match is_closed {
        true => meant.help("leave it out").until(until),
        false => meant.and(end..end, "\n}").help("move it to the end of the policy").until(until),
    })
}

/// `email,` and more, and `)`: the line `any of (` or `all of (` is gone.
pub(super) fn group_begun_nowhere(around: &Around<'_>) -> Option<Meant> {
    (!around.in_group()).then_some(())?;
    let rest = around.part(around.at.start..around.next_policy(around.at.end));
    // A list of strategies up to a `)` alone on its line.
    let mut end = around.at.start;
    for text in rest.lines() {
        let bare = text.split('#').next().unwrap_or_default().trim();
        end += text.len() + 1;
        if bare == ")" {
            let (first, word) = around.word_from(around.line_start(around.at.start))?;
            begins_stage(word).then_some(())?;
            let message = "a group that ends with `)` begins nowhere";
            let meant = Meant::told(first).named("unclosed-bracket").saying(message);
            let help = format!("write `any of (` or `all of (` before `{word}`");
            return Some(meant.help(help).until(end));
        }
        (text.trim().is_empty() || !bare.contains(['(', '}']) && !first_word(bare).eq("then"))
            .then_some(())?;
    }
    None
}

/// `expires after 2d if contact has push`: a condition of a stage behind a header.
pub(super) fn condition_of_header(around: &Around<'_>) -> Option<Meant> {
    let (_, text) = line(around, around.at.start);
    let word = first_word(text);
    let said = around.text().trim();
    let is_condition = ["if", "unless"].contains(&first_word(said));
    (["expires", "limit", "category"].contains(&word) && is_condition).then_some(())?;
    let message = format!("{} stands behind the header `{word}`, which has no condition", quoted(said));
    let meant = Meant::told(around.at.clone()).named("stray-text").saying(message);
    Some(meant.help("a condition stands behind a stage: leave it out here, or move it there"))
}
