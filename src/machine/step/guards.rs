//! Guards and windows: whether a stage may start, and when.

use crate::language::condition::Word;
use crate::machine::effect::{Moved, Was};
use crate::machine::facts::{Counters, Truth};
use crate::machine::known::evaluate;
use crate::machine::plan::{StageId, Tree};
use crate::model::{Instant, Reason};

use super::{Note, Run};

/// What a stage's guard says.
pub(super) enum Verdict {
    NoGuard,
    Go {
        detail: String,
    },
    /// `by_unless` where an `if` held beside it.
    Skip {
        reason: Reason,
        detail: String,
        by_unless: bool,
    },
}

/// What a stage's windows say.
pub(super) enum Gate {
    Open,
    /// And which window holds it: `quiet` or `between`.
    Until(Instant, &'static str),
    Never,
}

impl Run<'_> {
    pub(super) fn guard(&self, id: StageId) -> Verdict {
        let stage = self.machine.stage(id);
        if stage.only_if.is_none() && stage.unless.is_none() {
            return Verdict::NoGuard;
        }
        let mut missing = Vec::new();
        let passes = |guard: &Option<_>, wanted: bool, missing: &mut Vec<String>| {
            guard.as_ref().is_none_or(|guard: &crate::machine::plan::Guard| {
                self.holds(&guard.tree, Some(id), missing) == wanted
            })
        };
        let holds = passes(&stage.only_if, true, &mut missing);
        let go = holds && passes(&stage.unless, false, &mut missing);
        let texts = [("if", &stage.only_if), ("unless", &stage.unless)];
        let texts = texts.iter().filter_map(|(word, guard)| Some(format!("{word} {}", guard.as_ref()?.text)));
        let mut detail = texts.collect::<Vec<_>>().join(" ");
        if !missing.is_empty() {
            detail.push_str(&format!(" (no value: {})", missing.join("; ")));
        }
        if go {
            return Verdict::Go { detail };
        }
        let reason = match (&stage.only_if, &stage.unless) {
            (None, Some(unless)) => unless.reason(),
            _ => Reason::Skipped,
        };
        Verdict::Skip { reason, detail, by_unless: holds && stage.only_if.is_some() }
    }

    /// Whether a condition holds; the comparisons without a value are put into `missing`.
    fn holds(&self, tree: &Tree, stage: Option<StageId>, missing: &mut Vec<String>) -> bool {
        match tree {
            Tree::And(parts) => parts.iter().all(|part| self.holds(part, stage, missing)),
            Tree::Or(parts) => parts.iter().any(|part| self.holds(part, stage, missing)),
            Tree::Not(part) => !self.holds(part, stage, missing),
            Tree::HasAddress(channel) => self.facts.has_address(*channel),
            Tree::Word(word) => self.word(*word, stage),
            Tree::Compare(index) => match self.compare(*index) {
                Truth::True => true,
                Truth::False => false,
                Truth::Missing => {
                    if let Some(comparison) = self.machine.comparison(*index) {
                        missing.push(comparison.text.clone());
                    }
                    false
                }
            },
        }
    }

    fn word(&self, word: Word, stage: Option<StageId>) -> bool {
        let channel = stage.and_then(|id| self.machine.channel(id)).map(|channel| channel.channel);
        match word {
            Word::Quiet => self.facts.quiet(),
            Word::Quota => {
                channel.is_some_and(|channel| self.facts.quota_used(channel, self.begun_on(channel)))
            }
            Word::OptedOut => channel.is_some_and(|channel| self.facts.opted_out(channel)),
            Word::Tripped => stage.is_some_and(|id| {
                let route = self.facts.route(id);
                !route.is_empty() && route.iter().all(|provider| self.facts.readiness(&provider.name, 0).open)
            }),
            Word::Confirmed(level) => self.instance.is_confirmed(level),
        }
    }

    fn compare(&self, index: u16) -> Truth {
        let counters = Counters {
            elapsed: self.instance.elapsed(self.at),
            sends: self.instance.sends,
            cost: self.instance.cost,
        };
        match self.machine.comparison(index) {
            None => Truth::Missing,
            Some(comparison) if comparison.needs_facts() => self.facts.comparison(index, counters),
            Some(comparison) => evaluate(comparison, counters, &|_| None),
        }
    }

    /// What the stage's own window and the quiet hours say. Quiet hours hold channels only, and
    /// whether they hold this one is decided once.
    pub(super) fn gate(&mut self, id: StageId) -> Gate {
        let is_channel = self.machine.channel(id).is_some();
        let heeds = is_channel && self.machine.headers.quiet.is_some() && self.heeds_quiet(id);
        if !heeds && self.machine.stage(id).between.is_none() {
            return Gate::Open;
        }
        let opening = self.facts.opening(id, heeds);
        if opening.zone_missing {
            self.zone_assumed();
        }
        match opening.at {
            None => Gate::Never,
            Some(at) if at.0 <= self.at => Gate::Open,
            Some(at) => Gate::Until(at.0, if opening.quiet { "quiet" } else { "between" }),
        }
    }

    fn heeds_quiet(&mut self, id: StageId) -> bool {
        if let Some(decided) = self.stage(id).heeds_quiet {
            return decided;
        }
        let Some(unless) = &self.machine.quiet_unless else { return true };
        let heeds = !self.holds(&unless.tree, None, &mut Vec::new());
        self.stage_mut(id).heeds_quiet = Some(heeds);
        heeds
    }

    pub(super) fn zone_assumed(&mut self) {
        let status = self.instance.status;
        let detail = Some("contact.timezone is missing or unknown; another zone counts".to_owned());
        let moved = Moved::Message { from: Some(status), to: status };
        self.write(Was::ZoneAssumed, moved, Note { detail, ..Note::default() });
    }
}
