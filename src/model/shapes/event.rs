//! What happened, as webhooks and the list of events tell it.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::message::MessageReason;
use super::text::Metadata;
use crate::model::{Channel, Id, Instant, Status, kinds};

/// An event.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Event {
    /// Its id, which is the `webhook-id` too.
    pub id: Id<kinds::Event>,
    /// What happened.
    pub r#type: EventType,
    /// When.
    pub timestamp: Instant,
    /// From 1 within a message; null for an event of no message.
    pub sequence: Option<u64>,
    /// What there is to say; its fields depend on the type.
    pub data: Value,
}

macro_rules! event_types {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)+) => {
        /// The types of events.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
        pub enum EventType { $($(#[$doc])* #[serde(rename = $word)] $variant,)+ }

        impl EventType {
            /// All of them.
            pub const ALL: &'static [EventType] = &[$(EventType::$variant,)+];

            /// How it is spelt.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(EventType::$variant => $word,)+ }
            }

            /// The type of this spelling.
            #[must_use]
            pub fn from_word(word: &str) -> Option<EventType> {
                match word { $($word => Some(EventType::$variant),)+ _ => None }
            }
        }
    };
}

event_types! {
    /// Taken in, durably.
    MessageCreated = "message.created",
    /// Accepted by a provider.
    MessageSent = "message.sent",
    /// Confirmed as delivered.
    MessageDelivered = "message.delivered",
    /// Failed after all fallbacks.
    MessageFailed = "message.failed",
    /// Answered.
    MessageReplied = "message.replied",
    /// Seen.
    MessageRead = "message.read",
    /// Ended as `sent`.
    MessageUnconfirmed = "message.unconfirmed",
    /// A second send was confirmed as delivered too.
    MessageDuplicateDelivery = "message.duplicate_delivery",
    /// Taken back.
    MessageCanceled = "message.canceled",
    /// Its time was over.
    MessageExpired = "message.expired",
    /// A provider says that an address does not exist any more.
    ContactAddressInvalid = "contact.address_invalid",
    /// An endpoint gets no events any more.
    WebhookEndpointDisabled = "webhook_endpoint.disabled",
    /// An endpoint works again after a failure of an hour or more.
    WebhookEndpointRecovered = "webhook_endpoint.recovered",
    /// A provider misbehaves.
    ProviderCircuitOpened = "provider.circuit_opened",
    /// A provider is back.
    ProviderCircuitClosed = "provider.circuit_closed",
    /// 80 % or 100 % of a limit.
    QuotaThreshold = "quota.threshold",
    /// Asked for by the owner of an endpoint, and told to that endpoint alone.
    WebhookPing = "webhook.ping",
}

/// Whether an endpoint or a filter may name this: a type, the first part of one and a star, or a
/// star alone.
#[must_use]
pub fn known_event_type(pattern: &str) -> bool {
    let listed = || EventType::ALL.iter().filter(|kind| **kind != EventType::WebhookPing);
    match pattern.strip_suffix(".*") {
        _ if pattern == "*" => true,
        Some(group) => listed().any(|kind| kind.word().split_once('.').is_some_and(|(g, _)| g == group)),
        None => listed().any(|kind| kind.word() == pattern),
    }
}

/// What every `message.*` event says.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct MessageEventData<'a> {
    /// The message.
    pub message_id: Id<kinds::Message>,
    /// To whom.
    pub contact_id: Option<Id<kinds::Contact>>,
    /// `name@version`.
    pub template: Option<&'a str>,
    /// `name@version`.
    pub policy: Option<&'a str>,
    /// On which channel it happened.
    pub channel: Option<Channel>,
    /// By which provider.
    pub provider: Option<&'a str>,
    /// The provider's own id.
    pub provider_message_id: Option<&'a str>,
    /// The message's status after it.
    pub status: Status,
    /// The why of every stage that has one.
    pub reasons: Vec<MessageReason>,
    /// The caller's own notes.
    pub metadata: &'a Metadata,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_type_a_group_or_all() {
        for good in ["*", "message.*", "message.sent", "quota.*", "webhook_endpoint.disabled"] {
            assert!(known_event_type(good), "{good}");
        }
        for bad in ["", "message", "message.", "mess.*", "*.*", "message.sent.*", "webhook.ping", "webhook.*"]
        {
            assert!(!known_event_type(bad), "{bad}");
        }
        for kind in EventType::ALL {
            assert_eq!(EventType::from_word(kind.word()), Some(*kind));
        }
    }
}
