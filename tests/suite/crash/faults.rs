//! A disk that fills and has room again, and one whose syncs fail, below the program itself.

use serde_json::json;
use tokio::process::Child;

use super::harness::counted::count;
use super::harness::gateway::Gateway;
use super::harness::load::Tenant;
use super::harness::run;
use super::harness::server::{Place, ask_root, kill};
use super::harness::shim::Of;

async fn is_ready(place: &Place) -> bool {
    ask_root(place.address, "/readyz").await.unwrap().status == 200
}

/// Sends until somebody is refused, or that many were sent.
async fn send_until_refused(place: &Place, tenant: &Tenant, at_most: u32) -> u32 {
    let before = tenant.book().refused;
    let mut sent = 0;
    while tenant.book().refused == before && sent < at_most {
        tenant.sends(place, 6).await;
        sent += 6;
    }
    tenant.book().refused - before
}

/// Seen to fail with a store that took a full index of its log for a broken disk, and with a call's
/// answer that was given up when it found no room.
#[test]
fn a_disk_that_fills_refuses_sends_and_goes_on_by_itself_once_it_has_room() {
    run(async {
        let place = Place::on_own_disk();
        let gateway = Gateway::start(&place).await;
        let (tenant, child) = Tenant::new(&place, &gateway).await;
        tenant.sends(&place, 12).await;
        // However much room there was, and also where only the log's index cannot grow.
        let rooms = [(0, Of::Indexes), (0, Of::All), (9_000, Of::All), (70_001, Of::All), (150_000, Of::All)];
        for (room, of) in rooms {
            place.disk().has_room(room, of);
            let refused = send_until_refused(&place, &tenant, 600).await;
            assert!(refused > 0 && place.disk().refused() > 0, "{room} bytes were enough");
            assert!(is_ready(&place).await, "a full disk is not the end");
            let listed = place.ask(&tenant.key, "GET /messages?limit=1", None, None).await.unwrap();
            assert_eq!(listed.status, 200, "what is there can be read");
            let other = json!({"addresses": {"sms": "+4366412345678"}});
            let contact = place.ask(&tenant.key, "POST /contacts", Some("c"), Some(&other)).await.unwrap();
            assert!([201, 503].contains(&contact.status), "{contact:?}");
            // The key of what was refused is free: the same request is taken once there is room.
            place.disk().has_room_again();
            place.again.send_modify(|times| *times += 1);
            let requests: Vec<String> = tenant.book().requests.keys().cloned().collect();
            for name in requests {
                if !tenant.book().answers.contains_key(&name) {
                    assert!(tenant.send(&place, &name).await.unwrap(), "{name} after there is room");
                }
            }
        }
        let counted = count(&place, &tenant, &gateway, vec![child]).await;
        assert!(counted.is_nothing(), "{counted}");
    });
}

/// Killed while it is full: nothing is half there.
#[test]
fn a_program_that_dies_on_a_full_disk_has_lost_nothing() {
    run(async {
        let place = Place::on_own_disk();
        let gateway = Gateway::start(&place).await;
        let (tenant, mut child) = Tenant::new(&place, &gateway).await;
        for room in [0, 30_000, 90_000] {
            place.disk().has_room(room, Of::All);
            assert!(send_until_refused(&place, &tenant, 600).await > 0);
            kill(&mut child).await;
            // Nor does it start while there is no room, or it does and refuses.
            if let Ok(mut started) = place.serve(None).await {
                send_until_refused(&place, &tenant, 12).await;
                kill(&mut started).await;
            }
            place.disk().has_room_again();
            child = place.serve(None).await.unwrap();
        }
        let counted = count(&place, &tenant, &gateway, vec![child]).await;
        assert!(counted.is_nothing(), "{counted}");
    });
}

/// Refuses everything that changes something, is not ready, and stays so.
async fn takes_nothing_more(place: &Place, tenant: &Tenant) {
    let before = tenant.book().answers.len();
    for _ in 0..5 {
        tenant.sends(place, 2).await;
    }
    assert_eq!(tenant.book().answers.len(), before, "a message was taken after a sync had failed");
    assert!(!is_ready(place).await, "it says that it takes messages");
    assert_eq!(place.ask(&tenant.key, "GET /messages?limit=1", None, None).await.unwrap().status, 200);
}

/// Syncs of some files fail once; what was answered by then, and what is taken after the restart, is
/// there.
async fn fails_once(of: Of, settings: &[(&'static str, &str)]) {
    let mut place = Place::on_own_disk();
    place.settings.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
    let gateway = Gateway::start(&place).await;
    let (tenant, mut child): (Tenant, Child) = Tenant::new(&place, &gateway).await;
    tenant.sends(&place, 18).await;
    place.disk().fails(1, of);
    assert!(send_until_refused(&place, &tenant, 600).await > 0, "no send was refused");
    assert_eq!(place.disk().failed(), 1);
    takes_nothing_more(&place, &tenant).await;
    assert_eq!(place.disk().failed(), 1, "a sync that works again is no reason to go on");
    kill(&mut child).await;
    let child = place.serve(None).await.unwrap();
    assert!(is_ready(&place).await);
    let counted = count(&place, &tenant, &gateway, vec![child]).await;
    assert!(counted.is_nothing(), "{counted}");
}

/// Seen to fail with a store that tried again.
#[test]
fn a_sync_of_a_commit_that_fails_is_final() {
    run(fails_once(Of::Logs, &[]));
}

/// Keys of the API stand in another file than messages.
#[test]
fn a_sync_of_the_registry_that_fails_is_final() {
    run(async {
        let place = Place::on_own_disk();
        let gateway = Gateway::start(&place).await;
        let (tenant, mut child) = Tenant::new(&place, &gateway).await;
        let make = async |name| {
            let body = json!({"name": name, "permissions": ["send"]});
            place.ask(&tenant.key, "POST /keys", Some(name), Some(&body)).await.unwrap().status
        };
        assert_eq!(make("first").await, 201);
        place.disk().fails(1, Of::Logs);
        assert_eq!(make("second").await, 503);
        assert_eq!((make("second").await, make("third").await), (503, 503));
        assert!(!is_ready(&place).await, "it says that it is ready");
        assert_eq!(place.disk().failed(), 1, "a sync that works again is no reason to go on");
        kill(&mut child).await;
        let child = place.serve(None).await.unwrap();
        assert_eq!((make("second").await, make("third").await), (201, 201));
        assert_eq!(place.list(&tenant.key, "/keys").await.len(), 4);
        tenant.sends(&place, 6).await;
        let counted = count(&place, &tenant, &gateway, vec![child]).await;
        assert!(counted.is_nothing(), "{counted}");
    });
}

/// A checkpoint that was not synced may have lost what an earlier part of it wrote: the pages of that
/// part are written no more. Seen to fail with a checkpoint that was tried again.
#[test]
fn a_sync_of_a_checkpoint_that_fails_is_final() {
    run(fails_once(Of::Databases, &[("SPINE_TEST_LOG_PAGES", "60")]));
}
