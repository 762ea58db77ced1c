//! The first tries of an endpoint: begun in the order of the events, ended in any, written in order.

use std::collections::{BTreeMap, VecDeque};

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::send::Sent;
use super::settle::{Ended, EventRef};
use crate::store::Position;

/// How many events may be tried, and not yet written, for each call that may be under way: so tries go
/// on while what has ended is being written. After a crash so many are tried again.
const TRIED_FOR_EACH_CALL: usize = 16;

/// What came of a place in the order of events.
enum Slot {
    /// The endpoint did not ask for it.
    Passed,
    /// It was tried.
    Tried(EventRef, Sent),
}

/// The events that were taken up and are not handed over to be written yet.
pub(super) struct Window {
    calls_max: usize,
    calls: FuturesUnordered<BoxFuture<'static, (EventRef, Option<Sent>)>>,
    /// All of them, in order.
    order: VecDeque<Position>,
    ended: BTreeMap<Position, Slot>,
    /// Handed over and not yet durable.
    writing: usize,
}

impl Window {
    pub(super) fn new(calls_max: usize) -> Window {
        Window {
            calls_max: calls_max.max(1),
            calls: FuturesUnordered::new(),
            order: VecDeque::new(),
            ended: BTreeMap::new(),
            writing: 0,
        }
    }

    /// Whether another may be begun.
    pub(super) fn has_room(&self) -> bool {
        let tried_max = self.calls_max.saturating_mul(TRIED_FOR_EACH_CALL);
        self.calls.len() < self.calls_max && self.order.len() + self.writing < tried_max
    }

    /// Whether no call is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.calls.is_empty()
    }

    /// An event that the endpoint did not ask for.
    pub(super) fn pass(&mut self, n: Position) {
        self.order.push_back(n);
        self.ended.insert(n, Slot::Passed);
    }

    /// A try begins.
    pub(super) fn begin(&mut self, event: EventRef, trying: BoxFuture<'static, Option<Sent>>) {
        self.order.push_back(event.n);
        self.calls.push(Box::pin(async move { (event, trying.await) }));
    }

    /// Waits for tries to end, all that have by then; false where one was not made, since this node may
    /// not act any more. To be asked only while it is not idle.
    pub(super) async fn next(&mut self) -> bool {
        use futures_util::FutureExt as _;
        let mut next = self.calls.next().await;
        while let Some((event, sent)) = next.take() {
            let Some(sent) = sent else { return false };
            self.ended.insert(event.n, Slot::Tried(event, sent));
            next = self.calls.next().now_or_never().flatten();
        }
        true
    }

    /// Waits until no call is under way. What came of them is not kept.
    pub(super) async fn end(&mut self) {
        while self.calls.next().await.is_some() {}
    }

    /// Those that have ended with none before them under way, in order, and up to where that is.
    pub(super) fn take(&mut self) -> (Option<Position>, Vec<Ended>) {
        let (mut to, mut ended) = (None, Vec::new());
        while let Some(n) = self.order.front().copied() {
            let Some(slot) = self.ended.remove(&n) else { break };
            self.order.pop_front();
            to = Some(n);
            if let Slot::Tried(event, sent) = slot {
                ended.push(Ended::First(event, sent));
            }
        }
        self.writing += ended.len();
        (to, ended)
    }

    /// What was handed over is durable.
    pub(super) fn written(&mut self) {
        self.writing = 0;
    }
}
