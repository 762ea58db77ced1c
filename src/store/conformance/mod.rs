//! What every back end of the store has to do, written over the interface alone.
//!
//! A back end implements [`Backend`] in its tests and calls [`conformance!`]; each case is then one
//! test of it.

mod changes;
mod lists;
mod lookups;
mod nodes;
mod objects;
mod retention;
mod scopes;

use std::sync::Arc;

use crate::model::{Channel, Currency, Environment, Id, Instant, Outcome, Priority, Status, kinds};
use crate::store::rows::{
    AttemptRow, EndedState, EventRow, IdempotencyKey, JournalRow, Kept, KeptAnswer, LiveState, MessageRow,
    Names, OutcomeRow, StoredMessage,
};
use crate::store::seal::Scope;
use crate::store::{
    Answer, Applied, Change, MessageChange, MessageStep, Page, PageStart, Position, Store, StoreError,
    TenantRow,
};

pub(super) use changes::*;
pub(super) use lists::*;
pub(super) use lookups::*;
pub(super) use nodes::*;
pub(super) use objects::*;
pub(super) use retention::*;
pub(super) use scopes::*;

/// A back end under test, with one place where its data is. Where it is shared, each opening is a
/// node of its own.
pub(super) trait Backend: Send + Sync {
    /// Opens the store there.
    fn open(&self) -> Answer<'_, Arc<dyn Store>>;
    /// Opens a copy of what a kill at this moment would leave behind.
    fn open_after_crash(&self) -> Answer<'_, Arc<dyn Store>>;
}

/// Makes a test of each case for a back end.
macro_rules! conformance {
    ($backend:expr; $($case:ident)+) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            $crate::store::conformance::$case(&$backend).await;
        })+
    };
    ($backend:expr) => {
        conformance! { $backend;
            what_is_committed_is_read_back
            concurrent_changes_are_all_written_once
            a_bad_change_fails_alone
            a_change_is_written_whole_or_not_at_all
            one_key_is_one_mutation
            a_version_that_was_not_seen_is_a_conflict
            what_was_answered_survives_a_crash
            largest_id_is_above_all
            pages_do_not_move
            filters_narrow
            due_is_in_order
            unfinished_attempts_are_those_of_live_messages
            what_is_unsettled_is_due_until_it_is_settled
            events_are_read_on
            lookups_find_before_and_after_a_merge
            a_reply_finds_the_newest_attempt
            contacts_are_changed_under_a_version
            versions_count_on
            providers_and_endpoints
            no_more_endpoints_are_made_than_may_be
            deliveries_are_tried_and_die
            usage_adds_up
            counters_of_old_windows_go
            places_of_a_quota_are_taken_in_the_transaction
            the_audit_is_a_chain
            consents_outlive
            early_receipts_wait
            the_clock_is_kept
            scopes_do_not_see_each_other
            sealed_data_opens_for_its_subject_alone
            an_erased_subject_stays_erased
            tenants_and_keys
            registry_keys_are_idempotent
            idle_scopes_close_and_leave_word
        }
    };
}
pub(super) use conformance;

/// Makes a test of each case about dropping what is old, for a back end that does.
macro_rules! retention_conformance {
    ($backend:expr) => {
        $crate::store::conformance::conformance! { $backend;
            old_messages_go_with_all_that_is_theirs
            old_messages_stay_while_they_are_unsettled
            what_is_still_to_be_delivered_stays
            old_events_go_without_their_messages
            old_answers_go_and_their_keys_are_free
            old_answers_of_the_registry_go
        }
    };
}
pub(super) use retention_conformance;

/// Makes a test of each case for a back end that nodes share.
macro_rules! conformance_of_shared {
    ($backend:expr) => {
        conformance! { $backend;
            a_commit_makes_the_owner
            what_a_node_leaves_is_adopted_once
            what_a_node_leaves_unsettled_is_adopted_as_well
            no_more_endpoints_are_made_than_may_be_by_all_nodes
            a_lease_that_ran_out_fences
            signals_wait_for_the_owner
            facts_that_changed_are_stale
            no_more_is_taken_than_there_is
            places_held_count_and_come_back
            a_duty_is_one_nodes
            health_follows_its_version
            events_of_other_nodes_are_followed
        }
    };
}
pub(super) use conformance_of_shared;

/// The start of all times in the tests: a Monday.
pub(super) const T0: i64 = 1_767_614_400_000;

/// So many milliseconds after the start.
pub(super) fn at(ms: i64) -> Instant {
    Instant::from_ms(T0 + ms)
}

/// An id of any kind.
pub(super) fn id<K>(number: u64) -> Id<K> {
    Id::from_u128((u128::from(T0 as u64) << 80) | u128::from(number))
}

/// A tenant.
pub(super) fn tenant(number: u64) -> TenantRow {
    TenantRow {
        id: id(number),
        name: format!("tenant {number}"),
        timezone: "UTC".into(),
        currency: Currency::EUR,
        created_at: at(0),
    }
}

/// A store with one tenant, and its test scope.
pub(super) async fn scope(backend: &dyn Backend) -> (Arc<dyn Store>, Arc<Scope>) {
    let store = backend.open().await.unwrap();
    let scopes = store.registry().make_tenant(tenant(1)).await.unwrap();
    let test = scopes.iter().find(|scope| scope.environment == Environment::Test).unwrap().id;
    let scope = store.scope(test).await.unwrap();
    (store, scope)
}

/// A message.
pub(super) fn message(number: u64) -> MessageRow {
    MessageRow {
        id: id(number),
        created_at: at(number as i64),
        expires_at: Some(at(1_000_000)),
        contact: None,
        template: Some(Names { name: "reminder".into(), version: 3 }),
        policy: Some(Names { name: "fallback".into(), version: 7 }),
        priority: Priority::Normal,
        channels: vec![Channel::Sms],
        doc: format!("doc {number}").into_bytes(),
        first_body: format!("first body {number}").into_bytes(),
    }
}

/// A live state.
pub(super) fn live(status: Status, due_at: Option<i64>) -> LiveState {
    LiveState { status, due_at: due_at.map(at), state: b"instance".to_vec() }
}

/// An ended state.
pub(super) fn ended(status: Status) -> EndedState {
    EndedState { status, at: at(5), state: b"final".to_vec() }
}

/// A journal row.
pub(super) fn journal(seq: u64) -> JournalRow {
    JournalRow {
        seq,
        count: 2,
        at: at(1),
        body: format!("journal {seq}").into_bytes(),
        hash: [seq as u8; 32],
    }
}

/// An event.
pub(super) fn event(number: u64, kind: &str) -> EventRow {
    EventRow {
        id: id(number),
        kind: kind.into(),
        at: at(number as i64),
        sequence: Some(1),
        data: format!("data {number}").into_bytes(),
    }
}

/// An attempt.
pub(super) fn attempt(number: u64) -> AttemptRow {
    AttemptRow {
        id: id(number),
        provider: "gateway".into(),
        channel: Channel::Sms,
        at: at(number as i64),
        address: None,
        doc: b"stage 1".to_vec(),
    }
}

/// An accepted outcome.
pub(super) fn accepted(number: u64, provider_message_id: &str) -> OutcomeRow {
    OutcomeRow {
        attempt: id(number),
        outcome: Outcome::Accepted,
        provider: "gateway".into(),
        provider_message_id: Some(provider_message_id.into()),
        at: at(2),
        detail: Some(b"sealed words".to_vec()),
    }
}

/// A kept answer.
pub(super) fn kept(key: u8, request: u8) -> Kept {
    Kept {
        key: IdempotencyKey([key; 16]),
        request: [request; 32],
        status: 202,
        answer: KeptAnswer::Plain(vec![request]),
        at: at(0),
    }
}

/// A change that takes in a message which goes on.
pub(super) fn begins(number: u64) -> Change {
    Change { messages: vec![begin(number)], ..Change::default() }
}

/// Its part.
pub(super) fn begin(number: u64) -> MessageChange {
    let step = MessageStep::Begin(Box::new(message(number)), live(Status::Queued, None));
    MessageChange {
        journal: vec![journal(1)],
        events: vec![event(number, "message.created")],
        ..MessageChange::new(step)
    }
}

/// A change of one message's state.
pub(super) fn step(step: MessageStep) -> Change {
    Change { messages: vec![MessageChange::new(step)], ..Change::default() }
}

/// Commits what must be written.
pub(super) async fn written(scope: &Scope, change: Change) -> Applied {
    scope.commit(change).await.unwrap().applied().unwrap().clone()
}

/// Commits what must be in conflict.
pub(super) async fn conflicts(scope: &Scope, change: Change) {
    match scope.commit(change).await {
        Err(StoreError::Conflict { .. }) => {}
        Err(error) => panic!("failed otherwise: {error}"),
        Ok(_) => panic!("was written"),
    }
}

/// A page from an end.
pub(super) fn newest(limit: u32) -> Page {
    Page { start: PageStart::Newest, limit }
}

/// A page of what is older.
pub(super) fn after(n: Position, limit: u32) -> Page {
    Page { start: PageStart::After(n), limit }
}

/// A page of what is newer.
pub(super) fn before(n: Position, limit: u32) -> Page {
    Page { start: PageStart::Before(n), limit }
}

/// The message that must be there.
pub(super) async fn stored(scope: &Scope, number: u64) -> StoredMessage {
    scope.message(id(number)).await.unwrap().unwrap()
}
