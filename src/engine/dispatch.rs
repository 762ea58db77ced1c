//! Calls of providers, each beside whatever else goes on, once its intent is durable.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Map, Value};

use super::decide::Input;
use super::desk::{Calling, Desk};
use super::load::contact_values;
use super::running::{Attempt, Info, Running};
use crate::model::{Environment, Outcome};
use crate::providers::{Adapter, Answer, Call};

/// What is asked of a provider about an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// To send, for the first time.
    First,
    /// To send once more under the same key: the answer to the first call never came.
    Again,
    /// What became of it.
    LookUp,
}

impl Desk {
    /// Whether no provider is called any more but for the intents that are durable: the node stops, and
    /// others go on with its messages. What scripts say leaves no process, and is said to the end of what
    /// was begun.
    pub(super) fn calls_nobody(&self) -> bool {
        self.environment() == Environment::Live && self.context.calls_nobody.load(Ordering::Acquire)
    }

    /// Calls the provider of an attempt, or asks it what became of one.
    pub(super) fn dispatch(self: &Arc<Self>, running: &Running, number: u32, how: How) {
        let Some(attempt) = running.attempts.iter().find(|attempt| attempt.number == number).cloned() else {
            return;
        };
        let adapter = self.state().providers.get(&attempt.provider).and_then(|p| p.adapter.clone());
        let (desk, info, counted) = (Arc::clone(self), Arc::clone(&running.info), self.begin());
        let calling = Calling::of(self, attempt.id);
        tokio::spawn(async move {
            if how != How::First && desk.calls_nobody() {
                // It has no outcome, so whoever goes on asks about it, or calls again.
                return;
            }
            let answer = match (desk.prepare(&info, &attempt), adapter) {
                (Ok(call), Some(adapter)) => {
                    if !desk.context.clocks.until_may_act().await {
                        // Others go on with it, and ask what became of a call that was not made.
                        return;
                    }
                    crash_point!("call.before");
                    let answer = desk.call(adapter.as_ref(), &call, how).await;
                    crash_point!("call.after");
                    answer
                }
                // The first call may have been taken, and nobody can be asked any more.
                (_, _) if how != How::First => {
                    let why = "the provider or the address is gone, after a call without an answer";
                    Answer::of(Outcome::InDoubt).because(why)
                }
                // It was deleted after the intent was written: nothing can have been sent by now.
                (Ok(_), None) => Answer::of(Outcome::AccountFault).because("the provider is gone"),
                (Err(refused), _) => refused,
            };
            if answer.outcome == Outcome::InDoubt && desk.calls_nobody() {
                // What is done about it is done by whoever goes on.
                return;
            }
            let taken = answer.provider_message_id.clone();
            desk.drive(info.id, Input::Answer { number, answer: Box::new(answer), counted: false }).await;
            if let Some(id) = taken {
                desk.take_early(info.id, number, &attempt, &id).await;
            }
            drop((calling, counted));
        });
    }

    async fn call(&self, adapter: &dyn Adapter, call: &Call, how: How) -> Answer {
        if how != How::LookUp {
            return adapter.call(&self.context.outbound, call).await;
        }
        let found = adapter.look_up(&self.context.outbound, call).await;
        found.unwrap_or_else(|| Answer::of(Outcome::InDoubt))
    }

    /// What is sent: rendered from what the message and its person are now.
    fn prepare(&self, info: &Info, attempt: &Attempt) -> Result<Call, Answer> {
        let channel = attempt.channel;
        let gone = || Answer::of(Outcome::RecipientFault).because("the address is gone");
        let to = info.addresses.get(channel).ok_or_else(gone)?.to_owned();
        let personal = info.personal.as_ref().ok_or_else(gone)?;
        let (subject, body, html) = if let Some(template) = &info.compiled {
            let vars: Map<String, Value> =
                personal.vars.as_ref().map(|vars| vars.0.clone().into_iter().collect()).unwrap_or_default();
            let contact = info.person.as_deref().map(contact_values);
            let contact = contact.as_ref();
            let rendered = template
                .render(channel, info.locale.as_deref(), &vars, contact)
                .map_err(|error| Answer::of(Outcome::ContentFault).because(error.to_string()))?;
            (rendered.subject, rendered.body, rendered.html)
        } else {
            let content = personal.content.as_ref().and_then(|content| content.get(channel));
            let none =
                || Answer::of(Outcome::ContentFault).because("the message says nothing on this channel");
            let content = content.ok_or_else(none)?;
            (
                content.subject.as_ref().map(|text| text.as_str().to_owned()),
                content.body.as_str().to_owned(),
                content.html.as_ref().map(|text| text.as_str().to_owned()),
            )
        };
        let provider = self.state().providers.get(&attempt.provider).and_then(|p| p.record.clone());
        let metadata = info.clear.metadata.0.iter();
        let metadata = metadata.map(|(name, value)| (name.clone(), Value::String(value.as_str().to_owned())));
        Ok(Call {
            attempt_id: attempt.id,
            message_id: info.id,
            channel,
            to,
            subject,
            body,
            html,
            category: info.clear.category.as_str().to_owned(),
            metadata: metadata.collect(),
            valid_until: attempt.valid_until,
            callback_url: provider.map(|provider| self.callback_url(provider.id)).unwrap_or_default(),
            now: self.real_now(),
        })
    }
}
