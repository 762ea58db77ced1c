//! One change, many changes, bad changes.

use std::sync::Arc;

use futures_util::future::join_all;

use super::*;
use crate::store::rows::{KeptAnswer, MessageState};
use crate::store::{Committed, ContactChange, Put};

pub(crate) async fn what_is_committed_is_read_back(backend: &dyn Backend) {
    let (_store, scope) = scope(backend).await;
    let mut change = begins(1);
    change.messages[0].attempts.push(attempt(10));
    change.keep = Some(kept(1, 1));
    let applied = written(&scope, change).await;
    let n = applied.messages[0];
    assert!(applied.first_event > 0 && applied.events == 1);

    let found = stored(&scope, 1).await;
    let expected = MessageRow { first_body: Vec::new(), ..message(1) };
    assert!(found.row == expected, "the message came back changed");
    assert_eq!((found.n, found.version), (n, 1));
    assert!(found.state == MessageState::Live(live(Status::Queued, None)));
    assert!(scope.message_at(n).await.unwrap().unwrap() == found);
    assert_eq!(scope.first_body(id(1)).await.unwrap().unwrap(), b"first body 1");
    let rows = scope.journal(n, 1, 10).await.unwrap();
    assert!(rows[0].row == journal(1) && rows[0].message == Some(n) && rows[0].message_id == Some(id(1)));
    assert!(scope.attempts(n).await.unwrap()[0].row == attempt(10));

    // It goes on, with an outcome; it ends; it takes what comes late.
    let mut next = step(MessageStep::Go { n, expected: 1, live: live(Status::Sent, Some(9)) });
    next.messages[0].outcomes.push(accepted(10, "p-1"));
    next.messages[0].journal.push(journal(3));
    written(&scope, next).await;
    let found = stored(&scope, 1).await;
    assert_eq!(found.version, 2);
    assert!(found.state == MessageState::Live(live(Status::Sent, Some(9))));
    assert!(scope.attempts(n).await.unwrap()[0].outcome == Some(accepted(10, "p-1")));
    written(&scope, step(MessageStep::End { n, expected: 2, ended: ended(Status::Sent), unsettled: None }))
        .await;
    assert!(stored(&scope, 1).await.state == MessageState::Ended(ended(Status::Sent)));
    written(
        &scope,
        step(MessageStep::Amend { n, expected: 3, ended: ended(Status::Delivered), unsettled: None }),
    )
    .await;
    let found = stored(&scope, 1).await;
    assert!(found.state == MessageState::Ended(ended(Status::Delivered)));
    assert_eq!(found.version, 4);
    // The transition in the middle of a row is found in it.
    let rows = scope.journal(n, 4, 10).await.unwrap();
    assert!(rows.len() == 1 && rows[0].row == journal(3));

    let ends = MessageStep::BeginEnded(Box::new(message(2)), ended(Status::Failed), None);
    written(&scope, step(ends)).await;
    assert!(stored(&scope, 2).await.state == MessageState::Ended(ended(Status::Failed)));
    assert!(scope.message(id(3)).await.unwrap().is_none());
}

pub(crate) async fn concurrent_changes_are_all_written_once(backend: &dyn Backend) {
    let (_store, scope) = scope(backend).await;
    let many = 700;
    let answers = join_all((1..=many).map(|number| {
        let scope = Arc::clone(&scope);
        async move { written(&scope, begins(number)).await }
    }))
    .await;
    let mut positions: Vec<Position> = answers.iter().map(|applied| applied.messages[0]).collect();
    positions.sort_unstable();
    positions.dedup();
    assert_eq!(positions.len() as u64, many, "two messages at one position");
    for (number, applied) in (1..=many).zip(&answers) {
        assert!(scope.message_at(applied.messages[0]).await.unwrap().unwrap().row.id == id(number));
    }
    assert_eq!(scope.events_after(0, 1_000).await.unwrap().len() as u64, many);
    let last = answers.iter().map(|applied| applied.first_event).max().unwrap();
    scope.newest_event().wait_for(|newest| *newest >= last).await.unwrap();
}

pub(crate) async fn a_bad_change_fails_alone(backend: &dyn Backend) {
    let (_store, scope) = scope(backend).await;
    written(&scope, begins(500)).await;
    // Number 500 is there already; all of these are likely to meet in one transaction.
    let answers = join_all((400..600).map(|number| scope.commit(begins(number)))).await;
    for (number, answer) in (400..600).zip(answers) {
        match answer {
            Err(StoreError::Conflict { .. }) => assert_eq!(number, 500),
            Err(error) => panic!("{number}: {error}"),
            Ok(_) => assert_ne!(number, 500, "the same id was taken twice"),
        }
    }
    let messages = scope.messages(Default::default(), newest(1_000)).await.unwrap();
    assert_eq!(messages.rows.len(), 200);
}

pub(crate) async fn a_change_is_written_whole_or_not_at_all(backend: &dyn Backend) {
    let (_store, scope) = scope(backend).await;
    let n = written(&scope, begins(1)).await.messages[0];
    let mut change = begins(2);
    change.keep = Some(kept(9, 9));
    change.messages.push(MessageChange::new(MessageStep::Go {
        n,
        expected: 7,
        live: live(Status::Sent, None),
    }));
    conflicts(&scope, change).await;
    assert!(scope.message(id(2)).await.unwrap().is_none());
    assert!(scope.idempotency(kept(9, 9).key).await.unwrap().is_none());
    assert_eq!(scope.events_after(0, 10).await.unwrap().len(), 1);
}

pub(crate) async fn one_key_is_one_mutation(backend: &dyn Backend) {
    let (store, scope) = scope(backend).await;
    let keyed = |number: u64| Change { keep: Some(kept(1, number as u8)), ..begins(number) };
    let answers = join_all((1..=20).map(|number| scope.commit(keyed(number)))).await;
    let mut first = None;
    for (number, answer) in (1..=20_u64).zip(&answers) {
        if matches!(answer.as_ref().unwrap(), Committed::Applied(_)) {
            assert!(first.replace(number).is_none(), "two mutations under one key");
        }
    }
    let first = first.unwrap();
    let same = |kept: &Kept| kept.request == [first as u8; 32];
    for answer in &answers {
        if let Committed::Replayed(kept) = answer.as_ref().unwrap() {
            assert!(same(kept), "a replay gave another answer");
        }
    }
    assert_eq!(scope.messages(Default::default(), newest(100)).await.unwrap().rows.len(), 1);
    assert!(same(&scope.idempotency(kept(1, 1).key).await.unwrap().unwrap()));

    // After the look-ups have moved into the database, and after a restart.
    scope.merge_lookups().await.unwrap();
    assert!(scope.commit(keyed(30)).await.unwrap().applied().is_none());
    let scope_id = scope.id();
    drop(scope);
    store.close().await.unwrap();
    drop(store);
    let store = backend.open().await.unwrap();
    let scope = store.scope(scope_id).await.unwrap();
    assert!(scope.commit(keyed(31)).await.unwrap().applied().is_none());
    // Another key is another mutation, and each form of an answer comes back as it was.
    let forms = [
        KeptAnswer::Empty,
        KeptAnswer::Sealed(vec![1]),
        KeptAnswer::FirstBody(id(1)),
        KeptAnswer::FirstBodies(vec![2, 3]),
    ];
    for (key, answer) in (40_u8..).zip(forms) {
        let kept = Kept { answer, ..kept(key, 0) };
        written(&scope, Change::keeping(kept.clone())).await;
        assert!(scope.idempotency(kept.key).await.unwrap().unwrap() == kept);
    }
}

pub(crate) async fn a_version_that_was_not_seen_is_a_conflict(backend: &dyn Backend) {
    let (_store, scope) = scope(backend).await;
    let n = written(&scope, begins(1)).await.messages[0];
    let go = |expected| step(MessageStep::Go { n, expected, live: live(Status::Sent, None) });
    let end = |expected| step(MessageStep::End { n, expected, ended: ended(Status::Sent), unsettled: None });
    let amend =
        |expected| step(MessageStep::Amend { n, expected, ended: ended(Status::Delivered), unsettled: None });
    conflicts(&scope, go(2)).await;
    conflicts(&scope, end(2)).await;
    conflicts(&scope, amend(1)).await;
    // Two at once from the same version: one of them.
    let both = join_all([scope.commit(go(1)), scope.commit(go(1))]).await;
    assert_eq!(both.iter().filter(|answer| answer.is_ok()).count(), 1);
    written(&scope, end(2)).await;
    conflicts(&scope, go(3)).await;
    conflicts(&scope, end(3)).await;
    conflicts(&scope, amend(2)).await;
    written(&scope, amend(3)).await;
}

pub(crate) async fn what_was_answered_survives_a_crash(backend: &dyn Backend) {
    let (store, scope) = scope(backend).await;
    for number in 1..=30 {
        let change = Change { keep: Some(kept(number as u8, 1)), ..begins(number) };
        written(&scope, change).await;
    }
    let scope_id = scope.id();
    let crashed = backend.open_after_crash().await.unwrap();
    assert!(!crashed.was_clean());
    let again = crashed.scope(scope_id).await.unwrap();
    assert_eq!(again.messages(Default::default(), newest(100)).await.unwrap().rows.len(), 30);
    for number in 1..=30 {
        assert!(again.idempotency(kept(number, 1).key).await.unwrap().is_some());
    }
    // Positions go on above those that were given.
    let n = written(&again, begins(31)).await.messages[0];
    assert!(n > stored(&again, 30).await.n);
    drop(scope);
    store.close().await.unwrap();
    drop(store);
    // A node of a shared store knows nothing of what woke others' scopes.
    let store = backend.open().await.unwrap();
    assert!(store.was_clean() || store.nodes().is_shared());
}

pub(crate) async fn largest_id_is_above_all(backend: &dyn Backend) {
    let (_store, scope) = scope(backend).await;
    assert_eq!(scope.largest_id().await.unwrap(), 0);
    written(&scope, begins(5)).await;
    assert_eq!(scope.largest_id().await.unwrap(), id::<kinds::Message>(5).as_u128());
    let contact = ContactChange::Put(Put { row: super::objects::contact(900, None), expected: None });
    written(&scope, Change { contacts: vec![contact], ..Change::default() }).await;
    assert_eq!(scope.largest_id().await.unwrap(), id::<kinds::Contact>(900).as_u128());
}
