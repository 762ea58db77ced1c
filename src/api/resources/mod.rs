//! The endpoints: a file a resource, and a line here.

mod contacts;
mod events;
mod keys;
mod lists;
mod messages;
mod patch;
mod quotas;
mod root;
mod templates;
mod test_clock;

use super::endpoint::Endpoint;

/// All endpoints, in the order of the document.
pub(super) fn all() -> Vec<Endpoint> {
    let resources: &[fn() -> Vec<Endpoint>] = &[
        messages::endpoints,
        contacts::endpoints,
        templates::endpoints,
        quotas::endpoints,
        events::endpoints,
        keys::endpoints,
        test_clock::endpoints,
        root::endpoints,
    ];
    resources.iter().flat_map(|endpoints| endpoints()).collect()
}
