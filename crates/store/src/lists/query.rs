//! A list that is a range of one index: conditions, an order, and a page.

use std::fmt::Debug;

use super::{CursorOf, Listed, Page};
use crate::{
    Result, Sql, Store, StoreError, all,
    engine::{Parameter, Row, Statement, Value},
    row::number,
};

/// A column that a list is ordered by. What PostgreSQL orders the rows of a scope by is an
/// expression that only an index of scopes has: by the bare column it might walk through the
/// primary key, past the rows of all others.
pub(crate) struct Place {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
    pub(crate) is_text: bool,
}

impl Place {
    /// A number that is ordered by as it stands.
    pub(crate) const fn number(column: &'static str) -> Self {
        Self { sqlite: column, postgres: column, is_text: false }
    }

    /// A text that is ordered by as it stands.
    pub(crate) const fn text(column: &'static str) -> Self {
        Self { sqlite: column, postgres: column, is_text: true }
    }

    /// The same with the expression that PostgreSQL's index has.
    pub(crate) const fn indexed(self, postgres: &'static str) -> Self {
        Self { postgres, ..self }
    }
}

/// A list before it is filtered.
pub(crate) struct Order {
    /// The name that identifies the list in cursors.
    pub(crate) name: &'static str,
    /// The columns that are read.
    pub(crate) columns: &'static str,
    /// What stands behind FROM.
    pub(crate) table: &'static str,
    /// What it is ordered by. No two rows have the same.
    pub(crate) places: &'static [Place],
    pub(crate) is_descending: bool,
    /// Whether its rows are counted.
    pub(crate) is_counted: bool,
}

/// A list under filters.
pub(crate) struct Listing {
    order: &'static Order,
    cursor: CursorOf,
    conditions: String,
    parameters: Vec<Parameter>,
}

impl Listing {
    /// A list, and everything that decides which of its rows are shown.
    pub(crate) fn new(order: &'static Order, filter: &impl Debug) -> Self {
        Self {
            order,
            cursor: CursorOf::new(order.name, filter),
            conditions: String::new(),
            parameters: Vec::new(),
        }
    }

    /// Adds a condition; `?#` in it stands for the value.
    pub(crate) fn and(&mut self, condition: &'static str, value: impl Into<Parameter>) {
        let parameter = self.bind(value);
        join(&mut self.conditions, &condition.replace("?#", &parameter));
    }

    /// Adds a condition if there is a value for it.
    pub(crate) fn and_if(&mut self, condition: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.and(condition, value);
        }
    }

    /// Adds a condition without a value.
    pub(crate) fn and_always(&mut self, condition: &'static str) {
        join(&mut self.conditions, condition);
    }

    /// Binds a parameter that the table's text has, before any other.
    pub(crate) fn bind(&mut self, value: impl Into<Parameter>) -> String {
        self.parameters.push(value.into());
        format!("?{}", self.parameters.len())
    }

    /// Whether a cursor is one of this list, under these filters.
    pub(crate) fn has(&self, cursor: &str) -> bool {
        self.cursor.has(cursor)
    }

    /// Counts the rows that match the conditions.
    fn count(&self) -> Statement {
        Statement {
            sql: format!("SELECT COUNT(*) FROM {}{}", self.order.table, self.conditions).into(),
            parameters: self.parameters.clone(),
        }
    }

    /// The rows of a page and one more, to detect the end. Their key is the last column.
    fn page(&self, page: &Page) -> Result<Statement> {
        let Order { columns, table, places, is_descending, .. } = self.order;
        let texts: Vec<_> = places.iter().map(|place| place.is_text).collect();
        let mut parameters = self.parameters.clone();
        let mut bind = |value: Parameter| {
            parameters.push(value);
            format!("?{}", parameters.len())
        };
        let after = page.key(&self.cursor, &texts)?.map(|key| {
            key.into_iter().map(|value| bind(value.into())).collect::<Vec<_>>().join(", ")
        });
        let (limit, offset) = (bind((page.limit + 1).into()), bind(page.offset().into()));
        let text = |places: Vec<&str>| {
            let mut conditions = self.conditions.clone();
            if let Some(after) = &after {
                let beyond = if *is_descending { "<" } else { ">" };
                join(&mut conditions, &format!("({}) {beyond} ({after})", places.join(", ")));
            }
            let direction = if *is_descending { " DESC" } else { "" };
            let order: Vec<_> = places.iter().map(|place| format!("{place}{direction}")).collect();
            // D1 answers with an object for each row, so each column needs a name of its own.
            let named = places.iter().zip(0..).map(|(place, at)| format!("{place} AS key_{at}"));
            format!(
                "SELECT {columns}, {} FROM {table}{conditions} ORDER BY {} \
                 LIMIT {limit} OFFSET {offset}",
                named.collect::<Vec<_>>().join(", "),
                order.join(", ")
            )
        };
        let sql = Sql::made(
            text(places.iter().map(|place| place.sqlite).collect()),
            text(places.iter().map(|place| place.postgres).collect()),
        );
        Ok(Statement { sql, parameters })
    }

    /// The cursor behind a row of a page.
    fn behind(&self, row: &[Value]) -> Result<String> {
        let at = row.len().checked_sub(self.order.places.len());
        let key = at.and_then(|at| row.get(at..)).ok_or(StoreError::Corrupt("a row has no key"))?;
        Ok(self.cursor.cursor(key))
    }
}

/// Adds a condition to those that stand behind FROM.
fn join(conditions: &mut String, condition: &str) {
    conditions.push_str(if conditions.is_empty() { " WHERE " } else { " AND " });
    conditions.push_str(condition);
}

impl Store {
    /// Reads a page of a list. `scope` is the tenant whose list it is.
    pub(crate) async fn list_page<T>(
        &self,
        scope: Option<&str>,
        listing: &Listing,
        page: &Page,
        read: impl Fn(Row) -> Result<T>,
    ) -> Result<Listed<T>> {
        let mut batch = vec![listing.page(page)?];
        if listing.order.is_counted && matches!(page.start, super::Start::Offset(_)) {
            batch.push(listing.count());
        }
        let mut answers = self.list(scope, batch).await?.into_iter();
        let mut rows = answers.next().unwrap_or_default();
        let total = answers.next().map(number).transpose()?;
        let limit = usize::try_from(page.limit).unwrap_or_default();
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| has_more);
        let next_cursor = last.map(|row| listing.behind(row)).transpose()?;
        Ok(Listed { items: all(rows, read)?, total, total_is_partial: false, next_cursor })
    }
}
