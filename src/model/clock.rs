//! What a room that waits asks for the time. The clocks themselves stand outside.

use std::future::Future;
use std::pin::Pin;

use super::{Instant, ScopeId};

/// The two times of a scope. Handed in, so that a test can hold both still.
pub trait Clock: Send + Sync + 'static {
    /// Real time: ids, keys, rate limits, `webhook-timestamp`.
    fn real_now(&self) -> Instant;

    /// The scope's own time: real time, plus what its test clock was advanced by. Never goes back.
    fn scope_now(&self, scope: ScopeId) -> Instant;

    /// Ends once `scope_now(scope)` has come to `at`, by time passing or by an advance.
    fn until(&self, scope: ScopeId, at: Instant) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}
