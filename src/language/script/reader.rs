//! The text of a script, word by word.

use crate::model::{Confirmation, Outcome, Span};

use super::super::diagnostic::Diagnostic;
use super::super::limits::{SCRIPT_BYTES_MAX, SCRIPT_REPEATS_MAX};
use super::super::policy::TextRange;
use super::super::words::{listed, near, quoted};
use super::{Later, LaterWhat, Script, Step, fault, too_long};

/// A range without the blanks around it.
pub(super) fn trimmed(text: &str, range: TextRange) -> TextRange {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    start..start + part.trim().len()
}

/// The parts of a text between separators that stand in no quotes.
pub(super) fn split_outside_quotes(text: &str, separator: char) -> Vec<TextRange> {
    let (mut parts, mut start, mut inside, mut escape) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            '\\' if inside && !escape => {
                escape = true;
                continue;
            }
            '"' if !escape => inside = !inside,
            c if c == separator && !inside => {
                parts.push(start..at);
                start = at + c.len_utf8();
            }
            _ => {}
        }
        escape = false;
    }
    parts.push(start..text.len());
    parts
}

/// How long `delivered` and the others take where a script says nothing.
const CONFIRMED_AFTER: Span = Span::ZERO;

/// The outcomes as they are written.
const OUTCOMES: [(&str, Outcome); 7] = [
    ("accepted", Outcome::Accepted),
    ("transient", Outcome::Transient),
    ("rate limited", Outcome::RateLimited),
    ("recipient fault", Outcome::RecipientFault),
    ("content fault", Outcome::ContentFault),
    ("account fault", Outcome::AccountFault),
    ("in doubt", Outcome::InDoubt),
];

const LATER: [&str; 4] = ["delivered", "read", "replied", "failed"];

/// A word of a script: a run of letters, a text in quotes, or a comma.
struct Word {
    at: TextRange,
}

/// Reads one script, and gathers what is wrong with it.
pub(super) struct Reader<'t> {
    text: &'t str,
    words: Vec<Word>,
    next: usize,
    end: usize,
    pub(super) faults: Vec<Diagnostic>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str, range: TextRange) -> Self {
        let mut reader = Reader { text, words: Vec::new(), next: 0, end: range.end, faults: Vec::new() };
        if range.len() > SCRIPT_BYTES_MAX {
            reader.faults.push(too_long(text));
            return reader;
        }
        let (mut at, end) = (range.start, range.end);
        while at < end {
            let rest = &text[at..end];
            let Some(first) = rest.chars().next() else { break };
            let length = match first {
                c if c.is_whitespace() => {
                    at += c.len_utf8();
                    continue;
                }
                ',' => 1,
                '"' => quoted_length(rest),
                _ => rest.find(|c: char| c.is_whitespace() || c == ',' || c == '"').unwrap_or(rest.len()),
            };
            reader.words.push(Word { at: at..at + length });
            at += length;
        }
        reader
    }

    fn word(&self, ahead: usize) -> &'t str {
        self.words.get(self.next + ahead).map_or("", |w| &self.text[w.at.clone()])
    }

    /// The bytes of the words from `from` up to the next one.
    fn since(&self, from: usize) -> TextRange {
        let start = self.words.get(from).map_or(self.end, |w| w.at.start);
        let end = self.words.get(self.next.max(1) - 1).map_or(self.end, |w| w.at.end);
        start..end.max(start)
    }

    fn here(&self) -> TextRange {
        self.words.get(self.next).map_or(self.end..self.end, |w| w.at.clone())
    }

    fn tell(&mut self, at: TextRange, message: String, help: impl Into<String>) {
        self.faults.push(fault("bad-script", at, message, help.into(), None));
    }

    pub(super) fn script(&mut self) -> Option<Script> {
        if !self.faults.is_empty() {
            return None;
        }
        if self.words.is_empty() {
            let at = self.here();
            self.tell(
                at,
                "the script is empty".to_owned(),
                "write for example `accepted, delivered after 2s`",
            );
            return None;
        }
        let mut steps = Vec::new();
        loop {
            match self.step() {
                Some(step) => steps.push(step),
                None => self.skip_to_then(),
            }
            if self.next >= self.words.len() {
                break;
            }
            if self.word(0) != "then" {
                let (at, word) = (self.here(), quoted(self.word(0)));
                self.tell(
                    at,
                    format!("{word} does not belong here"),
                    "write `then` between attempts, `,` before what comes later",
                );
                self.skip_to_then();
            }
            if self.word(0) != "then" {
                break;
            }
            self.next += 1;
        }
        (!steps.is_empty()).then_some(Script { steps })
    }

    fn skip_to_then(&mut self) {
        while self.next < self.words.len() && self.word(0) != "then" {
            self.next += 1;
        }
    }

    fn step(&mut self) -> Option<(u32, Step)> {
        let outcome = self.outcome()?;
        let mut step = Step::plain(outcome);
        let mut times = None;
        loop {
            match self.word(0) {
                "after" => step.answer_after = self.after()?,
                "for" if outcome == Outcome::RateLimited => {
                    self.next += 1;
                    step.rate_limited_for = Some(self.span("for")?);
                }
                word if is_times(word) && times.is_none() => times = Some(self.times()?),
                "," => {
                    self.next += 1;
                    step.then.push(self.later(outcome)?);
                }
                _ => break,
            }
        }
        Some((times.unwrap_or(1), step))
    }

    fn outcome(&mut self) -> Option<Outcome> {
        let (first, both) = (self.word(0), format!("{} {}", self.word(0), self.word(1)));
        for (name, outcome) in OUTCOMES {
            if name == first || name == both {
                self.next += name.split(' ').count();
                return Some(outcome);
            }
        }
        let at = self.here();
        let known = OUTCOMES.iter().map(|(name, _)| *name);
        let meant = near(&first.replace('_', " "), known.clone()).or_else(|| near(&both, known.clone())).or(
            match first {
                "delivered" | "read" | "replied" => Some("accepted"),
                "ok" | "success" | "sent" => Some("accepted"),
                "timeout" | "error" => Some("transient"),
                "429" | "rate" => Some("rate limited"),
                _ => None,
            },
        );
        let message = match first {
            "" => "an outcome is missing".to_owned(),
            "then" | "," => format!("an outcome is missing before `{first}`"),
            word => format!("unknown outcome {}", quoted(word)),
        };
        let help = match meant {
            Some("accepted") if LATER.contains(&first) => format!("write `accepted, {first} after 2s`"),
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("write {}", listed(known, "or")),
        };
        self.tell(at, message, help);
        None
    }

    fn later(&mut self, outcome: Outcome) -> Option<Later> {
        let (from, word, at) = (self.next, self.word(0), self.here());
        let what = match word {
            "failed" => LaterWhat::Failed,
            _ => match word.parse::<Confirmation>() {
                Ok(Confirmation::Accepted) | Err(_) => {
                    let meant = near(word, LATER);
                    let message = format!("{} is nothing that comes later", quoted(word));
                    let help = match meant {
                        Some(meant) => format!("did you mean `{meant}`?"),
                        None => format!("write {}", listed(LATER, "or")),
                    };
                    self.tell(at, message, help);
                    return None;
                }
                Ok(confirmation) => LaterWhat::Confirmed(confirmation, None),
            },
        };
        self.next += 1;
        let what = match what {
            LaterWhat::Confirmed(Confirmation::Replied, _) if self.word(0).starts_with('"') => {
                let text = self.quoted_text()?;
                LaterWhat::Confirmed(Confirmation::Replied, Some(text))
            }
            what => what,
        };
        let after = if self.word(0) == "after" { self.after()? } else { CONFIRMED_AFTER };
        if !matches!(outcome, Outcome::Accepted | Outcome::InDoubt) {
            let at = self.since(from);
            let message = format!(
                "nothing comes later of an attempt that was not taken: {}",
                quoted(&self.text[at.clone()])
            );
            self.tell(at, message, "write it after `accepted` or `in doubt`");
            return None;
        }
        Some(Later { after, what })
    }

    fn quoted_text(&mut self) -> Option<String> {
        let (at, word) = (self.here(), self.word(0));
        self.next += 1;
        match word.strip_prefix('"').and_then(|w| w.strip_suffix('"')).filter(|_| word.len() > 1) {
            Some(inner) => Some(inner.replace("\\\"", "\"").replace("\\\\", "\\")),
            None => {
                self.tell(at, format!("the text {} has no closing quote", quoted(word)), "end it with `\"`");
                None
            }
        }
    }

    fn after(&mut self) -> Option<Span> {
        self.next += 1;
        self.span("after")
    }

    fn span(&mut self, word: &str) -> Option<Span> {
        let (at, text) = (self.here(), self.word(0));
        if text.is_empty() || text == "," || text == "then" {
            self.tell(at, format!("the duration after `{word}` is missing"), "write for example `2s`");
            return None;
        }
        self.next += 1;
        match text.parse() {
            Ok(span) => Some(span),
            Err(error) => {
                let error: crate::model::SpanError = error;
                let whole = error.to_string();
                let (message, help) = whole.split_once("; ").unwrap_or((&whole, "write for example `2s`"));
                self.tell(at, message.to_owned(), help);
                None
            }
        }
    }

    fn times(&mut self) -> Option<u32> {
        let (at, word) = (self.here(), self.word(0));
        self.next += 1;
        match word[1..].parse::<u32>().ok().filter(|n| (1..=SCRIPT_REPEATS_MAX).contains(n)) {
            Some(times) => Some(times),
            None => {
                let help = format!("write `x1` to `x{SCRIPT_REPEATS_MAX}`");
                self.tell(at, format!("{} is out of range", quoted(word)), help);
                None
            }
        }
    }
}

fn is_times(word: &str) -> bool {
    word.len() > 1 && word.starts_with('x') && word[1..].bytes().all(|b| b.is_ascii_digit())
}

/// The bytes of a text in quotes at the start of `rest`, its quotes included.
fn quoted_length(rest: &str) -> usize {
    let mut escape = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '"' if !escape => return at + 1,
            '\\' if !escape => {
                escape = true;
                continue;
            }
            _ => {}
        }
        escape = false;
    }
    rest.len()
}
