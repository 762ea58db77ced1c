//! What a line of an expectation says, and what a run shows for it.

use std::fmt;

use crate::language::words::{listed, near, quoted};
use crate::machine::{End, EndReason, Entry, Timeline};
use crate::model::{Channel, Money, Reason, Span, Status};

/// What can happen, as timelines spell it.
pub(crate) const WHATS: [&str; 11] = [
    "send",
    "skip",
    "fail",
    "accepted",
    "in_doubt",
    "delivered",
    "read",
    "replied",
    "hold",
    "retry",
    "repeat",
];

/// Why a stage is skipped: the word of its guard, or that it was not that word alone.
const SKIPS: [&str; 8] =
    ["quota", "skipped", "quiet", "opted_out", "tripped", "delivered", "read", "replied"];
/// What holds a stage.
const HOLDS: [&str; 3] = ["quiet", "between", "rate_limited"];

/// One line of an expectation.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// `30s: send sms`: it happens then, after what the lines before say.
    Event {
        /// When, from acceptance.
        at: Span,
        /// What.
        event: EventPattern,
    },
    /// `end: sent`: how it ends.
    End {
        /// When, where that is said.
        at: Option<Span>,
        /// With which status.
        status: Status,
        /// Whose confirmation ended it, where that is said.
        by: Option<Channel>,
        /// The reasons, where they are said; all of them, in order.
        reasons: Option<Vec<EndReason>>,
    },
    /// `never: send sms`: it does not happen in this run.
    Never(EventPattern),
    /// `sends: 2`: attempts accepted or in doubt.
    Sends(u32),
    /// `cost: 0.14 EUR`: what those cost.
    Cost(Money),
}

/// Something that happens; what is not said may be anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPattern {
    /// One of the words of a timeline.
    pub what: &'static str,
    /// On which channel.
    pub channel: Option<Channel>,
    /// By which provider.
    pub provider: Option<String>,
    /// For which reason.
    pub reason: Option<String>,
}

impl EventPattern {
    /// Whether an entry of a timeline is this.
    #[must_use]
    pub fn fits(&self, entry: &Entry) -> bool {
        self.what == entry.what
            && self.channel.is_none_or(|channel| channel == entry.channel)
            && self.provider.as_ref().is_none_or(|provider| entry.provider.as_ref() == Some(provider))
            && self.reason.as_ref().is_none_or(|reason| entry.reason.as_deref() == Some(reason))
    }
}

impl fmt::Display for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)?;
        self.channel.iter().try_for_each(|channel| write!(f, " {channel}"))?;
        self.provider.iter().try_for_each(|provider| write!(f, " via {provider}"))?;
        self.reason.iter().try_for_each(|reason| write!(f, " ({reason})"))
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expected::Event { at, event } => write!(f, "{at}: {event}"),
            Expected::End { at, status, by, reasons } => {
                match at {
                    Some(at) => write!(f, "{at}: end {status}")?,
                    None => write!(f, "end: {status}")?,
                }
                by.iter().try_for_each(|by| write!(f, " by {by}"))?;
                reasons.iter().try_for_each(|reasons| write!(f, " ({})", reasons_text(reasons)))
            }
            Expected::Never(event) => write!(f, "never: {event}"),
            Expected::Sends(sends) => write!(f, "sends: {sends}"),
            Expected::Cost(cost) => write!(f, "cost: {cost}"),
        }
    }
}

/// An entry as an expectation says it, without its time.
#[must_use]
pub fn entry_line(entry: &Entry) -> String {
    let provider = entry.provider.clone().filter(|provider| provider != entry.channel.word());
    EventPattern { what: entry.what, channel: Some(entry.channel), provider, reason: entry.reason.clone() }
        .to_string()
}

/// An end as an expectation says it, without its time.
#[must_use]
pub fn end_line(end: &End) -> String {
    let by = end.reached_by.map(|by| format!(" by {by}")).unwrap_or_default();
    let reasons =
        if end.reasons.is_empty() { String::new() } else { format!(" ({})", reasons_text(&end.reasons)) };
    format!("{}{by}{reasons}", end.status)
}

fn reasons_text(reasons: &[EndReason]) -> String {
    let each = reasons.iter().map(|reason| match reason.channel {
        Some(channel) => format!("{channel} {}", reason.reason),
        None => format!("\"{}\"", reason.reason),
    });
    each.collect::<Vec<_>>().join(", ")
}

/// A row of what happened.
#[derive(Debug, Clone, Copy)]
pub enum Row<'a> {
    /// Something on the way.
    Entry(&'a Entry),
    /// The end.
    End(&'a End),
}

impl Row<'_> {
    /// The rows of a timeline; the end is last.
    #[must_use]
    pub fn of(timeline: &Timeline) -> Vec<Row<'_>> {
        timeline.timeline.iter().map(Row::Entry).chain([Row::End(&timeline.end)]).collect()
    }

    /// When.
    #[must_use]
    pub fn at(self) -> Span {
        Span::from_ms(match self {
            Row::Entry(entry) => entry.at_ms,
            Row::End(end) => end.at_ms,
        })
    }

    /// What, in the words of an expectation.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Row::Entry(entry) => entry_line(entry),
            Row::End(end) => format!("end {}", end_line(end)),
        }
    }
}

impl Expected {
    /// Whether a row is what this line says. Lines that are about no single row fit none.
    #[must_use]
    pub fn fits(&self, row: Row<'_>) -> bool {
        match (self, row) {
            (Expected::Event { at, event }, Row::Entry(entry)) => at.ms() == entry.at_ms && event.fits(entry),
            // `31s: delivered` is also said of the end.
            (Expected::Event { at, event }, Row::End(end)) => {
                at.ms() == end.at_ms
                    && event.channel.is_none()
                    && event.provider.is_none()
                    && event.reason.is_none()
                    && event.what == end.status.word()
            }
            (Expected::End { at, status, by, reasons }, Row::End(end)) => {
                at.is_none_or(|at| at.ms() == end.at_ms)
                    && *status == end.status
                    && by.is_none_or(|by| end.reached_by == Some(by))
                    && reasons.as_ref().is_none_or(|reasons| *reasons == end.reasons)
            }
            (Expected::End { .. }, Row::Entry(_))
            | (Expected::Never(_) | Expected::Sends(_) | Expected::Cost(_), _) => false,
        }
    }

    /// Reads `KEY: TEXT`.
    ///
    /// # Errors
    /// What is wrong, and what to write.
    pub fn read(key: &str, text: &str) -> Result<Expected, String> {
        match key {
            "end" => end(None, text),
            "never" => Ok(Expected::Never(event(text)?)),
            "sends" => text
                .parse()
                .map(Expected::Sends)
                .map_err(|_| format!("{} is no number of sends; write for example `sends: 2`", quoted(text))),
            "cost" => text
                .parse()
                .map(Expected::Cost)
                .map_err(|error| format!("{error}; write for example `cost: 0.14 EUR`")),
            _ => {
                let at = key.parse::<Span>().map_err(|error| {
                    match near(key, ["end", "never", "sends", "cost"]) {
                        Some(meant) => format!("unknown word {}; did you mean `{meant}`?", quoted(key)),
                        None => format!("{error}; or write a word such as `end`, `never` or `sends`"),
                    }
                })?;
                match text.trim().strip_prefix("end ") {
                    Some(rest) => end(Some(at), rest),
                    None => at_time(at, text),
                }
            }
        }
    }
}

/// `31s: delivered`, and the other ends that are said without `end`.
fn at_time(at: Span, text: &str) -> Result<Expected, String> {
    let word = text.trim();
    let status = word.parse::<Status>().ok().filter(|status| *status != Status::Delivered);
    match status {
        Some(status) => Ok(Expected::End { at: Some(at), status, by: None, reasons: None }),
        None => Ok(Expected::Event { at, event: event(text)? }),
    }
}

/// `WHAT [CHANNEL] [via PROVIDER] [(REASON)]`.
pub(crate) fn event(text: &str) -> Result<EventPattern, String> {
    let (text, reason) = bracket(text)?;
    let text = text.replace("in doubt", "in_doubt");
    let mut words = text.split_whitespace();
    let Some(word) = words.next() else {
        return Err("says nothing that happens; write for example `send sms`".to_owned());
    };
    let Some(what) = WHATS.into_iter().find(|what| *what == word) else {
        return Err(unknown_what(word));
    };
    let (mut channel, mut provider) = (None, None);
    while let Some(word) = words.next() {
        if word == "via" || word == "by" {
            let Some(name) = words.next() else {
                return Err(format!("`{word}` names no provider; write for example `via twilio`"));
            };
            provider = Some(name.to_owned());
        } else if channel.is_none() {
            channel = Some(channel_of(word)?);
        } else {
            return Err(format!("{} does not belong here; one line says one thing", quoted(word)));
        }
    }
    let reason = reason.map(|reason| reason.trim().replace(' ', "_"));
    if reason.is_some() && !matches!(what, "skip" | "fail" | "hold") {
        return Err(format!("`{what}` has no reason; leave the brackets out"));
    }
    if let Some(reason) = &reason {
        let known: &[&str] = match what {
            "skip" => &SKIPS,
            "hold" => &HOLDS,
            _ => Reason::WORDS,
        };
        if !known.contains(&reason.as_str()) {
            let told = match near(reason, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => {
                    format!("write for example `{what} sms ({})`", known.first().copied().unwrap_or_default())
                }
            };
            return Err(format!("{} is no reason of `{what}`; {told}", quoted(reason)));
        }
    }
    Ok(EventPattern { what, channel, provider, reason })
}

fn unknown_what(word: &str) -> String {
    let meant = match word {
        "sent" | "sends" | "sending" | "call" | "called" => Some("send"),
        "skipped" | "skips" => Some("skip"),
        "failed" | "fails" | "failure" => Some("fail"),
        "held" | "holds" | "wait" => Some("hold"),
        "retried" | "again" => Some("retry"),
        "repeated" => Some("repeat"),
        "doubt" => Some("in_doubt"),
        "reply" | "answered" => Some("replied"),
        "seen" | "opened" => Some("read"),
        _ => near(word, WHATS),
    };
    match meant {
        Some(meant) => format!("{} is nothing that happens; did you mean `{meant}`?", quoted(word)),
        None => format!(
            "{} is nothing that happens; write for example {}",
            quoted(word),
            listed(["send sms", "skip sms (quota)", "delivered"], "or")
        ),
    }
}

pub(crate) fn channel_of(word: &str) -> Result<Channel, String> {
    word.parse::<Channel>().map_err(|_| {
        let meant = crate::language::words::synonym(word)
            .filter(|meant| meant.parse::<Channel>().is_ok())
            .or_else(|| near(word, Channel::WORDS.iter().copied()));
        match meant {
            Some(meant) => format!("unknown channel {}; did you mean `{meant}`?", quoted(word)),
            None => format!("{} is no channel; write for example `sms` or `email`", quoted(word)),
        }
    })
}

/// What stands before a bracket at the end, and what stands in it.
fn bracket(text: &str) -> Result<(&str, Option<&str>), String> {
    let text = text.trim();
    let Some((before, inside)) = text.split_once('(') else { return Ok((text, None)) };
    match inside.strip_suffix(')') {
        Some(inside) => Ok((before.trim(), Some(inside))),
        None => Err(format!("the `(` in {} is never closed, or something stands behind it", quoted(text))),
    }
}

/// `STATUS [by CHANNEL] [(REASONS)]`.
fn end(at: Option<Span>, text: &str) -> Result<Expected, String> {
    let (text, reasons) = bracket(text)?;
    let mut words = text.split_whitespace();
    let word = words.next().unwrap_or_default();
    let ends = Status::WORDS.iter().copied().filter(|word| *word != Status::Queued.word());
    let status: Status = word.parse().ok().filter(|status| *status != Status::Queued).ok_or_else(|| {
        match near(word, ends.clone()) {
            Some(meant) => format!("{} is no end; did you mean `{meant}`?", quoted(word)),
            None => format!("{} is no end; a message ends as {}", quoted(word), listed(ends.clone(), "or")),
        }
    })?;
    let by = match (words.next(), words.next(), words.next()) {
        (None, ..) => None,
        (Some("by"), Some(channel), None) => Some(channel_of(channel)?),
        (Some(word), ..) => {
            return Err(format!(
                "{} does not belong here; write for example `delivered by sms`",
                quoted(word)
            ));
        }
    };
    let reasons = reasons.map(end_reasons).transpose()?;
    Ok(Expected::End { at, status, by, reasons })
}

/// `whatsapp recipient_fault, sms quota, "why"`.
fn end_reasons(text: &str) -> Result<Vec<EndReason>, String> {
    if let Some(at) = text.find('"') {
        let (before, why) = text.split_at(at);
        let Some(why) = why.strip_prefix('"').and_then(|why| why.strip_suffix('"')) else {
            return Err("a text in quotes comes last, and ends with `\"`".to_owned());
        };
        let mut reasons = end_reasons(before.trim_end().trim_end_matches(','))?;
        reasons.push(EndReason { channel: None, reason: why.to_owned() });
        return Ok(reasons);
    }
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (channel, reason) = part.split_once(' ').ok_or_else(|| {
                format!("{} is no reason of a stage; write for example `sms quota`", quoted(part))
            })?;
            let reason = reason.trim().replace(' ', "_");
            Ok(EndReason { channel: Some(channel_of(channel)?), reason })
        })
        .collect()
}
