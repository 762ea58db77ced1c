//! What can happen next in a state.

use std::rc::Rc;

use crate::language::policy::OnDoubt;
use crate::machine::event::What;
use crate::machine::instance::{Instance, Sent};
use crate::machine::plan::{Machine, StageId};
use crate::machine::step::next_due;
use crate::model::{Channel, Confirmation, Instant, Outcome};

use super::key::Keys;
use super::trace::LONG_PAUSE;
use super::walk::Care;

/// What a provider may answer, the most ordinary first.
const ANSWERS: [Outcome; 7] = [
    Outcome::Accepted,
    Outcome::RecipientFault,
    Outcome::Transient,
    Outcome::AccountFault,
    Outcome::ContentFault,
    Outcome::RateLimited,
    Outcome::InDoubt,
];

/// Those of them that can make a difference: refused for what is said is refused for the person but for
/// the reason; in doubt is accepted, where every stage waits then.
pub(super) fn answers(machine: &Machine, care: &Care) -> Vec<Outcome> {
    let waits = machine.channel_stages().all(|(_, stage)| stage.on_doubt == OnDoubt::Wait);
    let differs = |outcome: &Outcome| match outcome {
        Outcome::ContentFault => care.reasons,
        Outcome::InDoubt => care.doubt || care.reasons || !waits,
        _ => true,
    };
    ANSWERS.into_iter().filter(differs).collect()
}

/// An attempt that nothing has been said about yet.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) attempt: u32,
    pub(super) stage: StageId,
    pub(super) provider: Rc<str>,
    pub(super) channel: Channel,
}

/// An accepted attempt of which more may be heard.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub(super) attempt: u32,
    pub(super) stage: StageId,
    pub(super) level: Confirmation,
    pub(super) provider: Rc<str>,
    pub(super) answered_at: Instant,
    /// What its provider can confirm.
    pub(super) confirms: Rc<[Confirmation]>,
}

/// A state of a walk.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) instance: Instance,
    pub(super) now: Instant,
    pub(super) unanswered: Vec<Call>,
    pub(super) waiting: Vec<Waiting>,
    pub(super) paused: Vec<(String, Instant)>,
    /// The receipt that came just now, after which more may come at this very instant, before anything
    /// else does.
    pub(super) told: Option<Told>,
}

/// A receipt among those of its instant: confirmations come first, then failures, each in the order of
/// the attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) fails: bool,
    /// Its attempt's place among those that wait.
    pub(super) place: usize,
}

/// From which place of those that wait on there may be receipts of each kind.
struct Still {
    confirmed: usize,
    failed: usize,
}

/// Behind all that wait.
const NONE: usize = usize::MAX;

/// One thing that can happen next.
#[derive(Debug, Clone, Copy)]
pub(super) enum Move {
    /// The request is accepted.
    Accept,
    /// A timer fires.
    Due(Instant),
    /// The first call is answered.
    Answer(Outcome),
    /// More is heard of an accepted attempt: a confirmation, or that it failed.
    Later { waiting: usize, at: Instant, level: Option<Confirmation> },
}

impl Move {
    /// How much longer it makes a script.
    pub(super) fn length(self) -> usize {
        match self {
            Move::Accept | Move::Due(_) => 0,
            Move::Answer(_) | Move::Later { .. } => 1,
        }
    }
}

impl State {
    /// What can happen next; nothing where the message has ended.
    pub(super) fn moves(&self, machine: &Machine, keys: &Keys, care: &Care) -> Vec<Move> {
        if self.instance.ended.is_some() {
            // What is under way is answered all the same, which changes nothing but what it cost.
            return self.unanswered.first().map(|_| Move::Answer(Outcome::Accepted)).into_iter().collect();
        }
        let mut moves = Vec::new();
        let due = next_due(machine, &self.instance);
        if let Some(told) = self.told {
            let from = match told.fails {
                false => Still { confirmed: told.place, failed: 0 },
                true => Still { confirmed: NONE, failed: told.place },
            };
            self.receipts(keys, care, &from, self.now, &mut moves);
        }
        match due {
            Some(due) if due <= self.now => moves.push(Move::Due(self.now)),
            _ if !self.unanswered.is_empty() => moves.extend(keys.answers.iter().copied().map(Move::Answer)),
            Some(due) => {
                moves.push(Move::Due(due));
                // Just before the timer, what waits may be confirmed or fail.
                let before = Instant::from_ms(due.ms() - 1);
                if before > self.now {
                    self.receipts(keys, care, &Still { confirmed: 0, failed: 0 }, before, &mut moves);
                }
                // And on each side of an age that is asked for.
                let accepted = self.instance.accepted_at.0;
                let ages = keys.ages.iter().map(|age| accepted.plus(*age));
                for at in ages.flat_map(|at| [Instant::from_ms(at.ms() - 1), at]) {
                    if self.now < at && at < before {
                        self.receipts(keys, care, &Still { confirmed: 0, failed: 0 }, at, &mut moves);
                    }
                }
                // And before that: what would come behind the others at that instant goes ahead of them.
                let sooner = Instant::from_ms(due.ms() - 2);
                if self.waiting.len() > 1 && sooner > self.now {
                    let confirmed = if care.reasons { 1 } else { NONE };
                    self.receipts(keys, care, &Still { confirmed, failed: 0 }, sooner, &mut moves);
                }
            }
            None => {}
        }
        moves
    }

    fn receipts(&self, keys: &Keys, care: &Care, from: &Still, at: Instant, moves: &mut Vec<Move>) {
        for (waiting, sent) in self.waiting.iter().enumerate() {
            if at <= sent.answered_at {
                continue;
            }
            if waiting >= from.confirmed {
                let levels = levels(&self.instance, sent, keys, care);
                moves.extend(levels.into_iter().map(|level| Move::Later { waiting, at, level: Some(level) }));
            }
            if waiting >= from.failed && can_fail(&self.instance, sent, care) {
                moves.push(Move::Later { waiting, at, level: None });
            }
        }
    }

    /// Forgets the attempts of which nothing more can make a difference.
    pub(super) fn forget(&mut self, keys: &Keys, care: &Care) {
        let State { instance, waiting, told, .. } = self;
        let mut kept = Vec::with_capacity(waiting.len());
        let mut before = 0;
        for (place, sent) in waiting.drain(..).enumerate() {
            let more = instance.ended.is_none()
                && (!levels(instance, &sent, keys, care).is_empty() || can_fail(instance, &sent, care));
            if more {
                kept.push(sent);
            } else {
                before += usize::from(told.is_some_and(|told| place < told.place));
            }
        }
        *waiting = kept;
        if let Some(last) = told {
            last.place -= before;
        }
        // Of those behind it nothing more can come now, or nothing of any.
        if told.is_some_and(|told| waiting.len() <= if told.fails { told.place } else { 0 }) {
            *told = None;
        }
    }
}

/// The confirmations that can come next and make a difference.
pub(super) fn levels(instance: &Instance, sent: &Waiting, keys: &Keys, care: &Care) -> Vec<Confirmation> {
    let run = &instance.stages[usize::from(sent.stage.0)];
    let Some(sending) = run.sending.as_deref() else { return Vec::new() };
    let mut needed: Vec<Confirmation> = Vec::new();
    if !run.lost && !run.reached {
        needed.push(sending.goal);
    }
    if !run.lost {
        needed.extend(&keys.words);
    }
    if care.status && !run.lost {
        needed.push(Confirmation::Delivered);
    }
    needed.extend(&care.confirmations);
    let reached = sent.level;
    let mut levels: Vec<Confirmation> = needed
        .into_iter()
        .filter(|level| *level > reached)
        .filter_map(|level| sent.confirms.iter().copied().filter(|can| *can >= level).min())
        .collect();
    levels.sort_unstable();
    levels.dedup();
    levels
}

/// Whether it makes a difference that an accepted attempt fails after all.
pub(super) fn can_fail(instance: &Instance, sent: &Waiting, care: &Care) -> bool {
    let run = &instance.stages[usize::from(sent.stage.0)];
    let Some(sending) = run.sending.as_deref() else { return false };
    let waits = sending.sends.iter().any(|send| send.attempt == sent.attempt && send.state == Sent::Accepted);
    let finished = run.lost || run.reached || run.failed || run.dropped;
    waits && sending.level() < Some(Confirmation::Delivered) && (!finished || (care.status && !run.lost))
}

impl Move {
    /// The event of it.
    pub(super) fn what(self, state: &State) -> Option<(Instant, What)> {
        Some(match self {
            Move::Accept => (state.now, What::Accepted),
            Move::Due(at) => (at, What::Due),
            Move::Answer(outcome) => {
                let attempt = state.unanswered.first()?.attempt;
                let retry_after = (outcome == Outcome::RateLimited).then_some(LONG_PAUSE);
                (state.now, What::Answered { attempt, outcome, retry_after })
            }
            Move::Later { waiting, at, level } => {
                let attempt = state.waiting.get(waiting)?.attempt;
                match level {
                    Some(level) => (at, What::Confirmed { attempt, level }),
                    None => (at, What::FailedLater { attempt, fault: None }),
                }
            }
        })
    }
}
