//! An installation as its operator sees it, beside the servers that run on it.

use std::sync::Arc;

use crate::model::{Id, Instant, ScopeId, kinds};

use super::registry::Registry;
use super::scope::Answer;
use super::seal::Scope;
use super::{Position, Removed};

/// An installation that is not held: servers may be at work on it.
pub trait Installation: Send + Sync {
    /// The installation's rows.
    fn registry(&self) -> Arc<dyn Registry>;
    /// A scope's rows for reading; `None` where nothing was ever written.
    fn scope(&self, id: ScopeId) -> Answer<'_, Option<Arc<Scope>>>;
    /// Removes the beginning of a scope's audit: entries, and whole journals of dropped messages, that
    /// are older than `before`, on the scope's clock. Where the rest begins is kept.
    fn prune_audit(&self, id: ScopeId, before: Instant) -> Answer<'_, Removed>;
    /// What is wrong with the place where the rows are, and with what holds them: room, logs, settings,
    /// schemas, nodes. `deep` looks at everything, however long that takes.
    fn findings(&self, now: Instant, deep: bool) -> Answer<'_, Vec<Finding>>;
    /// A look at a scope's rows. `now` is real time; what is late is late by more than `grace_ms`.
    fn health(&self, id: ScopeId, now: Instant, grace_ms: i64) -> Answer<'_, Option<ScopeHealth>>;
}

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Note,
    /// It will become an error, or costs more than it should.
    Warning,
    /// Something that must hold does not.
    Error,
}

/// One thing that is wrong with an installation.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// A name that stays, `overdue-timers`.
    pub name: &'static str,
    /// Where: a file, a table, a scope.
    pub place: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// Messages that have something in common: how many, and some of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// How many.
    pub count: u64,
    /// The first of them.
    pub examples: Vec<Id<kinds::Message>>,
}

/// How many of one sort are named.
pub(super) const EXAMPLES_MAX: usize = 3;

/// How much is late, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Late {
    /// How much.
    pub count: u64,
    /// By how many milliseconds the oldest is late.
    pub by_ms: i64,
}

/// What a look at a scope's rows found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScopeHealth {
    /// Messages that are on their way.
    pub live: u64,
    /// Messages with a live state and an ended one.
    pub both: Found,
    /// Messages with neither.
    pub neither: Found,
    /// Live and ended states, contents and attempts without a message.
    pub without_message: u64,
    /// Live messages that nothing will ever move: they have no due time, no call is open, and no
    /// provider took one whose receipt could come.
    pub stuck: Found,
    /// Ended messages with an attempt that has no outcome, and that nobody is to look at any more.
    pub unfinished: Found,
    /// Live and unsettled messages that were due, and were not looked at.
    pub overdue: Late,
    /// Live and unsettled messages whose owner has ended and that nobody has adopted.
    pub orphaned: u64,
    /// Signals that wait for an owner.
    pub signals: Late,
    /// Deliveries that are to be tried again, and are late.
    pub late_deliveries: Late,
    /// Deliveries that are to be tried again.
    pub pending_deliveries: u64,
    /// Dead letters of endpoints that are there.
    pub dead_letters: u64,
    /// How many events the endpoint that is furthest behind has yet to pass.
    pub behind: Option<(Id<kinds::Endpoint>, u64)>,
    /// The newest event.
    pub newest_event: Position,
}
