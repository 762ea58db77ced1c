//! Dropping what is old.

use super::tables::Tables;
use crate::store::rows::{DeliveryRow, DeliveryState, MessageState};
use crate::store::{Dropped, Old, Position};

impl Tables {
    /// Drops some of what is old.
    pub(super) fn drop_old(&mut self, what: Old, limit: u32) -> Dropped {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let old = match what {
            Old::Answers { before } => {
                let old = self.kept.iter().filter(|(_, kept)| kept.at < before);
                let old: Vec<_> = old.map(|(key, _)| *key).collect();
                for key in old.iter().take(limit) {
                    self.kept.remove(key);
                }
                old.len()
            }
            Old::Events { before } => {
                let old = self.events.iter().filter(|(n, event)| event.row.at < before && self.is_done(**n));
                let old: Vec<Position> = old.map(|(n, _)| *n).collect();
                for n in old.iter().take(limit) {
                    self.drop_event(*n);
                }
                old.len()
            }
            Old::Messages { ended_before, minted_before } => {
                let old = self.ended.iter().filter(|(n, row)| {
                    let minted = self.messages.get(n).map(|row| row.id.as_u128() >> 80);
                    let ended = match &row.state {
                        MessageState::Ended(ended) => Some(ended.at),
                        MessageState::Live(_) => None,
                    };
                    ended.is_some_and(|at| at < ended_before)
                        && minted.is_some_and(|ms| ms < u128::from(minted_before.ms().unsigned_abs()))
                        && self.events_of(**n).iter().all(|event| self.is_done(*event))
                        && !self.unsettled.contains_key(n)
                });
                let old: Vec<Position> = old.map(|(n, _)| *n).collect();
                for n in old.iter().take(limit) {
                    self.drop_message(*n);
                }
                old.len()
            }
        };
        Dropped { dropped: old.min(limit) as u64, more: old > limit }
    }

    /// Whether nothing is still to be done with an event.
    fn is_done(&self, event: Position) -> bool {
        let passed = self.endpoints.values().filter(|row| row.enabled).all(|row| row.position >= event);
        let there = |row: &DeliveryRow| self.endpoints.values().any(|endpoint| endpoint.id == row.endpoint);
        passed
            && self.deliveries.values().filter(|row| row.event == event).all(|row| match row.state {
                DeliveryState::Pending => false,
                DeliveryState::Dead => !there(row),
                DeliveryState::Delivered => true,
            })
    }

    fn events_of(&self, message: Position) -> Vec<Position> {
        let own = self.events.iter().filter(|(_, event)| event.message == Some(message));
        own.map(|(n, _)| *n).collect()
    }

    fn drop_event(&mut self, n: Position) {
        if let Some(event) = self.events.remove(&n) {
            self.event_ids.remove(&event.row.id);
        }
        self.deliveries.retain(|_, row| row.event != n);
    }

    fn drop_message(&mut self, n: Position) {
        for event in self.events_of(n) {
            self.drop_event(event);
        }
        self.attempts.retain(|_, (message, _)| *message != n);
        self.outcomes.retain(|_, (message, _)| *message != n);
        self.ended.remove(&n);
        if let Some(row) = self.messages.remove(&n) {
            self.message_ids.remove(&row.id);
        }
    }

    /// Positions of dropped messages whose journal is there.
    pub(super) fn dropped_with_journal(&self, after: Position, limit: u32) -> Vec<Position> {
        let journals = self.journal.values().filter_map(|of| of.message);
        let mut dropped: Vec<Position> =
            journals.filter(|n| *n > after && !self.messages.contains_key(n)).collect();
        dropped.sort_unstable();
        dropped.dedup();
        dropped.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        dropped
    }
}
