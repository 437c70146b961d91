//! Moving everything from one database to another, whatever engines they are on.
//!
//! Rows go as they are, internal columns too, in pages in the order of their keys. No
//! transaction stays open meanwhile, so the servers must be stopped first; the checksums at the end
//! show whether the source was written all the same. [`Store::begin_filling`] marks the target
//! meanwhile, so that no server works with half a database; a copy that fails leaves the mark.
//! Between two copies, the rows can be text: [`ndjson`].

mod checksum;
mod counters;
pub mod ndjson;
mod tables;
pub mod text;

use thiserror::Error;

use crate::{
    EngineError, Sql, Store, StoreError,
    engine::{Parameter, Row, Value},
};

pub use crate::columns::{Column, Kind};
pub use checksum::Checksum;
pub use tables::{Table, table, tables};

/// The most rows that are read and written at once.
const PAGE: i64 = 500;

/// Whether the database has a schema at all.
pub(crate) const HAS_SCHEMA: Sql = Sql::Differs {
    sqlite: "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'schema_versions')",
    postgres: "SELECT EXISTS (SELECT 1 FROM information_schema.tables \
         WHERE table_schema = current_schema() AND table_name = 'schema_versions')",
};

/// Why a copy was not made.
#[derive(Clone, Debug, Error)]
pub enum CopyError {
    /// An operation's reasons.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The machine's.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The machine's, in the middle of a table.
    #[error("table {table}: {why}")]
    Table {
        /// The table.
        table: &'static str,
        /// The reason.
        why: EngineError,
    },
    /// Rows may only be put where there are none.
    #[error("it is not empty: the table {0} has rows")]
    NotEmpty(&'static str),
    /// The schema is not the one that this server copies.
    #[error("it has schema version {found}, and only {newest} can be copied: {advice}")]
    Version {
        /// The version in the database.
        found: i64,
        /// The newest version this server knows.
        newest: i64,
        /// What to do.
        advice: &'static str,
    },
    /// A column holds what the schema does not allow.
    #[error("table {table} holds a value of another type in {column}")]
    Odd {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
}

/// How far a table has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The table.
    pub table: &'static str,
    /// The rows that are done.
    pub rows: i64,
    /// The rows that there were at the start.
    pub of: i64,
}

/// Pages of a table in the order of its key.
struct Pages<'a> {
    store: &'a Store,
    table: &'static Table,
    after: Option<Vec<Parameter>>,
    limit: i64,
}

impl Store {
    /// Refuses a database whose schema is not the newest that this server knows: an older one has
    /// other columns, and a newer one has some that this server would leave behind.
    pub async fn check_newest(&self) -> Result<(), CopyError> {
        check_found(self.schema_version().await?)
    }

    /// Refuses a database that has any row.
    pub async fn check_empty(&self) -> Result<(), CopyError> {
        let batch = tables().iter().map(Table::asking_for_any).collect();
        let answers = self.engine.read(batch).await?;
        let used = tables().iter().zip(answers).find(|(_, rows)| **rows == [[Value::Int(1)]]);
        used.map_or(Ok(()), |(table, _)| Err(CopyError::NotEmpty(table.name)))
    }

    /// Copies all rows of all tables into an empty database, and lets it go on counting where this
    /// one does.
    pub async fn copy_to(
        &self,
        target: &Self,
        mut report: impl FnMut(Progress),
    ) -> Result<(), CopyError> {
        // Rows are copied in the order of their keys, and the key of an event is its position.
        self.number_events().await?;
        for table in tables() {
            let of = self.count_rows(table).await?;
            let mut progress = Progress { table: table.name, rows: 0, of };
            report(progress);
            let mut pages = Pages::of(self, table);
            let mut page = pages.next().await?;
            while !page.is_empty() {
                progress.rows += count(&page);
                // The next page is read while this one is written.
                let writing = target.insert_rows(table, page);
                let (written, next) = futures_util::future::join(writing, pages.next()).await;
                written?;
                page = next?;
                report(progress);
            }
        }
        let mut numbers = self.counters().await?;
        for ((_, number), (_, there)) in numbers.iter_mut().zip(target.counters().await?) {
            *number = there.max(*number);
        }
        target.set_counters(&numbers).await
    }

    /// Puts rows into a table. Each has the table's columns, in their order.
    pub async fn insert_rows(
        &self,
        table: &'static Table,
        rows: Vec<Row>,
    ) -> Result<(), CopyError> {
        let batch = table.inserting(rows)?;
        let written = self.engine.write(batch).await;
        written.map(drop).map_err(|why| CopyError::Table { table: table.name, why })
    }

    async fn count_rows(&self, table: &'static Table) -> Result<i64, CopyError> {
        let [rows] = self.read([table.counting()]).await?;
        Ok(crate::row::number(rows)?)
    }
}

impl<'a> Pages<'a> {
    fn of(store: &'a Store, table: &'static Table) -> Self {
        Self { store, table, after: None, limit: PAGE }
    }

    /// The next rows; none at the end. Where rows are so large that a page of them is too much to
    /// hold, or takes too long, pages become shorter until they pass.
    async fn next(&mut self) -> Result<Vec<Row>, CopyError> {
        loop {
            let statement = self.table.page(self.after.as_deref(), self.limit);
            match self.store.engine.read_much(vec![statement]).await {
                Err(EngineError::TooLarge | EngineError::TooSlow) if self.limit > 1 => {
                    self.limit /= 2;
                }
                Err(why) => return Err(CopyError::Table { table: self.table.name, why }),
                Ok(answers) => {
                    let rows = answers.into_iter().next().unwrap_or_default();
                    if let Some(last) = rows.last() {
                        self.after = Some(self.table.key(last)?);
                    }
                    self.limit = (self.limit * 2).min(PAGE);
                    return Ok(rows);
                }
            }
        }
    }
}

/// Refuses a schema version other than the newest that this server knows.
pub fn check_found(found: i64) -> Result<(), CopyError> {
    let newest = crate::migrate::newest();
    let advice = match found.cmp(&newest) {
        std::cmp::Ordering::Equal => return Ok(()),
        std::cmp::Ordering::Less => {
            "run `octopoid migrate` on it, or `npm run db:migrations:apply` if it is on D1"
        }
        std::cmp::Ordering::Greater if found == crate::migrate::UNFINISHED => {
            return Err(StoreError::Unfinished.into());
        }
        std::cmp::Ordering::Greater => "use a newer server",
    };
    Err(CopyError::Version { found, newest, advice })
}

fn count(rows: &[Row]) -> i64 {
    i64::try_from(rows.len()).unwrap_or(i64::MAX)
}
