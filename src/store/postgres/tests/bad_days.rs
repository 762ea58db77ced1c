//! Connections that are lost, and a database that is away.

use super::proxy::{Cut, Proxy};
use super::*;
use crate::model::Status;
use crate::store::conformance::live;
use crate::store::conformance::{begins, id, kept, newest, scope, step, stored, written};
use crate::store::{Change, MessageStep};

/// A database behind a proxy.
struct Behind {
    place: InDatabase,
    proxy: Proxy,
}

impl Behind {
    async fn new() -> Behind {
        let place = InDatabase::default();
        let proxy = Proxy::before(place.database().await.cluster.port()).await;
        Behind { place, proxy }
    }
}

impl Backend for Behind {
    fn open(&self) -> Answer<'_, Arc<dyn Store>> {
        Box::pin(async {
            let url = self.place.database().await.url_through(self.proxy.port);
            let options = Options { url, listens: false, ..self.place.options().await };
            Ok(Arc::new(open(options).await?) as Arc<dyn Store>)
        })
    }

    fn open_after_crash(&self) -> Answer<'_, Arc<dyn Store>> {
        self.open()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_is_written_once_and_answered_right() {
    for cut in [Cut::BeforeIt, Cut::BeforeItsAnswer] {
        let behind = Behind::new().await;
        let (_store, scope) = scope(&behind).await;
        let n = written(&scope, begins(1)).await.messages[0];
        behind.proxy.cut(cut);
        let change = Change { keep: Some(kept(1, 1)), ..begins(2) };
        let applied = written(&scope, change).await;
        assert!(behind.proxy.has_cut(), "{cut:?}: nothing was cut");
        assert_eq!(stored(&scope, 2).await.n, applied.messages[0], "{cut:?}");
        assert_eq!(scope.messages(Default::default(), newest(9)).await.unwrap().rows.len(), 2, "{cut:?}");
        assert!(scope.idempotency(kept(1, 1).key).await.unwrap().is_some());
        // One without a new row, so that only the number of its transaction tells.
        behind.proxy.cut(cut);
        written(&scope, step(MessageStep::Go { n, expected: 1, live: live(Status::Sent, None) })).await;
        assert!(behind.proxy.has_cut(), "{cut:?}: nothing was cut");
        assert_eq!(stored(&scope, 1).await.version, 2, "{cut:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_away_it_is_said_and_later_it_goes_on() {
    let behind = Behind::new().await;
    let (_store, scope) = scope(&behind).await;
    written(&scope, begins(1)).await;
    behind.proxy.down();
    for _ in 0..2 {
        match scope.commit(begins(2)).await {
            Err(error @ StoreError::Unavailable { .. }) => assert!(error.is_retryable()),
            Err(error) => panic!("failed otherwise: {error}"),
            Ok(_) => panic!("was written"),
        }
    }
    assert!(matches!(scope.message(id(1)).await, Err(StoreError::Unavailable { .. })));
    assert!(!scope.has_failed());
    let _back = Proxy::again(behind.proxy.port, behind.place.database().await.cluster.port()).await;
    written(&scope, begins(2)).await;
    assert!(scope.message(id(1)).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_the_server_ended_are_made_anew() {
    let place = InDatabase::default();
    let (_store, scope) = scope(&place).await;
    for number in 1..=3 {
        written(&scope, begins(number)).await;
        assert!(scope.message(id(number)).await.unwrap().is_some());
        place
            .database()
            .await
            .run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
            .await;
    }
    written(&scope, begins(4)).await;
    assert_eq!(scope.messages(Default::default(), newest(9)).await.unwrap().rows.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_prepared_statements_and_without_listening_everything_works() {
    let place = InDatabase::default();
    let plain = async || Options { listens: false, prepares: false, ..place.options().await };
    let a = open(plain().await).await.unwrap();
    let scope_id = a.registry().make_tenant(crate::store::conformance::tenant(1)).await.unwrap()[0].id;
    let in_a = a.scope(scope_id).await.unwrap();
    let b = open(plain().await).await.unwrap();
    let in_b = b.scope(scope_id).await.unwrap();
    let mut newest_event = in_b.newest_event();
    let first = written(&in_a, begins(1)).await.first_event;
    newest_event.wait_for(|newest| *newest >= first).await.unwrap();
    assert_eq!(in_b.events_after(0, 9).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_with_more_rows_than_a_block_has_positions_that_follow_each_other() {
    let place = InDatabase::default();
    let (_store, scope) = scope(&place).await;
    let mut change = begins(1);
    for number in 2..=5_000 {
        change.events.push(crate::store::conformance::event(number, "quota.threshold"));
    }
    let (big, small) = futures_util::future::join(scope.commit(change), scope.commit(begins(6_000))).await;
    let big = big.unwrap().applied().unwrap().clone();
    assert!(small.is_ok() && big.events == 5_000);
    let read = scope.events_after(big.first_event - 1, 5_000).await.unwrap();
    assert!(
        read.iter()
            .zip(big.first_event..)
            .take(5_000)
            .all(|(event, n)| event.n == n || event.row.id == id(6_000))
    );
}
