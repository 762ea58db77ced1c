//! What `step` may ask about the world, and the record of what it asked.
//!
//! The answers are truths, instants and names of providers, never a personal value: so the record of
//! them can be kept in clear, and a replay from it is exact also after the person's data are erased.

use std::cell::RefCell;

use serde::{Deserialize, Serialize};

use crate::model::{Channel, Confirmation, Instant, Reason, Span};

use super::plan::StageId;

/// The truth of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Truth {
    /// It holds.
    #[serde(rename = "t")]
    True,
    /// It does not.
    #[serde(rename = "f")]
    False,
    /// A name in it has no value, so it counts as false.
    #[serde(rename = "m")]
    Missing,
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Truth {
        if holds { Truth::True } else { Truth::False }
    }
}

/// What an instance itself knows and a comparison may name beside `vars` or `contact`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counters {
    /// Since the start of the message.
    pub elapsed: Span,
    /// Attempts answered accepted or in doubt.
    pub sends: u32,
    /// What they cost, in millionths.
    pub cost: i64,
}

/// When a stage's windows allow it to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// The first instant, not before now, that every window allows; `None`: none in 8 days.
    #[serde(rename = "a")]
    pub at: Option<Moment>,
    /// Whether quiet hours are what holds it now.
    #[serde(rename = "q", default, skip_serializing_if = "is_default")]
    pub quiet: bool,
    /// Whether `contact.timezone` was missing or unknown and another zone was used.
    #[serde(rename = "z", default, skip_serializing_if = "is_default")]
    pub zone_missing: bool,
}

/// Whether a field is not written because it says nothing.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// An instant in a record: milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "i64", into = "i64")]
pub struct Moment(pub Instant);

impl From<i64> for Moment {
    fn from(ms: i64) -> Self {
        Moment(Instant::from_ms(ms))
    }
}
impl From<Moment> for i64 {
    fn from(at: Moment) -> i64 {
        at.0.ms()
    }
}

/// An instant as milliseconds, for fields that are no [`Moment`].
pub(super) mod ms {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::model::Instant;

    pub(in crate::machine) fn serialize<S: Serializer>(at: &Instant, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i64(at.ms())
    }
    pub(in crate::machine) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Instant, D::Error> {
        i64::deserialize(from).map(Instant::from_ms)
    }
}

/// The same, for what may be missing.
pub(super) mod ms_option {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::model::Instant;

    pub(in crate::machine) fn serialize<S: Serializer>(
        at: &Option<Instant>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        at.map(Instant::ms).serialize(to)
    }
    pub(in crate::machine) fn deserialize<'d, D: Deserializer<'d>>(
        from: D,
    ) -> Result<Option<Instant>, D::Error> {
        Ok(Option::deserialize(from)?.map(Instant::from_ms))
    }
}

/// How an attempt in doubt can be cleared up with a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub enum Clearing {
    /// Not at all.
    #[default]
    #[serde(rename = "n")]
    None,
    /// It can be asked.
    #[serde(rename = "l")]
    LookUp,
    /// It takes the same request again under the same idempotency key.
    #[serde(rename = "k")]
    Key,
}

/// What is fixed of a provider when a stage starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteProvider {
    /// Its name.
    #[serde(rename = "n")]
    pub name: String,
    /// Of one attempt on the stage's channel, in millionths.
    #[serde(rename = "p", default, skip_serializing_if = "is_default")]
    pub price: i64,
    /// What it can confirm on the channel, beyond acceptance.
    #[serde(rename = "c", default, skip_serializing_if = "Vec::is_empty")]
    pub confirms: Vec<Confirmation>,
    /// How long a confirmation is waited for, in milliseconds from acceptance.
    #[serde(rename = "h")]
    pub horizon_ms: i64,
    /// How doubt is cleared up.
    #[serde(rename = "d", default, skip_serializing_if = "is_default")]
    pub clearing: Clearing,
}

/// Whether a provider can be called now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Readiness {
    /// Its breaker lets nothing pass.
    #[serde(rename = "o", default, skip_serializing_if = "is_default")]
    pub open: bool,
    /// It asked to be left alone until then.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub paused_until: Option<Moment>,
    /// Its rate, or ours, has no place free now.
    #[serde(rename = "b", default, skip_serializing_if = "is_default")]
    pub busy: bool,
}

/// What is known of the world at the instant of an event.
pub trait Facts {
    /// The comparison of that number in the machine's table.
    fn comparison(&self, index: u16, counters: Counters) -> Truth;
    /// Whether the person has an address on the channel.
    fn has_address(&self, channel: Channel) -> bool;
    /// Whether the person does not want the channel.
    fn opted_out(&self, channel: Channel) -> bool;
    /// Whether there is a body for the channel and the person's locale.
    fn has_body(&self, channel: Channel) -> bool;
    /// Whether the tenant's quota of the channel is used up, attempts under way counted, and `begun`
    /// more that this very step has begun.
    fn quota_used(&self, channel: Channel, begun: u32) -> bool;
    /// Whether now is inside the quiet window.
    fn quiet(&self) -> bool;
    /// When the stage may start by its own window and, if asked, the quiet hours.
    fn opening(&self, stage: StageId, heed_quiet: bool) -> Opening;
    /// When a `wait until` that begins now is over.
    fn wait_end(&self, stage: StageId) -> Opening;
    /// The providers of a stage, in the order in which they are tried.
    fn route(&self, stage: StageId) -> Vec<RouteProvider>;
    /// Whether a provider can be called now, where this very step has begun `begun` calls of it.
    fn readiness(&self, provider: &str, begun: u32) -> Readiness;
}

/// A question with its answer, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fact {
    /// [`Facts::comparison`].
    #[serde(rename = "cmp")]
    Comparison(u16, Truth),
    /// [`Facts::has_address`].
    #[serde(rename = "adr")]
    HasAddress(Channel, bool),
    /// [`Facts::opted_out`].
    #[serde(rename = "out")]
    OptedOut(Channel, bool),
    /// [`Facts::has_body`].
    #[serde(rename = "bdy")]
    HasBody(Channel, bool),
    /// [`Facts::quota_used`].
    #[serde(rename = "quo")]
    QuotaUsed(Channel, bool),
    /// [`Facts::quiet`].
    #[serde(rename = "qui")]
    Quiet(bool),
    /// [`Facts::opening`].
    #[serde(rename = "opn")]
    Opening(u16, bool, Opening),
    /// [`Facts::wait_end`].
    #[serde(rename = "wai")]
    WaitEnd(u16, Opening),
    /// [`Facts::route`].
    #[serde(rename = "rte")]
    Route(u16, Vec<RouteProvider>),
    /// [`Facts::readiness`].
    #[serde(rename = "rdy")]
    Readiness(String, Readiness),
}

/// Asks `from`, and keeps each question with its answer in the order asked.
pub struct Recorder<'a> {
    from: &'a dyn Facts,
    asked: RefCell<Vec<Fact>>,
}

impl<'a> Recorder<'a> {
    /// Records what is asked of `from`.
    #[must_use]
    pub fn new(from: &'a dyn Facts) -> Self {
        Recorder { from, asked: RefCell::new(Vec::new()) }
    }

    /// What was asked.
    #[must_use]
    pub fn into_facts(self) -> Vec<Fact> {
        self.asked.into_inner()
    }

    fn keep(&self, fact: Fact) {
        self.asked.borrow_mut().push(fact);
    }
}

impl Facts for Recorder<'_> {
    fn comparison(&self, index: u16, counters: Counters) -> Truth {
        let answer = self.from.comparison(index, counters);
        self.keep(Fact::Comparison(index, answer));
        answer
    }
    fn has_address(&self, channel: Channel) -> bool {
        let answer = self.from.has_address(channel);
        self.keep(Fact::HasAddress(channel, answer));
        answer
    }
    fn opted_out(&self, channel: Channel) -> bool {
        let answer = self.from.opted_out(channel);
        self.keep(Fact::OptedOut(channel, answer));
        answer
    }
    fn has_body(&self, channel: Channel) -> bool {
        let answer = self.from.has_body(channel);
        self.keep(Fact::HasBody(channel, answer));
        answer
    }
    fn quota_used(&self, channel: Channel, begun: u32) -> bool {
        let answer = self.from.quota_used(channel, begun);
        self.keep(Fact::QuotaUsed(channel, answer));
        answer
    }
    fn quiet(&self) -> bool {
        let answer = self.from.quiet();
        self.keep(Fact::Quiet(answer));
        answer
    }
    fn opening(&self, stage: StageId, heed_quiet: bool) -> Opening {
        let answer = self.from.opening(stage, heed_quiet);
        self.keep(Fact::Opening(stage.0, heed_quiet, answer));
        answer
    }
    fn wait_end(&self, stage: StageId) -> Opening {
        let answer = self.from.wait_end(stage);
        self.keep(Fact::WaitEnd(stage.0, answer));
        answer
    }
    fn route(&self, stage: StageId) -> Vec<RouteProvider> {
        let answer = self.from.route(stage);
        self.keep(Fact::Route(stage.0, answer.clone()));
        answer
    }
    fn readiness(&self, provider: &str, begun: u32) -> Readiness {
        let answer = self.from.readiness(provider, begun);
        self.keep(Fact::Readiness(provider.to_owned(), answer));
        answer
    }
}

/// Answers from a record, each question in the order in which it was asked. A question that does
/// not stand there next gets an answer all the same (`step` is total), and spoils the replay:
/// [`Self::is_exact`] tells.
pub struct Recorded<'a> {
    facts: &'a [Fact],
    next: RefCell<(usize, bool)>,
}

impl<'a> Recorded<'a> {
    /// Answers from `facts`.
    #[must_use]
    pub fn new(facts: &'a [Fact]) -> Self {
        Recorded { facts, next: RefCell::new((0, true)) }
    }

    /// Whether every question asked was the next in the record, and none is left.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        let (next, exact) = *self.next.borrow();
        exact && next == self.facts.len()
    }

    fn take<T>(&self, answer: impl FnOnce(&Fact) -> Option<T>) -> Option<T> {
        let mut next = self.next.borrow_mut();
        let found = self.facts.get(next.0).and_then(answer);
        next.0 += 1;
        next.1 &= found.is_some();
        found
    }
}

impl Facts for Recorded<'_> {
    fn comparison(&self, index: u16, _: Counters) -> Truth {
        self.take(|fact| match fact {
            Fact::Comparison(i, answer) if *i == index => Some(*answer),
            _ => None,
        })
        .unwrap_or(Truth::Missing)
    }
    fn has_address(&self, channel: Channel) -> bool {
        self.take(|fact| match fact {
            Fact::HasAddress(c, answer) if *c == channel => Some(*answer),
            _ => None,
        })
        .unwrap_or_default()
    }
    fn opted_out(&self, channel: Channel) -> bool {
        self.take(|fact| match fact {
            Fact::OptedOut(c, answer) if *c == channel => Some(*answer),
            _ => None,
        })
        .unwrap_or_default()
    }
    fn has_body(&self, channel: Channel) -> bool {
        self.take(|fact| match fact {
            Fact::HasBody(c, answer) if *c == channel => Some(*answer),
            _ => None,
        })
        .unwrap_or_default()
    }
    fn quota_used(&self, channel: Channel, _: u32) -> bool {
        self.take(|fact| match fact {
            Fact::QuotaUsed(c, answer) if *c == channel => Some(*answer),
            _ => None,
        })
        .unwrap_or_default()
    }
    fn quiet(&self) -> bool {
        self.take(|fact| match fact {
            Fact::Quiet(answer) => Some(*answer),
            _ => None,
        })
        .unwrap_or_default()
    }
    fn opening(&self, stage: StageId, heed_quiet: bool) -> Opening {
        self.take(|fact| match fact {
            Fact::Opening(s, heeded, answer) if *s == stage.0 && *heeded == heed_quiet => Some(*answer),
            _ => None,
        })
        .unwrap_or(NO_OPENING)
    }
    fn wait_end(&self, stage: StageId) -> Opening {
        self.take(|fact| match fact {
            Fact::WaitEnd(s, answer) if *s == stage.0 => Some(*answer),
            _ => None,
        })
        .unwrap_or(NO_OPENING)
    }
    fn route(&self, stage: StageId) -> Vec<RouteProvider> {
        self.take(|fact| match fact {
            Fact::Route(s, answer) if *s == stage.0 => Some(answer.clone()),
            _ => None,
        })
        .unwrap_or_default()
    }
    fn readiness(&self, provider: &str, _: u32) -> Readiness {
        self.take(|fact| match fact {
            Fact::Readiness(name, answer) if name == provider => Some(*answer),
            _ => None,
        })
        .unwrap_or_default()
    }
}

const NO_OPENING: Opening = Opening { at: None, quiet: false, zone_missing: false };

/// The reason why a channel cannot run, from what `step` looks at before a stage starts: in the
/// order `no_address`, `opted_out`, `no_provider`, `no_template`.
pub(super) fn sendable(facts: &dyn Facts, channel: Channel, route: &[RouteProvider]) -> Result<(), Reason> {
    if !facts.has_address(channel) {
        return Err(Reason::NoAddress);
    }
    if facts.opted_out(channel) {
        return Err(Reason::OptedOut);
    }
    if route.is_empty() {
        return Err(Reason::NoProvider);
    }
    if !facts.has_body(channel) {
        return Err(Reason::NoTemplate);
    }
    Ok(())
}
