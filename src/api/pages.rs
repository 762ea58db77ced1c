//! Pages of lists: where one begins, and the cursors that lead on from it.

use serde::Serialize;

use super::call::{Answer, Call};
use super::conventions::cursor::Binding;
use super::conventions::problem::{Fault, Problem};
use crate::store::{Listed, Page, PageStart, Position};

impl Call {
    /// A list's page from its cursors and limit.
    ///
    /// # Errors
    /// `parameter_invalid` with both cursors, `cursor_invalid` with one of another list.
    pub fn page(&self, query: &PageQuery, filter: &str) -> Result<Page, Problem> {
        let limit = query.limit.unwrap_or(PageQuery::LIMIT_DEFAULT);
        let secret = self.cursor_secret();
        let at = self.binding(&secret, filter);
        let start = match (&query.after, &query.before) {
            (Some(_), Some(_)) => {
                return Err(Problem::parameters(vec![Fault::parameter(
                    "before",
                    "cannot stand beside `after`",
                )]));
            }
            (Some(after), None) => PageStart::After(at.read(after)?),
            (None, Some(before)) => PageStart::Before(at.read(before)?),
            (None, None) => PageStart::Newest,
        };
        Ok(Page { start, limit })
    }

    /// The cursor of a position in what is no list.
    #[must_use]
    pub fn cursor(&self, position: Position) -> String {
        self.binding(&self.cursor_secret(), "").write(position)
    }

    /// The position of such a cursor.
    ///
    /// # Errors
    /// `cursor_invalid` for what is none, or one of something else.
    pub fn position(&self, cursor: &str) -> Result<Position, Problem> {
        self.binding(&self.cursor_secret(), "").read(cursor)
    }

    fn cursor_secret(&self) -> [u8; 32] {
        self.scope.fingerprint(&[b"cursors"])
    }

    fn binding<'a>(&'a self, secret: &'a [u8; 32], filter: &'a str) -> Binding<'a> {
        Binding { secret, scope: self.scope.id().0, list: &self.list, filter }
    }

    /// The answer of a list.
    ///
    /// # Errors
    /// `internal` for what cannot be written.
    pub fn listed<T, S: Serialize>(
        &self,
        page: Page,
        filter: &str,
        listed: Listed<T>,
        mut show: impl FnMut(T) -> Result<S, Problem>,
    ) -> Result<Answer, Problem> {
        let secret = self.cursor_secret();
        let at = self.binding(&secret, filter);
        let (first, last) = (listed.rows.first().map(|r| r.n), listed.rows.last().map(|r| r.n));
        // On an empty page both cursors stay where the reader stands.
        let here = match page.start {
            PageStart::Newest => 0,
            PageStart::After(n) | PageStart::Before(n) => n,
        };
        let older = match page.start {
            // Whoever reads upwards came from older rows, or from an empty list.
            PageStart::Before(n) => n > 0,
            PageStart::Newest | PageStart::After(_) => listed.has_more,
        };
        let newer = match page.start {
            PageStart::After(n) if first.is_none() => n.saturating_sub(1),
            _ => first.unwrap_or(here),
        };
        let data: Vec<S> = listed.rows.into_iter().map(|r| show(r.row)).collect::<Result<_, _>>()?;
        Answer::json(
            200,
            &ListBody {
                data,
                has_more: listed.has_more,
                next_cursor: older.then(|| at.write(last.unwrap_or_else(|| here.saturating_add(1)))),
                prev_cursor: at.write(newer),
            },
        )
    }
}

/// The query parameters that every list takes.
#[derive(Debug, Clone, Default)]
pub struct PageQuery {
    /// How many rows at most.
    pub limit: Option<u32>,
    /// The rows older than this cursor.
    pub after: Option<String>,
    /// The rows newer than this cursor.
    pub before: Option<String>,
}

impl PageQuery {
    /// Rows of a page where nothing is said.
    pub const LIMIT_DEFAULT: u32 = 20;
}

/// A page of a list.
#[derive(Debug, Serialize)]
struct ListBody<T> {
    data: Vec<T>,
    has_more: bool,
    next_cursor: Option<String>,
    prev_cursor: String,
}
