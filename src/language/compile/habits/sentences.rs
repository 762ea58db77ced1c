//! Conditions in whole sentences, and joined as sentences are.

use crate::language::words::quoted;
use crate::model::Channel;

use super::Meant;
use super::conditions::STATES;
use super::text::Around;

/// `time is after 18:00`: the clock is no fact of conditions.
pub(super) fn clock(around: &Around<'_>) -> Option<Meant> {
    let (name, word) = around.before()?;
    let names = ["time", "hour", "now", "clock", "day", "date", "weekday", "today", "uhrzeit"];
    if !names.contains(&word) {
        return None;
    }
    let message = format!("{} is nothing that a condition knows", quoted(word));
    let help = "write a window: `between 18:00 and 22:00 in contact.timezone`";
    let after = around.next_on_line().filter(|(_, word)| ["after", "before", "between"].contains(word));
    let time = after.and_then(|(at, _)| around.word_from(at.end));
    let whole = name.start..time.map_or(around.at.end, |(at, _)| at.end);
    Some(Meant::told(whole).named("unknown-condition").saying(message).help(help))
}

/// `delivered, read`, `delivered & read`: words of a condition, joined as other things are.
pub(super) fn joined(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let (_, before) = around.before()?;
    let (_, behind) = around.next()?;
    let meant = match text {
        "," | "|" | "||" | "/" => "or",
        "&" | "&&" | "+" => "and",
        _ => return None,
    };
    let message = format!("conditions are joined by `or` and `and`, not by {}", quoted(text));
    let help = format!("write `{before} {meant} {behind}`");
    let fits = STATES.contains(&before) && STATES.contains(&behind);
    let meant = Meant::write(around.at.clone(), meant);
    fits.then(|| meant.named("bad-condition").saying(message).help(help))
}

/// `the sms was delivered`: a sentence around the word that is the condition.
pub(super) fn sentence(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    const FILLING: [&str; 22] = [
        "the",
        "message",
        "user",
        "they",
        "it",
        "he",
        "she",
        "person",
        "customer",
        "recipient",
        "somebody",
        "was",
        "is",
        "has",
        "been",
        "have",
        "were",
        "got",
        "already",
        "this",
        "one",
        "we",
    ];
    let fills = |word: &str| FILLING.contains(&word) || word.parse::<Channel>().is_ok();
    if !fills(text) {
        return None;
    }
    let (mut end, line) = (around.at.end, around.line_end(around.at.end));
    for _ in 0..5 {
        let (at, word) = around.word_from(end).filter(|(at, _)| at.start < line)?;
        end = at.end;
        let state = match word {
            "answered" | "responded" => "replied",
            "seen" | "opened" => "read",
            "received" | "arrived" => "delivered",
            word => word,
        };
        if STATES.contains(&state) {
            let whole = around.at.start..tail(around, end);
            let message = format!("{} is more than the condition", quoted(around.part(whole.clone())));
            return Some(Meant::write(whole, state).saying(message));
        }
        if !fills(word) {
            return None;
        }
    }
    None
}

/// `the quota is used up`: what is said behind the word.
fn tail(around: &Around<'_>, mut end: usize) -> usize {
    const SAID: [&str; 15] = [
        "is",
        "was",
        "has",
        "been",
        "already",
        "used",
        "up",
        "exceeded",
        "full",
        "reached",
        "exhausted",
        "gone",
        "empty",
        "over",
        "yet",
    ];
    let line = around.line_end(end);
    while let Some((at, word)) = around.word_from(end).filter(|(at, _)| at.start < line) {
        if !SAID.contains(&word) {
            break;
        }
        end = at.end;
    }
    end
}

/// `unread`: the opposite of a word, which is nearly that word.
pub(super) fn opposite(around: &Around<'_>) -> Option<Meant> {
    let text = around.text();
    let state = match text {
        "unread" | "unseen" | "unopened" => "read",
        "undelivered" => "delivered",
        "unanswered" | "unreplied" => "replied",
        _ => return None,
    };
    let message = format!("unknown word {} in a condition; did you mean `not {state}`?", quoted(text));
    Some(Meant::write(around.at.clone(), &format!("not {state}")).saying(message))
}
