//! Pages of a list, newest first, by position.

use super::Position;

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageStart {
    /// At the newest row.
    Newest,
    /// Older than this position.
    After(Position),
    /// Newer than this position, and nearest to it.
    Before(Position),
}

/// Which rows of a list are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Where it begins.
    pub start: PageStart,
    /// How many rows at most.
    pub limit: u32,
}

/// A row and its place in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Positioned<T> {
    /// Its place.
    pub n: Position,
    /// The row.
    pub row: T,
}

/// A page of a list: always newest first, whichever way it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// The rows.
    pub rows: Vec<Positioned<T>>,
    /// Whether there are more rows in the direction asked for: older ones for [`PageStart::Newest`]
    /// and [`PageStart::After`], newer ones for [`From::Before`].
    pub has_more: bool,
}
