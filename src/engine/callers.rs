//! What callers do to messages, and what they are shown.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::decide::Input;
use super::desk::Desk;
use super::doc::read_clear;
use super::drive::{Carried, Extra};
use super::front::{Claim, Refusal, SeqPage, Taken};
use super::journal::{Body, NO_HASH, chained, hex};
use super::records::{open_answer, sealed_for, unreadable};
use super::running::Running;
use super::show;
use crate::machine::What;
use crate::model::shapes::{Confirm, Message, Transition, TransitionEvent};
use crate::model::{Fault, Id, Instant, kinds};
use crate::store::rows::{Kept, KeptAnswer, MessageFilter, StoredMessage, SubjectId};
use crate::store::{Change, Committed, Listed, Page, Position, Positioned, StoreError};

/// How many messages are looked at at once for those of an erased person.
const LIVE_ROWS: u32 = 500;
/// How often something is decided anew because others changed what it was decided on.
pub(super) const TRIES_MAX: u32 = 16;

impl Desk {
    /// Takes a message back.
    pub(super) async fn cancel(
        self: &Arc<Self>,
        id: Id<kinds::Message>,
        claim: Claim,
    ) -> Result<Taken<Vec<u8>>, Refusal> {
        self.by_caller(id, What::Canceled, claim).await
    }

    /// Confirms a message on the caller's word.
    pub(super) async fn confirm(
        self: &Arc<Self>,
        id: Id<kinds::Message>,
        what: Confirm,
        claim: Claim,
    ) -> Result<Taken<Vec<u8>>, Refusal> {
        let what = What::ConfirmedByCaller { level: what.goal.into(), channel: what.channel };
        self.by_caller(id, what, claim).await
    }

    /// Does what a caller asks for, whichever node owns the message.
    async fn by_caller(
        self: &Arc<Self>,
        id: Id<kinds::Message>,
        what: What,
        claim: Claim,
    ) -> Result<Taken<Vec<u8>>, Refusal> {
        let _gate = self.gate.read().await;
        for _ in 0..TRIES_MAX {
            self.until_here().await?;
            let _counted = self.begin();
            match self.ask_once(id, what, Some(&claim), None).await {
                Ok(Asked::Taken(taken)) => return Ok(taken),
                Ok(Asked::Left(signal)) => {
                    self.until_carried_out(signal).await?;
                    if let Some(kept) = self.scope.idempotency(claim.key).await? {
                        return self.answered(&claim, kept).await;
                    }
                    // Its owner could not: the message says why, when it is looked at again.
                }
                Err(Refusal::Store(error)) if self.may_decide_anew(&error) => {
                    self.read_for(&error).await?;
                }
                Err(refusal) => return Err(refusal),
            }
        }
        Err(Refusal::Overloaded)
    }

    /// The answer that the owner of a message has kept to this very request.
    async fn answered(&self, claim: &Claim, kept: Kept) -> Result<Taken<Vec<u8>>, Refusal> {
        let is_ours = kept.request == claim.request && kept.at == claim.at;
        if is_ours && let Some(body) = open_answer(&self.scope, &kept).await? {
            return Ok(Taken::Done(body));
        }
        Ok(Taken::Replayed(Box::new(kept)))
    }

    /// Does what a caller asked for, once, in one change with the answer under the caller's key, and
    /// with the removal of the signal by which another node passed it on. Where another node has a call
    /// of the message open, that node is told instead.
    pub(super) async fn ask_once(
        self: &Arc<Self>,
        id: Id<kinds::Message>,
        what: What,
        claim: Option<&Claim>,
        signal: Option<Position>,
    ) -> Result<Asked, Refusal> {
        let mut held = self.enter(id).await?;
        let Some(running) = held.as_mut() else { return Err(Refusal::NotFound) };
        let allowed = if running.state.instance.ended().is_some() {
            Err(Refusal::MessageEnded)
        } else {
            may(running, what)
        };
        if let Err(refusal) = allowed {
            self.settle(id, running);
            return Err(refusal);
        }
        let mut input = Input::What(what);
        if !self.may_change(running) {
            let left = match signal {
                Some(signal) => Ok(Some(signal)),
                None => self.leave_word(running, &input, claim).await,
            };
            self.settle(id, running);
            return left?.map(Asked::Left).ok_or(Refusal::Overloaded);
        }
        let (info, currency) = (Arc::clone(&running.info), self.scope.row().currency);
        let mut body = Vec::new();
        let extra: Extra<'_> = Box::new(|decision, change| {
            change.signals_done.extend(signal);
            let Some(claim) = claim else { return Ok(()) };
            let message = show::message(&info, decision.instance(), &decision.attempts, currency);
            body = serde_json::to_vec(&message).map_err(|_| unreadable())?;
            // Sealed as the message itself is: the answer shows the person's data.
            let answer = match &info.key {
                Some(key) => sealed_for(&self.scope, key, claim.key.0, &body)?,
                None => KeptAnswer::Plain(body.clone()),
            };
            change.keep = Some(claim.kept(200, answer));
            Ok(())
        });
        let carried = self.change(running, std::slice::from_mut(&mut input), Some(extra)).await;
        self.settle_after(id, running, carried.as_ref().err());
        Ok(Asked::Taken(match carried? {
            Carried::Done => Taken::Done(body),
            Carried::Replayed(kept) => Taken::Replayed(kept),
        }))
    }

    /// A message. Where others write too, as it is stored: what is in memory may be behind.
    pub(super) async fn show(self: &Arc<Self>, id: Id<kinds::Message>) -> Result<Message, Refusal> {
        if self.context.nodes.is_shared {
            let stored = self.scope.message(id).await?.ok_or(Refusal::NotFound)?;
            return Ok(self.shown(stored).await?);
        }
        let currency = self.scope.row().currency;
        let mut held = self.enter(id).await?;
        let Some(running) = held.as_mut() else { return Err(Refusal::NotFound) };
        // What memory holds of a person who was erased since is not shown.
        self.refresh(running).await?;
        let message = show::running(running, currency);
        self.settle(id, running);
        Ok(message)
    }

    /// A list of messages.
    pub(super) async fn list(
        self: &Arc<Self>,
        filter: MessageFilter,
        page: Page,
    ) -> Result<Listed<Message>, Refusal> {
        let listed = self.scope.messages(filter, page).await?;
        let mut rows = Vec::with_capacity(listed.rows.len());
        for Positioned { n, row } in listed.rows {
            rows.push(Positioned { n, row: self.shown(row).await? });
        }
        Ok(Listed { rows, has_more: listed.has_more })
    }

    async fn shown(self: &Arc<Self>, stored: StoredMessage) -> Result<Message, StoreError> {
        let running = self.view(stored).await?;
        Ok(show::running(&running, self.scope.row().currency))
    }

    /// Transitions of a message, and whether there are more in the direction asked for.
    pub(super) async fn transitions(
        &self,
        id: Id<kinds::Message>,
        page: SeqPage,
    ) -> Result<(Vec<Transition>, bool), Refusal> {
        let stored = self.scope.message(id).await?.ok_or(Refusal::NotFound)?;
        let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
        // A message has at most some hundreds of transitions, in as many rows: all are read, so that
        // the chain is computed from its beginning.
        let (mut all, mut hash, mut from) = (Vec::new(), NO_HASH, 0);
        loop {
            let rows = self.scope.journal(stored.n, from, 1_000).await?;
            let count = rows.len();
            for row in rows {
                from = row.row.seq + u64::from(row.row.count);
                for line in Body::read(&row.row.body)?.transitions {
                    let before = hash;
                    hash = chained(before, &line);
                    all.push(transition(&line, before, hash)?);
                }
            }
            if count < 1_000 {
                break;
            }
        }
        let after = page.after.unwrap_or(0);
        let before = page.before.unwrap_or(u64::MAX);
        all.retain(|t| t.seq > after && t.seq < before);
        let more = all.len() > limit;
        if page.before.is_some() {
            let start = all.len().saturating_sub(limit);
            return Ok((all.split_off(start), more));
        }
        all.truncate(limit);
        Ok((all, more))
    }

    /// Cancels what is on its way to a contact, or to its addresses, and commits the change that
    /// erases it.
    pub(super) async fn erase(
        self: &Arc<Self>,
        contact: Id<kinds::Contact>,
        change: Change,
    ) -> Result<Taken<()>, Refusal> {
        // Nobody is taken in meanwhile: what came after the look at what is on its way would stay on it.
        let _gate = self.gate.write().await;
        let _counted = self.begin();
        let erased = change.erased.clone();
        self.cancel_all(contact, &erased).await?;
        self.note_erased(&change.erased).await?;
        let committed = self.commit(change, &mut []).await?;
        self.people_changed();
        if self.context.nodes.is_shared {
            // Other nodes took messages in until that was durable, and take none in any more.
            self.cancel_all(contact, &erased).await?;
        }
        Ok(match committed {
            Committed::Applied(_) => Taken::Done(()),
            Committed::Replayed(kept) => Taken::Replayed(kept),
        })
    }

    /// Cancels what is on its way to a contact or under these subjects' keys, whichever node owns it.
    ///
    /// # Errors
    /// [`Refusal::Overloaded`] where another node did not come to cancel one in time.
    async fn cancel_all(
        self: &Arc<Self>,
        contact: Id<kinds::Contact>,
        erased: &[SubjectId],
    ) -> Result<(), Refusal> {
        let (mut after, mut left) = (0, Vec::new());
        loop {
            let live = self.scope.live(after, LIVE_ROWS).await?;
            let full = live.len() >= usize::try_from(LIVE_ROWS).unwrap_or(usize::MAX);
            for message in live {
                after = message.n;
                let subject = read_clear(&message.row.doc)?.subject();
                if message.row.contact == Some(contact) || erased.contains(&subject) {
                    left.extend(self.cancel_for_good(message.row.id).await?);
                }
            }
            if !full {
                break;
            }
        }
        for signal in left {
            self.until_carried_out(signal).await?;
        }
        Ok(())
    }

    /// Cancels a message, or leaves word for its owner to do so.
    async fn cancel_for_good(self: &Arc<Self>, id: Id<kinds::Message>) -> Result<Option<Position>, Refusal> {
        if !self.context.nodes.is_shared {
            self.drive(id, Input::What(What::Canceled)).await;
            return Ok(None);
        }
        for _ in 0..TRIES_MAX {
            match self.ask_once(id, What::Canceled, None, None).await {
                Ok(Asked::Left(signal)) => return Ok(Some(signal)),
                Ok(Asked::Taken(_)) | Err(Refusal::MessageEnded | Refusal::NotFound) => return Ok(None),
                Err(Refusal::Store(error)) if self.may_decide_anew(&error) => self.read_for(&error).await?,
                Err(refusal) => return Err(refusal),
            }
        }
        Err(Refusal::Overloaded)
    }

    /// Erased subjects stand in the registry, so that a backup restored later forgets them too.
    async fn note_erased(&self, subjects: &[SubjectId]) -> Result<(), StoreError> {
        let (scope, now) = (self.id(), self.real_now());
        let erased = subjects.iter().map(|subject| (scope, *subject, now)).collect();
        let change = crate::store::RegistryChange { erased, ..Default::default() };
        self.context.store.registry().commit(change).await?;
        Ok(())
    }

    /// A contact or a consent has changed: what is held of people is read again.
    pub(super) fn people_changed(&self) {
        self.people.fetch_add(1, Ordering::AcqRel);
        let mut state = self.state();
        state.consents.clear();
        state.contacts.clear();
    }
}

/// What became of something that a caller asked for.
pub(super) enum Asked {
    Taken(Taken<Vec<u8>>),
    /// The node that has a call of the message open was told, by this signal.
    Left(Position),
}

/// Whether a message that goes on takes what a caller says.
fn may(running: &Running, what: What) -> Result<(), Refusal> {
    match what {
        What::ConfirmedByCaller { channel: Some(channel), .. }
            if !running.state.instance.has_sent_on(&running.info.plan.machine, channel) =>
        {
            let message = "nothing was sent on this channel";
            Err(Refusal::Invalid(vec![Fault::new("/channel", message)]))
        }
        _ => Ok(()),
    }
}

/// A transition as callers see it, from the form that is hashed.
fn transition(line: &str, before: [u8; 32], hash: [u8; 32]) -> Result<Transition, StoreError> {
    #[derive(serde::Deserialize)]
    struct Line {
        seq: u64,
        at: Instant,
        event: String,
        from: Option<String>,
        to: Option<String>,
        stage: Option<u32>,
        channel: Option<crate::model::Channel>,
        provider: Option<String>,
        detail: Option<String>,
        input: Option<String>,
    }
    let Line { seq, at, event, from, to, stage, channel, provider, detail, input } =
        serde_json::from_str(line).map_err(|_| unreadable())?;
    Ok(Transition {
        seq,
        at,
        event: TransitionEvent::new(event),
        from,
        to,
        stage,
        channel,
        provider,
        detail,
        input,
        prev_hash: hex(&before),
        hash: hex(&hash),
    })
}
