//! Logs: by tracing, to stderr, without colour codes in pipes.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::super::config::{Log, LogFormat};

/// Starts logging for the whole process. Where someone has done so before, nothing changes.
pub(super) fn start(log: &Log) {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    let ansi = std::io::stderr().is_terminal() && !refused;
    let layer = fmt::layer().with_writer(std::io::stderr).with_ansi(ansi);
    let layer = match log.format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer.json().boxed(),
    };
    // Fails where a subscriber stands already.
    let _ = tracing_subscriber::registry().with(layer.with_filter(filter(&log.level.0))).try_init();
}

/// A bare level is meant for our own parts: those below could write headers and addresses into the
/// log, and stay quiet unless they are named.
fn filter(level: &str) -> Targets {
    let mut targets = Targets::new().with_default(LevelFilter::WARN);
    for part in level.split(',').map(str::trim) {
        targets = match part.split_once('=') {
            Some((target, level)) => targets.with_target(target.trim(), parsed(level)),
            None => targets.with_target("spine", parsed(part)),
        };
    }
    targets
}

/// The settings were checked when they were read.
fn parsed(level: &str) -> LevelFilter {
    level.trim().parse().unwrap_or(LevelFilter::INFO)
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::filter;

    #[test]
    fn a_level_is_for_our_own_parts_and_others_are_named() {
        let debug = filter("debug");
        assert!(debug.would_enable("spine::engine", &Level::DEBUG));
        assert!(!debug.would_enable("hyper_util::client", &Level::DEBUG));
        let named = filter("warn, spine::store=trace");
        assert!(named.would_enable("spine::store::sqlite", &Level::TRACE));
        assert!(!named.would_enable("spine::engine", &Level::INFO));
    }
}
