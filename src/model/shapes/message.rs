//! Messages: what is asked for, and what becomes of it.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

use super::contact::Addresses;
use super::text::{
    BodyText, Category, Locale, Metadata, NameRef, PolicySource, ReplyText, Scripts, SubjectText, Vars,
};
use crate::model::{
    Channel, Confirmation, Id, Instant, Money, Outcome, Priority, Reason, Span, StageState, Status, kinds,
};

/// A message to be sent: to a contact or to addresses, by a template or with content of its own.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendMessage {
    /// To whom. Either this or `to`.
    pub contact_id: Option<Id<kinds::Contact>>,
    /// The addresses, by channel. Either this or `contact_id`.
    pub to: Option<Addresses>,
    /// The template, by its name or `name@version`. Either this or `content`.
    pub template: Option<NameRef>,
    /// The content, by channel. Either this or `template`.
    pub content: Option<Content>,
    /// Values for the template and for conditions.
    pub vars: Option<Vars>,
    /// The policy, by its name or `name@version`. At most one of `policy`, `strategy` and
    /// `channels`; none stands for the template's `default_policy`.
    pub policy: Option<NameRef>,
    /// The text of a policy.
    pub strategy: Option<PolicySource>,
    /// Channels, each tried when the one before it has failed.
    pub channels: Option<Channels>,
    /// With `channels`: each is tried, too, when the one before it was not reached by then.
    pub fallback_after: Option<Span>,
    /// When to begin; at most a year ahead.
    pub send_at: Option<Instant>,
    /// After which time nothing more starts, instead of the policy's own.
    pub expires_in: Option<Span>,
    /// In which language to write, instead of the contact's.
    pub locale: Option<Locale>,
    /// How urgent; `normal` where nothing is said.
    pub priority: Option<Priority>,
    /// What it is for, instead of the policy's or the template's.
    pub category: Option<Category>,
    /// The caller's own notes.
    pub metadata: Option<Metadata>,
    /// Under a test key: outcome scripts by provider or channel.
    pub sandbox: Option<Scripts>,
}

impl fmt::Debug for SendMessage {
    /// Nothing of what is in it: it names a person and what is said to them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SendMessage(…)")
    }
}

/// Channels in the order in which they are tried: 1 to 16.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Channels(#[schemars(length(min = 1, max = 16))] pub Vec<Channel>);

/// What is said, by channel.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// As a text message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sms: Option<ChannelContent>,
    /// By WhatsApp.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whatsapp: Option<ChannelContent>,
    /// By e-mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<ChannelContent>,
    /// As a push notification.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub push: Option<ChannelContent>,
    /// As a call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice: Option<ChannelContent>,
    /// In Slack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slack: Option<ChannelContent>,
    /// In Telegram.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telegram: Option<ChannelContent>,
    /// To a URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<ChannelContent>,
}

impl Content {
    /// What is said on a channel.
    #[must_use]
    pub const fn get(&self, channel: Channel) -> Option<&ChannelContent> {
        match channel {
            Channel::Sms => self.sms.as_ref(),
            Channel::Whatsapp => self.whatsapp.as_ref(),
            Channel::Email => self.email.as_ref(),
            Channel::Push => self.push.as_ref(),
            Channel::Voice => self.voice.as_ref(),
            Channel::Slack => self.slack.as_ref(),
            Channel::Telegram => self.telegram.as_ref(),
            Channel::Webhook => self.webhook.as_ref(),
        }
    }
}

impl fmt::Debug for Content {
    /// Never what is said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Content(…)")
    }
}

/// What is said on one channel.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelContent {
    /// The subject, where the channel has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<SubjectText>,
    /// The text.
    pub body: BodyText,
    /// The same as HTML, for e-mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub html: Option<BodyText>,
}

/// Seen in the app, or acknowledged elsewhere.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    /// How far it came.
    pub goal: ConfirmGoal,
    /// Whose stage it counts for; without one it reaches the message at once.
    pub channel: Option<Channel>,
}

/// What can be confirmed from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConfirmGoal {
    /// It arrived.
    Delivered,
    /// It was seen.
    Read,
    /// It was answered.
    Replied,
}

impl From<ConfirmGoal> for Confirmation {
    fn from(goal: ConfirmGoal) -> Confirmation {
        match goal {
            ConfirmGoal::Delivered => Confirmation::Delivered,
            ConfirmGoal::Read => Confirmation::Read,
            ConfirmGoal::Replied => Confirmation::Replied,
        }
    }
}

/// Under a test key: what a person answers.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestReply {
    /// To which message.
    pub message_id: Id<kinds::Message>,
    /// On which channel.
    pub channel: Channel,
    /// What.
    pub text: ReplyText,
}

/// A message.
#[derive(Clone, PartialEq, Serialize, JsonSchema)]
pub struct Message {
    /// Its id.
    pub id: Id<kinds::Message>,
    /// Where it stands.
    pub status: Status,
    /// To whom.
    pub contact_id: Option<Id<kinds::Contact>>,
    /// The addresses that were given.
    pub to: Option<Addresses>,
    /// `name@version`.
    pub template: Option<String>,
    /// The content that was given.
    pub content: Option<Content>,
    /// The values that were given.
    pub vars: Option<Vars>,
    /// `name@version`; null with a `strategy` or `channels`.
    pub policy: Option<String>,
    /// The policy text that was given.
    pub strategy: Option<PolicySource>,
    /// The channels that were given.
    pub channels: Option<Channels>,
    /// As it was given.
    pub fallback_after: Option<Span>,
    /// As it was given.
    pub locale: Option<Locale>,
    /// What it is for.
    pub category: Category,
    /// How urgent.
    pub priority: Priority,
    /// The caller's own notes.
    pub metadata: Metadata,
    /// When it begins.
    pub send_at: Option<Instant>,
    /// When its time is over.
    pub expires_at: Option<Instant>,
    /// When it was accepted.
    pub created_at: Instant,
    /// When it ended.
    pub ended_at: Option<Instant>,
    /// What reached the person.
    pub reached_by: Option<ReachedBy>,
    /// Attempts accepted or in doubt.
    pub sends: u32,
    /// The prices of these, null without prices.
    pub cost: Option<Money>,
    /// The why of every stage that has one.
    pub reasons: Vec<MessageReason>,
    /// The channel stages in the order of the text.
    pub stages: Vec<Stage>,
}

impl fmt::Debug for Message {
    /// Its id alone: the rest names a person and what was said to them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({})", self.id)
    }
}

/// What reached a person: a channel, or the word of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReachedBy {
    /// A confirmation on this channel.
    Channel(Channel),
    /// A confirmation by the caller, for no channel.
    Caller,
}

impl ReachedBy {
    /// A channel's name, or `caller`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            ReachedBy::Channel(channel) => channel.word(),
            ReachedBy::Caller => "caller",
        }
    }
}

impl Serialize for ReachedBy {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.word())
    }
}

impl JsonSchema for ReachedBy {
    fn schema_name() -> Cow<'static, str> {
        "ReachedBy".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<&str> = Channel::WORDS.iter().copied().chain(["caller"]).collect();
        json_schema!({"type": "string", "enum": words})
    }
}

/// Why a stage ended otherwise than reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MessageReason {
    /// Which stage; null for the `why` of `otherwise fail`.
    pub stage: Option<u32>,
    /// Its channel.
    pub channel: Option<Channel>,
    /// The word.
    pub reason: Reason,
    /// The guard's text, the `why`, or null.
    pub detail: Option<String>,
}

/// A channel stage of a message.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Stage {
    /// Its number, from 1 in the order of the text.
    pub stage: u32,
    /// Its channel.
    pub channel: Channel,
    /// Where it stands.
    pub state: StageState,
    /// Why it ended otherwise than reached.
    pub reason: Option<Reason>,
    /// The provider of its last attempt.
    pub provider: Option<String>,
    /// When its first attempt was made.
    pub started_at: Option<Instant>,
    /// Its attempts, in order.
    pub attempts: Vec<Attempt>,
}

/// One call of a provider.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Attempt {
    /// Its id.
    pub id: Id<kinds::Attempt>,
    /// By whom.
    pub provider: String,
    /// The answer; null while it runs.
    pub outcome: Option<Outcome>,
    /// The provider's own id.
    pub provider_message_id: Option<String>,
    /// When it was made.
    pub started_at: Instant,
    /// When it was answered.
    pub ended_at: Option<Instant>,
    /// The provider's words, where it gave any.
    pub detail: Option<String>,
}

/// One change of state, of a message or of one of its stages.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Transition {
    /// From 1 within the message, without gaps.
    pub seq: u64,
    /// When.
    pub at: Instant,
    /// What happened.
    pub event: TransitionEvent,
    /// The state before: the stage's, or, without a stage, the message's status.
    pub from: Option<String>,
    /// The state after it.
    pub to: Option<String>,
    /// Which stage.
    pub stage: Option<u32>,
    /// Its channel.
    pub channel: Option<Channel>,
    /// Which provider.
    pub provider: Option<String>,
    /// More, in our own words.
    pub detail: Option<String>,
    /// SHA-256 of what decided the change, on its first transition.
    pub input: Option<String>,
    /// The hash of the transition before, 64 zeros for the first.
    pub prev_hash: String,
    /// SHA-256 of `prev_hash`, a newline, and the RFC 8785 form of the rest with `message_id`.
    pub hash: String,
}

/// What happened: a word of a closed list, that of the machine, which the document spells out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct TransitionEvent(String);

impl TransitionEvent {
    /// A word of the machine's list.
    pub fn new(word: impl Into<String>) -> TransitionEvent {
        TransitionEvent(word.into())
    }
}

impl JsonSchema for TransitionEvent {
    fn schema_name() -> Cow<'static, str> {
        "TransitionEvent".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string"})
    }
}
