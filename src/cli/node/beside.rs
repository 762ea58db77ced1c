//! How engine and webhooks, which do not know each other, are brought together.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::engine::{Beside, plain_data, read_event};
use crate::model::shapes::Event;
use crate::model::{Instant, ScopeId};
use crate::store::StoreError;
use crate::store::rows::StoredEvent;
use crate::store::seal::Scope;
use crate::webhooks::{EventForm, Resting, Webhooks};

/// The webhooks' workers, as the engine opens and closes them with a scope.
pub(super) struct WebhookWorkers(pub(super) Arc<Webhooks>);

impl Beside for WebhookWorkers {
    fn opened(&self, scope: &Arc<Scope>) {
        self.0.open(scope);
    }

    fn rests(&self, scope: ScopeId) -> Option<Option<Instant>> {
        match self.0.resting(scope) {
            Resting::No => None,
            Resting::Until(at) => Some(at),
        }
    }

    fn close(&self, scope: ScopeId) -> BoxFuture<'_, ()> {
        Box::pin(self.0.close(scope))
    }
}

/// Events in the form in which the engine writes them.
pub(super) struct EngineEvents;

impl EventForm for EngineEvents {
    fn read<'a>(
        &'a self,
        scope: &'a Scope,
        event: &'a StoredEvent,
    ) -> BoxFuture<'a, Result<Event, StoreError>> {
        Box::pin(read_event(scope, event))
    }

    fn plain(&self, data: &serde_json::Value) -> Vec<u8> {
        plain_data(data)
    }
}
