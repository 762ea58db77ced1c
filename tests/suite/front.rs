//! An engine that only answers: it keeps what must be kept and drives nothing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use spine::engine::front::{BatchItem, Changed, Claim, Front, Going, ProviderKind, Refusal, SeqPage, Taken};
use spine::model::shapes::{
    Breaker, Confirm, Event, EventType, Message, SendMessage, TestClock, TestReply, Transition,
};
use spine::model::{Fault, Id, Ids, Instant, ScopeId, Span, kinds};
use spine::store::rows::{EventFilter, KeptAnswer, MessageFilter, StoredEvent};
use spine::store::seal::Scope;
use spine::store::{Change, Committed, Listed, Page, Store, StoreError};
use spine::webhooks::EventForm;
use tokio::sync::{Notify, Semaphore};

/// Data in rows is its JSON.
pub(crate) struct PlainEvents;

impl EventForm for PlainEvents {
    fn read<'a>(&'a self, _: &'a Scope, event: &'a StoredEvent) -> BoxFuture<'a, Result<Event, StoreError>> {
        Box::pin(std::future::ready(Ok(shown(event))))
    }
    fn plain(&self, data: &Value) -> Vec<u8> {
        data.to_string().into_bytes()
    }
}

fn shown(event: &StoredEvent) -> Event {
    Event {
        id: event.row.id,
        r#type: EventType::from_word(&event.row.kind).unwrap(),
        timestamp: event.row.at,
        sequence: event.row.sequence,
        data: serde_json::from_slice(&event.row.data).unwrap(),
    }
}

/// The engine that only answers.
pub(crate) struct Answering {
    store: Arc<dyn Store>,
    ids: Arc<dyn Ids>,
    sends: AtomicU32,
    gate: Mutex<Option<Arc<Semaphore>>>,
    entered: Notify,
}

impl Answering {
    pub(crate) fn new(store: Arc<dyn Store>, ids: Arc<dyn Ids>) -> Answering {
        Answering { store, ids, sends: AtomicU32::new(0), gate: Mutex::default(), entered: Notify::new() }
    }

    /// From now on sends wait.
    pub(crate) fn hold(&self, gate: Arc<Semaphore>) {
        *self.gate.lock().unwrap() = Some(gate);
    }

    /// Ends once a send waits.
    pub(crate) async fn entered(&self) {
        self.entered.notified().await;
    }

    /// Lets all sends go.
    pub(crate) fn let_go(&self) {
        self.gate.lock().unwrap().as_ref().unwrap().add_permits(1_000);
    }

    /// How many messages were taken in.
    pub(crate) fn sends(&self) -> u32 {
        self.sends.load(Ordering::Relaxed)
    }
}

async fn keep<T>(scope: &Scope, change: Change, done: T) -> Result<Taken<T>, Refusal> {
    match scope.commit(change).await? {
        Committed::Applied(_) => Ok(Taken::Done(done)),
        Committed::Replayed(kept) => Ok(Taken::Replayed(kept)),
    }
}

async fn keep_body(
    scope: &Scope,
    claim: &Claim,
    status: u16,
    body: Value,
) -> Result<Taken<Vec<u8>>, Refusal> {
    let body = body.to_string().into_bytes();
    let change = Change::keeping(claim.kept(status, KeptAnswer::Plain(body.clone())));
    keep(scope, change, body).await
}

fn nothing<T: Send + 'static>() -> Going<'static, T> {
    Box::pin(std::future::ready(Err(Refusal::NotFound)))
}

impl Front for Answering {
    fn is_ready(&self) -> bool {
        true
    }

    fn open(&self, scope: ScopeId) -> Going<'_, Arc<Scope>> {
        Box::pin(async move { Ok(self.store.scope(scope).await?) })
    }

    fn send(&self, scope: Arc<Scope>, request: Box<SendMessage>, claim: Claim) -> Going<'_, Taken<Vec<u8>>> {
        Box::pin(async move {
            let gate = self.gate.lock().unwrap().clone();
            if let Some(gate) = gate {
                self.entered.notify_one();
                let _permit = gate.acquire().await.unwrap();
            }
            if request.contact_id.is_some() {
                let fault = Fault::new("/contact_id", "names a contact that is not there");
                return Err(Refusal::Invalid(vec![fault]));
            }
            if request.policy.as_ref().is_some_and(|policy| policy.as_str() == "over_quota") {
                return Err(Refusal::QuotaExceeded(Span::from_ms(1_500)));
            }
            let id: Id<kinds::Message> = self.ids.mint();
            let taken = keep_body(&scope, &claim, 202, json!({"id": id, "status": "queued"})).await;
            if matches!(taken, Ok(Taken::Done(_))) {
                self.sends.fetch_add(1, Ordering::Relaxed);
            }
            taken
        })
    }

    fn send_batch<'a>(
        &'a self,
        scope: Arc<Scope>,
        items: Vec<BatchItem>,
        claim: Claim,
        refuse: &'a (dyn Fn(Refusal) -> (u16, Value) + Send + Sync),
    ) -> Going<'a, Taken<Vec<u8>>> {
        Box::pin(async move {
            let entry = |item: BatchItem| match item {
                BatchItem::Send(request) if request.contact_id.is_some() => {
                    let (status, error) = refuse(Refusal::QuotaExceeded(Span::from_s(1)));
                    json!({"status": status, "error": error})
                }
                BatchItem::Send(_) => {
                    let id: Id<kinds::Message> = self.ids.mint();
                    json!({"status": 202, "message": {"id": id}})
                }
                BatchItem::Refused(status, error) => json!({"status": status, "error": error}),
            };
            let data: Vec<Value> = items.into_iter().map(entry).collect();
            keep_body(&scope, &claim, 200, json!({"data": data})).await
        })
    }

    fn kept_body(&self, _: Arc<Scope>, _: KeptAnswer) -> Going<'_, Option<Vec<u8>>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn message(&self, _: Arc<Scope>, _: Id<kinds::Message>) -> Going<'_, Message> {
        nothing()
    }

    fn messages(&self, _: Arc<Scope>, _: MessageFilter, _: Page) -> Going<'_, Listed<Message>> {
        Box::pin(std::future::ready(Ok(Listed { rows: Vec::new(), has_more: false })))
    }

    fn cancel(&self, _: Arc<Scope>, _: Id<kinds::Message>, _: Claim) -> Going<'_, Taken<Vec<u8>>> {
        Box::pin(std::future::ready(Err(Refusal::MessageEnded)))
    }

    fn confirm(
        &self,
        _: Arc<Scope>,
        _: Id<kinds::Message>,
        _: Confirm,
        _: Claim,
    ) -> Going<'_, Taken<Vec<u8>>> {
        nothing()
    }

    fn transitions(
        &self,
        _: Arc<Scope>,
        _: Id<kinds::Message>,
        _: SeqPage,
    ) -> Going<'_, (Vec<Transition>, bool)> {
        nothing()
    }

    fn event(&self, scope: Arc<Scope>, id: Id<kinds::Event>) -> Going<'_, Event> {
        Box::pin(async move { scope.event(id).await?.as_ref().map(shown).ok_or(Refusal::NotFound) })
    }

    fn events(&self, scope: Arc<Scope>, filter: EventFilter, page: Page) -> Going<'_, Listed<Event>> {
        Box::pin(async move {
            let Listed { rows, has_more } = scope.events(filter, page).await?;
            let shown = |row: spine::store::Positioned<StoredEvent>| spine::store::Positioned {
                n: row.n,
                row: shown(&row.row),
            };
            Ok(Listed { rows: rows.into_iter().map(shown).collect(), has_more })
        })
    }

    fn erase(&self, scope: Arc<Scope>, _: Id<kinds::Contact>, change: Change) -> Going<'_, Taken<()>> {
        Box::pin(async move { keep(&scope, change, ()).await })
    }

    fn changed(&self, _: ScopeId, _: Changed) {}

    fn breakers(&self, _: Arc<Scope>) -> Going<'_, BTreeMap<String, Breaker>> {
        Box::pin(std::future::ready(Ok(BTreeMap::new())))
    }

    fn reset_breaker(&self, scope: Arc<Scope>, _: String, change: Change) -> Going<'_, Taken<()>> {
        Box::pin(async move { keep(&scope, change, ()).await })
    }

    fn usage(&self, _: Arc<Scope>) -> Going<'_, BTreeMap<String, (u64, u64)>> {
        let used = BTreeMap::from([("messages".to_owned(), (3, 40))]);
        Box::pin(std::future::ready(Ok(used)))
    }

    fn test_clock(&self, _: Arc<Scope>) -> Going<'_, TestClock> {
        let clock = TestClock { now: Instant::from_ms(0), advanced_by_ms: 0 };
        Box::pin(std::future::ready(Ok(clock)))
    }

    fn advance(&self, scope: Arc<Scope>, by: Span, claim: Claim) -> Going<'_, Taken<TestClock>> {
        Box::pin(async move {
            let clock = TestClock { now: Instant::from_ms(by.ms()), advanced_by_ms: by.ms() };
            let body = serde_json::to_vec(&clock).unwrap();
            keep(&scope, Change::keeping(claim.kept(200, KeptAnswer::Plain(body))), clock).await
        })
    }

    fn reply(&self, scope: Arc<Scope>, _: TestReply, claim: Claim) -> Going<'_, Taken<()>> {
        Box::pin(async move {
            keep(&scope, Change::keeping(claim.kept(202, KeptAnswer::Plain(b"{}".to_vec()))), ()).await
        })
    }

    fn callback(
        &self,
        _: Id<kinds::Provider>,
        headers: reqwest::header::HeaderMap,
        _: Vec<u8>,
    ) -> Going<'_, ()> {
        let signed = headers.contains_key("webhook-signature");
        Box::pin(std::future::ready(if signed { Ok(()) } else { Err(Refusal::Unverified) }))
    }

    fn check_url<'a>(&'a self, url: &'a str) -> Going<'a, Option<String>> {
        let inside = url.contains("//127.") || url.contains("//10.");
        Box::pin(std::future::ready(Ok(inside.then(|| "leads inside the network".to_owned()))))
    }

    fn check_provider<'a>(
        &'a self,
        kind: &'a str,
        settings: &'a Value,
        credentials: &'a Value,
    ) -> Going<'a, ProviderKind> {
        Box::pin(async move {
            let Some(kind) = spine::providers::kind(kind) else {
                return Err(Refusal::Invalid(vec![Fault::new("/kind", "is no kind of provider")]));
            };
            let faults = kind.check(settings, credentials);
            if !faults.is_empty() {
                return Err(Refusal::Invalid(faults));
            }
            let channels = kind.channels().to_vec();
            let confirms = channels.iter().map(|c| (*c, kind.confirms(*c).to_vec())).collect();
            Ok(ProviderKind { channels, confirms })
        })
    }
}
