//! Events on their way to endpoints, over real sockets and on a clock that the test moves.

mod disk;
pub(crate) mod world;

use serde_json::{Value, json};
use spine::model::shapes::{DeliveryStatus, EventType};
use spine::model::{Instant, Span};
use spine::store::rows::DeliveryState;
use spine::store::{Change, EndpointChange, Position, StoreError};
use spine::webhooks::{Resting, Settings, Webhooks, delivery, letters, schedule};

use world::*;

#[tokio::test]
async fn an_event_reaches_each_endpoint_that_asked_for_it_signed() {
    let mut world = World::new().await;
    world.tell(EventType::MessageCreated).await;
    let all = world.endpoint("/all", &["message.*"]).await;
    let quota = world.endpoint("/quota", &["quota.threshold"]).await;
    let event = world.tell(EventType::MessageSent).await;
    let received = world.receiver.next().await;
    assert_eq!(received.path, "/all");
    assert!(verify(&received, 1) && !verify(&received, 2));
    assert_eq!(received.headers["webhook-id"], event.to_string().as_str());
    assert_eq!(
        received.json(),
        json!({"id": event.to_string(), "type": "message.sent", "timestamp": START.to_string(), "sequence": null,
            "data": {"n": 1}})
    );
    received.ok();
    let row = world.tried(all, 1).await;
    let seen = delivery(&row);
    assert_eq!((seen.state, seen.next_try_at), (DeliveryStatus::Delivered, None));
    assert_eq!((seen.tries[0].status_code, seen.tries[0].at), (Some(200), START));
    world.tell(EventType::QuotaThreshold).await;
    let received = world.receiver.next().await;
    assert_eq!(
        (received.path.as_str(), received.json()["type"].as_str()),
        ("/quota", Some("quota.threshold"))
    );
    received.ok();
    world.tried(quota, 1).await;
    // The one that came before the endpoints was for neither.
    assert!(world.receiver.waiting().is_none());
    world.memory.until(|rows| (rows.endpoints[&all].position >= 2).then_some(())).await;
}

#[tokio::test]
async fn a_delivery_goes_through_the_schedule_dies_and_is_replayed() {
    let mut world = World::new().await;
    let id = world.endpoint("/", &["*"]).await;
    let event = world.tell(EventType::MessageSent).await;
    for (n, delay) in schedule::DELAYS.iter().enumerate() {
        let row = world.fail_once(id, n + 1).await;
        assert_eq!(
            (row.state, row.next_try_at),
            (DeliveryState::Pending, Some(world.clock.now().plus(*delay)))
        );
        world.clock.advance(Span::from_ms(delay.ms() - 1));
        assert!(world.receiver.waiting().is_none(), "tried before its time");
        world.clock.advance(Span::from_ms(1));
    }
    let dead = world.fail_once(id, 10).await;
    assert_eq!((dead.state, dead.next_try_at), (DeliveryState::Dead, None));

    let again = letters::replayed(&dead, world.clock.now()).unwrap();
    assert_eq!(delivery(&again.row).next_try_at, Some(world.clock.now()));
    world.commit(Change { deliveries: vec![again], ..Change::default() }).await;
    let row = world.fail_once(id, 11).await;
    let first_delay = world.clock.now().plus(schedule::DELAYS[0]);
    assert_eq!((row.id, row.next_try_at), (dead.id, Some(first_delay)), "the schedule begins anew");
    world.clock.advance(schedule::DELAYS[0]);
    let received = world.receiver.next().await;
    assert_eq!(received.headers["webhook-id"], event.to_string().as_str());
    received.ok();
    let row = world.tried(id, 12).await;
    assert_eq!(row.state, DeliveryState::Delivered);
    assert!(letters::replayed(&row, world.clock.now()).is_none(), "it is not dead");
}

#[tokio::test]
async fn dead_letters_are_replayed_by_the_time_of_their_events() {
    let mut world = World::new().await;
    let id = world.endpoint("/", &["*"]).await;
    let mut times = Vec::new();
    for _ in 0..3 {
        times.push(world.clock.now());
        world.tell(EventType::MessageSent).await;
        world.receiver.next().await.answer(500, &[], "");
        world.memory.until(|rows| (rows.of(id).len() == times.len()).then_some(())).await;
        world.clock.advance(Span::from_s(1));
    }
    let kill = EndpointChange::SettlePending(id, DeliveryState::Dead);
    world.commit(Change { endpoints: vec![kill], ..Change::default() }).await;
    let found = letters::replayed_in(&world.scope, id, times[0], times[2], world.clock.now()).await.unwrap();
    let mut of: Vec<Instant> = found.iter().map(|put| put.row.event_at).collect();
    of.sort();
    assert_eq!(of, times[..2], "from is inclusive, to exclusive");
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_delays_no_other() {
    let mut world = World::new().await;
    let slow = world.endpoint("/slow", &["*"]).await;
    let quick = world.endpoint("/quick", &["*"]).await;
    let mut held = Vec::new();
    for n in 1..=100 {
        world.tell(EventType::MessageSent).await;
        loop {
            let received = world.receiver.next().await;
            if received.path == "/quick" {
                received.ok();
                break;
            }
            held.push(received);
        }
        world.memory.until(|rows| (rows.of(quick).len() == n).then_some(())).await;
    }
    assert_eq!(world.memory.rows().of(slow).len(), 0);
    assert!(held.len() <= Settings::default().first_tries_max, "no more at once than allowed");
    assert_eq!(world.webhooks.resting(world.scope.id()), Resting::No);
}

#[tokio::test]
async fn tries_go_on_while_what_has_ended_is_written_and_the_position_follows_in_order() {
    let mut world = World::new().await;
    let id = world.endpoint("/", &["*"]).await;
    let calls_max = Settings::default().first_tries_max;
    world.memory.hold(true);
    for _ in 0..40 * calls_max {
        world.tell(EventType::MessageSent).await;
    }
    // One that is not answered, then all those that may be tried before anything is written.
    let slow = world.receiver.next().await;
    for _ in 1..16 * calls_max {
        world.receiver.next().await.ok();
    }
    tokio::task::yield_now().await;
    assert!(world.receiver.waiting().is_none(), "no more are tried than may be tried again");
    assert!(world.memory.rows().of(id).is_empty());
    world.memory.hold(false);
    // What ended behind the slow one is not written before it.
    let is_slow =
        |row: &spine::store::rows::EventRow| slow.headers["webhook-id"] == row.id.to_string().as_str();
    {
        let rows = world.memory.rows();
        let place = rows.events.iter().position(is_slow).unwrap();
        assert!(usize::try_from(rows.endpoints[&id].position).unwrap() <= place);
        assert!(rows.of(id).len() <= place);
    }
    slow.ok();
    for _ in 0..24 * calls_max {
        world.receiver.next().await.ok();
    }
    let all = 40 * calls_max;
    world.memory.until(|rows| (rows.of(id).len() == all).then_some(())).await;
    let rows = world.memory.rows();
    assert!(rows.of(id).iter().all(|row| delivery(row).tries.len() == 1), "tried twice");
    assert_eq!(usize::try_from(rows.endpoints[&id].position).unwrap(), all);
}

#[tokio::test]
async fn what_was_tried_and_not_written_when_the_process_died_is_tried_again() {
    let mut world = World::new().await;
    let id = world.endpoint("/", &["*"]).await;
    let event = world.tell(EventType::MessageSent).await;
    let received = world.receiver.next().await;
    world.memory.fail(Some(StoreError::Closing));
    let commit = world.memory.next_commit();
    received.ok();
    commit.await;
    world.memory.fail(None);
    assert!(world.memory.rows().of(id).is_empty());

    world.webhooks = Webhooks::new(world.outside.clone(), Settings::default());
    world.webhooks.open(&world.scope);
    let received = world.receiver.next().await;
    assert_eq!(received.headers["webhook-id"], event.to_string().as_str());
    received.ok();
    world.tried(id, 1).await;
    assert_eq!(world.memory.rows().of(id).len(), 1);
}

#[tokio::test]
async fn the_position_never_passes_an_event_that_is_under_way() {
    let mut world = World::new().await;
    let id = world.endpoint("/", &["*"]).await;
    let (first, second) =
        (world.tell(EventType::MessageSent).await, world.tell(EventType::MessageRead).await);
    let mut requests = [world.receiver.next().await, world.receiver.next().await];
    requests.sort_by_key(|request| request.headers["webhook-id"].to_str().unwrap().to_owned());
    let [one, two] = requests;
    assert_eq!(one.headers["webhook-id"], first.to_string().as_str());
    one.ok();
    world.memory.until(|rows| (rows.of(id).len() == 1).then_some(())).await;
    // The process dies while the second is under way.
    world.webhooks = Webhooks::new(world.outside.clone(), Settings::default());
    drop(two);
    world.webhooks.open(&world.scope);
    let again = world.receiver.next().await;
    assert_eq!(again.headers["webhook-id"], second.to_string().as_str());
    again.ok();
    world.memory.until(|rows| (rows.of(id).len() == 2).then_some(())).await;
}

#[tokio::test]
async fn a_full_disk_is_waited_for() {
    let mut world = World::new().await;
    let id = world.endpoint("/", &["*"]).await;
    world.tell(EventType::MessageSent).await;
    let received = world.receiver.next().await;
    world.memory.fail(Some(StoreError::Full));
    let commit = world.memory.next_commit();
    received.ok();
    commit.await;
    world.memory.fail(None);
    // It is written once there is room, and was not tried again.
    while world.memory.rows().of(id).is_empty() {
        world.clock.advance(Span::from_s(1));
        tokio::task::yield_now().await;
    }
    assert!(world.receiver.waiting().is_none());
    assert_eq!(delivery(world.memory.rows().of(id)[0]).tries.len(), 1);
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_disabled_and_the_others_are_told() {
    let mut world = World::new().await;
    let gone = world.endpoint("/gone", &["message.*", "webhook_endpoint.*"]).await;
    world.tell(EventType::MessageSent).await;
    let pending = world.fail_once(gone, 1).await;
    let other = world.endpoint("/other", &["webhook_endpoint.*"]).await;
    world.tell(EventType::MessageSent).await;
    world.receiver.next().await.answer(410, &[], "");
    let told = world.receiver.next().await;
    assert_eq!(told.path, "/other");
    assert_eq!(told.json()["type"], "webhook_endpoint.disabled");
    assert_eq!(told.json()["data"], json!({"endpoint_id": gone.to_string(), "reason": "gone"}));
    told.ok();
    world.tried(other, 1).await;
    {
        let rows = world.memory.rows();
        assert!(!rows.endpoints[&gone].enabled);
        assert_eq!(rows.deliveries[&pending.id].state, DeliveryState::Dead);
        assert!(
            rows.of(gone).iter().all(|row| row.state == DeliveryState::Dead && row.next_try_at.is_none())
        );
        assert_eq!(rows.audit, ["webhook_endpoint.disabled"]);
    }

    // Enabled again, it gets what happens from then on.
    world.tell(EventType::MessageFailed).await;
    let change = world.webhooks.enabled(&world.scope, &world.read(gone));
    world.commit(change).await;
    world.tell(EventType::MessageRead).await;
    let received = world.receiver.next().await;
    assert_eq!((received.path.as_str(), received.json()["type"].as_str()), ("/gone", Some("message.read")));
}

#[tokio::test]
async fn five_days_of_failure_disable_an_endpoint_also_where_nothing_is_tried_any_more() {
    let mut world = World::new().await;
    let id = world.endpoint("/", &["message.*"]).await;
    world.tell(EventType::MessageSent).await;
    for (n, delay) in schedule::DELAYS.iter().enumerate() {
        world.fail_once(id, n + 1).await;
        world.clock.advance(*delay);
    }
    assert_eq!(world.fail_once(id, 10).await.state, DeliveryState::Dead);
    let left = schedule::FAILING_MAX.ms() - world.clock.now().since(START).ms();
    world.memory.until(|rows| rows.endpoints[&id].enabled.then_some(())).await;
    world.clock.advance(Span::from_ms(left - 1));
    assert!(world.memory.rows().endpoints[&id].enabled);
    world.clock.advance(Span::from_ms(1));
    world.disabled(id).await;
    let told = world.memory.rows().events.last().map(|row| (row.kind.clone(), row.data.clone())).unwrap();
    let data: Value = serde_json::from_slice(&told.1).unwrap();
    assert_eq!((told.0.as_str(), data["reason"].as_str()), ("webhook_endpoint.disabled", Some("failing")));
}

#[tokio::test]
async fn a_success_after_five_days_wins_over_the_disabling() {
    let mut world = World::new().await;
    let id = world.endpoint("/", &["message.*"]).await;
    world.tell(EventType::MessageSent).await;
    world.fail_once(id, 1).await;
    world.clock.advance(schedule::FAILING_MAX);
    world.receiver.next().await.ok();
    let row = world.tried(id, 2).await;
    assert_eq!(row.state, DeliveryState::Delivered);
    let rows = world.memory.rows();
    assert!(rows.endpoints[&id].enabled);
    assert_eq!(rows.events.last().unwrap().kind, "webhook_endpoint.recovered");
}

#[tokio::test]
async fn a_recovery_after_an_hour_is_told_to_the_others_alone() {
    let mut world = World::new().await;
    let id = world.endpoint("/", &["*"]).await;
    world.tell(EventType::MessageSent).await;
    world.fail_once(id, 1).await;
    let other = world.endpoint("/other", &["*"]).await;
    world.clock.advance(schedule::FAILURE_TOLD_MIN);
    world.receiver.next().await.ok();
    let told = world.receiver.next().await;
    assert_eq!(
        (told.path.as_str(), told.json()["type"].as_str()),
        ("/other", Some("webhook_endpoint.recovered"))
    );
    assert_eq!(told.json()["data"]["endpoint_id"], id.to_string());
    told.ok();
    world.tried(other, 1).await;
    let newest = Position::try_from(world.memory.rows().events.len()).unwrap();
    // Its own worker passes the event, which shows once it takes the next.
    world.tell(EventType::MessageRead).await;
    for _ in 0..2 {
        let received = world.receiver.next().await;
        assert_eq!(received.json()["type"], "message.read");
        received.ok();
    }
    world.memory.until(|rows| (rows.endpoints[&id].position > newest).then_some(())).await;
}

#[tokio::test]
async fn both_secrets_sign_for_a_day_after_a_rotation() {
    let mut world = World::new().await;
    let id = world.endpoint("/", &["*"]).await;
    for (byte, before, signs) in [(2_u8, 1_u8, [true, true, false]), (3, 2, [false, true, true])] {
        let mut endpoint = world.read(id);
        endpoint.rotate(&world.scope, &secret(byte), world.clock.now()).unwrap();
        world.put(&endpoint, Some(endpoint.version)).await;
        world.webhooks.close(world.scope.id()).await;
        world.webhooks.open(&world.scope);
        world.tell(EventType::MessageSent).await;
        let received = world.receiver.next().await;
        assert_eq!([1, 2, 3].map(|byte| verify(&received, byte)), signs, "{before} to {byte}");
        received.ok();
        world.memory.until(|rows| (rows.of(id).len() == usize::from(before)).then_some(())).await;
    }
    world.clock.advance(Span::from_s(86_400));
    world.tell(EventType::MessageSent).await;
    let received = world.receiver.next().await;
    assert_eq!([1, 2, 3].map(|byte| verify(&received, byte)), [false, false, true]);
}

#[tokio::test]
async fn a_ping_is_tried_once_and_stands_nowhere() {
    let mut world = World::new().await;
    let id = world.endpoint("/", &["quota.*"]).await;
    let ping = world.webhooks.ping(&world.scope, &world.read(id)).unwrap();
    let told = ping.delivery.clone();
    ping.send();
    let received = world.receiver.next().await;
    assert!(verify(&received, 1));
    assert_eq!(received.headers["webhook-id"], told.event_id.to_string().as_str());
    assert_eq!(received.json()["type"], "webhook.ping");
    assert_eq!(received.json()["data"], json!({"endpoint_id": id.to_string()}));
    received.answer(500, &[], "");
    world.clock.advance(Span::from_s(60));
    assert_eq!(told.state, DeliveryStatus::Pending);
    assert!(world.memory.rows().deliveries.is_empty() && world.memory.rows().events.is_empty());
}

#[tokio::test]
async fn a_deleted_endpoint_loses_what_is_pending_and_what_is_under_way() {
    let mut world = World::new().await;
    let id = world.endpoint("/", &["*"]).await;
    world.tell(EventType::MessageSent).await;
    world.fail_once(id, 1).await;
    world.tell(EventType::MessageSent).await;
    let under_way = world.receiver.next().await;
    let endpoint = world.read(id);
    let delete = EndpointChange::Delete(id, endpoint.version);
    world.commit(Change { endpoints: vec![delete], ..Change::default() }).await;
    under_way.ok();
    world.webhooks.close(world.scope.id()).await;
    assert!(world.memory.rows().deliveries.is_empty());
}

#[tokio::test]
async fn a_stop_waits_for_the_tries_under_way_and_writes_them() {
    let mut world = World::new().await;
    let id = world.endpoint("/", &["*"]).await;
    world.tell(EventType::MessageSent).await;
    let received = world.receiver.next().await;
    let ((), ()) = tokio::join!(world.webhooks.stop(), async {
        received.ok();
    });
    assert_eq!(world.memory.rows().of(id).len(), 1);
    world.tell(EventType::MessageSent).await;
    assert!(world.receiver.waiting().is_none());
    assert_eq!(world.memory.rows().of(id).len(), 1);
}

#[tokio::test]
async fn a_worker_rests_until_the_next_try() {
    let mut world = World::new().await;
    let id = world.endpoint("/", &["*"]).await;
    world.tell(EventType::MessageSent).await;
    let row = world.fail_once(id, 1).await;
    world.webhooks.close(world.scope.id()).await;
    assert_eq!(world.webhooks.resting(world.scope.id()), Resting::Until(None));
    world.webhooks.open(&world.scope);
    // Opened again after the time has come, it goes on at once.
    world.clock.advance(schedule::DELAYS[0]);
    world.receiver.next().await.ok();
    assert_eq!(world.tried(id, 2).await.id, row.id);
}

#[tokio::test]
async fn an_owner_disables_an_endpoint_and_its_pending_deliveries_die() {
    let mut world = World::new().await;
    let id = world.endpoint("/", &["*"]).await;
    world.tell(EventType::MessageSent).await;
    world.fail_once(id, 1).await;
    let change = world.webhooks.disabled(&world.read(id), world.clock.now());
    world.commit(change).await;
    {
        let rows = world.memory.rows();
        assert_eq!(rows.of(id)[0].state, DeliveryState::Dead);
        assert_eq!(rows.events.last().unwrap().kind, "webhook_endpoint.disabled");
    }
    let again = world.webhooks.disabled(&world.read(id), world.clock.now());
    assert!(again.events.is_empty() && again.endpoints.is_empty());
    world.tell(EventType::MessageSent).await;
    world.webhooks.close(world.scope.id()).await;
    assert!(world.receiver.waiting().is_none());
    assert_eq!(world.memory.rows().of(id).len(), 1);
}
