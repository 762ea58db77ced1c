//! The same on a disk.

use std::sync::Arc;

use spine::model::Currency;
use spine::model::shapes::EventType;
use spine::store::rows::{DeliveryFilter, DeliveryRow, DeliveryState, EventRow};
use spine::store::seal::{Scope, SystemRandom};
use spine::store::{Change, EndpointChange, Page, PageStart, Put, Store as _, TenantRow, sqlite};
use spine::webhooks::{Endpoint, Settings, Wanted, Webhooks, delivery, schedule};
use tokio::sync::watch;

use crate::receiver::Receiver;

use super::world::*;

/// The rows in a file.
async fn stored(folder: &std::path::Path) -> sqlite::SqliteStore {
    sqlite::open(sqlite::Options {
        folder: folder.to_owned(),
        master_key: None,
        now: START,
        random: Arc::new(SystemRandom::new()),
    })
    .await
    .unwrap()
}

async fn deliveries(scope: &Scope) -> Vec<DeliveryRow> {
    let page = Page { start: PageStart::Newest, limit: 100 };
    let listed = scope.deliveries(DeliveryFilter::default(), page).await.unwrap();
    listed.rows.into_iter().map(|each| each.row).collect()
}

#[tokio::test]
async fn on_a_disk_a_delivery_goes_on_after_a_restart_and_dies_with_its_endpoint() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(Still(watch::channel(START).0));
    let (outside, mut receiver) = (outside(&clock), Receiver::start().await);
    let webhooks = Webhooks::new(outside.clone(), Settings::default());
    let tell = || {
        let (id, kind) = (outside.ids.mint(), EventType::MessageSent.word().into());
        let event = EventRow { id, kind, at: clock.now(), sequence: None, data: b"{}".to_vec() };
        Change { events: vec![event], ..Change::default() }
    };

    let store = stored(folder.path()).await;
    let tenant = TenantRow {
        id: outside.ids.mint(),
        name: "acme".into(),
        timezone: "UTC".into(),
        currency: Currency::EUR,
        created_at: START,
    };
    let scope_id = store.registry().make_tenant(tenant).await.unwrap()[0].id;
    let scope = store.scope(scope_id).await.unwrap();
    webhooks.open(&scope);
    let wanted = Wanted { url: receiver.url("/"), events: vec!["message.*".into()], description: None };
    let id = outside.ids.mint();
    let endpoint = Endpoint::make(&scope, id, wanted, &secret(1), START).unwrap();
    let put = EndpointChange::Put(Put { row: endpoint.row(), expected: None });
    scope.commit(Change { endpoints: vec![put], ..Change::default() }).await.map(|_| ()).unwrap();
    webhooks.poke(scope_id);
    scope.commit(tell()).await.map(|_| ()).unwrap();
    receiver.next().await.answer(500, &[], "");
    webhooks.close(scope_id).await;
    let first = deliveries(&scope).await.remove(0);
    assert_eq!(first.next_try_at, Some(START.plus(schedule::DELAYS[0])));
    drop(scope);
    store.close().await.unwrap();
    drop(store);

    let store = stored(folder.path()).await;
    let scope = store.scope(scope_id).await.unwrap();
    webhooks.open(&scope);
    clock.advance(schedule::DELAYS[0]);
    let again = receiver.next().await;
    assert_eq!(again.headers["webhook-id"], first.event_id.to_string().as_str());
    again.answer(500, &[], "");
    webhooks.close(scope_id).await;
    assert_eq!(delivery(&deliveries(&scope).await[0]).tries.len(), 2);

    // A new event meets 410 while the first delivery is pending: both are dead, in one change.
    webhooks.open(&scope);
    scope.commit(tell()).await.map(|_| ()).unwrap();
    receiver.next().await.answer(410, &[], "");
    webhooks.close(scope_id).await;
    let dead = deliveries(&scope).await;
    assert_eq!(dead.len(), 2);
    assert!(dead.iter().all(|row| row.state == DeliveryState::Dead && row.next_try_at.is_none()));
    let read = |row| Endpoint::read(&row).unwrap();
    let endpoint = read(scope.endpoint(id).await.unwrap().unwrap());
    assert!(!endpoint.is_enabled());

    // Enabled again and deleted while a try is under way: nothing more of it is written.
    scope.commit(webhooks.enabled(&scope, &endpoint)).await.map(|_| ()).unwrap();
    webhooks.open(&scope);
    scope.commit(tell()).await.map(|_| ()).unwrap();
    let under_way = receiver.next().await;
    let endpoint = read(scope.endpoint(id).await.unwrap().unwrap());
    let delete = EndpointChange::Delete(id, endpoint.version);
    scope.commit(Change { endpoints: vec![delete], ..Change::default() }).await.map(|_| ()).unwrap();
    under_way.answer(500, &[], "");
    webhooks.close(scope_id).await;
    assert!(deliveries(&scope).await.iter().all(|row| row.state == DeliveryState::Dead));
    assert_eq!(deliveries(&scope).await.len(), 2);
    store.close().await.unwrap();
}
