//! A message run by a machine, with the answers of the record.

use std::collections::BTreeMap;

use crate::machine::catalog::Catalog;
use crate::machine::facts::{Facts, RouteProvider};
use crate::machine::replay::WhatRecord;
use crate::machine::{Beginning, Effect, Event, Instance, Machine, Moved, Was, What, next_due, step};
use crate::model::{Channel, Instant, Money, Outcome, Span};

use super::answers::{Answer, Answers, Typical};
use super::facts::Played;
use super::outcome::{Ran, Replayed, Sent, Told};
use super::read::Message;
use super::record::{Later, Record};

/// Runs a message by its own version and by another one.
pub(super) fn both(
    message: &Message,
    record: &Record,
    own: &Machine,
    other: &Machine,
    typical: &Typical,
    catalog: &Catalog,
) -> Replayed {
    let (own_ran, _) = run(message, record, (own, own), typical, catalog, record.beginning.clone());
    let mut beginning = record.beginning.clone();
    // An expiry of the request stays; one of the policy is the other version's.
    let by_policy = |machine: &Machine| machine.headers().expires.map(|after| beginning.start_at.plus(after));
    if beginning.expires_at == by_policy(own) {
        beginning.expires_at = by_policy(other);
    }
    let (other_ran, assumed) = run(message, record, (other, own), typical, catalog, beginning);
    Replayed {
        message_id: message.id.clone(),
        policy: message.policy.clone(),
        start: record.beginning.start_at,
        as_recorded: own_ran.told == record.told,
        own: own_ran,
        other: other_ran,
        assumed,
    }
}

/// Something that will be said.
#[derive(Debug, Clone, Copy)]
struct Coming {
    at: Instant,
    /// When that became certain: what is said at the same instant comes after the timers of it.
    since: Instant,
    what: What,
}

struct Run<'a> {
    played: Played<'a>,
    answers: Answers<'a>,
    instance: Instance,
    now: Instant,
    coming: Vec<Coming>,
    paused: BTreeMap<String, Instant>,
    /// The attempts, with the answers that are left.
    called: Vec<(RouteProvider, Channel, Answer)>,
    sent: Vec<Sent>,
    confirmed: Option<(Instant, Channel)>,
}

/// Runs a message by a machine; the second is the one that made the record.
fn run(
    message: &Message,
    record: &Record,
    (machine, own): (&Machine, &Machine),
    typical: &Typical,
    catalog: &Catalog,
    beginning: Beginning,
) -> (Ran, Vec<String>) {
    let accepted_at = beginning.accepted_at;
    let from_callers = record.from_callers.iter().map(|(at, what)| Coming {
        at: *at,
        since: accepted_at,
        what: (*what).into(),
    });
    let mut run = Run {
        played: Played::new(message, record, machine, own, catalog, typical),
        answers: Answers::new(record, typical),
        instance: Instance::new(machine, beginning),
        now: accepted_at,
        coming: from_callers.collect(),
        paused: BTreeMap::new(),
        called: Vec::new(),
        sent: Vec::new(),
        confirmed: None,
    };
    run.take(WhatRecord::Accepted.into());
    while let Some(at) = run.next() {
        if run.instance.ended().is_some() && at > run.now {
            break;
        }
        run.now = run.now.max(at);
        // As in the simulator: what was certain before, then timers, then what takes no time.
        let due = next_due(machine, &run.instance).is_some_and(|due| due <= run.now);
        let what = match run.said_now(false) {
            Some(what) => what,
            None if due => What::Due,
            None => match run.said_now(true) {
                Some(what) => what,
                None => break,
            },
        };
        run.take(what);
    }
    run.finish(message)
}

impl Run<'_> {
    fn next(&self) -> Option<Instant> {
        let said = self.coming.iter().map(|coming| coming.at).min();
        let due = next_due(self.played.machine, &self.instance);
        said.into_iter().chain(due).min()
    }

    fn said_now(&mut self, immediate: bool) -> Option<What> {
        let now = self.now;
        let ready = |coming: &Coming| coming.at <= now && (immediate || coming.since < now);
        let said = self.coming.iter().enumerate().filter(|(_, coming)| ready(coming));
        let (first, _) = said.min_by_key(|(_, coming)| !immediate && coming.what.fails())?;
        Some(self.coming.remove(first).what)
    }

    fn take(&mut self, what: What) {
        if let What::Answered { attempt, outcome: Outcome::RateLimited, retry_after } = what
            && let Some((provider, ..)) = place(attempt).and_then(|place| self.called.get(place))
        {
            let until = self.now.plus(retry_after.unwrap_or(Span::from_s(1)));
            self.paused.insert(provider.name.clone(), until);
        }
        let effects = {
            let facts = self.played.facts(self.now, &self.paused);
            let event = Event { at: self.now, what, facts: &facts };
            let (instance, effects) = step(self.played.machine, self.instance.clone(), event);
            self.instance = instance;
            effects
        };
        for effect in effects {
            match effect {
                Effect::Call { stage, provider, .. } => {
                    let Some(channel) = self.played.machine.channel(stage) else { continue };
                    let facts = self.played.facts(self.now, &self.paused);
                    let route = facts.route(stage);
                    let Some(provider) = route.into_iter().find(|known| known.name == provider) else {
                        continue;
                    };
                    let (answer, assumed) = self.answers.next(&provider, channel.channel);
                    assumed.into_iter().for_each(|what| self.played.assumed.add(what));
                    self.called.push((provider, channel.channel, answer));
                    self.answer(self.called.len() - 1);
                }
                Effect::CallAgain { attempt, .. } | Effect::LookUp { attempt, .. } => {
                    if let Some(place) = place(attempt) {
                        self.answer(place);
                    }
                }
                Effect::Transition(transition) => {
                    let Moved::Stage { channel, .. } = transition.moved else { continue };
                    match transition.event {
                        Was::AttemptAccepted | Was::AttemptInDoubt => self.sent.push(Sent {
                            at: transition.at,
                            channel,
                            provider: transition.provider.unwrap_or_default(),
                        }),
                        Was::Delivered | Was::Read | Was::Replied => {
                            self.confirmed.get_or_insert((transition.at, channel));
                        }
                        _ => {}
                    }
                }
                // No provider is said to be busy, and nobody listens.
                Effect::Queue { .. } | Effect::Tell(_) => {}
            }
        }
    }

    /// Puts the next answer to an attempt into the future, and with an acceptance what comes after it.
    fn answer(&mut self, place: usize) {
        let (now, number) = (self.now, u32::try_from(place + 1).unwrap_or(u32::MAX));
        let Some((_, _, answer)) = self.called.get_mut(place) else { return };
        // Who is asked more often than on record is as sure as before.
        let (after, outcome, retry_after) = match answer.answers.len() {
            0 => (Span::ZERO, Outcome::InDoubt, None),
            _ => answer.answers.remove(0),
        };
        let at = now.plus(after);
        let what = What::Answered { attempt: number, outcome, retry_after };
        self.coming.push(Coming { at, since: now, what });
        if matches!(outcome, Outcome::Accepted | Outcome::InDoubt) {
            for (after, later) in std::mem::take(&mut answer.later) {
                let what = match later {
                    Later::Confirmed(level) => What::Confirmed { attempt: number, level },
                    Later::Failed(fault) => What::FailedLater { attempt: number, fault },
                };
                self.coming.push(Coming { at: at.plus(after), since: now, what });
            }
        }
    }

    fn finish(self, message: &Message) -> (Ran, Vec<String>) {
        let ended_at = self.instance.ended().map_or(self.instance.last_at(), |ended| ended.at.0);
        let ran = Ran {
            told: Told::of(&self.sent, self.confirmed),
            sent: self.sent,
            status: self.instance.status(),
            ended_at,
            cost: message.currency.map(|currency| Money { micros: self.instance.cost_micros(), currency }),
        };
        (ran, self.played.assumed.into_list())
    }
}

/// Attempts are numbered from 1.
fn place(attempt: u32) -> Option<usize> {
    usize::try_from(attempt).ok()?.checked_sub(1)
}
