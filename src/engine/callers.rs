//! What callers do to messages, and what they are shown.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::decide::Input;
use super::desk::Desk;
use super::doc::read_clear;
use super::drive::{Carried, Extra};
use super::front::{Claim, Refusal, SeqPage, Taken};
use super::journal::{Body, NO_HASH, chained, hex};
use super::records::{sealed_for, unreadable};
use super::running::Running;
use super::show;
use crate::machine::What;
use crate::model::shapes::{Confirm, Message, Transition, TransitionEvent};
use crate::model::{Fault, Id, Instant, kinds};
use crate::store::rows::{KeptAnswer, MessageFilter, StoredMessage, SubjectId};
use crate::store::{Change, Committed, Listed, Page, Positioned, StoreError};

/// How many messages are looked at at once for those of an erased person.
const LIVE_ROWS: u32 = 500;

impl Desk {
    /// Takes a message back.
    pub(super) async fn cancel(
        self: &Arc<Self>,
        id: Id<kinds::Message>,
        claim: Claim,
    ) -> Result<Taken<Vec<u8>>, Refusal> {
        self.by_caller(id, Input::What(What::Canceled), |_| Ok(()), claim).await
    }

    /// Confirms a message on the caller's word.
    pub(super) async fn confirm(
        self: &Arc<Self>,
        id: Id<kinds::Message>,
        what: Confirm,
        claim: Claim,
    ) -> Result<Taken<Vec<u8>>, Refusal> {
        let input = What::ConfirmedByCaller { level: what.goal.into(), channel: what.channel };
        let may = move |running: &Running| match what.channel {
            Some(channel) if !running.state.instance.has_sent_on(&running.info.plan.machine, channel) => {
                let message = "nothing was sent on this channel";
                Err(Refusal::Invalid(vec![Fault::new("/channel", message)]))
            }
            _ => Ok(()),
        };
        self.by_caller(id, Input::What(input), may, claim).await
    }

    async fn by_caller(
        self: &Arc<Self>,
        id: Id<kinds::Message>,
        mut input: Input,
        may: impl FnOnce(&Running) -> Result<(), Refusal> + Send,
        claim: Claim,
    ) -> Result<Taken<Vec<u8>>, Refusal> {
        let _gate = self.gate.read().await;
        let _counted = self.begin();
        let mut held = self.enter(id).await?;
        let Some(running) = held.as_mut() else { return Err(Refusal::NotFound) };
        let allowed =
            if running.state.instance.ended().is_some() { Err(Refusal::MessageEnded) } else { may(running) };
        if let Err(refusal) = allowed {
            self.settle(id, running);
            return Err(refusal);
        }
        let (info, currency) = (Arc::clone(&running.info), self.scope.row().currency);
        let mut body = Vec::new();
        let extra: Extra<'_> = Box::new(|decision, change| {
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
        self.settle(id, running);
        match carried? {
            Carried::Done => Ok(Taken::Done(body)),
            Carried::Replayed(kept) => Ok(Taken::Replayed(kept)),
        }
    }

    /// A message.
    pub(super) async fn show(self: &Arc<Self>, id: Id<kinds::Message>) -> Result<Message, Refusal> {
        let currency = self.scope.row().currency;
        let held = self.enter(id).await?;
        let Some(running) = held.as_ref() else { return Err(Refusal::NotFound) };
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
        let mut after = 0;
        loop {
            let live = self.scope.live(after, LIVE_ROWS).await?;
            let full = live.len() >= usize::try_from(LIVE_ROWS).unwrap_or(usize::MAX);
            for message in live {
                after = message.n;
                let subject = read_clear(&message.row.doc)?.subject();
                if message.row.contact == Some(contact) || change.erased.contains(&subject) {
                    self.drive(message.row.id, Input::What(What::Canceled)).await;
                }
            }
            if !full {
                break;
            }
        }
        self.note_erased(&change.erased).await?;
        let committed = self.commit(change, &mut []).await?;
        self.people_changed();
        Ok(match committed {
            Committed::Applied(_) => Taken::Done(()),
            Committed::Replayed(kept) => Taken::Replayed(kept),
        })
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
