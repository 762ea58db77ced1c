//! What goes once it is old.
//!
//! Dropping is done in small parts, each a transaction of its own, so that nobody waits for long.
//! What may go is decided by the rows alone: nothing that is still to be done is ever dropped, however
//! old it is, and the audit is not dropped at all.

use crate::model::Instant;

/// What of a scope may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Old {
    /// Messages that have ended, with their content, attempts, outcomes, events and the deliveries of
    /// those. Never one that is live, or an event of which an endpoint has yet to pass, a delivery of
    /// which is pending, or one of whose deliveries stands in the dead letters of an endpoint that
    /// exists. Their journal stays: it belongs to the audit.
    Messages {
        /// Ended before this, on the scope's clock.
        ended_before: Instant,
        /// Whose id was minted before this, in real time: the first answer of a message is kept in its
        /// rows, for as long as answers are kept.
        minted_before: Instant,
    },
    /// Events, with their deliveries: those that every enabled endpoint has passed, and of which no
    /// delivery is pending or a dead letter of an endpoint that exists.
    Events {
        /// Happened before this, on the scope's clock.
        before: Instant,
    },
    /// Answers kept under idempotency keys.
    Answers {
        /// Given before this, in real time.
        before: Instant,
    },
}

/// What one part of dropping did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropped {
    /// How many messages, events or answers went.
    pub dropped: u64,
    /// Whether there may be more. The next call goes on from where this one ended, past what must
    /// stay; once there is no more, the call after begins anew.
    pub more: bool,
}

/// Where a chain of the audit begins, because the operator removed what was before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pruned {
    /// Everything that was removed is older than this.
    pub before: Instant,
    /// How many entries were removed, over all times.
    pub entries: u64,
    /// Of the scope's own audit: the hash of the last entry that was removed, on which the first that
    /// is there hangs. Of the journals: the hashes of the last transitions of all that were removed,
    /// chained in the order in which they went.
    pub hash: [u8; 32],
}

/// What the operator removed of a scope's audit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PrunedAudit {
    /// Of the scope's own audit.
    pub audit: Option<Pruned>,
    /// Of the journals of messages that were dropped; an entry is a message.
    pub journals: Option<Pruned>,
}

/// What the operator's removal took, this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// Entries of the scope's own audit.
    pub entries: u64,
    /// Messages that were dropped before, whose journal went.
    pub messages: u64,
}
