//! People, their addresses and what they agreed to.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{
    Attributes, Country, EmailAddress, ExternalId, HttpUrl, Locale, Metadata, PersonName, PhoneNumber,
    RecipientToken, TimezoneName,
};
use crate::model::{Channel, Id, Instant, kinds};

/// A person's addresses, by channel.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Addresses {
    /// Where text messages go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sms: Option<PhoneNumber>,
    /// Where WhatsApp messages go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whatsapp: Option<PhoneNumber>,
    /// Where e-mail goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<EmailAddress>,
    /// The token of a device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub push: Option<RecipientToken>,
    /// Where calls go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice: Option<PhoneNumber>,
    /// A Slack user or conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slack: Option<RecipientToken>,
    /// A Telegram chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telegram: Option<RecipientToken>,
    /// An address that is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<HttpUrl>,
}

impl fmt::Debug for Addresses {
    /// Which channels have one, never the addresses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(|(channel, _)| channel.word())).finish()
    }
}

impl Addresses {
    /// The address on a channel.
    #[must_use]
    pub fn get(&self, channel: Channel) -> Option<&str> {
        match channel {
            Channel::Sms => self.sms.as_ref().map(PhoneNumber::as_str),
            Channel::Whatsapp => self.whatsapp.as_ref().map(PhoneNumber::as_str),
            Channel::Email => self.email.as_ref().map(EmailAddress::as_str),
            Channel::Push => self.push.as_ref().map(RecipientToken::as_str),
            Channel::Voice => self.voice.as_ref().map(PhoneNumber::as_str),
            Channel::Slack => self.slack.as_ref().map(RecipientToken::as_str),
            Channel::Telegram => self.telegram.as_ref().map(RecipientToken::as_str),
            Channel::Webhook => self.webhook.as_ref().map(HttpUrl::as_str),
        }
    }

    /// Channels and addresses, in the order of the channels.
    pub fn iter(&self) -> impl Iterator<Item = (Channel, &str)> {
        Channel::ALL.iter().filter_map(|channel| self.get(*channel).map(|address| (*channel, address)))
    }
}

/// Whether a person wants a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConsentState {
    /// Wants it.
    OptedIn,
    /// Does not want it.
    OptedOut,
}

/// What a person agreed to, by channel. A channel of which nothing is known is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// Text messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sms: Option<ConsentState>,
    /// WhatsApp.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whatsapp: Option<ConsentState>,
    /// E-mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<ConsentState>,
    /// Push notifications.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub push: Option<ConsentState>,
    /// Calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice: Option<ConsentState>,
    /// Slack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slack: Option<ConsentState>,
    /// Telegram.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telegram: Option<ConsentState>,
    /// Calls of a URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<ConsentState>,
}

impl Consent {
    /// The place of a channel.
    pub const fn of(&mut self, channel: Channel) -> &mut Option<ConsentState> {
        match channel {
            Channel::Sms => &mut self.sms,
            Channel::Whatsapp => &mut self.whatsapp,
            Channel::Email => &mut self.email,
            Channel::Push => &mut self.push,
            Channel::Voice => &mut self.voice,
            Channel::Slack => &mut self.slack,
            Channel::Telegram => &mut self.telegram,
            Channel::Webhook => &mut self.webhook,
        }
    }
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Contact {
    /// Its id.
    pub id: Id<kinds::Contact>,
    /// The caller's own id, unique in the scope.
    pub external_id: Option<ExternalId>,
    /// The person's name.
    pub name: Option<PersonName>,
    /// By channel.
    pub addresses: Addresses,
    /// In which language to write.
    pub locale: Option<Locale>,
    /// Where the person's clock hangs.
    pub timezone: Option<TimezoneName>,
    /// Where the person lives.
    pub country: Option<Country>,
    /// That of its addresses.
    pub consent: Consent,
    /// What else is known.
    pub attributes: Attributes,
    /// The caller's own notes.
    pub metadata: Metadata,
    /// When it was made.
    pub created_at: Instant,
    /// When it was last changed.
    pub updated_at: Instant,
}
