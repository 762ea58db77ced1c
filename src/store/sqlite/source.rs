//! Reads: a few connections of their own, beside the writer.

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use futures_util::future::BoxFuture;
use sqlx::sqlite::{SqliteArguments, SqlitePool, SqliteRow};
use sqlx::{Arguments as _, AssertSqlSafe, Decode, Row as _, Sqlite, Type};

use super::error::read_error;
use super::shared::Shared;
use crate::store::lookup::Kind;
use crate::store::read::decode::{damaged, get};
use crate::store::read::{Columns, Each, Question, Source, Value};
use crate::store::{NodeId, Position, StoreError};

/// The readers of one scope.
pub(super) struct Reader {
    pub(super) pool: SqlitePool,
    pub(super) shared: Arc<Shared>,
    /// Whether the file can say that a part of its audit was removed.
    pub(super) has_pruned: bool,
    /// Whether it can say of a message that has ended that it is unsettled.
    pub(super) has_unsettled: bool,
}

impl Source for Reader {
    fn ask<'a>(&'a self, question: Question, each: Each<'a>) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let (sql, values) = question.written();
            let arguments = arguments(values);
            let mut rows = sqlx::query_with(AssertSqlSafe(sql), arguments).fetch(&self.pool);
            while let Some(row) = rows.try_next().await.map_err(|error| read_error(&error))? {
                each(&row)?;
            }
            Ok(())
        })
    }

    /// The positions in memory and in the table of look-ups.
    fn look_up(&self, kind: Kind, hash: i64) -> BoxFuture<'_, Result<Option<Vec<Position>>, StoreError>> {
        Box::pin(async move {
            // Memory first: what leaves it in between is in the table by then.
            let mut found = self.shared.tail.find(kind, hash);
            let question = Question::new("SELECT n FROM lookup")
                .and("kind = ?", i64::from(kind as u8))
                .and("hash = ?", hash);
            self.ask(question, &mut |row| {
                found.push(get(row, 0)?);
                Ok(())
            })
            .await?;
            found.sort_unstable_by(|a, b| b.cmp(a));
            found.dedup();
            Ok(Some(found))
        })
    }

    fn node(&self) -> Option<NodeId> {
        None
    }

    fn owner_column(&self) -> &'static str {
        "0"
    }

    fn has_pruned(&self) -> bool {
        self.has_pruned
    }

    fn has_unsettled(&self) -> bool {
        self.has_unsettled
    }

    fn usage_select(&self) -> &'static str {
        "SELECT name, win, start, max(used, 0), told, 0 FROM usage"
    }

    fn health_select(&self) -> &'static str {
        "SELECT provider, doc, 0 FROM provider_state"
    }
}

/// Values as SQLite takes them.
pub(super) fn arguments(values: Vec<Value>) -> SqliteArguments {
    let mut arguments = SqliteArguments::default();
    for value in values {
        // Integers, texts and bytes are always encodable; were one not, the count of the arguments
        // would be short and the statement would be refused.
        let _ = match value {
            Value::Int(value) => arguments.add(value),
            Value::Flag(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value),
            Value::Bytes(value) => arguments.add(value),
            Value::Key(value) => arguments.add(value.to_vec()),
        };
    }
    arguments
}

fn column<'r, T>(row: &'r SqliteRow, column: usize) -> Result<T, StoreError>
where
    T: Decode<'r, Sqlite> + Type<Sqlite>,
{
    row.try_get(column).map_err(|error| StoreError::Io { what: "reading a row", detail: error.to_string() })
}

impl Columns for SqliteRow {
    fn maybe_int(&self, index: usize) -> Result<Option<i64>, StoreError> {
        column(self, index)
    }

    fn maybe_text(&self, index: usize) -> Result<Option<String>, StoreError> {
        column(self, index)
    }

    fn maybe_bytes(&self, index: usize) -> Result<Option<Vec<u8>>, StoreError> {
        column(self, index)
    }

    fn maybe_key(&self, index: usize) -> Result<Option<[u8; 16]>, StoreError> {
        let bytes: Option<&[u8]> = column(self, index)?;
        bytes.map(|bytes| bytes.try_into().map_err(|_| damaged("an id"))).transpose()
    }

    fn flag(&self, index: usize) -> Result<bool, StoreError> {
        column(self, index)
    }
}
