//! A scope's rows, as one node reaches them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::sabotage::Sabotage;
use super::schedule::Ask;
use super::tables::{Tables, kind_number};
use super::{Bell, Shared};
use crate::model::{Channel, Id, Instant, ScopeId, kinds};
use crate::store::rows::{
    AddressHash, AuditRow, ClockRow, ConsentRow, ContactRow, DeliveryFilter, DeliveryRow, DueMessage,
    EarlyReceiptRow, EndpointRow, EventFilter, IdempotencyKey, Kept, MessageFilter, ProviderRow,
    ProviderStateRow, QuotaRow, SignalRow, StoredAttempt, StoredEvent, StoredJournal, StoredMessage,
    StoredSignal, SubjectId, UsageRow, VersionKind, VersionName, VersionRow,
};
use crate::store::{
    Answer, Change, Committed, Dropped, Generation, Listed, NodeId, Old, Page, Position, Positioned,
    ScopeRows, StoreError,
};

/// The rows of one scope.
pub(super) struct MemoryScope {
    shared: Arc<Shared>,
    node: NodeId,
    id: ScopeId,
    /// Whether it was asked for anything since the last tidying.
    used: AtomicBool,
    known: Arc<Mutex<Known>>,
}

/// What this node knows without asking.
#[derive(Default)]
struct Known {
    generation: Generation,
    /// What became of a change is unknown: no more are taken.
    failure: Option<StoreError>,
    /// Nor are they once it is closed, those that were handed over and wait for their turn included.
    is_closed: bool,
}

impl MemoryScope {
    pub(super) fn open(shared: Arc<Shared>, node: NodeId, id: ScopeId) -> MemoryScope {
        let (newest, generation) = {
            let mut rows = shared.rows();
            let tables = rows.scopes.entry(id).or_default();
            (tables.heads.event, tables.generation.get(&()).copied().unwrap_or_default())
        };
        shared.bells().events.insert((node, id), Bell { known: newest, listeners: Vec::new() });
        let known = Arc::new(Mutex::new(Known { generation, failure: None, is_closed: false }));
        MemoryScope { shared, node, id, used: AtomicBool::new(true), known }
    }

    /// Whether it was used since this was last asked.
    pub(super) fn take_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }

    /// Takes no change any more.
    pub(super) fn close(&self) {
        self.known().is_closed = true;
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T: Send + 'static>(&self, work: impl FnOnce(&Tables) -> T + Send + 'static) -> Answer<'_, T> {
        self.used.store(true, Ordering::Relaxed);
        let id = self.id;
        self.shared
            .ask(self.node, Ask::Read, move |shared| Ok(work(shared.rows().scopes.entry(id).or_default())))
    }
}

impl Tables {
    /// Signals for a node: of messages that it owns, and of those of which nothing is still to be done.
    pub(super) fn signals_of(&self, node: NodeId) -> impl Iterator<Item = (Position, &SignalRow)> {
        self.signals
            .iter()
            .map(|(n, row)| (*n, row))
            .filter(move |(_, row)| self.runs(row.message).is_none_or(|owner| owner == node))
    }
}

impl ScopeRows for MemoryScope {
    fn commit(&self, change: Change) -> Answer<'_, Committed> {
        self.used.store(true, Ordering::Relaxed);
        Box::pin(async move {
            if let Some(error) = self.known().failure.clone() {
                return Err(error);
            }
            let (node, id, known) = (self.node, self.id, Arc::clone(&self.known));
            let raises = !change.versions.is_empty()
                || !change.providers.is_empty()
                || !change.quotas.is_empty()
                || !change.contacts.is_empty()
                || !change.consents.is_empty()
                || !change.erased.is_empty()
                || change.clock.is_some();
            let open = Arc::clone(&known);
            let committed = self.shared.ask(node, Ask::Commit, move |shared| {
                if open.lock().unwrap_or_else(PoisonError::into_inner).is_closed {
                    return Err(StoreError::Closing);
                }
                let committed = shared.commit(node, id, change)?;
                let generation = shared.rows().scopes.get(&id).and_then(|it| it.generation.get(&()).copied());
                Ok((committed, generation.unwrap_or_default()))
            });
            match committed.await {
                Ok((committed, generation)) => {
                    if raises {
                        known.lock().unwrap_or_else(PoisonError::into_inner).generation = generation;
                    }
                    Ok(committed)
                }
                Err(error) => {
                    if matches!(error, StoreError::Failed { .. }) {
                        self.known().failure = Some(error.clone());
                    }
                    Err(error)
                }
            }
        })
    }

    fn newest_event(&self) -> watch::Receiver<Position> {
        self.shared.bells().events.entry((self.node, self.id)).or_default().listen()
    }

    fn has_failed(&self) -> bool {
        self.known().failure.is_some()
    }

    fn merge_lookups(&self) -> Answer<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn idempotency(&self, key: IdempotencyKey) -> Answer<'_, Option<Kept>> {
        self.read(move |tables| tables.kept.get(&key).cloned())
    }

    fn largest_id(&self) -> Answer<'_, u128> {
        self.read(|tables| tables.largest_id)
    }

    fn message(&self, id: Id<kinds::Message>) -> Answer<'_, Option<StoredMessage>> {
        self.read(move |tables| tables.message(id))
    }

    fn message_at(&self, n: Position) -> Answer<'_, Option<StoredMessage>> {
        self.read(move |tables| tables.message_at(n))
    }

    fn first_body(&self, id: Id<kinds::Message>) -> Answer<'_, Option<Vec<u8>>> {
        self.read(move |tables| tables.first_body(id))
    }

    fn messages(&self, filter: MessageFilter, page: Page) -> Answer<'_, Listed<StoredMessage>> {
        self.read(move |tables| tables.page_of_messages(&filter, page))
    }

    fn due(
        &self,
        until: Instant,
        after: Option<(Instant, Position)>,
        limit: u32,
    ) -> Answer<'_, Vec<DueMessage>> {
        let node = self.node;
        self.read(move |tables| tables.due(Some(node), until, after, limit))
    }

    fn due_anywhere(
        &self,
        until: Instant,
        after: Option<(Instant, Position)>,
        limit: u32,
    ) -> Answer<'_, Vec<DueMessage>> {
        self.read(move |tables| tables.due(None, until, after, limit))
    }

    fn live(&self, after: Position, limit: u32) -> Answer<'_, Vec<StoredMessage>> {
        self.read(move |tables| tables.live_after(after, limit))
    }

    fn live_of_contact(&self, contact: Id<kinds::Contact>) -> Answer<'_, Vec<StoredMessage>> {
        self.read(move |tables| tables.live_of_contact(contact))
    }

    fn next_due(&self) -> Answer<'_, Option<Instant>> {
        let node = self.node;
        self.read(move |tables| tables.first_due(Some(node)))
    }

    fn attempts(&self, message: Position) -> Answer<'_, Vec<StoredAttempt>> {
        self.read(move |tables| tables.attempts_where(|n, _| n == message).collect())
    }

    fn unfinished(&self, after: Option<(Position, Position)>, limit: u32) -> Answer<'_, Vec<StoredAttempt>> {
        let node = self.node;
        self.read(move |tables| tables.unfinished(node, after, limit))
    }

    fn attempt(&self, id: Id<kinds::Attempt>) -> Answer<'_, Option<StoredAttempt>> {
        self.read(move |tables| tables.attempts_where(|_, row| row.id == id).next())
    }

    fn attempts_by_provider_id(&self, provider: &str, id: &str) -> Answer<'_, Vec<StoredAttempt>> {
        let (provider, id) = (provider.to_owned(), id.to_owned());
        self.read(move |tables| tables.attempts_by_provider_id(&provider, &id))
    }

    fn attempts_to(
        &self,
        channel: Channel,
        address: AddressHash,
        since: Instant,
        limit: u32,
    ) -> Answer<'_, Vec<StoredAttempt>> {
        self.read(move |tables| tables.attempts_to(channel, address, since, limit))
    }

    fn journal(&self, message: Position, from_seq: u64, limit: u32) -> Answer<'_, Vec<StoredJournal>> {
        self.read(move |tables| tables.journal_of(message, from_seq, limit))
    }

    fn journal_after(&self, after: Position, limit: u32) -> Answer<'_, Vec<StoredJournal>> {
        self.read(move |tables| tables.journal_after(after, limit))
    }

    fn event(&self, id: Id<kinds::Event>) -> Answer<'_, Option<StoredEvent>> {
        self.read(move |tables| tables.event(id))
    }

    fn events(&self, filter: EventFilter, page: Page) -> Answer<'_, Listed<StoredEvent>> {
        self.read(move |tables| tables.page_of_events(&filter, page))
    }

    fn events_after(&self, after: Position, limit: u32) -> Answer<'_, Vec<StoredEvent>> {
        self.read(move |tables| tables.events_after(after, limit))
    }

    fn endpoint(&self, id: Id<kinds::Endpoint>) -> Answer<'_, Option<EndpointRow>> {
        self.read(move |tables| tables.endpoint_row(id))
    }

    fn endpoints(&self, page: Page) -> Answer<'_, Listed<EndpointRow>> {
        self.read(move |tables| tables.page_of_endpoints(page))
    }

    fn delivery(&self, id: Id<kinds::Delivery>) -> Answer<'_, Option<DeliveryRow>> {
        self.read(move |tables| tables.delivery_row(id))
    }

    fn deliveries(&self, filter: DeliveryFilter, page: Page) -> Answer<'_, Listed<DeliveryRow>> {
        self.read(move |tables| tables.page_of_deliveries(&filter, page))
    }

    fn deliveries_due(
        &self,
        endpoint: Option<Id<kinds::Endpoint>>,
        until: Instant,
        limit: u32,
    ) -> Answer<'_, Vec<DeliveryRow>> {
        self.read(move |tables| tables.deliveries_due(endpoint, until, limit))
    }

    fn next_try(&self, endpoint: Option<Id<kinds::Endpoint>>) -> Answer<'_, Option<Instant>> {
        self.read(move |tables| tables.pending(endpoint).map(|(at, _)| at).min())
    }

    fn contact(&self, id: Id<kinds::Contact>) -> Answer<'_, Option<ContactRow>> {
        self.read(move |tables| tables.contacts.values().find(|row| row.id == id).cloned())
    }

    fn contacts(&self, external_id: Option<&str>, page: Page) -> Answer<'_, Listed<ContactRow>> {
        let external_id = external_id.map(str::to_owned);
        self.read(move |tables| tables.page_of_contacts(external_id.as_deref(), page))
    }

    fn consents(&self, addresses: &[(Channel, AddressHash)]) -> Answer<'_, Vec<ConsentRow>> {
        let addresses = addresses.to_vec();
        self.read(move |tables| tables.consents_of(&addresses))
    }

    fn version(&self, kind: VersionKind, name: &str, version: Option<u32>) -> Answer<'_, Option<VersionRow>> {
        let name = name.to_owned();
        self.read(move |tables| tables.version_row(kind, &name, version))
    }

    fn version_name(&self, kind: VersionKind, name: &str) -> Answer<'_, Option<VersionName>> {
        let key = (kind_number(kind), name.to_owned());
        self.read(move |tables| tables.version_names.get(&key).cloned())
    }

    fn versions(&self, kind: VersionKind, name: &str, page: Page) -> Answer<'_, Listed<VersionRow>> {
        let name = name.to_owned();
        self.read(move |tables| tables.page_of_versions(kind, &name, page))
    }

    fn newest_versions(&self, kind: VersionKind, page: Page) -> Answer<'_, Listed<VersionRow>> {
        self.read(move |tables| tables.page_of_newest(kind, page))
    }

    fn provider(&self, name: &str) -> Answer<'_, Option<ProviderRow>> {
        let name = name.to_owned();
        self.read(move |tables| tables.providers.values().find(|row| row.name == name).cloned())
    }

    fn provider_by_id(&self, id: Id<kinds::Provider>) -> Answer<'_, Option<ProviderRow>> {
        self.read(move |tables| tables.providers.values().find(|row| row.id == id).cloned())
    }

    fn providers(&self, page: Page) -> Answer<'_, Listed<ProviderRow>> {
        self.read(move |tables| tables.page_of_providers(page))
    }

    fn provider_states(&self) -> Answer<'_, Vec<ProviderStateRow>> {
        self.read(|tables| tables.provider_states.values().cloned().collect())
    }

    fn quotas(&self) -> Answer<'_, Vec<QuotaRow>> {
        self.read(|tables| tables.quotas.values().cloned().collect())
    }

    fn usage(&self, since: Instant) -> Answer<'_, Vec<UsageRow>> {
        self.read(move |tables| tables.usage_since(since))
    }

    fn clock(&self) -> Answer<'_, ClockRow> {
        self.read(|tables| tables.clock.get(&()).copied().unwrap_or_default())
    }

    fn early_receipts(&self, provider: &str, id: &str) -> Answer<'_, Vec<EarlyReceiptRow>> {
        let (provider, id) = (provider.to_owned(), id.to_owned());
        self.read(move |tables| tables.early_of(&provider, &id))
    }

    fn audit(&self, page: Page) -> Answer<'_, Listed<AuditRow>> {
        self.read(move |tables| tables.page_of_audit(page))
    }

    fn audit_after(&self, after: Position, limit: u32) -> Answer<'_, Vec<Positioned<AuditRow>>> {
        self.read(move |tables| {
            let rows = tables.audit.range(after.saturating_add(1)..).take(limit as usize);
            rows.map(|(n, row)| Positioned { n: *n, row: row.clone() }).collect()
        })
    }

    fn generation(&self) -> Generation {
        self.known().generation
    }

    fn read_generation(&self) -> Answer<'_, Generation> {
        let known = Arc::clone(&self.known);
        let read = self.read(|tables| tables.generation.get(&()).copied().unwrap_or_default());
        Box::pin(async move {
            let stands = read.await?;
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            known.generation.settings = known.generation.settings.max(stands.settings);
            known.generation.people = known.generation.people.max(stands.people);
            Ok(known.generation)
        })
    }

    fn adopt(&self, limit: u32) -> Answer<'_, Vec<StoredMessage>> {
        if !self.shared.is_shared {
            return Box::pin(std::future::ready(Ok(Vec::new())));
        }
        let (node, id) = (self.node, self.id);
        self.shared.ask(node, Ask::Adoption, move |shared| {
            let (now, forgets) = (shared.schedule.now(), shared.sabotage == Some(Sabotage::ForgetsTheLease));
            let mut rows = shared.rows();
            rows.check_lease(node, now)?;
            let gone = |owner| owner != node && (forgets || rows.is_gone(owner, now));
            let Some(tables) = rows.scopes.get(&id) else { return Ok(Vec::new()) };
            let under_way = tables.live.keys().chain(tables.unsettled.keys());
            let orphans = under_way.filter(|n| tables.runs(**n).is_some_and(&gone)).take(limit as usize);
            let orphans: Vec<Position> = orphans.copied().collect();
            let Some(tables) = rows.scopes.get_mut(&id) else { return Ok(Vec::new()) };
            for n in &orphans {
                let Tables { live, ended, .. } = tables;
                if let Some(row) = live.get_mut(n).or_else(|| ended.get_mut(n)) {
                    row.owner = node;
                    row.version += u32::from(!forgets);
                }
            }
            Ok(orphans.iter().filter_map(|n| tables.message_at(*n)).collect())
        })
    }

    fn signals(&self, after: Position, limit: u32) -> Answer<'_, Vec<StoredSignal>> {
        let node = self.node;
        self.read(move |tables| {
            let own = tables.signals_of(node).filter(|(n, _)| *n > after).take(limit as usize);
            own.filter_map(|(n, row)| {
                let message_id = tables.messages.get(&row.message)?.id;
                Some(StoredSignal { n, message_id, row: row.clone() })
            })
            .collect()
        })
    }

    fn signal_waits(&self, n: Position) -> Answer<'_, bool> {
        self.read(move |tables| tables.signals.contains_key(&n))
    }

    fn claim(&self, name: &str) -> Answer<'_, bool> {
        if !self.shared.is_shared {
            return Box::pin(std::future::ready(Ok(true)));
        }
        let (node, id, name) = (self.node, self.id, name.to_owned());
        self.shared.ask(node, Ask::Duty, move |shared| {
            let now = shared.schedule.now();
            let mut rows = shared.rows();
            rows.check_lease(node, now)?;
            if shared.sabotage == Some(Sabotage::SharesClaims) {
                return Ok(true);
            }
            let holder = rows.scopes.get(&id).and_then(|tables| tables.claims.get(&name).copied());
            let free = holder.is_none_or(|holder| holder == node || rows.is_gone(holder, now));
            if free && let Some(tables) = rows.scopes.get_mut(&id) {
                tables.claims.insert(name, node);
            }
            Ok(free)
        })
    }

    fn unclaim(&self, name: &str) -> Answer<'_, ()> {
        let (node, id, name) = (self.node, self.id, name.to_owned());
        self.shared.ask(node, Ask::Duty, move |shared| {
            let was_ours = shared.rows().scopes.get_mut(&id).is_some_and(|tables| {
                tables.claims.get(&name) == Some(&node) && tables.claims.remove(&name).is_some()
            });
            // Whoever waits for it looks again.
            if was_ours {
                let others: Vec<NodeId> =
                    shared.bells().nodes.keys().copied().filter(|n| *n != node).collect();
                others.into_iter().for_each(|other| shared.ring(other, None));
            }
            Ok(())
        })
    }

    fn drop_old(&self, what: Old, limit: u32) -> Answer<'_, Dropped> {
        let (node, id) = (self.node, self.id);
        self.shared.ask(node, Ask::Duty, move |shared| {
            let now = shared.schedule.now();
            let mut rows = shared.rows();
            rows.check_lease(node, now)?;
            Ok(rows.scopes.get_mut(&id).map(|tables| tables.drop_old(what, limit)).unwrap_or_default())
        })
    }

    fn dropped_with_journal(&self, after: Position, limit: u32) -> Answer<'_, Vec<Position>> {
        self.read(move |tables| tables.dropped_with_journal(after, limit))
    }

    fn subjects(&self, ids: &[SubjectId]) -> Answer<'_, Vec<(SubjectId, Vec<u8>)>> {
        let ids = ids.to_vec();
        self.read(move |tables| {
            ids.iter().filter_map(|id| Some((*id, tables.subjects.get(id)?.clone()))).collect()
        })
    }
}
