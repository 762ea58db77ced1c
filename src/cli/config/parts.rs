//! Settings, in the form in which the rooms take them.

use super::{Breaker, Calls, Config, Count, KeptFor, Limits, Node, Retention, Webhooks};
use crate::api;
use crate::api::conventions::limit::Rate;
use crate::cli::node;
use crate::engine;
use crate::engine::BreakerSettings;
use crate::model::Span;
use crate::webhooks;

fn number(count: Count) -> usize {
    usize::try_from(count.0.get()).unwrap_or(usize::MAX)
}

fn span(duration: std::time::Duration) -> Span {
    Span::from_ms(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}

impl Config {
    /// The database, where one is named.
    pub(crate) fn database(&self) -> Option<node::DatabaseSettings> {
        let url = self.database_url.clone()?;
        Some(node::DatabaseSettings {
            url,
            node_name: self.node.name.clone(),
            connections_max: self.database.connections_max.0.get(),
            listens: self.database.listens,
            prepares: self.database.prepares,
        })
    }
}

impl Limits {
    /// For the REST surface.
    pub(crate) fn settings(self) -> api::Settings {
        api::Settings {
            body_bytes_max: self.body_bytes_max.0,
            batch_bytes_max: self.batch_bytes_max.0,
            rate: Rate { requests_per_second: self.requests_per_second.0, burst: self.burst.0 },
            sizes: self.sizes,
        }
    }
}

impl Calls {
    /// For the client by which calls leave.
    pub(crate) fn calls(self) -> node::Calls {
        node::Calls { connect_time_max: self.connect_timeout, call_time_max: self.call_timeout }
    }
}

impl Webhooks {
    /// For the webhooks' workers.
    pub(crate) fn settings(self) -> webhooks::Settings {
        webhooks::Settings {
            first_tries_max: number(self.first_tries_max),
            later_tries_max: number(self.later_tries_max),
            endpoints_max: self.endpoints_max.0.get(),
        }
    }
}

impl Node {
    /// For the engine.
    pub(crate) fn lease(&self) -> Span {
        span(self.lease)
    }
}

impl Breaker {
    /// For the engine.
    pub(crate) fn settings(self) -> BreakerSettings {
        BreakerSettings {
            failures_max: self.failures_max.0.get(),
            window_results_min: self.window_results_min.0.get(),
            window_failures_percent: self.window_failures_percent.0,
            window: span(self.window),
            open_for: span(self.open_for),
            open_for_max: span(self.open_for_max),
            successes_to_close: self.successes_to_close.0.get(),
        }
    }
}

impl KeptFor {
    /// As a span; none for ever.
    pub(crate) fn span(self) -> Option<Span> {
        self.0.map(span)
    }
}

impl Retention {
    /// For the engine.
    pub(crate) fn settings(self) -> engine::Retention {
        engine::Retention {
            messages: self.messages.span(),
            events: self.events.span(),
            idempotency: self.idempotency.0.map(span),
        }
    }
}
