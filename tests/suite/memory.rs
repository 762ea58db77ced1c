//! A scope's events, endpoints and deliveries in memory, with the promises of the store: a change is
//! whole or not at all, and one that expects another version is a conflict. A test can make it fail.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use spine::model::{Channel, Currency, Environment, Id, Instant, ScopeId, kinds};
use spine::store::rows::{
    AddressHash, AuditRow, ClockRow, ConsentRow, ContactRow, DeliveryFilter, DeliveryRow, DeliveryState,
    DueMessage, EarlyReceiptRow, EndpointRow, EventFilter, EventRow, IdempotencyKey, Kept, MessageFilter,
    ProviderRow, ProviderStateRow, QuotaRow, StoredAttempt, StoredEvent, StoredJournal, StoredMessage,
    SubjectId, UsageRow, VersionKind, VersionName, VersionRow,
};
use spine::store::seal::{MasterKey, Scope, ScopeKeys, SystemRandom};
use spine::store::{
    Answer, Applied, Change, Committed, EndpointChange, Listed, Page, PageStart, Position, Positioned, Put,
    ScopeRow, ScopeRows, StoreError,
};
use tokio::sync::watch;

/// What is stored.
#[derive(Default)]
pub(crate) struct Rows {
    pub(crate) events: Vec<EventRow>,
    pub(crate) endpoints: BTreeMap<Id<kinds::Endpoint>, EndpointRow>,
    pub(crate) deliveries: BTreeMap<Id<kinds::Delivery>, DeliveryRow>,
    pub(crate) audit: Vec<String>,
}

impl Rows {
    /// The deliveries of an endpoint, in the order of their making.
    pub(crate) fn of(&self, endpoint: Id<kinds::Endpoint>) -> Vec<&DeliveryRow> {
        self.deliveries.values().filter(|row| row.endpoint == endpoint).collect()
    }

    fn newest(&self) -> Position {
        Position::try_from(self.events.len()).unwrap()
    }

    fn stored(&self, n: Position) -> Option<StoredEvent> {
        let row = self.events.get(usize::try_from(n - 1).ok()?)?.clone();
        Some(StoredEvent { n, message: None, message_id: None, row })
    }

    /// All or nothing.
    fn apply(&mut self, change: &Change) -> Result<(), StoreError> {
        let conflict = |what| Err(StoreError::Conflict { what });
        let expects = |Put { row, expected }: &Put<DeliveryRow>| {
            self.deliveries.get(&row.id).map(|stands| stands.version) == *expected
        };
        if !change.deliveries.iter().all(expects) {
            return conflict("a delivery");
        }
        for each in &change.endpoints {
            let stands = match each {
                EndpointChange::Make(row, limit) => {
                    !self.endpoints.contains_key(&row.id) && self.endpoints.len() < *limit as usize
                }
                EndpointChange::Put(put) => {
                    self.endpoints.get(&put.row.id).map(|row| row.version) == put.expected
                }
                EndpointChange::Delete(id, version) => {
                    self.endpoints.get(id).is_some_and(|row| row.version == *version)
                }
                EndpointChange::Advance(id, _) => self.endpoints.contains_key(id),
                EndpointChange::SettlePending(..) => true,
            };
            if !stands {
                return conflict("an endpoint");
            }
        }
        let newest = self.newest();
        for Put { row, expected } in &change.deliveries {
            let row = DeliveryRow { version: expected.unwrap_or(0) + 1, ..row.clone() };
            self.deliveries.insert(row.id, row);
        }
        for each in &change.endpoints {
            self.apply_endpoint(each, newest);
        }
        self.events.extend(change.events.iter().cloned());
        self.audit.extend(change.audit.iter().map(|entry| entry.what.clone()));
        Ok(())
    }

    fn apply_endpoint(&mut self, change: &EndpointChange, newest: Position) {
        match change {
            EndpointChange::Make(row, _) => {
                let row = EndpointRow { version: 1, position: newest, ..row.clone() };
                self.endpoints.insert(row.id, row);
            }
            EndpointChange::Put(put) => {
                let position = self.endpoints.get(&put.row.id).map_or(newest, |row| row.position);
                let version = put.expected.unwrap_or(0) + 1;
                self.endpoints.insert(put.row.id, EndpointRow { version, position, ..put.row.clone() });
            }
            EndpointChange::Advance(id, to) => {
                if let Some(row) = self.endpoints.get_mut(id) {
                    row.position = row.position.max(*to);
                }
            }
            EndpointChange::SettlePending(id, state) => {
                for row in self.deliveries.values_mut().filter(|row| row.endpoint == *id) {
                    if row.state == DeliveryState::Pending {
                        row.state = *state;
                        row.next_try_at = None;
                        row.version += 1;
                    }
                }
            }
            EndpointChange::Delete(id, _) => {
                self.endpoints.remove(id);
                self.deliveries.retain(|_, row| row.endpoint != *id || row.state != DeliveryState::Pending);
            }
        }
    }
}

/// The rows, and how a test sees and disturbs them.
pub(crate) struct Memory {
    rows: Mutex<Rows>,
    newest: watch::Sender<Position>,
    changes: watch::Sender<u64>,
    failure: Mutex<Option<StoreError>>,
    held: watch::Sender<bool>,
}

impl Memory {
    pub(crate) fn new() -> Arc<Memory> {
        Arc::new(Memory {
            rows: Mutex::default(),
            newest: watch::channel(0).0,
            changes: watch::channel(0).0,
            failure: Mutex::default(),
            held: watch::channel(false).0,
        })
    }

    /// A handle to it, with keys of its own.
    pub(crate) fn scope(self: &Arc<Memory>) -> Arc<Scope> {
        let random = Arc::new(SystemRandom::new());
        let master = MasterKey::from_base64("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").unwrap();
        let id = ScopeId(1);
        let row = ScopeRow {
            id,
            tenant: Id::from_u128(1),
            tenant_name: "acme".into(),
            timezone: "UTC".into(),
            currency: Currency::EUR,
            environment: Environment::Test,
            sealed_key: master.make_scope_key(id, random.as_ref()).unwrap(),
            wake_at: None,
        };
        let keys = ScopeKeys::open(&master, &row, random).unwrap();
        Arc::new(Scope::new(row, Arc::clone(self) as Arc<dyn ScopeRows>, keys))
    }

    fn committed(&self, change: &Change) -> Result<Committed, StoreError> {
        let failure = self.failure.lock().unwrap().clone();
        let done = match failure {
            Some(error) => Err(error),
            None => self.rows().apply(change).map(|()| Committed::Applied(Applied::default())),
        };
        let newest = self.rows().newest();
        self.newest.send_if_modified(|known| std::mem::replace(known, newest) != newest);
        self.changes.send_modify(|times| *times += 1);
        done
    }

    /// No delivery is written before this is asked for again with `false`.
    pub(crate) fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    pub(crate) fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap()
    }

    /// Every commit fails from now on; `None` ends that.
    pub(crate) fn fail(&self, error: Option<StoreError>) {
        *self.failure.lock().unwrap() = error;
    }

    /// Waits until the rows are as wanted, and gives what was found.
    pub(crate) async fn until<T>(&self, mut wanted: impl FnMut(&Rows) -> Option<T>) -> T {
        let mut changes = self.changes.subscribe();
        loop {
            changes.borrow_and_update();
            if let Some(found) = wanted(&self.rows()) {
                return found;
            }
            changes.changed().await.unwrap();
        }
    }

    /// Waits until a commit, also one that fails, was asked for.
    pub(crate) async fn next_commit(&self) {
        self.changes.subscribe().changed().await.unwrap();
    }
}

fn give<'a, T: Send + 'a>(value: T) -> Answer<'a, T> {
    Box::pin(std::future::ready(Ok(value)))
}

fn page_of<T>(mut rows: Vec<Positioned<T>>, page: Page) -> Listed<T> {
    rows.reverse();
    if let PageStart::After(n) = page.start {
        rows.retain(|each| each.n < n);
    }
    let limit = usize::try_from(page.limit).unwrap();
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    Listed { rows, has_more }
}

/// What webhooks never ask for.
macro_rules! closed {
    ($(fn $name:ident($($arg:ident: $ty:ty),*) -> $out:ty;)*) => {
        $(fn $name(&self, $($arg: $ty),*) -> Answer<'_, $out> {
            $(let _ = $arg;)*
            Box::pin(std::future::ready(Err(StoreError::Closing)))
        })*
    };
}

impl ScopeRows for Memory {
    fn commit(&self, change: Change) -> Answer<'_, Committed> {
        if *self.held.borrow() && !change.deliveries.is_empty() {
            let mut held = self.held.subscribe();
            return Box::pin(async move {
                held.wait_for(|held| !held).await.unwrap();
                self.committed(&change)
            });
        }
        Box::pin(std::future::ready(self.committed(&change)))
    }

    fn newest_event(&self) -> watch::Receiver<Position> {
        self.newest.subscribe()
    }

    fn has_failed(&self) -> bool {
        false
    }

    fn event(&self, id: Id<kinds::Event>) -> Answer<'_, Option<StoredEvent>> {
        let rows = self.rows();
        let place = rows.events.iter().position(|row| row.id == id);
        give(place.and_then(|place| rows.stored(Position::try_from(place + 1).unwrap())))
    }

    fn events_after(&self, after: Position, limit: u32) -> Answer<'_, Vec<StoredEvent>> {
        let rows = self.rows();
        let last = rows.newest().min(after + Position::from(limit));
        give((after + 1..=last).filter_map(|n| rows.stored(n)).collect())
    }

    fn endpoint(&self, id: Id<kinds::Endpoint>) -> Answer<'_, Option<EndpointRow>> {
        give(self.rows().endpoints.get(&id).cloned())
    }

    fn endpoints(&self, page: Page) -> Answer<'_, Listed<EndpointRow>> {
        let rows = self.rows();
        let listed = (1..).zip(rows.endpoints.values()).map(|(n, row)| Positioned { n, row: row.clone() });
        give(page_of(listed.collect(), page))
    }

    fn delivery(&self, id: Id<kinds::Delivery>) -> Answer<'_, Option<DeliveryRow>> {
        give(self.rows().deliveries.get(&id).cloned())
    }

    fn deliveries(&self, filter: DeliveryFilter, page: Page) -> Answer<'_, Listed<DeliveryRow>> {
        let rows = self.rows();
        let wanted = rows.deliveries.values().filter(|row| {
            filter.endpoint.is_none_or(|id| row.endpoint == id)
                && filter.state.is_none_or(|state| row.state == state)
                && filter.event_from.is_none_or(|from| row.event_at >= from)
                && filter.event_to.is_none_or(|to| row.event_at < to)
        });
        give(page_of((1..).zip(wanted).map(|(n, row)| Positioned { n, row: row.clone() }).collect(), page))
    }

    fn deliveries_due(
        &self,
        endpoint: Option<Id<kinds::Endpoint>>,
        until: Instant,
        limit: u32,
    ) -> Answer<'_, Vec<DeliveryRow>> {
        let rows = self.rows();
        let pending = rows.deliveries.values().filter(|row| row.state == DeliveryState::Pending);
        let mut due: Vec<DeliveryRow> = pending
            .filter(|row| endpoint.is_none_or(|id| row.endpoint == id))
            .filter(|row| row.next_try_at.is_some_and(|at| at <= until))
            .cloned()
            .collect();
        due.sort_by_key(|row| row.next_try_at);
        due.truncate(usize::try_from(limit).unwrap());
        give(due)
    }

    closed! {
        fn idempotency(_key: IdempotencyKey) -> Option<Kept>;
        fn merge_lookups() -> ();
        fn largest_id() -> u128;
        fn message(_id: Id<kinds::Message>) -> Option<StoredMessage>;
        fn message_at(_n: Position) -> Option<StoredMessage>;
        fn first_body(_id: Id<kinds::Message>) -> Option<Vec<u8>>;
        fn messages(_filter: MessageFilter, _page: Page) -> Listed<StoredMessage>;
        fn due(_until: Instant, _after: Option<(Instant, Position)>, _limit: u32) -> Vec<DueMessage>;
        fn due_anywhere(_until: Instant, _after: Option<(Instant, Position)>, _limit: u32) -> Vec<DueMessage>;
        fn live(_after: Position, _limit: u32) -> Vec<StoredMessage>;
        fn live_of_contact(_contact: Id<kinds::Contact>) -> Vec<StoredMessage>;
        fn next_due() -> Option<Instant>;
        fn attempts(_message: Position) -> Vec<StoredAttempt>;
        fn unfinished(_after: Option<(Position, Position)>, _limit: u32) -> Vec<StoredAttempt>;
        fn attempt(_id: Id<kinds::Attempt>) -> Option<StoredAttempt>;
        fn attempts_by_provider_id(_provider: &str, _id: &str) -> Vec<StoredAttempt>;
        fn attempts_to(_channel: Channel, _to: AddressHash, _since: Instant, _limit: u32) -> Vec<StoredAttempt>;
        fn journal(_message: Position, _from_seq: u64, _limit: u32) -> Vec<StoredJournal>;
        fn journal_after(_after: Position, _limit: u32) -> Vec<StoredJournal>;
        fn events(_filter: EventFilter, _page: Page) -> Listed<StoredEvent>;
        fn next_try(_endpoint: Option<Id<kinds::Endpoint>>) -> Option<Instant>;
        fn contact(_id: Id<kinds::Contact>) -> Option<ContactRow>;
        fn contacts(_external_id: Option<&str>, _page: Page) -> Listed<ContactRow>;
        fn consents(_addresses: &[(Channel, AddressHash)]) -> Vec<ConsentRow>;
        fn version(_kind: VersionKind, _name: &str, _version: Option<u32>) -> Option<VersionRow>;
        fn version_name(_kind: VersionKind, _name: &str) -> Option<VersionName>;
        fn versions(_kind: VersionKind, _name: &str, _page: Page) -> Listed<VersionRow>;
        fn newest_versions(_kind: VersionKind, _page: Page) -> Listed<VersionRow>;
        fn provider(_name: &str) -> Option<ProviderRow>;
        fn provider_by_id(_id: Id<kinds::Provider>) -> Option<ProviderRow>;
        fn providers(_page: Page) -> Listed<ProviderRow>;
        fn provider_states() -> Vec<ProviderStateRow>;
        fn quotas() -> Vec<QuotaRow>;
        fn usage(_since: Instant) -> Vec<UsageRow>;
        fn clock() -> ClockRow;
        fn early_receipts(_provider: &str, _id: &str) -> Vec<EarlyReceiptRow>;
        fn audit(_page: Page) -> Listed<AuditRow>;
        fn audit_after(_after: Position, _limit: u32) -> Vec<Positioned<AuditRow>>;
        fn subjects(_ids: &[SubjectId]) -> Vec<(SubjectId, Vec<u8>)>;
    }
}
