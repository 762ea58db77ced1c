//! What became of a message, and how two ways of it differ.

use serde::Serialize;

use crate::model::{Channel, Instant, Money, Span, Status};

/// A message that a provider took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sent {
    /// When.
    pub at: Instant,
    /// On which channel.
    pub channel: Channel,
    /// By which provider.
    pub provider: String,
}

/// How and when a person was told: by what was confirmed first, else by what was taken first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Told {
    /// When.
    pub at: Instant,
    /// On which channel.
    pub channel: Channel,
    /// Whether it is known to have arrived.
    pub confirmed: bool,
}

impl Told {
    pub(super) fn of(sent: &[Sent], confirmed: Option<(Instant, Channel)>) -> Option<Told> {
        match (confirmed, sent.first()) {
            (Some((at, channel)), _) => Some(Told { at, channel, confirmed: true }),
            (None, Some(first)) => Some(Told { at: first.at, channel: first.channel, confirmed: false }),
            (None, None) => None,
        }
    }
}

/// One way that a message went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ran {
    /// What was sent, in order.
    pub sent: Vec<Sent>,
    /// How the person was told; null where not at all.
    pub told: Option<Told>,
    /// How it ended.
    pub status: Status,
    /// When.
    pub ended_at: Instant,
    /// What it cost; null where no currency is known.
    pub cost: Option<Money>,
}

/// A message that was run by its own version and by another one.
#[derive(Debug, Clone)]
pub struct Replayed {
    /// Its id.
    pub message_id: String,
    /// Its own version.
    pub policy: String,
    /// When its clocks started.
    pub start: Instant,
    /// By its own version, as if nothing had been late.
    pub own: Ran,
    /// By the other one.
    pub other: Ran,
    /// Whether its own version, run again, tells the person as the record says.
    pub as_recorded: bool,
    /// What the other one asked and the record does not say.
    pub assumed: Vec<String>,
}

/// What is different for the person, or for who pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Told, where nobody was.
    AtLast,
    /// Not told any more.
    NotAtAll,
    /// Told earlier.
    Sooner,
    /// Told later.
    Later,
    /// Told by another channel.
    OtherChannel,
    /// On the same channel by another provider.
    OtherProvider,
    /// Known to have arrived, where that was not known.
    Confirmed,
    /// Not known to have arrived any more.
    Unconfirmed,
    /// Sent more messages.
    MoreSends,
    /// Sent fewer.
    FewerSends,
    /// Ended with another status.
    OtherStatus,
    /// It costs more.
    Dearer,
    /// It costs less.
    Cheaper,
}

impl Change {
    /// All of them, in the order in which they are told.
    pub const ALL: [Change; 13] = [
        Change::AtLast,
        Change::NotAtAll,
        Change::Sooner,
        Change::Later,
        Change::OtherChannel,
        Change::OtherProvider,
        Change::Confirmed,
        Change::Unconfirmed,
        Change::MoreSends,
        Change::FewerSends,
        Change::OtherStatus,
        Change::Dearer,
        Change::Cheaper,
    ];

    /// As a table shows it.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Change::AtLast => "told at last",
            Change::NotAtAll => "not told any more",
            Change::Sooner => "told sooner",
            Change::Later => "told later",
            Change::OtherChannel => "told by another channel",
            Change::OtherProvider => "sent by another provider",
            Change::Confirmed => "now known to have arrived",
            Change::Unconfirmed => "no longer known to have arrived",
            Change::MoreSends => "sent more messages",
            Change::FewerSends => "sent fewer messages",
            Change::OtherStatus => "ended otherwise",
            Change::Dearer => "costs more",
            Change::Cheaper => "costs less",
        }
    }
}

impl Replayed {
    /// What is different.
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        let (own, other) = (&self.own, &self.other);
        let mut changes = Vec::new();
        match (own.told, other.told) {
            (None, Some(_)) => changes.push(Change::AtLast),
            (Some(_), None) => changes.push(Change::NotAtAll),
            (Some(from), Some(to)) => {
                match (from.confirmed, to.confirmed) {
                    (false, true) => changes.push(Change::Confirmed),
                    (true, false) => changes.push(Change::Unconfirmed),
                    // Arrival and departure cannot be compared.
                    _ if to.at < from.at => changes.push(Change::Sooner),
                    _ if to.at > from.at => changes.push(Change::Later),
                    _ => {}
                }
                if from.channel != to.channel {
                    changes.push(Change::OtherChannel);
                } else if own.sent.len() == other.sent.len()
                    && own
                        .sent
                        .iter()
                        .zip(&other.sent)
                        .any(|(a, b)| a.channel == b.channel && a.provider != b.provider)
                {
                    changes.push(Change::OtherProvider);
                }
            }
            (None, None) => {}
        }
        match other.sent.len().cmp(&own.sent.len()) {
            std::cmp::Ordering::Greater => changes.push(Change::MoreSends),
            std::cmp::Ordering::Less => changes.push(Change::FewerSends),
            std::cmp::Ordering::Equal => {}
        }
        if own.status != other.status {
            changes.push(Change::OtherStatus);
        }
        let micros = |ran: &Ran| ran.cost.map_or(0, |cost| cost.micros);
        match micros(other).cmp(&micros(own)) {
            std::cmp::Ordering::Greater => changes.push(Change::Dearer),
            std::cmp::Ordering::Less => changes.push(Change::Cheaper),
            std::cmp::Ordering::Equal => {}
        }
        changes.sort_unstable();
        changes
    }

    /// By how much sooner or later the person is told, where both ways tell in the same sense.
    #[must_use]
    pub fn moved_by_ms(&self) -> Option<i64> {
        let (from, to) = (self.own.told?, self.other.told?);
        (from.confirmed == to.confirmed).then_some(to.at.ms() - from.at.ms())
    }
}

/// How a person was told, for people: counted from `start`.
pub(super) fn told(ran: &Ran, start: Instant) -> String {
    match ran.told {
        None => "not told".to_owned(),
        Some(Told { at, channel, confirmed }) => {
            let after: Span = at.since(start);
            format!("{channel} at {after}{}", if confirmed { "" } else { ", unconfirmed" })
        }
    }
}
