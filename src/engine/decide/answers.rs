//! What a provider answered, and what that says of its health.

use super::work::Work;
use super::{Decision, Undo, signed};
use crate::engine::desk::DeskState;
use crate::engine::doc::outcome_place;
use crate::engine::health::ToldSwitch;
use crate::engine::running::Attempt;
use crate::machine::What;
use crate::model::shapes::QuotaName;
use crate::model::{Environment, Outcome};
use crate::providers::Answer;
use crate::store::StoreError;
use crate::store::rows::OutcomeRow;

impl Work<'_> {
    /// A provider's answer.
    pub(super) fn answer(
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
        if let Some(before) = decision.attempts[place].outcome
            && !decision.state.instance.is_open(number)
        {
            return self.late_news(state, decision, place, before, answer);
        }
        if first {
            self.health(state, &provider, answer)?;
        }
        let sends = decision.state.instance.sends();
        let (outcome, retry_after) = (answer.outcome, answer.retry_after);
        // A call that was under way where its message ended is a use since then, and on a store of one
        // node has no place in the quota any more.
        let was_used = self.was_used_at_end(&decision.attempts[place]);
        let is_counted = decision.state.instance.level_of(number).is_some();
        let has_place = !was_used || self.desk.is_shared();
        // The place of the attempt must not stand in the way of what follows from its answer. One that
        // counts as a send keeps it in the quota until it is counted there: what follows in the same step
        // would else take the last place a second time.
        let is_send = matches!(outcome, Outcome::Accepted | Outcome::InDoubt) && !is_counted;
        let open_before = decision.attempts[place].place.take();
        if let Some(taken) = &open_before {
            state.providers.end(taken);
            if has_place && !is_send {
                state.quotas.release(QuotaName::Channel(channel));
            }
        }
        self.step(state, decision, What::Answered { attempt: number, outcome, retry_after }, None)?;
        if decision.state.instance.is_open(number) {
            // In doubt, and to be cleared up: it keeps its place.
            if let Some(taken) = open_before {
                decision.attempts[place].place = Some(state.providers.resume(&taken.provider));
                if has_place && !is_send {
                    state.quotas.begin(QuotaName::Channel(channel));
                }
            }
            return Ok(());
        }
        if let Some(taken) = open_before {
            if has_place && is_send {
                state.quotas.release(QuotaName::Channel(channel));
            }
            decision.undo.push(Undo::Ended(taken, has_place.then_some(channel)));
        }
        let mut added = signed(decision.state.instance.sends().saturating_sub(sends));
        if was_used && !is_counted {
            added -= 1;
        } else if !was_used && decision.attempts[place].held && decision.attempts[place].outcome.is_none() {
            decision.usage.push(state.quotas.give_back(QuotaName::Channel(channel), self.now));
        }
        if added != 0 {
            self.count(state, decision, QuotaName::Channel(channel), added, false);
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

    /// An answer to an attempt that has an outcome. Where that is no more than a doubt, it is cleared up:
    /// the send counts already, so what is new is under which id the provider has it, or that it failed.
    fn late_news(
        &mut self,
        state: &mut DeskState,
        decision: &mut Decision,
        place: usize,
        before: Outcome,
        answer: &Answer,
    ) -> Result<(), StoreError> {
        if before != Outcome::InDoubt || answer.outcome == Outcome::InDoubt {
            return Ok(());
        }
        let (now, desk, key) = (self.now, self.desk, self.info.key.as_ref());
        let attempt = &mut decision.attempts[place];
        attempt.outcome = Some(answer.outcome);
        attempt.ended_at = Some(now);
        attempt.provider_message_id.clone_from(&answer.provider_message_id);
        attempt.detail.clone_from(&answer.detail);
        let detail = match (key, &answer.detail) {
            (Some(key), Some(detail)) => {
                Some(desk.scope.seal(key, &outcome_place(attempt.id), detail.as_bytes())?)
            }
            _ => None,
        };
        decision.outcomes.push(OutcomeRow {
            attempt: attempt.id,
            outcome: answer.outcome,
            provider: attempt.provider.clone(),
            provider_message_id: attempt.provider_message_id.clone(),
            at: now,
            detail,
        });
        let number = attempt.number;
        if answer.outcome == Outcome::Accepted {
            return Ok(());
        }
        self.step(state, decision, What::FailedLater { attempt: number, fault: Some(answer.outcome) }, None)
    }

    /// What an answer says of its provider's health.
    pub(super) fn health(
        &mut self,
        state: &mut DeskState,
        provider: &str,
        answer: &Answer,
    ) -> Result<(), StoreError> {
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

    pub(super) fn result(
        &mut self,
        state: &mut DeskState,
        provider: &str,
        ok: bool,
    ) -> Result<(), StoreError> {
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
            let event = self.desk.circuit(state, provider, switched, self.now)?;
            state.events.push(ToldSwitch { provider: provider.to_owned(), switched, event });
        }
        Ok(())
    }

    /// The calls that are still under way where a message ends give their places back, and count as uses
    /// from now on, unless a receipt has counted them: nobody may be there any more to do so later.
    pub(super) fn use_what_is_held(&mut self, state: &mut DeskState, decision: &mut Decision) {
        let open = decision.attempts.iter().filter(|attempt| self.is_used_at_end(attempt));
        let open: Vec<_> = open.map(|attempt| (attempt.number, attempt.channel)).collect();
        for (number, channel) in open {
            let name = QuotaName::Channel(channel);
            if self.desk.is_shared() {
                decision.usage.push(state.quotas.give_back(name, self.now));
            } else {
                state.quotas.release(name);
                decision.undo.push(Undo::Released(channel));
            }
            if decision.state.instance.level_of(number).is_none() {
                self.count(state, decision, name, 1, false);
            }
        }
    }

    /// Whether a call is one that is a use and no place any more once its message has ended.
    fn is_used_at_end(&self, attempt: &Attempt) -> bool {
        attempt.outcome.is_none() && (attempt.held || !self.desk.is_shared())
    }

    /// Whether it was one already before this change.
    pub(super) fn was_used_at_end(&self, attempt: &Attempt) -> bool {
        self.was_ended && self.is_used_at_end(attempt)
    }

    pub(super) fn count(
        &mut self,
        state: &mut DeskState,
        decision: &mut Decision,
        name: QuotaName,
        add: i32,
        takes: bool,
    ) {
        let (deltas, crossed) = state.quotas.count(name, add, takes, self.now);
        for crossed in &crossed {
            if let Ok(event) = self.desk.threshold(crossed, self.now) {
                decision.scope_events.push(event);
            }
        }
        decision.undo.push(Undo::Counted(deltas.clone(), crossed));
        decision.usage.extend(deltas);
    }
}
