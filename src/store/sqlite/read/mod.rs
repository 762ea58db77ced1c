//! Reads: a few connections of their own, beside the writer.

mod messages;
mod objects;
mod outbox;
mod rows;

use std::sync::Arc;

use sqlx::sqlite::{SqliteArguments, SqlitePool, SqliteRow};
use sqlx::{Arguments as _, AssertSqlSafe};

pub(super) use rows::{audit_row, bytes, get, id, instant, kept_row, maybe_instant};

use super::error::read_error;
use super::shared::Shared;
use crate::store::lookup::Kind;
use crate::store::{Listed, Page, PageStart, Position, Positioned, StoreError};

/// The readers of one scope.
pub(super) struct Reader {
    pub(super) pool: SqlitePool,
    pub(super) shared: Arc<Shared>,
    /// Whether the file can say that a part of its audit was removed.
    pub(super) has_pruned: bool,
}

/// A query that is put together from fixed parts, with its arguments.
pub(super) struct Question {
    sql: String,
    arguments: SqliteArguments,
    conditions: usize,
}

impl Question {
    /// `SELECT … FROM …`
    pub(super) fn new(select: &str) -> Question {
        Question { sql: select.to_owned(), arguments: SqliteArguments::default(), conditions: 0 }
    }

    /// `SELECT … FROM … WHERE …`
    pub(super) fn under(select: String) -> Question {
        Question { sql: select, arguments: SqliteArguments::default(), conditions: 1 }
    }

    /// Adds a condition with one `?`.
    pub(super) fn and<'t, T>(mut self, condition: &str, value: T) -> Question
    where
        T: sqlx::Encode<'t, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
    {
        self.condition(condition);
        self.bind(value)
    }

    /// Adds a condition with one `?`, if there is a value.
    pub(super) fn and_maybe<'t, T>(self, condition: &str, value: Option<T>) -> Question
    where
        T: sqlx::Encode<'t, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
    {
        match value {
            Some(value) => self.and(condition, value),
            None => self,
        }
    }

    /// Adds a condition with many `?`, `{}` standing for them.
    pub(super) fn and_among<'t, T>(mut self, condition: &str, values: impl IntoIterator<Item = T>) -> Question
    where
        T: sqlx::Encode<'t, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
    {
        let before = self.arguments.len();
        for value in values {
            self = self.bind(value);
        }
        let marks = vec!["?"; self.arguments.len() - before].join(",");
        self.condition(&condition.replace("{}", &marks));
        self
    }

    /// Adds what stands at the end, `ORDER BY … LIMIT ?`.
    pub(super) fn end<'t, T>(mut self, end: &str, value: T) -> Question
    where
        T: sqlx::Encode<'t, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
    {
        self.sql.push(' ');
        self.sql.push_str(end);
        self.bind(value)
    }

    fn condition(&mut self, condition: &str) {
        self.sql.push_str(if self.conditions == 0 { " WHERE " } else { " AND " });
        self.sql.push_str(condition);
        self.conditions += 1;
    }

    fn bind<'t, T>(mut self, value: T) -> Question
    where
        T: sqlx::Encode<'t, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
    {
        // Integers, texts and bytes are always encodable.
        let _ = self.arguments.add(value);
        self
    }
}

/// How a row is read.
type Decode<T> = fn(&SqliteRow) -> Result<T, StoreError>;

impl Reader {
    /// All rows of an answer.
    async fn all<T>(&self, question: Question, decode: Decode<T>) -> Result<Vec<T>, StoreError> {
        let rows = sqlx::query_with(AssertSqlSafe(question.sql), question.arguments)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| read_error(&error))?;
        rows.iter().map(decode).collect()
    }

    /// The first row of an answer, if there is one.
    async fn one<T>(&self, question: Question, decode: Decode<T>) -> Result<Option<T>, StoreError> {
        let row = sqlx::query_with(AssertSqlSafe(question.sql), question.arguments)
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| read_error(&error))?;
        row.as_ref().map(decode).transpose()
    }

    /// A page by a column that holds positions.
    async fn page<T>(
        &self,
        question: Question,
        column: &str,
        page: Page,
        decode: Decode<Positioned<T>>,
    ) -> Result<Listed<T>, StoreError> {
        let rows = self.all(paged(question, column, page), decode).await?;
        Ok(listed(rows, page))
    }

    /// The positions that a look-up gives, in memory and in the table, newest first. The rows may
    /// be others with the same hash, or gone: the caller looks.
    async fn look_up(&self, kind: Kind, hash: i64) -> Result<Vec<Position>, StoreError> {
        // Memory first: what leaves it in between is in the table by then.
        let mut found = self.shared.tail.find(kind, hash);
        let question = Question::new("SELECT n FROM lookup")
            .and("kind = ?", i64::from(kind as u8))
            .and("hash = ?", hash);
        found.extend(self.all(question, rows::position).await?);
        found.sort_unstable_by(|a, b| b.cmp(a));
        found.dedup();
        Ok(found)
    }
}

/// One row more than the page has, in the direction in which it is asked for.
fn paged(question: Question, column: &str, page: Page) -> Question {
    let limit = i64::from(page.limit) + 1;
    match page.start {
        PageStart::Newest => question.end(&format!("ORDER BY {column} DESC LIMIT ?"), limit),
        PageStart::After(n) => {
            question.and(&format!("{column} < ?"), n).end(&format!("ORDER BY {column} DESC LIMIT ?"), limit)
        }
        PageStart::Before(n) => {
            question.and(&format!("{column} > ?"), n).end(&format!("ORDER BY {column} LIMIT ?"), limit)
        }
    }
}

/// The page, newest first, of rows in the direction in which they were asked for.
fn listed<T>(mut rows: Vec<Positioned<T>>, page: Page) -> Listed<T> {
    let limit = page.limit as usize;
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    if matches!(page.start, PageStart::Before(_)) {
        rows.reverse();
    }
    Listed { rows, has_more }
}
