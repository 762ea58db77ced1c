//! Lists, queues, and reading on.

use super::*;
use crate::store::rows::{EventFilter, MessageFilter};

fn numbers(listed: &crate::store::Listed<StoredMessage>) -> Vec<u64> {
    listed.rows.iter().map(|message| message.row.row.id.as_u128() as u64).collect()
}

pub(crate) async fn pages_do_not_move(backend: &dyn Backend) {
    let (_store, scope) = scope(backend).await;
    for number in 1..=5 {
        written(&scope, begins(number)).await;
    }
    let list = async |page| scope.messages(MessageFilter::default(), page).await.unwrap();
    let first = list(newest(2)).await;
    assert_eq!((numbers(&first), first.has_more), (vec![5, 4], true));
    // What comes while a client walks makes it neither skip nor repeat.
    for number in 6..=8 {
        written(&scope, begins(number)).await;
    }
    let second = list(after(first.rows[1].n, 2)).await;
    assert_eq!((numbers(&second), second.has_more), (vec![3, 2], true));
    let third = list(after(second.rows[1].n, 2)).await;
    assert_eq!((numbers(&third), third.has_more), (vec![1], false));
    assert!(list(after(third.rows[0].n, 2)).await.rows.is_empty());
    // The newer ones that are nearest, still newest first.
    let newer = list(before(first.rows[0].n, 2)).await;
    assert_eq!((numbers(&newer), newer.has_more), (vec![7, 6], true));
    let newer = list(before(newer.rows[0].n, 2)).await;
    assert_eq!((numbers(&newer), newer.has_more), (vec![8], false));
}

pub(crate) async fn filters_narrow(backend: &dyn Backend) {
    let (_store, scope) = scope(backend).await;
    for number in 1..=12_u64 {
        let mut row = message(number);
        row.contact = (number % 3 == 0).then(|| id(100));
        row.channels = if number % 2 == 0 { vec![Channel::Email, Channel::Sms] } else { vec![Channel::Push] };
        row.template = Some(Names { name: "a".into(), version: number as u32 % 2 + 1 });
        row.policy = (number > 6).then(|| Names { name: "p".into(), version: 1 });
        let status = [Status::Queued, Status::Sent, Status::Delivered][number as usize % 3];
        let begin = if number <= 8 {
            MessageStep::Begin(Box::new(row), live(status, None))
        } else {
            let status = if status == Status::Queued { Status::Failed } else { status };
            MessageStep::BeginEnded(Box::new(row), ended(status), None)
        };
        written(&scope, step(begin)).await;
    }
    let cases: Vec<(MessageFilter, Vec<u64>)> = vec![
        (MessageFilter { status: Some(Status::Sent), ..Default::default() }, vec![10, 7, 4, 1]),
        (MessageFilter { status: Some(Status::Failed), ..Default::default() }, vec![12, 9]),
        (MessageFilter { status: Some(Status::Queued), ..Default::default() }, vec![6, 3]),
        (MessageFilter { ended: Some(true), ..Default::default() }, vec![12, 11, 10, 9]),
        (MessageFilter { ended: Some(false), ..Default::default() }, vec![8, 7, 6, 5, 4, 3, 2, 1]),
        (MessageFilter { ended: Some(true), status: Some(Status::Sent), ..Default::default() }, vec![10]),
        (MessageFilter { channel: Some(Channel::Email), ..Default::default() }, vec![12, 10, 8, 6, 4, 2]),
        (MessageFilter { contact: Some(id(100)), ..Default::default() }, vec![12, 9, 6, 3]),
        (MessageFilter { contact: Some(id(100)), ended: Some(false), ..Default::default() }, vec![6, 3]),
        (MessageFilter { contact: Some(id(101)), ..Default::default() }, vec![]),
        (
            MessageFilter { template: Some(("a".into(), Some(1))), ..Default::default() },
            vec![12, 10, 8, 6, 4, 2],
        ),
        (MessageFilter { template: Some(("b".into(), None)), ..Default::default() }, vec![]),
        (MessageFilter { policy: Some(("p".into(), None)), ..Default::default() }, vec![12, 11, 10, 9, 8, 7]),
        (
            MessageFilter { created_after: Some(at(3)), created_before: Some(at(6)), ..Default::default() },
            vec![5, 4],
        ),
    ];
    for (filter, expected) in cases {
        let all = scope.messages(filter.clone(), newest(100)).await.unwrap();
        assert_eq!(numbers(&all), expected, "{filter:?}");
        // The same in pages of one, both ways.
        let mut walked = Vec::new();
        let mut page = newest(1);
        loop {
            let some = scope.messages(filter.clone(), page).await.unwrap();
            walked.extend(numbers(&some));
            assert_eq!(some.has_more, walked.len() < expected.len(), "{filter:?}");
            match some.rows.last() {
                Some(last) if some.has_more => page = after(last.n, 1),
                _ => break,
            }
        }
        assert_eq!(walked, expected, "{filter:?}");
        let back = scope.messages(filter.clone(), before(0, 100)).await.unwrap();
        assert_eq!(numbers(&back), expected, "{filter:?}");
    }
}

pub(crate) async fn due_is_in_order(backend: &dyn Backend) {
    let (_store, scope) = scope(backend).await;
    for (number, due) in [(1, Some(50)), (2, Some(10)), (3, None), (4, Some(50)), (5, Some(99))] {
        let begin = MessageStep::Begin(Box::new(message(number)), live(Status::Queued, due));
        written(&scope, step(begin)).await;
    }
    let ids = |found: Vec<StoredMessage>| -> Vec<u64> {
        found.iter().map(|message| message.row.id.as_u128() as u64).collect()
    };
    let due = async |until, after, limit| -> Vec<u64> {
        let found = scope.due(until, after, limit).await.unwrap();
        found.iter().map(|due| due.id.as_u128() as u64).collect()
    };
    assert_eq!(scope.next_due().await.unwrap(), Some(at(10)));
    assert_eq!(due(at(50), None, 10).await, [2, 1, 4]);
    assert_eq!(due(at(50), None, 2).await, [2, 1]);
    let first = stored(&scope, 1).await.n;
    assert_eq!(due(at(99), Some((at(50), first)), 10).await, [4, 5]);
    assert_eq!(ids(scope.live(first, 2).await.unwrap()), [2, 3]);
    let n = stored(&scope, 2).await.n;
    written(
        &scope,
        step(MessageStep::End { n, expected: 1, ended: ended(Status::Canceled), unsettled: None }),
    )
    .await;
    assert_eq!(scope.next_due().await.unwrap(), Some(at(50)));
}

pub(crate) async fn unfinished_attempts_are_those_of_live_messages(backend: &dyn Backend) {
    let (_store, scope) = scope(backend).await;
    let mut positions = Vec::new();
    for number in 1..=4 {
        let mut change = begins(number);
        change.messages[0].attempts = vec![attempt(number * 10), attempt(number * 10 + 1)];
        positions.push(written(&scope, change).await.messages[0]);
    }
    // Of the first, one is answered; the second has ended.
    let mut answered = step(MessageStep::Go { n: positions[0], expected: 1, live: live(Status::Sent, None) });
    answered.messages[0].outcomes.push(accepted(10, "x"));
    written(&scope, answered).await;
    let end =
        MessageStep::End { n: positions[1], expected: 1, ended: ended(Status::Canceled), unsettled: None };
    written(&scope, step(end)).await;
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let some = scope.unfinished(after, 2).await.unwrap();
        let Some(last) = some.last() else { break };
        after = Some((last.message, last.n));
        found.extend(some.iter().map(|attempt| attempt.row.id.as_u128() as u64));
    }
    assert_eq!(found, [11, 30, 31, 40, 41]);
}

pub(crate) async fn events_are_read_on(backend: &dyn Backend) {
    let (_store, scope) = scope(backend).await;
    let mut seen = scope.newest_event();
    assert_eq!(*seen.borrow_and_update(), 0);
    let mut change = begins(1);
    change.events.push(EventRow { sequence: None, ..event(2, "quota.threshold") });
    let applied = written(&scope, change).await;
    let first = applied.first_event;
    assert!(first > 0 && applied.events == 2);
    seen.changed().await.unwrap();
    assert_eq!(*seen.borrow(), first + 1);
    let all = scope.events_after(0, 10).await.unwrap();
    assert!(all[0].row == event(1, "message.created") && all[0].message_id == Some(id(1)));
    assert!(all[1].message.is_none() && all[1].row.sequence.is_none());
    assert_eq!(scope.events_after(first, 10).await.unwrap().len(), 1);
    assert!(scope.event(id(2)).await.unwrap().unwrap() == all[1]);
    assert!(scope.event(id(3)).await.unwrap().is_none());
    let count = async |filter| scope.events(filter, newest(10)).await.unwrap().rows.len();
    let kind = |kind: &str| EventFilter { kind: Some(kind.into()), message: None };
    assert_eq!(count(EventFilter::default()).await, 2);
    assert_eq!(count(kind("message.*")).await, 1);
    assert_eq!(count(kind("message.created")).await, 1);
    assert_eq!(count(kind("message")).await, 0);
    assert_eq!(count(EventFilter { kind: None, message: Some(id(1)) }).await, 1);
    assert_eq!(count(EventFilter { kind: None, message: Some(id(7)) }).await, 0);
}

pub(crate) async fn what_is_unsettled_is_due_until_it_is_settled(backend: &dyn Backend) {
    let (_store, scope) = scope(backend).await;
    let due = async |until: i64| -> Vec<(i64, u64)> {
        let found = scope.due(at(until), None, 10).await.unwrap();
        found.iter().map(|due| (due.at.since(at(0)).ms(), due.id.as_u128() as u64)).collect()
    };
    let mut begin = step(MessageStep::Begin(Box::new(message(1)), live(Status::Queued, Some(20))));
    begin.messages[0].attempts = vec![attempt(10)];
    let n = written(&scope, begin).await.messages[0];
    let ends = MessageStep::BeginEnded(Box::new(message(2)), ended(Status::Sent), Some(at(30)));
    written(&scope, step(ends)).await;
    assert_eq!(due(99).await, [(20, 1), (30, 2)]);

    // It ends with a call open, and is due for that.
    let end = |expected, unsettled| MessageStep::End { n, expected, ended: ended(Status::Sent), unsettled };
    written(&scope, step(end(1, Some(at(40))))).await;
    assert_eq!(due(99).await, [(30, 2), (40, 1)]);
    assert_eq!((due(30).await, scope.next_due().await.unwrap()), (vec![(30, 2)], Some(at(30))));
    let open = scope.unfinished(None, 10).await.unwrap();
    assert_eq!(open.iter().map(|attempt| attempt.row.id.as_u128() as u64).collect::<Vec<_>>(), [10]);
    let anywhere = scope.due_anywhere(at(99), Some((at(30), n + 1_000_000)), 10).await.unwrap();
    assert_eq!(anywhere.iter().map(|due| due.n).collect::<Vec<_>>(), [n]);

    // Later, and then no more; one that was written over a version not seen changes nothing.
    let amend =
        |expected, unsettled| MessageStep::Amend { n, expected, ended: ended(Status::Sent), unsettled };
    conflicts(&scope, step(amend(1, None))).await;
    written(&scope, step(amend(2, Some(at(50))))).await;
    assert_eq!(due(99).await, [(30, 2), (50, 1)]);
    let mut last = step(amend(3, None));
    last.messages[0].outcomes = vec![accepted(10, "p-1")];
    written(&scope, last).await;
    assert_eq!(due(99).await, [(30, 2)]);
    assert!(scope.unfinished(None, 10).await.unwrap().is_empty());
}
