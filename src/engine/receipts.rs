//! What comes back: receipts and replies, by a provider's callback or by a tester's hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::header::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::callers::TRIES_MAX;
use super::decide::{Input, LateFailure};
use super::desk::Desk;
use super::doc::{AttemptDoc, ReplyText};
use super::drive::{Carried, Extra};
use super::front::{Claim, Refusal, Taken};
use super::records::{read, write};
use super::running::Attempt;
use super::together::{Item, Reply, Through};
use crate::model::shapes::TestReply;
use crate::model::{Channel, Confirmation, Fault, Id, Ids, Instant, Outcome, Span, canonical, kinds};
use crate::providers::{Callback, CallbackError, Report};
use crate::store::rows::{AddressHash, ConsentRow, EarlyReceiptRow, KeptAnswer, NewAudit, StoredAttempt};
use crate::store::{Change, ConsentChange, StoreError};

/// Among how many of the newest attempts to an address the one is looked for that a reply answers.
const SENDS_LOOKED_AT: u32 = 100;
/// How long after a message a reply to its address belongs to it.
const REPLY_WITHIN: Span = Span::from_s(7 * 86_400);
/// The words by which a person wants a channel no more, and wants it again.
const STOP: [&str; 5] = ["STOP", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"];
const START: &str = "START";

/// A receipt that came before the answer to its send, as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Early {
    level: Option<Confirmation>,
    fault: Option<Outcome>,
    #[serde(default)]
    address_gone: bool,
}

impl Early {
    fn of(report: &Report) -> Early {
        match report {
            Report::Confirmed(level) => Early { level: Some(*level), fault: None, address_gone: false },
            Report::Failed { fault, address_gone, .. } => {
                Early { level: None, fault: *fault, address_gone: *address_gone }
            }
        }
    }

    /// How it comes to the machine, for a send with that id of the provider's.
    fn input(&self, number: u32, sent_as: Option<String>) -> Input {
        let (fault, address_gone) = (self.fault, self.address_gone);
        match self.level {
            Some(level) => Input::Confirmed { number, level, sent_as, reply: None },
            None => {
                let failure = LateFailure { fault, address_gone, sent_as };
                Input::FailedLater { number, failure, counted: false }
            }
        }
    }
}

/// What came in one callback: all of it is written, or nothing.
#[derive(Default)]
struct Came {
    /// For messages; of each in the order in which it came.
    messages: BTreeMap<Id<kinds::Message>, Vec<Item>>,
    /// What people said about channels, to no message.
    consents: Vec<(ConsentRow, NewAudit)>,
    /// Receipts of sends that nobody knows, by the provider's id.
    early: Vec<(String, Early)>,
}

/// How surely a person may have got what was sent: a provider took it, or may have; it is under way; it was
/// refused.
fn taken(attempt: &StoredAttempt) -> u8 {
    match attempt.outcome.as_ref().map(|outcome| outcome.outcome) {
        Some(Outcome::Accepted | Outcome::InDoubt) => 2,
        None => 1,
        Some(_) => 0,
    }
}

impl Desk {
    /// What a provider of this scope sent to its callback address.
    pub(super) async fn callback(
        self: &Arc<Self>,
        provider: Id<kinds::Provider>,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), Refusal> {
        let row = self.scope.provider_by_id(provider).await?.ok_or(Refusal::Unverified)?;
        let adapter = self.state().providers.get(&row.name).and_then(|provider| provider.adapter.clone());
        let adapter = adapter.ok_or(Refusal::Unverified)?;
        let callbacks = adapter.callbacks(headers, body, self.real_now()).map_err(|error| match error {
            CallbackError::Unverified => Refusal::Unverified,
            CallbackError::NotUnderstood(faults) => Refusal::Invalid(faults),
        })?;
        let mut came = Came::default();
        for callback in callbacks {
            self.called_back(&row.name, callback, &mut came).await?;
        }
        self.take_in(&row.name, came).await
    }

    /// Finds out what one item of a callback is about.
    async fn called_back(
        self: &Arc<Self>,
        provider: &str,
        callback: Callback,
        came: &mut Came,
    ) -> Result<(), Refusal> {
        match callback {
            Callback::Receipt { provider_message_id, attempt_id, report, .. } => {
                let found = self.sent(provider, attempt_id, provider_message_id.as_deref()).await?;
                let early = Early::of(&report);
                match (found, provider_message_id) {
                    (Some(attempt), id) => {
                        let input = early.input(number(&attempt)?, id);
                        came.messages.entry(attempt.message_id).or_default().push(Item::Receipt(input));
                    }
                    // Of a send that nobody knows: it may have come before the answer to it.
                    (None, Some(id)) => came.early.push((id, early)),
                    (None, None) => {}
                }
                Ok(())
            }
            Callback::Reply { provider_message_id, attempt_id, from, text } => {
                self.replied(provider, attempt_id, provider_message_id, &from, text, came).await
            }
        }
    }

    /// Writes all that came in one callback, or nothing of it. What it says of messages and of people,
    /// and what is kept for later, stand in one change.
    async fn take_in(self: &Arc<Self>, provider: &str, came: Came) -> Result<(), Refusal> {
        let at = self.real_now();
        let mut early_receipts = Vec::with_capacity(came.early.len());
        for (id, early) in &came.early {
            let (provider, id) = (provider.to_owned(), id.clone());
            let doc = write(early)?;
            early_receipts.push(EarlyReceiptRow { provider, provider_message_id: id, at, doc });
        }
        let beside = || Change {
            consents: came.consents.iter().map(|(row, _)| ConsentChange::Put(row.clone())).collect(),
            audit: came.consents.iter().map(|(_, audit)| audit.clone()).collect(),
            early_receipts: early_receipts.clone(),
            ..Change::default()
        };
        self.change_together(&came.messages, Through::Callback, &beside).await?;
        for (id, _) in &came.early {
            self.state().early.insert((provider.to_owned(), id.clone()), at);
        }
        for (id, early) in came.early {
            // The answer may have been written meanwhile, and have found nothing to take up.
            if let Some(attempt) = self.sent(provider, None, Some(&id)).await? {
                let item = Item::Receipt(early.input(number(&attempt)?, None));
                let messages = BTreeMap::from([(attempt.message_id, vec![item])]);
                self.change_together(&messages, Through::Callback, &Change::default).await?;
            }
        }
        Ok(())
    }

    /// The attempt that a provider speaks of.
    async fn sent(
        &self,
        provider: &str,
        attempt: Option<Id<kinds::Attempt>>,
        id: Option<&str>,
    ) -> Result<Option<StoredAttempt>, StoreError> {
        if let Some(attempt) = attempt
            && let Some(found) = self.scope.attempt(attempt).await?.filter(|a| a.row.provider == provider)
        {
            return Ok(Some(found));
        }
        match id {
            Some(id) => Ok(self.scope.attempts_by_provider_id(provider, id).await?.into_iter().next()),
            None => Ok(None),
        }
    }

    /// Takes up the receipts that came before the answer that gave a send its id.
    pub(super) async fn take_early(
        self: &Arc<Self>,
        message: Id<kinds::Message>,
        number: u32,
        attempt: &Attempt,
        id: &str,
    ) {
        let provider = attempt.provider.as_str();
        let key = (provider.to_owned(), id.to_owned());
        // One that came before the last start, or to another node, is known to the store alone.
        let came_here = self.state().early.remove(&key).is_some();
        if !came_here && attempt.at > self.opened_at && !self.context.nodes.is_shared {
            return;
        }
        let Ok(rows) = self.scope.early_receipts(provider, id).await else { return };
        if rows.is_empty() {
            return;
        }
        for row in rows {
            let Ok(early) = read::<Early>(&row.doc) else { continue };
            self.drive(message, early.input(number, None)).await;
        }
        let taken = Change { early_receipts_taken: vec![key], ..Change::default() };
        if let Err(error) = self.scope.commit(taken).await {
            tracing::debug!(scope = %self.id(), %error, "an early receipt stays until it is too old");
        }
    }

    /// A person wrote back.
    async fn replied(
        self: &Arc<Self>,
        provider: &str,
        attempt: Option<Id<kinds::Attempt>>,
        id: Option<String>,
        from: &str,
        text: String,
        came: &mut Came,
    ) -> Result<(), Refusal> {
        let named = self.sent(provider, attempt, id.as_deref()).await?;
        let by_address = named.is_none();
        let found = match named {
            Some(found) => Some(found),
            None => self.last_to(provider, from, REPLY_WITHIN).await?,
        };
        let Some(found) = found else { return self.opted(provider, from, &text, came).await };
        let address = found.row.address.unwrap_or_else(|| self.scope.address_hash(found.row.channel, from));
        let consent = self.consent_by(found.row.channel, address, &text);
        let (number, text) = (number(&found)?, ReplyText { text, id });
        let item = Item::Reply(Reply { number, text, by_address, consent });
        came.messages.entry(found.message_id).or_default().push(item);
        Ok(())
    }

    /// A reply that belongs to no message: what it says of its channel holds all the same. The channel
    /// is that of the last send to the address; of one that nothing was ever sent to, all that the
    /// provider serves.
    async fn opted(&self, provider: &str, from: &str, text: &str, came: &mut Came) -> Result<(), Refusal> {
        let last = self.last_to(provider, from, Span::MAX).await?.map(|last| last.row.channel);
        let record = self.state().providers.get(provider).and_then(|provider| provider.record.clone());
        let served = record.iter().flat_map(|record| record.channels.iter().copied());
        let channels: Vec<Channel> = last.map_or_else(|| served.collect(), |channel| vec![channel]);
        for channel in channels {
            came.consents.extend(self.consent_by(channel, self.scope.address_hash(channel, from), text));
        }
        Ok(())
    }

    /// The newest send to an address by a provider: one that it took, or may have taken. A call that is
    /// under way is none as long as there is another that the person may have answered.
    async fn last_to(
        &self,
        provider: &str,
        from: &str,
        within: Span,
    ) -> Result<Option<StoredAttempt>, StoreError> {
        let record = self.state().providers.get(provider).and_then(|provider| provider.record.clone());
        let since = Instant::from_ms(self.now().ms().saturating_sub(within.ms()));
        let mut newest: Option<StoredAttempt> = None;
        for channel in record.iter().flat_map(|record| record.channels.iter().copied()) {
            let hash = self.scope.address_hash(channel, from);
            let found = self.scope.attempts_to(channel, hash, since, SENDS_LOOKED_AT).await?;
            newest = newest.into_iter().chain(found).max_by_key(|found| (taken(found), found.row.at));
        }
        Ok(newest)
    }

    /// What a reply says about the channel itself.
    fn consent_by(
        &self,
        channel: Channel,
        address: AddressHash,
        text: &str,
    ) -> Option<(ConsentRow, NewAudit)> {
        let word = text.trim().to_ascii_uppercase();
        let opted_out = match word.as_str() {
            START => false,
            word if STOP.contains(&word) => true,
            _ => return None,
        };
        let at = self.now();
        let row = ConsentRow { channel, address, opted_out, at };
        let what = if opted_out { "consent.opted_out" } else { "consent.opted_in" };
        Some((row, self.audit("system", what, Some(channel.word().to_owned()))))
    }

    /// An entry for the scope's audit.
    pub(super) fn audit(&self, who: &str, what: &str, object_id: Option<String>) -> NewAudit {
        let ids: &dyn Ids = self.context.ids.as_ref();
        let (id, at) = (ids.mint(), self.now());
        let entry = json!({"id": id, "at": at, "who": who, "what": what, "object_id": object_id,
            "request_id": null});
        NewAudit {
            id,
            at,
            who: who.to_owned(),
            what: what.to_owned(),
            object_id,
            request_id: None,
            canonical: canonical(&entry).into_bytes(),
        }
    }

    /// A reply of a person, under a test key.
    pub(super) async fn test_reply(
        self: &Arc<Self>,
        reply: TestReply,
        claim: Claim,
    ) -> Result<Taken<()>, Refusal> {
        let _gate = self.gate.read().await;
        for _ in 0..TRIES_MAX {
            self.until_here().await?;
            let _counted = self.begin();
            match self.test_reply_once(&reply, &claim).await {
                Err(Refusal::Store(error)) if self.may_decide_anew(&error) => self.read_for(&error).await?,
                done => return done,
            }
        }
        Err(Refusal::Overloaded)
    }

    async fn test_reply_once(
        self: &Arc<Self>,
        reply: &TestReply,
        claim: &Claim,
    ) -> Result<Taken<()>, Refusal> {
        let fault = |pointer: &str, message: &str| Refusal::Invalid(vec![Fault::new(pointer, message)]);
        let id = reply.message_id;
        let mut held = self.enter(id).await.map_err(|error| match error {
            Refusal::NotFound => fault("/message_id", "there is no such message"),
            other => other,
        })?;
        let Some(running) = held.as_mut() else { return Err(Refusal::NotFound) };
        let sent = running.attempts.iter().rev().find(|attempt| {
            attempt.channel == reply.channel && running.state.instance.level_of(attempt.number).is_some()
        });
        let Some(number) = sent.map(|attempt| attempt.number) else {
            self.settle(id, running);
            return Err(fault("/channel", "nothing was sent on this channel"));
        };
        let text = ReplyText { text: reply.text.as_str().to_owned(), id: None };
        let address = running.info.addresses.get(reply.channel).map(str::to_owned);
        let address = address.map(|address| self.scope.address_hash(reply.channel, &address));
        let consent = address.and_then(|address| self.consent_by(reply.channel, address, &text.text));
        let changes = consent.is_some();
        let again = running.state.instance.level_of(number) == Some(Confirmation::Replied);
        let mut input = if again {
            Input::Another { number, reply: text }
        } else {
            Input::Confirmed { number, level: Confirmation::Replied, sent_as: None, reply: Some(text) }
        };
        let extra: Extra<'_> = Box::new(move |_, change| {
            change.keep = Some(claim.kept(202, KeptAnswer::Plain(b"{}".to_vec())));
            if let Some((row, audit)) = consent {
                change.consents.push(ConsentChange::Put(row));
                change.audit.push(audit);
            }
            Ok(())
        });
        let carried = self.change(running, std::slice::from_mut(&mut input), Some(extra)).await;
        self.settle_after(id, running, carried.as_ref().err());
        let carried = carried?;
        if changes {
            self.people_changed();
        }
        Ok(match carried {
            Carried::Done => Taken::Done(()),
            Carried::Replayed(kept) => Taken::Replayed(kept),
        })
    }
}

/// The number of an attempt within its message.
fn number(attempt: &StoredAttempt) -> Result<u32, StoreError> {
    Ok(read::<AttemptDoc>(&attempt.row.doc)?.number)
}
