//! What is on record of a message: what it was answered, and what was known of the world.

use std::collections::BTreeMap;

use crate::language::condition::{Comparison, Op};
use crate::language::policy::Route;
use crate::machine::facts::{Fact, Opening, RouteProvider, Truth};
use crate::machine::replay::WhatRecord;
use crate::machine::{
    Beginning, Effect, Event, Instance, Machine, Moved, Recorded, SEMANTICS, StageId, Was, step,
};
use crate::model::{Channel, Confirmation, Instant, Outcome, Span};

use super::outcome::{Sent, Told};
use super::read::Message;

/// What is known of the world over time: each answer with the instant at which it was given.
pub(super) type Over<T> = Vec<(Instant, T)>;

/// Everything that is on record.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) beginning: Beginning,
    /// In the order in which they were made.
    pub(super) attempts: Vec<Attempt>,
    /// What came from elsewhere, at its instant.
    pub(super) from_callers: Vec<(Instant, WhatRecord)>,
    pub(super) known: World,
    /// What in fact was sent and confirmed.
    pub(super) told: Option<Told>,
}

/// One attempt as it went.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) provider: String,
    pub(super) channel: Channel,
    pub(super) called_at: Instant,
    pub(super) accepted_at: Option<Instant>,
    /// Each answer, and how long it took; more than one where it was in doubt first.
    pub(super) answers: Vec<(Span, Outcome, Option<Span>)>,
    /// What came later, counted from acceptance.
    pub(super) later: Vec<(Span, Later)>,
}

/// What came after an acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Later {
    Confirmed(Confirmation),
    Failed(Option<Outcome>),
}

/// What was asked about the world.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) comparisons: Vec<(Comparison, Over<Truth>)>,
    pub(super) has_address: BTreeMap<Channel, Over<bool>>,
    pub(super) opted_out: BTreeMap<Channel, Over<bool>>,
    pub(super) has_body: BTreeMap<Channel, Over<bool>>,
    pub(super) quota_used: BTreeMap<Channel, Over<bool>>,
    pub(super) open: BTreeMap<String, Over<bool>>,
    pub(super) paused: BTreeMap<String, Over<Option<Instant>>>,
    pub(super) quiet: Over<bool>,
    /// By the stage's own version.
    pub(super) openings: Vec<(StageId, bool, Instant, Opening)>,
    pub(super) wait_ends: Vec<(StageId, Instant, Opening)>,
    pub(super) routes: Vec<(Channel, Route, Vec<RouteProvider>)>,
}

/// What held at an instant: what was said last before it, else what was said first after it.
pub(super) fn at<T: Copy>(over: &Over<T>, at: Instant) -> Option<T> {
    let before = over.iter().rev().find(|(said, _)| *said <= at);
    before.or(over.first()).map(|(_, answer)| *answer)
}

impl Record {
    /// Runs a message's own steps again, and notes what they were given.
    pub(super) fn of(message: &Message, machine: &Machine) -> Result<Record, String> {
        let beginning = message.entries.first().and_then(|entry| entry.beginning()).cloned();
        let beginning = beginning.ok_or_else(|| "its beginning is not in the export".to_owned())?;
        let mut record = Record {
            beginning: beginning.clone(),
            attempts: Vec::new(),
            from_callers: Vec::new(),
            known: World::default(),
            told: None,
        };
        let mut sent: Vec<Sent> = Vec::new();
        let mut confirmed: Option<(Instant, Channel)> = None;
        let mut instance = Instance::new(machine, beginning);
        for entry in &message.entries {
            if entry.semantics() != SEMANTICS {
                return Err("decided by another version of spine".to_owned());
            }
            for input in entry.inputs() {
                let facts = Recorded::new(&input.facts);
                let event = Event { at: input.at.0, what: input.what.into(), facts: &facts };
                let (after, effects) = step(machine, instance, event);
                if !facts.is_exact() {
                    return Err(
                        "its record does not fit its version; `spine audit verify` tells more".to_owned()
                    );
                }
                instance = after;
                record.known.note(machine, input.at.0, &input.facts);
                record.hear(input.at.0, input.what);
                for effect in effects {
                    record.see(machine, input.at.0, &effect);
                    if let Effect::Transition(transition) = &effect
                        && let Moved::Stage { channel, .. } = transition.moved
                    {
                        match transition.event {
                            Was::AttemptAccepted | Was::AttemptInDoubt => sent.push(Sent {
                                at: transition.at,
                                channel,
                                provider: transition.provider.clone().unwrap_or_default(),
                            }),
                            Was::Delivered | Was::Read | Was::Replied => {
                                confirmed.get_or_insert((transition.at, channel));
                            }
                            _ => {}
                        }
                    }
                }
            }
        }
        record.told = Told::of(&sent, confirmed);
        Ok(record)
    }

    fn attempt(&mut self, number: u32) -> Option<&mut Attempt> {
        self.attempts.get_mut(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    /// What was said from outside.
    fn hear(&mut self, at: Instant, what: WhatRecord) {
        match what {
            WhatRecord::Answered { attempt, outcome, retry_after_ms } => {
                let Some(attempt) = self.attempt(attempt) else { return };
                let pause = retry_after_ms.map(Span::from_ms);
                attempt.answers.push((at.since(attempt.called_at), outcome, pause));
                if matches!(outcome, Outcome::Accepted | Outcome::InDoubt) {
                    attempt.accepted_at.get_or_insert(at);
                }
            }
            WhatRecord::Confirmed { attempt, level } => self.later(attempt, at, Later::Confirmed(level)),
            WhatRecord::FailedLater { attempt, fault } => self.later(attempt, at, Later::Failed(fault)),
            WhatRecord::ConfirmedByCaller { .. } | WhatRecord::Canceled => self.from_callers.push((at, what)),
            WhatRecord::Accepted | WhatRecord::Due | WhatRecord::Ready { .. } => {}
        }
    }

    fn later(&mut self, attempt: u32, at: Instant, what: Later) {
        if let Some(attempt) = self.attempt(attempt) {
            let from = attempt.accepted_at.unwrap_or(attempt.called_at);
            attempt.later.push((at.since(from), what));
        }
    }

    fn see(&mut self, machine: &Machine, at: Instant, effect: &Effect) {
        match effect {
            // Attempts are numbered from 1, in the order in which they are made.
            Effect::Call { stage, provider, .. } => {
                let Some(channel) = machine.channel(*stage) else { return };
                self.attempts.push(Attempt {
                    provider: provider.clone(),
                    channel: channel.channel,
                    called_at: at,
                    accepted_at: None,
                    answers: Vec::new(),
                    later: Vec::new(),
                });
            }
            Effect::CallAgain { attempt, .. } | Effect::LookUp { attempt, .. } => {
                if let Some(attempt) = self.attempt(*attempt) {
                    attempt.called_at = at;
                }
            }
            Effect::Queue { .. } | Effect::Transition(_) | Effect::Tell(_) => {}
        }
    }
}

impl World {
    fn note(&mut self, machine: &Machine, at: Instant, facts: &[Fact]) {
        for fact in facts {
            match fact {
                Fact::Comparison(index, truth) => {
                    let Some(comparison) = machine.comparison(*index) else { continue };
                    match self.comparisons.iter_mut().find(|(known, _)| same(known, comparison)) {
                        Some((_, over)) => over.push((at, *truth)),
                        None => self.comparisons.push((comparison.clone(), vec![(at, *truth)])),
                    }
                }
                Fact::HasAddress(channel, answer) => note(&mut self.has_address, channel, at, *answer),
                Fact::OptedOut(channel, answer) => note(&mut self.opted_out, channel, at, *answer),
                Fact::HasBody(channel, answer) => note(&mut self.has_body, channel, at, *answer),
                Fact::QuotaUsed(channel, answer) => note(&mut self.quota_used, channel, at, *answer),
                Fact::Quiet(answer) => self.quiet.push((at, *answer)),
                Fact::Opening(stage, heeded, opening) => {
                    self.openings.push((StageId(*stage), *heeded, at, *opening));
                }
                Fact::WaitEnd(stage, opening) => self.wait_ends.push((StageId(*stage), at, *opening)),
                Fact::Route(stage, providers) => {
                    let Some(channel) = machine.channel(StageId(*stage)) else { continue };
                    self.routes.push((channel.channel, channel.route.clone(), providers.clone()));
                }
                Fact::Readiness(provider, ready) => {
                    note(&mut self.open, provider, at, ready.open);
                    note(&mut self.paused, provider, at, ready.paused_until.map(|until| until.0));
                }
            }
        }
    }

    /// What is on record about a comparison; also where its opposite is.
    pub(super) fn truth(&self, comparison: &Comparison, now: Instant) -> Option<Truth> {
        let found = |wanted: &dyn Fn(&Comparison) -> bool| {
            self.comparisons.iter().find(|(known, _)| wanted(known)).and_then(|(_, over)| at(over, now))
        };
        found(&|known| same(known, comparison)).or_else(|| {
            let opposite = |known: &Comparison| {
                known.left == comparison.left
                    && known.right == comparison.right
                    && opposite(comparison.op) == Some(known.op)
            };
            Some(match found(&opposite)? {
                Truth::True => Truth::False,
                Truth::False => Truth::True,
                Truth::Missing => Truth::Missing,
            })
        })
    }

    /// A provider as some route of the record had it on a channel.
    pub(super) fn provider(&self, channel: Channel, name: &str) -> Option<&RouteProvider> {
        let routes = self.routes.iter().filter(|(served, ..)| *served == channel);
        routes.flat_map(|(_, _, route)| route).find(|provider| provider.name == name)
    }
}

fn note<K: Ord + Clone, T>(over: &mut BTreeMap<K, Over<T>>, key: &K, at: Instant, answer: T) {
    over.entry(key.clone()).or_default().push((at, answer));
}

fn same(a: &Comparison, b: &Comparison) -> bool {
    a.left == b.left && a.op == b.op && a.right == b.right
}

fn opposite(op: Op) -> Option<Op> {
    Some(match op {
        Op::Is => Op::IsNot,
        Op::IsNot => Op::Is,
        Op::Less => Op::AtLeast,
        Op::AtLeast => Op::Less,
        Op::More => Op::AtMost,
        Op::AtMost => Op::More,
        Op::In | Op::Has => return None,
    })
}
