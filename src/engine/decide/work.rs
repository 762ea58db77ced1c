//! The steps of one change, and what follows from each in memory.

use std::sync::Arc;

use super::world::DeskWorld;
use super::{After, Decision, Input, STEPS_MAX, Undo, signed};
use crate::engine::desk::{Desk, DeskState};
use crate::engine::doc::{AttemptDoc, ReplyText};
use crate::engine::providers::probe_duty;
use crate::engine::records::write;
use crate::engine::running::{Attempt, Info, SaidWhat, left_in_doubt, scripted};
use crate::machine::known::FactsAt;
use crate::machine::{Effect, JournalEntry, StageId, Told, Transition, What, next_due};
use crate::model::shapes::QuotaName;
use crate::model::{Confirmation, Ids, Instant, Outcome, kinds};
use crate::providers::sandbox::Planned;
use crate::providers::{Answer, Report};
use crate::store::StoreError;
use crate::store::rows::AttemptRow;

/// A decision being made.
pub(super) struct Work<'a> {
    pub(super) desk: &'a Desk,
    pub(super) info: &'a Arc<Info>,
    pub(super) now: Instant,
    pub(super) entry: &'a mut JournalEntry,
    pub(super) told: Vec<(Told, Option<ReplyText>)>,
    pub(super) transitions: Vec<Transition>,
    /// How many of the things still to be said were certain before this change. What it makes
    /// certain itself is said after it is durable: no provider answers a call that was not made.
    pub(super) known: usize,
    /// The message had ended before this change.
    pub(super) was_ended: bool,
}

/// What is done at an instant, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    /// What a script says that was certain before: failures last, by its place among what is said.
    Certain {
        fails: bool,
        place: usize,
    },
    Timer,
    /// What a script says without taking any time.
    AtOnce(usize),
}

impl Work<'_> {
    pub(super) fn take(
        &mut self,
        state: &mut DeskState,
        decision: &mut Decision,
        input: &mut Input,
    ) -> Result<(), StoreError> {
        self.take_one(state, decision, input)?;
        self.early_replies(state, decision)
    }

    fn take_one(
        &mut self,
        state: &mut DeskState,
        decision: &mut Decision,
        input: &mut Input,
    ) -> Result<(), StoreError> {
        match input {
            Input::What(what) => self.step(state, decision, *what, None),
            Input::Due => self.due(state, decision),
            Input::Answer { number, answer, counted } => {
                let first = !std::mem::replace(counted, true);
                self.answer(state, decision, *number, answer, first)
            }
            Input::Confirmed { number, level, sent_as, reply } => {
                let what = What::Confirmed { attempt: *number, level: *level };
                self.reported(state, decision, *number, sent_as.as_ref(), what, reply.clone())
            }
            Input::FailedLater { number, failure, counted } => {
                let attempt = decision.attempts.iter().find(|a| a.number == *number);
                let again = decision.state.instance.was_reported_failed(*number);
                let first = !std::mem::replace(counted, true) && !again;
                if let (Some(attempt), true) = (attempt, first) {
                    let (provider, channel) = (attempt.provider.clone(), attempt.channel);
                    if matches!(failure.fault, Some(Outcome::Transient | Outcome::AccountFault)) {
                        self.result(state, &provider, false)?;
                    }
                    if failure.address_gone {
                        decision.scope_events.push(self.desk.address_invalid(self.info, channel, self.now)?);
                    }
                }
                let what = What::FailedLater { attempt: *number, fault: failure.fault };
                self.reported(state, decision, *number, failure.sent_as.as_ref(), what, None)
            }
            Input::Another { number, reply } => {
                self.tell_reply(decision, *number, reply);
                Ok(())
            }
            Input::Early { number, reply } => {
                self.tell_reply(decision, *number, reply);
                if !decision.state.replied.contains(number) {
                    decision.state.replied.push(*number);
                }
                Ok(())
            }
        }
    }

    /// A reply that is told, and nothing to the machine.
    fn tell_reply(&mut self, decision: &mut Decision, number: u32, reply: &ReplyText) {
        let stage = decision.attempts.iter().find(|a| a.number == number).map(|a| a.stage);
        if let Some(stage) = stage {
            self.told.push((Told::Replied { stage, attempt: number }, Some(reply.clone())));
            decision.stepped = true;
        }
    }

    /// Early replies count once their attempts count as sent, and not at all where those were refused: then
    /// nothing was there to be answered, and whom they are from is still to be told.
    fn early_replies(&mut self, state: &mut DeskState, decision: &mut Decision) -> Result<(), StoreError> {
        for number in std::mem::take(&mut decision.state.replied) {
            let is_sent = decision.state.instance.level_of(number).is_some();
            let is_open = decision.attempts.iter().any(|a| a.number == number && a.outcome.is_none());
            if is_sent {
                let what = What::Confirmed { attempt: number, level: Confirmation::Replied };
                let before = self.told.len();
                self.reported(state, decision, number, None, what, None)?;
                // It was told when it came.
                let is_new = |told: &Told| !matches!(told, Told::Replied { .. });
                let told = self.told.split_off(before);
                self.told.extend(told.into_iter().filter(|(told, _)| is_new(told)));
            } else if is_open {
                decision.state.replied.push(number);
            }
        }
        Ok(())
    }

    /// A receipt. One that comes before the answer to its send says that it was accepted, so the send
    /// counts now; the answer then only ends the call.
    pub(super) fn reported(
        &mut self,
        state: &mut DeskState,
        decision: &mut Decision,
        number: u32,
        sent_as: Option<&String>,
        what: What,
        reply: Option<ReplyText>,
    ) -> Result<(), StoreError> {
        let Some(attempt) = decision.attempts.iter_mut().find(|attempt| attempt.number == number) else {
            return Ok(());
        };
        let (channel, was_used) = (attempt.channel, self.was_used_at_end(attempt));
        if attempt.outcome.is_none() && attempt.provider_message_id.is_none() {
            attempt.provider_message_id = sent_as.cloned();
        }
        let (sends, was_in_doubt) =
            (decision.state.instance.sends(), decision.state.instance.is_in_doubt(number));
        self.step(state, decision, what, reply)?;
        let added = decision.state.instance.sends().saturating_sub(sends);
        if added > 0 && !was_used {
            self.count(state, decision, QuotaName::Channel(channel), signed(added), false);
        }
        if was_in_doubt && !decision.state.instance.is_open(number) {
            // It was to be asked about later, and is not any more: no call is under way that would answer.
            let mut answer = Answer::of(Outcome::Accepted).because("a receipt came, and no answer");
            answer.provider_message_id = sent_as.cloned();
            self.answer(state, decision, number, &answer, false)?;
        }
        Ok(())
    }

    /// What is due by now, in the order of its instants; at one instant first the answers and receipts
    /// that were certain before (failures last, as they start what comes next), then timers, then what
    /// takes no time.
    pub(super) fn due(&mut self, state: &mut DeskState, decision: &mut Decision) -> Result<(), StoreError> {
        for _ in 0..STEPS_MAX {
            let timer = next_due(&self.info.plan.machine, &decision.state.instance);
            let timer = timer.map(|at| (at, Turn::Timer));
            let said = decision.said.iter().enumerate().take(self.known).map(|(place, said)| {
                let certain = said.since < said.at;
                let turn = match certain {
                    true => Turn::Certain { fails: said.fails(), place },
                    false => Turn::AtOnce(place),
                };
                (said.at, turn)
            });
            match said.chain(timer).filter(|(at, _)| *at <= self.now).min() {
                Some((_, Turn::Certain { place, .. } | Turn::AtOnce(place))) => {
                    self.say(state, decision, place)?
                }
                Some((_, Turn::Timer)) => self.step(state, decision, What::Due, None)?,
                None => break,
            }
        }
        let left: Vec<u32> = left_in_doubt(&decision.state, &decision.attempts).collect();
        for number in left {
            let answer = Answer::of(Outcome::InDoubt).because("the message ended before it was cleared up");
            self.answer(state, decision, number, &answer, false)?;
        }
        Ok(())
    }

    /// A scripted provider says something.
    pub(super) fn say(
        &mut self,
        state: &mut DeskState,
        decision: &mut Decision,
        place: usize,
    ) -> Result<(), StoreError> {
        let said = decision.said.remove(place);
        self.known -= 1;
        let number = said.attempt;
        let confirmed = |level| What::Confirmed { attempt: number, level };
        // By the same way as those that come from outside: one may be due before the answer to its send.
        match said.what {
            SaidWhat::Answer(answer) => self.answer(state, decision, number, &answer, true),
            SaidWhat::Later(Planned::Reply { text, .. }) => {
                let reply = Some(ReplyText { text, id: None });
                self.reported(state, decision, number, None, confirmed(Confirmation::Replied), reply)
            }
            SaidWhat::Later(Planned::Receipt { report: Report::Confirmed(level), .. }) => {
                self.reported(state, decision, number, None, confirmed(level), None)
            }
            SaidWhat::Later(Planned::Receipt { report: Report::Failed { fault, .. }, .. }) => {
                let what = What::FailedLater { attempt: number, fault };
                self.reported(state, decision, number, None, what, None)
            }
        }
    }

    /// One event to the machine, and what follows from it in memory.
    pub(super) fn step(
        &mut self,
        state: &mut DeskState,
        decision: &mut Decision,
        what: What,
        mut reply: Option<ReplyText>,
    ) -> Result<(), StoreError> {
        let machine = Arc::clone(&self.info.plan.machine);
        let (instance, effects) = {
            let world = DeskWorld { desk: self.desk, state, info: self.info, now: self.now };
            let facts = FactsAt { machine: &machine, at: self.now, known: &self.info.known, world: &world };
            self.entry.step(&machine, decision.state.instance.clone(), self.now, what, &facts)
        };
        decision.state.instance = instance;
        decision.stepped = true;
        for effect in effects {
            match effect {
                Effect::Call { stage, attempt, provider, valid_until } => {
                    self.call(state, decision, stage, attempt, provider, valid_until)?;
                }
                Effect::CallAgain { attempt, .. } => decision.after.push(After::Again { number: attempt }),
                Effect::LookUp { attempt, .. } => decision.after.push(After::LookUp { number: attempt }),
                Effect::Queue { stage, provider } => {
                    state.providers.wait(&provider, self.info.priority, self.info.id, stage);
                    self.desk.wake.notify_one();
                }
                Effect::Transition(transition) => self.transitions.push(transition),
                Effect::Tell(told) => {
                    let text = if matches!(told, Told::Replied { .. }) { reply.take() } else { None };
                    self.told.push((told, text));
                }
            }
        }
        Ok(())
    }

    /// An attempt begins: its place is taken, its intent becomes a row.
    pub(super) fn call(
        &mut self,
        state: &mut DeskState,
        decision: &mut Decision,
        stage: StageId,
        number: u32,
        provider: String,
        valid_until: Option<Instant>,
    ) -> Result<(), StoreError> {
        let Some(channel) = self.info.plan.machine.channel(stage).map(|channel| channel.channel) else {
            return Ok(());
        };
        let ids: &dyn Ids = self.desk.context.ids.as_ref();
        let id = ids.mint::<kinds::Attempt>();
        let place = state.providers.begin(&provider, self.info.id, stage, self.now, self.desk.real_now());
        let held = state.quotas.hold(QuotaName::Channel(channel), self.now);
        if place.probe && self.desk.is_shared() {
            decision.claims.push(probe_duty(&provider));
        }
        decision.undo.push(Undo::Began(place.clone(), channel));
        let address = self.info.addresses.get(channel);
        decision.new_attempts.push(AttemptRow {
            id,
            provider: provider.clone(),
            channel,
            at: self.now,
            address: address.map(|address| self.desk.scope.address_hash(channel, address)),
            doc: write(&AttemptDoc { number, stage: stage.0, valid_until, held: !held.is_empty() })?,
        });
        if state.providers.is_scripted(self.desk.environment(), &provider) {
            let record = state.providers.get(&provider).and_then(|p| p.record.as_ref());
            let confirms = record.and_then(|record| record.confirms.get(&channel)).cloned();
            let confirms = confirms.unwrap_or_else(|| channel.default_confirmations().to_vec());
            let plan = self.info.plan_of(id, &provider, channel, &confirms, &mut decision.counts);
            scripted(plan, number, self.now, None, &mut decision.said);
        } else {
            decision.after.push(After::Call { number });
        }
        decision.attempts.push(Attempt {
            number,
            id,
            stage,
            channel,
            provider,
            at: self.now,
            valid_until,
            outcome: None,
            ended_at: None,
            provider_message_id: None,
            detail: None,
            held: !held.is_empty(),
            place: Some(place),
        });
        decision.usage.extend(held);
        Ok(())
    }
}
