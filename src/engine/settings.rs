//! The engine's settings.

use super::breaker::BreakerSettings;
use super::retention::Retention;
use crate::model::Span;

/// What an operator can set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The address of this server as providers reach it, without a slash at its end.
    pub public_url: String,
    /// The figures of the breakers.
    pub breaker: BreakerSettings,
    /// How long what is done with is kept.
    pub retention: Retention,
    /// On a store that several nodes share: for how long this one is taken to be alive after it was
    /// last heard. It is renewed at a third of that.
    pub lease: Span,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            public_url: "http://127.0.0.1:8080".to_owned(),
            breaker: BreakerSettings::default(),
            retention: Retention::default(),
            lease: Span::from_s(10),
        }
    }
}
