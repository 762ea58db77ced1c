//! This run of the program among others on a store that they share: its lease, who else is alive, and
//! what the others left to be looked at.
//!
//! On a store that is not shared there is one node, which owns everything, and nothing of this runs.

mod adopt;
mod generation;
mod signals;
mod watch;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinHandle;

use crate::model::{Clock as _, Instant, Span};
use crate::store::{Answer, NodeId, Nodes, Peers, StoreError};

use super::clock::Clocks;

pub(super) use signals::Carrying;

/// Into how many parts the lease is divided: it is renewed after each.
const RENEWED_PARTS: i64 = 3;

/// What a node knows of itself and the others.
pub(super) struct Membership {
    nodes: Arc<dyn Nodes>,
    /// Whether other nodes may write the same rows.
    pub(super) is_shared: bool,
    /// This one.
    pub(super) me: NodeId,
    lease: Span,
    peers: Arc<Peers>,
    fenced: tokio::sync::watch::Sender<bool>,
    renewed_at_ms: AtomicI64,
    /// Asks who else is alive.
    asking: Mutex<Option<JoinHandle<()>>>,
}

/// What became of the others.
pub(super) struct Heard {
    /// Scopes in which messages wait for a new owner.
    pub(super) orphaned: Vec<crate::model::ScopeId>,
    /// One that was alive is not any more.
    pub(super) lost_one: bool,
}

impl Membership {
    pub(super) fn new(nodes: Arc<dyn Nodes>, peers: Arc<Peers>, lease: Span) -> Membership {
        Membership {
            is_shared: nodes.is_shared(),
            me: nodes.me(),
            nodes,
            lease,
            peers,
            fenced: tokio::sync::watch::Sender::new(false),
            renewed_at_ms: AtomicI64::new(i64::MIN / 2),
            asking: Mutex::default(),
        }
    }

    /// Renews the lease, which is not waited for past the next renewal: a connection that is dead without a
    /// word must not take the lease with it.
    ///
    /// # Errors
    /// Where the store cannot be asked; [`StoreError::Fenced`] where the lease has ended, after which
    /// this process does nothing more.
    pub(super) async fn renew(&self, clocks: &Clocks) -> Result<(), StoreError> {
        let asked_at = clocks.real_now();
        if let Err(error) = self.soon(clocks, self.nodes.renew(self.lease)).await {
            self.note(clocks, &error);
            return Err(error);
        }
        clocks.hold_lease(asked_at, self.lease);
        self.renewed_at_ms.store(asked_at.ms(), Ordering::Release);
        Ok(())
    }

    /// Asks who else is alive, once the lease was renewed. Not a part of that, so that the lease holds whatever
    /// becomes of it: the store is busiest where many nodes have just gone.
    ///
    /// # Errors
    /// Where the store cannot be asked.
    pub(super) async fn company(&self) -> Result<Heard, StoreError> {
        let company = self.nodes.company().await?;
        let before = self.peers.known().alive;
        let lost_one = before.iter().any(|node| !company.alive.contains(node));
        self.peers.learn(&company, self.renewed_at(), self.lease);
        Ok(Heard { orphaned: company.orphaned, lost_one })
    }

    /// An answer of the store's within the time after which the lease is to be renewed again.
    async fn soon<T>(&self, clocks: &Clocks, answer: Answer<'_, T>) -> Result<T, StoreError> {
        let end = clocks.real_now().plus(self.renewed_every());
        tokio::select! {
            biased;
            answer = answer => answer,
            () = clocks.real_until(end) => {
                Err(StoreError::Unavailable { detail: "no answer before the next renewal".to_owned() })
            }
        }
    }

    /// After how long the lease is renewed.
    fn renewed_every(&self) -> Span {
        Span::from_ms(self.lease.ms() / RENEWED_PARTS)
    }

    /// What is asked now takes the place of what was asked before and is not answered yet.
    fn asks(&self, task: JoinHandle<()>) {
        let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = asking.replace(task) {
            before.abort();
        }
    }

    /// When the lease was renewed last.
    fn renewed_at(&self) -> Instant {
        Instant::from_ms(self.renewed_at_ms.load(Ordering::Acquire))
    }

    /// Takes note of an error that says that this node's lease has ended, or that nobody knows what of a
    /// change was written: others then go on with what stands in the store.
    pub(super) fn note(&self, clocks: &Clocks, error: &StoreError) {
        let is_over = match error {
            StoreError::Fenced => true,
            StoreError::Failed { .. } => self.is_shared,
            _ => false,
        };
        if is_over {
            clocks.end_lease();
            if !self.fenced.send_replace(true) {
                tracing::error!(node = %self.me, %error, "this node takes no more work");
            }
        }
    }

    /// Moves when another node may have left something to be looked at.
    pub(super) fn rung(&self) -> tokio::sync::watch::Receiver<u64> {
        self.nodes.rung()
    }

    /// Ends the lease at once, so that others adopt what this node still owns.
    pub(super) async fn leave(&self) -> Result<(), StoreError> {
        self.nodes.leave().await
    }

    /// Whether the lease has ended while this process still ran.
    pub(super) fn is_fenced(&self) -> bool {
        *self.fenced.borrow()
    }

    /// Ends once the lease has ended while this process still runs.
    pub(super) async fn fenced(&self) {
        let mut fenced = self.fenced.subscribe();
        // The sender lives as long as this does.
        let _ = fenced.wait_for(|fenced| *fenced).await;
    }

    /// Whether a node was alive when this one last asked.
    pub(super) fn is_alive(&self, node: NodeId) -> bool {
        self.peers.known().alive.contains(&node)
    }
}
