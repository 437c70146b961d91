//! Lists: which rows, in which order, from where on, and how many there are.
//!
//! Every list is read in pages, and through `Store::list`. A page starts at an offset, or behind
//! the last row of the page before it, which its cursor names. A cursor neither repeats nor skips a
//! row that stays where it is, whatever is added and deleted meanwhile.
//!
//! * `query.rs`: lists that are one range of one index, which most are.
//! * `tasks.rs`: the lists of tasks, which are put together from several stretches.
//! * `dialect.rs`: the parts of their texts in which the dialects differ.
//! * `filter.rs`: which tasks a list has.
//! * `cursor.rs`: what a cursor says.

mod cursor;
mod dialect;
mod filter;
mod query;
mod sort;
mod tasks;

use crate::{
    Result, Store,
    engine::{Parameter, Rows, Statement},
};

pub(crate) use cursor::{Key, List as CursorOf};
pub use filter::{Claimable, Filter};
pub(crate) use query::{Listing, Order, Place};
pub(crate) use tasks::{Tasks, UNFINISHED};

/// The largest offset. A database passes over all rows before an offset, so what lies further on is
/// read by cursor.
pub const OFFSET_MAX: i64 = 10_000;

/// A page of a list.
#[derive(Clone, Debug)]
pub struct Page {
    /// At most so many rows.
    pub limit: i64,
    /// From where on.
    pub start: Start,
}

/// Where a page starts.
#[derive(Clone, Debug)]
pub enum Start {
    /// After so many rows, at most [`OFFSET_MAX`].
    Offset(i64),
    /// Where the page ended whose `next_cursor` this is.
    Cursor(String),
}

impl Page {
    /// The first rows.
    pub const fn first(limit: i64) -> Self {
        Self::at(limit, 0)
    }

    /// The rows after an offset.
    pub const fn at(limit: i64, offset: i64) -> Self {
        Self { limit, start: Start::Offset(offset) }
    }

    /// The rows after the page whose `next_cursor` this is.
    pub fn after(limit: i64, cursor: impl Into<String>) -> Self {
        Self { limit, start: Start::Cursor(cursor.into()) }
    }

    fn offset(&self) -> i64 {
        match self.start {
            Start::Offset(offset) => offset.clamp(0, OFFSET_MAX),
            Start::Cursor(_) => 0,
        }
    }

    /// The key of the row that the page starts behind; none if it starts at an offset.
    fn key(&self, list: &CursorOf, texts: &[bool]) -> Result<Option<Key>> {
        match &self.start {
            Start::Offset(_) => Ok(None),
            Start::Cursor(cursor) => Ok(Some(list.read(cursor, texts)?)),
        }
    }
}

/// A page of a list.
#[derive(Clone, Debug)]
pub struct Listed<T> {
    /// The rows.
    pub items: Vec<T>,
    /// How many rows match in all. Pages that start at a cursor do not count them.
    pub total: Option<i64>,
    /// Whether `total` is what was counted before counting was given up: at least so many match.
    pub total_is_partial: bool,
    /// Where the next page starts; `None` at the end of the list.
    pub next_cursor: Option<String>,
}

impl Store {
    /// Reads a list: every list is read here. A tenant that asks for much waits for its own reads,
    /// so that some of the engine's readers are left for the others.
    pub(crate) async fn list(
        &self,
        scope: Option<&str>,
        batch: Vec<Statement>,
    ) -> Result<Vec<Rows>> {
        let _pass = self.gate.enter(scope.unwrap_or_default()).await?;
        Ok(self.engine.read_much(batch).await?)
    }
}

/// A list of texts as one parameter, for `IN (SELECT value FROM json_each(?#))`.
pub(crate) fn json(values: &[String]) -> Parameter {
    serde_json::Value::from(values).to_string().into()
}

/// The same where an empty list is no filter, for `?# IS NULL OR … IN (…)`.
pub(crate) fn json_unless_empty(values: &[String]) -> Parameter {
    if values.is_empty() { Parameter::Text(None) } else { json(values) }
}
