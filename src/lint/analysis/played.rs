//! What a run that was played has come to, stage by stage.

use crate::machine::{Moved, Timeline, Transition, Was};
use crate::model::{Instant, Reason, Span};

use super::run::shown;
use super::{Analysis, Place};

/// A run that was played.
pub(in crate::lint) struct Played<'a> {
    pub(super) analysis: &'a Analysis<'a>,
    pub(super) at: Instant,
    /// What the simulator shows of it.
    pub(in crate::lint) timeline: Timeline,
    /// Everything that was put on record.
    pub(super) record: Vec<Transition>,
}

impl Played<'_> {
    /// What the simulator prints.
    pub(super) fn lines(&self) -> Vec<String> {
        shown(&self.timeline)
    }

    /// Whether a channel or a provider was called.
    pub(super) fn has_called(&self, key: &str) -> bool {
        self.timeline
            .timeline
            .iter()
            .filter(|entry| entry.what == "send")
            .any(|entry| entry.channel.word() == key || entry.provider.as_deref() == Some(key))
    }

    /// What was put on record of a stage, and of what is inside it.
    fn of(&self, id: usize) -> impl Iterator<Item = &Transition> {
        self.record.iter().filter(move |one| match one.moved {
            Moved::Stage { stage, .. } => {
                self.analysis.around(usize::from(stage.0)).any(|place| place.id == id)
            }
            Moved::Message { .. } => false,
        })
    }

    fn ms(&self, one: &Transition) -> i64 {
        one.at.since(self.at).ms()
    }

    /// The milliseconds from acceptance at which something happened to a stage.
    pub(in crate::lint) fn when(&self, id: usize, was: Was) -> impl Iterator<Item = i64> {
        self.of(id).filter(move |one| one.event == was).map(|one| self.ms(one))
    }

    /// Whether something happened to a stage.
    pub(in crate::lint) fn has(&self, id: usize, was: Was) -> bool {
        self.when(id, was).next().is_some()
    }

    /// When a stage was first sent.
    pub(in crate::lint) fn sent(&self, id: usize) -> Option<i64> {
        self.when(id, Was::Called).next()
    }

    /// When anything was first sent.
    pub(in crate::lint) fn first_send(&self) -> Option<i64> {
        self.record.iter().find(|one| one.event == Was::Called).map(|one| self.ms(one))
    }

    /// Whether anything happened to any stage.
    pub(in crate::lint) fn has_any(&self, was: Was) -> bool {
        self.record.iter().any(|one| one.event == was)
    }

    /// When a stage failed for a reason.
    pub(in crate::lint) fn fails(&self, id: usize, reason: Reason) -> Option<i64> {
        let so = |one: &&Transition| one.event == Was::Failed && one.reason == Some(reason);
        self.of(id).find(so).map(|one| self.ms(one))
    }

    /// Whether a stage had its turn, was skipped, and was never sent.
    pub(in crate::lint) fn skips(&self, id: usize) -> bool {
        self.has(id, Was::Skipped) && !self.has(id, Was::Called)
    }

    /// Whether a provider accepted a stage.
    pub(in crate::lint) fn is_accepted_by(&self, id: usize, provider: &str) -> bool {
        let so =
            |one: &Transition| one.event == Was::AttemptAccepted && one.provider.as_deref() == Some(provider);
        self.of(id).any(so)
    }

    /// Whether quiet hours hold something back, and nothing is sent before.
    pub(in crate::lint) fn is_held_by_quiet(&self) -> bool {
        let held = |one: &Transition| one.event == Was::Held && one.detail.as_deref() == Some("quiet");
        let first = self.record.iter().find(|one| one.event == Was::Called || held(one));
        first.is_some_and(|one| one.event == Was::Held)
    }

    /// Whether a window holds a stage back for so long at least.
    pub(in crate::lint) fn is_held_for(&self, id: usize, least: Span) -> bool {
        // A group that is held puts nothing on record.
        let from = self.when(id, Was::Held).next().unwrap_or(0);
        let is_held = self.has(id, Was::Held) || self.sent(id).is_some();
        is_held && self.sent(id).is_none_or(|sent| sent - from >= least.ms())
    }

    /// When the first of some waits in a row began; `None` where that cannot be read from the record.
    pub(in crate::lint) fn began(&self, wait: &Place<'_>) -> Option<i64> {
        match wait.before {
            None if wait.parent.is_none() => Some(0),
            None => None,
            Some(before) => self.sent(before),
        }
    }

    /// Whether nothing that stands behind a stage was sent, skipped or failed.
    pub(in crate::lint) fn stops_at(&self, id: usize) -> bool {
        let next = |place: &Place<'_>| place.next;
        let mut behind = self.analysis.around(id).filter_map(next).flat_map(|id| self.rest_from(id));
        behind.all(|id| ![Was::Called, Was::Skipped, Was::Failed].into_iter().any(|was| self.has(id, was)))
    }

    /// A stage and those behind it in its strategy.
    fn rest_from(&self, id: usize) -> impl Iterator<Item = usize> {
        let next = |id: &usize| self.analysis.places().get(*id).and_then(|place| place.next);
        std::iter::successors(Some(id), next)
    }

    /// The instant of some milliseconds from acceptance.
    pub(in crate::lint) fn instant(&self, ms: i64) -> Instant {
        self.at.plus(Span::from_ms(ms))
    }

    /// When the message ended.
    pub(in crate::lint) fn end(&self) -> i64 {
        self.timeline.end.at_ms
    }
}
