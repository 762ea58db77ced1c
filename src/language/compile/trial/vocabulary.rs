//! The words that a slip may have hit, and what is known of a word.

use crate::language::words::ENDS;
use crate::model::{Channel, Confirmation, Days, Priority, Span, TimeOfDay, ZoneTable};

use super::super::habits::text::Around;

/// Findings that a slip in one word does not explain.
pub(super) const NO_SLIPS: [&str; 23] = [
    "bad-wait",
    "unclosed-bracket",
    "unclosed-text",
    "misplaced-header",
    "other-currency",
    "bad-money",
    "bad-number",
    "types-differ",
    "no-order",
    "repeated-modifier",
    "unknown-var",
    "recursive-use",
    "faulty-use",
    "vars-differ",
    "use-too-deep",
    "empty-window",
    "zero-duration",
    "duration-too-long",
    "text-too-long",
    "provider-twice",
    "too-many-findings",
    "too-many-providers",
    "unknown-contact-field",
];

/// Findings in conditions, where no sign of a comparison is left out.
pub(super) const OF_CONDITIONS: [&str; 6] = [
    "bad-comparison",
    "bad-condition",
    "missing-condition",
    "missing-value",
    "unknown-condition",
    "unknown-name",
];

/// Words of the language, beside those of [`ENDS`] and the channels.
pub(in super::super) const WORDS: [&str; 38] = [
    "on",
    "doubt",
    "move",
    "resend",
    "wait",
    "use",
    "any",
    "all",
    "of",
    "expires",
    "quiet",
    "limit",
    "category",
    "vars",
    "and",
    "or",
    "not",
    "in",
    "to",
    "times",
    "time",
    "every",
    "backoff",
    "else",
    "sends",
    "fail",
    "is",
    "has",
    "contact",
    "quota",
    "opted_out",
    "tripped",
    "priority",
    "contact.timezone",
    "optional",
    "string",
    "number",
    "boolean",
];

/// Words that join others, which may be missing or stand in another language.
pub(super) const JOINTS: [&str; 23] = [
    "then", "after", "every", "times", "on", "in", "to", "and", "or", "is", "of", "until", "fail", "else",
    "unless", "if", "valid", "retry", "repeat", "backoff", "between", "has", "contact",
];

/// Those that are put between two words where one is missing.
pub(super) const MISSING: [&str; 13] =
    [",", "after", "every", "times", "on", "in", "to", "is", "of", "fail", "has", "backoff", "and"];

/// Words that say nothing that is not said without them.
pub(super) const FILLING: [&str; 58] = [
    "is", "and", "or", "in", "of", "to", "with", "for", "on", "at", "by", "the", "a", "an", "only", "just",
    "also", "please", "yet", "already", "now", "so", "be", "are", "will", "do", "does", "it", "as", "about",
    "within", "later", "pause", "und", "oder", "mit", "nur", "bitte", "dann", "der", "die", "das", "avec",
    "el", "la", "le", "all", "then", "via", "after", "timezone", "zone", "new", "from", "between", "max",
    "maximum", "every",
];

/// Words for which no other one stands: they turn the meaning, or join in one of two ways.
pub(super) const TURNING: [&str; 20] = [
    "like",
    "LIKE",
    "matches",
    "match",
    "ne",
    "neq",
    "startswith",
    "contains",
    "not",
    "no",
    "never",
    "without",
    "except",
    "nicht",
    "kein",
    "keine",
    "before",
    "und",
    "plus",
    "et",
];

pub(in super::super) const CHANNELS: [&str; 8] =
    ["sms", "whatsapp", "email", "push", "voice", "slack", "telegram", "webhook"];

pub(super) fn is_sign(word: &str) -> bool {
    !word.contains(|c: char| c.is_alphanumeric() || c == '"' || c == '_')
}

pub(super) fn is_bracket(sign: &str) -> bool {
    ["(", "[", "{", ")", "]", "}"].contains(&sign)
}

pub(super) fn is_plain(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphanumeric()) && !word.contains('"')
}

pub(super) fn is_language(word: &str) -> bool {
    WORDS.contains(&word)
        || ENDS.contains(&word)
        || word.parse::<Channel>().is_ok()
        || word.parse::<Confirmation>().is_ok()
        || word.parse::<Priority>().is_ok()
        || Days::WORDS.contains(&word)
}

/// Whether a word is one of the language, a value, or a name that the text has elsewhere.
pub(super) fn is_known(around: &Around<'_>, word: &str) -> bool {
    let line = around.line_start(around.at.start)..around.line_end(around.at.start);
    let is_name = |word: &str| {
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        word.len() > 2
            && around.source.match_indices(word).any(|(at, _)| {
                let (before, behind) =
                    (around.part(0..at), around.part(at + word.len()..around.source.len()));
                !line.contains(&at) && !before.ends_with(is_part) && !behind.starts_with(is_part)
            })
    };
    is_language(word)
        || ["weekdays", "weekends", "contact.timezone"].contains(&word)
        || !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit())
        || word.parse::<Span>().is_ok()
        || word.parse::<TimeOfDay>().is_ok()
        || word.contains('/') && ZoneTable.get(word).is_some()
        || is_name(word.strip_prefix("vars.").unwrap_or(word))
        || word.split_once('.').is_some_and(|(one, other)| {
            [one, other].iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
        })
}
