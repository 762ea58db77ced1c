//! What comes along with a text that was copied out of a chat, a mail or a word processor.

use crate::language::words::quoted;
use crate::model::{Channel, Confirmation};

use super::Meant;
use super::text::Around;

/// Signs that nobody sees.
const UNSEEN: [char; 6] = ['\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{feff}', '\u{ad}'];

/// `whats` and `app` with a sign between them that nobody sees.
pub(super) fn unseen(around: &Around<'_>) -> Option<Meant> {
    let line = around.line_end(around.at.start);
    let rest = around.part(around.at.start..line);
    let from = rest.find(UNSEEN)?;
    // Within the finding, or directly behind it.
    (around.at.start + from <= around.at.end).then_some(())?;
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || UNSEEN.contains(&c);
    let before = rest.get(..from)?;
    let start = before
        .rfind(|c| !is_part(c))
        .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    let end = from + rest.get(from..)?.find(|c| !is_part(c)).unwrap_or(rest.len() - from);
    let whole = around.at.start + start..around.at.start + end;
    let meant = around.part(whole.clone()).replace(UNSEEN, "");
    if meant.is_empty() {
        let meant = Meant::told(whole.clone()).changing(whole, "").help("leave it out").named("stray-text");
        return Some(meant.saying("a sign that nobody sees stands here"));
    }
    let message = format!("a sign that nobody sees stands within {}", quoted(&meant));
    let meant = Meant::write(whole, &meant).named("stray-text").saying(message);
    Some(meant.until(line))
}

/// `deliv-` at the end of a line and `ered` on the next one.
pub(super) fn hyphenated(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let line = around.line_end(around.at.start);
    let stem = text.trim_end_matches(['-', '\u{ad}']);
    let rest = around.part(around.at.start + stem.len()..line).trim_end();
    let is_cut = ["-", "\u{ad}", "‐"].contains(&rest);
    (is_cut || rest.is_empty() && !text.is_empty()).then_some(())?;
    let (at, end) = around.word_from(line)?;
    let whole = format!("{stem}{end}");
    let words = [
        "otherwise",
        "between",
        "backoff",
        "repeat",
        "weekdays",
        "weekends",
        "unless",
        "category",
        "contact",
    ];
    let is_word = whole.parse::<Channel>().is_ok()
        || whole.parse::<Confirmation>().is_ok()
        || words.contains(&whole.as_str())
        || is_cut && stem.contains('/');
    is_word.then_some(())?;
    let message = format!("{} is parted over two lines", quoted(&whole));
    Some(Meant::write(around.at.start..at.end, &whole).named("stray-text").saying(message))
}

/// `[14:32, 3.2.2026] Gerhard: then sms after 5m`: the head of a message in a chat.
pub(super) fn chat_head(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let start = around.line_start(around.at.start);
    let line = around.part(start..around.line_end(start));
    let head = line.trim_start();
    let from = start + line.len() - head.len();
    let inner = head.strip_prefix('[')?;
    let (stamp, rest) = inner.split_once(']')?;
    let is_stamp = stamp.contains(':') && stamp.starts_with(|c: char| c.is_ascii_digit());
    (is_stamp && (text.starts_with('[') || around.at.start == from)).then_some(())?;
    let name = rest.find(": ").filter(|colon| *colon < 40).map_or(0, |colon| colon + 2);
    let end = from + 1 + stamp.len() + 1 + name;
    Some(
        Meant::leave_out(around, from..end)
            .named("stray-text")
            .saying("the head of a message in a chat is no part of the policy"),
    )
}

/// `is *urgent*`, `[contact.country](http://contact.country)`: how a chat shows words, or links them.
pub(super) fn marked_up(around: &Around<'_>) -> Option<Meant> {
    let line = around.line_end(around.at.start);
    let rest = around.part(around.at.start..line);
    if let Some((name, link)) = rest.strip_prefix('[').and_then(|rest| rest.split_once("](")) {
        let end = around.at.start + 1 + name.len() + 2 + link.find(')')? + 1;
        let message = format!("{} stands without the link", quoted(name));
        return Some(Meant::write(around.at.start..end, name).named("stray-text").saying(message));
    }
    for sign in ["**", "__", "*", "_", "~"] {
        let Some(from) = rest.find(sign).filter(|from| around.at.start + from <= around.at.end + 1) else {
            continue;
        };
        let inner = rest.get(from + sign.len()..)?;
        let Some(length) = inner.find(sign).filter(|length| *length > 0) else { continue };
        let word = inner.get(..length)?;
        let is_word = word.chars().all(|c| c.is_alphanumeric() || "._/ ".contains(c));
        let is_apart = rest.get(..from)?.chars().next_back().is_none_or(char::is_whitespace);
        if is_word && is_apart && !word.starts_with(' ') {
            let whole = around.at.start + from..around.at.start + from + 2 * sign.len() + length;
            let message = format!("{} stands without `{sign}`", quoted(word));
            return Some(Meant::write(whole, word).named("stray-text").saying(message));
        }
    }
    None
}

/// `any of (sms, email, …)`: something was still to be written.
pub(super) fn ellipsis(around: &Around<'_>) -> Option<Meant> {
    let (at, sign) = [Some((around.at.clone(), around.text())), around.next()]
        .into_iter()
        .flatten()
        .find(|(_, sign)| ["…", "..."].contains(sign))?;
    let message = format!("`{sign}` stands for what is still to be written");
    Some(
        Meant::told(at)
            .named("stray-text")
            .saying(message)
            .help("write what is meant, or leave it out with what joins it"),
    )
}

/// `7    then sms`: the number of a line that was copied along.
pub(super) fn line_number(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let is_number = text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_first = around.part(around.line_start(around.at.start)..around.at.start).trim().is_empty();
    around
        .next_on_line()
        .filter(|(_, next)| is_number && is_first && ["then", "otherwise"].contains(next))?;
    let message = format!("the number of a line, `{text}`, is no part of the policy");
    Some(Meant::leave_out(around, around.at.clone()).named("stray-text").saying(message))
}

/// ```` ```policy ````: the fence around a text in a chat.
pub(super) fn fence(around: &Around<'_>) -> Option<Meant> {
    let start = around.line_start(around.at.start);
    let line = around.part(start..around.line_end(start));
    line.trim_start().starts_with("```").then_some(())?;
    let from = start + line.len() - line.trim_start().len();
    let next = around.line_end(around.line_end(start) + 1);
    let meant = Meant::leave_out(around, from..start + line.trim_end().len()).named("stray-text");
    Some(meant.saying("the signs around a text of a page are no part of the policy").until(next))
}

/// `@@ -3,4 +3,5 @@ policy night {`: a line of a patch.
pub(super) fn hunk(around: &Around<'_>) -> Option<Meant> {
    let mut start = 0;
    let line = around.source.split_inclusive('\n').find(|line| {
        let is_hunk = line.starts_with("@@ ") || line.starts_with("diff --git ");
        start += if is_hunk { 0 } else { line.len() };
        is_hunk
    })?;
    let at = start..start + line.trim_end().len();
    let left_out = start..start + line.len();
    let meant = Meant::told(at).changing(left_out, "").help("leave it out").named("stray-text");
    Some(meant.saying("a line of a patch is no part of the policy").until(around.next_policy(around.at.end)))
}
