//! Several runs of the program on one store, and how they tell each other what they did.
//!
//! A node is one run of the program. It holds a lease; what it had in hand when the lease ended is
//! adopted by others. Nothing here is needed for correctness of a single row: the version of a
//! message is the fence, and a commit of a node whose lease has ended is refused
//! ([`StoreError::Fenced`]).

use tokio::sync::watch;

use crate::model::{ScopeId, Span};

use super::StoreError;
use super::scope::Answer;

/// The number of one run of the program on a shared store, never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub i64);

impl NodeId {
    /// The node of a store that has one alone.
    pub const ONLY: NodeId = NodeId(0);
}

impl std::fmt::Display for NodeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// How often two kinds of facts of a scope were changed, by whichever node. Memory that was filled
/// under an older generation is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Generation {
    /// Policies, templates, providers, limits of quotas, the clock.
    pub settings: i64,
    /// Contacts, consents, erasures.
    pub people: i64,
}

/// Who is alive, and what those left who are not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Company {
    /// The nodes whose lease holds, this one included, in order.
    pub alive: Vec<NodeId>,
    /// Scopes in which messages wait whose owner's lease has ended.
    pub orphaned: Vec<ScopeId>,
}

/// What other nodes did in a scope since this node looked last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Which scope.
    pub scope: ScopeId,
    /// Its generation.
    pub generation: Generation,
    /// The health of a provider was written.
    pub health: bool,
    /// Signals wait for this node.
    pub signals: bool,
}

/// The nodes of a store.
pub trait Nodes: Send + Sync {
    /// This one.
    fn me(&self) -> NodeId;
    /// Whether other nodes may write the same rows.
    fn is_shared(&self) -> bool;
    /// Renews this node's lease, which ends `lease` from now by the store's own clock.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] where it has ended already: it is never taken up again.
    fn renew(&self, lease: Span) -> Answer<'_, ()>;
    /// Who is alive, and what those left who are not. Apart from [`Nodes::renew`], so that a lease that
    /// was renewed holds whatever becomes of this.
    fn company(&self) -> Answer<'_, Company>;
    /// Ends the lease at once: others adopt what this node still owns. Nothing can be committed
    /// afterwards.
    fn leave(&self) -> Answer<'_, ()>;
    /// Moves when another node may have left something to be looked at, or joined, or left.
    fn rung(&self) -> watch::Receiver<u64>;
    /// What others did since this was last asked. To be asked when rung, and each second besides.
    fn look(&self) -> Answer<'_, Vec<Seen>>;
}

/// The one node of a store that is not shared.
pub struct Alone {
    rung: watch::Sender<u64>,
}

impl Default for Alone {
    fn default() -> Alone {
        Alone { rung: watch::Sender::new(0) }
    }
}

impl Nodes for Alone {
    fn me(&self) -> NodeId {
        NodeId::ONLY
    }

    fn is_shared(&self) -> bool {
        false
    }

    fn renew(&self, _lease: Span) -> Answer<'_, ()> {
        Box::pin(async { Ok::<_, StoreError>(()) })
    }

    fn company(&self) -> Answer<'_, Company> {
        Box::pin(async { Ok::<_, StoreError>(Company { alive: vec![NodeId::ONLY], orphaned: Vec::new() }) })
    }

    fn leave(&self) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn rung(&self) -> watch::Receiver<u64> {
        self.rung.subscribe()
    }

    fn look(&self) -> Answer<'_, Vec<Seen>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}
