//! What all lists have in common.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rows of a page at most.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub(super) struct Limit(#[schemars(range(min = 1, max = 100))] pub(super) u32);

/// A page of a list.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "{T}List")]
pub(super) struct ListOf<T> {
    /// The rows of the page.
    data: Vec<T>,
    /// Whether there are more in the direction that was asked for.
    has_more: bool,
    /// For `after`: the older rows; null where there are none.
    next_cursor: Option<String>,
    /// For `before`: the newer rows.
    prev_cursor: String,
}

/// Declares the query of a list: the page, and the list's own filters.
macro_rules! list_query {
    ($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            /// Rows of a page, 20 where nothing is said.
            limit: Option<$crate::api::resources::lists::Limit>,
            /// A `next_cursor`: the rows older than it.
            after: Option<String>,
            /// A `prev_cursor`: the rows newer than it.
            before: Option<String>,
            $($(#[$fdoc])* $field: Option<$kind>,)*
        }

        impl $crate::api::endpoint::Request for $name {}

        impl $name {
            /// The page that is asked for, and the filters in a form that is the same for the same
            /// filters.
            pub(super) fn parts(&self) -> ($crate::api::pages::PageQuery, String) {
                let page = $crate::api::pages::PageQuery {
                    limit: self.limit.map(|limit| limit.0),
                    after: self.after.clone(),
                    before: self.before.clone(),
                };
                let mut filter = serde_json::to_value(self).unwrap_or_default();
                if let Some(fields) = filter.as_object_mut() {
                    fields.retain(|name, _| !["limit", "after", "before"].contains(&name.as_str()));
                }
                (page, $crate::model::canonical(&filter))
            }
        }
    };
}

list_query! {
    /// The query of a list without filters of its own.
    PlainQuery {}
}

pub(super) use list_query;
