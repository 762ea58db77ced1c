//! The engine as the REST surface sees it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use reqwest::header::HeaderMap;
use serde_json::Value;

use super::front::{BatchItem, Changed, Claim, Front, Going, ProviderKind, Refusal, SeqPage, Taken};
use super::hub::{Engine, Open};
use super::tell::read_event;
use crate::model::shapes::{Breaker, Confirm, Event, Message, SendMessage, TestClock, TestReply, Transition};
use crate::model::{Clock as _, Fault, Id, ScopeId, Span, kinds};
use crate::providers::kind;
use crate::store::rows::{EventFilter, KeptAnswer, MessageFilter};
use crate::store::seal::Scope;
use crate::store::{Change, Listed, Page, Positioned, StoreError};

impl Front for Engine {
    fn is_ready(&self) -> bool {
        let failed = |open: &Arc<Open>| open.desk.get().is_some_and(|desk| desk.scope.has_failed());
        !self.context.stopping.load(Ordering::Acquire)
            && self.context.clocks.may_act()
            && !self.context.store.registry().has_failed()
            && !self.desks().values().any(failed)
    }

    fn open(&self, scope: ScopeId) -> Going<'_, Arc<Scope>> {
        let open = self.desks().get(&scope).cloned();
        Box::pin(async move {
            if let Some(desk) = open.as_ref().and_then(|open| open.desk.get()) {
                return Ok(Arc::clone(&desk.scope));
            }
            let scope = self.context.store.scope(scope).await?;
            self.desk(&scope).await?;
            Ok(scope)
        })
    }

    fn send(&self, scope: Arc<Scope>, request: Box<SendMessage>, claim: Claim) -> Going<'_, Taken<Vec<u8>>> {
        Box::pin(async move { self.desk(&scope).await?.send(*request, claim).await })
    }

    fn send_batch<'a>(
        &'a self,
        scope: Arc<Scope>,
        items: Vec<BatchItem>,
        claim: Claim,
        refuse: &'a (dyn Fn(Refusal) -> (u16, Value) + Send + Sync),
    ) -> Going<'a, Taken<Vec<u8>>> {
        Box::pin(async move { self.desk(&scope).await?.send_batch(items, claim, refuse).await })
    }

    fn kept_body(&self, scope: Arc<Scope>, kept: KeptAnswer) -> Going<'_, Option<Vec<u8>>> {
        Box::pin(async move { Ok(self.desk(&scope).await?.kept_body(kept).await?) })
    }

    fn message(&self, scope: Arc<Scope>, id: Id<kinds::Message>) -> Going<'_, Message> {
        Box::pin(async move { self.desk(&scope).await?.show(id).await })
    }

    fn messages(&self, scope: Arc<Scope>, filter: MessageFilter, page: Page) -> Going<'_, Listed<Message>> {
        Box::pin(async move { self.desk(&scope).await?.list(filter, page).await })
    }

    fn cancel(&self, scope: Arc<Scope>, id: Id<kinds::Message>, claim: Claim) -> Going<'_, Taken<Vec<u8>>> {
        Box::pin(async move { self.desk(&scope).await?.cancel(id, claim).await })
    }

    fn confirm(
        &self,
        scope: Arc<Scope>,
        id: Id<kinds::Message>,
        what: Confirm,
        claim: Claim,
    ) -> Going<'_, Taken<Vec<u8>>> {
        Box::pin(async move { self.desk(&scope).await?.confirm(id, what, claim).await })
    }

    fn transitions(
        &self,
        scope: Arc<Scope>,
        id: Id<kinds::Message>,
        page: SeqPage,
    ) -> Going<'_, (Vec<Transition>, bool)> {
        Box::pin(async move { self.desk(&scope).await?.transitions(id, page).await })
    }

    fn event(&self, scope: Arc<Scope>, id: Id<kinds::Event>) -> Going<'_, Event> {
        Box::pin(async move {
            let stored = scope.event(id).await?.ok_or(Refusal::NotFound)?;
            Ok(read_event(&scope, &stored).await?)
        })
    }

    fn events(&self, scope: Arc<Scope>, filter: EventFilter, page: Page) -> Going<'_, Listed<Event>> {
        Box::pin(async move {
            let listed = scope.events(filter, page).await?;
            let mut rows = Vec::with_capacity(listed.rows.len());
            for Positioned { n, row } in &listed.rows {
                rows.push(Positioned { n: *n, row: read_event(&scope, row).await? });
            }
            Ok(Listed { rows, has_more: listed.has_more })
        })
    }

    fn erase(&self, scope: Arc<Scope>, contact: Id<kinds::Contact>, change: Change) -> Going<'_, Taken<()>> {
        Box::pin(async move { self.desk(&scope).await?.erase(contact, change).await })
    }

    fn changed(&self, scope: ScopeId, what: Changed) {
        let open = self.desks().get(&scope).cloned();
        let Some(desk) = open.as_ref().and_then(|open| open.desk.get()).cloned() else { return };
        match what {
            Changed::Contact(_) => desk.people_changed(),
            Changed::Policy(name) => desk.policies.changed(&name),
            Changed::Template(name) => desk.templates.changed(&name),
            Changed::Provider(_) | Changed::Quota => desk.settings_changed(),
        }
    }

    fn breakers(&self, scope: Arc<Scope>) -> Going<'_, BTreeMap<String, Breaker>> {
        Box::pin(async move {
            let desk = self.desk(&scope).await?;
            let (now, state) = (desk.now(), desk.state());
            let shown =
                state.providers.names().map(|(name, p)| (name.to_owned(), p.breaker.shown(name, now)));
            Ok(shown.collect())
        })
    }

    fn reset_breaker(&self, scope: Arc<Scope>, provider: String, change: Change) -> Going<'_, Taken<()>> {
        Box::pin(async move { Ok(self.desk(&scope).await?.reset_breaker(&provider, change).await?) })
    }

    fn usage(&self, scope: Arc<Scope>) -> Going<'_, BTreeMap<String, (u64, u64)>> {
        Box::pin(async move {
            let desk = self.desk(&scope).await?;
            if desk.is_shared() {
                desk.read_usage().await?;
            }
            let now = desk.now();
            let usage = desk.state().quotas.usage(now);
            Ok(usage)
        })
    }

    fn test_clock(&self, scope: Arc<Scope>) -> Going<'_, TestClock> {
        Box::pin(async move { self.desk(&scope).await?.test_clock().await })
    }

    fn advance(&self, scope: Arc<Scope>, by: Span, claim: Claim) -> Going<'_, Taken<TestClock>> {
        Box::pin(async move { self.desk(&scope).await?.advance(by, claim).await })
    }

    fn reply(&self, scope: Arc<Scope>, reply: TestReply, claim: Claim) -> Going<'_, Taken<()>> {
        Box::pin(async move { self.desk(&scope).await?.test_reply(reply, claim).await })
    }

    fn callback(&self, provider: Id<kinds::Provider>, headers: HeaderMap, body: Vec<u8>) -> Going<'_, ()> {
        Box::pin(async move {
            let id = self.context.store.registry().provider_scope(provider).await?;
            let id = id.ok_or(Refusal::Unverified)?;
            let scope = self.context.store.scope(id).await?;
            let desk = self.desk(&scope).await?;
            // What follows from a receipt is done also where its sender hangs up.
            let taken = tokio::spawn(async move { desk.callback(provider, &headers, &body).await });
            taken.await.map_err(|_| StoreError::Closing)?
        })
    }

    fn check_url<'a>(&'a self, url: &'a str) -> Going<'a, Option<String>> {
        Box::pin(
            async move { Ok(self.context.outbound.check(url).await.err().map(|error| error.to_string())) },
        )
    }

    fn check_provider<'a>(
        &'a self,
        name: &'a str,
        settings: &'a Value,
        credentials: &'a Value,
    ) -> Going<'a, ProviderKind> {
        Box::pin(async move {
            let Some(found) = kind(name) else {
                let known: Vec<_> = crate::providers::KINDS.iter().map(|kind| kind.name()).collect();
                let message = format!("is not a kind of provider; write one of `{}`", known.join("`, `"));
                return Err(Refusal::Invalid(vec![Fault::new("/kind", message)]));
            };
            let mut faults = found.check(settings, credentials);
            for (pointer, url) in found.urls(settings) {
                if let Some(wrong) = self.check_url(&url).await? {
                    faults.push(Fault::new(pointer, wrong));
                }
            }
            if !faults.is_empty() {
                return Err(Refusal::Invalid(faults));
            }
            let channels = found.channels().to_vec();
            let confirms =
                channels.iter().map(|channel| (*channel, found.confirms(*channel).to_vec())).collect();
            Ok(ProviderKind { channels, confirms })
        })
    }
}
