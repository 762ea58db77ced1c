//! A tolerant reading of a source: what each word is, what stands where, and what may be written
//! next.
//!
//! The compiler's tree says what is wrong with a text; this says what a place in it is for, which is
//! what is asked while somebody types. It follows `grammar/policy.pest`, and a test holds the two
//! together.

mod condition;
mod headers;
mod outline;
mod reader;
mod stage;
#[cfg(test)]
mod tests;
mod token;

use std::ops::Range;

pub(super) use condition::{NAMES as CONDITION_NAMES, WORDS as CONDITION_WORDS};
pub(super) use outline::{Action, Header, Modifier, Outline, PolicyNode, StageNode};
pub(super) use token::{is_letter, joins};

/// What a word is where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Role {
    /// `then`, `after`, `policy`.
    Keyword,
    /// `and`, `is`, `has`.
    WordOperator,
    /// `==`, `<`.
    Operator,
    /// Brackets and commas.
    Sign,
    /// `sms`.
    Channel,
    /// Behind `via`.
    Provider,
    /// The name of the policy that begins here.
    Policy,
    /// Behind `use`.
    PolicyUse,
    /// A name in the header `vars`.
    Var,
    /// NAME of `vars.NAME`.
    VarUse,
    /// NAME of `contact.NAME`.
    Contact,
    /// `vars` and `contact` before a dot or `has`.
    Owner,
    /// `quota`, `quiet`, `opted_out`, `tripped`, `delivered`, `read`, `replied`.
    Word,
    /// `priority`, `category`, `elapsed`, `sends`, `cost`.
    Name,
    /// `low`, `normal`, `high`, `urgent`.
    Priority,
    /// Behind `until`.
    Goal,
    /// A count or another number.
    Number,
    /// `30s`.
    Duration,
    /// `08:00`.
    Time,
    /// `0.25 EUR`.
    Money,
    /// `Europe/Berlin`, `contact.timezone`.
    Zone,
    /// `weekdays`, `mon`.
    Day,
    /// The word of the header `category`.
    Category,
    /// `string`, `number`.
    Type,
    /// In quotes.
    Text,
    /// `true`, `false`.
    Boolean,
    /// Fits nowhere.
    Unknown,
}

/// A word with its role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) at: Range<usize>,
    pub(super) role: Role,
}

/// With what a stage's modifiers go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// A channel: all of them.
    All,
    /// A group or a `use`: those about its start.
    Start,
    /// A `wait`: none.
    Nothing,
}

/// What a duration or a count is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    After,
    Expires,
    Wait,
    Every,
    Backoff,
    Valid,
    Retry,
    Repeat,
}

/// What may be written at the end of a text that was read so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expect {
    /// `policy NAME {`.
    PolicyStart,
    PolicyName,
    OpenBrace,
    CloseBrace,
    /// One of the headers that are not there yet.
    Header {
        used: Vec<Header>,
    },
    /// What a stage does.
    Action,
    Then,
    Otherwise,
    Fail,
    Why,
    /// Between the members of a group.
    MemberEnd,
    /// `of`, behind `any` or `all`.
    Of,
    OpenParen,
    Modifier {
        takes: Takes,
        used: Vec<Modifier>,
    },
    Amount(For),
    Count(For),
    Times,
    /// `every`, and `backoff` where it is for `retry`.
    Pace(For),
    /// `to` of `backoff`.
    BackoffTo,
    /// Behind `wait`: `until`.
    WaitUntil,
    Goal {
        channel: String,
    },
    Provider {
        channel: String,
        used: Vec<String>,
    },
    /// `or`, or `,` where the providers have shares.
    ViaJoiner {
        shares: bool,
    },
    Doubt,
    DoubtChoice,
    ClockTime,
    /// `to` of `quiet`, `and` of `between`.
    WindowJoiner(&'static str),
    OnDays,
    Day,
    /// `in`.
    InZone,
    Zone {
        fallback: bool,
    },
    ElseZone,
    /// The beginning of a comparison.
    Condition {
        negated: bool,
        takes: Takes,
    },
    Comparator {
        left: String,
    },
    Value {
        left: String,
        op: String,
    },
    ConditionJoiner,
    CloseParen,
    Unless,
    Category,
    AfterWord,
    LimitPart,
    LimitSends,
    Comma,
    VarName,
    Colon,
    VarType,
    OptionalWord,
    PolicyReference,
}

/// What came of a source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Reading {
    pub(super) outline: Outline,
    /// In the order of the text, none over another.
    pub(super) marks: Vec<Mark>,
    pub(super) comments: Vec<Range<usize>>,
    /// What may follow the end.
    pub(super) expected: Vec<Expect>,
    /// Whether the end is inside a text in quotes that is not closed.
    pub(super) in_text: bool,
}

/// Reads a source.
pub(super) fn read(source: &str) -> Reading {
    reader::Reader::new(source).file()
}

impl Reading {
    /// The word at a byte, or right before it.
    pub(super) fn mark_at(&self, byte: usize) -> Option<&Mark> {
        let behind = self.marks.partition_point(|mark| mark.at.start <= byte);
        let mark = self.marks.get(behind.checked_sub(1)?)?;
        // Between two words that touch, the one that begins there was found.
        let before = || self.marks.get(behind.checked_sub(2)?).filter(|mark| mark.at.end == byte);
        if byte > mark.at.end {
            return None;
        }
        if matches!(mark.role, Role::Sign | Role::Operator) && byte == mark.at.start {
            return before().or(Some(mark));
        }
        Some(mark)
    }

    pub(super) fn in_comment(&self, byte: usize) -> bool {
        self.comments.iter().any(|comment| comment.start < byte && byte <= comment.end)
    }
}
