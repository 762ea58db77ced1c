//! Closed lists of words: each has one spelling, the one that policies, JSON and rows use.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A word that is not in the list that it was looked up in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} is not one of {}", super::quoted(.word), .known.join(", "))]
pub struct UnknownWord {
    /// What was given.
    pub word: String,
    /// The words that are known, in their order.
    pub known: &'static [&'static str],
}

/// Declares an enum of words with one spelling each, in `snake_case`.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// All of them, in their order.
            pub const ALL: &'static [$name] = &[$($name::$variant,)+];
            /// Their spellings, in the same order.
            pub const WORDS: &'static [&'static str] = &[$($word,)+];

            /// How it is spelt in policies, JSON and rows.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $($name::$variant => $word,)+ }
            }

            /// Its place in [`Self::ALL`].
            #[must_use]
            pub const fn index(self) -> usize { self as usize }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.pad(self.word()) }
        }

        impl FromStr for $name {
            type Err = UnknownWord;
            fn from_str(word: &str) -> Result<Self, UnknownWord> {
                match word {
                    $($word => Ok($name::$variant),)+
                    _ => Err(UnknownWord { word: word.to_owned(), known: Self::WORDS }),
                }
            }
        }
    };
}

words! {
    /// A way to reach a person.
    Channel {
        /// A text message to a phone number.
        Sms = "sms",
        /// WhatsApp, to a phone number.
        Whatsapp = "whatsapp",
        /// An e-mail.
        Email = "email",
        /// A push notification to a device token.
        Push = "push",
        /// A call to a phone number.
        Voice = "voice",
        /// A Slack message.
        Slack = "slack",
        /// A Telegram message.
        Telegram = "telegram",
        /// A call of a URL.
        Webhook = "webhook",
    }
}

impl Channel {
    /// What the channel can confirm beyond acceptance where no catalog and no provider says
    /// otherwise (language page, "What a channel can confirm").
    #[must_use]
    pub const fn default_confirmations(self) -> &'static [Confirmation] {
        use Confirmation::{Delivered, Read, Replied};
        match self {
            Channel::Sms | Channel::Voice => &[Delivered, Replied],
            Channel::Whatsapp | Channel::Email => &[Delivered, Read, Replied],
            Channel::Push => &[Delivered, Read],
            Channel::Slack | Channel::Telegram => &[Replied],
            Channel::Webhook => &[],
        }
    }
}

words! {
    /// How far a send is known to have come. A higher one implies the lower ones.
    Confirmation {
        /// A provider took it.
        Accepted = "accepted",
        /// It arrived.
        Delivered = "delivered",
        /// It was seen.
        Read = "read",
        /// It was answered.
        Replied = "replied",
    }
}

words! {
    /// What a provider answered to one attempt.
    Outcome {
        /// Taken.
        Accepted = "accepted",
        /// The address is wrong, blocked or unsubscribed.
        RecipientFault = "recipient_fault",
        /// The content is not allowed.
        ContentFault = "content_fault",
        /// Bad credentials, no funds.
        AccountFault = "account_fault",
        /// 429.
        RateLimited = "rate_limited",
        /// Not taken, and may be the next time.
        Transient = "transient",
        /// It may have been taken.
        InDoubt = "in_doubt",
    }
}

words! {
    /// Why a stage ended otherwise than reached.
    Reason {
        /// The person has no address on the channel.
        NoAddress = "no_address",
        /// The person does not want the channel.
        OptedOut = "opted_out",
        /// No provider of the route exists.
        NoProvider = "no_provider",
        /// No body for the channel and locale.
        NoTemplate = "no_template",
        /// The channel's quota is used up.
        Quota = "quota",
        /// The policy's own limit is used up.
        Limit = "limit",
        /// Every provider of the route has an open breaker.
        BreakerOpen = "breaker_open",
        /// No instant of the coming 8 days suits the windows.
        NeverOpen = "never_open",
        /// Every provider stayed paused for an hour.
        RateLimited = "rate_limited",
        /// The provider's answer.
        RecipientFault = "recipient_fault",
        /// The provider's answer.
        ContentFault = "content_fault",
        /// The provider's answer.
        AccountFault = "account_fault",
        /// The provider's answer.
        Transient = "transient",
        /// The request may have been taken, and the policy moves on.
        InDoubt = "in_doubt",
        /// A receipt reported a failure after acceptance.
        Failed = "failed",
        /// Skipped by a guard that is more than one word.
        Skipped = "skipped",
        /// Skipped: inside the quiet window.
        Quiet = "quiet",
        /// Skipped: every provider's breaker is open.
        Tripped = "tripped",
        /// Skipped: the message was read already.
        Read = "read",
        /// Skipped: the message was delivered already.
        Delivered = "delivered",
        /// Skipped: the message was replied to already.
        Replied = "replied",
        /// The `why` of `otherwise fail`, which stands beside it.
        Otherwise = "otherwise",
    }
}

impl Outcome {
    /// The reason of a stage that fails with this answer; `None` for an acceptance.
    #[must_use]
    pub const fn reason(self) -> Option<Reason> {
        match self {
            Outcome::Accepted => None,
            Outcome::RecipientFault => Some(Reason::RecipientFault),
            Outcome::ContentFault => Some(Reason::ContentFault),
            Outcome::AccountFault => Some(Reason::AccountFault),
            Outcome::RateLimited => Some(Reason::RateLimited),
            Outcome::Transient => Some(Reason::Transient),
            Outcome::InDoubt => Some(Reason::InDoubt),
        }
    }

    /// Whether the attempt failed by this answer. One in doubt may have been taken.
    #[must_use]
    pub const fn fails(self) -> bool {
        !matches!(self, Outcome::Accepted | Outcome::InDoubt)
    }
}

words! {
    /// A stage, as a caller sees it.
    StageState {
        /// Its turn has not come.
        Pending = "pending",
        /// Its turn has come; a window, or `send_at`, holds it.
        Held = "held",
        /// An attempt is under way, or a retry or a free place is waited for.
        Sending = "sending",
        /// Accepted; a confirmation is waited for.
        Waiting = "waiting",
        /// The stage after it started first.
        Overtaken = "overtaken",
        /// Its goal was confirmed.
        Reached = "reached",
        /// Its guard said no.
        Skipped = "skipped",
        /// It failed, or could not run.
        Failed = "failed",
    }
}

words! {
    /// A message, as a caller sees it.
    Status {
        /// Nothing accepted by a provider yet.
        Queued = "queued",
        /// Accepted; final once the message has ended.
        Sent = "sent",
        /// Confirmed as delivered, or more.
        Delivered = "delivered",
        /// Ended without anything accepted.
        Failed = "failed",
        /// Its time was over.
        Expired = "expired",
        /// Taken back by the caller.
        Canceled = "canceled",
    }
}

words! {
    /// How urgent a message is, in rising order.
    Priority {
        /// Can wait.
        Low = "low",
        /// The default.
        Normal = "normal",
        /// Before others.
        High = "high",
        /// Before all.
        Urgent = "urgent",
    }
}

words! {
    /// The fields of a contact that a condition may name; any other name is an attribute.
    ContactField {
        /// The caller's own id.
        ExternalId = "external_id",
        /// The person's name.
        Name = "name",
        /// A BCP 47 tag.
        Locale = "locale",
        /// An IANA name.
        Timezone = "timezone",
        /// ISO 3166 alpha-2.
        Country = "country",
    }
}
