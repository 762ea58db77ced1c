//! Whether the receivers of webhooks were told everything, each thing by one node at a time.

use spine::store::Page;
use spine::store::rows::DeliveryState;

use super::checks::Check;
use super::history::Whose;
use super::scene::now;
use super::world::World;

/// 6: every event is taken by each endpoint, or stands in the dead letters; and no try is made by two.
pub(crate) fn webhooks(world: &World, all: Page, broken: &mut impl FnMut(Check, String)) {
    let Some(scope) = world.scene.scopes.get(&Whose::Live) else { return };
    let tries = world.gateway.tries();
    let events = now(scope.events_after(0, 100_000)).unwrap_or_default();
    let deliveries =
        now(scope.deliveries(Default::default(), all)).map(|listed| listed.rows).unwrap_or_default();
    for (place, id) in world.scene.endpoints.iter().enumerate() {
        let Ok(Some(_)) = now(scope.endpoint(*id)) else { continue };
        for event in &events {
            let text = event.row.id.to_string();
            let taken =
                tries.iter().any(|tried| tried.endpoint == place && tried.taken && tried.event == text);
            let dead = deliveries.iter().any(|row| {
                row.row.endpoint == *id
                    && row.row.event_id == event.row.id
                    && row.row.state == DeliveryState::Dead
            });
            let is_own = event.row.kind.starts_with("webhook_endpoint.");
            if !taken && !dead && !is_own {
                broken(
                    Check::EventTold,
                    format!(
                        "{} {text} was not taken by receiver {place}, and is no dead letter",
                        event.row.kind
                    ),
                );
            }
        }
    }
    for (n, one) in tries.iter().enumerate() {
        for other in &tries[n + 1..] {
            let same = one.endpoint == other.endpoint && one.event == other.event && one.run != other.run;
            let meanwhile = other.at < one.until;
            let (from, to) = (one.at.ms() - super::core::T0, one.until.ms() - super::core::T0);
            // Who is paused is taken for dead by the others, with its calls under way.
            if same && meanwhile && !world.was_paused(one.run, from, to) {
                broken(
                    Check::OneTeller,
                    format!(
                        "event {} was tried by two nodes at once at receiver {}",
                        one.event, one.endpoint
                    ),
                );
            }
        }
    }
}
