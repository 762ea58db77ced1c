//! Writing what has ended, beside the tries that are under way.

use std::sync::Arc;

use super::endpoint::{Endpoint, EndpointError};
use super::settle::{Ended, Settled, settle};
use super::start::Start;
use super::worker::STORE_PAUSE;
use crate::model::{Id, Instant, kinds};
use crate::store::{Position, StoreError};

/// How often a change is decided again because another came first, before the worker starts anew.
const CONFLICTS_MAX: usize = 16;

/// What is to be written.
pub(super) struct Write {
    pub(super) start: Arc<Start>,
    /// The endpoint as it was when the write began.
    pub(super) endpoint: Endpoint,
    pub(super) ended: Vec<Ended>,
    /// Up to where all events were taken up, where that has moved.
    pub(super) advance: Option<Position>,
}

/// What came of it.
pub(super) enum Wrote {
    /// It is durable.
    Done {
        /// The deliveries that were tried again.
        later: Vec<Id<kinds::Delivery>>,
        /// Up to where all events are taken up.
        advance: Option<Position>,
        /// When the earliest of the deliveries is tried again.
        next_try_at: Option<Instant>,
        /// The endpoint is another than before.
        changed: bool,
    },
    /// The endpoint is gone, or another node delivers to it.
    Gone,
}

impl Write {
    /// Writes it, however often the store must be asked.
    pub(super) async fn run(mut self) -> Result<Wrote, EndpointError> {
        let later: Vec<_> = self.ended.iter().filter_map(Ended::later).collect();
        let (mut conflicts, mut changed) = (0, false);
        loop {
            let Settled { change, endpoint, next_try_at } =
                settle(&self.start.outside, &self.endpoint, &self.ended, self.advance);
            crash_point!("delivery.before-record");
            match self.start.commit(change).await {
                Ok(()) => {
                    crash_point!("delivery.after-record");
                    changed |= endpoint != self.endpoint;
                    return Ok(Wrote::Done { later, advance: self.advance, next_try_at, changed });
                }
                Err(StoreError::Conflict { .. } | StoreError::Stale { .. }) if conflicts < CONFLICTS_MAX => {
                    conflicts += 1;
                    changed = true;
                    if !self.start.has_duty().await? {
                        return Ok(Wrote::Gone);
                    }
                    let Some(row) = self.start.scope.endpoint(self.start.id).await? else {
                        return Ok(Wrote::Gone);
                    };
                    self.endpoint = Endpoint::read(&row)?;
                    self.start.read_again(&mut self.ended).await?;
                }
                // What was tried is kept until there is room, not tried again meanwhile.
                Err(StoreError::Full | StoreError::Overloaded | StoreError::Unavailable { .. })
                    if !self.start.stop.is_cancelled() =>
                {
                    let (clock, scope) = (&self.start.outside.clock, self.start.scope.id());
                    let again_at = clock.scope_now(scope).plus(STORE_PAUSE);
                    tokio::select! {
                        biased;
                        () = clock.until(scope, again_at) => {}
                        () = self.start.stop.cancelled() => {}
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
