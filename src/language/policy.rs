//! A checked policy: what is left of the text once everything in it has been found right.
//!
//! The types admit what the language page admits and little else: what goes with a channel only is
//! a field of [`ChannelStage`], a `wait` has no modifiers, a `use` holds the strategy it stands for.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::model::{Channel, Confirmation, Days, Money, Span, TimeOfDay, Window, Zone};

use super::condition::Condition;

/// Bytes of the source, for messages about it.
pub type TextRange = Range<usize>;

/// One policy, every `use` in it compiled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Its name: as written, or for a bare strategy the one that the caller gave.
    pub name: String,
    /// What stands before the strategy.
    pub headers: Headers,
    /// What is done.
    pub strategy: Strategy,
    /// The `why` of `otherwise fail "why"`.
    pub otherwise: Option<String>,
    /// The `name@version` of every `use` in it, nested ones included, in the order of the text and
    /// each once. Without a catalog or server that knows versions, the bare name.
    pub uses: Vec<String>,
    /// The policy's own bytes of the source.
    pub at: TextRange,
}

/// A policy's headers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Headers {
    /// `category`, a word.
    pub category: Option<String>,
    /// `expires after`.
    pub expires: Option<Span>,
    /// `quiet`.
    pub quiet: Option<Quiet>,
    /// `limit`: attempts.
    pub limit_sends: Option<u32>,
    /// `limit`: money.
    pub limit_cost: Option<Money>,
    /// `vars`, with those of every used policy; `None` where neither declares any.
    pub vars: Option<BTreeMap<String, VarDeclaration>>,
}

/// Quiet hours.
#[derive(Debug, Clone, PartialEq)]
pub struct Quiet {
    /// When nothing starts.
    pub window: Window,
    /// Where it holds, the quiet hours do not.
    pub unless: Option<Condition>,
}

/// The types of values in conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// Text.
    String,
    /// A decimal number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// `30s`.
    Duration,
    /// A time of day, `08:00`.
    Time,
    /// A list of strings, numbers or others.
    List,
}

impl ValueType {
    /// What a value of it is, in words.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            ValueType::String => "a text",
            ValueType::Number => "a number",
            ValueType::Boolean => "true or false",
            ValueType::Duration => "a duration",
            ValueType::Time => "a time of day",
            ValueType::List => "a list",
        }
    }
}

/// One entry of `vars`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VarDeclaration {
    /// Its type.
    pub kind: ValueType,
    /// Whether a message may lack it.
    pub optional: bool,
}

/// Stages joined by `then`; never empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Strategy {
    /// In the order of the text.
    pub stages: Vec<Stage>,
}

/// One stage.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// What it does, with the modifiers that only this action takes.
    pub action: Action,
    /// `after`. Always `None` on a `wait`.
    pub after: Option<Span>,
    /// `if`. Always `None` on a `wait`.
    pub only_if: Option<Condition>,
    /// `unless`. Always `None` on a `wait`.
    pub unless: Option<Condition>,
    /// `between`. Always `None` on a `wait`.
    pub between: Option<Window>,
    /// Its bytes of the source (of the used policy's source, in a `use`).
    pub at: TextRange,
}

/// What a stage does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Sends.
    Channel(ChannelStage),
    /// `any of` or `all of`.
    Group {
        /// Which of the two.
        kind: GroupKind,
        /// At least one.
        members: Vec<Strategy>,
    },
    /// `use`.
    Use {
        /// The name, with its version where one is known.
        policy: String,
        /// What that policy does.
        strategy: Strategy,
        /// Its own headers, of which only `vars` come along.
        headers: Box<Headers>,
    },
    /// `wait`.
    Wait(Wait),
}

/// Which members must be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GroupKind {
    /// One.
    Any,
    /// Every one that is not skipped.
    All,
}

/// A hold that sends nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Wait {
    /// `wait 10m`.
    For(Span),
    /// `wait until 09:00 on weekdays in ZONE`.
    Until {
        /// The time.
        time: TimeOfDay,
        /// The days.
        days: Days,
        /// Whose clock.
        zone: Zone,
    },
}

/// A stage that sends.
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelStage {
    /// On which channel.
    pub channel: Channel,
    /// By which providers.
    pub route: Route,
    /// `until`.
    pub until: Option<Confirmation>,
    /// `retry`, or the default.
    pub retry: Retry,
    /// `repeat`.
    pub repeat: Option<Repeat>,
    /// `valid`.
    pub valid: Option<Span>,
    /// `on doubt`, or the default.
    pub on_doubt: OnDoubt,
}

/// The providers of a channel stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// No `via`: every provider of the scope that serves the channel.
    Default,
    /// `via a or b`.
    Failover(Vec<String>),
    /// `via 70% a, 30% b`: shares that make 100, each with its provider.
    Weighted(Vec<(u8, String)>),
}

/// How often and when the route is tried again after it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// At most this often.
    pub times: u32,
    /// The pause before the first.
    pub from: Span,
    /// What the doubling pause comes to; equal to `from` for `every`.
    pub to: Span,
}

impl Retry {
    /// `retry 2 times backoff 1s to 30s`.
    pub const DEFAULT: Retry = Retry { times: 2, from: Span::from_s(1), to: Span::from_s(30) };

    /// The pause before retry `n`, from 1, without jitter.
    #[must_use]
    pub fn pause(&self, n: u32) -> Span {
        let factor = 1_i64.checked_shl(n.saturating_sub(1).min(40)).unwrap_or(i64::MAX);
        Span::from_ms(self.from.ms().saturating_mul(factor).min(self.to.ms().max(self.from.ms())))
    }
}

/// `repeat N times every D`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeat {
    /// At most this often, after the first send.
    pub times: u32,
    /// From the stage's start, and from one to the next.
    pub every: Span,
}

/// What is done with a send of which nobody knows whether it was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDoubt {
    /// Treated as accepted, and awaited.
    #[default]
    Wait,
    /// Failed, as `in_doubt`.
    MoveOn,
    /// Sent again by the same provider, twice at most.
    Resend,
}
