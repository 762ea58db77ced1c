//! Reads, as every database answers them: what is asked, and how rows are read.
//!
//! A database is a [`Source`]. What differs between databases is said there; the questions
//! themselves are methods of `dyn Source`.

pub(in crate::store) mod attempts;
pub(super) mod decode;
mod gather;
mod messages;
mod objects;
mod outbox;
mod question;
pub(super) mod registry;

use futures_util::future::BoxFuture;

pub(super) use decode::Columns;
pub(super) use gather::Gather;
pub(super) use question::{Question, Value};

use self::decode::Row;
use super::lookup::Kind;
use super::rows::{AddressHash, ConsentRow, ContactRow, SubjectId};
use super::{Listed, NodeId, Page, PageStart, Position, Positioned, StoreError};
use crate::model::{Channel, Id, kinds};

/// What is done with each row of an answer.
pub(super) type Each<'a> = &'a mut (dyn FnMut(Row<'_>) -> Result<(), StoreError> + Send);

/// Where one scope's rows are read.
pub(super) trait Source: Send + Sync {
    /// Asks, and hands over each row of the answer.
    fn ask<'a>(&'a self, question: Question, each: Each<'a>) -> BoxFuture<'a, Result<(), StoreError>>;

    /// The positions that a look-up beside the tables gives, newest first; `None` where the tables
    /// have an index themselves. The rows may be others with the same hash, or gone: the caller
    /// looks.
    fn look_up(&self, kind: Kind, hash: i64) -> BoxFuture<'_, Result<Option<Vec<Position>>, StoreError>>;

    /// What is asked together where many ask at once; `None` where a question costs no round trip.
    fn gathers(&self) -> Option<&Gathers> {
        None
    }

    /// The node whose messages are asked for where a node's own are; `None` where all are.
    fn node(&self) -> Option<NodeId>;

    /// The expression that gives a message's owner, `live` being `l` and `ended` `e`.
    fn owner_column(&self) -> &'static str;

    /// Whether it can be said here that a part of the audit was removed.
    fn has_pruned(&self) -> bool;

    /// Whether it can be said here that a message which has ended is unsettled.
    fn has_unsettled(&self) -> bool;

    /// `SELECT name, win, start, used, told, held FROM …`: the counters of quotas.
    fn usage_select(&self) -> &'static str;

    /// `SELECT provider, doc, version FROM …`: the health of providers.
    fn health_select(&self) -> &'static str;
}

/// Single rows that every message may need.
#[derive(Default)]
pub(super) struct Gathers {
    contacts: Gather<Id<kinds::Contact>, ContactRow>,
    consents: Gather<(Channel, AddressHash), ConsentRow>,
    subjects: Gather<SubjectId, Vec<u8>>,
}

/// How a row is read.
type Decode<T> = fn(Row<'_>) -> Result<T, StoreError>;

impl dyn Source + '_ {
    /// All rows of an answer.
    async fn all<T: Send>(&self, question: Question, decode: Decode<T>) -> Result<Vec<T>, StoreError> {
        let mut rows = Vec::new();
        self.ask(question, &mut |row| {
            rows.push(decode(row)?);
            Ok(())
        })
        .await?;
        Ok(rows)
    }

    /// The first row of an answer, if there is one.
    async fn one<T: Send>(&self, question: Question, decode: Decode<T>) -> Result<Option<T>, StoreError> {
        let mut first = None;
        self.ask(question, &mut |row| {
            if first.is_none() {
                first = Some(decode(row)?);
            }
            Ok(())
        })
        .await?;
        Ok(first)
    }

    /// A page by a column that holds positions.
    async fn page<T: Send>(
        &self,
        question: Question,
        column: &'static str,
        page: Page,
        decode: Decode<Positioned<T>>,
    ) -> Result<Listed<T>, StoreError> {
        let rows = self.all(paged(question, column, page), decode).await?;
        Ok(listed(rows, page))
    }
}

/// One row more than the page has, in the direction in which it is asked for.
pub(super) fn paged(question: Question, column: &'static str, page: Page) -> Question {
    let limit = i64::from(page.limit) + 1;
    let question = question.listed_by(column);
    match page.start {
        PageStart::Newest => question.end(&format!("ORDER BY {column} DESC LIMIT ?"), limit),
        PageStart::After(n) => {
            question.and(&format!("{column} < ?"), n).end(&format!("ORDER BY {column} DESC LIMIT ?"), limit)
        }
        PageStart::Before(n) => {
            question.and(&format!("{column} > ?"), n).end(&format!("ORDER BY {column} LIMIT ?"), limit)
        }
    }
}

/// The page, newest first, of rows in the direction in which they were asked for.
pub(super) fn listed<T>(mut rows: Vec<Positioned<T>>, page: Page) -> Listed<T> {
    let limit = page.limit as usize;
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    if matches!(page.start, PageStart::Before(_)) {
        rows.reverse();
    }
    Listed { rows, has_more }
}

/// The reads of [`super::ScopeRows`], for a type with a method `source` that gives a [`Source`].
macro_rules! reads {
    () => {
        reads! {
            fn idempotency(key: $crate::store::rows::IdempotencyKey) -> Option<$crate::store::rows::Kept>;
            fn largest_id() -> u128;
            fn message(id: $crate::model::Id<$crate::model::kinds::Message>) -> Option<$crate::store::rows::StoredMessage>;
            fn message_at(n: $crate::store::Position) -> Option<$crate::store::rows::StoredMessage>;
            fn first_body(id: $crate::model::Id<$crate::model::kinds::Message>) -> Option<Vec<u8>>;
            fn messages(filter: $crate::store::rows::MessageFilter, page: $crate::store::Page) -> $crate::store::Listed<$crate::store::rows::StoredMessage>;
            fn due(until: $crate::model::Instant, after: Option<($crate::model::Instant, $crate::store::Position)>, limit: u32) -> Vec<$crate::store::rows::DueMessage>;
            fn due_anywhere(until: $crate::model::Instant, after: Option<($crate::model::Instant, $crate::store::Position)>, limit: u32) -> Vec<$crate::store::rows::DueMessage>;
            fn live(after: $crate::store::Position, limit: u32) -> Vec<$crate::store::rows::StoredMessage>;
            fn live_of_contact(contact: $crate::model::Id<$crate::model::kinds::Contact>) -> Vec<$crate::store::rows::StoredMessage>;
            fn next_due() -> Option<$crate::model::Instant>;
            fn attempts(message: $crate::store::Position) -> Vec<$crate::store::rows::StoredAttempt>;
            fn unfinished(after: Option<($crate::store::Position, $crate::store::Position)>, limit: u32) -> Vec<$crate::store::rows::StoredAttempt>;
            fn attempt(id: $crate::model::Id<$crate::model::kinds::Attempt>) -> Option<$crate::store::rows::StoredAttempt>;
            fn attempts_to(channel: $crate::model::Channel, address: $crate::store::rows::AddressHash, since: $crate::model::Instant, limit: u32) -> Vec<$crate::store::rows::StoredAttempt>;
            fn journal(message: $crate::store::Position, from_seq: u64, limit: u32) -> Vec<$crate::store::rows::StoredJournal>;
            fn journal_after(after: $crate::store::Position, limit: u32) -> Vec<$crate::store::rows::StoredJournal>;
            fn event(id: $crate::model::Id<$crate::model::kinds::Event>) -> Option<$crate::store::rows::StoredEvent>;
            fn events(filter: $crate::store::rows::EventFilter, page: $crate::store::Page) -> $crate::store::Listed<$crate::store::rows::StoredEvent>;
            fn events_after(after: $crate::store::Position, limit: u32) -> Vec<$crate::store::rows::StoredEvent>;
            fn endpoint(id: $crate::model::Id<$crate::model::kinds::Endpoint>) -> Option<$crate::store::rows::EndpointRow>;
            fn endpoints(page: $crate::store::Page) -> $crate::store::Listed<$crate::store::rows::EndpointRow>;
            fn delivery(id: $crate::model::Id<$crate::model::kinds::Delivery>) -> Option<$crate::store::rows::DeliveryRow>;
            fn deliveries(filter: $crate::store::rows::DeliveryFilter, page: $crate::store::Page) -> $crate::store::Listed<$crate::store::rows::DeliveryRow>;
            fn deliveries_due(endpoint: Option<$crate::model::Id<$crate::model::kinds::Endpoint>>, until: $crate::model::Instant, limit: u32) -> Vec<$crate::store::rows::DeliveryRow>;
            fn next_try(endpoint: Option<$crate::model::Id<$crate::model::kinds::Endpoint>>) -> Option<$crate::model::Instant>;
            fn contact(id: $crate::model::Id<$crate::model::kinds::Contact>) -> Option<$crate::store::rows::ContactRow>;
            fn provider_by_id(id: $crate::model::Id<$crate::model::kinds::Provider>) -> Option<$crate::store::rows::ProviderRow>;
            fn providers(page: $crate::store::Page) -> $crate::store::Listed<$crate::store::rows::ProviderRow>;
            fn provider_states() -> Vec<$crate::store::rows::ProviderStateRow>;
            fn newest_versions(kind: $crate::store::rows::VersionKind, page: $crate::store::Page) -> $crate::store::Listed<$crate::store::rows::VersionRow>;
            fn quotas() -> Vec<$crate::store::rows::QuotaRow>;
            fn usage(since: $crate::model::Instant) -> Vec<$crate::store::rows::UsageRow>;
            fn clock() -> $crate::store::rows::ClockRow;
            fn dropped_with_journal(after: $crate::store::Position, limit: u32) -> Vec<$crate::store::Position>;
            fn pruned() -> $crate::store::PrunedAudit;
            fn audit(page: $crate::store::Page) -> $crate::store::Listed<$crate::store::rows::AuditRow>;
            fn audit_after(after: $crate::store::Position, limit: u32) -> Vec<$crate::store::Positioned<$crate::store::rows::AuditRow>>;
        }
        reads! {
            borrowed:
            fn attempts_by_provider_id(provider: &str, id: &str) -> Vec<$crate::store::rows::StoredAttempt>;
            fn early_receipts(provider: &str, id: &str) -> Vec<$crate::store::rows::EarlyReceiptRow>;
            fn provider(name: &str) -> Option<$crate::store::rows::ProviderRow>;
            fn consents(addresses: &[($crate::model::Channel, $crate::store::rows::AddressHash)]) -> Vec<$crate::store::rows::ConsentRow>;
            fn subjects(ids: &[$crate::store::rows::SubjectId]) -> Vec<($crate::store::rows::SubjectId, Vec<u8>)>;
        }

        fn contacts(&self, external_id: Option<&str>, page: $crate::store::Page) -> $crate::store::Answer<'_, $crate::store::Listed<$crate::store::rows::ContactRow>> {
            let external_id = external_id.map(str::to_owned);
            Box::pin(async move { self.source().contacts(external_id.as_deref(), page).await })
        }

        fn version(&self, kind: $crate::store::rows::VersionKind, name: &str, version: Option<u32>) -> $crate::store::Answer<'_, Option<$crate::store::rows::VersionRow>> {
            let name = name.to_owned();
            Box::pin(async move { self.source().version(kind, &name, version).await })
        }

        fn version_name(&self, kind: $crate::store::rows::VersionKind, name: &str) -> $crate::store::Answer<'_, Option<$crate::store::rows::VersionName>> {
            let name = name.to_owned();
            Box::pin(async move { self.source().version_name(kind, &name).await })
        }

        fn versions(&self, kind: $crate::store::rows::VersionKind, name: &str, page: $crate::store::Page) -> $crate::store::Answer<'_, $crate::store::Listed<$crate::store::rows::VersionRow>> {
            let name = name.to_owned();
            Box::pin(async move { self.source().versions(kind, &name, page).await })
        }
    };
    ($(fn $name:ident($($argument:ident: $of:ty),*) -> $gives:ty;)+) => {
        $(fn $name(&self $(, $argument: $of)*) -> $crate::store::Answer<'_, $gives> {
            Box::pin(self.source().$name($($argument),*))
        })+
    };
    (borrowed: $(fn $name:ident($($argument:ident: &$of:ty),*) -> $gives:ty;)+) => {
        $(fn $name(&self $(, $argument: &$of)*) -> $crate::store::Answer<'_, $gives> {
            $(let $argument = $argument.to_owned();)*
            Box::pin(async move { self.source().$name($(&$argument),*).await })
        })+
    };
}
pub(super) use reads;
