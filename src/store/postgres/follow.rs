//! Tells those who follow a scope's events how far they can read.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::mpsc;

use super::shared::{Base, SharedScope};
use crate::model::ScopeId;
use crate::store::Position;

/// How long it is at least from one look to the next: where somebody follows, and where nobody does.
const APART: (Duration, Duration) = (Duration::from_millis(4), Duration::from_millis(8));
/// How long it waits while the database cannot be asked.
const PAUSE: Duration = Duration::from_millis(250);

/// The way to the task that follows.
pub(super) struct Follower(mpsc::UnboundedSender<(SharedScope, Position)>);

/// What the task takes in.
pub(super) type Reached = mpsc::UnboundedReceiver<(SharedScope, Position)>;

impl Follower {
    /// The way, and its end.
    pub(super) fn new() -> (Follower, Reached) {
        let (sender, reached) = mpsc::unbounded_channel();
        (Follower(sender), reached)
    }

    /// An event at this position was committed.
    pub(super) fn reached(&self, scope: &SharedScope, event: Position) {
        // Nobody follows once the store is closed.
        let _ = self.0.send((Arc::clone(scope), event));
    }
}

/// Runs until the store is gone.
pub(super) async fn run(base: Weak<Base>, mut reached: Reached) {
    let mut waiting: HashMap<ScopeId, (SharedScope, Position)> = HashMap::new();
    loop {
        if waiting.is_empty() {
            let Some((scope, event)) = reached.recv().await else { return };
            note(&mut waiting, scope, event);
        }
        while let Ok((scope, event)) = reached.try_recv() {
            note(&mut waiting, scope, event);
        }
        let Some(open) = base.upgrade() else { return };
        let is_followed = waiting.values().any(|(scope, _)| scope.newest_event.receiver_count() > 0);
        let bound = open.bound.now().await;
        drop(open);
        match bound {
            Ok(end) => {
                waiting.retain(|_, (scope, event)| {
                    let settled = (*event).min(end - 1);
                    scope.newest_event.send_if_modified(|known| {
                        let moves = settled > *known;
                        *known = settled.max(*known);
                        moves
                    });
                    *event >= end
                });
                // What comes meanwhile is answered by the next look.
                tokio::time::sleep(if is_followed { APART.0 } else { APART.1 }).await;
            }
            Err(error) => {
                tracing::debug!(%error, "how far events can be read is not known");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn note(waiting: &mut HashMap<ScopeId, (SharedScope, Position)>, scope: SharedScope, event: Position) {
    let newest = waiting.entry(scope.scope).or_insert_with(|| (scope, event));
    newest.1 = newest.1.max(event);
}
