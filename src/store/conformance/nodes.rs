//! Several nodes on one store.

use futures_util::future::join_all;

use super::objects::{contact, endpoint, endpoints};
use super::*;
use crate::model::Span;
use crate::store::rows::{ProviderStateRow, QuotaRow, SignalRow, UsageWindow};
use crate::store::{Company, ContactChange, EndpointChange, Generation, Put, UsageDelta};

/// Two nodes, and the same scope as each of them has it.
async fn two(backend: &dyn Backend) -> [(Arc<dyn Store>, Arc<Scope>); 2] {
    let (store, own) = scope(backend).await;
    let other = backend.open().await.unwrap();
    let others = other.scope(own.id()).await.unwrap();
    assert!(store.nodes().me() != other.nodes().me(), "two nodes have one number");
    [(store, own), (other, others)]
}

/// A lease that no test outlives.
const LONG: Span = Span::from_s(600);

/// Renews a node's lease, and asks who is there.
async fn renewed(store: &Arc<dyn Store>) -> Company {
    store.nodes().renew(LONG).await.unwrap();
    store.nodes().company().await.unwrap()
}

fn fenced<T>(answer: Result<T, StoreError>) {
    match answer {
        Err(StoreError::Fenced) => {}
        Err(error) => panic!("failed otherwise: {error}"),
        Ok(_) => panic!("a node whose lease has ended did something"),
    }
}

fn stale<T>(answer: Result<T, StoreError>) {
    match answer {
        Err(StoreError::Stale { .. }) => {}
        Err(error) => panic!("failed otherwise: {error}"),
        Ok(_) => panic!("was written"),
    }
}

fn due(number: u64, ms: i64) -> Change {
    step(MessageStep::Begin(Box::new(message(number)), live(Status::Queued, Some(ms))))
}

pub(crate) async fn a_commit_makes_the_owner(backend: &dyn Backend) {
    let [(a, in_a), (b, in_b)] = two(backend).await;
    let (node_a, node_b) = (a.nodes().me(), b.nodes().me());
    let mut change = due(1, 5);
    change.messages[0].attempts.push(attempt(10));
    let n = written(&in_a, change).await.messages[0];
    assert_eq!(stored(&in_b, 1).await.owner, node_a);
    assert_eq!(in_a.next_due().await.unwrap(), Some(at(5)));
    assert_eq!(in_b.next_due().await.unwrap(), None, "another's timer");
    assert!(in_b.due(at(99), None, 9).await.unwrap().is_empty());
    assert_eq!(
        (in_a.unfinished(None, 9).await.unwrap().len(), in_b.unfinished(None, 9).await.unwrap().len()),
        (1, 0)
    );
    assert_eq!(in_b.live(0, 9).await.unwrap().len(), 1, "live messages are those of all");

    let go = |expected| step(MessageStep::Go { n, expected, live: live(Status::Sent, Some(7)) });
    written(&in_b, go(1)).await;
    let found = stored(&in_a, 1).await;
    assert_eq!((found.owner, found.version), (node_b, 2));
    conflicts(&in_a, go(1)).await;
    assert_eq!((in_a.next_due().await.unwrap(), in_b.next_due().await.unwrap()), (None, Some(at(7))));
    assert_eq!(
        (in_a.unfinished(None, 9).await.unwrap().len(), in_b.unfinished(None, 9).await.unwrap().len()),
        (0, 1)
    );
    // Both at once from the same version: one of them.
    let both = futures_util::future::join(in_a.commit(go(2)), in_b.commit(go(2))).await;
    assert!(both.0.is_ok() != both.1.is_ok(), "two wrote the same version");
}

pub(crate) async fn what_a_node_leaves_is_adopted_once(backend: &dyn Backend) {
    let [(a, in_a), (b, in_b)] = two(backend).await;
    let mut positions = Vec::new();
    for number in 1..=5 {
        positions.push(written(&in_a, due(number, number as i64)).await.messages[0]);
    }
    written(&in_b, due(9, 9)).await;
    let there = renewed(&b).await;
    assert_eq!(there.alive, [a.nodes().me(), b.nodes().me()]);
    assert!(there.orphaned.is_empty());
    assert!(in_b.adopt(10).await.unwrap().is_empty(), "taken from a node that lives");

    a.nodes().leave().await.unwrap();
    fenced(in_a.commit(begins(20)).await);
    fenced(a.nodes().renew(LONG).await);
    let there = renewed(&b).await;
    assert_eq!((there.alive, there.orphaned), (vec![b.nodes().me()], vec![in_a.id()]));
    let c = backend.open().await.unwrap();
    let in_c = c.scope(in_a.id()).await.unwrap();
    // Two adopt at once, and no message twice.
    let (first, second) = futures_util::future::join(in_b.adopt(3), in_c.adopt(3)).await;
    let mut adopted: Vec<StoredMessage> = first.unwrap().into_iter().chain(second.unwrap()).collect();
    loop {
        let more = in_b.adopt(2).await.unwrap();
        if more.is_empty() {
            break;
        }
        adopted.extend(more);
    }
    adopted.sort_by_key(|message| message.n);
    let numbers: Vec<Position> = adopted.iter().map(|message| message.n).collect();
    assert_eq!(numbers, positions);
    assert!(adopted.iter().all(|message| message.version == 2 && message.owner != a.nodes().me()));
    assert!(renewed(&b).await.orphaned.is_empty());
    // What the old owner had in hand is of an old version.
    let n = adopted[0].n;
    conflicts(&in_b, step(MessageStep::Go { n, expected: 1, live: live(Status::Sent, None) })).await;
    written(&in_b, step(MessageStep::Go { n, expected: 2, live: live(Status::Sent, None) })).await;
}

pub(crate) async fn what_a_node_leaves_unsettled_is_adopted_as_well(backend: &dyn Backend) {
    let [(a, in_a), (b, in_b)] = two(backend).await;
    let mut begin = due(1, 1);
    begin.messages[0].attempts.push(attempt(10));
    let n = written(&in_a, begin).await.messages[0];
    let end = MessageStep::End { n, expected: 1, ended: ended(Status::Canceled), unsettled: Some(at(5)) };
    written(&in_a, step(end)).await;
    let settled = MessageStep::BeginEnded(Box::new(message(2)), ended(Status::Sent), None);
    written(&in_a, step(settled)).await;
    assert_eq!(stored(&in_b, 1).await.owner, a.nodes().me());
    assert_eq!((in_a.next_due().await.unwrap(), in_b.next_due().await.unwrap()), (Some(at(5)), None));
    assert!(in_b.unfinished(None, 9).await.unwrap().is_empty(), "another's call");
    assert_eq!(in_b.due_anywhere(at(9), None, 9).await.unwrap()[0].owner, a.nodes().me());
    assert!(renewed(&b).await.orphaned.is_empty());
    assert!(in_b.adopt(10).await.unwrap().is_empty(), "taken from a node that lives");

    a.nodes().leave().await.unwrap();
    assert_eq!(renewed(&b).await.orphaned, [in_a.id()]);
    let adopted = in_b.adopt(10).await.unwrap();
    assert_eq!(adopted.iter().map(|message| (message.n, message.version)).collect::<Vec<_>>(), [(n, 3)]);
    assert_eq!(adopted[0].owner, b.nodes().me());
    assert!(renewed(&b).await.orphaned.is_empty());
    assert_eq!(
        (in_b.next_due().await.unwrap(), in_b.unfinished(None, 9).await.unwrap().len()),
        (Some(at(5)), 1)
    );
    let amend =
        |expected| step(MessageStep::Amend { n, expected, ended: ended(Status::Canceled), unsettled: None });
    conflicts(&in_b, amend(2)).await;
    written(&in_b, amend(3)).await;
    assert_eq!(in_b.next_due().await.unwrap(), None);
}

pub(crate) async fn a_lease_that_ran_out_fences(backend: &dyn Backend) {
    let [(a, in_a), (b, in_b)] = two(backend).await;
    written(&in_a, due(1, 1)).await;
    a.nodes().renew(Span::from_ms(1)).await.unwrap();
    // Ends with the lease, which is on the store's own clock.
    loop {
        let there = renewed(&b).await;
        if !there.alive.contains(&a.nodes().me()) && there.orphaned == [in_a.id()] {
            break;
        }
    }
    fenced(in_a.commit(begins(2)).await);
    // It is never taken up again.
    fenced(a.nodes().renew(LONG).await);
    assert_eq!(in_b.adopt(10).await.unwrap().len(), 1);
    assert!(in_b.message(id(2)).await.unwrap().is_none());
}

pub(crate) async fn signals_wait_for_the_owner(backend: &dyn Backend) {
    let [(a, in_a), (b, in_b)] = two(backend).await;
    let n = written(&in_a, begins(1)).await.messages[0];
    let _ = (a.nodes().look().await.unwrap(), b.nodes().look().await.unwrap());
    let signal = |doc: &[u8]| SignalRow { message: n, at: at(3), doc: doc.to_vec() };
    let signals = Change { signals: vec![signal(b"receipt"), signal(b"cancel")], ..Change::default() };
    let given = written(&in_b, signals).await.signals;
    assert!(given.len() == 2 && given[0] < given[1]);
    assert!(in_b.signals(0, 9).await.unwrap().is_empty(), "of another's message");
    let told = a.nodes().look().await.unwrap();
    assert!(told.iter().any(|seen| seen.scope == in_a.id() && seen.signals), "the owner is not told");
    assert!(b.nodes().look().await.unwrap().iter().all(|seen| !seen.signals));
    let waiting = in_a.signals(0, 9).await.unwrap();
    assert_eq!(waiting.iter().map(|signal| signal.n).collect::<Vec<_>>(), given);
    assert!(waiting[0].message_id == id(1) && waiting[0].row == signal(b"receipt"));
    assert_eq!(in_a.signals(given[0], 9).await.unwrap().len(), 1);
    assert_eq!(in_a.signals(0, 1).await.unwrap().len(), 1);

    // Carried out with the change that it led to, once.
    let done = |expected, signal| Change {
        signals_done: vec![signal],
        ..step(MessageStep::Go { n, expected, live: live(Status::Sent, None) })
    };
    assert!(in_b.signal_waits(given[0]).await.unwrap());
    written(&in_a, done(1, given[0])).await;
    assert!(!in_b.signal_waits(given[0]).await.unwrap());
    conflicts(&in_a, done(2, given[0])).await;
    assert_eq!(stored(&in_a, 1).await.version, 2, "half of it was written");
    // Of one that has ended the owner too, while something of it is still to come; then whoever asks.
    let end = MessageStep::End { n, expected: 2, ended: ended(Status::Sent), unsettled: Some(at(9)) };
    written(&in_a, step(end)).await;
    assert_eq!((in_a.signals(0, 9).await.unwrap().len(), in_b.signals(0, 9).await.unwrap().len()), (1, 0));
    assert!(b.nodes().look().await.unwrap().iter().all(|seen| !seen.signals));
    let amend = MessageStep::Amend { n, expected: 3, ended: ended(Status::Sent), unsettled: None };
    written(&in_a, step(amend)).await;
    assert_eq!(in_b.signals(0, 9).await.unwrap().len(), 1);
    assert!(b.nodes().look().await.unwrap().iter().any(|seen| seen.signals));
}

pub(crate) async fn facts_that_changed_are_stale(backend: &dyn Backend) {
    let [(a, in_a), (b, in_b)] = two(backend).await;
    let _ = b.nodes().look().await.unwrap();
    let seen = in_b.read_generation().await.unwrap();
    let decided = |number, seen| Change { seen: Some(seen), ..begins(number) };
    written(&in_b, decided(1, seen)).await;
    assert_eq!(in_b.read_generation().await.unwrap(), seen, "a message is no fact");

    let quota = QuotaRow { name: "sms".into(), day: Some(1), month: None };
    written(&in_a, Change { quotas: vec![quota], ..Change::default() }).await;
    let settings = in_b.read_generation().await.unwrap();
    assert_eq!(settings, Generation { settings: seen.settings + 1, ..seen });
    stale(in_b.commit(decided(2, seen)).await);
    written(&in_b, decided(2, settings)).await;
    let put = ContactChange::Put(Put { row: contact(50, None), expected: None });
    written(&in_a, Change { contacts: vec![put], ..Change::default() }).await;
    stale(in_b.commit(decided(3, settings)).await);
    assert!(in_b.message(id(3)).await.unwrap().is_none());
    // Without word of what was seen, nothing is looked at.
    written(&in_b, begins(3)).await;

    let people = Generation { people: settings.people + 1, ..settings };
    let of = |told: Vec<crate::store::Seen>| told.into_iter().find(|seen| seen.scope == in_a.id());
    assert_eq!(of(b.nodes().look().await.unwrap()).map(|seen| seen.generation), Some(people));
    assert_eq!(in_b.generation(), people);
    assert!(of(b.nodes().look().await.unwrap()).is_none(), "told twice");
    assert_eq!(in_a.generation(), people, "its own change is not known to it");
    drop(a);
}

fn taken(number: u64, add: i64, held: i64, limit: Option<u64>) -> Change {
    let delta = UsageDelta {
        name: "sms".into(),
        window: UsageWindow::Day,
        start: at(0),
        add,
        told_percent: 0,
        held,
        limit,
    };
    Change { usage: vec![delta], ..begins(number) }
}

pub(crate) async fn no_more_is_taken_than_there_is(backend: &dyn Backend) {
    let [(_a, in_a), (_b, in_b)] = two(backend).await;
    // Forty at once, at both nodes, where there are seven.
    let answers = join_all((1..=40).map(|number| {
        let scope = if number % 2 == 0 { &in_a } else { &in_b };
        scope.commit(taken(number, 1, 0, Some(7)))
    }))
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 7);
    for answer in answers.into_iter().filter(Result::is_err) {
        stale(answer);
    }
    assert_eq!(in_a.messages(Default::default(), newest(99)).await.unwrap().rows.len(), 7);
    let used = in_b.usage(at(0)).await.unwrap();
    assert_eq!((used.len(), used[0].used), (1, 7));
    // What is given back is room for others.
    written(&in_b, taken(51, -2, 0, None)).await;
    stale(in_a.commit(taken(52, 1, 0, Some(5))).await);
    written(&in_a, taken(52, 1, 0, Some(6))).await;
    // Without a limit nothing is looked at.
    written(&in_a, taken(53, 100, 0, None)).await;
    assert_eq!(in_b.usage(at(0)).await.unwrap()[0].used, 106);
}

pub(crate) async fn places_held_count_and_come_back(backend: &dyn Backend) {
    let [(_a, in_a), (_b, in_b)] = two(backend).await;
    written(&in_a, taken(1, 1, 0, Some(3))).await;
    written(&in_a, taken(2, 0, 1, Some(3))).await;
    written(&in_b, taken(3, 0, 1, Some(3))).await;
    stale(in_a.commit(taken(4, 0, 1, Some(3))).await);
    let used = in_b.usage(at(0)).await.unwrap();
    assert_eq!((used[0].used, used[0].held), (1, 2));
    // A call that was accepted is used, and holds no place any more: that takes nothing new.
    written(&in_b, taken(5, 1, -1, None)).await;
    stale(in_a.commit(taken(4, 0, 1, Some(3))).await);
    written(&in_b, taken(6, 0, -1, None)).await;
    written(&in_a, taken(4, 0, 1, Some(3))).await;
    let used = in_a.usage(at(0)).await.unwrap();
    assert_eq!((used[0].used, used[0].held), (2, 1));
}

pub(crate) async fn a_duty_is_one_nodes(backend: &dyn Backend) {
    let [(a, in_a), (b, in_b)] = two(backend).await;
    assert!(in_a.claim("endpoint 1").await.unwrap());
    assert!(in_a.claim("endpoint 1").await.unwrap(), "its own");
    assert!(!in_b.claim("endpoint 1").await.unwrap(), "two nodes have one duty");
    let under = |number| Change { claims: vec!["endpoint 1".into()], ..begins(number) };
    written(&in_a, under(1)).await;
    conflicts(&in_b, under(2)).await;
    // Who has it not cannot let it go.
    in_b.unclaim("endpoint 1").await.unwrap();
    assert!(!in_b.claim("endpoint 1").await.unwrap());
    in_a.unclaim("endpoint 1").await.unwrap();
    conflicts(&in_a, under(2)).await;
    assert!(in_b.claim("endpoint 1").await.unwrap());
    written(&in_b, under(2)).await;
    assert!(!in_a.claim("endpoint 1").await.unwrap());
    // A node that left has none.
    b.nodes().leave().await.unwrap();
    assert!(in_a.claim("endpoint 1").await.unwrap());
    written(&in_a, under(3)).await;
    drop(a);
}

pub(crate) async fn health_follows_its_version(backend: &dyn Backend) {
    let [(_a, in_a), (b, in_b)] = two(backend).await;
    let _ = b.nodes().look().await.unwrap();
    let state = |version, doc: &[u8]| Change {
        provider_states: vec![ProviderStateRow { provider: "meta".into(), doc: doc.to_vec(), version }],
        ..Change::default()
    };
    written(&in_a, state(0, b"closed")).await;
    conflicts(&in_b, state(0, b"open")).await;
    let read = in_b.provider_states().await.unwrap();
    let version = read[0].version;
    assert!(read.len() == 1 && read[0].doc == b"closed" && version > 0);
    written(&in_b, state(version, b"open")).await;
    conflicts(&in_a, state(version, b"half open")).await;
    assert!(in_a.provider_states().await.unwrap()[0].doc == b"open");
    written(&in_a, state(version + 1, b"half open")).await;
    let told = b.nodes().look().await.unwrap();
    assert!(told.iter().any(|seen| seen.scope == in_b.id() && seen.health), "the other is not told");
}

pub(crate) async fn events_of_other_nodes_are_followed(backend: &dyn Backend) {
    let [(_a, in_a), (_b, in_b)] = two(backend).await;
    let mut newest = in_b.newest_event();
    let mut read = Vec::new();
    for number in 1..=20 {
        let first = written(&in_a, begins(number)).await.first_event;
        newest.wait_for(|newest| *newest >= first).await.unwrap();
        let from = read.last().copied().unwrap_or_default();
        read.extend(in_b.events_after(from, 100).await.unwrap().iter().map(|event| event.n));
        assert_eq!(read.len() as u64, number, "an event was told before it could be read");
    }
    assert!(read.is_sorted());
}

pub(crate) async fn no_more_endpoints_are_made_than_may_be_by_all_nodes(backend: &dyn Backend) {
    let [(_a, in_a), (_b, in_b)] = two(backend).await;
    let make = |number| endpoints(EndpointChange::Make(endpoint(number), 5));
    let asked = (1..=40)
        .map(|number| if number % 2 == 0 { in_a.commit(make(number)) } else { in_b.commit(make(number)) });
    let made = join_all(asked).await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 5);
    assert_eq!(in_a.endpoints(newest(100)).await.unwrap().rows.len(), 5);
}
