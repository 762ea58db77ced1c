//! What a tenant sets up, and the scope's books.

use sha2::{Digest as _, Sha256};

use super::*;
use crate::store::rows::{
    AddressHash, ClockRow, ConsentRow, ContactRow, DeliveryFilter, DeliveryRow, DeliveryState,
    EarlyReceiptRow, EndpointRow, NewAudit, ProviderRow, ProviderStateRow, QuotaRow, UsageRow, UsageWindow,
    VersionKind, VersionRow,
};
use crate::store::{
    ConsentChange, ContactChange, EndpointChange, ProviderChange, Put, USAGE_KEPT, UsageDelta, VersionChange,
};

pub(crate) fn contact(number: u64, external_id: Option<&str>) -> ContactRow {
    ContactRow {
        id: id(number),
        external_id: external_id.map(str::to_owned),
        version: 1,
        created_at: at(0),
        updated_at: at(0),
        doc: b"clear".to_vec(),
        sealed: b"sealed".to_vec(),
    }
}

fn contacts(change: ContactChange) -> Change {
    Change { contacts: vec![change], ..Change::default() }
}

pub(crate) async fn contacts_are_changed_under_a_version(backend: &dyn Backend) {
    let (store, mut scope) = scope(backend).await;
    let put = |row, expected| contacts(ContactChange::Put(Put { row, expected }));
    written(&scope, put(contact(1, Some("c-1")), None)).await;
    conflicts(&scope, put(contact(1, None), None)).await;
    conflicts(&scope, put(contact(2, Some("c-1")), None)).await;
    written(&scope, put(contact(3, None), None)).await;
    let mut changed = contact(1, Some("c-2"));
    changed.doc = b"other".to_vec();
    changed.updated_at = at(7);
    conflicts(&scope, put(changed.clone(), Some(2))).await;
    written(&scope, put(changed.clone(), Some(1))).await;
    let expected = ContactRow { version: 2, ..changed };
    assert!(scope.contact(id(1)).await.unwrap().unwrap() == expected);
    let found = scope.contacts(Some("c-2"), newest(10)).await.unwrap();
    assert!(found.rows.len() == 1 && found.rows[0].row == expected);
    assert!(scope.contacts(Some("c-1"), newest(10)).await.unwrap().rows.is_empty());
    let all = scope.contacts(None, newest(10)).await.unwrap();
    assert_eq!(all.rows.len(), 2);
    // The position of one that is gone is not given again.
    let last = all.rows[0].n;
    written(&scope, contacts(ContactChange::Delete(id(3), 1))).await;
    conflicts(&scope, contacts(ContactChange::Delete(id(3), 1))).await;
    let scope_id = scope.id();
    drop(scope);
    store.close().await.unwrap();
    drop(store);
    let store = backend.open().await.unwrap();
    scope = store.scope(scope_id).await.unwrap();
    written(&scope, put(contact(4, None), None)).await;
    let newer = scope.contacts(None, before(last, 10)).await.unwrap();
    assert_eq!(newer.rows.len(), 1);
}

pub(crate) async fn versions_count_on(backend: &dyn Backend) {
    let (_store, scope) = scope(backend).await;
    let kind = VersionKind::Template;
    let version = |name: &str, version: u32| VersionRow {
        name: name.into(),
        version,
        id: u128::from(version),
        created_at: at(0),
        doc: format!("{name}@{version}").into_bytes(),
    };
    let publish = |row| Change { versions: vec![VersionChange::Publish(kind, row)], ..Change::default() };
    let delete = |name: &str, newest| Change {
        versions: vec![VersionChange::Delete(kind, name.into(), newest)],
        ..Change::default()
    };
    written(&scope, publish(version("a", 1))).await;
    written(&scope, publish(version("b", 1))).await;
    written(&scope, publish(version("a", 2))).await;
    conflicts(&scope, publish(version("a", 2))).await;
    conflicts(&scope, publish(version("a", 4))).await;
    conflicts(&scope, publish(version("b", 1))).await;
    // The other kind has names of its own.
    let policy = VersionChange::Publish(VersionKind::Policy, version("a", 1));
    written(&scope, Change { versions: vec![policy], ..Change::default() }).await;

    let names = async || -> Vec<String> {
        let listed = scope.newest_versions(kind, newest(10)).await.unwrap();
        listed.rows.iter().map(|row| format!("{}@{}", row.row.name, row.row.version)).collect()
    };
    assert_eq!(names().await, ["b@1", "a@2"], "in the order of the first versions");
    let listed = scope.newest_versions(kind, after(i64::MAX, 1)).await.unwrap();
    let rest = scope.newest_versions(kind, after(listed.rows[0].n, 10)).await.unwrap();
    assert!(rest.rows[0].row == version("a", 2));
    assert!(scope.version(kind, "a", None).await.unwrap().unwrap() == version("a", 2));
    assert!(scope.version(kind, "a", Some(1)).await.unwrap().unwrap() == version("a", 1));
    assert_eq!(scope.versions(kind, "a", newest(10)).await.unwrap().rows.len(), 2);

    conflicts(&scope, delete("a", 1)).await;
    written(&scope, delete("a", 2)).await;
    conflicts(&scope, delete("a", 2)).await;
    assert_eq!(names().await, ["b@1"]);
    assert!(scope.version(kind, "a", None).await.unwrap().is_none());
    // Messages on their way keep theirs.
    assert!(scope.version(kind, "a", Some(2)).await.unwrap().is_some());
    assert!(scope.versions(kind, "a", newest(10)).await.unwrap().rows.is_empty());
    written(&scope, publish(version("a", 3))).await;
    assert_eq!(names().await, ["b@1", "a@3"]);
    let name = scope.version_name(kind, "a").await.unwrap().unwrap();
    assert_eq!((name.newest, name.deleted), (3, 2));
    assert_eq!(scope.versions(kind, "a", newest(10)).await.unwrap().rows.len(), 1);
}

pub(super) fn endpoint(number: u64) -> EndpointRow {
    EndpointRow {
        id: id(number),
        version: 1,
        created_at: at(0),
        enabled: true,
        position: Position::MAX,
        doc: b"url".to_vec(),
        secrets: b"sealed".to_vec(),
    }
}

pub(super) fn endpoints(change: EndpointChange) -> Change {
    Change { endpoints: vec![change], ..Change::default() }
}

pub(crate) async fn providers_and_endpoints(backend: &dyn Backend) {
    let (store, scope) = scope(backend).await;
    let provider = |number: u64, name: &str| ProviderRow {
        id: id(number),
        name: name.into(),
        version: 1,
        created_at: at(0),
        doc: b"settings".to_vec(),
        credentials: Some(b"sealed".to_vec()),
    };
    let put = |row, expected| Change {
        providers: vec![ProviderChange::Put(Put { row, expected })],
        ..Change::default()
    };
    written(&scope, put(provider(1, "meta"), None)).await;
    conflicts(&scope, put(provider(2, "meta"), None)).await;
    conflicts(&scope, put(provider(1, "meta"), Some(9))).await;
    written(&scope, put(ProviderRow { credentials: None, ..provider(1, "meta") }, Some(1))).await;
    let found = scope.provider("meta").await.unwrap().unwrap();
    assert!(found == ProviderRow { version: 2, credentials: None, ..provider(1, "meta") });
    assert!(scope.provider_by_id(id(1)).await.unwrap().unwrap() == found);
    assert_eq!(scope.providers(newest(10)).await.unwrap().rows.len(), 1);
    let delete = ProviderChange::Delete(id(1), 2);
    written(&scope, Change { providers: vec![delete], ..Change::default() }).await;
    assert!(scope.provider("meta").await.unwrap().is_none());

    let state = |doc: &[u8], version| Change {
        provider_states: vec![ProviderStateRow { provider: "sms".into(), doc: doc.to_vec(), version }],
        ..Change::default()
    };
    written(&scope, state(b"closed", 0)).await;
    let version = scope.provider_states().await.unwrap()[0].version;
    if store.nodes().is_shared() {
        // Each follows the one before: of two that follow the same, one is written.
        conflicts(&scope, state(b"half open", version + 1)).await;
        conflicts(&scope, state(b"half open", 0)).await;
    }
    written(&scope, state(b"open", version)).await;
    let states = scope.provider_states().await.unwrap();
    assert!(states.len() == 1 && states[0].doc == b"open");

    // An endpoint made now gets later events alone, and its position never goes back.
    let before = written(&scope, begins(1)).await.first_event;
    written(&scope, endpoints(EndpointChange::Put(Put { row: endpoint(1), expected: None }))).await;
    let position = scope.endpoint(id(1)).await.unwrap().unwrap().position;
    let after = written(&scope, begins(2)).await.first_event;
    assert!(before <= position && position < after, "{before}, {position}, {after}");
    written(&scope, endpoints(EndpointChange::Advance(id(1), after + 5))).await;
    written(&scope, endpoints(EndpointChange::Advance(id(1), after + 3))).await;
    let disabled = EndpointRow { enabled: false, position: 0, ..endpoint(1) };
    conflicts(&scope, endpoints(EndpointChange::Put(Put { row: disabled.clone(), expected: Some(2) }))).await;
    written(&scope, endpoints(EndpointChange::Put(Put { row: disabled, expected: Some(1) }))).await;
    let found = scope.endpoint(id(1)).await.unwrap().unwrap();
    assert_eq!((found.version, found.enabled, found.position), (2, false, after + 5));
    assert_eq!(scope.endpoints(newest(10)).await.unwrap().rows.len(), 1);
    written(&scope, endpoints(EndpointChange::Delete(id(1), 2))).await;
    assert!(scope.endpoint(id(1)).await.unwrap().is_none());
    conflicts(&scope, endpoints(EndpointChange::Advance(id(1), 7))).await;
}

pub(crate) async fn deliveries_are_tried_and_die(backend: &dyn Backend) {
    let (_store, scope) = scope(backend).await;
    written(&scope, begins(1)).await;
    for number in [1, 2] {
        written(&scope, endpoints(EndpointChange::Put(Put { row: endpoint(number), expected: None }))).await;
    }
    let delivery = |number: u64, endpoint: u64, state, next: Option<i64>| DeliveryRow {
        id: id(number),
        event: 1,
        event_id: id(1),
        event_at: at(number as i64),
        endpoint: id(endpoint),
        version: 1,
        state,
        next_try_at: next.map(at),
        tries: b"[]".to_vec(),
    };
    let put = |row, expected| Change { deliveries: vec![Put { row, expected }], ..Change::default() };
    use DeliveryState::{Dead, Delivered, Pending};
    for row in [
        delivery(1, 1, Pending, Some(50)),
        delivery(2, 1, Delivered, None),
        delivery(3, 2, Pending, Some(20)),
        delivery(4, 1, Dead, None),
    ] {
        written(&scope, put(row, None)).await;
    }
    let ids =
        |found: &[DeliveryRow]| -> Vec<u64> { found.iter().map(|row| row.id.as_u128() as u64).collect() };
    assert_eq!(ids(&scope.deliveries_due(None, at(50), 10).await.unwrap()), [3, 1]);
    assert_eq!(ids(&scope.deliveries_due(Some(id(1)), at(50), 10).await.unwrap()), [1]);
    assert_eq!(ids(&scope.deliveries_due(None, at(49), 10).await.unwrap()), [3]);
    assert_eq!(scope.next_try(None).await.unwrap(), Some(at(20)));
    assert_eq!(scope.next_try(Some(id(1))).await.unwrap(), Some(at(50)));

    conflicts(&scope, put(delivery(3, 2, Delivered, None), Some(2))).await;
    written(&scope, put(delivery(3, 2, Delivered, None), Some(1))).await;
    let found = scope.delivery(id(3)).await.unwrap().unwrap();
    assert!(found == DeliveryRow { version: 2, ..delivery(3, 2, Delivered, None) });

    written(&scope, endpoints(EndpointChange::SettlePending(id(1), Dead))).await;
    assert_eq!(scope.next_try(None).await.unwrap(), None);
    let list = async |filter| -> Vec<u64> {
        let found = scope.deliveries(filter, newest(10)).await.unwrap();
        found.rows.iter().map(|row| row.row.id.as_u128() as u64).collect()
    };
    let dead = DeliveryFilter { state: Some(Dead), ..Default::default() };
    assert_eq!(list(dead.clone()).await, [4, 1]);
    assert_eq!(list(DeliveryFilter { endpoint: Some(id(1)), ..Default::default() }).await, [4, 2, 1]);
    let range = DeliveryFilter { event_from: Some(at(1)), event_to: Some(at(4)), ..dead };
    assert_eq!(list(range).await, [1]);

    // A dead one is tried again; a deleted endpoint loses what is pending and keeps the rest.
    written(&scope, put(delivery(4, 1, Pending, Some(70)), Some(1))).await;
    written(&scope, endpoints(EndpointChange::Delete(id(1), 1))).await;
    assert!(scope.delivery(id(4)).await.unwrap().is_none());
    assert!(scope.delivery(id(1)).await.unwrap().is_some());
}

pub(crate) async fn usage_adds_up(backend: &dyn Backend) {
    let (_store, scope) = scope(backend).await;
    let delta = |add, told_percent| UsageDelta {
        name: "sms".into(),
        window: UsageWindow::Day,
        start: at(0),
        add,
        told_percent,
        held: 0,
        limit: None,
    };
    let uses = |usage| Change { usage, ..Change::default() };
    futures_util::future::join_all((0..50).map(|_| scope.commit(uses(vec![delta(2, 0)])))).await;
    written(&scope, uses(vec![delta(-1, 80), UsageDelta { name: "messages".into(), ..delta(4, 0) }])).await;
    written(&scope, uses(vec![delta(0, 0)])).await;
    let mut usage = scope.usage(at(0)).await.unwrap();
    usage.sort_by(|a, b| a.name.cmp(&b.name));
    let row = |name: &str, used, told_percent| UsageRow {
        name: name.into(),
        window: UsageWindow::Day,
        start: at(0),
        used,
        told_percent,
        held: 0,
    };
    assert_eq!(usage, [row("messages", 4, 0), row("sms", 99, 80)]);
    assert!(scope.usage(at(1)).await.unwrap().is_empty());
    for day in [Some(10), Some(0)] {
        let quota = QuotaRow { name: "sms".into(), day, month: None };
        written(&scope, Change { quotas: vec![quota.clone()], ..Change::default() }).await;
        assert_eq!(scope.quotas().await.unwrap(), [quota]);
    }
}

pub(crate) async fn counters_of_old_windows_go(backend: &dyn Backend) {
    let (store, scope) = scope(backend).await;
    let kept_ms = USAGE_KEPT.ms();
    let delta = |start_ms, add| UsageDelta {
        name: "sms".into(),
        window: UsageWindow::Month,
        start: at(start_ms),
        add,
        told_percent: 0,
        held: add,
        limit: None,
    };
    let old = vec![delta(-kept_ms - 1, 3), delta(-kept_ms, 2)];
    written(&scope, Change { usage: old, ..Change::default() }).await;
    let since = at(-2 * kept_ms);
    assert_eq!(scope.usage(since).await.unwrap().len(), 2);
    store.tidy(at(0)).await.unwrap();
    let held = if store.nodes().is_shared() { 5 } else { 0 };
    let left: Vec<_> =
        scope.usage(since).await.unwrap().iter().map(|row| (row.start, row.used, row.held)).collect();
    assert_eq!(left, [(at(-kept_ms), 2, held)], "what is held stays, whenever it was taken");
}

pub(crate) async fn places_of_a_quota_are_taken_in_the_transaction(backend: &dyn Backend) {
    let (store, scope) = scope(backend).await;
    let shared = store.nodes().is_shared();
    let day = UsageDelta {
        name: "sms".into(),
        window: UsageWindow::Day,
        start: at(0),
        add: 0,
        told_percent: 0,
        held: 0,
        limit: None,
    };
    let uses = |usage| Change { usage, ..Change::default() };
    let stale = |answer: Result<_, StoreError>| matches!(answer, Err(StoreError::Stale { .. }));
    // Of twenty at once ten pass.
    let hold = UsageDelta { held: 1, limit: Some(10), ..day.clone() };
    let answers =
        futures_util::future::join_all((0..20).map(|_| scope.commit(uses(vec![hold.clone()])))).await;
    let passed = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(passed, if shared { 10 } else { 20 });
    let row = |row: &UsageRow| (row.window, row.used, row.held);
    let rows = |rows: Vec<UsageRow>| rows.iter().map(row).collect::<Vec<_>>();
    let found = rows(scope.usage(at(0)).await.unwrap());
    assert_eq!(found, [(UsageWindow::Day, 0, if shared { 10 } else { 0 })]);
    if !shared {
        return;
    }
    // A place that becomes a use takes nothing more; one given back can be taken again, once.
    let used = UsageDelta { add: 1, held: -1, ..day.clone() };
    written(&scope, uses(vec![used])).await;
    written(&scope, uses(vec![UsageDelta { held: -1, ..day.clone() }])).await;
    written(&scope, uses(vec![hold.clone()])).await;
    assert!(stale(scope.commit(uses(vec![hold.clone()])).await));
    // What one window holds counts in another, with a limit of its own, whichever delta takes.
    let month = UsageDelta { window: UsageWindow::Month, limit: Some(9), ..day.clone() };
    let both = |limit| {
        let day = UsageDelta { limit: Some(100), ..hold.clone() };
        uses(vec![day, UsageDelta { limit: Some(limit), ..month.clone() }])
    };
    assert!(stale(scope.commit(both(9)).await), "nine are held, and a tenth is too many");
    written(&scope, both(10)).await;
    let held = scope.usage(at(0)).await.unwrap();
    assert!(held.iter().all(|row| row.held == 10) && held.len() == 2, "the same in each row of the name");
    // Uses without a place, several in one change: all of them or none.
    let three = UsageDelta { name: "messages".into(), add: 1, limit: Some(2), ..day.clone() };
    assert!(stale(scope.commit(uses(vec![three.clone(), three.clone(), three.clone()])).await));
    written(&scope, uses(vec![three.clone(), three.clone()])).await;
    assert!(stale(scope.commit(uses(vec![three])).await));
    // A threshold is told by one change alone.
    let tells = |percent| uses(vec![UsageDelta { told_percent: percent, ..day.clone() }]);
    let told = futures_util::future::join_all((0..5).map(|_| scope.commit(tells(80)))).await;
    assert_eq!(told.iter().filter(|answer| answer.is_ok()).count(), 1);
    written(&scope, tells(100)).await;
    assert!(stale(scope.commit(tells(80)).await));
    written(&scope, tells(0)).await;
}

pub(crate) fn audit(number: u64) -> NewAudit {
    NewAudit {
        id: id(number),
        at: at(number as i64),
        who: "key_1".into(),
        what: "contact.created".into(),
        object_id: Some("ctc_1".into()),
        request_id: None,
        canonical: format!("{{\"n\":{number}}}").into_bytes(),
    }
}

pub(crate) async fn the_audit_is_a_chain(backend: &dyn Backend) {
    let (_store, scope) = scope(backend).await;
    let taken = || ContactChange::Put(Put { row: contact(77, None), expected: None });
    written(&scope, contacts(taken())).await;
    // One of these is refused; the chain closes over it without a gap.
    let changes = (1..=40).map(|number| {
        let mut change = Change { audit: vec![audit(number)], ..Change::default() };
        if number == 20 {
            change.contacts.push(taken());
        }
        scope.commit(change)
    });
    let refused =
        futures_util::future::join_all(changes).await.iter().filter(|answer| answer.is_err()).count();
    assert_eq!(refused, 1);
    let chain = scope.audit_after(0, 100).await.unwrap();
    assert_eq!(chain.len(), 39);
    let mut prev = [0; 32];
    for (index, entry) in chain.iter().enumerate() {
        assert_eq!(entry.n, index as i64 + 1);
        assert_eq!(entry.row.prev_hash, prev);
        let mut text: String = prev.iter().map(|byte| format!("{byte:02x}")).collect();
        text.push('\n');
        text.push_str(std::str::from_utf8(&entry.row.entry.canonical).unwrap());
        assert_eq!(entry.row.hash, <[u8; 32]>::from(Sha256::digest(text)));
        prev = entry.row.hash;
    }
    let page = scope.audit(newest(2)).await.unwrap();
    assert!(page.has_more && page.rows[0].n == 39 && page.rows[0].row == chain[38].row);
}

pub(crate) async fn consents_outlive(backend: &dyn Backend) {
    let (_store, scope) = scope(backend).await;
    let row = |address: u8, opted_out| ConsentRow {
        channel: Channel::Sms,
        address: AddressHash([address; 16]),
        opted_out,
        at: at(0),
    };
    let put = |row| Change { consents: vec![ConsentChange::Put(row)], ..Change::default() };
    written(&scope, put(row(1, false))).await;
    written(&scope, put(row(1, true))).await;
    written(&scope, put(row(2, false))).await;
    let asked = [
        (Channel::Sms, AddressHash([1; 16])),
        (Channel::Sms, AddressHash([2; 16])),
        (Channel::Email, AddressHash([1; 16])),
    ];
    let found = scope.consents(&asked).await.unwrap();
    assert!(found.len() == 2 && found.contains(&row(1, true)) && found.contains(&row(2, false)));
    let delete = ConsentChange::Delete(Channel::Sms, AddressHash([2; 16]));
    written(&scope, Change { consents: vec![delete], ..Change::default() }).await;
    assert!(scope.consents(&asked).await.unwrap() == [row(1, true)]);
}

pub(crate) async fn early_receipts_wait(backend: &dyn Backend) {
    let (store, scope) = scope(backend).await;
    let receipt = |id: &str, ms| EarlyReceiptRow {
        provider: "gateway".into(),
        provider_message_id: id.into(),
        at: at(ms),
        doc: b"delivered".to_vec(),
    };
    for receipt in [receipt("a", 0), receipt("a", 1), receipt("b", 600_001)] {
        written(&scope, Change { early_receipts: vec![receipt], ..Change::default() }).await;
    }
    let found = scope.early_receipts("gateway", "a").await.unwrap();
    assert!(found == [receipt("a", 0), receipt("a", 1)]);
    let taken = vec![("gateway".to_owned(), "a".to_owned())];
    written(&scope, Change { early_receipts_taken: taken, ..Change::default() }).await;
    assert!(scope.early_receipts("gateway", "a").await.unwrap().is_empty());
    written(&scope, Change { early_receipts: vec![receipt("c", 0)], ..Change::default() }).await;
    written(&scope, Change::keeping(kept(1, 1))).await;
    // Ten minutes and a little later.
    store.tidy(at(600_002)).await.unwrap();
    assert!(scope.early_receipts("gateway", "c").await.unwrap().is_empty());
    assert_eq!(scope.early_receipts("gateway", "b").await.unwrap().len(), 1);
    assert!(scope.idempotency(kept(1, 1).key).await.unwrap().is_some());
}

pub(crate) async fn the_clock_is_kept(backend: &dyn Backend) {
    let (_store, scope) = scope(backend).await;
    assert_eq!(scope.clock().await.unwrap(), ClockRow::default());
    for clock in [
        ClockRow { advanced_by_ms: 0, target_ms: Some(30_000) },
        ClockRow { advanced_by_ms: 30_000, target_ms: None },
    ] {
        written(&scope, Change { clock: Some(clock), ..Change::default() }).await;
        assert_eq!(scope.clock().await.unwrap(), clock);
    }
}

pub(crate) async fn no_more_endpoints_are_made_than_may_be(backend: &dyn Backend) {
    let (_store, scope) = scope(backend).await;
    let make = |number| endpoints(EndpointChange::Make(endpoint(number), 3));
    written(&scope, make(1)).await;
    conflicts(&scope, make(1)).await;
    // Whoever asks at once, in one transaction or in several.
    let asked = (2..=20).map(|number| scope.commit(make(number)));
    let made = futures_util::future::join_all(asked).await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 2);
    assert!(made.iter().all(|made| matches!(made, Ok(_) | Err(StoreError::Conflict { .. }))));
    assert_eq!(scope.endpoints(newest(100)).await.unwrap().rows.len(), 3);
    written(&scope, Change { endpoints: vec![EndpointChange::Delete(id(1), 1)], ..Change::default() }).await;
    written(&scope, make(30)).await;
    conflicts(&scope, make(31)).await;
}
