//! The messages of a scope that are in memory.

use std::collections::{HashMap, hash_map};
use std::sync::Arc;

use tokio::sync::{Notify, OwnedMutexGuard};

use super::{CONSENTS_MAX, Desk, DeskState, EARLY_KEPT, HELD_FOR, HELD_MAX, LOOK_AGAIN};
use crate::engine::front::Refusal;
use crate::engine::running::{Running, Slot};
use crate::model::{Id, Instant, kinds};
use crate::store::StoreError;

pub(super) struct Entry {
    pub(super) slot: Arc<Slot>,
    pub(super) due: Option<Instant>,
    pub(super) touched: Instant,
}

impl Desk {
    /// Takes the lock of a message, reading it back where it is not in memory.
    pub(in crate::engine) async fn enter(
        self: &Arc<Self>,
        id: Id<kinds::Message>,
    ) -> Result<OwnedMutexGuard<Option<Running>>, Refusal> {
        loop {
            let slot = self.slot(id);
            let mut held = slot.lock().await;
            if slot.is_gone() {
                continue;
            }
            if held.is_none() {
                // Boxed, as is all that is rare: every drive of a message would have room for it.
                match Box::pin(self.load(id)).await {
                    Ok(Some(running)) => *held = Some(running),
                    Ok(None) => {
                        self.remove(id, &slot);
                        return Err(Refusal::NotFound);
                    }
                    Err(error) => {
                        self.remove(id, &slot);
                        return Err(error.into());
                    }
                }
            }
            return Ok(held);
        }
    }

    fn slot(&self, id: Id<kinds::Message>) -> Arc<Slot> {
        let touched = self.real_now();
        let mut state = self.state();
        let entry = state.messages.entry(id).or_insert_with(|| Entry {
            slot: Arc::new(Slot::new(None)),
            due: None,
            touched,
        });
        entry.touched = touched;
        Arc::clone(&entry.slot)
    }

    /// Makes a place for a message that is being accepted, locked until its change is durable.
    pub(in crate::engine) fn make_slot(
        &self,
        id: Id<kinds::Message>,
    ) -> Option<OwnedMutexGuard<Option<Running>>> {
        self.slot(id).try_lock()
    }

    /// Takes a message out of memory.
    fn remove(&self, id: Id<kinds::Message>, slot: &Slot) {
        slot.set_gone();
        let mut state = self.state();
        if let Some(entry) = state.messages.remove(&id)
            && let Some(due) = entry.due
        {
            state.timers.remove(&(due, id));
        }
    }

    /// Takes a message whose change came to nothing out of memory; its lock is still held.
    pub(in crate::engine) fn forget(&self, id: Id<kinds::Message>) {
        let slot = self.state().messages.get(&id).map(|entry| Arc::clone(&entry.slot));
        if let Some(slot) = slot {
            self.remove(id, &slot);
        }
        self.state().providers.forget(id);
    }

    /// A message that left memory without a settled state is looked at again in the store, a little
    /// later.
    pub(in crate::engine) fn look_again(&self, id: Id<kinds::Message>) {
        let at = self.now().plus(LOOK_AGAIN);
        let mut state = self.state();
        if !state.holds(id) {
            state.leave(Some(at), &self.wake);
        }
    }

    /// After a change: remembers when the message is due, or lets it go from memory. Its lock is
    /// still held.
    pub(in crate::engine) fn settle(&self, id: Id<kinds::Message>, running: &Running) {
        if !self.is_mine(running) {
            self.let_go(id, running);
            return;
        }
        let (now, due) = (self.now(), running.due());
        let ended = running.state.instance.ended().is_some();
        let queued = running.state.instance.queued().next().is_some();
        let soon = due.is_some_and(|due| due <= now.plus(HELD_FOR));
        let mut state = self.state();
        let crowded = state.messages.len() > HELD_MAX;
        let keep = running.is_busy() || queued || (!ended && (soon || !crowded));
        let before = state.messages.get(&id).and_then(|entry| entry.due);
        if let Some(before) = before {
            state.timers.remove(&(before, id));
        }
        if keep {
            if let Some(entry) = state.messages.get_mut(&id) {
                entry.due = due;
            }
            if let Some(due) = due {
                let first = state.timers.first().is_none_or(|(first, _)| due < *first);
                state.timers.insert((due, id));
                if first {
                    self.wake.notify_one();
                }
            }
        } else {
            if let Some(entry) = state.messages.remove(&id) {
                entry.slot.set_gone();
            }
            state.leave(due, &self.wake);
        }
    }

    /// The same after a change that may have been refused: what another node has changed is not kept.
    pub(in crate::engine) fn settle_after(
        &self,
        id: Id<kinds::Message>,
        running: &Running,
        refused: Option<&StoreError>,
    ) {
        match refused {
            Some(StoreError::Conflict { .. }) if self.context.nodes.is_shared => self.let_go(id, running),
            _ => self.settle(id, running),
        }
    }

    /// Takes a message out of memory as another node left it in the store, or as it was there before.
    pub(in crate::engine) async fn drop_held(&self, id: Id<kinds::Message>) {
        let slot = self.state().messages.get(&id).map(|entry| Arc::clone(&entry.slot));
        if let Some(slot) = slot {
            let held = slot.lock().await;
            if let Some(running) = held.as_ref().filter(|_| !slot.is_gone()) {
                self.let_go(id, running);
            }
        }
    }

    /// Something in the store is due then.
    pub(in crate::engine) fn due_in_store(&self, due: Option<Instant>) {
        self.state().leave(due, &self.wake);
    }

    /// Lets messages go from memory that nothing has touched for a while.
    pub(in crate::engine) fn sweep(&self) {
        let (now, real_now) = (self.now(), self.real_now());
        let mut idle: Vec<_> = {
            let state = self.state();
            let idle = state.messages.iter().filter(|(_, entry)| {
                real_now.since(entry.touched) >= HELD_FOR
                    && entry.due.is_none_or(|due| due > now.plus(HELD_FOR))
            });
            idle.map(|(id, entry)| (*id, Arc::clone(&entry.slot))).collect()
        };
        idle.sort_unstable_by_key(|(id, _)| *id);
        for (id, slot) in idle {
            let Some(held) = slot.try_lock() else { continue };
            let queued = |running: &Running| running.state.instance.queued().next().is_some();
            if held.as_ref().is_some_and(|running| running.is_busy() || queued(running)) {
                continue;
            }
            let due = held.as_ref().and_then(Running::due);
            self.remove(id, &slot);
            self.state().leave(due, &self.wake);
        }
        let mut state = self.state();
        if state.messages.is_empty() && state.messages.capacity() > 1_024 {
            state.messages = HashMap::new();
        }
        if state.messages.is_empty() {
            state.contacts = HashMap::new();
        }
        state.early.retain(|_, at| real_now.since(*at) < EARLY_KEPT);
        if state.consents.len() > CONSENTS_MAX {
            state.consents = HashMap::new();
        }
    }
}

/// A provider is being asked about an attempt, until this is dropped.
pub(in crate::engine) struct Calling(Arc<Desk>, Id<kinds::Attempt>);

impl Calling {
    pub(in crate::engine) fn of(desk: &Arc<Desk>, attempt: Id<kinds::Attempt>) -> Calling {
        *desk.state().calling.entry(attempt).or_default() += 1;
        Calling(Arc::clone(desk), attempt)
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        if let hash_map::Entry::Occupied(mut tasks) = self.0.state().calling.entry(self.1) {
            *tasks.get_mut() -= 1;
            if *tasks.get() == 0 {
                tasks.remove();
            }
        }
    }
}

impl DeskState {
    /// A message is left to the store.
    fn leave(&mut self, due: Option<Instant>, wake: &Notify) {
        let Some(due) = due else { return };
        if self.stored_due.is_none_or(|first| due < first) {
            self.stored_due = Some(due);
            wake.notify_one();
        }
    }

    /// The earliest that anything is due.
    pub(in crate::engine) fn next_due(&self) -> Option<Instant> {
        self.timers.first().map(|(due, _)| *due).into_iter().chain(self.stored_due).min()
    }

    /// The messages in memory that are due by `now`, in order; each is told once.
    pub(in crate::engine) fn take_due(&mut self, now: Instant) -> Vec<(Instant, Id<kinds::Message>)> {
        let mut due = Vec::new();
        while let Some(first) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.remove(&first);
            if let Some(entry) = self.messages.get_mut(&first.1) {
                entry.due = None;
            }
            due.push(first);
        }
        due
    }

    /// Takes the timer of a message; false where it has none.
    pub(in crate::engine) fn take_timer(&mut self, id: Id<kinds::Message>) -> bool {
        let due = self.messages.get_mut(&id).and_then(|entry| entry.due.take());
        due.is_some_and(|due| self.timers.remove(&(due, id)))
    }

    /// Whether a provider is being asked about an attempt.
    pub(in crate::engine) fn calls(&self, attempt: Id<kinds::Attempt>) -> bool {
        self.calling.contains_key(&attempt)
    }

    pub(in crate::engine) fn holds(&self, id: Id<kinds::Message>) -> bool {
        self.messages.contains_key(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_is_taken_by_one_alone() {
        let (id, at) = (Id::from_u128(7), Instant::from_ms(5));
        let mut state = DeskState::default();
        let entry = || Entry { slot: Arc::new(Slot::new(None)), due: Some(at), touched: at };
        state.messages.insert(id, entry());
        state.timers.insert((at, id));
        assert!(state.take_timer(id));
        assert!(!state.take_timer(id), "it was taken already");
        assert_eq!(state.take_due(at), Vec::new(), "it would be driven twice");
        state.messages.insert(id, entry());
        state.timers.insert((at, id));
        assert_eq!(state.take_due(at), vec![(at, id)]);
        assert!(!state.take_timer(id), "it would be driven twice");
    }
}
