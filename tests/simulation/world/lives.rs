//! What the world remembers of its nodes and callers once a history is over.

use std::collections::BTreeMap;

use spine::model::{Id, kinds};

use super::super::callers::Answer;
use super::super::core::RunNo;
use super::super::occurred::{Happened, Lived};
use super::super::weather::NOBODY;
use super::World;

impl World {
    pub(super) fn life(&mut self, run: RunNo) -> Option<&mut Lived> {
        self.lives.iter_mut().find(|life| life.run == run)
    }

    pub(super) fn ends(&mut self, run: RunNo) {
        let now = self.core.elapsed_ms();
        if let Some(life) = self.life(run) {
            life.until_ms = Some(now);
        }
    }

    /// What took place, for whoever asks what a history came to.
    pub(crate) fn happened(&self) -> Happened {
        Happened {
            commits: self.weather.written(|written| written.done.clone()),
            calls: self.gateway.calls(),
            tries: self.gateway.tries(),
            receipts: self.gateway.receipts(),
            lives: self.lives.clone(),
            pauses: self.pauses.clone(),
            answers_lost: self.weather.written(|written| written.answers_lost),
            cut_short: self.cut_short,
        }
    }

    /// Whether a run was paused between two instants: others may have taken its work over meanwhile.
    pub(crate) fn was_paused(&self, run: RunNo, from_ms: i64, to_ms: i64) -> bool {
        run == NOBODY
            || self.pauses.iter().any(|(of, from, to)| *of == run && *from <= to_ms && from_ms <= *to)
    }

    /// Messages by their number, as callers know them.
    pub(crate) fn known(&self) -> BTreeMap<u32, Vec<Id<kinds::Message>>> {
        let mut known: BTreeMap<u32, Vec<Id<kinds::Message>>> = BTreeMap::new();
        for asked in &self.asked {
            let Some(message) = asked.request.message else { continue };
            for answer in &asked.answers {
                if let Answer::Done(Some(id)) = answer {
                    known.entry(message).or_default().push(*id);
                }
            }
        }
        known
    }
}
