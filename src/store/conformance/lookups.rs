//! Look-ups by random values: in memory, in the database, and across the change from one to the
//! other.

use super::*;
use crate::store::rows::{AddressHash, MessageFilter};

pub(crate) async fn lookups_find_before_and_after_a_merge(backend: &dyn Backend) {
    let (store, scope) = scope(backend).await;
    let many = 300;
    for number in 1..=many {
        let mut change = Change { keep: Some(kept(0, 0)), ..begins(number) };
        change.keep.as_mut().unwrap().key = IdempotencyKey(u128::from(number).to_le_bytes());
        let MessageStep::Begin(row, _) = &mut change.messages[0].step else { unreachable!() };
        row.contact = Some(id(9_000 + number % 7));
        change.messages[0].attempts.push(attempt(number));
        change.messages[0].outcomes.push(accepted(number, &format!("p-{number}")));
        written(&scope, change).await;
        if number == many / 2 {
            scope.merge_lookups().await.unwrap();
        }
    }
    let check = async |scope: &Scope| {
        for number in [1, many / 2, many / 2 + 1, many] {
            let by_id = scope.attempts_by_provider_id("gateway", &format!("p-{number}")).await.unwrap();
            assert_eq!(by_id.len(), 1);
            assert!(by_id[0].row.id == id(number) && by_id[0].message_id == id(number));
            assert!(scope.attempt(id(number)).await.unwrap().unwrap() == by_id[0]);
            let key = IdempotencyKey(u128::from(number).to_le_bytes());
            assert!(scope.idempotency(key).await.unwrap().is_some());
        }
        assert!(scope.attempts_by_provider_id("gateway", "p-0").await.unwrap().is_empty());
        assert!(scope.attempts_by_provider_id("other", "p-1").await.unwrap().is_empty());
        assert!(scope.attempt(id(many + 1)).await.unwrap().is_none());
        assert!(scope.idempotency(IdempotencyKey([255; 16])).await.unwrap().is_none());
        let filter = MessageFilter { contact: Some(id(9_003)), ..Default::default() };
        let of_contact = scope.messages(filter, newest(1_000)).await.unwrap();
        assert_eq!(of_contact.rows.len() as u64, (1..=many).filter(|number| number % 7 == 3).count() as u64);
        assert_eq!(scope.live_of_contact(id(9_003)).await.unwrap().len(), of_contact.rows.len());
    };
    check(&scope).await;
    let scope_id = scope.id();
    // What is in memory alone is found again, whether the stop was clean or not.
    let crashed = backend.open_after_crash().await.unwrap();
    check(&*crashed.scope(scope_id).await.unwrap()).await;
    scope.merge_lookups().await.unwrap();
    check(&scope).await;
    drop(scope);
    store.close().await.unwrap();
    drop(store);
    let store = backend.open().await.unwrap();
    check(&*store.scope(scope_id).await.unwrap()).await;
}

pub(crate) async fn a_reply_finds_the_newest_attempt(backend: &dyn Backend) {
    let (_store, scope) = scope(backend).await;
    let address = AddressHash([3; 16]);
    for number in 1..=5 {
        let mut change = begins(number);
        let mut to = attempt(number);
        to.address = Some(if number == 4 { AddressHash([4; 16]) } else { address });
        change.messages[0].attempts.push(to);
        written(&scope, change).await;
        if number == 2 {
            scope.merge_lookups().await.unwrap();
        }
    }
    let to = async |since, limit| -> Vec<u64> {
        let found = scope.attempts_to(Channel::Sms, address, at(since), limit).await.unwrap();
        found.iter().map(|attempt| attempt.row.id.as_u128() as u64).collect()
    };
    assert_eq!(to(0, 10).await, [5, 3, 2, 1]);
    assert_eq!(to(0, 1).await, [5]);
    assert_eq!(to(2, 10).await, [5, 3, 2]);
    assert!(scope.attempts_to(Channel::Email, address, at(0), 10).await.unwrap().is_empty());
}
