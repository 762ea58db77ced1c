//! Questions after attempts.

use super::messages::LOOKED_UP_CHUNK;
use super::{Question, Source, decode as rows};
use crate::model::{Channel, Id, Instant, kinds};
use crate::store::lookup::{self, Kind};
use crate::store::rows::{AddressHash, StoredAttempt};
use crate::store::{Position, StoreError};

/// An attempt with its newest outcome, in the order of [`rows::attempt`].
const ATTEMPT_COLUMNS: &str = "a.n, a.message, m.id, a.id, a.provider, a.channel, a.at, a.address, a.doc, \
     o.outcome, o.provider, o.provider_message_id, o.at, o.detail";
pub(in crate::store) const ATTEMPT_OF_MESSAGE: &str = "attempt a CROSS JOIN message m ON m.n = a.message";
/// Its message is named beside its position: a planner that does not look the position up would else read the
/// outcomes of all messages.
const NEWEST_OUTCOME: &str = "LEFT JOIN outcome o ON o.message = a.message AND o.n = \
     (SELECT max(n) FROM outcome WHERE message = a.message AND attempt = a.id)";

impl dyn Source + '_ {
    pub(in crate::store) async fn attempts(
        &self,
        message: Position,
    ) -> Result<Vec<StoredAttempt>, StoreError> {
        let question = Question::new(attempts_from(ATTEMPT_OF_MESSAGE))
            .and("a.message = ?", message)
            .end("ORDER BY a.n LIMIT ?", i64::MAX);
        self.all(question, rows::attempt).await
    }

    pub(in crate::store) async fn unfinished(
        &self,
        after: Option<(Position, Position)>,
        limit: u32,
    ) -> Result<Vec<StoredAttempt>, StoreError> {
        let (message, attempt) = after.unwrap_or_default();
        let mut found = Vec::new();
        for table in self.under_way() {
            // Led by the smaller table, so that the attempts of what is over are not read.
            let from = format!(
                "{table} l CROSS JOIN attempt a ON a.message = l.n CROSS JOIN message m ON m.n = l.n"
            );
            let question = Question::new(attempts_from(&from))
                .and("o.n IS NULL AND l.n >= ?", message)
                .and_both("(l.n > ? OR a.n > ?)", message, attempt);
            let question = self.own(question).end("ORDER BY l.n, a.n LIMIT ?", i64::from(limit));
            found.extend(self.all(question, rows::attempt).await?);
        }
        found.sort_unstable_by_key(|attempt| (attempt.message, attempt.n));
        found.truncate(limit as usize);
        Ok(found)
    }

    pub(in crate::store) async fn attempt(
        &self,
        id: Id<kinds::Attempt>,
    ) -> Result<Option<StoredAttempt>, StoreError> {
        let found = match self.look_up(Kind::Attempt, lookup::of_id(id)).await? {
            Some(positions) => self.attempts_at(&positions).await?,
            None => {
                let question =
                    Question::new(attempts_from(ATTEMPT_OF_MESSAGE)).and("a.id = ?", id.to_bytes());
                self.all(question, rows::attempt).await?
            }
        };
        Ok(found.into_iter().find(|attempt| attempt.row.id == id))
    }

    pub(in crate::store) async fn attempts_by_provider_id(
        &self,
        provider: &str,
        id: &str,
    ) -> Result<Vec<StoredAttempt>, StoreError> {
        let from = "outcome x CROSS JOIN attempt a ON a.message = x.message AND a.id = x.attempt \
                    CROSS JOIN message m ON m.n = a.message";
        let question = || {
            Question::new(attempts_from(from))
                .and("x.provider = ?", provider)
                .and("x.provider_message_id = ?", id)
        };
        let mut found = Vec::new();
        match self.look_up(Kind::ProviderId, lookup::of_provider_id(provider, id)).await? {
            None => found = self.all(question(), rows::attempt).await?,
            Some(positions) => {
                for n in positions {
                    found.extend(self.all(question().and("x.n = ?", n), rows::attempt).await?);
                }
            }
        }
        found.sort_by_key(|attempt| -attempt.n);
        found.dedup_by_key(|attempt| attempt.n);
        Ok(found)
    }

    pub(in crate::store) async fn attempts_to(
        &self,
        channel: Channel,
        address: AddressHash,
        since: Instant,
        limit: u32,
    ) -> Result<Vec<StoredAttempt>, StoreError> {
        let Some(positions) = self.look_up(Kind::Address, lookup::of_address(address)).await? else {
            let question = Question::new(attempts_from(ATTEMPT_OF_MESSAGE))
                .and("a.address = ?", address.0)
                .and("a.channel = ?", channel.index() as i64)
                .and("a.at >= ?", since.ms())
                .end("ORDER BY a.n DESC LIMIT ?", i64::from(limit));
            return self.all(question, rows::attempt).await;
        };
        let mut found = Vec::new();
        for chunk in positions.chunks(LOOKED_UP_CHUNK) {
            let some = self.attempts_at(chunk).await?;
            let oldest = some.iter().map(|attempt| attempt.row.at).min();
            found.extend(some.into_iter().filter(|attempt| {
                attempt.row.address == Some(address)
                    && attempt.row.channel == channel
                    && attempt.row.at >= since
            }));
            if found.len() >= limit as usize || oldest.is_some_and(|oldest| oldest < since) {
                break;
            }
        }
        found.truncate(limit as usize);
        Ok(found)
    }

    /// The attempts at these positions, newest first.
    async fn attempts_at(&self, positions: &[Position]) -> Result<Vec<StoredAttempt>, StoreError> {
        if positions.is_empty() {
            return Ok(Vec::new());
        }
        let question = Question::new(attempts_from(ATTEMPT_OF_MESSAGE))
            .and_among("a.n IN ({})", positions.iter().copied())
            .end("ORDER BY a.n DESC LIMIT ?", i64::MAX);
        self.all(question, rows::attempt).await
    }
}

/// Attempts with their newest outcomes.
pub(in crate::store) fn attempts_from(from: &str) -> String {
    format!("SELECT {ATTEMPT_COLUMNS} FROM {from} {NEWEST_OUTCOME}")
}
