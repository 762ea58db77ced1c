//! What is old leaves a running engine by itself, with real time in the test's hand.

use std::time::Duration;

use spine::engine::front::{Front as _, Refusal};
use spine::engine::{Lines, Retention, Settings, export, export_page, verify};
use spine::model::Span;
use spine::store::rows::{EventFilter, MessageFilter};
use spine::store::{Page, PageStart};

use crate::held::{Running, until};

/// A limit for a fault; nothing takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(300);
const DAY: i64 = 86_400;
const MESSAGES: u32 = 120;

/// What is there of a scope: messages and events.
async fn counts(running: &Running) -> (usize, usize) {
    let scope = running.store.scope(running.scope).await.unwrap();
    let page = Page { start: PageStart::Newest, limit: 5_000 };
    let messages = scope.messages(MessageFilter::default(), page).await.unwrap();
    let events = scope.events(EventFilter::default(), page).await.unwrap();
    (messages.rows.len(), events.rows.len())
}

/// Lets half minutes pass until so much is there.
async fn comes_to(running: &Running, wanted: (usize, usize)) {
    while counts(running).await != wanted {
        running.real.later(31);
        let mut turns = 0;
        until(|| {
            turns += 1;
            turns > 3
        })
        .await;
    }
}

#[test]
fn what_is_old_goes_by_itself_also_in_a_scope_that_nobody_uses_and_the_audit_holds() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE, grows_old()).await.expect("a run that ends");
    });
}

async fn grows_old() {
    let retention = Retention {
        messages: Some(Span::from_s(90 * DAY)),
        events: Some(Span::from_s(30 * DAY)),
        ..Retention::default()
    };
    let running = Running::start(Settings { retention, ..Settings::default() }).await;
    let scope = running.engine.open(running.scope).await.unwrap();
    for n in 0..MESSAGES {
        running.send(&scope, n, "sms").await;
    }
    running.send(&scope, MESSAGES, "wait 200d then sms").await;
    while scope.live(0, 10).await.unwrap().len() > 1 {
        running.real.later(1);
        let mut turns = 0;
        until(|| {
            turns += 1;
            turns > 2
        })
        .await;
    }
    let ended =
        scope.messages(MessageFilter { ended: Some(true), ..Default::default() }, page(1)).await.unwrap();
    let gone = ended.rows[0].row.row.id;
    let weak = std::sync::Arc::downgrade(&scope);
    drop(scope);
    let all = MESSAGES as usize + 1;
    let (messages, events) = counts(&running).await;
    assert!(messages == all && events > 2 * all, "{messages} {events}");

    // A day before its time nothing goes, though the scope is closed and opened for it.
    running.real.later(29 * DAY);
    until(|| {
        running.real.later(31);
        weak.upgrade().is_none()
    })
    .await;
    assert_eq!(counts(&running).await, (messages, events));
    running.real.later(DAY);
    comes_to(&running, (all, 0)).await;
    running.real.later(60 * DAY);
    comes_to(&running, (1, 0)).await;

    let scope = running.store.scope(running.scope).await.unwrap();
    let verified = verify(&scope).await.unwrap();
    assert_eq!((verified.messages, verified.dropped), (1, u64::from(MESSAGES)));
    assert_eq!(verified.faults, []);
    the_pages_of_an_export_hold_what_the_whole_one_does(&scope).await;
    assert!(matches!(running.engine.message(scope.clone(), gone).await, Err(Refusal::NotFound)));
    // The key is free again, and what was live goes on and ends.
    running.send(&scope, 0, "sms").await;
    running.real.later(110 * DAY);
    until(|| {
        running.real.later(1);
        running.engine.held() == 0
    })
    .await;
    running.engine.stop().await;
    drop(scope);
    running.store.close().await.unwrap();
}

#[derive(Default)]
struct Gathered(Vec<String>);

impl Lines for Gathered {
    fn line(&mut self, line: serde_json::Value) -> bool {
        self.0.push(line.to_string());
        true
    }
}

/// Also of messages that are gone, page by page; a page tells a version's text again.
async fn the_pages_of_an_export_hold_what_the_whole_one_does(scope: &spine::store::seal::Scope) {
    let is_policy = |line: &String| line.contains("\"type\":\"policy\"");
    let mut whole = Gathered::default();
    export(scope, &mut whole).await.unwrap();
    whole.0.retain(|line| !is_policy(line));
    let (mut pages, mut from) = (Gathered::default(), Some(0));
    while let Some(after) = from {
        from = export_page(scope, after, 7, &mut pages).await.unwrap();
    }
    pages.0.retain(|line| !is_policy(line));
    assert!(whole.0.len() > 2 * MESSAGES as usize, "{}", whole.0.len());
    assert_eq!(pages.0, whole.0);
}

fn page(limit: u32) -> Page {
    Page { start: PageStart::Newest, limit }
}
