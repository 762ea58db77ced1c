//! Which node delivers to which endpoint: a duty of the scope for each, which one node has at a time.
//!
//! Whoever finds a duty free takes it, so that none lies idle while the node that is preferred for it
//! has not opened the scope. The preferred one then wishes for it, which is a duty as well, and who has
//! it and is not preferred looks for such a wish and lets go.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::model::{Id, kinds};
use crate::store::seal::Scope;
use crate::store::{Peers, StoreError};

/// The duty of delivering to an endpoint.
pub(super) fn duty(endpoint: Id<kinds::Endpoint>) -> String {
    format!("webhook {endpoint}")
}

/// The wish for it.
fn wish(endpoint: Id<kinds::Endpoint>) -> String {
    format!("wish webhook {endpoint}")
}

/// A duty that was taken, and by what its worker is told to stop.
pub(super) struct Taken {
    pub(super) id: Id<kinds::Endpoint>,
    pub(super) stop: CancellationToken,
}

/// The duties of this node in a scope.
pub(super) struct Duties {
    scope: Arc<Scope>,
    peers: Arc<Peers>,
    running: HashMap<Id<kinds::Endpoint>, CancellationToken>,
    wished: HashSet<Id<kinds::Endpoint>>,
    /// Nobody works on them here any more, and they are not let go yet.
    left: HashSet<Id<kinds::Endpoint>>,
    /// Let go for another node, which may not have taken it yet.
    yielded: HashSet<Id<kinds::Endpoint>>,
    /// The versions of the endpoints as they were seen last.
    versions: HashMap<Id<kinds::Endpoint>, u32>,
}

impl Duties {
    pub(super) fn new(scope: Arc<Scope>, peers: Arc<Peers>) -> Duties {
        let (running, versions) = (HashMap::new(), HashMap::new());
        let (wished, left, yielded) = (HashSet::new(), HashSet::new(), HashSet::new());
        Duties { scope, peers, running, wished, left, yielded, versions }
    }

    /// Takes the duties that are free, of these enabled endpoints and their versions. `taken` gets those
    /// whose workers are to be started, also where what comes after them fails.
    pub(super) async fn take(
        &mut self,
        enabled: &[(Id<kinds::Endpoint>, u32)],
        stop: &CancellationToken,
        taken: &mut Vec<Taken>,
    ) -> Result<(), StoreError> {
        self.give_back().await?;
        for (id, _) in enabled {
            let name = duty(*id);
            let is_preferred = self.peers.is_preferred(&name);
            if let Some(running) = self.running.get(id) {
                if !is_preferred && !running.is_cancelled() && self.is_wished_for(*id).await? {
                    running.cancel();
                    self.yielded.insert(*id);
                }
                continue;
            }
            if !is_preferred && self.yielded.contains(id) && self.is_wished_for(*id).await? {
                continue;
            }
            self.yielded.remove(id);
            if self.scope.claim(&name).await? {
                if self.wished.contains(id) {
                    self.scope.unclaim(&wish(*id)).await?;
                    self.wished.remove(id);
                }
                let stop = stop.child_token();
                self.running.insert(*id, stop.clone());
                taken.push(Taken { id: *id, stop });
            } else if is_preferred && !self.wished.contains(id) && self.scope.claim(&wish(*id)).await? {
                self.wished.insert(*id);
            }
        }
        Ok(())
    }

    /// Whether another node wishes for the duty of an endpoint.
    async fn is_wished_for(&self, id: Id<kinds::Endpoint>) -> Result<bool, StoreError> {
        let free = self.scope.claim(&wish(id)).await?;
        if free {
            self.scope.unclaim(&wish(id)).await?;
        }
        Ok(!free)
    }

    /// Whether an endpoint is another than when this was asked last.
    pub(super) fn is_changed(&mut self, enabled: &[(Id<kinds::Endpoint>, u32)]) -> bool {
        let now: HashMap<_, _> = enabled.iter().copied().collect();
        let before = std::mem::replace(&mut self.versions, now);
        before != self.versions
    }

    /// A worker has ended: another node may take its duty.
    pub(super) async fn let_go(&mut self, id: Id<kinds::Endpoint>) -> Result<(), StoreError> {
        self.running.remove(&id);
        self.left.insert(id);
        self.give_back().await
    }

    /// Lets go of what nobody works on here. What cannot be let go now is at the next look: while this node
    /// lives nobody else could have it.
    async fn give_back(&mut self) -> Result<(), StoreError> {
        while let Some(id) = self.left.iter().next().copied() {
            self.scope.unclaim(&duty(id)).await?;
            self.left.remove(&id);
        }
        Ok(())
    }

    /// Whether any worker runs.
    pub(super) fn has_any(&self) -> bool {
        !self.running.is_empty()
    }

    /// All workers have ended without a word: their duties are kept, and taken up again.
    pub(super) fn start_anew(&mut self) {
        self.running.clear();
    }

    /// Nothing is wished for any more.
    pub(super) async fn unwish(&mut self) -> Result<(), StoreError> {
        while let Some(id) = self.wished.iter().next().copied() {
            self.scope.unclaim(&wish(id)).await?;
            self.wished.remove(&id);
        }
        Ok(())
    }
}
