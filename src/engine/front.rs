//! What the REST surface asks of the engine: everything that needs a message's machine, a clock
//! that moves, or a provider.
//!
//! A trait, so that the surface can be tested with an engine that only answers.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;

use crate::model::shapes::{Breaker, Confirm, Event, Message, SendMessage, TestClock, TestReply, Transition};
use crate::model::{Channel, Fault, Id, Instant, ScopeId, Span, kinds};
use crate::store::rows::{EventFilter, IdempotencyKey, Kept, KeptAnswer, MessageFilter};
use crate::store::seal::Scope;
use crate::store::{Change, Listed, Page, StoreError};

/// What a call gives, some time later.
pub type Going<'a, T> = Pin<Box<dyn Future<Output = Result<T, Refusal>> + Send + 'a>>;

/// Why something was not done. Nothing of it was written then.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refusal {
    /// No such record in the scope.
    #[error("there is no such thing")]
    NotFound,
    /// The message has ended.
    #[error("the message has ended")]
    MessageEnded,
    /// Names, ids or values that do not fit, each at its JSON pointer.
    #[error("the request has faults")]
    Invalid(Vec<Fault>),
    /// The policy text does not compile; the list of findings as `spine policy check --format json` gives
    /// them.
    #[error("the policy does not compile")]
    PolicyInvalid(Value),
    /// The quota of messages is used up until its window ends, so long from now.
    #[error("the quota is used up")]
    QuotaExceeded(Span),
    /// The signature of a callback does not hold.
    #[error("the signature does not hold")]
    Unverified,
    /// Too much to do.
    #[error("too much to do")]
    Overloaded,
    /// No more is taken in.
    #[error("the server is shutting down")]
    ShuttingDown,
    /// The store's failure.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The idempotency key of a request and who asks: what goes into the same change as the mutation.
#[derive(Clone)]
pub struct Claim {
    /// The key.
    pub key: IdempotencyKey,
    /// The fingerprint of the request.
    pub request: [u8; 32],
    /// When it came, in real time.
    pub at: Instant,
    /// Who asks.
    pub who: Id<kinds::Key>,
    /// The request.
    pub request_id: Id<kinds::Request>,
}

impl Claim {
    /// The record that keeps an answer.
    #[must_use]
    pub fn kept(&self, status: u16, answer: KeptAnswer) -> Kept {
        Kept { key: self.key, request: self.request, status, answer, at: self.at }
    }
}

/// What became of a mutation.
pub enum Taken<T> {
    /// It was done, is durable, and the answer is kept under the claim's key.
    Done(T),
    /// The key was known, nothing was done, and this is the record that stands. Whoever asked
    /// compares the fingerprints.
    Replayed(Box<Kept>),
}

/// One message of a batch: to be sent, or refused already by a problem in JSON.
#[derive(Clone)]
pub enum BatchItem {
    /// Its shape is right.
    Send(Box<SendMessage>),
    /// Its shape is wrong.
    Refused(u16, Value),
}

/// Which part of a list that runs upwards by a number is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeqPage {
    /// Only those after it.
    pub after: Option<u64>,
    /// Only those before it, and the nearest to it.
    pub before: Option<u64>,
    /// How many at most.
    pub limit: u32,
}

/// What a tenant changed that the engine may hold in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// A contact, its addresses or consents.
    Contact(Id<kinds::Contact>),
    /// A template of this name.
    Template(String),
    /// A policy of this name.
    Policy(String),
    /// A provider of this name.
    Provider(String),
    /// The limits of a quota.
    Quota,
}

/// The engine, as the REST surface sees it.
pub trait Front: Send + Sync + 'static {
    /// Whether messages are taken in.
    fn is_ready(&self) -> bool;

    /// Opens a scope with all that runs in it, its clock first, or gives the one that is open. The
    /// surface asks for every scope here, so that no request meets a clock that was not wound up.
    fn open(&self, scope: ScopeId) -> Going<'_, Arc<Scope>>;

    /// Takes a message in: the bytes are its JSON at the commit, kept as the message's first body.
    fn send(&self, scope: Arc<Scope>, request: Box<SendMessage>, claim: Claim) -> Going<'_, Taken<Vec<u8>>>;

    /// Takes a batch in, in one change: the bytes are the whole answer,
    /// `{"data": [{"status": 202, "message": …}, {"status": 422, "error": …}]}`. `refuse` turns a
    /// refusal of one item into its status and problem.
    fn send_batch<'a>(
        &'a self,
        scope: Arc<Scope>,
        items: Vec<BatchItem>,
        claim: Claim,
        refuse: &'a (dyn Fn(Refusal) -> (u16, Value) + Send + Sync),
    ) -> Going<'a, Taken<Vec<u8>>>;

    /// The bytes of an answer that is kept by reference to first bodies; `None` once the person was
    /// erased.
    fn kept_body(&self, scope: Arc<Scope>, kept: KeptAnswer) -> Going<'_, Option<Vec<u8>>>;

    /// A message.
    fn message(&self, scope: Arc<Scope>, id: Id<kinds::Message>) -> Going<'_, Message>;

    /// A list of messages.
    fn messages(&self, scope: Arc<Scope>, filter: MessageFilter, page: Page) -> Going<'_, Listed<Message>>;

    /// Takes a message back. The answer is kept with status 200.
    fn cancel(&self, scope: Arc<Scope>, id: Id<kinds::Message>, claim: Claim) -> Going<'_, Taken<Vec<u8>>>;

    /// Confirms a message on the caller's word. The answer is kept with status 200.
    fn confirm(
        &self,
        scope: Arc<Scope>,
        id: Id<kinds::Message>,
        what: Confirm,
        claim: Claim,
    ) -> Going<'_, Taken<Vec<u8>>>;

    /// Transitions of a message, upwards by `seq`, and whether there are more in the direction
    /// asked for.
    fn transitions(
        &self,
        scope: Arc<Scope>,
        id: Id<kinds::Message>,
        page: SeqPage,
    ) -> Going<'_, (Vec<Transition>, bool)>;

    /// An event.
    fn event(&self, scope: Arc<Scope>, id: Id<kinds::Event>) -> Going<'_, Event>;

    /// A list of events.
    fn events(&self, scope: Arc<Scope>, filter: EventFilter, page: Page) -> Going<'_, Listed<Event>>;

    /// Cancels what is on its way to a contact and erases the contact: commits `change` (which
    /// holds what the surface adds: the kept answer and the audit) with the contact's row, its
    /// addresses' subjects and its own gone.
    fn erase(&self, scope: Arc<Scope>, contact: Id<kinds::Contact>, change: Change) -> Going<'_, Taken<()>>;

    /// Something was changed, durably, that the engine may hold in memory.
    fn changed(&self, scope: ScopeId, what: Changed);

    /// The breakers of the scope's providers by name. One that never moved may be missing: it is
    /// closed.
    fn breakers(&self, scope: Arc<Scope>) -> Going<'_, BTreeMap<String, Breaker>>;

    /// Closes a provider's breaker, committing `change` with it.
    fn reset_breaker(&self, scope: Arc<Scope>, provider: String, change: Change) -> Going<'_, Taken<()>>;

    /// How many of each quota are used up in the windows of the day and of the month, those under
    /// way not counted: `messages` or a channel's name, then both counts.
    fn usage(&self, scope: Arc<Scope>) -> Going<'_, BTreeMap<String, (u64, u64)>>;

    /// The scope's test clock.
    fn test_clock(&self, scope: Arc<Scope>) -> Going<'_, TestClock>;

    /// Moves the test clock on and does what becomes due on the way. The answer is kept with status
    /// 200 and the clock's JSON.
    fn advance(&self, scope: Arc<Scope>, by: Span, claim: Claim) -> Going<'_, Taken<TestClock>>;

    /// A reply of a person, under a test key. The answer, an empty object, is kept with status 202.
    fn reply(&self, scope: Arc<Scope>, reply: TestReply, claim: Claim) -> Going<'_, Taken<()>>;

    /// What a provider sent to its callback address: receipts and replies.
    fn callback(
        &self,
        provider: Id<kinds::Provider>,
        headers: reqwest::header::HeaderMap,
        body: Vec<u8>,
    ) -> Going<'_, ()>;

    /// Whether an address may be called from here: what is wrong with it, for its owner.
    fn check_url<'a>(&'a self, url: &'a str) -> Going<'a, Option<String>>;

    /// All faults of a provider's settings and credentials, where its URLs lead among them, with
    /// pointers from `/settings`, `/credentials` and `/kind`; else what the kind can do.
    fn check_provider<'a>(
        &'a self,
        kind: &'a str,
        settings: &'a Value,
        credentials: &'a Value,
    ) -> Going<'a, ProviderKind>;
}

/// What a kind of provider can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderKind {
    /// The channels it can carry.
    pub channels: Vec<Channel>,
    /// What it confirms on each where the provider does not say otherwise.
    pub confirms: BTreeMap<Channel, Vec<crate::model::Confirmation>>,
}
