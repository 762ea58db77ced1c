//! Reads, as the role of requests, a transaction each.

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use futures_util::future::BoxFuture;
use sqlx::postgres::{PgArguments, PgPool};
use sqlx::{Arguments as _, AssertSqlSafe};

use super::bound::Bound;
use super::column::Key;
use super::connect::As;
use super::error::{Fault, fault};
use crate::model::ScopeId;
use crate::store::lookup::Kind;
use crate::store::read::{Each, Gathers, Question, Source, Value};
use crate::store::{NodeId, Position, StoreError};

/// How often a read is tried: more often than a pool has connections, each of which may have been cut
/// while it was idle.
pub(super) const TRIES: u32 = 12;

/// The readers of one scope.
pub(super) struct Reader {
    pub(super) pool: PgPool,
    pub(super) prepares: bool,
    pub(super) scope: ScopeId,
    pub(super) node: NodeId,
    pub(super) bound: Arc<Bound>,
    /// Whether the schema can say of a message that has ended that it is unsettled.
    pub(super) has_unsettled: bool,
    pub(super) gathers: Gathers,
}

impl Reader {
    async fn asked(&self, question: Question, each: Each<'_>) -> Result<(), StoreError> {
        let question = match question.is_listed_by() {
            None => question,
            Some(column) => question.and(&format!("{column} < ?"), self.bound.settled().await?),
        };
        let (sql, values) = question.written();
        // SQLite keeps to the order in which a CROSS JOIN is written; here the planner has one of its own.
        let sql: Arc<str> = sql.replace("CROSS JOIN", "JOIN").into();
        let mut tries = 0;
        loop {
            tries += 1;
            let mut handed_over = false;
            match self.once(&sql, values.clone(), each, &mut handed_over).await {
                Ok(()) => return Ok(()),
                // A connection that was cut while it was idle is found out by the first who uses it.
                Err(Fault::Lost(_) | Fault::Again(_)) if tries < TRIES && !handed_over => {}
                Err(fault) => return Err(fault.told()),
            }
        }
    }

    async fn once(
        &self,
        sql: &Arc<str>,
        values: Vec<Value>,
        each: Each<'_>,
        handed_over: &mut bool,
    ) -> Result<(), Fault> {
        let failed = |error: sqlx::Error| fault(&error, "a row");
        // A read that its caller gives up is undone before the connection is used again.
        let begin = AssertSqlSafe(As::Api(self.scope).begin());
        let mut tx = self.pool.begin_with(begin).await.map_err(failed)?;
        {
            let mut rows = sqlx::query_with(AssertSqlSafe(Arc::clone(sql)), arguments(values)?)
                .persistent(self.prepares)
                .fetch(&mut *tx);
            while let Some(row) = rows.try_next().await.map_err(failed)? {
                *handed_over = true;
                each(&row)?;
            }
        }
        // Nothing was written: that the transaction ends is not waited for. The pool sees to it before it
        // gives the connection again.
        drop(tx);
        Ok(())
    }
}

/// Values as PostgreSQL takes them.
pub(super) fn arguments(values: Vec<Value>) -> Result<PgArguments, Fault> {
    let mut arguments = PgArguments::default();
    for value in values {
        match value {
            Value::Int(value) => arguments.add(value),
            Value::Flag(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value),
            Value::Bytes(value) => arguments.add(value),
            Value::Key(value) => arguments.add(Key(value)),
        }
        .map_err(|error| {
            Fault::Store(StoreError::Io { what: "asking the database", detail: error.to_string() })
        })?;
    }
    Ok(arguments)
}

impl Source for Reader {
    fn ask<'a>(&'a self, question: Question, each: Each<'a>) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.asked(question, each))
    }

    /// The tables have indexes.
    fn look_up(&self, _kind: Kind, _hash: i64) -> BoxFuture<'_, Result<Option<Vec<Position>>, StoreError>> {
        Box::pin(async { Ok(None) })
    }

    fn gathers(&self) -> Option<&Gathers> {
        Some(&self.gathers)
    }

    fn node(&self) -> Option<NodeId> {
        Some(self.node)
    }

    fn owner_column(&self) -> &'static str {
        "coalesce(l.owner, e.owner)"
    }

    fn has_pruned(&self) -> bool {
        true
    }

    fn has_unsettled(&self) -> bool {
        self.has_unsettled
    }

    fn usage_select(&self) -> &'static str {
        "SELECT name, win, start, used, told, held FROM (SELECT u.name, u.win, u.start, \
           greatest(sum(u.add), 0)::int8 AS used, max(u.told)::int8 AS told, \
           greatest(coalesce((SELECT sum(h.add) FROM usage h WHERE h.name = u.name AND h.win = 2), 0), 0)::int8 \
             AS held \
         FROM usage u WHERE u.win < 2 GROUP BY u.name, u.win, u.start) AS counters"
    }

    fn health_select(&self) -> &'static str {
        "SELECT provider, doc, version FROM provider_state"
    }
}
