//! The floor: the rows of real messages, written by the store alone.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use spine::model::{Id, Status};
use spine::store::rows::{
    AttemptRow, EndedState, EventRow, IdempotencyKey, JournalRow, Kept, KeptAnswer, LiveState, MessageRow,
    MessageState, OutcomeRow, UsageWindow,
};
use spine::store::seal::Scope;
use spine::store::{Change, MessageChange, MessageStep, Page, PageStart, Position, UsageDelta};

use crate::place::{Place, fresh, now};
use crate::watch::{Spent, Watch};

/// Messages under way at once.
const UNDER_WAY: usize = 512;

/// The rows of one real message, in the changes in which they came.
pub(crate) struct Sample {
    row: MessageRow,
    state: Vec<u8>,
    journal: Vec<JournalRow>,
    events: Vec<EventRow>,
    attempt: AttemptRow,
    outcome: OutcomeRow,
}

/// A message of the place, taken apart.
pub(crate) async fn sample(place: &Place) -> Arc<Sample> {
    let store = place.store().await;
    let scope = store.scope(place.scopes[0].id).await.unwrap();
    let page = Page { start: PageStart::Newest, limit: 1 };
    let stored = scope.messages(Default::default(), page).await.unwrap().rows.remove(0).row;
    let MessageState::Ended(ended) = stored.state else { panic!("the message is still on its way") };
    assert_eq!(ended.status, Status::Delivered);
    let mut row = stored.row;
    row.first_body = scope.first_body(row.id).await.unwrap().unwrap();
    let filter = spine::store::rows::EventFilter { message: Some(row.id), ..Default::default() };
    let events = scope.events(filter, Page { start: PageStart::Newest, limit: 10 }).await.unwrap();
    let attempt = scope.attempts(stored.n).await.unwrap().remove(0);
    let sample = Sample {
        row,
        state: ended.state,
        journal: scope.journal(stored.n, 0, 10).await.unwrap().into_iter().map(|stored| stored.row).collect(),
        events: events.rows.into_iter().rev().map(|positioned| positioned.row.row).collect(),
        outcome: attempt.outcome.unwrap(),
        attempt: attempt.row,
    };
    // What fell due together, the answer and its receipt, came in one change.
    assert!((2..=3).contains(&sample.journal.len()), "accepted, then sent and delivered");
    assert_eq!(sample.events.len(), 3, "created, sent, delivered");
    drop(scope);
    store.close().await.unwrap();
    Arc::new(sample)
}

impl Sample {
    /// Rows of one message: message, content, live, ended, kept answer, attempt and outcome, and
    /// what it has of journal and events.
    pub(crate) fn rows(&self) -> usize {
        7 + self.journal.len() + self.events.len()
    }

    /// What stands in their byte strings.
    pub(crate) fn bytes(&self) -> String {
        let journal: usize = self.journal.iter().map(|row| row.body.len()).sum();
        let events: usize = self.events.iter().map(|row| row.data.len()).sum();
        let (doc, body, state) = (self.row.doc.len(), self.row.first_body.len(), self.state.len());
        format!("document {doc}, first body {body}, instance {state}, journal {journal}, events {events}")
    }

    fn begin(&self, step: impl FnOnce(Box<MessageRow>) -> MessageStep) -> (MessageChange, Kept, AttemptRow) {
        let mut row = self.row.clone();
        row.id = Id::from_u128(fresh());
        let mut key = [0; 16];
        // Random, as keys are.
        spine::store::seal::Randomness::fill(&spine::store::seal::SystemRandom::new(), &mut key).unwrap();
        let kept = Kept {
            key: IdempotencyKey(key),
            request: [7; 32],
            status: 202,
            answer: KeptAnswer::FirstBody(row.id),
            at: now(),
        };
        let mut attempt = self.attempt.clone();
        attempt.id = Id::from_u128(fresh());
        let mut part = MessageChange::new(step(Box::new(row)));
        part.attempts.push(attempt.clone());
        (part, kept, attempt)
    }

    /// Adds the `number`th journal row, and these events.
    fn told(&self, part: &mut MessageChange, number: usize, events: std::ops::Range<usize>) {
        part.journal.push(self.journal[number].clone());
        for event in &self.events[events] {
            let mut event = event.clone();
            event.id = Id::from_u128(fresh());
            part.events.push(event);
        }
    }

    fn outcome(&self, attempt: &AttemptRow) -> OutcomeRow {
        let mut outcome = self.outcome.clone();
        outcome.attempt = attempt.id;
        outcome.provider_message_id = Some(format!("sandbox-{}", attempt.id));
        outcome
    }

    fn live(&self, status: Status) -> LiveState {
        LiveState { status, due_at: Some(now()), state: self.state.clone() }
    }

    fn ended(&self) -> EndedState {
        EndedState { status: Status::Delivered, at: now(), state: self.state.clone() }
    }

    /// One message in its changes.
    async fn message(&self, scope: &Scope) {
        let (mut part, kept, attempt) = self.begin(|row| MessageStep::Begin(row, self.live(Status::Queued)));
        self.told(&mut part, 0, 0..1);
        let mut change = Change::keeping(kept);
        change.messages.push(part);
        change.usage.push(used("messages"));
        let n = commit(scope, change).await[0];

        let apart = self.journal.len() == 3;
        if apart {
            let live = self.live(Status::Sent);
            let mut part = MessageChange::new(MessageStep::Go { n, expected: 1, live });
            self.told(&mut part, 1, 1..2);
            part.outcomes.push(self.outcome(&attempt));
            let usage = vec![used("whatsapp")];
            commit(scope, Change { messages: vec![part], usage, ..Change::default() }).await;
        }
        let (expected, ended) = (if apart { 2 } else { 1 }, self.ended());
        let mut part = MessageChange::new(MessageStep::End { n, expected, ended, unsettled: None });
        self.told(&mut part, self.journal.len() - 1, if apart { 2..3 } else { 1..3 });
        if !apart {
            part.outcomes.push(self.outcome(&attempt));
        }
        commit(scope, Change { messages: vec![part], ..Change::default() }).await;
    }

    /// One message that has ended already, in one change.
    async fn stored(&self, scope: &Scope) {
        let (mut part, kept, attempt) = self.begin(|row| MessageStep::BeginEnded(row, self.ended(), None));
        for number in 0..self.journal.len() {
            self.told(&mut part, number, if number == 0 { 0..3 } else { 3..3 });
        }
        part.outcomes.push(self.outcome(&attempt));
        let mut change = Change::keeping(kept);
        change.messages.push(part);
        commit(scope, change).await;
    }
}

fn used(name: &str) -> UsageDelta {
    let (start, window) = (spine::model::Instant::from_ms(0), UsageWindow::Month);
    UsageDelta { name: name.to_owned(), window, start, add: 1, told_percent: 0, held: 0, limit: None }
}

async fn commit(scope: &Scope, change: Change) -> Vec<Position> {
    scope.commit(change).await.unwrap().applied().unwrap().messages.clone()
}

/// What the store alone did.
pub(crate) struct Floor {
    pub(crate) per_second: f64,
    messages: f64,
    spent: Spent,
}

impl fmt::Display for Floor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} messages/s, ", self.per_second)?;
        self.spent.tell(f, self.messages)
    }
}

/// Writes messages for so long, with row-level security in force or, where the store is a database, without it.
pub(crate) async fn run(place: &Place, sample: &Arc<Sample>, time: Duration, is_secure: bool) -> Floor {
    let store = place.store().await;
    if !is_secure {
        place.secure(false).await;
    }
    let watch = Watch::begin(place).await;
    let start = Instant::now();
    let mut running = Vec::new();
    for number in 0..UNDER_WAY {
        let scope = store.scope(place.scopes[number % place.scopes.len()].id).await.unwrap();
        let sample = Arc::clone(sample);
        running.push(tokio::spawn(async move {
            let mut count = 0_u64;
            while start.elapsed() < time {
                sample.message(&scope).await;
                count += 1;
            }
            count
        }));
    }
    let mut messages = 0;
    for task in running {
        messages += task.await.unwrap();
    }
    let spent = watch.end().await;
    store.close().await.unwrap();
    if !is_secure {
        place.secure(true).await;
    }
    let messages = messages as f64;
    Floor { per_second: messages / spent.seconds, messages, spent }
}

/// Stores so many ended messages, spread evenly.
pub(crate) async fn fill(place: &Place, sample: &Arc<Sample>, messages: u64) {
    let store = place.store().await;
    let next = Arc::new(AtomicU64::new(0));
    let mut running = Vec::new();
    for number in 0..4 * UNDER_WAY {
        let scope = store.scope(place.scopes[number % place.scopes.len()].id).await.unwrap();
        let (sample, next) = (Arc::clone(sample), Arc::clone(&next));
        running.push(tokio::spawn(async move {
            while next.fetch_add(1, Ordering::Relaxed) < messages {
                sample.stored(&scope).await;
            }
        }));
    }
    for task in running {
        task.await.unwrap();
    }
    store.close().await.unwrap();
}
