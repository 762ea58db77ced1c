//! `never: WHAT [when CONDITION]`, `always: WHAT [within DURATION] [when CONDITION]`.

use crate::language::words::quoted;
use crate::machine::catalog::Catalog;
use crate::machine::{Entry, Machine};
use crate::model::{Confirmation, Span, Status};

use super::condition::{Condition, Reads};
use crate::workbench::suite::{EventPattern, Invariant, InvariantWord, event, unknown_provider};

/// A sentence, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Sentence {
    pub(super) word: InvariantWord,
    pub(super) what: Vec<What>,
    pub(super) within: Option<Span>,
    pub(super) when: Option<Condition>,
}

/// What a sentence is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// Something on the way.
    Event(EventPattern),
    /// The end, with any status or with one.
    End(Option<Status>),
}

impl What {
    pub(super) fn is_entry(&self, entry: &Entry) -> bool {
        let What::Event(pattern) = self else { return false };
        // Who has read it, or answered, has got it.
        let level = |word: &str| word.parse::<Confirmation>().ok();
        let implied = match (level(pattern.what), level(entry.what)) {
            (Some(asked), Some(confirmed)) => confirmed > asked && asked > Confirmation::Accepted,
            _ => false,
        };
        match implied {
            true => pattern.fits(&Entry { what: pattern.what, ..entry.clone() }),
            false => pattern.fits(entry),
        }
    }
}

impl Sentence {
    /// Reads a sentence for a policy.
    ///
    /// # Errors
    /// What is wrong, and what to write.
    pub fn read(invariant: &Invariant, machine: &Machine, catalog: &Catalog) -> Result<Sentence, String> {
        let text = invariant.text.trim();
        let (text, when) = match word_at(text, "when") {
            Some(at) => (text[..at].trim(), Some(Condition::read(&text[at + "when".len()..], machine)?)),
            None => (text, None),
        };
        let (text, within) = match word_at(text, "within") {
            Some(at) => {
                let span = text[at + "within".len()..].trim();
                (text[..at].trim(), Some(span.parse::<Span>().map_err(|error| error.to_string())?))
            }
            None => (text, None),
        };
        match (invariant.word, within) {
            (InvariantWord::Never, Some(_)) => {
                return Err(
                    "`within` belongs to `always`; write `never: send sms when elapsed < 15m`".to_owned()
                );
            }
            (InvariantWord::Always, _) => {
                let mut reads = Reads::default();
                when.iter().for_each(|when| when.reads(&mut reads));
                if reads.time || reads.clock || reads.amounts || !reads.confirmations.is_empty() {
                    return Err("the `when` of `always` speaks of facts, which hold from the beginning; \
                                `elapsed`, `sends`, `cost`, `quiet` and what is confirmed change"
                        .to_owned());
                }
            }
            (InvariantWord::Never, None) => {}
        }
        let mut what = Vec::new();
        for part in parts(text) {
            what.push(of(part.trim())?);
        }
        for what in &what {
            if let What::Event(event) = what
                && let Some(message) = unknown_provider(event, machine, catalog)
            {
                return Err(message);
            }
        }
        Ok(Sentence { word: invariant.word, what, within, when })
    }
}

fn of(text: &str) -> Result<What, String> {
    if text.is_empty() {
        return Err("the sentence does not say what; write for example `send sms` or `end failed`".to_owned());
    }
    let mut words = text.split_whitespace();
    if words.next() != Some("end") {
        return event(text).map(What::Event).map_err(|message| {
            // An end without its word.
            match text.parse::<Status>() {
                Ok(status) if status != Status::Queued => format!("{message} Or write `end {status}`."),
                _ => message,
            }
        });
    }
    let status = words.next();
    if let Some(word) = words.next() {
        return Err(format!("{} does not belong here; write for example `end failed`", quoted(word)));
    }
    match status {
        None => Ok(What::End(None)),
        Some(word) => match word.parse::<Status>() {
            Ok(status) if status != Status::Queued => Ok(What::End(Some(status))),
            _ => Err(format!("{} is no end; write `sent`, `delivered`, `failed` or `expired`", quoted(word))),
        },
    }
}

/// Where a word stands by itself, outside of brackets.
fn word_at(text: &str, word: &str) -> Option<usize> {
    let bytes_around = |at: usize| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        before.is_none_or(char::is_whitespace) && after.is_none_or(char::is_whitespace)
    };
    text.match_indices(word).map(|(at, _)| at).find(|at| bytes_around(*at))
}

fn parts(text: &str) -> Vec<&str> {
    match word_at(text, "or") {
        Some(at) => {
            let mut all = vec![&text[..at]];
            all.extend(parts(&text[at + 2..]));
            all
        }
        None => vec![text],
    }
}
