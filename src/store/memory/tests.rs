//! The store in memory keeps what every store promises, and loses what it may lose.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::{AtOnce, MemoryNode, MemoryStore, Options, Sabotage, Schedule};
use crate::model::{Span, Status};
use crate::store::conformance::{
    Backend, at, begins, conflicts, conformance, live, newest, retention_conformance, step, tenant, written,
};
use crate::store::rows::{QuotaRow, SignalRow};
use crate::store::seal::{MasterKey, Randomness, Scope};
use crate::store::{Answer, Change, MessageStep, Position, Store, StoreError};

/// Bytes that anybody could guess, never the same twice.
#[derive(Default)]
struct Seeded(AtomicU64);

impl Randomness for Seeded {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), StoreError> {
        for chunk in bytes.chunks_mut(8) {
            let mut mixed = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// One place in memory.
struct InMemory {
    is_shared: bool,
    random: Arc<Seeded>,
    store: Mutex<Option<MemoryStore>>,
}

impl InMemory {
    fn new(is_shared: bool) -> InMemory {
        InMemory { is_shared, random: Arc::default(), store: Mutex::default() }
    }

    fn options(&self) -> Options {
        Options {
            schedule: Arc::new(AtOnce::at(at(0))) as Arc<dyn Schedule>,
            random: Arc::clone(&self.random) as Arc<dyn Randomness>,
            master_key: MasterKey::from_base64(MASTER).unwrap(),
            is_shared: self.is_shared,
            sabotage: None,
        }
    }

    fn store(&self) -> MemoryStore {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        store.get_or_insert_with(|| MemoryStore::new(self.options())).clone()
    }
}

const MASTER: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const LEASE: Span = Span::from_s(30);

impl Backend for InMemory {
    fn open(&self) -> Answer<'_, Arc<dyn Store>> {
        Box::pin(async { Ok(self.store().node("one", LEASE) as Arc<dyn Store>) })
    }

    fn open_after_crash(&self) -> Answer<'_, Arc<dyn Store>> {
        Box::pin(async { Ok(self.store().copy(self.options()).node("one", LEASE) as Arc<dyn Store>) })
    }
}

mod alone {
    use super::*;
    conformance!(InMemory::new(false));
    retention_conformance!(InMemory::new(false));
}

mod shared {
    use super::*;
    conformance!(InMemory::new(true));
    retention_conformance!(InMemory::new(true));
}

/// Two nodes on one store, and a clock.
struct Pair {
    clock: Arc<AtOnce>,
    store: MemoryStore,
    scopes: [Arc<Scope>; 2],
    nodes: [Arc<MemoryNode>; 2],
}

impl Pair {
    async fn new(sabotage: Option<Sabotage>) -> Pair {
        let clock = Arc::new(AtOnce::at(at(0)));
        let place = InMemory::new(true);
        let schedule = Arc::clone(&clock) as Arc<dyn Schedule>;
        let store = MemoryStore::new(Options { schedule, sabotage, ..place.options() });
        let nodes = [store.node("one", LEASE), store.node("two", LEASE)];
        let id = nodes[0].registry().make_tenant(tenant(1)).await.unwrap()[0].id;
        let scopes = [nodes[0].scope(id).await.unwrap(), nodes[1].scope(id).await.unwrap()];
        Pair { clock, store, scopes, nodes }
    }

    async fn begun(&self, number: u64) -> Position {
        written(&self.scopes[0], begins(number)).await.messages[0]
    }
}

fn go(n: Position, expected: u32) -> Change {
    step(MessageStep::Go { n, expected, live: live(Status::Sent, Some(9)) })
}

#[tokio::test]
async fn a_lease_that_has_ended_writes_nothing_and_another_takes_over() {
    let pair = Pair::new(None).await;
    let [one, two] = &pair.scopes;
    let n = pair.begun(1).await;
    assert!(two.adopt(10).await.unwrap().is_empty(), "taken from a node that is alive");
    pair.clock.later(20_000);
    pair.nodes[1].nodes().renew(LEASE).await.unwrap();
    let there = pair.nodes[1].nodes().company().await.unwrap();
    assert_eq!(there.alive, [pair.nodes[0].id(), pair.nodes[1].id()]);
    pair.clock.later(10_000);
    assert!(matches!(one.commit(go(n, 1)).await, Err(StoreError::Fenced)));
    assert!(matches!(pair.nodes[0].nodes().renew(LEASE).await, Err(StoreError::Fenced)));
    pair.nodes[1].nodes().renew(LEASE).await.unwrap();
    let there = pair.nodes[1].nodes().company().await.unwrap();
    assert_eq!((there.alive.len(), there.orphaned.as_slice()), (1, [one.id()].as_slice()));
    assert_eq!(two.next_due().await.unwrap(), None);
    let adopted = two.adopt(10).await.unwrap();
    assert!(adopted.len() == 1 && adopted[0].owner == pair.nodes[1].id() && adopted[0].version == 2);
    // One that comes back under the old name is another, and owns nothing.
    let again = pair.store.node("one", LEASE);
    assert!(again.id() > pair.nodes[1].id());
    let scope = again.scope(one.id()).await.unwrap();
    conflicts(&scope, go(n, 1)).await;
    written(&scope, go(n, 2)).await;
    assert_eq!(scope.next_due().await.unwrap(), Some(at(9)), "who commits owns");
    assert_eq!(two.next_due().await.unwrap(), None);
    // Who leaves is not waited for.
    again.nodes().leave().await.unwrap();
    assert!(matches!(scope.commit(go(n, 3)).await, Err(StoreError::Fenced)));
    assert_eq!(two.adopt(10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn signals_wait_for_the_owner_and_are_carried_out_once() {
    let pair = Pair::new(None).await;
    let [one, two] = &pair.scopes;
    let n = pair.begun(1).await;
    let mut rung = pair.nodes[0].nodes().rung();
    rung.borrow_and_update();
    let signal = SignalRow { message: n, at: at(1), doc: b"cancel".to_vec() };
    let signals = Change { signals: vec![signal.clone()], ..Change::default() };
    let position = written(two, signals).await.signals[0];
    assert!(rung.has_changed().unwrap(), "the owner is not told");
    assert!(two.signals(0, 10).await.unwrap().is_empty());
    let found = one.signals(0, 10).await.unwrap();
    assert!(found.len() == 1 && found[0].n == position && found[0].row == signal);
    assert!(pair.nodes[0].nodes().look().await.unwrap().iter().any(|seen| seen.signals));
    let carried_out = Change { signals_done: vec![position], ..go(n, 1) };
    written(one, carried_out).await;
    assert!(!two.signal_waits(position).await.unwrap());
    conflicts(one, Change { signals_done: vec![position], ..go(n, 2) }).await;
}

#[tokio::test]
async fn what_was_decided_on_old_facts_is_not_written() {
    let pair = Pair::new(None).await;
    let [one, two] = &pair.scopes;
    let n = pair.begun(1).await;
    let seen = one.generation();
    let quota = QuotaRow { name: "sms".into(), day: Some(1), month: None };
    written(two, Change { quotas: vec![quota], ..Change::default() }).await;
    let stale = one.commit(Change { seen: Some(seen), ..go(n, 1) }).await;
    assert!(matches!(stale, Err(StoreError::Stale { .. })));
    assert_eq!(one.generation(), seen, "it is not known before it is asked for");
    let looked = pair.nodes[0].nodes().look().await.unwrap();
    assert!(looked.iter().any(|it| it.scope == one.id() && it.generation.settings == seen.settings + 1));
    let seen = one.read_generation().await.unwrap();
    assert_eq!(seen, two.generation());
    written(one, Change { seen: Some(seen), ..go(n, 1) }).await;
    assert!(pair.nodes[0].nodes().look().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_duty_is_one_nodes_until_its_lease_ends() {
    let pair = Pair::new(None).await;
    let [one, two] = &pair.scopes;
    assert!(one.claim("endpoint 1").await.unwrap() && one.claim("endpoint 1").await.unwrap());
    assert!(!two.claim("endpoint 1").await.unwrap());
    let under = |number| Change { claims: vec!["endpoint 1".to_owned()], ..begins(number) };
    conflicts(two, under(1)).await;
    written(one, under(2)).await;
    two.unclaim("endpoint 1").await.unwrap();
    assert!(!two.claim("endpoint 1").await.unwrap(), "let go by who did not have it");
    one.unclaim("endpoint 1").await.unwrap();
    assert!(two.claim("endpoint 1").await.unwrap());
    pair.clock.later(LEASE.ms() - 1);
    pair.nodes[0].nodes().renew(LEASE).await.unwrap();
    assert!(!one.claim("endpoint 1").await.unwrap());
    pair.clock.later(1);
    assert!(one.claim("endpoint 1").await.unwrap());
}

#[tokio::test]
async fn a_crash_of_the_store_takes_what_was_answered_too_early_and_nothing_else() {
    for (sabotage, left) in [(None, 1), (Some(Sabotage::AnswersTooEarly), 0)] {
        let pair = Pair::new(sabotage).await;
        pair.begun(1).await;
        pair.store.crash();
        let found = pair.scopes[1].messages(Default::default(), newest(10)).await.unwrap();
        assert_eq!(found.rows.len(), left);
    }
}
