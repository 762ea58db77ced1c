//! Lists in conditions as people write them.

use crate::language::words::quoted;

use super::Meant;
use super::text::Around;

/// `"a" in vars.tags`: a list of the message is asked by `has`.
fn in_a_list(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (sign, _) = around.before()?;
    let before = around.source.get(..sign.start)?.trim_end();
    let start = match before.strip_suffix('"') {
        Some(open) => open.rfind('"')?,
        None => around.word_before(sign.start)?.0.start,
    };
    let whole = start..around.at.end;
    let value = before.get(start..)?;
    let message = format!("{} is not how a list is asked", quoted(around.part(whole.clone())));
    Some(Meant::write(whole, &format!("{text} has {value}")).named("bad-comparison").saying(message))
}

/// `in AT, DE`.
pub(super) fn list(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (_, before) = around.before()?;
    if before != "in" || text.starts_with('[') {
        return None;
    }
    if text.starts_with("vars.") || text.starts_with("contact.") {
        return in_a_list(around);
    }
    // `in listOf("private", "premium")`
    if let Some((open, "(")) = around.word_from(around.at.end)
        && open.start == around.at.end
        && let Some(close) = around.closing(open.start)
    {
        let whole = around.at.start..close.end;
        let message =
            format!("a list stands between `[` and `]`, not in {}", quoted(around.part(whole.clone())));
        let inner = format!("[{}]", around.part(open.end..close.start));
        return Some(Meant::write(whole, &inner).saying(message).until(around.line_end(close.end)));
    }
    if text.starts_with('"') {
        // `in "AT, DE"`
        let inner = text.trim_matches('"');
        if inner.contains(',') {
            let values: Vec<String> = inner.split(',').map(|value| format!("\"{}\"", value.trim())).collect();
            let message = format!("{} is one text, no list", quoted(text));
            return Some(
                Meant::write(around.at.clone(), &format!("[{}]", values.join(", "))).saying(message),
            );
        }
        return texts(around);
    }
    let value = |word: &str| {
        let number = word.parse::<f64>().is_ok();
        if number { word.to_owned() } else { format!("\"{}\"", word.trim_matches('"')) }
    };
    let (mut values, mut end) = (vec![value(text)], around.at.end);
    while let Some((comma, ",")) = around.word_from(end) {
        let Some((at, word)) = around.word_from(comma.end) else { break };
        if word == "\"" {
            break;
        }
        values.push(value(word));
        end = at.end;
    }
    let message = format!("{} is no list", quoted(around.part(around.at.start..end)));
    Some(Meant::write(around.at.start..end, &format!("[{}]", values.join(", "))).saying(message))
}

/// `in "AT", "DE"`, perhaps with the `]` that ends a list.
fn texts(around: &Around<'_>) -> Option<Meant> {
    let mut end = around.at.end;
    while let Some((comma, ",")) = around.word_from(end)
        && let Some((open, "\"")) = around.word_from(comma.end)
        && let Some(length) = around.source.get(open.end..)?.find('"')
    {
        end = open.end + length + 1;
    }
    let whole = around.at.start..end;
    let said = quoted(around.part(whole.clone()));
    match around.word_from(end) {
        Some((close, "]")) => {
            let meant = Meant::write(whole.start..whole.start, "[").saying("there is no `[` behind `in`");
            let meant =
                meant.help(format!("write `[{}]`", around.part(whole.clone()))).about(whole.start..close.end);
            Some(meant)
        }
        _ => {
            let list = format!("[{}]", around.part(whole.clone()));
            Some(Meant::write(whole, &list).saying(format!("{said} is no list")))
        }
    }
}

/// `in ("AT", "DE")`.
pub(super) fn parentheses(around: &Around<'_>) -> Option<Meant> {
    if around.text() != "in" {
        return None;
    }
    let (open, _) = around.next().filter(|(_, word)| *word == "(")?;
    let close = around.closing(open.start)?;
    let message = "a list stands between `[` and `]`, not between `(` and `)`";
    let help = format!("write `in [{}]`", around.part(open.end..close.start));
    Some(Meant::write(open, "[").named("bad-list").saying(message).help(help).and(close, "]"))
}

/// `is one of ["AT", "DE"]`.
pub(super) fn one_of(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (of, _) = around.next().filter(|(_, word)| *word == "of")?;
    around.word_from(of.end).filter(|(_, word)| *word == "[")?;
    let (is, _) = around.before().filter(|(_, word)| *word == "is")?;
    let fits = ["one", "any", "either"].contains(&text);
    let whole = is.start..of.end;
    let message = format!("{} is no comparison", quoted(around.part(whole.clone())));
    fits.then(|| Meant::write(whole, "in").named("bad-comparison").saying(message))
}

/// `["AT", "DE, "CH"]`: one of the texts lacks a quote, so that what stands behind it was turned inside out.
pub(super) fn missing_quote(around: &Around<'_>) -> Option<Meant> {
    let line = around.line_start(around.at.start)..around.line_end(around.at.start);
    let open = around.part(line.start..around.at.start).rfind('[').map(|at| line.start + at + 1)?;
    let close = around.part(open..line.end).find(']').map(|at| open + at)?;
    let inner = around.part(open..close);
    (inner.matches('"').count() % 2 == 1).then_some(())?;
    let (mut start, mut faulty) = (open, None);
    for item in inner.split(',') {
        let value = item.trim();
        let at = start + item.len() - item.trim_start().len();
        start += item.len() + 1;
        match (value.strip_prefix('"'), value.strip_suffix('"')) {
            (Some(_), Some(_)) if value.len() > 1 && value.matches('"').count() == 2 => {}
            // Two such texts, or a comma within one: nobody knows where it ends.
            _ if faulty.is_some() || value.matches('"').count() != 1 => return None,
            (Some(word), None) => faulty = Some((at..at + value.len(), word, "closing")),
            (None, Some(word)) => faulty = Some((at..at + value.len(), word, "opening")),
            _ => return None,
        }
    }
    let (at, word, which) = faulty?;
    // `'FR"`: the other quote stands there.
    let word = if which == "opening" { word.trim_start_matches('\'') } else { word.trim_end_matches('\'') };
    let message = format!("the text {} has no {which} quote", quoted(word));
    Some(Meant::write(at, &format!("\"{word}\"")).named("bad-text").saying(message).until(line.end))
}

/// `["AT" "DE" "CH"]`: several texts with no comma between.
pub(super) fn missing_commas(around: &Around<'_>) -> Option<Meant> {
    let line = around.line_start(around.at.start)..around.line_end(around.at.start);
    let open = around.part(line.start..around.at.start).rfind('[').map(|at| line.start + at + 1)?;
    let close = around.part(open..line.end).find(']').map(|at| open + at)?;
    let inner = around.part(open..close);
    let mut parts = inner.split('"');
    let between = parts.clone().step_by(2).all(|part| part.trim_matches([' ', ',']).is_empty());
    let texts: Vec<String> = parts.by_ref().skip(1).step_by(2).map(|text| format!("\"{text}\"")).collect();
    // Two values in one text are another slip.
    let are_plain = texts.iter().all(|text| text.len() > 2 && !text.contains([',', ']', '[']));
    let fits = inner.matches('"').count().is_multiple_of(2) && between && are_plain && texts.len() > 1;
    let message = format!("there is no `,` before {}", quoted(around.text()));
    let meant = texts.join(", ");
    fits.then(|| {
        let written = Meant::write(open..close, &meant).saying(message).about(around.at.clone());
        written.help(format!("write `[{meant}]`")).until(line.end)
    })
}

/// `["AT", ‚SI‘]`: a text between quotes of a word processor.
pub(super) fn other_quotes(around: &Around<'_>) -> Option<Meant> {
    let line = around.line_end(around.at.start);
    let rest = around.part(around.at.start..line);
    let inner = rest.strip_prefix(['‚', '‘', '’', '\'', '`', '‹', '›'])?;
    let end = inner.find(['‘', '’', '\'', '`', '›', '‹'])?;
    let text = inner.get(..end)?;
    (!text.contains([',', ']', '"'])).then_some(())?;
    let close = inner.get(end..)?.chars().next()?.len_utf8();
    let whole = around.at.start..around.at.start + rest.len() - inner.len() + end + close;
    let message = format!("{} does not stand in straight double quotes", quoted(around.part(whole.clone())));
    Some(Meant::write(whole, &format!("\"{text}\"")).named("bad-text").saying(message))
}

/// `%w[de it]`: a list as Ruby has it.
pub(super) fn words(around: &Around<'_>) -> Option<Meant> {
    let line = around.line_end(around.at.start);
    let from = around.at.start + around.part(around.at.start..line).find("%w")?;
    let inner = around.part(from + 2..line).strip_prefix(['[', '(', '{'])?;
    let end = inner.find([']', ')', '}'])?;
    let texts: Vec<String> = inner.get(..end)?.split_whitespace().map(|word| format!("\"{word}\"")).collect();
    let message = "a list has its texts in quotes, with commas between them";
    let meant = format!("[{}]", texts.join(", "));
    Some(Meant::write(from..from + 2 + 1 + end + 1, &meant).named("bad-list").saying(message))
}

/// `=~ "AT|SI"`: a pattern of alternatives.
pub(super) fn alternatives(around: &Around<'_>) -> Option<Meant> {
    let line = around.line_end(around.at.start);
    let rest = around.part(around.at.start..line);
    let open = rest.find('"')?;
    let sign = rest.get(..open)?.trim();
    ["=~", "~", "~=", "matches", "like", "LIKE"].contains(&sign).then_some(())?;
    let text = rest.get(open + 1..)?.split('"').next()?;
    let parts: Vec<&str> = text.trim_matches(['^', '$', '(', ')']).split('|').collect();
    let is_plain =
        |part: &&str| part.chars().all(|c| c.is_alphanumeric() || "-_ ".contains(c)) && !part.is_empty();
    parts.iter().all(is_plain).then_some(())?;
    let texts: Vec<String> = parts.iter().map(|part| format!("\"{part}\"")).collect();
    let meant = match texts.as_slice() {
        [text] => format!("is {text}"),
        _ => format!("in [{}]", texts.join(", ")),
    };
    let whole = around.at.start..around.at.start + open + 1 + text.len() + 1;
    let message = format!("`{sign}` is no comparison: there are no patterns");
    Some(Meant::write(whole, &meant).saying(message))
}

/// `is ‘blocked’`: quotes of a word processor around a text that is compared.
pub(super) fn single_quotes(around: &Around<'_>) -> Option<Meant> {
    let start = around.blanks_from(around.at.end);
    let behind = Around { source: around.source, at: start..start };
    let meant = other_quotes(&behind)?;
    let line = around.line_end(start);
    Some(meant.until(line))
}

/// `["MX", "BR "US"]`: a text without its closing quote, and without the comma behind it.
pub(super) fn hole(around: &Around<'_>) -> Option<Meant> {
    let before = around.part(around.line_start(around.at.start)..around.at.start).strip_suffix('"')?;
    let open = around.line_start(around.at.start) + before.rfind('"')?;
    let text = around.part(open + 1..around.at.start - 1).trim_end();
    let (last, _) = around.word_from(around.at.end).filter(|(_, sign)| *sign == "\"")?;
    (!text.is_empty() && !text.contains([',', ']'])).then_some(())?;
    let second = around.text();
    let whole = open..last.end;
    let message = format!("the text {} has no closing quote, and no `,` stands behind it", quoted(text));
    Some(
        Meant::write(whole, &format!("\"{text}\", \"{second}\""))
            .saying(message)
            .until(around.line_end(last.end)),
    )
}
