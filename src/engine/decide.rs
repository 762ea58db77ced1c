//! What a change of a message comes to: the steps, under one lock of the scope with the facts that
//! they read and the places that they take; then the rows.

use std::sync::Arc;

use super::desk::{Desk, DeskState};
use super::doc::{AttemptDoc, ReplyText, State, outcome_place};
use super::journal;
use super::quota::Crossed;
use super::records::write;
use super::running::{Attempt, Info, Running, Said, SaidWhat, scripted};
use super::tell::Teller;
use crate::language::policy::Route;
use crate::machine::facts::{Readiness, RouteProvider};
use crate::machine::known::{FactsAt, World};
use crate::machine::{Beginning, Effect, Instance, JournalEntry, StageId, Told, Transition, What, next_due};
use crate::model::shapes::QuotaName;
use crate::model::{Channel, Confirmation, Environment, Ids, Instant, Outcome, kinds};
use crate::providers::sandbox::Planned;
use crate::providers::{Answer, Report};
use crate::store::rows::{AttemptRow, EndedState, EventRow, JournalRow, LiveState, OutcomeRow};
use crate::store::{MessageStep, StoreError, UsageDelta};

use super::providers::Place;

/// Something that happens to a message.
#[derive(Clone)]
pub(super) enum Input {
    /// What the machine knows by name.
    What(What),
    /// Whatever is due by now: timers, and what scripts say.
    Due,
    /// A provider's answer to an attempt. `counted`: the breaker has had it.
    Answer { number: u32, answer: Box<Answer>, counted: bool },
    /// A confirmation, under which id of the provider's, and what the person wrote.
    Confirmed { number: u32, level: Confirmation, sent_as: Option<String>, reply: Option<ReplyText> },
    /// A failure after acceptance, and what it says. `counted`: the breaker has had it.
    FailedLater { number: u32, failure: LateFailure, counted: bool },
    /// Another reply, after one that counted already.
    Another { number: u32, reply: ReplyText },
}

/// What a receipt of failure says.
#[derive(Debug, Clone, Default)]
pub(super) struct LateFailure {
    /// Whose fault it was, where that was said.
    pub(super) fault: Option<Outcome>,
    /// The address does not exist any more.
    pub(super) address_gone: bool,
    /// The provider's id of the send.
    pub(super) sent_as: Option<String>,
}

/// What is done once the change is durable.
#[derive(Debug, Clone)]
pub(super) enum After {
    Call { number: u32 },
    Again { number: u32 },
    LookUp { number: u32 },
}

/// How what was taken in memory is given back where the change is not written.
enum Undo {
    Began(Place, Channel),
    Ended(Place, Channel),
    Counted(Vec<UsageDelta>),
}

/// What a change comes to.
pub(super) struct Decision {
    pub(super) state: State,
    pub(super) attempts: Vec<Attempt>,
    pub(super) said: Vec<Said>,
    pub(super) counts: std::collections::HashMap<String, usize>,
    pub(super) after: Vec<After>,
    pub(super) journal: Option<JournalRow>,
    pub(super) events: Vec<EventRow>,
    pub(super) new_attempts: Vec<AttemptRow>,
    pub(super) outcomes: Vec<OutcomeRow>,
    pub(super) usage: Vec<UsageDelta>,
    /// Events of the scope that are told only if the change is written.
    pub(super) scope_events: Vec<EventRow>,
    /// Whether any event came to the machine.
    pub(super) stepped: bool,
    undo: Vec<Undo>,
}

/// The message that a decision is about, as it was before.
pub(super) struct Before<'a> {
    pub(super) info: &'a Arc<Info>,
    pub(super) state: State,
    pub(super) attempts: Vec<Attempt>,
    pub(super) said: Vec<Said>,
    pub(super) counts: std::collections::HashMap<String, usize>,
    /// For a message that is being accepted.
    pub(super) beginning: Option<Beginning>,
}

impl Before<'_> {
    /// A message that is under way.
    pub(super) fn of(running: &Running) -> Before<'_> {
        Before {
            info: &running.info,
            state: running.state.clone(),
            attempts: running.attempts.clone(),
            said: running.said.clone(),
            counts: running.counts.clone(),
            beginning: None,
        }
    }
}

/// How many steps one change holds at most.
const STEPS_MAX: usize = 256;

impl Desk {
    /// Decides a change. Places are taken and given back in memory at once: where the change is not
    /// written, [`Desk::undo`] reverses that.
    pub(super) fn decide(
        &self,
        before: Before<'_>,
        inputs: &mut [Input],
        now: Instant,
    ) -> Result<Decision, StoreError> {
        let info = Arc::clone(before.info);
        let mut entry = match before.state.unwritten.as_slice() {
            [] => JournalEntry::new(before.beginning.clone()),
            bytes => JournalEntry::from_bytes(bytes).map_err(|_| super::records::unreadable())?,
        };
        let was = before.state.instance.clone();
        let mut decision = Decision {
            state: before.state,
            attempts: before.attempts,
            said: before.said,
            counts: before.counts,
            after: Vec::new(),
            journal: None,
            events: Vec::new(),
            new_attempts: Vec::new(),
            outcomes: Vec::new(),
            usage: Vec::new(),
            scope_events: Vec::new(),
            stepped: false,
            undo: Vec::new(),
        };
        let known = decision.said.len();
        let mut work = Work {
            known,
            desk: self,
            info: &info,
            now,
            entry: &mut entry,
            told: Vec::new(),
            transitions: Vec::new(),
        };
        {
            let mut state = self.state();
            if before.beginning.is_some() {
                state.quotas.release(QuotaName::Messages);
                work.count(&mut state, &mut decision, QuotaName::Messages, 1);
            }
            for input in inputs.iter_mut() {
                work.take(&mut state, &mut decision, input)?;
            }
        }
        let (told, transitions) = (work.told, work.transitions);
        decision.journal = journal::row(info.id, decision.state.hash, &entry, &transitions)?;
        match &decision.journal {
            Some(row) => {
                decision.state.hash = row.hash;
                decision.state.unwritten = Vec::new();
            }
            // Nothing came of it but that time went on.
            None if decision.state.instance.is_but_later_than(&was) => decision.state.instance = was,
            None => {
                let bytes = entry.to_bytes().map_err(|_| super::records::unreadable())?;
                decision.state.unwritten = bytes;
            }
        }
        let mut teller = Teller { desk: self, info: &info, at: now };
        for (told, reply) in told {
            decision.state.event_sequence += 1;
            let row = teller.row(&told, reply.as_ref(), &decision)?;
            decision.events.push(row);
        }
        Ok(decision)
    }

    /// Gives back what a decision took in memory, the last first.
    pub(super) fn undo(&self, decision: &mut Decision) {
        let mut state = self.state();
        for undo in decision.undo.drain(..).rev() {
            match undo {
                Undo::Began(place, channel) => {
                    state.providers.undo(&place);
                    state.quotas.release(QuotaName::Channel(channel));
                }
                Undo::Ended(place, channel) => {
                    state.providers.resume(&place.provider);
                    state.quotas.begin(QuotaName::Channel(channel));
                }
                Undo::Counted(deltas) => state.quotas.uncount(&deltas),
            }
        }
    }

    /// The event of a crossed threshold.
    pub(super) fn threshold(&self, crossed: &Crossed, at: Instant) -> Result<EventRow, StoreError> {
        let window = match crossed.window {
            crate::store::rows::UsageWindow::Day => "day",
            crate::store::rows::UsageWindow::Month => "month",
        };
        let data = serde_json::json!({"quota": crossed.name, "window": window, "limit": crossed.limit,
            "used": crossed.used, "percent": crossed.percent, "resets_at": crossed.resets_at});
        self.scope_event(crate::model::shapes::EventType::QuotaThreshold, &data, at)
    }
}

/// A decision being made.
struct Work<'a> {
    desk: &'a Desk,
    info: &'a Arc<Info>,
    now: Instant,
    entry: &'a mut JournalEntry,
    told: Vec<(Told, Option<ReplyText>)>,
    transitions: Vec<Transition>,
    /// How many of the things still to be said were certain before this change. What it makes
    /// certain itself is said after it is durable: no provider answers a call that was not made.
    known: usize,
}

impl Work<'_> {
    fn take(
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
                let stage = decision.attempts.iter().find(|a| a.number == *number).map(|a| a.stage);
                if let Some(stage) = stage {
                    self.told.push((Told::Replied { stage, attempt: *number }, Some(reply.clone())));
                    decision.stepped = true;
                }
                Ok(())
            }
        }
    }

    /// A receipt. One that comes before the answer to its send says that it was accepted, so the send
    /// counts now; the answer then only ends the call.
    fn reported(
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
        let channel = attempt.channel;
        if attempt.outcome.is_none() && attempt.provider_message_id.is_none() {
            attempt.provider_message_id = sent_as.cloned();
        }
        let sends = decision.state.instance.sends();
        self.step(state, decision, what, reply)?;
        let added = decision.state.instance.sends().saturating_sub(sends);
        if added > 0 {
            self.count(state, decision, QuotaName::Channel(channel), added);
        }
        Ok(())
    }

    /// What is due by now, in its order: answers and receipts that were certain before, timers, then
    /// what takes no time.
    fn due(&mut self, state: &mut DeskState, decision: &mut Decision) -> Result<(), StoreError> {
        for _ in 0..STEPS_MAX {
            let machine = &self.info.plan.machine;
            let timer = next_due(machine, &decision.state.instance).filter(|at| *at <= self.now);
            let ready = |immediate: bool, decision: &Decision| {
                let at = |said: &Said| said.at;
                let said = decision.said.iter().enumerate().take(self.known);
                let said =
                    said.filter(|(_, said)| said.at <= self.now && (immediate || said.since < said.at));
                said.min_by_key(|(place, said)| (at(said), *place)).map(|(place, said)| (place, said.at))
            };
            let certain = ready(false, decision).filter(|(_, at)| timer.is_none_or(|timer| *at <= timer));
            match (certain, timer) {
                (Some((place, _)), _) => self.say(state, decision, place)?,
                (None, Some(_)) => self.step(state, decision, What::Due, None)?,
                (None, None) => match ready(true, decision) {
                    Some((place, _)) => self.say(state, decision, place)?,
                    None => return Ok(()),
                },
            }
        }
        Ok(())
    }

    /// A scripted provider says something.
    fn say(
        &mut self,
        state: &mut DeskState,
        decision: &mut Decision,
        place: usize,
    ) -> Result<(), StoreError> {
        let said = decision.said.remove(place);
        self.known -= 1;
        let number = said.attempt;
        let confirmed = |level| What::Confirmed { attempt: number, level };
        match said.what {
            SaidWhat::Answer(answer) => self.answer(state, decision, number, &answer, true),
            SaidWhat::Later(Planned::Reply { text, .. }) => {
                let reply = Some(ReplyText { text, id: None });
                self.step(state, decision, confirmed(Confirmation::Replied), reply)
            }
            SaidWhat::Later(Planned::Receipt { report: Report::Confirmed(level), .. }) => {
                self.step(state, decision, confirmed(level), None)
            }
            SaidWhat::Later(Planned::Receipt { report: Report::Failed { fault, .. }, .. }) => {
                self.step(state, decision, What::FailedLater { attempt: number, fault }, None)
            }
        }
    }

    /// A provider's answer.
    fn answer(
        &mut self,
        state: &mut DeskState,
        decision: &mut Decision,
        number: u32,
        answer: &Answer,
        first: bool,
    ) -> Result<(), StoreError> {
        let Some(place) = decision.attempts.iter().position(|attempt| attempt.number == number) else {
            return Ok(());
        };
        let (provider, channel) =
            (decision.attempts[place].provider.clone(), decision.attempts[place].channel);
        if first {
            self.health(state, &provider, answer)?;
        }
        let sends = decision.state.instance.sends();
        let (outcome, retry_after) = (answer.outcome, answer.retry_after);
        // The place of the attempt must not stand in the way of what follows from its answer.
        let open_before = decision.attempts[place].place.take();
        if let Some(taken) = &open_before {
            state.providers.end(taken);
            state.quotas.release(QuotaName::Channel(channel));
        }
        self.step(state, decision, What::Answered { attempt: number, outcome, retry_after }, None)?;
        if decision.state.instance.is_open(number) {
            // In doubt, and to be cleared up: it keeps its place.
            if let Some(taken) = open_before {
                decision.attempts[place].place = Some(state.providers.resume(&taken.provider));
                state.quotas.begin(QuotaName::Channel(channel));
            }
            return Ok(());
        }
        if let Some(taken) = open_before {
            decision.undo.push(Undo::Ended(taken, channel));
        }
        let added = decision.state.instance.sends().saturating_sub(sends);
        if added > 0 {
            self.count(state, decision, QuotaName::Channel(channel), added);
        }
        let attempt = &mut decision.attempts[place];
        attempt.outcome = Some(outcome);
        attempt.ended_at = Some(self.now);
        if answer.provider_message_id.is_some() {
            attempt.provider_message_id.clone_from(&answer.provider_message_id);
        }
        attempt.detail.clone_from(&answer.detail);
        let detail = match (&self.info.key, &answer.detail) {
            (Some(key), Some(detail)) => {
                Some(self.desk.scope.seal(key, &outcome_place(attempt.id), detail.as_bytes())?)
            }
            _ => None,
        };
        decision.outcomes.push(OutcomeRow {
            attempt: attempt.id,
            outcome,
            provider: provider.clone(),
            provider_message_id: attempt.provider_message_id.clone(),
            at: self.now,
            detail,
        });
        if answer.address_gone {
            decision.scope_events.push(self.desk.address_invalid(self.info, channel, self.now)?);
        }
        Ok(())
    }

    /// What an answer says of its provider's health.
    fn health(&mut self, state: &mut DeskState, provider: &str, answer: &Answer) -> Result<(), StoreError> {
        match answer.outcome {
            Outcome::Accepted => self.result(state, provider, true),
            Outcome::AccountFault | Outcome::Transient | Outcome::InDoubt => {
                self.result(state, provider, false)
            }
            Outcome::RateLimited => {
                let span = answer.retry_after.unwrap_or(crate::model::Span::from_s(1));
                state.providers.pause(provider, self.now.plus(span));
                state.unhealthy.insert(provider.to_owned());
                Ok(())
            }
            Outcome::RecipientFault | Outcome::ContentFault => Ok(()),
        }
    }

    fn result(&mut self, state: &mut DeskState, provider: &str, ok: bool) -> Result<(), StoreError> {
        if self.desk.environment() == Environment::Test && !self.info.moves_breaker(provider) {
            return Ok(());
        }
        let settings = &self.desk.context.settings.breaker;
        let before = state.providers.get(provider).map(|p| p.breaker.state(self.now));
        let switched = state.providers.result(provider, ok, self.now, settings);
        let after = state.providers.get(provider).map(|p| p.breaker.state(self.now));
        if before != after || switched.is_some() || after != Some(crate::model::shapes::BreakerState::Closed)
        {
            state.unhealthy.insert(provider.to_owned());
        }
        if let Some(switched) = switched {
            state.events.push(self.desk.circuit(state, provider, switched, self.now)?);
        }
        Ok(())
    }

    fn count(&mut self, state: &mut DeskState, decision: &mut Decision, name: QuotaName, add: u32) {
        let (deltas, crossed) = state.quotas.count(name, add, self.now);
        for crossed in &crossed {
            if let Ok(event) = self.desk.threshold(crossed, self.now) {
                decision.scope_events.push(event);
            }
        }
        decision.undo.push(Undo::Counted(deltas.clone()));
        decision.usage.extend(deltas);
    }

    /// One event to the machine, and what follows from it in memory.
    fn step(
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
    fn call(
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
        state.quotas.begin(QuotaName::Channel(channel));
        decision.undo.push(Undo::Began(place.clone(), channel));
        let address = self.info.addresses.get(channel);
        decision.new_attempts.push(AttemptRow {
            id,
            provider: provider.clone(),
            channel,
            at: self.now,
            address: address.map(|address| self.desk.scope.address_hash(channel, address)),
            doc: write(&AttemptDoc { number, stage: stage.0, valid_until })?,
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
            place: Some(place),
        });
        Ok(())
    }
}

impl Decision {
    /// Whether nothing of the message's rows changes.
    pub(super) fn is_quiet(&self, before: &Running) -> bool {
        self.journal.is_none()
            && self.events.is_empty()
            && self.outcomes.is_empty()
            && self.state.instance == before.state.instance
    }

    /// What becomes of the message's rows. `begun`: it stands already, at this position and version.
    pub(super) fn message_step(
        &self,
        info: &Info,
        begun: Option<(crate::store::Position, u32)>,
        was_ended: bool,
        row: Option<Box<crate::store::rows::MessageRow>>,
    ) -> Result<Option<MessageStep>, StoreError> {
        let instance = &self.state.instance;
        let state = self.state.write()?;
        let status = instance.status();
        let due_at = super::running::due(info, &self.state, &self.said);
        // What waits for a place is looked at again at once after a crash.
        let due_at = if instance.queued().next().is_some() { Some(instance.last_at()) } else { due_at };
        let ended = instance.ended().map(|ended| ended.at.0);
        Ok(match (begun, ended, row) {
            (None, None, Some(row)) => Some(MessageStep::Begin(row, LiveState { status, due_at, state })),
            (None, Some(at), Some(row)) => {
                Some(MessageStep::BeginEnded(row, EndedState { status, at, state }))
            }
            (Some((n, expected)), None, _) => {
                Some(MessageStep::Go { n, expected, live: LiveState { status, due_at, state } })
            }
            (Some((n, expected)), Some(at), _) if was_ended => {
                Some(MessageStep::Amend { n, expected, ended: EndedState { status, at, state } })
            }
            (Some((n, expected)), Some(at), _) => {
                Some(MessageStep::End { n, expected, ended: EndedState { status, at, state } })
            }
            (None, _, None) => None,
        })
    }

    pub(super) fn instance(&self) -> &Instance {
        &self.state.instance
    }
}

/// The world of one message at one instant, with the scope's lock held.
struct DeskWorld<'a> {
    desk: &'a Desk,
    state: &'a DeskState,
    info: &'a Info,
    now: Instant,
}

impl World for DeskWorld<'_> {
    fn has_address(&self, channel: Channel) -> bool {
        self.info.addresses.get(channel).is_some()
    }
    fn opted_out(&self, channel: Channel) -> bool {
        self.info.opted_out.contains(&channel)
    }
    fn has_body(&self, channel: Channel) -> bool {
        self.info.has_body(channel)
    }
    fn quota_used(&self, channel: Channel, begun: u32) -> bool {
        self.state.quotas.used_up(QuotaName::Channel(channel), self.now, begun).is_some()
    }
    fn route(&self, channel: Channel, route: &Route) -> Vec<RouteProvider> {
        self.state.providers.route(self.desk.environment(), self.info.id, channel, route)
    }
    fn readiness(&self, provider: &str, begun: u32) -> Readiness {
        let real_now = self.desk.real_now();
        self.state.providers.readiness(provider, self.info.id, self.now, real_now, begun)
    }
}
