//! Messages are taken in: what they name is found, what they begin with is decided, and both are
//! committed with the answer.

mod answer;
mod resolve;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::Value;
use tokio::sync::OwnedMutexGuard;

use super::callers::TRIES_MAX;
use super::decide::{Before, Decision, Input};
use super::desk::Desk;
use super::doc::{State, body_place, write_doc};
use super::front::{BatchItem, Claim, Refusal, Taken};
use super::records::unreadable;
use super::running::{Info, Running};
use super::show;
use crate::machine::{Beginning, Instance, What};
use crate::model::shapes::{QuotaName, SendMessage};
use crate::model::{Channel, Id, Instant, kinds};
use crate::store::rows::{KeptAnswer, MessageRow};
use crate::store::{Change, Committed, MessageChange, StoreError};

use answer::{Part, assemble};

/// A message that is ready to be committed.
struct Ready {
    info: Arc<Info>,
    decision: Decision,
    held: OwnedMutexGuard<Option<Running>>,
    body: Vec<u8>,
}

impl Desk {
    /// Takes a message in.
    pub(super) async fn send(
        self: &Arc<Self>,
        request: SendMessage,
        claim: Claim,
    ) -> Result<Taken<Vec<u8>>, Refusal> {
        let _gate = self.gate.read().await;
        if !self.context.nodes.is_shared {
            return self.send_once(request, &claim).await;
        }
        for _ in 0..TRIES_MAX {
            self.until_here().await?;
            match self.send_once(request.clone(), &claim).await {
                Err(refusal) if Box::pin(self.was_behind(&refusal)).await? => {}
                done => return done,
            }
        }
        Err(Refusal::Overloaded)
    }

    async fn send_once(
        self: &Arc<Self>,
        request: SendMessage,
        claim: &Claim,
    ) -> Result<Taken<Vec<u8>>, Refusal> {
        let _counted = self.begin();
        if self.context.stopping.load(Ordering::Acquire) {
            return Err(Refusal::ShuttingDown);
        }
        let seen = self.seen();
        let info = self.resolve_surely(request).await?;
        let mut ready = self.prepare_message(info)?;
        let (id, body) = (ready.info.id, ready.body.clone());
        let mut change = Change::keeping(claim.kept(202, KeptAnswer::FirstBody(id)));
        change.seen = seen;
        if let Err(error) = self.put(&mut ready, &mut change) {
            self.withdraw(vec![ready]);
            return Err(error.into());
        }
        match self.commit_all(change, vec![ready]).await? {
            None => Ok(Taken::Done(body)),
            Some(kept) => Ok(Taken::Replayed(kept)),
        }
    }

    /// Whether a refusal may come of memory that other nodes' changes have left behind, which is read
    /// again then.
    async fn was_behind(self: &Arc<Self>, refusal: &Refusal) -> Result<bool, StoreError> {
        match refusal {
            Refusal::Store(error) if self.may_decide_anew(error) => {
                self.read_for(error).await?;
                Ok(true)
            }
            Refusal::Invalid(_) | Refusal::PolicyInvalid(_) | Refusal::QuotaExceeded(_) => {
                self.read_again().await
            }
            _ => Ok(false),
        }
    }

    /// Takes a batch in, in one change. What is refused of it stands in the answer.
    pub(super) async fn send_batch(
        self: &Arc<Self>,
        items: Vec<BatchItem>,
        claim: Claim,
        refuse: &(dyn Fn(Refusal) -> (u16, Value) + Send + Sync),
    ) -> Result<Taken<Vec<u8>>, Refusal> {
        let _gate = self.gate.read().await;
        if !self.context.nodes.is_shared {
            return self.send_batch_once(items, &claim, refuse).await;
        }
        for _ in 0..TRIES_MAX {
            self.until_here().await?;
            match self.send_batch_once(items.clone(), &claim, refuse).await {
                Err(refusal) if Box::pin(self.was_behind(&refusal)).await? => {}
                done => return done,
            }
        }
        Err(Refusal::Overloaded)
    }

    async fn send_batch_once(
        self: &Arc<Self>,
        items: Vec<BatchItem>,
        claim: &Claim,
        refuse: &(dyn Fn(Refusal) -> (u16, Value) + Send + Sync),
    ) -> Result<Taken<Vec<u8>>, Refusal> {
        let _counted = self.begin();
        if self.context.stopping.load(Ordering::Acquire) {
            return Err(Refusal::ShuttingDown);
        }
        let seen = self.seen();
        let (mut ready, mut parts): (Vec<Ready>, Vec<Part>) = (Vec::new(), Vec::new());
        for item in items {
            let refused = match item {
                BatchItem::Refused(status, problem) => (status, problem),
                BatchItem::Send(request) => {
                    let prepared = match self.resolve_surely(*request).await {
                        Ok(info) => self.prepare_message(info),
                        Err(refusal) => Err(refusal),
                    };
                    match prepared {
                        Ok(message) => {
                            parts.push(Part::Message(message.info.id));
                            ready.push(message);
                            continue;
                        }
                        Err(Refusal::Store(error)) => {
                            self.withdraw(ready);
                            return Err(error.into());
                        }
                        Err(refusal) => refuse(refusal),
                    }
                }
            };
            parts.push(Part::Refused(refused.0, refused.1));
        }
        let bodies: HashMap<_, _> = ready.iter().map(|m| (m.info.id, m.body.clone())).collect();
        let body = assemble(&parts, |id| bodies.get(&id).cloned()).ok_or_else(unreadable)?;
        let kept = serde_json::to_vec(&parts.iter().map(Part::kept).collect::<Vec<_>>());
        let kept = kept.map_err(|_| unreadable())?;
        let mut change = Change::keeping(claim.kept(200, KeptAnswer::FirstBodies(kept)));
        change.seen = seen;
        for message in &mut ready {
            if let Err(error) = self.put(message, &mut change) {
                self.withdraw(ready);
                return Err(error.into());
            }
        }
        match self.commit_all(change, ready).await? {
            None => Ok(Taken::Done(body)),
            Some(kept) => Ok(Taken::Replayed(kept)),
        }
    }

    /// Commits what was prepared; the record that stands where its key was known.
    async fn commit_all(
        self: &Arc<Self>,
        change: Change,
        ready: Vec<Ready>,
    ) -> Result<Option<Box<crate::store::rows::Kept>>, StoreError> {
        let (mut decisions, mut held) = (Vec::new(), Vec::new());
        for message in ready {
            decisions.push(message.decision);
            held.push((message.info, message.held));
        }
        crash_point!("intake.before-commit");
        let committed = self.commit(change, &mut decisions).await;
        crash_point!("intake.after-commit");
        let applied = match committed {
            Ok(Committed::Applied(applied)) => applied,
            other => {
                for (info, guard) in held {
                    self.forget(info.id);
                    drop(guard);
                }
                return match other {
                    Ok(Committed::Replayed(kept)) => Ok(Some(kept)),
                    Ok(Committed::Applied(_)) => Ok(None),
                    Err(error) => Err(error),
                };
            }
        };
        for (((info, mut guard), decision), n) in held.into_iter().zip(decisions).zip(applied.messages) {
            let id = info.id;
            let state = decision.state.clone();
            let mut running = Running {
                n,
                version: 1,
                owner: self.context.nodes.me,
                info,
                state,
                attempts: Vec::new(),
                said: Vec::new(),
                counts: HashMap::new(),
            };
            self.applied(&mut running, decision);
            let due = running.due().is_some_and(|due| due <= self.now());
            self.settle(id, &running);
            *guard = Some(running);
            drop(guard);
            // The timers have it too: whoever is first drives it, and nobody reads it back because it
            // was driven already.
            if due && self.state().take_timer(id) {
                self.spawn_drive(id, Input::Due);
            }
        }
        Ok(None)
    }

    /// Gives back what messages took that are not committed.
    fn withdraw(&self, ready: Vec<Ready>) {
        for mut message in ready {
            self.undo(&mut message.decision);
            self.forget(message.info.id);
        }
    }

    /// Puts the rows of a message into a change.
    fn put(&self, ready: &mut Ready, change: &mut Change) -> Result<(), StoreError> {
        let info = Arc::clone(&ready.info);
        let (Some(key), Some(personal)) = (&info.key, &info.personal) else { return Err(StoreError::Sealed) };
        let mut channels: Vec<Channel> = info.plan.machine.channel_stages().map(|(_, c)| c.channel).collect();
        channels.sort_unstable();
        channels.dedup();
        let row = MessageRow {
            id: info.id,
            created_at: info.created_at,
            expires_at: info.expires_at,
            contact: info.contact,
            template: info.template.clone(),
            policy: info.policy.clone(),
            priority: info.priority,
            channels,
            doc: write_doc(&self.scope, key, info.id, &info.clear, personal)?,
            first_body: self.scope.seal(key, &body_place(info.id), &ready.body)?,
        };
        key.keep_in(change);
        let step = ready.decision.message_step(&info, None, false, Some(Box::new(row)))?;
        if let Some(step) = step {
            let mut part = MessageChange::new(step);
            ready.decision.fill(&mut part);
            change.messages.push(part);
        }
        Ok(())
    }

    /// Finds what a request names, and what is to be made sure of before it is decided.
    async fn resolve_surely(self: &Arc<Self>, request: SendMessage) -> Result<Info, Refusal> {
        let info = self.resolve(request).await?;
        self.make_sure(&info, true).await?;
        Ok(info)
    }

    /// Takes a place in the quota of messages, which the decision turns into a use; or says when the
    /// window ends in which there is none.
    fn take_quota(&self, now: Instant) -> Option<Instant> {
        let mut state = self.state();
        let used_up = state.quotas.used_up(QuotaName::Messages, now, 0);
        if used_up.is_none() {
            state.quotas.begin(QuotaName::Messages);
        }
        used_up
    }

    /// Decides how a message begins.
    fn prepare_message(self: &Arc<Self>, info: Info) -> Result<Ready, Refusal> {
        let now = info.created_at;
        let info = Arc::new(info);
        let beginning = Beginning {
            policy: info.plan.name.clone(),
            accepted_at: now,
            start_at: info.clear.send_at.map_or(now, |at| at.max(now)),
            expires_at: info.expires_at,
            seed: seed(info.id),
        };
        let state = State::new(Instance::new(&info.plan.machine, beginning.clone()));
        let held = self.make_slot(info.id).ok_or(Refusal::Overloaded)?;
        if let Some(end) = self.take_quota(now) {
            self.forget(info.id);
            return Err(Refusal::QuotaExceeded(super::quota::wait(now, end)));
        }
        let before = Before {
            info: &info,
            state,
            attempts: Vec::new(),
            said: Vec::new(),
            counts: HashMap::new(),
            beginning: Some(beginning),
        };
        let decided = self.decide(before, &mut [Input::What(What::Accepted)], now);
        let mut decision = match decided {
            Ok(decision) => decision,
            Err(error) => {
                self.forget(info.id);
                return Err(error.into());
            }
        };
        let currency = self.scope.row().currency;
        let message = show::message(&info, decision.instance(), &decision.attempts, currency);
        match serde_json::to_vec(&message) {
            Ok(body) => Ok(Ready { info, decision, held, body }),
            Err(_) => {
                self.undo(&mut decision);
                self.forget(info.id);
                Err(unreadable().into())
            }
        }
    }
}

/// What a message's jitter is derived from: never 0, which stands for none.
fn seed(id: Id<kinds::Message>) -> u64 {
    let number = id.as_u128();
    #[expect(clippy::cast_possible_truncation, reason = "both halves of the number are used")]
    let folded = (number >> 64) as u64 ^ number as u64;
    folded | 1
}
