//! Smaller objects that several rooms show.

use std::borrow::Cow;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use crate::model::{Channel, Id, Instant, kinds};

/// The states of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// The provider is used.
    Closed,
    /// The provider is passed over.
    Open,
    /// One probe at a time.
    HalfOpen,
}

/// The breaker of a provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Breaker {
    /// The provider's name.
    pub provider: String,
    /// Its state.
    pub state: BreakerState,
    /// Failures in a row.
    pub failures: u32,
    /// Since when it is open.
    pub opened_at: Option<Instant>,
    /// When the next probe may be made.
    pub until: Option<Instant>,
}

/// What a quota counts: accepted messages, or the attempts on a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QuotaName {
    /// `messages`.
    Messages,
    /// A channel.
    Channel(Channel),
}

impl QuotaName {
    /// All of them, `messages` first.
    pub fn all() -> impl Iterator<Item = QuotaName> {
        std::iter::once(QuotaName::Messages).chain(Channel::ALL.iter().copied().map(QuotaName::Channel))
    }

    /// How it is spelt.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            QuotaName::Messages => "messages",
            QuotaName::Channel(channel) => channel.word(),
        }
    }
}

impl FromStr for QuotaName {
    type Err = crate::model::UnknownWord;
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        if word == "messages" { Ok(QuotaName::Messages) } else { word.parse().map(QuotaName::Channel) }
    }
}

impl Serialize for QuotaName {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.word())
    }
}

impl JsonSchema for QuotaName {
    fn schema_name() -> Cow<'static, str> {
        "QuotaName".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<&str> = QuotaName::all().map(QuotaName::word).collect();
        json_schema!({"type": "string", "enum": words})
    }
}

/// A quota.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Quota {
    /// What it counts.
    pub name: QuotaName,
    /// The day in UTC.
    pub day: QuotaUse,
    /// The month in UTC.
    pub month: QuotaUse,
}

/// A quota in one window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct QuotaUse {
    /// How many; null for no limit.
    pub limit: Option<u64>,
    /// How many there were.
    pub used: u64,
    /// When the window ends.
    pub resets_at: Instant,
}

/// The clock of a test scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TestClock {
    /// What it shows.
    pub now: Instant,
    /// How far it is ahead of real time, in milliseconds.
    pub advanced_by_ms: i64,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// To be tried.
    Pending,
    /// Taken.
    Delivered,
    /// Given up.
    Dead,
}

/// An event on its way to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Delivery {
    /// Its id.
    pub id: Id<kinds::Delivery>,
    /// The event.
    pub event_id: Id<kinds::Event>,
    /// The endpoint.
    pub endpoint_id: Id<kinds::Endpoint>,
    /// Where it stands.
    pub state: DeliveryStatus,
    /// What was tried, in order.
    pub tries: Vec<DeliveryTry>,
    /// When it is tried next.
    pub next_try_at: Option<Instant>,
}

/// One try of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DeliveryTry {
    /// When it began.
    pub at: Instant,
    /// The status of the answer, where there was one.
    pub status_code: Option<u16>,
    /// What went wrong, where there was no answer.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}
