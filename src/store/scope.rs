//! The interface to a scope's rows, and to the store as a whole.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::watch;

use crate::model::{Channel, Id, Instant, ScopeId, kinds};

use super::registry::Registry;
use super::rows::{
    AddressHash, AuditRow, ClockRow, ConsentRow, ContactRow, DeliveryFilter, DeliveryRow, DueMessage,
    EarlyReceiptRow, EndpointRow, EventFilter, IdempotencyKey, Kept, MessageFilter, ProviderRow,
    ProviderStateRow, QuotaRow, StoredAttempt, StoredEvent, StoredJournal, StoredMessage, StoredSignal,
    SubjectId, UsageRow, VersionKind, VersionName, VersionRow,
};
use super::seal::Scope;
use super::{
    Alone, Change, Committed, Dropped, Generation, Listed, Nodes, Old, Page, Position, PrunedAudit,
    StoreError,
};

/// What a call of the store gives, some time later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// An open store.
pub trait Store: Send + Sync {
    /// The installation's rows.
    fn registry(&self) -> Arc<dyn Registry>;
    /// Opens a scope, or gives the one that is open. No row of another scope can be reached
    /// through it.
    fn scope(&self, id: ScopeId) -> Answer<'_, Arc<Scope>>;
    /// The nodes that share it.
    fn nodes(&self) -> Arc<dyn Nodes> {
        Arc::new(Alone::default())
    }
    /// Whether the store was closed cleanly the last time. After an unclean stop every scope is to
    /// be opened once, since `wake_at` in the registry may be too late.
    fn was_clean(&self) -> bool;
    /// Closes scopes that nobody holds and that were not used for five minutes, drops early receipts
    /// that are old enough, and counters of quotas whose window began more than
    /// [`super::USAGE_KEPT`] ago (what is held stays), merges look-ups. `now` is real time. To be called
    /// about each half minute.
    fn tidy(&self, now: Instant) -> Answer<'_, ()>;
    /// Writes what waits, closes every file and notes that the stop was clean.
    fn close(&self) -> Answer<'_, ()>;
}

/// The rows of one scope.
///
/// What was committed before a read began is seen by it.
pub trait ScopeRows: Send + Sync {
    /// Writes a change and answers once it is durable.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where a row was not as expected; [`StoreError::Stale`] where what it
    /// was decided on is not so any more; [`StoreError::Full`], [`StoreError::Overloaded`] and
    /// [`StoreError::Unavailable`], which may be tried again; [`StoreError::Fenced`] and
    /// [`StoreError::Failed`], which are final for this process. In all of them nothing of the change was written, but in the last, where
    /// it is unknown.
    fn commit(&self, change: Change) -> Answer<'_, Committed>;
    /// The position of the newest event that is durable; changes when there are new ones.
    fn newest_event(&self) -> watch::Receiver<Position>;
    /// Whether a commit failed for good, so that no more are taken.
    fn has_failed(&self) -> bool;
    /// Brings the look-ups that are in memory into the database now, instead of when there are
    /// enough of them.
    fn merge_lookups(&self) -> Answer<'_, ()>;

    /// The record of an idempotency key.
    fn idempotency(&self, key: IdempotencyKey) -> Answer<'_, Option<Kept>>;
    /// The largest id that any row of the scope holds, above which new ids must begin.
    fn largest_id(&self) -> Answer<'_, u128>;

    /// A message by its id.
    fn message(&self, id: Id<kinds::Message>) -> Answer<'_, Option<StoredMessage>>;
    /// A message by its position.
    fn message_at(&self, n: Position) -> Answer<'_, Option<StoredMessage>>;
    /// The body of the first answer, as it was handed in.
    fn first_body(&self, id: Id<kinds::Message>) -> Answer<'_, Option<Vec<u8>>>;
    /// A list of messages.
    fn messages(&self, filter: MessageFilter, page: Page) -> Answer<'_, Listed<StoredMessage>>;
    /// This node's messages that are due up to `until`, live ones and those that have ended and are
    /// unsettled, in the order of their instants and positions, those after the pair `after` alone.
    fn due(
        &self,
        until: Instant,
        after: Option<(Instant, Position)>,
        limit: u32,
    ) -> Answer<'_, Vec<DueMessage>>;
    /// The same of the messages of all nodes.
    fn due_anywhere(
        &self,
        until: Instant,
        after: Option<(Instant, Position)>,
        limit: u32,
    ) -> Answer<'_, Vec<DueMessage>>;
    /// Live messages of all nodes in the order of their positions, those after `after` alone: for what is to be
    /// held again in memory after a start.
    fn live(&self, after: Position, limit: u32) -> Answer<'_, Vec<StoredMessage>>;
    /// Live messages of a contact.
    fn live_of_contact(&self, contact: Id<kinds::Contact>) -> Answer<'_, Vec<StoredMessage>>;
    /// The earliest instant at which a message of this node is due, live or unsettled.
    fn next_due(&self) -> Answer<'_, Option<Instant>>;

    /// The attempts of a message, in order, with their newest outcomes.
    fn attempts(&self, message: Position) -> Answer<'_, Vec<StoredAttempt>>;
    /// Attempts that have no outcome, of this node's messages that are live or unsettled, in the order of
    /// their messages, those after
    /// the pair `after` (position of the message, position of the attempt) alone.
    fn unfinished(&self, after: Option<(Position, Position)>, limit: u32) -> Answer<'_, Vec<StoredAttempt>>;
    /// An attempt by its id.
    fn attempt(&self, id: Id<kinds::Attempt>) -> Answer<'_, Option<StoredAttempt>>;
    /// Attempts that this provider took under this id of its own, newest first.
    fn attempts_by_provider_id(&self, provider: &str, id: &str) -> Answer<'_, Vec<StoredAttempt>>;
    /// Attempts to this address on this channel made at `since` or later, newest first.
    fn attempts_to(
        &self,
        channel: Channel,
        address: AddressHash,
        since: Instant,
        limit: u32,
    ) -> Answer<'_, Vec<StoredAttempt>>;

    /// The journal of a message from a transition on, in order.
    fn journal(&self, message: Position, from_seq: u64, limit: u32) -> Answer<'_, Vec<StoredJournal>>;
    /// The scope's whole journal in the order of its commits.
    fn journal_after(&self, after: Position, limit: u32) -> Answer<'_, Vec<StoredJournal>>;

    /// An event by its id.
    fn event(&self, id: Id<kinds::Event>) -> Answer<'_, Option<StoredEvent>>;
    /// A list of events.
    fn events(&self, filter: EventFilter, page: Page) -> Answer<'_, Listed<StoredEvent>>;
    /// Events after a position, oldest first.
    fn events_after(&self, after: Position, limit: u32) -> Answer<'_, Vec<StoredEvent>>;

    /// An endpoint.
    fn endpoint(&self, id: Id<kinds::Endpoint>) -> Answer<'_, Option<EndpointRow>>;
    /// A list of endpoints.
    fn endpoints(&self, page: Page) -> Answer<'_, Listed<EndpointRow>>;
    /// A delivery.
    fn delivery(&self, id: Id<kinds::Delivery>) -> Answer<'_, Option<DeliveryRow>>;
    /// A list of deliveries.
    fn deliveries(&self, filter: DeliveryFilter, page: Page) -> Answer<'_, Listed<DeliveryRow>>;
    /// Pending deliveries with `next_try_at` up to `until`, in that order, of this endpoint alone
    /// where one is given.
    fn deliveries_due(
        &self,
        endpoint: Option<Id<kinds::Endpoint>>,
        until: Instant,
        limit: u32,
    ) -> Answer<'_, Vec<DeliveryRow>>;
    /// The earliest `next_try_at`, of this endpoint alone where one is given.
    fn next_try(&self, endpoint: Option<Id<kinds::Endpoint>>) -> Answer<'_, Option<Instant>>;

    /// A contact.
    fn contact(&self, id: Id<kinds::Contact>) -> Answer<'_, Option<ContactRow>>;
    /// A list of contacts, of this `external_id` alone where one is given.
    fn contacts(&self, external_id: Option<&str>, page: Page) -> Answer<'_, Listed<ContactRow>>;
    /// What is known of these addresses; nothing for those of which nothing is known.
    fn consents(&self, addresses: &[(Channel, AddressHash)]) -> Answer<'_, Vec<ConsentRow>>;

    /// A version of a template or policy; the newest without one. With a version, also one whose
    /// name is deleted: compare it with [`VersionName::deleted`] where a caller asks.
    fn version(&self, kind: VersionKind, name: &str, version: Option<u32>) -> Answer<'_, Option<VersionRow>>;
    /// What is known of a name, also of a deleted one.
    fn version_name(&self, kind: VersionKind, name: &str) -> Answer<'_, Option<VersionName>>;
    /// The versions of a name that stands, newest first.
    fn versions(&self, kind: VersionKind, name: &str, page: Page) -> Answer<'_, Listed<VersionRow>>;
    /// The newest version of each name that stands, in the order of the names' first versions.
    fn newest_versions(&self, kind: VersionKind, page: Page) -> Answer<'_, Listed<VersionRow>>;

    /// A provider by its name.
    fn provider(&self, name: &str) -> Answer<'_, Option<ProviderRow>>;
    /// A provider by its id.
    fn provider_by_id(&self, id: Id<kinds::Provider>) -> Answer<'_, Option<ProviderRow>>;
    /// A list of providers.
    fn providers(&self, page: Page) -> Answer<'_, Listed<ProviderRow>>;
    /// The health of all providers.
    fn provider_states(&self) -> Answer<'_, Vec<ProviderStateRow>>;

    /// All limits.
    fn quotas(&self) -> Answer<'_, Vec<QuotaRow>>;
    /// All counters of windows that began at `since` or later.
    fn usage(&self, since: Instant) -> Answer<'_, Vec<UsageRow>>;
    /// The scope's clock.
    fn clock(&self) -> Answer<'_, ClockRow>;
    /// Receipts that came too early and wait for this id.
    fn early_receipts(&self, provider: &str, id: &str) -> Answer<'_, Vec<EarlyReceiptRow>>;
    /// The scope's audit, newest first.
    fn audit(&self, page: Page) -> Answer<'_, Listed<AuditRow>>;
    /// The scope's audit in its own order, after a position: to check the chain.
    fn audit_after(&self, after: Position, limit: u32) -> Answer<'_, Vec<super::Positioned<AuditRow>>>;

    /// The newest generation that this node knows, without asking.
    fn generation(&self) -> Generation {
        Generation::default()
    }
    /// The generation that stands.
    fn read_generation(&self) -> Answer<'_, Generation> {
        Box::pin(async { Ok(Generation::default()) })
    }
    /// Makes this node the owner of messages whose owner's lease has ended, live ones and unsettled ones,
    /// and gives them as they are now. Their versions are raised, so that nothing which the old owner has in hand can
    /// be written. Fewer than `limit`: there are no more.
    fn adopt(&self, limit: u32) -> Answer<'_, Vec<StoredMessage>> {
        let _ = limit;
        Box::pin(async { Ok(Vec::new()) })
    }
    /// Signals for this node, oldest first, those after `after` alone: of messages that it owns, and
    /// of those that have ended and are settled.
    fn signals(&self, after: Position, limit: u32) -> Answer<'_, Vec<StoredSignal>> {
        let _ = (after, limit);
        Box::pin(async { Ok(Vec::new()) })
    }
    /// Whether a signal still waits.
    fn signal_waits(&self, n: Position) -> Answer<'_, bool> {
        let _ = n;
        Box::pin(async { Ok(false) })
    }
    /// Takes a duty of the scope for this node, until it is let go or the lease ends; whether this
    /// node has it now.
    fn claim(&self, name: &str) -> Answer<'_, bool> {
        let _ = name;
        Box::pin(async { Ok(true) })
    }
    /// Lets a duty go, if this node has it.
    fn unclaim(&self, name: &str) -> Answer<'_, ()> {
        let _ = name;
        Box::pin(async { Ok(()) })
    }

    /// Drops some of what is old: looks at `limit` rows at most, and drops of these what may go.
    fn drop_old(&self, what: Old, limit: u32) -> Answer<'_, Dropped> {
        let _ = (what, limit);
        Box::pin(async { Ok(Dropped::default()) })
    }
    /// Positions of messages that were dropped and whose journal is there, in order, those after `after`
    /// alone.
    fn dropped_with_journal(&self, after: Position, limit: u32) -> Answer<'_, Vec<Position>> {
        let _ = (after, limit);
        Box::pin(async { Ok(Vec::new()) })
    }
    /// Where the chains of the audit begin.
    fn pruned(&self) -> Answer<'_, PrunedAudit> {
        Box::pin(async { Ok(PrunedAudit::default()) })
    }

    /// The sealed keys of these subjects; nothing for those without one.
    fn subjects(&self, ids: &[SubjectId]) -> Answer<'_, Vec<(SubjectId, Vec<u8>)>>;
}
