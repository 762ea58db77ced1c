//! Providers: who carries a message.
//!
//! **Knows** a provider's requests, answers, codes, receipts and replies; how a call leaves this
//! process and which addresses it may reach. **Does not know** retries, breakers, rates, clocks,
//! storage, policies, or why a call is made: those stand before it, once, for all.
//!
//! A [`Kind`] is one file and one line in [`KINDS`]. Opened with a provider's settings and
//! credentials it gives an [`Adapter`], which turns an attempt into a request, and an answer or a
//! callback into the words of the language page.

pub mod http;
pub mod outbound;
pub mod sandbox;
mod schema;
pub mod signature;
mod table;

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use reqwest::header::HeaderMap;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value};

use crate::model::{Channel, Confirmation, Fault, Id, Instant, Outcome, Span, kinds};
use outbound::Outbound;

/// Every kind of provider, in the order of the providers page. A kind is its file and a line here.
pub static KINDS: &[&dyn Kind] = &[&sandbox::Sandbox, &http::Http];

/// The kind that is called `name` in a provider's `kind`.
#[must_use]
pub fn kind(name: &str) -> Option<&'static dyn Kind> {
    KINDS.iter().copied().find(|kind| kind.name() == name)
}

/// A kind of provider: what can be said of it without an account.
pub trait Kind: Send + Sync + 'static {
    /// The word in a provider's `kind`.
    fn name(&self) -> &'static str;

    /// What it is, and what its settings and credentials mean: the text of its page.
    fn doc(&self) -> &'static str;

    /// The channels it can carry.
    fn channels(&self) -> &'static [Channel];

    /// What it confirms on `channel` where the provider does not say otherwise.
    fn confirms(&self, channel: Channel) -> &'static [Confirmation] {
        channel.default_confirmations()
    }

    /// The schema of its `settings`.
    fn settings_schema(&self, generator: &mut SchemaGenerator) -> Schema;

    /// The schema of its `credentials`.
    fn credentials_schema(&self, generator: &mut SchemaGenerator) -> Schema;

    /// All faults of both, with pointers from `/settings` and `/credentials`. Looks at the values
    /// alone; where its URLs lead is [`Outbound::check`]'s to say, see [`Kind::urls`].
    fn check(&self, settings: &Value, credentials: &Value) -> Vec<Fault>;

    /// The URLs in `settings` that it will call, each with its pointer from `/settings`.
    fn urls(&self, settings: &Value) -> Vec<(String, String)> {
        let _ = settings;
        Vec::new()
    }

    /// Makes it ready for calls. Cheap: no I/O.
    ///
    /// # Errors
    /// Those of [`Kind::check`].
    fn open(&self, settings: &Value, credentials: &Value) -> Result<Opened, Vec<Fault>>;
}

/// A provider that is ready for calls.
#[derive(Clone)]
pub enum Opened {
    /// Does no I/O: its answers come from outcome scripts ([`sandbox::plan`]), on the scope's clock.
    Scripted,
    /// Is called over the network.
    Remote(Arc<dyn Adapter>),
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Opened::Scripted => "Scripted",
            Opened::Remote(_) => "Remote",
        })
    }
}

/// One account at one provider. Holds its settings and credentials and nothing that changes.
pub trait Adapter: Send + Sync + 'static {
    /// Makes the attempt and says what came of it. Every failure is an [`Outcome`]; dropping the
    /// future leaves the attempt in doubt.
    fn call<'a>(&'a self, outbound: &'a Outbound, call: &'a Call) -> BoxFuture<'a, Answer>;

    /// What can be done about an attempt of which nobody knows whether it was taken.
    fn in_doubt(&self) -> DoubtAbility;

    /// Asks the provider what became of an attempt in doubt. `None` where it cannot say (yet).
    fn look_up<'a>(&'a self, outbound: &'a Outbound, call: &'a Call) -> BoxFuture<'a, Option<Answer>> {
        let _ = (outbound, call);
        Box::pin(std::future::ready(None))
    }

    /// Verifies and reads what the provider sent to its callback address. Of a list all is taken
    /// or none. `now` is real time.
    ///
    /// # Errors
    /// [`CallbackError::Unverified`] (401) where the signature does not hold, or nothing is there to
    /// verify it with; [`CallbackError::NotUnderstood`] (422) with all faults.
    fn callbacks(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Instant,
    ) -> Result<Vec<Callback>, CallbackError>;
}

/// What can be done about an attempt in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DoubtAbility {
    /// The provider can be asked: [`Adapter::look_up`].
    LookUp,
    /// The same call may be made again; the provider's idempotency key keeps it one send.
    Key,
    /// Nothing: `on doubt` decides.
    Neither,
}

/// One attempt, ready to be sent. Holds what a person is told and where: its `Debug` shows ids only.
#[derive(Clone)]
pub struct Call {
    /// The attempt; the provider's idempotency key, where it takes one.
    pub attempt_id: Id<kinds::Attempt>,
    /// The message it is made for.
    pub message_id: Id<kinds::Message>,
    /// On which channel.
    pub channel: Channel,
    /// The address on that channel.
    pub to: String,
    /// The subject, where the body has one.
    pub subject: Option<String>,
    /// The text.
    pub body: String,
    /// The HTML beside the text; e-mail only.
    pub html: Option<String>,
    /// The message's category.
    pub category: String,
    /// The message's metadata.
    pub metadata: Map<String, Value>,
    /// Until when the message is worth delivering.
    pub valid_until: Option<Instant>,
    /// Where the provider sends its receipts and replies.
    pub callback_url: String,
    /// Real time, for signatures and for reading an HTTP date.
    pub now: Instant,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("attempt_id", &self.attempt_id)
            .field("message_id", &self.message_id)
            .field("channel", &self.channel)
            .finish_non_exhaustive()
    }
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// In the words of the language page.
    pub outcome: Outcome,
    /// The provider's own id for what it took.
    pub provider_message_id: Option<String>,
    /// For how long the provider asks to be left alone. With `rate_limited` it pauses the provider,
    /// with `transient` it lengthens the backoff.
    pub retry_after: Option<Span>,
    /// The provider's words, or ours about the connection; kept sealed with the attempt.
    pub detail: Option<String>,
    /// The address does not exist any more: `contact.address_invalid` is told.
    pub address_gone: bool,
}

impl Answer {
    /// An answer that says its outcome and nothing else.
    #[must_use]
    pub const fn of(outcome: Outcome) -> Answer {
        Answer { outcome, provider_message_id: None, retry_after: None, detail: None, address_gone: false }
    }

    /// The same with a detail.
    #[must_use]
    pub fn because(mut self, detail: impl Into<String>) -> Answer {
        self.detail = Some(detail.into());
        self
    }
}

/// Something that a provider told about a send, later. Its `Debug` shows no text and no address.
#[derive(Clone, PartialEq, Eq)]
pub enum Callback {
    /// How far a send has come. At least one of the two ids is there.
    Receipt {
        /// The provider's own id.
        provider_message_id: Option<String>,
        /// Our id, where the provider gives it back.
        attempt_id: Option<Id<kinds::Attempt>>,
        /// What is told.
        report: Report,
        /// The provider's words.
        detail: Option<String>,
        /// When it happened, by the provider's clock; for the record only.
        at: Option<Instant>,
    },
    /// A person wrote back.
    Reply {
        /// The id of the reply, or of the send it answers, as the provider gives it.
        provider_message_id: Option<String>,
        /// The attempt that it answers, where the provider gives it back.
        attempt_id: Option<Id<kinds::Attempt>>,
        /// The person's address.
        from: String,
        /// What they wrote.
        text: String,
    },
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Callback::Receipt { report, attempt_id, .. } => f
                .debug_struct("Receipt")
                .field("report", report)
                .field("attempt_id", attempt_id)
                .finish_non_exhaustive(),
            Callback::Reply { .. } => f.debug_struct("Reply").finish_non_exhaustive(),
        }
    }
}

/// What a receipt reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// It came this far.
    Confirmed(Confirmation),
    /// It failed after it had been accepted.
    Failed {
        /// Whose fault it was, where the provider says so; [`Outcome::Transient`] and
        /// [`Outcome::AccountFault`] are the provider's, and move its breaker.
        fault: Option<Outcome>,
        /// The address does not exist any more.
        address_gone: bool,
    },
}

/// Why a callback was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    /// 401: the signature does not hold, is too old, or there is no secret to verify it with.
    #[error("the signature of the callback does not hold")]
    Unverified,
    /// 422: signed, and not to be understood.
    #[error("the callback cannot be understood")]
    NotUnderstood(Vec<Fault>),
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own_docs_channels_and_schemas() {
        let mut names = HashSet::new();
        for each in KINDS {
            let name = each.name();
            assert!(names.insert(name), "two kinds are called {name}");
            assert!(each.doc().len() > 80, "{name} has no page to speak of");
            assert!(!each.channels().is_empty(), "{name} serves no channel");
            assert!(kind(name).is_some_and(|found| found.name() == name));
            let mut generator = SchemaGenerator::default();
            for schema in [each.settings_schema(&mut generator), each.credentials_schema(&mut generator)] {
                assert!(!schema.as_value().is_null(), "{name} has no schema");
            }
            let unknown = serde_json::json!({"no_such_setting": 1});
            let faults = each.check(&unknown, &unknown);
            for pointer in ["/settings/no_such_setting", "/credentials/no_such_setting"] {
                assert!(faults.iter().any(|f| f.pointer == pointer), "{name} takes anything: {faults:?}");
            }
        }
    }
}
