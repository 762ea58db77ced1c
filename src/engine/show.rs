//! A message as callers see it.

use super::doc::{Clear, Personal};
use super::running::{Attempt, Info, Running};
use crate::machine::{Instance, Machine, ReachedBy};
use crate::model::shapes::{self, Message, MessageReason, Stage};
use crate::model::{Currency, Money, StageState};

/// The reasons of an instance's stages.
pub(super) fn reasons(instance: &Instance, machine: &Machine) -> Vec<MessageReason> {
    let reasons = instance.reasons(machine).into_iter().map(|reason| MessageReason {
        stage: reason.number.map(u32::from),
        channel: reason.channel,
        reason: reason.reason,
        detail: reason.detail,
    });
    reasons.collect()
}

/// A message in memory.
pub(super) fn running(running: &Running, currency: Currency) -> Message {
    message(&running.info, &running.state.instance, &running.attempts, currency)
}

/// A message, from its parts.
pub(super) fn message(info: &Info, instance: &Instance, attempts: &[Attempt], currency: Currency) -> Message {
    let machine = &info.plan.machine;
    let nobody = Personal::default();
    let personal = info.personal.as_ref().unwrap_or(&nobody);
    let clear: &Clear = &info.clear;
    let ended = instance.ended();
    let named = |names: &crate::store::rows::Names| format!("{}@{}", names.name, names.version);
    let stages = instance.views(machine).map(|view| {
        let attempts: Vec<_> =
            attempts.iter().filter(|attempt| attempt.stage == view.id).map(attempt).collect();
        let last = attempts.last().map(|attempt| attempt.provider.clone());
        Stage {
            stage: u32::from(view.number),
            channel: view.channel,
            state: view.state,
            reason: view.reason,
            // Of one that waits for its provider's rate, that provider.
            provider: last.or_else(|| view.provider.filter(|_| view.state != StageState::Pending)),
            started_at: view.started_at,
            attempts,
        }
    });
    Message {
        id: info.id,
        status: instance.status(),
        contact_id: info.contact,
        to: personal.to.clone(),
        template: info.template.as_ref().map(named),
        content: personal.content.clone(),
        vars: personal.vars.clone(),
        policy: info.policy.as_ref().map(named),
        strategy: clear.strategy.clone(),
        channels: clear.channels.clone(),
        fallback_after: clear.fallback_after,
        locale: clear.locale.clone(),
        category: clear.category.clone(),
        priority: info.priority,
        metadata: clear.metadata.clone(),
        send_at: clear.send_at,
        expires_at: info.expires_at,
        created_at: info.created_at,
        ended_at: ended.map(|ended| ended.at.0),
        reached_by: ended.and_then(|ended| ended.reached_by).map(reached_by),
        sends: instance.sends(),
        cost: instance.has_prices().then(|| Money { micros: instance.cost_micros(), currency }),
        reasons: reasons(instance, machine),
        stages: stages.collect(),
    }
}

fn attempt(attempt: &Attempt) -> shapes::Attempt {
    shapes::Attempt {
        id: attempt.id,
        provider: attempt.provider.clone(),
        outcome: attempt.outcome,
        provider_message_id: attempt.provider_message_id.clone(),
        started_at: attempt.at,
        ended_at: attempt.ended_at,
        detail: attempt.detail.clone(),
    }
}

fn reached_by(by: ReachedBy) -> shapes::ReachedBy {
    match by {
        ReachedBy::Channel(channel) => shapes::ReachedBy::Channel(channel),
        ReachedBy::Caller => shapes::ReachedBy::Caller,
    }
}
