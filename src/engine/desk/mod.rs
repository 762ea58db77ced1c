//! One scope's share of the engine: what it holds in memory, and how it is read back.

mod memory;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, RwLock};

pub(super) use memory::Calling;
use memory::Entry;

use super::clock::Clocks;
use super::health::ToldSwitch;
use super::ids::RisingIds;
use super::nodes::{Carrying, Membership};
use super::policies::Policies;
use super::providers::Providers;
use super::quota::Quotas;
use super::records::{ContactRecord, ProviderRecord};
use super::settings::Settings;
use super::sure::Readings;
use super::templates::Templates;
use crate::model::{Channel, Clock, Environment, Id, Instant, ScopeId, Span, kinds};
use crate::providers::outbound::Outbound;
use crate::providers::{self, Opened};
use crate::store::rows::AddressHash;
use crate::store::seal::Scope;
use crate::store::{Generation, Page, PageStart, Peers, Store, StoreError};

/// What all scopes share.
pub(super) struct Context {
    pub(super) store: Arc<dyn Store>,
    pub(super) clocks: Arc<Clocks>,
    pub(super) ids: Arc<RisingIds>,
    pub(super) outbound: Outbound,
    pub(super) settings: Settings,
    /// The other nodes.
    pub(super) peers: Arc<Peers>,
    /// No more is taken in, and nothing new is begun.
    pub(super) stopping: AtomicBool,
    /// No provider is called any more but for the intents that are durable. From the first moment of a stop,
    /// while those who are being answered still get their answer.
    pub(super) calls_nobody: AtomicBool,
    /// Changes and calls under way, in all scopes.
    pub(super) under_way: UnderWay,
    /// This node among others.
    pub(super) nodes: Membership,
    /// The lease was ended, at a stop.
    pub(super) left: AtomicBool,
}

impl Context {
    /// Counts something as under way that belongs to no open scope.
    pub(super) fn begin(self: &Arc<Self>) -> CountedOnce {
        self.under_way.begin();
        CountedOnce(Arc::clone(self))
    }
}

/// Counted until it is dropped.
pub(super) struct CountedOnce(Arc<Context>);

impl Drop for CountedOnce {
    fn drop(&mut self) {
        self.0.under_way.end();
    }
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
    pub(super) taking: tokio::sync::Mutex<()>,
    /// The generation under which memory was filled.
    pub(super) filled_under: Mutex<Generation>,
    /// Another node runs an advance of the test clock.
    pub(super) elsewhere: AtomicBool,
    /// Held by who goes on with an advance that another node began.
    pub(super) finishing: tokio::sync::Mutex<()>,
    /// The duty of running an advance could not be let go.
    pub(super) keeps_duty: AtomicBool,
    /// Held by who takes over messages. Whether some may have been taken over unheard of.
    pub(super) missed: tokio::sync::Mutex<bool>,
    pub(super) carrying: Carrying,
    /// Held by who reads or writes the health of providers.
    pub(super) health: tokio::sync::Mutex<()>,
    pub(super) readings: Readings,
}

/// What is held in memory of a scope.
#[derive(Default)]
pub(super) struct DeskState {
    messages: HashMap<Id<kinds::Message>, Entry>,
    timers: BTreeSet<(Instant, Id<kinds::Message>)>,
    /// Attempts that providers are being asked about, and by how many tasks: the next question may begin
    /// before the one before it has ended.
    calling: HashMap<Id<kinds::Attempt>, u32>,
    /// The earliest that a message in the store, and not in memory, wants to be looked at.
    pub(super) stored_due: Option<Instant>,
    pub(super) providers: Providers,
    pub(super) quotas: Quotas,
    /// Breakers that switched, whose events are to be written.
    pub(super) events: Vec<ToldSwitch>,
    /// Providers whose health is to be written.
    pub(super) unhealthy: BTreeSet<String>,
    /// Receipts that came before the answer to their send: provider, its id, and when.
    pub(super) early: HashMap<(String, String), Instant>,
    /// Who does not want a channel, as far as it was looked up.
    pub(super) consents: HashMap<(Channel, AddressHash), bool>,
    /// Contacts that were written to lately.
    pub(super) contacts: HashMap<Id<kinds::Contact>, Arc<ContactRecord>>,
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
        // Before anything is read: what is changed while this goes on is read again.
        let filled_under = scope.read_generation().await?;
        context.ids.raise(scope.largest_id().await?);
        let clock = scope.clock().await?;
        context.clocks.set_ahead(scope.id(), clock.advanced_by_ms);
        let now = context.clocks.scope_now(scope.id());
        let read_at = context.clocks.real_now();
        let (limits, usage) = (scope.quotas().await?, scope.usage(Quotas::since(now)).await?);
        let quotas = Quotas::load(limits, usage, context.peers.is_shared(), read_at);
        let mut state = DeskState { quotas, ..DeskState::default() };
        state.providers.share_with(&context.peers);
        let desk = Arc::new(Desk {
            context,
            opened_at: now,
            policies: Policies::default(),
            templates: Templates::default(),
            state: Mutex::new(state),
            gate: RwLock::new(()),
            people: AtomicU64::new(0),
            wake: Notify::new(),
            under_way: UnderWay::default(),
            advancing: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            set_up: AtomicU64::new(0),
            in_force: AtomicU64::new(0),
            taking: tokio::sync::Mutex::new(()),
            filled_under: Mutex::new(filled_under),
            elsewhere: AtomicBool::new(false),
            finishing: tokio::sync::Mutex::new(()),
            keeps_duty: AtomicBool::new(false),
            missed: tokio::sync::Mutex::new(false),
            carrying: Carrying::default(),
            health: tokio::sync::Mutex::new(()),
            readings: Readings::default(),
            scope,
        });
        desk.read_providers().await?;
        for row in desk.scope.provider_states().await? {
            desk.state().providers.load(&row, false)?;
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
