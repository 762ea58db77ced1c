//! The endpoints: a file a resource, and a line here.

mod audit;
#[cfg(test)]
mod constraints;
mod contacts;
mod dead_letters;
mod events;
mod keys;
mod lists;
mod messages;
mod patch;
mod policies;
mod providers;
mod quotas;
mod root;
mod templates;
mod test_clock;
mod versions;
mod webhook_endpoints;

pub(super) use messages::batch_faults;

use super::endpoint::Endpoint;

/// All endpoints, in the order of the document.
pub(super) fn all() -> Vec<Endpoint> {
    let resources: &[fn() -> Vec<Endpoint>] = &[
        messages::endpoints,
        contacts::endpoints,
        templates::endpoints,
        policies::endpoints,
        providers::endpoints,
        webhook_endpoints::endpoints,
        dead_letters::endpoints,
        quotas::endpoints,
        events::endpoints,
        keys::endpoints,
        audit::endpoints,
        test_clock::endpoints,
        root::endpoints,
    ];
    resources.iter().flat_map(|endpoints| endpoints()).collect()
}
