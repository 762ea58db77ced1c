//! What a worker is started with, and how it reads and writes.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::duty::duty;
use super::endpoint::{Endpoint, EndpointError};
use super::rests::Rests;
use super::settle::Ended;
use super::{Outside, Settings};
use crate::model::{Id, kinds};
use crate::store::rows::StoredEvent;
use crate::store::seal::Scope;
use crate::store::{Change, StoreError};

/// Everything that does not change while a worker runs.
pub(super) struct Start {
    pub(super) outside: Outside,
    pub(super) settings: Settings,
    pub(super) scope: Arc<Scope>,
    pub(super) id: Id<kinds::Endpoint>,
    pub(super) stop: CancellationToken,
    pub(super) rests: Arc<Rests>,
}

impl Start {
    /// The body for an event, `None` where it is not for this endpoint.
    pub(super) async fn body(
        &self,
        endpoint: &Endpoint,
        event: &StoredEvent,
    ) -> Result<Option<Vec<u8>>, EndpointError> {
        if !endpoint.wants(&event.row.kind) {
            return Ok(None);
        }
        let read = self.outside.events.read(&self.scope, event).await?;
        // What is told of an endpoint is told to the others.
        let is_own = event.row.kind.starts_with("webhook_endpoint.")
            && read.data.get("endpoint_id").and_then(|id| id.as_str()) == Some(&self.id.to_string());
        Ok((!is_own).then(|| serde_json::to_vec(&read).unwrap_or_default()))
    }

    pub(super) async fn read(&self, event: &StoredEvent) -> Result<Vec<u8>, EndpointError> {
        let read = self.outside.events.read(&self.scope, event).await?;
        Ok(serde_json::to_vec(&read).unwrap_or_default())
    }

    /// Writes a change, if this node still has the duty.
    pub(super) async fn commit(&self, mut change: Change) -> Result<(), StoreError> {
        if self.outside.peers.is_shared() {
            change.claims.push(duty(self.id));
        }
        self.scope.commit(change).await.map(|_| ())
    }

    /// Whether this node has the duty still, or again.
    pub(super) async fn has_duty(&self) -> Result<bool, StoreError> {
        Ok(!self.outside.peers.is_shared() || self.scope.claim(&duty(self.id)).await?)
    }

    /// Reads the deliveries again that were tried; those that are gone drop out.
    pub(super) async fn read_again(&self, ended: &mut Vec<Ended>) -> Result<(), EndpointError> {
        let mut still = Vec::with_capacity(ended.len());
        for each in ended.drain(..) {
            match each {
                Ended::First(..) => still.push(each),
                Ended::Later(row, sent) => {
                    let read = self.scope.delivery(row.id).await?;
                    still.extend(read.map(|row| Ended::Later(Box::new(row), sent)));
                }
            }
        }
        *ended = still;
        Ok(())
    }
}
