//! The other nodes, as this one knows them: written by who renews its lease, read by all who share
//! something with them.

use std::hash::Hasher as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::model::{Instant, Span};

use super::{Company, NodeId, Nodes};

/// This node among those that are alive. All instants are real time.
pub struct Peers {
    me: NodeId,
    is_shared: bool,
    known: watch::Sender<Known>,
    /// Told in the order in which they began to listen: receivers of one channel are woken in any.
    listeners: Mutex<Vec<watch::Sender<Known>>>,
}

/// What was learnt with the newest lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The nodes whose lease holds, in order.
    pub alive: Arc<[NodeId]>,
    /// From when on this node takes its part of what is shared: by then the others know that it is
    /// here, and have made room. None before the first lease.
    takes_part_from: Option<Instant>,
}

/// One of several equal parts of what is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Which one, from 0.
    pub place: u32,
    /// Of how many, at least one.
    pub of: u32,
}

impl Part {
    /// Everything.
    pub const WHOLE: Part = Part { place: 0, of: 1 };

    /// What this part is of `whole`; the rest goes to the lowest places, one each.
    #[must_use]
    pub const fn share(self, whole: u32) -> u32 {
        let rest = whole % self.of;
        whole / self.of + if self.place < rest { 1 } else { 0 }
    }
}

impl std::fmt::Debug for Peers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peers").field("me", &self.me).finish_non_exhaustive()
    }
}

impl Peers {
    /// Of a node on this store, before its first lease.
    #[must_use]
    pub fn new(nodes: &dyn Nodes) -> Peers {
        let (me, is_shared) = (nodes.me(), nodes.is_shared());
        let known = Known { alive: Arc::new([me]), takes_part_from: None };
        Peers { me, is_shared, known: watch::Sender::new(known), listeners: Mutex::default() }
    }

    /// Of the one node of a store that is not shared.
    #[must_use]
    pub fn none() -> Peers {
        Peers::new(&super::Alone::default())
    }

    /// Whether there may be any.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// Who is alive, once a lease was renewed for `span`, asked for at `asked_at`.
    pub fn learn(&self, company: &Company, asked_at: Instant, span: Span) {
        if !self.is_shared {
            return;
        }
        let moved = self.known.send_if_modified(|known| {
            let is_first = known.takes_part_from.is_none();
            if is_first {
                // The others renew within one lease, and hear of this node then.
                let others = company.alive.iter().any(|node| *node != self.me);
                known.takes_part_from = Some(if others { asked_at.plus(span) } else { asked_at });
            }
            let moved = *known.alive != *company.alive;
            if moved {
                known.alive = company.alive.as_slice().into();
            }
            moved || is_first
        });
        if moved {
            let known = self.known();
            let mut listeners = self.listeners();
            listeners.retain(|listener| !listener.is_closed());
            for listener in listeners.iter() {
                listener.send_replace(known.clone());
            }
        }
    }

    fn listeners(&self) -> MutexGuard<'_, Vec<watch::Sender<Known>>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This node's part of what is shared; none while it does not take one yet.
    #[must_use]
    pub fn part(&self, now: Instant) -> Option<Part> {
        if !self.is_shared {
            return Some(Part::WHOLE);
        }
        let known = self.known.borrow();
        let takes = known.takes_part_from.is_some_and(|from| from <= now);
        let place = known.alive.iter().position(|node| *node == self.me)?;
        let (place, of) = (u32::try_from(place).ok()?, u32::try_from(known.alive.len()).ok()?);
        takes.then_some(Part { place, of })
    }

    /// The place of this node among those alive, whether or not they know of it already.
    #[must_use]
    pub fn place(&self) -> Part {
        let known = self.known.borrow();
        let place = known.alive.iter().position(|node| *node == self.me).unwrap_or(0);
        let part = (u32::try_from(place).ok(), u32::try_from(known.alive.len()).ok());
        match part {
            (Some(place), Some(of)) if of > 0 => Part { place, of },
            _ => Part::WHOLE,
        }
    }

    /// From when on this node takes its part, where that is still to come.
    #[must_use]
    pub fn takes_part_from(&self, now: Instant) -> Option<Instant> {
        self.known.borrow().takes_part_from.filter(|from| *from > now)
    }

    /// Whether this node is the one of those alive that takes a duty. When another joins or leaves, no
    /// more duties change hands than must.
    #[must_use]
    pub fn is_preferred(&self, duty: &str) -> bool {
        let known = self.known.borrow();
        known.alive.iter().max_by_key(|node| weight(duty, **node)).is_none_or(|node| *node == self.me)
    }

    /// What was learnt last.
    #[must_use]
    pub fn known(&self) -> Known {
        self.known.borrow().clone()
    }

    /// Moves when other nodes are alive than before.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Known> {
        let (sender, receiver) = watch::channel(self.known());
        let mut listeners = self.listeners();
        listeners.retain(|listener| !listener.is_closed());
        listeners.push(sender);
        receiver
    }
}

/// How much a node is preferred for a duty (rendezvous hashing). All versions of the program must
/// agree on it, so it is FNV-1a with the finish of MurmurHash, and not a hasher that may change.
fn weight(duty: &str, node: NodeId) -> (u64, NodeId) {
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    hasher.write(duty.as_bytes());
    hasher.write(&node.0.to_be_bytes());
    let mut hash = hasher.finish();
    for factor in [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53] {
        hash = (hash ^ (hash >> 33)).wrapping_mul(factor);
    }
    (hash ^ (hash >> 33), node)
}

struct Fnv(u64);

impl std::hash::Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of several nodes, by its number.
    struct One(i64);

    impl Nodes for One {
        fn me(&self) -> NodeId {
            NodeId(self.0)
        }
        fn is_shared(&self) -> bool {
            true
        }
        fn renew(&self, _: Span) -> crate::store::Answer<'_, ()> {
            Box::pin(async { Ok(()) })
        }
        fn company(&self) -> crate::store::Answer<'_, Company> {
            Box::pin(async { Ok(Company::default()) })
        }
        fn leave(&self) -> crate::store::Answer<'_, ()> {
            Box::pin(async { Ok(()) })
        }
        fn rung(&self) -> watch::Receiver<u64> {
            watch::channel(0).1
        }
        fn look(&self) -> crate::store::Answer<'_, Vec<crate::store::Seen>> {
            Box::pin(async { Ok(Vec::new()) })
        }
    }

    fn those(nodes: &[i64]) -> Company {
        Company { alive: nodes.iter().map(|node| NodeId(*node)).collect(), orphaned: Vec::new() }
    }

    fn at(s: i64) -> Instant {
        Instant::from_ms(s * 1_000)
    }

    const SPAN: Span = Span::from_s(10);

    #[test]
    fn a_node_takes_its_part_once_the_others_know_of_it() {
        let one = Peers::new(&One(5));
        assert!(one.part(at(0)).is_none(), "no lease yet");
        one.learn(&those(&[5]), at(0), SPAN);
        assert_eq!(one.part(at(0)), Some(Part::WHOLE), "nobody else has to make room");
        let second = Peers::new(&One(7));
        second.learn(&those(&[5, 7]), at(1), SPAN);
        second.learn(&those(&[5, 7]), at(6), SPAN);
        assert_eq!((second.part(at(10)), second.takes_part_from(at(10))), (None, Some(at(11))));
        assert_eq!(second.part(at(11)), Some(Part { place: 1, of: 2 }));
        one.learn(&those(&[5, 7]), at(5), SPAN);
        assert_eq!(one.part(at(5)), Some(Part { place: 0, of: 2 }), "room is made at once");
        one.learn(&those(&[5]), at(20), SPAN);
        assert_eq!(one.part(at(20)), Some(Part::WHOLE));
        assert_eq!(Peers::none().part(at(0)), Some(Part::WHOLE));
    }

    #[test]
    fn parts_add_up_to_the_whole() {
        for of in 1..=7 {
            for whole in [0, 1, 2, 6, 7, 100, 512] {
                let sum: u32 = (0..of).map(|place| Part { place, of }.share(whole)).sum();
                assert_eq!(sum, whole);
            }
        }
    }

    #[test]
    fn of_three_nodes_each_has_a_third_of_the_duties_and_a_fourth_takes_only_its_own() {
        let names: Vec<String> = (0..3_000).map(|n| format!("webhook we_{n}")).collect();
        let who = |nodes: &[i64], name: &str| {
            let preferred = nodes.iter().filter(|me| {
                let peers = Peers::new(&One(**me));
                peers.learn(&those(nodes), at(0), SPAN);
                peers.is_preferred(name)
            });
            let preferred: Vec<_> = preferred.collect();
            assert_eq!(preferred.len(), 1, "one alone takes a duty");
            *preferred[0]
        };
        let before: Vec<i64> = names.iter().map(|name| who(&[1, 2, 3], name)).collect();
        for node in 1..=3 {
            let share = before.iter().filter(|who| **who == node).count();
            assert!((900..1_100).contains(&share), "node {node} has {share} of 3000");
        }
        for (name, before) in names.iter().zip(&before) {
            let after = who(&[1, 2, 3, 4], name);
            assert!(after == 4 || after == *before, "a duty moved between nodes that stay");
        }
    }
}
