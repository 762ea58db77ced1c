//! One scope's share of the engine: what it holds in memory, and how it is read back.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedMutexGuard, RwLock};

use super::clock::Clocks;
use super::front::Refusal;
use super::ids::RisingIds;
use super::policies::Policies;
use super::providers::Providers;
use super::quota::Quotas;
use super::records::{ContactRecord, ProviderRecord};
use super::running::{Running, Slot};
use super::settings::Settings;
use super::templates::Templates;
use crate::model::{Channel, Clock, Environment, Id, Instant, ScopeId, Span, kinds};
use crate::providers::outbound::Outbound;
use crate::providers::{self, Opened};
use crate::store::rows::{AddressHash, EventRow, UsageWindow};
use crate::store::seal::Scope;
use crate::store::{Page, PageStart, Store, StoreError};

/// What all scopes share.
pub(super) struct Context {
    pub(super) store: Arc<dyn Store>,
    pub(super) clocks: Arc<Clocks>,
    pub(super) ids: Arc<RisingIds>,
    pub(super) outbound: Outbound,
    pub(super) settings: Settings,
    /// No more is taken in, and nothing new is begun.
    pub(super) stopping: AtomicBool,
    /// Changes and calls under way, in all scopes.
    pub(super) under_way: UnderWay,
}

/// Counts what is under way, and lets others wait for its end.
#[derive(Default)]
pub(super) struct UnderWay {
    count: AtomicUsize,
    ended: Notify,
}

/// Counted until it is dropped.
pub(super) struct Counted(Arc<Desk>);

impl UnderWay {
    fn begin(&self) {
        self.count.fetch_add(1, Ordering::AcqRel);
    }

    fn end(&self) {
        if self.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.ended.notify_waiters();
        }
    }

    /// Waits until nothing is under way.
    pub(super) async fn none(&self) {
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            if self.count.load(Ordering::Acquire) == 0 {
                return;
            }
            ended.await;
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.under_way.end();
        self.0.context.under_way.end();
    }
}

/// One scope's share.
pub(super) struct Desk {
    pub(super) context: Arc<Context>,
    pub(super) scope: Arc<Scope>,
    /// When it was opened, on the scope's clock.
    pub(super) opened_at: Instant,
    pub(super) policies: Policies,
    pub(super) templates: Templates,
    /// Facts are read and places are taken in one critical section.
    state: Mutex<DeskState>,
    /// Intake shares it; an advance of the test clock has it alone.
    pub(super) gate: RwLock<()>,
    /// How often a contact or a consent has changed.
    pub(super) people: AtomicU64,
    /// Something is due earlier than was known, or a place became free.
    pub(super) wake: Notify,
    pub(super) under_way: UnderWay,
    /// The timers are run by an advance of the test clock.
    pub(super) advancing: AtomicBool,
    /// The scope was let go.
    pub(super) closed: AtomicBool,
    /// How often providers or quotas were changed.
    set_up: AtomicU64,
    /// Up to which of those changes they are in force.
    in_force: AtomicU64,
    /// Held by who brings them in force.
    taking: tokio::sync::Mutex<()>,
}

/// What is held in memory of a scope.
#[derive(Default)]
pub(super) struct DeskState {
    messages: HashMap<Id<kinds::Message>, Entry>,
    timers: BTreeSet<(Instant, Id<kinds::Message>)>,
    /// The earliest that a message in the store, and not in memory, wants to be looked at.
    pub(super) stored_due: Option<Instant>,
    pub(super) providers: Providers,
    pub(super) quotas: Quotas,
    /// Events of the scope that go with the next change: breakers that switched, quotas crossed.
    pub(super) events: Vec<EventRow>,
    /// Providers whose health goes with the next change.
    pub(super) unhealthy: BTreeSet<String>,
    /// Receipts that came before the answer to their send: provider, its id, and when.
    pub(super) early: HashMap<(String, String), Instant>,
    /// Who does not want a channel, as far as it was looked up.
    pub(super) consents: HashMap<(Channel, AddressHash), bool>,
    /// Contacts that were written to lately.
    pub(super) contacts: HashMap<Id<kinds::Contact>, Arc<ContactRecord>>,
}

struct Entry {
    slot: Arc<Slot>,
    due: Option<Instant>,
    touched: Instant,
}

/// How many messages are held in memory for what may come soon.
const HELD_MAX: usize = 20_000;
/// For how long.
const HELD_FOR: Span = Span::from_s(60);
/// After how long a message that could not be read or written is looked at again.
const LOOK_AGAIN: Span = Span::from_s(5);
/// How many consents are held.
const CONSENTS_MAX: usize = 100_000;
/// How many contacts are held.
pub(super) const CONTACTS_MAX: usize = 4_096;
/// How long a receipt waits for the answer to its send.
const EARLY_KEPT: Span = Span::from_s(600);

impl Desk {
    /// Reads what a scope's share needs to know.
    pub(super) async fn open(context: Arc<Context>, scope: Arc<Scope>) -> Result<Arc<Desk>, StoreError> {
        context.ids.raise(scope.largest_id().await?);
        let clock = scope.clock().await?;
        context.clocks.set_ahead(scope.id(), clock.advanced_by_ms);
        let now = context.clocks.scope_now(scope.id());
        let month = super::quota::window(UsageWindow::Month, now).0;
        let quotas = Quotas::load(scope.quotas().await?, scope.usage(month).await?);
        let desk = Arc::new(Desk {
            context,
            opened_at: now,
            policies: Policies::default(),
            templates: Templates::default(),
            state: Mutex::new(DeskState { quotas, ..DeskState::default() }),
            gate: RwLock::new(()),
            people: AtomicU64::new(0),
            wake: Notify::new(),
            under_way: UnderWay::default(),
            advancing: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            set_up: AtomicU64::new(0),
            in_force: AtomicU64::new(0),
            taking: tokio::sync::Mutex::new(()),
            scope,
        });
        desk.read_providers().await?;
        for row in desk.scope.provider_states().await? {
            desk.state().providers.load(&row)?;
        }
        let stored_due = desk.scope.next_due().await?;
        desk.state().stored_due = stored_due;
        Ok(desk)
    }

    pub(super) fn id(&self) -> ScopeId {
        self.scope.id()
    }

    pub(super) fn environment(&self) -> Environment {
        self.scope.row().environment
    }

    /// Now, on the scope's clock.
    pub(super) fn now(&self) -> Instant {
        self.context.clocks.scope_now(self.id())
    }

    pub(super) fn real_now(&self) -> Instant {
        self.context.clocks.real_now()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, DeskState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts something as under way.
    pub(super) fn begin(self: &Arc<Self>) -> Counted {
        self.under_way.begin();
        self.context.under_way.begin();
        Counted(Arc::clone(self))
    }

    /// Reads the providers that the tenant made.
    pub(super) async fn read_providers(&self) -> Result<(), StoreError> {
        let mut start = PageStart::Newest;
        let mut found: BTreeMap<String, ProviderRecord> = BTreeMap::new();
        loop {
            let page = self.scope.providers(Page { start, limit: 100 }).await?;
            for row in &page.rows {
                let record = ProviderRecord::read(&row.row)?;
                found.insert(record.name.clone(), record);
            }
            match page.rows.last() {
                Some(last) if page.has_more => start = PageStart::After(last.n),
                _ => break,
            }
        }
        let mut opened = Vec::new();
        for (name, record) in found {
            let adapter = self.open_provider(&record)?;
            opened.push((name, Arc::new(record), adapter));
        }
        let mut state = self.state();
        let known: Vec<String> = state.providers.names().map(|(name, _)| name.to_owned()).collect();
        for name in known {
            state.providers.put(&name, None, None);
        }
        for (name, record, adapter) in opened {
            state.providers.put(&name, Some(record), adapter);
        }
        Ok(())
    }

    /// The tenant changed a provider or a quota.
    pub(super) fn settings_changed(&self) {
        self.set_up.fetch_add(1, Ordering::AcqRel);
        self.wake.notify_one();
    }

    /// Sees to it that what the tenant changed before this call is in force after it.
    pub(super) async fn take_settings(&self) -> Result<(), StoreError> {
        let in_force = |now| self.in_force.load(Ordering::Acquire) == now;
        if in_force(self.set_up.load(Ordering::Acquire)) {
            return Ok(());
        }
        let _alone = self.taking.lock().await;
        let now = self.set_up.load(Ordering::Acquire);
        if !in_force(now) {
            self.read_providers().await?;
            let limits = self.scope.quotas().await?;
            self.state().quotas.set_limits(limits);
            self.in_force.store(now, Ordering::Release);
        }
        Ok(())
    }

    /// A provider ready for calls; under a test key none is ever called.
    fn open_provider(&self, record: &ProviderRecord) -> Result<Option<Opened>, StoreError> {
        if self.environment() == Environment::Test {
            return Ok(Some(Opened::Scripted));
        }
        let Some(kind) = providers::kind(&record.kind) else { return Ok(None) };
        let credentials = record.credentials(&self.scope)?;
        match kind.open(&record.settings, &credentials) {
            Ok(opened) => Ok(Some(opened)),
            Err(_) => {
                tracing::error!(scope = %self.id(), provider = record.name, "a provider's settings are not usable");
                Ok(None)
            }
        }
    }

    /// The address to which a provider sends its receipts.
    pub(super) fn callback_url(&self, provider: Id<kinds::Provider>) -> String {
        format!("{}/notifications/v1/callbacks/{provider}", self.context.settings.public_url)
    }

    /// Takes the lock of a message, reading it back where it is not in memory.
    pub(super) async fn enter(
        self: &Arc<Self>,
        id: Id<kinds::Message>,
    ) -> Result<OwnedMutexGuard<Option<Running>>, Refusal> {
        loop {
            let slot = self.slot(id);
            let mut held = slot.lock().await;
            if slot.is_gone() {
                continue;
            }
            if held.is_none() {
                match self.load(id).await {
                    Ok(Some(running)) => *held = Some(running),
                    Ok(None) => {
                        self.remove(id, &slot);
                        return Err(Refusal::NotFound);
                    }
                    Err(error) => {
                        self.remove(id, &slot);
                        return Err(error.into());
                    }
                }
            }
            return Ok(held);
        }
    }

    fn slot(&self, id: Id<kinds::Message>) -> Arc<Slot> {
        let touched = self.real_now();
        let mut state = self.state();
        let entry = state.messages.entry(id).or_insert_with(|| Entry {
            slot: Arc::new(Slot::new(None)),
            due: None,
            touched,
        });
        entry.touched = touched;
        Arc::clone(&entry.slot)
    }

    /// Makes a place for a message that is being accepted, locked until its change is durable.
    pub(super) fn make_slot(&self, id: Id<kinds::Message>) -> Option<OwnedMutexGuard<Option<Running>>> {
        self.slot(id).try_lock()
    }

    /// Takes a message out of memory.
    fn remove(&self, id: Id<kinds::Message>, slot: &Slot) {
        slot.set_gone();
        let mut state = self.state();
        if let Some(entry) = state.messages.remove(&id)
            && let Some(due) = entry.due
        {
            state.timers.remove(&(due, id));
        }
    }

    /// Takes a message whose change came to nothing out of memory; its lock is still held.
    pub(super) fn forget(&self, id: Id<kinds::Message>) {
        let slot = self.state().messages.get(&id).map(|entry| Arc::clone(&entry.slot));
        if let Some(slot) = slot {
            self.remove(id, &slot);
        }
        self.state().providers.forget(id);
    }

    /// A message that left memory without a settled state is looked at again in the store, a little
    /// later.
    pub(super) fn look_again(&self, id: Id<kinds::Message>) {
        let at = self.now().plus(LOOK_AGAIN);
        let mut state = self.state();
        if !state.holds(id) {
            state.leave(Some(at), &self.wake);
        }
    }

    /// After a change: remembers when the message is due, or lets it go from memory. Its lock is
    /// still held.
    pub(super) fn settle(&self, id: Id<kinds::Message>, running: &Running) {
        let (now, due) = (self.now(), running.due());
        let ended = running.state.instance.ended().is_some();
        let queued = running.state.instance.queued().next().is_some();
        let soon = due.is_some_and(|due| due <= now.plus(HELD_FOR));
        let mut state = self.state();
        let crowded = state.messages.len() > HELD_MAX;
        let keep = running.is_busy() || queued || (!ended && (soon || !crowded));
        let before = state.messages.get(&id).and_then(|entry| entry.due);
        if let Some(before) = before {
            state.timers.remove(&(before, id));
        }
        if keep {
            if let Some(entry) = state.messages.get_mut(&id) {
                entry.due = due;
            }
            if let Some(due) = due {
                let first = state.timers.first().is_none_or(|(first, _)| due < *first);
                state.timers.insert((due, id));
                if first {
                    self.wake.notify_one();
                }
            }
        } else {
            if let Some(entry) = state.messages.remove(&id) {
                entry.slot.set_gone();
            }
            state.leave(due.filter(|_| !ended), &self.wake);
        }
    }

    /// Lets messages go from memory that nothing has touched for a while.
    pub(super) fn sweep(&self) {
        let (now, real_now) = (self.now(), self.real_now());
        let idle: Vec<_> = {
            let state = self.state();
            let idle = state.messages.iter().filter(|(_, entry)| {
                real_now.since(entry.touched) >= HELD_FOR
                    && entry.due.is_none_or(|due| due > now.plus(HELD_FOR))
            });
            idle.map(|(id, entry)| (*id, Arc::clone(&entry.slot))).collect()
        };
        for (id, slot) in idle {
            let Some(held) = slot.try_lock() else { continue };
            let queued = |running: &Running| running.state.instance.queued().next().is_some();
            if held.as_ref().is_some_and(|running| running.is_busy() || queued(running)) {
                continue;
            }
            let due = held.as_ref().and_then(Running::due);
            self.remove(id, &slot);
            self.state().leave(due, &self.wake);
        }
        let mut state = self.state();
        if state.messages.is_empty() && state.messages.capacity() > 1_024 {
            state.messages = HashMap::new();
        }
        if state.messages.is_empty() {
            state.contacts = HashMap::new();
        }
        state.early.retain(|_, at| real_now.since(*at) < EARLY_KEPT);
        if state.consents.len() > CONSENTS_MAX {
            state.consents = HashMap::new();
        }
    }

    /// How many messages are in memory.
    pub(super) fn held(&self) -> usize {
        self.state().messages.len()
    }

    /// Whether nothing is in memory, and when the scope wants to be looked at next.
    pub(super) fn rest(&self) -> Option<Option<Instant>> {
        // Who looks for what is due has taken note of none of it yet.
        if self.under_way.count.load(Ordering::Acquire) > 0 {
            return None;
        }
        let state = self.state();
        let idle = state.messages.is_empty() && state.events.is_empty() && state.unhealthy.is_empty();
        idle.then_some(state.stored_due)
    }
}

impl DeskState {
    /// A message is left to the store.
    fn leave(&mut self, due: Option<Instant>, wake: &Notify) {
        let Some(due) = due else { return };
        if self.stored_due.is_none_or(|first| due < first) {
            self.stored_due = Some(due);
            wake.notify_one();
        }
    }

    /// The earliest that anything is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.timers.first().map(|(due, _)| *due).into_iter().chain(self.stored_due).min()
    }

    /// The messages in memory that are due by `now`, in order; each is told once.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<(Instant, Id<kinds::Message>)> {
        let mut due = Vec::new();
        while let Some(first) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.remove(&first);
            if let Some(entry) = self.messages.get_mut(&first.1) {
                entry.due = None;
            }
            due.push(first);
        }
        due
    }

    pub(super) fn holds(&self, id: Id<kinds::Message>) -> bool {
        self.messages.contains_key(&id)
    }
}
