//! What a room that waits asks for the time. The clocks themselves stand outside.

use std::future::Future;
use std::pin::Pin;

use super::{Id, IdKind, Instant, ScopeId};

/// The two times of a scope. Handed in, so that a test can hold both still.
pub trait Clock: Send + Sync + 'static {
    /// Real time: ids, keys, rate limits, `webhook-timestamp`.
    fn real_now(&self) -> Instant;

    /// The scope's own time: real time, plus what its test clock was advanced by. Never goes back.
    fn scope_now(&self, scope: ScopeId) -> Instant;

    /// Whether anything may leave this process now. Not once the lease that it holds on a shared store
    /// may have ended: others go on with its work then. Always, where there is no lease.
    fn may_act(&self) -> bool {
        true
    }

    /// Ends once `scope_now(scope)` has come to `at`, by time passing or by an advance.
    fn until(&self, scope: ScopeId, at: Instant) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// Where new ids come from. Handed in, so that a test can hold them still.
pub trait Ids: Send + Sync + 'static {
    /// The next number; rises strictly within a process, and holds real time in its upper 48 bits.
    fn next(&self) -> u128;
}

impl dyn Ids {
    /// A fresh id.
    #[must_use]
    pub fn mint<K: IdKind>(&self) -> Id<K> {
        Id::from_u128(self.next())
    }
}
