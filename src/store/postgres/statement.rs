//! One statement that writes all tables of a batch.
//!
//! Each table's rows come as arrays, a column an array, and each table is a part of one `WITH`. Only
//! the tables that a batch touches are in its text, so that there are few texts and they stay
//! prepared. The parts see one snapshot: no row is written twice in a batch. Where a row has to be as
//! it was seen, the part is counted, and a count that is short says that something was otherwise.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use sqlx::postgres::PgArguments;
use sqlx::{Arguments as _, AssertSqlSafe, PgConnection, Row as _};

use super::column::{Column, Of};
use super::error::{Fault, fault};
use crate::model::ScopeId;
use crate::store::{NodeId, Position, StoreError};

/// How many parameters come before the columns: `$1` the scope, `$2` the first position of the batch,
/// `$3` the node.
const FIXED: usize = 3;
/// What an array has before its values: its length, and five numbers about its form.
const ARRAY_HEAD_BYTES: usize = 24;

/// One table's part. In its texts `{u}` stands for the rows, whose columns are `c1`, `c2` and so on,
/// `{a1}` for all of the first column as an array, and `{p}` for the part's own name.
pub(super) struct Part {
    /// The columns of its rows.
    pub(super) columns: &'static [Of],
    /// What is written.
    pub(super) sql: &'static str,
    /// What is counted, where it must be as many as there are rows, and what is in conflict if not.
    pub(super) counted: Option<Counted>,
    /// How large its columns were in the batch before.
    pub(super) sizes: Sizes,
}

/// The bytes of each column in the batch before, which the next one's are likely to have too: room for them is
/// made at once, not by copying again and again.
pub(super) struct Sizes([AtomicUsize; COLUMNS_MAX]);

/// The most columns of a part.
const COLUMNS_MAX: usize = 12;
/// The most bytes for which room is made beforehand.
const ROOM_BYTES_MAX: usize = 1 << 20;

impl Sizes {
    pub(super) const fn new() -> Sizes {
        Sizes([const { AtomicUsize::new(0) }; COLUMNS_MAX])
    }

    fn of(&self, column: usize) -> usize {
        self.0.get(column).map_or(0, |size| size.load(Ordering::Relaxed)).min(ROOM_BYTES_MAX)
    }

    fn note(&self, column: usize, bytes: usize) {
        if let Some(size) = self.0.get(column) {
            size.store(bytes, Ordering::Relaxed);
        }
    }
}

/// How a part is counted.
pub(super) struct Counted {
    /// The expression that counts.
    pub(super) count: &'static str,
    /// What is in conflict where the count is short.
    pub(super) what: &'static str,
    /// Finds out which rows are otherwise, before they are tried again: a condition over `{u}`.
    pub(super) otherwise: &'static str,
}

const WRITTEN: &str = "(SELECT count(*) FROM {p})";

impl Counted {
    /// Counts the rows that were written.
    pub(super) const fn written(what: &'static str, otherwise: &'static str) -> Option<Counted> {
        Some(Counted { count: WRITTEN, what, otherwise })
    }
}

/// Rows of one part.
pub(super) struct Table {
    columns: Vec<Column>,
    at: usize,
    /// Which change each row belongs to.
    pub(super) jobs: Vec<u32>,
}

impl Table {
    fn new(part: &Part) -> Table {
        let columns = part.columns.iter().enumerate();
        let columns = columns.map(|(place, of)| Column::with_room(*of, part.sizes.of(place))).collect();
        Table { columns, at: 0, jobs: Vec::new() }
    }

    fn push(&mut self, value: Option<&[u8]>) -> &mut Table {
        if let Some(column) = self.columns.get_mut(self.at) {
            column.push(value);
        }
        self.at += 1;
        self
    }

    pub(super) fn int(&mut self, value: impl Into<i64>) -> &mut Table {
        self.push(Some(&value.into().to_be_bytes()))
    }

    pub(super) fn maybe_int(&mut self, value: Option<i64>) -> &mut Table {
        match value {
            Some(value) => self.int(value),
            None => self.push(None),
        }
    }

    pub(super) fn bytes(&mut self, value: &[u8]) -> &mut Table {
        self.push(Some(value))
    }

    pub(super) fn maybe_bytes(&mut self, value: Option<&[u8]>) -> &mut Table {
        self.push(value)
    }

    pub(super) fn text(&mut self, value: &str) -> &mut Table {
        self.push(Some(value.as_bytes()))
    }

    pub(super) fn maybe_text(&mut self, value: Option<&str>) -> &mut Table {
        self.push(value.map(str::as_bytes))
    }
}

/// The rows of one batch.
pub(super) struct Tables {
    parts: &'static [Part],
    tables: Vec<Option<Table>>,
}

impl Tables {
    pub(super) fn new(parts: &'static [Part]) -> Tables {
        Tables { parts, tables: parts.iter().map(|_| None).collect() }
    }

    /// Begins a row of a part, which belongs to a change.
    pub(super) fn row(&mut self, part: usize, job: u32) -> &mut Table {
        let table = self.tables[part].get_or_insert_with(|| Table::new(&self.parts[part]));
        table.at = 0;
        table.jobs.push(job);
        table
    }

    /// The rows of a part, if there are any.
    pub(super) fn of(&self, part: usize) -> Option<&Table> {
        self.tables[part].as_ref()
    }

    /// Takes the rows of a part out.
    pub(super) fn forget(&mut self, part: usize) {
        self.tables[part] = None;
    }

    fn present(&self) -> impl Iterator<Item = (usize, &Table)> {
        self.tables.iter().enumerate().filter_map(|(part, table)| Some((part, table.as_ref()?)))
    }

    /// Writes all rows. Gives the parts whose count is short.
    pub(super) async fn write(
        &self,
        conn: &mut PgConnection,
        prepares: bool,
        scope: ScopeId,
        base: Position,
        node: NodeId,
    ) -> Result<Vec<usize>, Fault> {
        let mask = self.present().fold(0_u64, |mask, (part, _)| mask | (1 << part));
        if mask == 0 {
            return Ok(Vec::new());
        }
        let mut arguments = fixed(scope, base, node)?;
        let (mut count, mut bytes) = (0, 0);
        for (part, table) in self.present() {
            for (place, column) in table.columns.iter().enumerate() {
                self.parts[part].sizes.note(place, column.bytes());
                (count, bytes) = (count + 1, bytes + column.bytes() + ARRAY_HEAD_BYTES);
            }
        }
        arguments.reserve(count, bytes);
        for column in self.present().flat_map(|(_, table)| &table.columns) {
            add(&mut arguments, column)?;
        }
        let row = sqlx::query_with(AssertSqlSafe(self.text(mask)), arguments)
            .persistent(prepares)
            .fetch_one(conn)
            .await
            .map_err(|error| fault(&error, what_of(&error)))?;
        let counted = self.present().filter(|(part, _)| self.parts[*part].counted.is_some());
        let mut short = Vec::new();
        for (column, (part, table)) in counted.enumerate() {
            let count: i64 = row.try_get(column).map_err(|error| fault(&error, "a row"))?;
            if count != table.jobs.len() as i64 {
                short.push(part);
            }
        }
        Ok(short)
    }

    /// Which rows of a part are otherwise than was expected, as the database stands.
    pub(super) async fn otherwise(
        &self,
        conn: &mut PgConnection,
        part: usize,
        scope: ScopeId,
        node: NodeId,
    ) -> Result<Vec<u32>, Fault> {
        let (Some(table), Some(counted)) = (self.of(part), &self.parts[part].counted) else {
            return Ok(Vec::new());
        };
        let mut arguments = fixed(scope, 0, node)?;
        for column in &table.columns {
            add(&mut arguments, column)?;
        }
        let names: String = (1..=table.columns.len()).map(|column| format!("c{column}, ")).collect();
        let sql = format!(
            "SELECT i FROM unnest({}) WITH ORDINALITY AS u ({names}i) WHERE {}",
            arrays(FIXED, &table.columns).join(", "),
            counted.otherwise
        );
        let rows = sqlx::query_with(AssertSqlSafe(sql), arguments)
            .persistent(false)
            .fetch_all(conn)
            .await
            .map_err(|error| fault(&error, counted.what))?;
        let jobs = rows.iter().filter_map(|row| {
            let row: i64 = row.get(0);
            table.jobs.get(usize::try_from(row - 1).ok()?).copied()
        });
        Ok(jobs.collect())
    }

    /// What is in conflict where a part's count is short.
    pub(super) fn what(&self, part: usize) -> &'static str {
        self.parts[part].counted.as_ref().map_or("a row", |counted| counted.what)
    }

    /// The text for the parts in the mask; made once.
    pub(super) fn text(&self, mask: u64) -> Arc<str> {
        type Texts = Mutex<HashMap<u64, Arc<str>>>;
        static TEXTS: OnceLock<Texts> = OnceLock::new();
        let mut texts = TEXTS.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(texts.entry(mask).or_insert_with(|| {
            let (mut with, mut counts) = (String::new(), String::new());
            let mut used = FIXED;
            for (index, table) in self.present() {
                let part = &self.parts[index];
                let arrays = arrays(used, &table.columns);
                // Row by row from the arrays; a function in FROM would first be copied, a column at a time.
                let columns: Vec<String> =
                    arrays.iter().zip(1..).map(|(array, c)| format!("unnest({array}) AS c{c}")).collect();
                let rows = format!("(SELECT {}) AS u", columns.join(", "));
                used += table.columns.len();
                let (name, first) = (format!("p{index}"), arrays.first().cloned().unwrap_or_default());
                let filled =
                    |text: &str| text.replace("{u}", &rows).replace("{a1}", &first).replace("{p}", &name);
                // Writing into a string does not fail.
                let _ = write!(with, "{}{}", if with.is_empty() { "WITH " } else { ", " }, filled(part.sql));
                if let Some(counted) = &part.counted {
                    let comma = if counts.is_empty() { "" } else { ", " };
                    let _ = write!(counts, "{comma}({})::int8", filled(counted.count));
                }
            }
            if counts.is_empty() {
                counts.push('1');
            }
            format!("{with} SELECT {counts}").into()
        }))
    }
}

/// `$4::int8[]`, `$5::uuid[]`, …
fn arrays(used: usize, columns: &[Column]) -> Vec<String> {
    let marks = columns.iter().zip(used + 1..).map(|(column, number)| {
        let of = match column.of() {
            Of::Int => "int8",
            Of::Text => "text",
            Of::Bytes => "bytea",
            Of::Key => "uuid",
        };
        format!("${number}::{of}[]")
    });
    marks.collect()
}

fn add<'t, T>(arguments: &mut PgArguments, value: T) -> Result<(), Fault>
where
    T: sqlx::Encode<'t, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    arguments
        .add(value)
        .map_err(|error| Fault::Store(StoreError::Io { what: "writing", detail: error.to_string() }))
}

fn fixed(scope: ScopeId, base: Position, node: NodeId) -> Result<PgArguments, Fault> {
    let mut arguments = PgArguments::default();
    for value in [scope.0, base, node.0] {
        add(&mut arguments, value)?;
    }
    Ok(arguments)
}

/// What is in conflict, by the table in which a row was there already.
fn what_of(error: &sqlx::Error) -> &'static str {
    match error.as_database_error().and_then(|error| error.table()) {
        Some("message" | "content" | "live" | "ended") => "a message",
        Some("journal") => "a transition",
        Some("event") => "an event",
        Some("attempt") => "an attempt",
        Some("outcome") => "an outcome",
        Some("delivery") => "a delivery",
        _ => "a row",
    }
}
