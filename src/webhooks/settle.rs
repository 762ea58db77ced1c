//! What tries that have ended write: pure, of the endpoint and the tries.

use serde_json::json;

use super::endpoint::{DisabledBy, Endpoint};
use super::schedule::{self, Next, Told};
use super::send::Sent;
use super::tries::Tries;
use super::{EventForm, Outside};
use crate::model::shapes::EventType;
use crate::model::{Id, Ids, Instant, kinds};
use crate::store::rows::{DeliveryRow, DeliveryState, EventRow, NewAudit};
use crate::store::{Change, EndpointChange, Position, Put};

/// The `reason` of the event that tells of a recovery.
const RECOVERED: &str = "delivered";

/// An event, as a delivery refers to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct EventRef {
    pub(super) n: Position,
    pub(super) id: Id<kinds::Event>,
    pub(super) at: Instant,
}

/// A try that has ended, and of what.
#[derive(Clone)]
pub(super) enum Ended {
    /// The first one of an event.
    First(EventRef, Sent),
    /// A later one of a delivery, which stands as it was when the try began, or as it was read
    /// again. `None` where its event is no longer there.
    Later(Box<DeliveryRow>, Option<Sent>),
}

impl Ended {
    /// The delivery, where it stood already.
    pub(super) fn later(&self) -> Option<Id<kinds::Delivery>> {
        match self {
            Ended::First(..) => None,
            Ended::Later(row, _) => Some(row.id),
        }
    }
}

/// What is to be written, and the endpoint as it is then.
pub(super) struct Settled {
    pub(super) change: Change,
    pub(super) endpoint: Endpoint,
    /// When the earliest of these deliveries is tried again.
    pub(super) next_try_at: Option<Instant>,
}

/// Decides what `ended` writes for `endpoint`, in their order. `advance` is the position up to
/// which all events were taken up.
pub(super) fn settle(
    outside: &Outside,
    endpoint: &Endpoint,
    ended: &[Ended],
    advance: Option<Position>,
) -> Settled {
    let mut now = endpoint.clone();
    let mut change = Change::default();
    let mut rows = Vec::new();
    for each in ended {
        let (mut put, sent) = match each {
            Ended::First(event, sent) => (first(outside.ids.as_ref(), endpoint.id, event), Some(sent)),
            Ended::Later(row, sent) => {
                (Put { row: (**row).clone(), expected: Some(row.version) }, sent.as_ref())
            }
        };
        match sent {
            Some(sent) => apply(outside, &mut now, &mut put.row, sent, &mut change),
            None => dead(&mut put.row),
        }
        rows.push(put);
    }
    if !now.is_enabled() {
        // A disabled endpoint has nothing pending, what was tried before in this round included.
        rows.iter_mut()
            .filter(|put| put.row.state == DeliveryState::Pending)
            .for_each(|put| dead(&mut put.row));
    }
    if let Some(position) = advance {
        change.endpoints.push(EndpointChange::Advance(endpoint.id, position));
    }
    let next_try_at = rows.iter().filter_map(|put| put.row.next_try_at).min();
    change.deliveries = rows;
    put_endpoint(endpoint, &now, &mut change);
    Settled { change, endpoint: now, next_try_at }
}

/// Disables an endpoint: the rows and events of it. Nothing where it is disabled already.
pub(super) fn disable(outside: &Outside, endpoint: &Endpoint, by: DisabledBy, at: Instant) -> Settled {
    let mut now = endpoint.clone();
    let mut change = Change::default();
    if endpoint.is_enabled() {
        mark_disabled(outside, &mut now, by, at, &mut change);
        put_endpoint(endpoint, &now, &mut change);
    }
    Settled { change, endpoint: now, next_try_at: None }
}

fn put_endpoint(before: &Endpoint, now: &Endpoint, change: &mut Change) {
    if before == now {
        return;
    }
    change.endpoints.push(EndpointChange::Put(Put { row: now.row(), expected: Some(before.version) }));
    if before.is_enabled() && !now.is_enabled() {
        change.endpoints.push(EndpointChange::SettlePending(now.id, DeliveryState::Dead));
    }
}

fn first(ids: &dyn Ids, endpoint: Id<kinds::Endpoint>, event: &EventRef) -> Put<DeliveryRow> {
    let row = DeliveryRow {
        id: ids.mint(),
        event: event.n,
        event_id: event.id,
        event_at: event.at,
        endpoint,
        version: 0,
        state: DeliveryState::Pending,
        next_try_at: None,
        tries: Tries::none().write(),
    };
    Put { row, expected: None }
}

fn apply(
    outside: &Outside,
    endpoint: &mut Endpoint,
    row: &mut DeliveryRow,
    sent: &Sent,
    change: &mut Change,
) {
    let mut tries = Tries::read(&row.tries);
    let nth = tries.add(sent.tried.clone());
    row.tries = tries.write();
    let verdict = schedule::after(endpoint.health, nth, sent.took, sent.ended_at);
    match verdict.next {
        Next::Delivered => {
            row.state = DeliveryState::Delivered;
            row.next_try_at = None;
        }
        // It was settled while it was being tried, as dead.
        Next::Again(_) if row.state != DeliveryState::Pending => {}
        Next::Again(at) => row.next_try_at = Some(at),
        Next::Dead => dead(row),
    }
    if !endpoint.is_enabled() {
        return;
    }
    endpoint.health = verdict.health;
    match verdict.told {
        Told::Nothing => {}
        Told::Recovered => {
            event(
                outside,
                EventType::WebhookEndpointRecovered,
                endpoint.id,
                RECOVERED,
                sent.ended_at,
                change,
            );
        }
        Told::DisabledAsGone => mark_disabled(outside, endpoint, DisabledBy::Gone, sent.ended_at, change),
        Told::DisabledAsFailing => {
            mark_disabled(outside, endpoint, DisabledBy::Failing, sent.ended_at, change)
        }
    }
}

fn dead(row: &mut DeliveryRow) {
    row.state = DeliveryState::Dead;
    row.next_try_at = None;
}

fn mark_disabled(
    outside: &Outside,
    endpoint: &mut Endpoint,
    by: DisabledBy,
    at: Instant,
    change: &mut Change,
) {
    endpoint.disabled_by = Some(by);
    event(outside, EventType::WebhookEndpointDisabled, endpoint.id, by.word(), at, change);
    if by != DisabledBy::Request {
        // A request stands in the audit under the name of who made it.
        change.audit.push(audit(outside.ids.as_ref(), endpoint.id, at));
    }
}

fn event(
    outside: &Outside,
    kind: EventType,
    endpoint: Id<kinds::Endpoint>,
    reason: &str,
    at: Instant,
    change: &mut Change,
) {
    let events: &dyn EventForm = outside.events.as_ref();
    change.events.push(EventRow {
        id: outside.ids.mint(),
        kind: kind.word().to_owned(),
        at,
        sequence: None,
        data: events.plain(&json!({"endpoint_id": endpoint, "reason": reason})),
    });
}

fn audit(ids: &dyn Ids, endpoint: Id<kinds::Endpoint>, at: Instant) -> NewAudit {
    let object_id = Some(endpoint.to_string());
    NewAudit::new(ids.mint(), at, "system", "webhook_endpoint.disabled", object_id, None)
}
