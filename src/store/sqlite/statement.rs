//! Statements that carry many rows.
//!
//! A batch is one statement a table: `INSERT … SELECT … FROM (VALUES (…), (…), …)`. The number of
//! rows is rounded up to one of a few sizes, so that few texts are prepared and kept; the rows too
//! many have no arguments, are therefore NULL, and are left out by `column1 IS NOT NULL`.

use std::sync::{Arc, OnceLock};

use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Arguments as _, AssertSqlSafe};

use super::error::{Fault, fault};

/// The sizes of a statement in rows.
const ROWS: [usize; 14] = [1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256];
/// The most rows in one statement.
const ROWS_MAX: usize = ROWS[ROWS.len() - 1];

/// A statement over many rows of one shape.
pub(super) struct Bulk {
    /// The text before the rows.
    head: &'static str,
    /// How many columns a row has.
    columns: usize,
    /// The text after the rows.
    tail: &'static str,
    /// What is in conflict when the database reports another number of rows than were given;
    /// `None` where the number says nothing.
    counted: Option<&'static str>,
    texts: [OnceLock<Arc<str>>; ROWS.len()],
}

impl Bulk {
    /// `head (VALUES …) tail`.
    pub(super) const fn new(
        head: &'static str,
        columns: usize,
        tail: &'static str,
        counted: Option<&'static str>,
    ) -> Bulk {
        Bulk { head, columns, tail, counted, texts: [const { OnceLock::new() }; ROWS.len()] }
    }

    pub(super) fn text(&self, rows: usize) -> Arc<str> {
        let size = ROWS.iter().position(|&size| size >= rows).unwrap_or(ROWS.len() - 1);
        Arc::clone(self.texts[size].get_or_init(|| {
            let row = format!("(?{})", ",?".repeat(self.columns - 1));
            let rows = vec![row; ROWS[size]].join(",");
            format!("{} (VALUES {rows}) {}", self.head, self.tail).into()
        }))
    }
}

/// Rows for a [`Bulk`], gathered one value after the other.
#[derive(Default)]
pub(super) struct Rows {
    full: Vec<SqliteArguments>,
    last: SqliteArguments,
    values: usize,
}

impl Rows {
    /// Begins a row of so many columns.
    pub(super) fn begin(&mut self, bulk: &Bulk) -> &mut Rows {
        if self.values == bulk.columns * ROWS_MAX {
            self.full.push(std::mem::take(&mut self.last));
            self.values = 0;
        }
        self
    }

    fn add<'t, T>(&mut self, value: T) -> &mut Rows
    where
        T: sqlx::Encode<'t, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
    {
        // Integers, texts and bytes are always encodable; were one not, the count of the
        // arguments would be short and the statement would be refused as a whole.
        let _ = self.last.add(value);
        self.values += 1;
        self
    }

    pub(super) fn int(&mut self, value: impl Into<i64>) -> &mut Rows {
        self.add::<i64>(value.into())
    }

    pub(super) fn maybe_int(&mut self, value: Option<i64>) -> &mut Rows {
        self.add(value)
    }

    pub(super) fn blob(&mut self, value: &[u8]) -> &mut Rows {
        self.add(value)
    }

    pub(super) fn maybe_blob(&mut self, value: Option<&[u8]>) -> &mut Rows {
        self.add(value)
    }

    pub(super) fn text(&mut self, value: &str) -> &mut Rows {
        self.add(value)
    }

    pub(super) fn maybe_text(&mut self, value: Option<&str>) -> &mut Rows {
        self.add(value)
    }

    /// Whether there is none.
    pub(super) const fn is_empty(&self) -> bool {
        self.values == 0
    }

    /// The arguments of each statement, and its rows.
    fn statements(self, bulk: &Bulk) -> impl Iterator<Item = (SqliteArguments, usize)> + use<> {
        let last = (self.values > 0).then(|| (self.last, self.values / bulk.columns));
        self.full.into_iter().map(|arguments| (arguments, ROWS_MAX)).chain(last)
    }

    /// Runs the query over all rows.
    pub(super) async fn fetch(
        self,
        bulk: &Bulk,
        conn: &mut SqliteConnection,
    ) -> Result<Vec<SqliteRow>, sqlx::Error> {
        let mut found = Vec::new();
        for (arguments, rows) in self.statements(bulk) {
            found.extend(
                sqlx::query_with(AssertSqlSafe(bulk.text(rows)), arguments).fetch_all(&mut *conn).await?,
            );
        }
        Ok(found)
    }

    /// Runs the statement over all rows.
    pub(super) async fn run(self, bulk: &Bulk, conn: &mut SqliteConnection) -> Result<(), Fault> {
        for (arguments, rows) in self.statements(bulk) {
            let done = sqlx::query_with(AssertSqlSafe(bulk.text(rows)), arguments)
                .execute(&mut *conn)
                .await
                .map_err(|error| fault(&error, bulk.counted.unwrap_or("a row")))?;
            if let Some(what) = bulk.counted
                && done.rows_affected() != rows as u64
            {
                return Err(Fault::Conflict(what));
            }
        }
        Ok(())
    }
}
