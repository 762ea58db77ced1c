//! What is old goes, and nothing that is still to be done.

use super::objects::endpoints;
use super::*;
use crate::store::rows::{DeliveryRow, DeliveryState, EndpointRow, EventFilter, IdempotencyKey};
use crate::store::{Dropped, EndpointChange, Old, Put};

const DAY: i64 = 86_400_000;

/// A message that was minted and ended at these instants, with an attempt, its outcome, and an event.
fn ends(number: u64, minted: i64, ended_at: i64) -> Change {
    let row = MessageRow { id: minted_at(minted, number), created_at: at(minted), ..message(number) };
    let state = EndedState { at: at(ended_at), ..ended(Status::Sent) };
    let mut part = MessageChange::new(MessageStep::BeginEnded(Box::new(row), state, None));
    part.journal.push(journal(1));
    part.attempts.push(attempt(number));
    part.outcomes.push(accepted(number, &format!("p-{number}")));
    part.events.push(EventRow { at: at(ended_at), ..event(number, "message.sent") });
    Change { messages: vec![part], keep: Some(keyed(number)), ..Change::default() }
}

fn minted_at<K>(ms: i64, number: u64) -> Id<K> {
    Id::from_u128((u128::from((T0 + ms) as u64) << 80) | u128::from(number))
}

fn keyed(number: u64) -> Kept {
    let answer = KeptAnswer::FirstBody(minted_at(0, number));
    Kept { key: IdempotencyKey(u128::from(number).to_le_bytes()), answer, ..kept(0, 0) }
}

fn endpoint(number: u64, enabled: bool) -> EndpointRow {
    EndpointRow { enabled, position: 0, ..super::objects::endpoint(number) }
}

/// A delivery of the event at a position to endpoint 1.
fn delivery(number: u64, event: Position, state: DeliveryState) -> DeliveryRow {
    let pending = state == DeliveryState::Pending;
    DeliveryRow {
        id: id(number),
        event,
        event_id: id(number),
        event_at: at(0),
        endpoint: id(1),
        version: 1,
        state,
        next_try_at: pending.then(|| at(7)),
        tries: b"[]".to_vec(),
    }
}

fn deliveries(row: DeliveryRow, expected: Option<u32>) -> Change {
    Change { deliveries: vec![Put { row, expected }], ..Change::default() }
}

fn old_messages(before: i64) -> Old {
    Old::Messages { ended_before: at(before), minted_before: at(before) }
}

/// Drops part after part until there is no more: how many went.
async fn dropped(scope: &Scope, what: Old, limit: u32) -> u64 {
    let mut sum = 0;
    for _ in 0..100 {
        let Dropped { dropped, more } = scope.drop_old(what, limit).await.unwrap();
        assert!(dropped <= u64::from(limit));
        sum += dropped;
        if !more {
            return sum;
        }
    }
    panic!("it does not come to an end");
}

async fn are_there(scope: &Scope) -> Vec<u64> {
    let rows = scope.messages(Default::default(), newest(100)).await.unwrap().rows;
    rows.iter().rev().map(|row| row.row.row.id.as_u128() as u64).collect()
}

async fn events_there(scope: &Scope) -> Vec<u64> {
    let rows = scope.events(EventFilter::default(), newest(100)).await.unwrap().rows;
    rows.iter().rev().map(|row| row.row.row.id.as_u128() as u64).collect()
}

pub(crate) async fn old_messages_stay_while_they_are_unsettled(backend: &dyn Backend) {
    let (_store, scope) = scope(backend).await;
    let mut unsettled = ends(1, 0, DAY);
    if let MessageStep::BeginEnded(_, _, due_at) = &mut unsettled.messages[0].step {
        *due_at = Some(at(9 * DAY));
    }
    let n = written(&scope, unsettled).await.messages[0];
    written(&scope, ends(2, 0, DAY)).await;
    assert_eq!(dropped(&scope, old_messages(5 * DAY), 10).await, 1);
    assert_eq!(are_there(&scope).await, [1]);
    let state = EndedState { at: at(DAY), ..ended(Status::Sent) };
    written(&scope, step(MessageStep::Amend { n, expected: 1, ended: state, unsettled: None })).await;
    assert_eq!(dropped(&scope, old_messages(5 * DAY), 10).await, 1);
}

pub(crate) async fn old_messages_go_with_all_that_is_theirs(backend: &dyn Backend) {
    let (store, mut scope) = scope(backend).await;
    let first = written(&scope, ends(1, 0, DAY)).await;
    let (n, event) = (first.messages[0], first.first_event);
    written(&scope, deliveries(delivery(1, event, DeliveryState::Delivered), None)).await;
    written(&scope, begins(2)).await;
    written(&scope, ends(3, 0, 5 * DAY)).await;
    written(&scope, ends(4, 5 * DAY, 5 * DAY)).await;
    scope.merge_lookups().await.unwrap();
    // Ended on that day, not before it; minted too late for its answer, though its clock is ahead.
    assert_eq!(dropped(&scope, old_messages(DAY), 10).await, 0);
    let ahead = Old::Messages { ended_before: at(9 * DAY), minted_before: at(0) };
    assert_eq!(dropped(&scope, ahead, 10).await, 0);
    assert_eq!(are_there(&scope).await, [1, 2, 3, 4]);

    assert_eq!(dropped(&scope, old_messages(2 * DAY), 10).await, 1);
    assert_eq!(are_there(&scope).await, [2, 3, 4]);
    assert_eq!(events_there(&scope).await, [2, 3, 4]);
    assert!(scope.message(id(1)).await.unwrap().is_none());
    assert!(scope.message_at(n).await.unwrap().is_none());
    assert!(scope.first_body(id(1)).await.unwrap().is_none());
    assert!(scope.attempts(n).await.unwrap().is_empty());
    assert!(scope.attempt(id(1)).await.unwrap().is_none());
    assert!(scope.attempts_by_provider_id("gateway", "p-1").await.unwrap().is_empty());
    assert!(scope.event(id(1)).await.unwrap().is_none());
    assert!(scope.delivery(id(1)).await.unwrap().is_none());
    // Who still has it in hand is told.
    let state = ended(Status::Delivered);
    conflicts(&scope, step(MessageStep::Amend { n, expected: 1, ended: state, unsettled: None })).await;
    // The audit keeps its transitions, and tells that it is gone.
    let journals = scope.journal(n, 0, 10).await.unwrap();
    assert!(journals.len() == 1 && journals[0].row == journal(1) && journals[0].message_id.is_none());
    assert_eq!(scope.dropped_with_journal(0, 10).await.unwrap(), [n]);
    assert!(scope.dropped_with_journal(n, 10).await.unwrap().is_empty());

    assert_eq!(dropped(&scope, old_messages(6 * DAY), 1).await, 2);
    assert_eq!(are_there(&scope).await, [2], "what is live is never old");
    // All that was given is remembered, also by those who open it later.
    let last = scope.dropped_with_journal(0, 10).await.unwrap().pop().unwrap();
    drop(scope.clone());
    let scope_id = scope.id();
    drop(scope);
    store.close().await.unwrap();
    drop(store);
    let store = backend.open().await.unwrap();
    scope = store.scope(scope_id).await.unwrap();
    let newest_event = *scope.newest_event().borrow();
    let again = written(&scope, ends(5, 0, 0)).await;
    assert!(again.messages[0] > last, "a position was given twice");
    assert!(again.first_event > newest_event && newest_event > event, "an event's position was given twice");
}

pub(crate) async fn what_is_still_to_be_delivered_stays(backend: &dyn Backend) {
    let (_store, scope) = scope(backend).await;
    written(&scope, endpoints(EndpointChange::Put(Put { row: endpoint(1, true), expected: None }))).await;
    written(&scope, endpoints(EndpointChange::Put(Put { row: endpoint(2, false), expected: None }))).await;
    let mut events = Vec::new();
    for number in 1..=5 {
        events.push(written(&scope, ends(number, 0, 0)).await.first_event);
    }
    // Nothing is passed, then all but the last. One that is disabled holds nothing.
    assert_eq!(dropped(&scope, old_messages(DAY), 10).await, 0);
    written(&scope, endpoints(EndpointChange::Advance(id(1), events[3]))).await;
    use DeliveryState::{Dead, Delivered, Pending};
    for (number, state) in [(1, Pending), (2, Dead), (3, Delivered)] {
        written(&scope, deliveries(delivery(number, events[number as usize - 1], state), None)).await;
    }
    // Part by part, past what must stay.
    assert_eq!(dropped(&scope, old_messages(DAY), 1).await, 2);
    assert_eq!(are_there(&scope).await, [1, 2, 5]);
    assert_eq!(events_there(&scope).await, [1, 2, 5]);
    assert_eq!(dropped(&scope, Old::Events { before: at(DAY) }, 1).await, 0);

    // The pending one arrives.
    let row = DeliveryRow { next_try_at: None, ..delivery(1, events[0], Delivered) };
    written(&scope, deliveries(row, Some(1))).await;
    assert_eq!(dropped(&scope, old_messages(DAY), 10).await, 1);
    // A dead letter of an endpoint that is gone can be sent nowhere; nor is there one to be passed.
    written(&scope, endpoints(EndpointChange::Delete(id(1), 1))).await;
    assert_eq!(dropped(&scope, old_messages(DAY), 10).await, 2);
    assert!(are_there(&scope).await.is_empty() && events_there(&scope).await.is_empty());
    assert!(scope.delivery(id(2)).await.unwrap().is_none());
}

pub(crate) async fn old_events_go_without_their_messages(backend: &dyn Backend) {
    let (_store, scope) = scope(backend).await;
    for number in 1..=6 {
        written(&scope, ends(number, 0, number as i64 * DAY)).await;
    }
    let lone = EventRow { at: at(7 * DAY), sequence: None, ..event(7, "quota.threshold") };
    let lone = written(&scope, Change { events: vec![lone], ..Change::default() }).await.first_event;
    assert_eq!(dropped(&scope, Old::Events { before: at(4 * DAY) }, 2).await, 3);
    assert_eq!(events_there(&scope).await, [4, 5, 6, 7]);
    assert_eq!(are_there(&scope).await, [1, 2, 3, 4, 5, 6]);
    assert_eq!(dropped(&scope, Old::Events { before: at(9 * DAY) }, 2).await, 4);
    assert!(events_there(&scope).await.is_empty());
    let next = written(&scope, ends(8, 0, 8 * DAY)).await.first_event;
    assert!(next > lone);
    assert_eq!(scope.events_after(lone, 10).await.unwrap().len(), 1, "a reader reads on");
}

pub(crate) async fn old_answers_go_and_their_keys_are_free(backend: &dyn Backend) {
    let (store, scope) = scope(backend).await;
    let early = |number: u8| Change::keeping(Kept { at: at(i64::from(number)), ..kept(number, number) });
    for number in 1..=5 {
        written(&scope, early(number)).await;
    }
    scope.merge_lookups().await.unwrap();
    assert_eq!(dropped(&scope, Old::Answers { before: at(4) }, 2).await, 3);
    for number in 1..=5 {
        let found = scope.idempotency(kept(number, number).key).await.unwrap();
        assert_eq!(found.is_some(), number >= 4, "{number}");
    }
    written(&scope, early(1)).await;
    assert_eq!(dropped(&scope, Old::Answers { before: at(9) }, 10).await, 3);
    let scope_id = scope.id();
    drop(scope);
    store.close().await.unwrap();
    drop(store);
    // A key that is kept after all were dropped is found by whoever opens it later.
    for round in 1..=2 {
        let store = backend.open().await.unwrap();
        let scope = store.scope(scope_id).await.unwrap();
        let answer = scope.commit(early(7)).await.unwrap();
        assert_eq!(answer.applied().is_some(), round == 1, "one key, two mutations");
        drop(scope);
        store.close().await.unwrap();
    }
}

pub(crate) async fn old_answers_of_the_registry_go(backend: &dyn Backend) {
    let (store, scope) = scope(backend).await;
    let registry = store.registry();
    let keep = |number: u8| crate::store::RegistryChange {
        keep: Some((scope.id(), Kept { at: at(i64::from(number)), ..kept(number, number) })),
        ..Default::default()
    };
    registry.commit(keep(1)).await.unwrap();
    registry.commit(keep(2)).await.unwrap();
    registry.drop_kept(at(2)).await.unwrap();
    assert!(registry.idempotency(scope.id(), kept(1, 1).key).await.unwrap().is_none());
    assert!(registry.idempotency(scope.id(), kept(2, 2).key).await.unwrap().is_some());
}
